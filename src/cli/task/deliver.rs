//! Delivers the outcome: the answer to stdout, everything else to stderr, the exit code to the
//! caller.

use std::io::Write;
use std::path::Path;

use crate::cli::commands::run::OutputFormat;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::protocol::ExitCode;
use crate::protocol::Outcome;

/// Prints the outcome in the format that was asked for.
pub fn deliver(
    outcome: &Outcome,
    format: OutputFormat,
    file: Option<&Path>,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let answer = answer(outcome);
    match format {
        OutputFormat::Text if answer.is_empty() => {}
        OutputFormat::Text => context.output.line(&answer)?,
        OutputFormat::Json => context.output.json(outcome)?,
        // The result event has gone by as the last line.
        OutputFormat::Jsonl => {}
    }
    if let Some(path) = file.filter(|_| !answer.is_empty()) {
        write(&context.directory()?.join(path), &answer)?;
    }
    context.output.flush()?;
    explain(outcome, &mut context.output);
    Ok(outcome.exit_code)
}

/// The answer as text: what met the schema, as JSON, else the words.
fn answer(outcome: &Outcome) -> String {
    match &outcome.structured {
        Some(value) => value.to_string(),
        None => outcome.text.clone(),
    }
}

/// Says on stderr why the run did not end with 0; what was declined on the way is told in any case.
fn explain(outcome: &Outcome, output: &mut Output) {
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

/// Replaces the file as a whole, so that a reader never sees half an answer.
fn write(path: &Path, answer: &str) -> Result<(), CommandError> {
    let wrong = |error: std::io::Error| {
        CommandError::input(format!("cannot write the answer to `{}`: {error}", path.display()))
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = folder.join(format!(".{name}.{}", std::process::id()));
    let mut file = std::fs::File::create_new(&temporary).map_err(wrong)?;
    let written = file
        .write_all(answer.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| {
        drop(std::fs::remove_file(&temporary));
        wrong(error)
    })
}
