//! `agi-agent trust`: believe the files of a project as they are now, or no more.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::error::ConfigError;
use crate::config::layer::Assignments;
use crate::config::places;
use crate::config::project;
use crate::config::project::Project;
use crate::config::project::trust::TrustStore;
use crate::protocol::ExitCode;
use crate::system::clock;
use crate::system::visible::path_texts;

const EXAMPLES: &str = "\
Examples:
  agi-agent trust                 the project around the working directory
  agi-agent trust --revoke DIR
  agi-agent trust --list

A project's own files (.agi-agent/config.json, tools.yaml, .env) may narrow what is allowed without
being trusted, and nothing else. Trust is bound to the directory and to the content of these files:
after any change they count as untrusted again. Read them before you trust them.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TrustArgs {
    /// The project, or a directory in it; the working directory where it is left out
    #[arg(value_name = "DIR")]
    project: Option<PathBuf>,
    /// Trust it no more
    #[arg(long)]
    revoke: bool,
    /// Print what is trusted
    #[arg(long, conflicts_with_all = ["revoke", "project"])]
    list: bool,
}

pub fn run(args: TrustArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let data = context.places.data_dir.as_deref().ok_or_else(|| {
        CommandError::input("there is no home directory to keep trust in")
            .with_hint("set HOME or XDG_DATA_HOME")
    })?;
    let store = TrustStore::new(data);
    if args.list {
        return list(&store, context);
    }
    let wanted = args.project.clone().unwrap_or_default();
    let directory = context.directory()?.join(wanted);
    if args.revoke {
        return revoke(&store, &directory, context);
    }
    if !directory.is_dir() {
        return Err(CommandError::input(format!("`{}` is no directory", directory.display())));
    }
    let home = places::home(&context.environment);
    let project = project::nearest(&directory, home.as_deref()).map_err(ConfigError::from)?;
    let project = project.ok_or_else(|| {
        let message = format!("there is nothing to trust in `{}`", directory.display());
        CommandError::input(message)
            .with_hint("a project's settings are in `.agi-agent/config.json`")
    })?;
    add(&store, &project, context)
}

fn add(
    store: &TrustStore,
    project: &Project,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let record = store.add(project, clock::timestamp(clock::now())).map_err(|error| {
        let place = store.directory().display();
        CommandError::input(format!("cannot write to `{place}`: {error}"))
    })?;
    // What is wrong in the files that are believed from now on is told at once.
    let merged = context.merged(Assignments::new())?;
    let files: Vec<&Path> = project.files.iter().map(|file| file.path.as_path()).collect();
    if context.global.json {
        context.output.json(&json!({"trusted": record, "files": path_texts(&files)}))?;
    } else {
        context.output.line(&format!("trusted: {}", project.directory.display()))?;
        for file in files {
            context.output.line(&format!("  {}", file.display()))?;
        }
    }
    merged.check()?;
    Ok(ExitCode::Done)
}

fn revoke(
    store: &TrustStore,
    directory: &Path,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    // A directory that is gone can still be forgotten.
    let real = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_path_buf());
    let known = real.ancestors().find(|directory| store.record(directory).is_some());
    let removed = known.map(|known| store.remove(known)).transpose().map_err(|error| {
        let place = store.directory().display();
        CommandError::input(format!("cannot write to `{place}`: {error}"))
    })?;
    let removed = removed.unwrap_or(false);
    let shown = known.unwrap_or(&real);
    if context.global.json {
        context.output.json(&json!({"directory": shown.to_string_lossy(), "revoked": removed}))?;
    } else if removed {
        context.output.line(&format!("not trusted any more: {}", shown.display()))?;
    } else {
        context.output.line(&format!("was not trusted: {}", shown.display()))?;
    }
    Ok(ExitCode::Done)
}

fn list(store: &TrustStore, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let records = store.list().map_err(|error| {
        CommandError::input(format!("cannot read `{}`: {error}", store.directory().display()))
    })?;
    if context.global.json {
        context.output.json(&records)?;
        return Ok(ExitCode::Done);
    }
    for record in records {
        let state = match Project::read(&record.directory, &mut Vec::new()) {
            Some(project) if project.hash() == record.content => "trusted",
            Some(_) => "changed since",
            None => "gone",
        };
        let (directory, since) = (record.directory.display(), &record.since);
        context.output.line(&format!("{state:13}  {since}  {directory}"))?;
    }
    Ok(ExitCode::Done)
}
