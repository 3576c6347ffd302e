//! `config migrate`: files in an older shape are rewritten, and what the old program was told by
//! variables and files of its own becomes settings, or a line that says what to do.
//!
//! With `--dry-run` the difference is printed and nothing is written.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;

use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::config::error::ConfigError;
use crate::config::error::Rule;
use crate::config::error::Severity;
use crate::config::file::edit;
use crate::config::file::edit::EditError;
use crate::config::file::migrate;
use crate::config::file::write;
use crate::config::legacy;
use crate::config::load;
use crate::config::source::Owner;
use crate::config::table::check::Leaf;
use crate::config::table::check::Strictness;
use crate::protocol::ExitCode;

/// Files that the old program kept beside a project, and what takes them over.
const OLD_FILES: [(&str, &str); 2] = [
    ("knowledge/knowledge.json", "agi-agent memory import knowledge/knowledge.json"),
    ("agi_agent.db", "agi-agent memory import agi_agent.db"),
];

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// Print what would change as a unified diff, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Migrate these files instead of the user's and its profiles
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A file before and after.
struct Change {
    path: PathBuf,
    old: Option<String>,
    new: String,
    done: Vec<String>,
}

pub(super) fn run(
    args: MigrateArgs,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    let mut changes = Vec::new();
    for path in files(&args, context)? {
        changes.extend(migrated(&path, &args, context)?);
    }
    for change in &changes {
        if args.dry_run {
            context.output.raw(diff(change).as_bytes())?;
        } else {
            write::replace(&change.path, change.old.as_deref(), &change.new)
                .map_err(|error| failed(&change.path, &error.to_string()))?;
        }
        for line in &change.done {
            context.output.status(&format!("{}: {line}", change.path.display()));
        }
    }
    if changes.is_empty() {
        context.output.status("every file has today's shape");
    }
    advise(&args, context);
    Ok(ExitCode::Done)
}

/// The user's file, whether or not it is there, and the profiles beside it.
fn files(args: &MigrateArgs, context: &CommandContext) -> Result<Vec<PathBuf>, CommandError> {
    if !args.files.is_empty() {
        let directory = context.directory()?;
        return Ok(args.files.iter().map(|file| directory.join(file)).collect());
    }
    let Some(user) = context.places.user_config.clone() else { return Ok(Vec::new()) };
    let folder = user.parent().unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut profiles: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".profile.json"))
        .collect();
    profiles.sort();
    Ok(std::iter::once(user).chain(profiles).collect())
}

/// What a file becomes; `None` where it stays as it is.
fn migrated(
    path: &Path,
    args: &MigrateArgs,
    context: &CommandContext,
) -> Result<Option<Change>, CommandError> {
    refuse_unsound(path)?;
    let old = write::current(path).map_err(|error| failed(path, &error.to_string()))?;
    let is_user = args.files.is_empty() && context.places.user_config.as_deref() == Some(path);
    let old_variables = if is_user { old_settings(context) } else { Vec::new() };
    if old.is_none() && !args.files.is_empty() {
        return Err(CommandError::input(format!("there is no file `{}`", path.display())));
    }
    let text = old.clone().unwrap_or_default();
    if old.is_none() && old_variables.is_empty() {
        return Ok(None);
    }
    let entangled = |error: EditError| failed(path, &error.to_string());
    let migrate::Migrated { mut text, changes: mut done } =
        migrate::text(&text).map_err(entangled)?;
    for leaf in &old_variables {
        let parts: Vec<&str> = leaf.segments.iter().map(String::as_str).collect();
        text = edit::set(&text, &parts, &leaf.value).map_err(entangled)?;
        done.push(format!("`{}` takes over {}; unset it", leaf.key, leaf.place));
    }
    if old.as_deref() == Some(text.as_str()) {
        return Ok(None);
    }
    Ok(Some(Change { path: path.to_path_buf(), old, new: text, done }))
}

/// A file with errors is not rewritten, a newer one above all.
fn refuse_unsound(path: &Path) -> Result<(), CommandError> {
    let found = load::read(path, Owner::Organisation, Strictness::Lenient);
    let found = match found {
        Ok(None) => return Ok(()),
        Ok(Some(checked)) => checked.diagnostics,
        Err(error) => vec![error],
    };
    let errors: Vec<_> =
        found.into_iter().filter(|found| found.severity == Severity::Error).collect();
    if errors.is_empty() { Ok(()) } else { Err(ConfigError { errors }.into()) }
}

/// The settings that the old program's variables set, where nothing of today's stands above them.
fn old_settings(context: &CommandContext) -> Vec<Leaf> {
    let ours = context.environment.configuration().leaves;
    let mut old = legacy::configuration(&context.environment).leaves;
    old.retain(|leaf| !ours.iter().any(|other| other.key == leaf.key));
    old
}

/// What has to be done by hand, a line each.
fn advise(args: &MigrateArgs, context: &mut CommandContext) {
    if !args.files.is_empty() {
        return;
    }
    let found = legacy::configuration(&context.environment).diagnostics;
    for finding in found.iter().filter(|finding| finding.rule == Rule::Legacy) {
        if finding.key.is_none() {
            let remedy = finding.remedy.as_deref().unwrap_or_default();
            context.output.status(&format!("{}: {remedy}", finding.place));
        }
    }
    let Ok(directory) = context.directory().map(Path::to_path_buf) else { return };
    for (file, command) in OLD_FILES {
        if directory.join(file).is_file() {
            context.output.status(&format!("{file}: `{command}` takes it over"));
        }
    }
    if directory.join("tools.yaml").is_file() {
        context.output.status("tools.yaml: nothing loads its classes yet");
    }
}

fn diff(change: &Change) -> String {
    let patch_of = |old: &str| {
        let mut options = diffy::DiffOptions::new();
        let name = change.path.display().to_string();
        options.set_original_filename(name.clone()).set_modified_filename(name);
        options.create_patch(old, &change.new).to_string()
    };
    patch_of(change.old.as_deref().unwrap_or_default())
}

fn failed(path: &Path, reason: &str) -> CommandError {
    let message = format!("`{}` is left as it is: {reason}", path.display());
    CommandError::new(ExitCode::Configuration, message)
}
