//! `agi-agent session …`: the conversations that were had.

use std::fmt::Write;

use clap::Args;
use clap::Subcommand;
use serde_json::json;

use super::memory;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::error::WriteError;
use crate::cli::output::printable;
use crate::memory::Conversation;
use crate::memory::MemoryError;
use crate::memory::MemoryHandle;
use crate::protocol::ExitCode;
use crate::protocol::Message;
use crate::protocol::Part;
use crate::protocol::Role;

/// Lines of a tool's result that `show` prints.
const RESULT_LINES: usize = 12;

#[derive(Debug, Args)]
pub struct SessionArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Action {
    /// List conversations, last used first
    List {
        /// At most N of them
        #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
        limit: usize,
    },
    /// Print a conversation
    Show {
        /// Its id, or `last`
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Print a conversation as JSON, one message a line
    Export {
        /// Its id, or `last`
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Delete conversations for good
    Delete {
        /// The conversations' ids, or `last`
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

pub async fn run(
    args: SessionArgs,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let memory = memory::handle(context)?;
    match args.action {
        Action::List { limit } => list(limit, &memory, context).await,
        Action::Show { id } => show(id, &memory, context).await,
        Action::Export { id } => export(id, &memory, context).await,
        Action::Delete { ids } => delete(ids, &memory, context).await,
    }
}

async fn list(
    limit: usize,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let sessions = memory.session_list(limit).await?;
    if context.global.json {
        context.output.json(&json!({ "sessions": sessions }))?;
        return Ok(ExitCode::Done);
    }
    for found in &sessions {
        let when = found.updated_at.get(..16).unwrap_or_default().replace('T', " ");
        let title = printable(&found.session.title);
        let id = printable(&found.session.id);
        context.output.line(&format!("{id}  {when}  {:3} messages  {title}", found.messages))?;
    }
    if sessions.is_empty() {
        context.output.status("no conversation is stored");
    }
    Ok(ExitCode::Done)
}

async fn show(
    id: String,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let conversation = find(id, memory).await?;
    if context.global.json {
        context.output.json(&conversation)?;
        return Ok(ExitCode::Done);
    }
    let session = &conversation.summary.session;
    let head = [
        ("id", &session.id),
        ("title", &session.title),
        ("model", &session.model),
        ("directory", &session.cwd),
        ("started", &session.created_at),
    ];
    for (name, value) in head {
        context.output.line(&format!("{name:10}  {}", printable(value)))?;
    }
    for stored in &conversation.log {
        context.output.line(&said(&stored.message))?;
    }
    Ok(ExitCode::Done)
}

/// One message as text, with a blank line before it.
fn said(message: &Message) -> String {
    let speaker = match message.role {
        Role::User => "you",
        Role::Assistant => "agent",
        Role::Tool => "tool",
    };
    let mut text = String::new();
    for part in &message.parts {
        let line = match part {
            Part::Text { text } => format!("{speaker}: {}", printable(text.trim_end())),
            Part::Image { media_type, .. } => format!("{speaker}: [{}]", printable(media_type)),
            Part::Reasoning { text, .. } => format!("{speaker} thinks: {}", printable(text)),
            Part::ToolCall(call) => {
                format!("{speaker} calls {} {}", printable(&call.name), printable(&call.arguments))
            }
            Part::ToolResult(result) => {
                let mut lines = result.text.trim_end().lines();
                let shown: Vec<&str> = lines.by_ref().take(RESULT_LINES).collect();
                let mark = if result.is_error { " failed" } else { "" };
                let left = lines.count();
                let more =
                    if left > 0 { format!("\n… {left} more lines") } else { String::new() };
                format!("{}{mark}: {}{more}", printable(&result.name), printable(&shown.join("\n")))
            }
        };
        // Writing to a `String` cannot fail.
        write!(text, "\n{line}\n").ok();
    }
    text
}

async fn export(
    id: String,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    for stored in find(id, memory).await?.log {
        let line = serde_json::to_string(&stored).map_err(|error| WriteError(error.into()))?;
        context.output.line(&line)?;
    }
    Ok(ExitCode::Done)
}

async fn find(id: String, memory: &MemoryHandle) -> Result<Conversation, CommandError> {
    let id = named(id, memory).await?;
    memory.session_show(id).await.map_err(|error| {
        let missing = matches!(error, MemoryError::NotFound { .. });
        let told = CommandError::from(error);
        if missing { told.with_hint("`agi-agent session list` shows what there is") } else { told }
    })
}

/// The id that is meant: `last` is the conversation that was last used.
async fn named(id: String, memory: &MemoryHandle) -> Result<String, CommandError> {
    if id != "last" {
        return Ok(id);
    }
    Ok(memory.last_session(None).await?.map_or(id, |found| found.session.id))
}

async fn delete(
    ids: Vec<String>,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let mut missing = None;
    let mut deleted = Vec::new();
    // All of them before the first is gone: `last` would be another one then.
    let mut named_ids = Vec::new();
    for id in ids {
        named_ids.push(named(id, memory).await?);
    }
    for id in named_ids {
        if memory.session_delete(id.clone()).await? {
            deleted.push(id);
        } else {
            missing = missing.or(Some(id));
        }
    }
    if context.global.json {
        context.output.json(&json!({ "deleted": deleted }))?;
    } else {
        for id in &deleted {
            context.output.line(&format!("deleted {id}"))?;
        }
    }
    match missing {
        None => Ok(ExitCode::Done),
        Some(id) => {
            Err(CommandError::new(ExitCode::TaskFailed, format!("there is no session `{id}`"))
                .with_hint("`agi-agent session list` shows what there is"))
        }
    }
}
