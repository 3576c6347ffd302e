//! `-o FILE`: looked at before the model is paid for, written before the result is told, so that the
//! result never claims an answer that is not there.
//!
//! Written only by a run that ends 0: whoever reads the file need not look at anything else. Any other
//! run leaves it as it was and says so.

use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::agent::Cancellation;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::output::Behind;
use crate::cli::output::Delivery;
use crate::cli::wiring;
use crate::protocol::ExitCode;
use crate::protocol::Outcome;
use crate::protocol::OutcomeKind;
use crate::system::opener::Opener;
use crate::system::standard;

/// A reader who takes none of so many bytes for so long is none.
const PIECE: usize = 4 << 10;
const PATIENCE: Duration = Duration::from_secs(30);

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
    pub async fn settle(self, answer: &str, outcome: &mut Outcome, cancel: &Cancellation) {
        let named = self.named.display().to_string();
        if outcome.exit_code != ExitCode::Done {
            let older = matches!(self.target, Target::File(_)) && self.path.exists();
            let state = if older { "is left as it was" } else { "is not written" };
            let note = format!("`{named}` {state}: only a run that ends 0 writes its answer there");
            outcome.errors.push(note);
            return;
        }
        if let Err(error) = self.write(answer, cancel).await {
            outcome.exit_code = error.code;
            outcome.outcome = OutcomeKind::Failed;
            outcome.errors.insert(0, error.message);
            outcome.hints.splice(0..0, error.hints);
        }
    }

    async fn write(self, answer: &str, cancel: &Cancellation) -> Result<(), CommandError> {
        let text = format!("{answer}\n");
        let unwritten = |code, why: &str| {
            let named = self.named.display();
            CommandError::new(code, format!("cannot write the answer to `{named}`: {why}"))
        };
        match self.target {
            Target::Stream(stream) => match pass(stream, text.as_bytes(), cancel).await {
                Ok(Delivery::Whole) => Ok(()),
                Ok(Delivery::GivenUp) => match cancel.reason() {
                    Some(reason) => Err(unwritten(reason.exit_code(), "nobody read it in time")),
                    None => Err(unwritten(ExitCode::Input, "nobody reads it")),
                },
                Err(error) => Err(unwritten(ExitCode::Input, &error.to_string())),
            },
            Target::File(opener) => {
                opener.replace(&self.path, text.as_bytes(), None).map_err(|error| refused(&error))
            }
        }
    }
}

/// Writes into a pipe whose reader may be slow, or never read: by a thread of its own, so that signals and
/// the run's clock are heard meanwhile.
async fn pass(stream: File, bytes: &[u8], cancel: &Cancellation) -> io::Result<Delivery> {
    let behind = Behind::new(stream)?;
    for piece in bytes.chunks(PIECE) {
        behind.push(piece)?;
        if behind.delivered(cancel.token(), Some(PATIENCE)).await? == Delivery::GivenUp {
            return Ok(Delivery::GivenUp);
        }
    }
    Ok(Delivery::Whole)
}

fn refused(error: &crate::system::opener::OpenError) -> CommandError {
    let refused = CommandError::input(format!("cannot write the answer: {error}"));
    match error.hint() {
        Some(hint) => refused.with_hint(hint),
        None => refused,
    }
}
