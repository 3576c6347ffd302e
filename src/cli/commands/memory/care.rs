//! `memory check`, `backup` and `restore`.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::memory::MemoryError;
use crate::memory::MemoryHandle;
use crate::protocol::ExitCode;

pub(super) async fn check(
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let report = memory.check().await?;
    if context.global.json {
        context.output.json(&report)?;
    } else if report.ok {
        context.output.line(&format!(
            "ok: {} items, {} sessions, no damage found",
            report.items, report.sessions
        ))?;
    } else {
        for problem in &report.problems {
            context.output.line(problem)?;
        }
    }
    if report.ok {
        return Ok(ExitCode::Done);
    }
    let message = format!("the memory database is damaged: {} problems", report.problems.len());
    Err(CommandError::new(ExitCode::TaskFailed, message)
        .with_hint("`agi-agent memory restore BACKUP` puts a backup in its place")
        .with_hint("what can still be read: `agi-agent memory export`"))
}

pub(super) async fn backup(
    file: PathBuf,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let file = context.directory()?.join(file);
    memory.backup(file.clone()).await?;
    if context.global.json {
        context.output.json(&json!({ "backup": file.to_string_lossy() }))?;
    } else {
        context.output.line(&file.display().to_string())?;
    }
    Ok(ExitCode::Done)
}

pub(super) async fn restore(
    file: PathBuf,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let file = context.directory()?.join(file);
    if memory.owns(&file) {
        let message = format!("`{}` is the memory database itself", file.display());
        return Err(CommandError::input(message));
    }
    let report = memory.restore(file).await.map_err(|error| {
        // A file that is not there is an input that cannot be used, unlike a fact that is not.
        let is_missing = matches!(error, MemoryError::NotFound { .. });
        let told = CommandError::from(error);
        if is_missing { CommandError { code: ExitCode::Input, ..told } } else { told }
    })?;
    if context.global.json {
        context.output.json(&json!({
            "restored_from": report.restored_from.to_string_lossy(),
            "kept": report.kept.as_ref().map(|path| path.to_string_lossy()),
            "items": report.items,
            "sessions": report.sessions,
        }))?;
        return Ok(ExitCode::Done);
    }
    context
        .output
        .line(&format!("restored {} items, {} sessions", report.items, report.sessions))?;
    if let Some(kept) = &report.kept {
        context.output.status(&format!("what was there is kept as {}", kept.display()));
    }
    Ok(ExitCode::Done)
}
