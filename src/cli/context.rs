//! What every command is given: flags, environment, places, output and, on demand, settings.

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use tracing::level_filters::LevelFilter;

use crate::config::env::Environment;
use crate::config::error::Severity;
use crate::config::layer::Assignments;
use crate::config::layer::Merged;
use crate::config::load;
use crate::config::places::Places;
use crate::config::resolve;
use crate::config::settings::LogLevel;
use crate::config::settings::LogSettings;
use crate::config::settings::Settings;
use crate::metrics::trace;
use crate::metrics::trace::TraceOptions;
use crate::system::process::executable;

use super::args::GlobalArgs;
use super::args::PlacesArgs;
use super::error::CommandError;
use super::output::Output;

/// The surroundings of one command.
pub struct CommandContext {
    pub global: GlobalArgs,
    pub environment: Environment,
    pub places: Places,
    pub output: Output,
    /// The working directory after `-C`; an error where it was removed under us.
    directory: Result<PathBuf, String>,
    /// Warnings were told and the log begun: once per process, however often settings are asked for.
    settled: bool,
}

impl CommandContext {
    /// Resolves `-C`; gives `output` back on failure so that the error can be shown.
    pub fn new(
        global: GlobalArgs,
        environment: Environment,
        output: Output,
    ) -> Result<Self, (CommandError, Output)> {
        let here = std::env::current_dir().map_err(|error| error.to_string());
        let directory = match (&global.directory, here) {
            (None, here) => here,
            (Some(wanted), here) => {
                if let Ok(here) = &here {
                    executable::leaves(here);
                }
                let full = here.map_or_else(|_| wanted.clone(), |here| here.join(wanted));
                // Children and relative paths go by the process's own directory.
                if let Err(error) = std::env::set_current_dir(&full) {
                    let message = format!("cannot work in `{}`: {error}", wanted.display());
                    return Err((CommandError::input(message), output));
                }
                std::env::current_dir().map_err(|error| error.to_string())
            }
        };
        let places = Places::of(&environment);
        Ok(Self { global, environment, places, output, directory, settled: false })
    }

    /// The working directory.
    pub fn directory(&self) -> Result<&Path, CommandError> {
        self.directory.as_deref().map_err(|error| {
            CommandError::input(format!("the working directory cannot be used: {error}"))
                .with_hint("it may have been removed; go to another one or give `-C DIR`")
        })
    }

    /// What the global flags set.
    pub fn assignments(&self) -> Result<Assignments, CommandError> {
        let mut assignments = Assignments::new();
        for text in &self.global.assignments {
            assignments.push(load::assignment(text)?);
        }
        if self.global.offline {
            assignments.push(("network.offline".into(), Value::from(true), "--offline".into()));
        }
        if let Some(ca) = &self.global.ca {
            let value = Value::from(ca.to_string_lossy().into_owned());
            assignments.push(("network.ca".into(), value, "--ca".into()));
        }
        Ok(assignments)
    }

    /// Tells what of the places named on the command line is not there. A file is no directory to add.
    pub fn look_for(&mut self, places: &PlacesArgs) -> Result<(), CommandError> {
        let directory = self.directory.as_deref().unwrap_or(Path::new(""));
        let mut absent = Vec::new();
        for (flag, paths) in [("--add-dir", &places.add_dir), ("--read", &places.read)] {
            for path in paths {
                let named = format!("`{flag} {}`", path.display());
                match directory.join(path).metadata() {
                    Ok(found) if flag == "--add-dir" && !found.is_dir() => {
                        return Err(CommandError::input(format!("{named} is no directory"))
                            .with_hint("name the directory that it is in, or give `--read FILE`"));
                    }
                    Ok(_) => {}
                    Err(error) => absent.push(format!("{named} opens nothing: {error}")),
                }
            }
        }
        for name in places.env.iter().filter(|name| !self.environment.is_set(name)) {
            // What somebody gave a value here may be a secret.
            let (name, is_value) = name.split_once('=').map_or((&**name, false), |it| (it.0, true));
            let why = if is_value { "it takes a name and no value" } else { "it is not set" };
            absent.push(format!("`--env {name}` passes nothing on: {why}"));
        }
        for warning in absent {
            self.output.warning(&warning);
        }
        Ok(())
    }

    /// All layers merged, with the global flags on top and `extra` above them. Never fails for what
    /// the layers hold: errors are in the diagnostics, and nothing is said about them yet.
    pub fn merged(&self, extra: Assignments) -> Result<Merged, CommandError> {
        Ok(self.given(extra)?.complete())
    }

    /// What somebody set: all that resolving needs.
    fn given(&self, extra: Assignments) -> Result<Merged, CommandError> {
        let mut assignments = self.assignments()?;
        assignments.extend(extra);
        let project = self.directory.as_deref().unwrap_or(Path::new(""));
        let profile = self.global.profile.as_deref();
        Ok(load::load(&self.environment, &self.places, profile, project, assignments))
    }

    /// The resolved settings.
    pub fn settings(&mut self) -> Result<Settings, CommandError> {
        self.settings_with(Assignments::new())
    }

    /// The resolved settings, with a command's own flags on top. Warnings are told.
    pub fn settings_with(&mut self, extra: Assignments) -> Result<Settings, CommandError> {
        let merged = self.given(extra)?;
        self.resolved(&merged)
    }

    /// The settings of layers that are merged already. Warnings are told.
    pub fn resolved(&mut self, merged: &Merged) -> Result<Settings, CommandError> {
        let first = !std::mem::replace(&mut self.settled, true);
        for warning in merged.found(Severity::Warning).filter(|_| first) {
            self.output.warning(&warning.headline());
            if let Some(remedy) = &warning.remedy {
                self.output.status_hint(remedy);
            }
        }
        let directory = self.directory.as_deref().unwrap_or(Path::new(""));
        let settings = resolve::resolve(merged, &self.environment, &self.places, directory)?;
        if first && settings.log.level != LogLevel::Off {
            self.start_log(&settings.log)?;
        }
        Ok(settings)
    }

    /// Begins what `log` asks for. After `-v` or `--trace` it is the flag's already.
    fn start_log(&self, log: &LogSettings) -> Result<(), CommandError> {
        let stderr = match log.level {
            LogLevel::Off => LevelFilter::OFF,
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        };
        let (color, log) = (self.output.colors_stderr(), log.file.as_deref());
        // There is nothing to hold on to without a trace file.
        let secrets = self.environment.secrets();
        let options = TraceOptions { stderr, color, log, file: None, secrets: &secrets };
        let started = trace::start(options);
        started.map(drop).map_err(|error| {
            CommandError::input(format!("cannot write the log: {error}"))
                .with_hint("`log.file` (or LOG_FILE) names where it is written")
        })
    }
}
