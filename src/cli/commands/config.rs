//! `agi-agent config …`: what is in force and why, changes that keep a file as its owner wrote it,
//! and checks for people and for CI.

mod change;

mod check;

mod explain;

mod migrate;

use std::path::Path;

use clap::Args;
use clap::Subcommand;
use serde_json::Value;
use serde_json::json;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::layer::Assignments;
use crate::config::table::json_schema;
use crate::protocol::ExitCode;

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Action {
    /// Print every value in force and its origin
    Show,
    /// Print the value in force of one setting; 1 where it has none
    Get {
        /// The setting, for example `limits.max_turns`; a group prints all of it
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Print what a setting means, its value, and what every layer says about it
    Explain {
        /// The setting, a group of settings, or a variable such as `AGI_TIMEOUT`
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Write a setting into a configuration file; comments and order stay
    Set {
        /// The setting, for example `limits.max_turns`
        #[arg(value_name = "KEY")]
        key: String,
        /// Its value: text, or JSON where the setting is not text
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        file: change::FileArgs,
    },
    /// Take a setting out of a configuration file
    Unset {
        /// The setting
        #[arg(value_name = "KEY")]
        key: String,
        #[command(flatten)]
        file: change::FileArgs,
    },
    /// Find everything that is wrong with the configuration, or with one file; 52 on errors
    Check(check::CheckArgs),
    /// Print the JSON Schema of configuration files
    Schema,
    /// Bring configuration files into today's shape, and say what old names became
    Migrate(migrate::MigrateArgs),
    /// Print the files that are read, in order, and the data directory
    Path,
}

pub fn run(args: ConfigArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    match args.action {
        Action::Show => show(context),
        Action::Get { key } => explain::get(&key, context),
        Action::Explain { key } => explain::explain(&key, context),
        Action::Set { key, value, file } => change::set(&key, &value, &file, context),
        Action::Unset { key, file } => change::unset(&key, &file, context),
        Action::Check(args) => check::run(args, context),
        Action::Schema => {
            context.output.json(&json_schema::json_schema())?;
            Ok(ExitCode::Done)
        }
        Action::Migrate(args) => migrate::run(args, context),
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
    let text = |path: Option<&Path>| json!(path.map(Path::to_string_lossy));
    if context.global.json {
        let object: serde_json::Map<_, _> =
            rows.iter().map(|(name, path)| ((*name).to_owned(), text(path.as_deref()))).collect();
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
