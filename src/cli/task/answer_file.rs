//! `-o FILE`: looked at before the model is paid for, written before the result is told, so that the
//! result never claims an answer that is not there.
//!
//! Written only by a run that ends 0: whoever reads the file need not look at anything else. Any other
//! run leaves it as it was and says so.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::wiring;
use crate::protocol::ExitCode;
use crate::protocol::Outcome;
use crate::protocol::OutcomeKind;
use crate::system::opener::Opener;
use crate::system::standard;

/// Where the answer goes beside standard output.
pub struct AnswerFile {
    /// As the person wrote it.
    named: PathBuf,
    path: PathBuf,
    target: Target,
}

enum Target {
    /// Replaced as a whole, so that a reader never sees half an answer; a link stays one, and so does
    /// a mode.
    File(Opener),
    /// A device or a pipe takes the answer as it comes.
    Stream(File),
}

impl AnswerFile {
    /// Looks whether the file can be written. Changes nothing.
    pub fn prepare(named: &Path, context: &mut CommandContext) -> Result<Self, CommandError> {
        let path = context.directory()?.join(named);
        let found = standard::open(&path).map_err(|error| {
            let message = format!("cannot write the answer to `{}`: {error}", named.display());
            CommandError::input(message)
        })?;
        let target = if let Some(stream) = found {
            Target::Stream(stream)
        } else {
            let opener = wiring::person_opener(context)?;
            opener.check_replace(&path).map_err(|error| refused(&error))?;
            Target::File(opener)
        };
        Ok(Self { named: named.to_path_buf(), path, target })
    }

    /// Writes the answer of a run that ended 0. What could not be written, or was not to be, becomes
    /// part of the outcome.
    pub fn settle(self, answer: &str, outcome: &mut Outcome) {
        let named = self.named.display().to_string();
        if outcome.exit_code != ExitCode::Done {
            let older = matches!(self.target, Target::File(_)) && self.path.exists();
            let state = if older { "is left as it was" } else { "is not written" };
            let note = format!("`{named}` {state}: only a run that ends 0 writes its answer there");
            outcome.errors.push(note);
            return;
        }
        if let Err(error) = self.write(answer) {
            outcome.exit_code = error.code;
            outcome.outcome = OutcomeKind::Failed;
            outcome.errors.insert(0, error.message);
            outcome.hints.splice(0..0, error.hints);
        }
    }

    fn write(mut self, answer: &str) -> Result<(), CommandError> {
        let text = format!("{answer}\n");
        match &mut self.target {
            Target::Stream(stream) => stream.write_all(text.as_bytes()).map_err(|error| {
                let named = self.named.display();
                CommandError::input(format!("cannot write the answer to `{named}`: {error}"))
            }),
            Target::File(opener) => {
                opener.replace(&self.path, text.as_bytes(), None).map_err(|error| refused(&error))
            }
        }
    }
}

fn refused(error: &crate::system::opener::OpenError) -> CommandError {
    let refused = CommandError::input(format!("cannot write the answer: {error}"));
    match error.hint() {
        Some(hint) => refused.with_hint(hint),
        None => refused,
    }
}
