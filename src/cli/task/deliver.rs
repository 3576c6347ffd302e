//! Delivers the outcome: the answer to stdout, everything else to stderr, the exit code to the
//! caller.

use crate::cli::commands::run::OutputFormat;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::network::Recording;
use crate::protocol::CallCounts;
use crate::protocol::ExitCode;
use crate::protocol::Outcome;

/// Hands over the outcome in the format that was asked for.
pub fn deliver(
    outcome: &Outcome,
    format: OutputFormat,
    context: &mut CommandContext,
) -> Result<(), CommandError> {
    let answer = answer(outcome);
    match format {
        OutputFormat::Text if answer.is_empty() => {}
        OutputFormat::Text => context.output.foreign_line(&answer)?,
        OutputFormat::Json => context.output.json(outcome)?,
        // The result event has gone by as the last line.
        OutputFormat::Jsonl => {}
    }
    Ok(context.output.flush()?)
}

/// The answer as text: what met the schema, as JSON, else the words.
pub fn answer(outcome: &Outcome) -> String {
    match &outcome.structured {
        Some(json) => json.as_str().to_owned(),
        None => outcome.text.clone(),
    }
}

/// What an answer may have been given in spite of: calls that failed, and no later one of the same tool
/// that did not.
fn unmended(calls: &CallCounts) -> Option<String> {
    let CallCounts { failed, timed_out, unmended, .. } = calls;
    let bad = failed + timed_out;
    let all = calls.total();
    let tools = unmended.join("`, `");
    let line = format!("{bad} of {all} tool calls failed, those of `{tools}` to the last");
    (!unmended.is_empty()).then_some(line)
}

/// Says what `--record` and `--replay` made no use of; `code` is how it ended.
pub fn tell_of_recording(recording: Option<Recording>, code: ExitCode, output: &mut Output) {
    match recording {
        Some(Recording::Written { directory, exchanges: 0 }) => output.warning(&format!(
            "nothing was recorded in `{}`: no request went to a model's server",
            directory.display()
        )),
        // What failed on its way need not have come to its end.
        Some(Recording::Played { exchanges, of }) if exchanges < of && code == ExitCode::Done => {
            output.warning(&format!("{exchanges} of the recording's {of} exchanges were used"));
        }
        _ => {}
    }
}

/// Says on stderr why the run did not end with 0; what was declined or failed on the way is told in any
/// case.
pub fn explain(outcome: &Outcome, output: &mut Output) {
    if outcome.exit_code == ExitCode::Done {
        for denial in outcome.denials.iter().filter(|denial| !denial.resolved) {
            let (tool, target, reason) = (&denial.tool, &denial.target, &denial.reason);
            output.warning(&format!("declined: {tool}({target}): {reason}"));
        }
        if let Some(line) = unmended(&outcome.calls) {
            output.warning(&line);
        }
        return;
    }
    for error in &outcome.errors {
        output.error(error);
    }
    if outcome.errors.is_empty() {
        let code = outcome.exit_code;
        let meaning = ExitCode::ALL.iter().find(|(known, _)| *known == code);
        output.error(meaning.map_or("the run failed", |(_, meaning)| meaning));
    }
    for hint in &outcome.hints {
        output.hint(hint);
    }
    if outcome.exit_code == ExitCode::PermissionDenied && outcome.hints.is_empty() {
        output
            .hint("`--sandbox`, `--allow` and `--approve` say what may be done without a question");
    }
}
