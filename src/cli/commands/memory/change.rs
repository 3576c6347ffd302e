//! `memory update`, `delete` and `forget`.

use clap::Args;
use serde_json::json;

use super::render;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::memory::ItemChange;
use crate::memory::ListQuery;
use crate::memory::MemoryHandle;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
#[command(
    override_usage = "agi-agent memory update <ID> [TEXT] [--category <NAME>] [--tag <NAME>]... [--no-tags] [--confidence <NUMBER>]"
)]
#[group(required = true, multiple = true, id = "changes", args = ["text", "category", "tags", "no_tags", "confidence"])]
pub(super) struct UpdateArgs {
    /// The item's id
    #[arg(value_name = "ID")]
    id: String,
    /// The new content
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// The new category
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// The new tags, instead of all it had
    #[arg(long = "tag", value_name = "NAME", conflicts_with = "no_tags")]
    tags: Vec<String>,
    /// Remove all tags
    #[arg(long)]
    no_tags: bool,
    /// How sure it is, from 0 to 1
    #[arg(long, value_name = "NUMBER")]
    confidence: Option<f64>,
}

#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    /// The items' ids
    #[arg(value_name = "ID", required_unless_present_any = ["all", "purge"])]
    ids: Vec<String>,
    /// Forget every item
    #[arg(long, conflicts_with = "ids", requires = "yes")]
    all: bool,
    /// Yes, every item
    #[arg(long)]
    yes: bool,
    /// Only remove what was left behind when another process was in the way
    #[arg(long, conflicts_with_all = ["ids", "all"])]
    purge: bool,
}

pub(super) async fn update(
    args: UpdateArgs,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let change = ItemChange {
        content: args.text,
        category: args.category,
        tags: (args.no_tags || !args.tags.is_empty()).then_some(args.tags),
        confidence: args.confidence,
    };
    let item = memory.update(args.id, change).await?;
    if context.global.json {
        context.output.json(&item)?;
    } else {
        context.output.line(&render::short(&item))?;
    }
    Ok(ExitCode::Done)
}

pub(super) async fn delete(
    ids: Vec<String>,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let deleted = memory.delete(ids.clone()).await?;
    told("deleted", &ids, &deleted, context)
}

pub(super) async fn forget(
    args: ForgetArgs,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    if args.purge {
        memory.purge().await?;
        context.output.status("nothing of deleted items is left in the database");
        return Ok(ExitCode::Done);
    }
    let ids = if args.all {
        memory.list(ListQuery::default()).await?.into_iter().map(|item| item.id).collect()
    } else {
        args.ids
    };
    let forgotten = memory.forget(ids.clone()).await?;
    let code = told("forgotten", &ids, &forgotten, context)?;
    if !forgotten.is_empty() {
        context.output.status("backups and conversations may still mention it");
    }
    Ok(code)
}

/// Prints the ids that are gone; those that never were are an error.
fn told(
    word: &str,
    asked: &[String],
    gone: &[String],
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    if context.global.json {
        context.output.json(&json!({ word: gone }))?;
    } else {
        for id in gone {
            context.output.line(&format!("{word} {id}"))?;
        }
    }
    match asked.iter().find(|id| !gone.contains(id)) {
        Some(missing) => Err(render::no_item(missing)),
        None => Ok(ExitCode::Done),
    }
}
