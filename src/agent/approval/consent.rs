//! Whether one call may run, with a person's word where it takes one.
//!
//! `approval` decides from values; here is what it takes besides: what the call is aimed at, the
//! question, and the bond that voids an answer when the world has changed since.

use std::path::Path;
use std::path::PathBuf;

use crate::protocol::Effect;
use crate::protocol::port::Question;
use crate::protocol::port::Verdict;
use crate::tools::dispatch::Condition;
use crate::tools::dispatch::PreparedCall;

use super::Action;
use super::Decision;
use super::bond;
use super::bond::Bond;
use super::covering;
use super::proposal;
use super::rules;
use super::rules::Target;
use crate::agent::approval;
use crate::agent::calls::CallRoom;
use crate::agent::state::RunState;

/// A rule that a person types may miss the call so often.
const TRIES: u32 = 3;

/// Whether a call may run; the reason where it may not. What it was let through for is checked again
/// when it starts: the calls before it may have changed what its names mean.
pub(in crate::agent) async fn judge(
    room: &CallRoom<'_>,
    prepared: &PreparedCall,
    state: &mut RunState,
) -> Result<Option<Condition>, String> {
    let aim = Aim::of(room, prepared);
    let target = aim.target(room, prepared);
    let action = Action { effect: prepared.effect, target, origin: state.origin.as_deref() };
    match approval::decide(room.situation, &action) {
        Decision::Allow { by_rule: true, .. } => Ok(same_files(prepared, &target)),
        Decision::Allow { .. } => Ok(None),
        Decision::Deny { reason } => Err(reason),
        Decision::Ask { reason } => {
            let bond = bond_of(room, prepared, &target);
            ask(room, prepared, &target, &bond, &reason, state).await?;
            bond.check()?;
            Ok(Some(Box::new(move || bond.check())))
        }
    }
}

/// What would let a call through that was declined, where the command line can.
pub(in crate::agent) fn way_out(
    room: &CallRoom<'_>,
    prepared: &PreparedCall,
    state: &RunState,
) -> Option<String> {
    let (effect, situation) = (prepared.effect, room.situation);
    if let Some(rule) = approval::missing_rule(situation, effect, &prepared.target) {
        return Some(approval::net_hint(&rule));
    }
    let aim = Aim::of(room, prepared);
    let target = aim.target(room, prepared);
    let action = Action { effect, target, origin: state.origin.as_deref() };
    approval::strangers_hint(situation, &action)
}

/// What a call is aimed at, as rules name it.
struct Aim {
    names: Vec<String>,
    cwd: PathBuf,
    is_path: bool,
}

impl Aim {
    fn of(room: &CallRoom<'_>, prepared: &PreparedCall) -> Self {
        let cwd = directory_of(prepared, &room.context.cwd);
        let is_path = prepared.call.name.starts_with("file_");
        let names = if is_path {
            rules::names_of_file(&prepared.target, &cwd, &room.context.cwd)
        } else {
            vec![prepared.target.clone()]
        };
        Self { names, cwd, is_path }
    }

    fn target<'a>(&'a self, room: &'a CallRoom<'_>, prepared: &'a PreparedCall) -> Target<'a> {
        Target {
            tool: &prepared.call.name,
            names: &self.names,
            is_path: self.is_path,
            cwd: &self.cwd,
            root: &room.context.cwd,
            places: &room.situation.places,
        }
    }
}

/// That the files a rule lets a call write are still the ones it was judged by: another call of the same
/// reply may have put a link in their way.
fn same_files(prepared: &PreparedCall, target: &Target<'_>) -> Option<Condition> {
    let files = match prepared.effect {
        Effect::Write if target.is_path => vec![prepared.target.clone()],
        Effect::Process if target.tool == "shell" => covering::written_files(&prepared.target),
        _ => Vec::new(),
    };
    if files.is_empty() {
        return None;
    }
    let (cwd, root) = (target.cwd.to_path_buf(), target.root.to_path_buf());
    let names = move || -> Vec<Vec<String>> {
        files.iter().map(|file| rules::names_of_file(file, &cwd, &root)).collect()
    };
    let judged = names();
    Some(Box::new(move || {
        if names() == judged {
            return Ok(());
        }
        Err("a file that it writes is not the one that was judged any more".to_owned())
    }))
}

/// The directory that a call's relative names are meant against.
fn directory_of(prepared: &PreparedCall, cwd: &Path) -> PathBuf {
    prepared.arguments["cwd"].as_str().map_or_else(|| cwd.to_path_buf(), |own| cwd.join(own))
}

fn bond_of(room: &CallRoom<'_>, prepared: &PreparedCall, target: &Target<'_>) -> Bond {
    let files = if target.is_path {
        vec![target.cwd.join(&prepared.target)]
    } else if prepared.effect == Effect::Process {
        bond::files_of_command(&prepared.target, target.cwd, &target.places.search)
    } else {
        Vec::new()
    };
    let environment = room.context.sandbox.child_environment();
    let opener = &room.context.opener;
    Bond::new(target.tool, &prepared.arguments, target.cwd, environment, files, opener)
}

/// Asks, unless an earlier answer of this session covers the call.
async fn ask(
    room: &CallRoom<'_>,
    prepared: &PreparedCall,
    target: &Target<'_>,
    bond: &Bond,
    reason: &str,
    state: &mut RunState,
) -> Result<(), String> {
    let granted = &state.allowed;
    if granted.calls.contains(&bond.key())
        || granted.rules.iter().any(|rule| proposal::covers(rule, target))
    {
        return Ok(());
    }
    let Some(approver) = room.approver else {
        return Err(format!("{reason}, and nobody can be asked"));
    };
    // Shown as it is stored: a question goes to streams and screens as well. The bond is on what runs.
    let shown = |text: &str| match &room.context.vault {
        Some(vault) => vault.conceal_said(text).into_owned(),
        None => text.to_owned(),
    };
    let call = room.context.vault.as_ref().map(|vault| vault.conceal_call(&prepared.call));
    let summary = shown(&prepared.summary());
    let proposal = proposal::propose(prepared.effect, target);
    let proposal = proposal.filter(|rule| shown(rule) == *rule);
    let mut reason = shown(reason);
    for _ in 0..TRIES {
        let question = Question {
            call: call.as_ref().unwrap_or(&prepared.call),
            summary: &summary,
            reason: &reason,
            proposal: proposal.as_deref(),
        };
        let asked = async {
            tokio::select! {
                biased;
                () = room.context.cancel.cancelled() => None,
                verdict = approver.ask(&question) => Some(verdict),
            }
        };
        let verdict = room.emitter.with_heartbeat(room.pacing.heartbeat, "approval", asked).await;
        // Nothing runs after a cancellation, whatever was answered in the meantime.
        if room.context.cancel.is_cancelled() {
            return Err("the run was cancelled".to_owned());
        }
        match verdict {
            Some(Verdict::AllowOnce) => return Ok(()),
            Some(Verdict::AllowForSession) => {
                state.allowed.calls.insert(bond.key());
                return Ok(());
            }
            Some(Verdict::AllowPattern(rule)) if proposal::covers(&rule, target) => {
                state.allowed.rules.push(rule);
                return Ok(());
            }
            Some(Verdict::AllowPattern(rule)) => {
                reason = format!("the rule `{rule}` does not cover this call");
            }
            Some(Verdict::Deny) | None => return Err("the person declined it".to_owned()),
        }
    }
    Err(reason)
}
