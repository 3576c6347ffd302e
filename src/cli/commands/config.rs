//! `agi-agent config show|path`: what is in force, and where it comes from.

use clap::Args;
use clap::Subcommand;
use serde_json::Value;
use serde_json::json;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::layer::Assignments;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every value in force and its origin
    Show,
    /// Print the files that are read, in order, and the data directory
    Path,
}

pub fn run(args: ConfigArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    match args.action {
        Action::Show => show(context),
        Action::Path => path(context),
    }
}

fn show(context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let merged = context.merged(Assignments::new())?;
    // Resolving finds every error; what is shown is what was merged.
    context.resolved(&merged)?;
    let rows: Vec<(&String, Value, String)> = merged
        .settings
        .iter()
        .map(|(key, setting)| (key, setting.shown(), setting.origin.to_string()))
        .collect();
    if context.global.json {
        let list: Vec<_> = rows
            .iter()
            .map(|(key, value, origin)| json!({"key": key, "value": value, "origin": origin}))
            .collect();
        context.output.json(&list)?;
        return Ok(ExitCode::Done);
    }
    let width = rows.iter().map(|(key, ..)| key.len()).max().unwrap_or(0);
    for (key, value, origin) in rows {
        context.output.line(&format!("{key:width$}  {value}  ({origin})"))?;
    }
    Ok(ExitCode::Done)
}

fn path(context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let places = context.places.clone();
    let settings = context.settings()?;
    let rows = [
        ("system", Some(places.system_config)),
        ("managed", Some(places.managed_config)),
        ("user", places.user_config),
        ("data", settings.data_dir),
    ];
    if context.global.json {
        let object: serde_json::Map<_, _> =
            rows.into_iter().map(|(name, path)| (name.to_owned(), json!(path))).collect();
        context.output.json(&object)?;
        return Ok(ExitCode::Done);
    }
    for (name, path) in rows {
        let text =
            path.map_or_else(|| "none (no home directory)".into(), |p| p.display().to_string());
        context.output.line(&format!("{name:7}  {text}"))?;
    }
    Ok(ExitCode::Done)
}
