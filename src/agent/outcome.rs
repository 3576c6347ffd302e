//! From the state of a run to its outcome: which exit code applies, and which word.
//!
//! Pure. The order among several codes is `ExitCode::first_that_applies`.

use std::time::Duration;

use crate::config::settings::Withheld;
use crate::protocol::CallCounts;
use crate::protocol::Denial;
use crate::protocol::ExitCode;
use crate::protocol::Outcome;
use crate::protocol::OutcomeKind;
use crate::protocol::RungTaken;
use crate::protocol::Usage;

use super::events::milliseconds;
use super::state::RunState;

/// The sandbox level of a run that started no child.
const NO_CHILD: &str = "none";

/// What became of `--expect` and `--forbid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conditions {
    /// None were given, or the run did not get that far.
    NotChecked,
    /// Every one holds. `expected` says whether an `--expect` was among them.
    Held { expected: bool },
    /// At least one does not; the state has a failure for each.
    Broken,
}

/// What the outcome says beside the state.
#[derive(Debug, Clone)]
pub struct Ending {
    /// `provider/name`.
    pub model: String,
    pub session_id: String,
    pub duration: Duration,
    /// With a route: the model that was asked last.
    pub rung: Option<RungTaken>,
    /// Whether every model has a price.
    pub priced: bool,
    pub conditions: Conditions,
    pub withheld: Withheld,
}

/// The outcome of a run.
pub fn outcome(mut state: RunState, ending: Ending) -> Outcome {
    if state.failures.is_empty() && state.text.is_empty() {
        state.fail(ExitCode::Model, "the model gave no answer", None);
    }
    let excused = ending.conditions == Conditions::Held { expected: true };
    if !excused {
        let open: Vec<(String, Option<String>)> = state
            .denials
            .iter()
            .filter(|denial| !denial.resolved)
            .map(|Denial { tool, target, reason, .. }| {
                let hint = state.ways_out.get(target).cloned();
                (format!("declined: `{tool}` on `{target}`: {reason}"), hint)
            })
            .collect();
        if !open.is_empty() {
            untrusted(&mut state, &ending.withheld.permissions);
        }
        for (line, hint) in open {
            state.fail(ExitCode::PermissionDenied, line, hint);
        }
    }
    if state.failures.iter().any(|failure| failure.code == ExitCode::OutsideBuiltin) {
        untrusted(&mut state, &ending.withheld.model);
    }
    let codes: Vec<ExitCode> = state.failures.iter().map(|failure| failure.code).collect();
    let exit_code = ExitCode::first_that_applies(&codes);
    // The failures that decided come first.
    state.failures.sort_by_key(|failure| failure.code != exit_code);
    let nothing = ending.priced.then_some(0.0);
    let cost = state.cost.or(nothing).filter(|_| !state.unpriced);
    Outcome {
        outcome: kind(exit_code),
        exit_code,
        text: state.text,
        structured: state.structured,
        model: ending.model,
        rung_taken: ending.rung,
        session_id: ending.session_id,
        usage: state.usage,
        cost,
        duration_ms: milliseconds(ending.duration),
        turns: state.turns,
        calls: state.calls,
        denials: state.denials,
        hints: state.failures.iter().filter_map(|failure| failure.hint.clone()).collect(),
        errors: state
            .failures
            .into_iter()
            .map(|failure| failure.error)
            .chain(state.notes)
            .collect(),
        sandbox_level: state.sandbox.unwrap_or_else(|| NO_CHILD.to_owned()),
    }
}

/// The outcome of a run that could not begin: no model was asked, and no session was opened.
pub fn refused(exit_code: ExitCode, errors: Vec<String>, hints: Vec<String>) -> Outcome {
    Outcome {
        outcome: kind(exit_code),
        exit_code,
        text: String::new(),
        structured: None,
        model: String::new(),
        rung_taken: None,
        session_id: String::new(),
        usage: Usage::default(),
        cost: None,
        duration_ms: 0,
        turns: 0,
        calls: CallCounts::default(),
        denials: Vec::new(),
        errors,
        hints,
        sandbox_level: NO_CHILD.to_owned(),
    }
}

/// What the project asked for could have changed how this ended: the person can have it with one
/// command, so it is told.
fn untrusted(state: &mut RunState, withheld: &[String]) {
    if withheld.is_empty() {
        return;
    }
    let message = format!("the project asks for `{}` and is not trusted", withheld.join("`, `"));
    let hint = "read the project's files, then `agi-agent trust`".to_owned();
    state.fail(ExitCode::Untrusted, message, Some(hint));
}

fn kind(code: ExitCode) -> OutcomeKind {
    match code {
        ExitCode::Done => OutcomeKind::Completed,
        ExitCode::Interrupted | ExitCode::Terminated => OutcomeKind::Cancelled,
        ExitCode::TimeOut | ExitCode::TurnLimit | ExitCode::Budget => OutcomeKind::Limited,
        _ => OutcomeKind::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(conditions: Conditions) -> Ending {
        Ending {
            model: "scripted/script".to_owned(),
            session_id: "s".to_owned(),
            duration: Duration::from_millis(12),
            rung: None,
            priced: false,
            conditions,
            withheld: Withheld::default(),
        }
    }

    fn answered() -> RunState {
        let mut state = RunState::default();
        state.text.push_str("42");
        state
    }

    fn code(state: RunState, conditions: Conditions) -> u8 {
        outcome(state, ending(conditions)).exit_code.into()
    }

    #[test]
    fn an_answer_is_done_and_none_is_not() {
        let done = outcome(answered(), ending(Conditions::NotChecked));
        assert_eq!((done.outcome, done.exit_code), (OutcomeKind::Completed, ExitCode::Done));
        assert_eq!(code(RunState::default(), Conditions::NotChecked), 46);
    }

    #[test]
    fn a_denial_counts_unless_resolved_or_every_expectation_held() {
        let denied = || {
            let mut state = answered();
            state.deny("shell", "rm x", "no");
            state
        };
        assert_eq!(code(denied(), Conditions::NotChecked), 43);
        assert_eq!(code(denied(), Conditions::Held { expected: false }), 43);
        assert_eq!(code(denied(), Conditions::Held { expected: true }), 0);
        let mut broken = denied();
        broken.fail(ExitCode::PostCondition, "`--expect` is false", None);
        assert_eq!(code(broken, Conditions::Broken), 43);
        let mut resolved = denied();
        resolved.succeeded("shell", "rm x");
        assert_eq!(code(resolved, Conditions::NotChecked), 0);
    }

    #[test]
    fn a_denial_that_trust_could_have_avoided_says_so() {
        let withheld =
            Withheld { permissions: vec!["approve".to_owned()], model: vec!["model.name".into()] };
        let with = |state| {
            outcome(state, Ending { withheld: withheld.clone(), ..ending(Conditions::NotChecked) })
        };
        let mut denied = answered();
        denied.deny("shell", "rm x", "no");
        let outcome = with(denied);
        assert_eq!(outcome.exit_code, ExitCode::Untrusted);
        assert!(outcome.errors[0].contains("`approve`"), "{:?}", outcome.errors);
        assert_eq!(with(answered()).exit_code, ExitCode::Done);
        let mut outside = answered();
        outside.fail(ExitCode::OutsideBuiltin, "too hard", None);
        assert_eq!(with(outside).exit_code, ExitCode::Untrusted);
    }

    #[test]
    fn the_word_follows_the_code() {
        let mut state = answered();
        state.fail(ExitCode::TurnLimit, "limit", None);
        state.fail(ExitCode::Interrupted, "interrupted", None);
        let both = outcome(state, ending(Conditions::NotChecked));
        assert_eq!((both.outcome, both.exit_code), (OutcomeKind::Cancelled, ExitCode::Interrupted));
        assert_eq!(both.errors, ["interrupted", "limit"]);
        assert_eq!(kind(ExitCode::TimeOut), OutcomeKind::Limited);
        assert_eq!(kind(ExitCode::Model), OutcomeKind::Failed);
    }
}
