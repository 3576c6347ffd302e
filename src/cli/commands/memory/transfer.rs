//! `memory export` and `memory import`, and reading a person's file without harming the database.

use std::io::Read;
use std::path::Path;

use clap::Args;
use clap::ValueEnum;
use serde_json::json;
use tokio::sync::mpsc;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::memory::Item;
use crate::memory::MemoryHandle;
use crate::protocol::ExitCode;

/// Bytes of an imported file: it is held in memory.
const MAX_FILE: u64 = 1 << 30;

/// Lines that could not be used and are named one by one.
const MAX_NAMED: usize = 20;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// One item a line, or one object in the shape of the old knowledge.json
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Jsonl,
    Json,
}

pub(super) async fn export(
    args: &ExportArgs,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let (sender, mut batches) = mpsc::channel::<Vec<Item>>(4);
    let export = memory.export(sender);
    let print = async {
        let mut all = Vec::new();
        while let Some(batch) = batches.recv().await {
            if args.format == Format::Json {
                all.extend(batch);
                continue;
            }
            for item in &batch {
                let line = serde_json::to_string(item).map_err(std::io::Error::from);
                context.output.line(&line.map_err(crate::cli::error::WriteError)?)?;
            }
        }
        // Ends the export early where standard output is gone.
        drop(batches);
        if args.format == Format::Json {
            let last = all.iter().map(|item| item.updated_at.as_str()).max();
            context.output.json(&json!({"items": all, "last_updated": last}))?;
        }
        Ok::<(), CommandError>(())
    };
    let (exported, printed) = tokio::join!(export, print);
    exported?;
    printed?;
    Ok(ExitCode::Done)
}

pub(super) async fn import(
    file: &Path,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let text = read_text(file, memory)?;
    let source = match file.file_name() {
        Some(name) if file != Path::new("-") => name.to_string_lossy().into_owned(),
        _ => "import".to_owned(),
    };
    let (report, refused) = memory.import(&text, &source).await?;
    for message in refused.iter().take(MAX_NAMED) {
        context.output.warning(&format!("not imported: {message}"));
    }
    if refused.len() > MAX_NAMED {
        context.output.warning(&format!("and {} more", refused.len() - MAX_NAMED));
    }
    if context.global.json {
        context.output.json(&json!({
            "added": report.added,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "refused": refused,
        }))?;
    } else {
        context.output.line(&format!(
            "{} added, {} updated, {} unchanged, {} refused",
            report.added,
            report.updated,
            report.unchanged,
            refused.len()
        ))?;
    }
    Ok(if refused.is_empty() { ExitCode::Done } else { ExitCode::Input })
}

/// The whole text of a file or, for `-`, of standard input.
pub(super) fn read_text(file: &Path, memory: &MemoryHandle) -> Result<String, CommandError> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut bytes)
    } else {
        refuse_own(file, memory)?;
        std::fs::File::open(file).and_then(|open| open.take(MAX_FILE + 1).read_to_end(&mut bytes))
    };
    let size = read.map_err(|error| cannot_read(file, &error))?;
    if size as u64 > MAX_FILE {
        let message = format!("`{}` has more than {MAX_FILE} bytes", file.display());
        return Err(
            CommandError::input(message).with_hint("split it by lines and import the parts")
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CommandError::input(format!("`{}` is not UTF-8: byte {at}", file.display()))
    })
}

pub(super) fn cannot_read(file: &Path, error: &std::io::Error) -> CommandError {
    let name = if file == Path::new("-") { "standard input" } else { &file.display().to_string() };
    CommandError::input(format!("cannot read `{name}`: {error}"))
}

/// Opening and closing the database's own files in this process would drop SQLite's locks on them.
pub(super) fn refuse_own(file: &Path, memory: &MemoryHandle) -> Result<(), CommandError> {
    if memory.owns(file) {
        let message = format!("`{}` is the memory database itself", file.display());
        return Err(CommandError::input(message).with_hint("`agi-agent memory export` prints it"));
    }
    Ok(())
}
