//! `config set` and `config unset`: one key of one file, and nothing else in it.
//!
//! A change that would leave a file with an error is not made, and neither is one that would put a
//! secret into it.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::env;
use crate::config::error::ConfigError;
use crate::config::error::Diagnostic;
use crate::config::error::Place;
use crate::config::error::Rule;
use crate::config::error::Severity;
use crate::config::file::edit;
use crate::config::file::edit::EditError;
use crate::config::file::write;
use crate::config::layer::Assignments;
use crate::config::load;
use crate::config::places::Places;
use crate::config::table::check;
use crate::config::table::check::Strictness;
use crate::config::table::fields::Kind;
use crate::config::table::schema;
use crate::protocol::ExitCode;

// Which file is changed: the user's, or with the global `--profile` the profile's. (A doc comment
// would become the help of the command that has these flags.)
#[derive(Debug, Args)]
pub(super) struct FileArgs {
    /// The user's file (the default)
    #[arg(long, conflicts_with_all = ["project", "system"])]
    user: bool,
    /// The file of the project in the working directory; it has to be trusted anew afterwards
    #[arg(long, conflicts_with = "system")]
    project: bool,
    /// The file for every user of the machine
    #[arg(long)]
    system: bool,
}

impl FileArgs {
    /// Trust is bound to content, and that has just changed.
    fn tell_of_trust(&self, context: &mut CommandContext) {
        if self.project {
            context.output.status("note: until `agi-agent trust`, this file can only narrow");
        }
    }

    fn path(&self, context: &CommandContext) -> Result<PathBuf, CommandError> {
        let path = self.named(context)?;
        match context.places.missing_home() {
            Some(home) if path.starts_with(home) => {
                let message = format!("the home directory `{}` does not exist", home.display());
                Err(CommandError::new(ExitCode::Configuration, message)
                    .with_hint("set HOME or XDG_CONFIG_HOME, or use `--project` or `--system`"))
            }
            _ => Ok(path),
        }
    }

    fn named(&self, context: &CommandContext) -> Result<PathBuf, CommandError> {
        if self.system {
            return Ok(context.places.system_config.clone());
        }
        if self.project {
            return Ok(Places::project_config(context.directory()?));
        }
        let user = context.places.user_config.clone().ok_or_else(|| {
            CommandError::new(ExitCode::Configuration, "there is no home directory")
                .with_hint("set HOME or XDG_CONFIG_HOME, or use `--project` or `--system`")
        })?;
        match context.global.profile.as_deref() {
            Some(name) if !self.user => {
                Ok(load::profile_path(&context.places, name).map_err(ConfigError::from)?)
            }
            _ => Ok(user),
        }
    }
}

pub(super) fn set(
    key: &str,
    raw: &str,
    file: &FileArgs,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    super::explain::known(key)?;
    let kind = schema::lookup(key).map_or(Kind::Object(&[]), |field| field.kind);
    let value = env::from_text(kind, raw);
    checked(key, &value)?;
    let path = file.path(context)?;
    let old = current(&path)?;
    let parts = schema::segments(key);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let mut new = edit::set(old.as_deref().unwrap_or_default(), &parts, &value)
        .map_err(|error| unchanged(&path, &error))?;
    if old.is_none() {
        let version = Value::from(schema::VERSION);
        new = edit::set(&new, &["config_version"], &version)
            .map_err(|error| unchanged(&path, &error))?;
    }
    write(&path, old.as_deref(), &new)?;
    context.output.status(&format!("set `{key}` in {}", path.display()));
    file.tell_of_trust(context);
    tell_what_holds(key, &path, context)
}

pub(super) fn unset(
    key: &str,
    file: &FileArgs,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    super::explain::known(key)?;
    let path = file.path(context)?;
    let old = current(&path)?;
    let parts = schema::segments(key);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let new = edit::unset(old.as_deref().unwrap_or_default(), &parts)
        .map_err(|error| unchanged(&path, &error))?;
    let Some(new) = new else {
        context.output.status(&format!("note: `{key}` does not stand in {}", path.display()));
        return Ok(ExitCode::Done);
    };
    write(&path, old.as_deref(), &new)?;
    context.output.status(&format!("removed `{key}` from {}", path.display()));
    file.tell_of_trust(context);
    tell_what_holds(key, &path, context)
}

/// The file's text; one with errors is not changed, since nobody could say what the change means.
fn current(path: &Path) -> Result<Option<String>, CommandError> {
    load::read(path, crate::config::source::Owner::Organisation, Strictness::Lenient)
        .and_then(|found| match found {
            Some(checked) => errors(checked.diagnostics),
            None => Ok(()),
        })
        .map_err(ConfigError::from)?;
    write::current(path).map_err(|error| unreadable(path, &error))
}

/// The first error, if there is one.
fn errors(found: Vec<Diagnostic>) -> Result<(), Diagnostic> {
    found.into_iter().find(|found| found.severity == Severity::Error).map_or(Ok(()), Err)
}

/// The value must fit, and no part of it may be a secret in clear text.
fn checked(key: &str, value: &Value) -> Result<(), CommandError> {
    let place = Place::Flag(format!("config set {key}"));
    let found = check::check_key(key, value, &place);
    let errors: Vec<_> =
        found.diagnostics.into_iter().filter(|found| found.severity >= Severity::Warning).collect();
    if !errors.is_empty() {
        return Err(ConfigError { errors }.into());
    }
    match found.leaves.iter().find(|leaf| leaf.holds_plain_secret()) {
        Some(leaf) => {
            let message = format!("`{}` may be a secret and is not written in clear", leaf.key);
            let remedy = format!(
                "`agi-agent config set {key} '{{\"env\": \"NAME\"}}'`, or {{\"file\": …}}, or {{\"command\": […]}}"
            );
            let error = Diagnostic::error(Rule::PlainSecret, place, message).with_remedy(remedy);
            Err(ConfigError::from(error).into())
        }
        None => Ok(()),
    }
}

fn write(path: &Path, old: Option<&str>, new: &str) -> Result<(), CommandError> {
    // The text as a whole must still be a configuration.
    load::parse(path, new.as_bytes().to_vec(), Strictness::Lenient)
        .and_then(|checked| errors(checked.diagnostics))
        .map_err(ConfigError::from)?;
    write::replace(path, old, new).map_err(|error| {
        let message = format!("cannot write `{}`: {error}", path.display());
        CommandError::new(ExitCode::Configuration, message)
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> CommandError {
    let message = format!("cannot read `{}`: {error}", path.display());
    CommandError::new(ExitCode::Configuration, message)
}

fn unchanged(path: &Path, error: &EditError) -> CommandError {
    let message = format!("`{}` is left as it is: {error}", path.display());
    CommandError::new(ExitCode::Configuration, message).with_hint("change it with an editor")
}

/// A change that has no effect must not look as if it had.
fn tell_what_holds(
    key: &str,
    path: &Path,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let merged = context.merged(Assignments::new())?;
    let inside = format!("{key}.");
    let settings = merged.settings.iter();
    for (key, setting) in settings.filter(|(name, _)| *name == key || name.starts_with(&inside)) {
        let here =
            matches!(&setting.origin.place, Place::File { path: file, .. } if **file == *path);
        let said = setting.entries.iter().any(
            |entry| matches!(&entry.origin.place, Place::File { path: file, .. } if **file == *path),
        );
        if said && !here {
            let (value, origin) = (setting.shown(), &setting.origin);
            context.output.warning(&format!("`{key}` stays {value}: {origin} says so"));
        }
    }
    Ok(ExitCode::Done)
}
