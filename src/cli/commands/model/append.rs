//! `agi-agent model append`: a copy of this program that carries a model, so that one file is all
//! there is to take along.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::bridge::gguf;
use crate::bridge::gguf::Append;
use crate::bridge::gguf::AppendError;
use crate::bridge::gguf::Appended;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::task::interrupt;
use crate::protocol::ExitCode;
use crate::system::process::executable;

#[derive(Debug, Args)]
pub struct AppendArgs {
    /// A GGUF file
    #[arg(value_name = "MODEL.gguf")]
    model: PathBuf,
    /// The file that is written; it must not exist
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What `--model local/NAME` will call it; the file's name where this is left out
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub async fn run(args: AppendArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let name = args.name.clone().unwrap_or_else(|| name_of(&args.model));
    let executable = executable::to_open().map_err(|error| {
        CommandError::input(format!("this program's own file cannot be found: {error}"))
            .with_hint(executable::HINT)
    })?;
    let cancel = Cancellation::new();
    let signals = interrupt::Watch::over(&cancel);
    let watched = cancel.clone();
    // Gigabytes are copied: the runtime listens for signals meanwhile.
    let written = tokio::task::spawn_blocking(move || {
        let append = Append {
            executable: &executable,
            model: &args.model,
            name: &name,
            output: &args.output,
        };
        append.run(&|| watched.reason().is_none())
    });
    let appended = match written.await.map_err(|error| CommandError::input(error.to_string()))? {
        Ok(appended) => appended,
        Err(error) => {
            let code = cancel.reason().map_or(ExitCode::Input, CancelReason::exit_code);
            return Err(told(&error, code));
        }
    };
    drop(signals);
    say(&appended, context)?;
    Ok(ExitCode::Done)
}

fn name_of(model: &Path) -> String {
    model.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn told(error: &AppendError, code: ExitCode) -> CommandError {
    let told = CommandError::new(code, error.to_string());
    match error.hint() {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
}

fn say(appended: &Appended, context: &mut CommandContext) -> Result<(), CommandError> {
    let source = format!("{}{}", gguf::EMBEDDED, appended.name);
    if context.global.json {
        context.output.json(&json!({
            "file": appended.executable.to_string_lossy(),
            "model": format!("local/{source}"),
            "bytes": appended.size,
        }))?;
        return Ok(());
    }
    context.output.line(&appended.executable.display().to_string())?;
    context.output.status(&format!("it has the model `local/{source}`"));
    Ok(())
}
