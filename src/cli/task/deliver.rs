//! Delivers the outcome: the answer to stdout, everything else to stderr, the exit code to the
//! caller.

use std::io::Write;
use std::path::Path;

use crate::cli::commands::run::OutputFormat;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::wiring;
use crate::protocol::ExitCode;
use crate::protocol::Outcome;

/// Hands over the outcome in the format that was asked for.
pub fn deliver(
    outcome: &Outcome,
    format: OutputFormat,
    file: Option<&Path>,
    context: &mut CommandContext,
) -> Result<(), CommandError> {
    let answer = answer(outcome);
    match format {
        OutputFormat::Text if answer.is_empty() => {}
        OutputFormat::Text => context.output.line(&answer)?,
        OutputFormat::Json => context.output.json(outcome)?,
        // The result event has gone by as the last line.
        OutputFormat::Jsonl => {}
    }
    if let Some(path) = file.filter(|_| !answer.is_empty()) {
        write(path, &answer, context)?;
    }
    Ok(context.output.flush()?)
}

/// The answer as text: what met the schema, as JSON, else the words.
fn answer(outcome: &Outcome) -> String {
    match &outcome.structured {
        Some(value) => value.to_string(),
        None => outcome.text.clone(),
    }
}

/// Says on stderr why the run did not end with 0; what was declined on the way is told in any case.
pub fn explain(outcome: &Outcome, output: &mut Output) {
    if outcome.exit_code == ExitCode::Done {
        for denial in outcome.denials.iter().filter(|denial| !denial.resolved) {
            let (tool, target, reason) = (&denial.tool, &denial.target, &denial.reason);
            output.warning(&format!("declined: {tool}({target}): {reason}"));
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

/// Replaces the file as a whole, so that a reader never sees half an answer; a link stays one, and so
/// does a mode. A device or a pipe takes the answer as it comes: it is no file that could be replaced.
fn write(path: &Path, answer: &str, context: &mut CommandContext) -> Result<(), CommandError> {
    let path = context.directory()?.join(path);
    let text = format!("{answer}\n");
    if std::fs::metadata(&path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let written = std::fs::File::options().write(true).open(&path);
        let written = written.and_then(|mut stream| stream.write_all(text.as_bytes()));
        return written.map_err(|error| {
            let message = format!("cannot write the answer to `{}`: {error}", path.display());
            CommandError::input(message)
        });
    }
    let opener = wiring::person_opener(context)?;
    opener.replace(&path, text.as_bytes(), None).map_err(|error| {
        let hint = error.hint();
        let error = CommandError::input(format!("cannot write the answer: {error}"));
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    })
}
