//! The result of a run that could not begin: whoever asked for JSON gets one object, whatever happens.
//!
//! Words on standard error are `output::failure`'s. A command line that cannot be parsed at all is
//! clap's, and has no result: nobody knows then what was asked for.

use crate::agent::events::Enveloper;
use crate::agent::outcome;
use crate::cli::commands::run::OutputFormat;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::protocol::Event;

/// Prints the result, unless something was printed already: a run that began has told its own.
pub fn tell(error: &CommandError, format: OutputFormat, output: &mut Output) {
    if output.has_begun() {
        return;
    }
    let more = error.more.iter();
    let errors = std::iter::once(error.message.clone())
        .chain(more.clone().map(|(message, _)| message.clone()));
    let hints = error.hints.iter().cloned().chain(more.filter_map(|(_, hint)| hint.clone()));
    let outcome = outcome::refused(error.code, errors.collect(), hints.collect());
    // Where standard output is the trouble, the failure itself is still told on standard error.
    drop(match format {
        OutputFormat::Text => Ok(()),
        OutputFormat::Json => output.json(&outcome),
        OutputFormat::Jsonl => {
            output.json_line(&Enveloper::default().wrap(Event::Result(Box::new(outcome))))
        }
    });
}
