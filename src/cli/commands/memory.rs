//! `agi-agent memory …`: what is remembered, for people and scripts.
//!
//! No subcommand starts an interpreter or asks a model.

mod add;
mod care;
mod change;
mod render;
mod transfer;

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::memory::ListQuery;
use crate::memory::MemoryError;
use crate::memory::MemoryHandle;
use crate::memory::Query;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
pub struct MemoryArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Action {
    /// Remember something; prints its id
    Add(add::AddArgs),
    /// Print one item
    Get {
        /// The item's id
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Find items by words, best first
    Search(SearchArgs),
    /// Change an item
    Update(change::UpdateArgs),
    /// Delete items
    Delete {
        /// The items' ids
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Delete items and every byte of them from the database and its log
    Forget(change::ForgetArgs),
    /// List items, newest change first
    List(ListArgs),
    /// Print what is stored in numbers
    Stats,
    /// Print every item, oldest first
    Export(transfer::ExportArgs),
    /// Read items of an export or of an old knowledge.json
    Import {
        /// The file; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Look for damage; ends with 1 where there is some
    Check,
    /// Copy the database to a new file, also while it is in use
    Backup {
        /// The new file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a backup in the database's place; what was there is kept beside it
    Restore {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
struct SearchArgs {
    /// Words in any order; a part in double quotes is one phrase
    #[arg(value_name = "QUERY", required = true)]
    query: Vec<String>,
    /// At most N items
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    limit: usize,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// At most N items
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Leave out the first N
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: usize,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Debug, Args)]
struct FilterArgs {
    /// Only items of exactly this category
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// Only items that have this tag; several must all be there
    #[arg(long = "tag", value_name = "NAME")]
    tags: Vec<String>,
}

pub async fn run(args: MemoryArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let memory = handle(context)?;
    match args.action {
        Action::Add(args) => add::run(args, &memory, context).await,
        Action::Get { id } => get(&id, &memory, context).await,
        Action::Search(args) => search(args, &memory, context).await,
        Action::Update(args) => change::update(args, &memory, context).await,
        Action::Delete { ids } => change::delete(ids, &memory, context).await,
        Action::Forget(args) => change::forget(args, &memory, context).await,
        Action::List(args) => list(args, &memory, context).await,
        Action::Stats => stats(&memory, context).await,
        Action::Export(args) => transfer::export(&args, &memory, context).await,
        Action::Import { file } => transfer::import(&file, &memory, context).await,
        Action::Check => care::check(&memory, context).await,
        Action::Backup { file } => care::backup(file, &memory, context).await,
        Action::Restore { file } => care::restore(file, &memory, context).await,
    }
}

/// The person's memory; an error where there is no place for it, since what is stored would be
/// lost without a word.
pub(super) fn handle(context: &mut CommandContext) -> Result<MemoryHandle, CommandError> {
    let settings = context.settings()?;
    if settings.memory.ephemeral.is_some() {
        return Err(CommandError::input("there is no data directory to keep a memory in")
            .with_hint(MemoryError::NO_PLACE_HINT));
    }
    Ok(MemoryHandle::open_telling(&settings.memory, context.output.warner())?)
}

async fn stats(
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let stats = memory.stats().await?;
    if context.global.json {
        context.output.json(&stats)?;
    } else {
        context.output.line(&render::stats(&stats))?;
    }
    Ok(ExitCode::Done)
}

async fn get(
    id: &str,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let Some(item) = memory.get(id).await? else {
        return Err(render::no_item(id));
    };
    if context.global.json {
        context.output.json(&item)?;
    } else {
        context.output.line(&render::whole(&item))?;
    }
    Ok(ExitCode::Done)
}

async fn search(
    args: SearchArgs,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let SearchArgs { query, limit, filter } = args;
    let text = query.join(" ");
    let FilterArgs { category, tags } = filter;
    let hits = memory.search(Query { text, limit, category, tags }).await?;
    if context.global.json {
        context.output.json(&serde_json::json!({ "items": hits }))?;
        return Ok(ExitCode::Done);
    }
    for hit in &hits {
        context.output.line(&render::short(&hit.item))?;
    }
    if hits.is_empty() {
        context.output.status("nothing is remembered about this");
    }
    Ok(ExitCode::Done)
}

async fn list(
    args: ListArgs,
    memory: &MemoryHandle,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let ListArgs { limit, offset, filter: FilterArgs { category, tags } } = args;
    let items = memory.list(ListQuery { limit, offset, category, tags }).await?;
    if context.global.json {
        context.output.json(&serde_json::json!({ "items": items }))?;
        return Ok(ExitCode::Done);
    }
    for item in &items {
        context.output.line(&render::short(item))?;
    }
    if items.is_empty() {
        context.output.status("nothing is remembered");
    }
    Ok(ExitCode::Done)
}
