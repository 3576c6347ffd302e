//! What `serve` builds for its clients: agents, tools, memory, configuration.
//!
//! Each run resolves the configuration anew, with the client's keys on top of the command line's, as
//! if it had been started by a command of its own. The memory is shared by all runs.

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::agent::Conversations;
use crate::config::env::Environment;
use crate::config::error::Severity;
use crate::config::layer::Assignments;
use crate::config::layer::Merged;
use crate::config::load;
use crate::config::places::Places;
use crate::config::resolve;
use crate::config::settings::Settings;
use crate::memory::MemoryHandle;
use crate::service::Host;
use crate::service::host::Prepared;
use crate::service::host::Toolbox;
use crate::service::wire::Failure;
use crate::service::wire::FailureKind;
use crate::service::wire::RunOptions;
use crate::service::wire::Warning;

use super::context::CommandContext;
use super::error::CommandError;
use super::wiring;

/// The surroundings of the service, taken from its command line once.
pub struct ServiceHost {
    environment: Environment,
    places: Places,
    profile: Option<String>,
    assignments: Assignments,
    directory: PathBuf,
    memory: Option<MemoryHandle>,
}

impl ServiceHost {
    /// Takes what is needed of the command; settings that cannot work are found now.
    pub fn new(context: &mut CommandContext) -> Result<Self, CommandError> {
        let settings = context.settings()?;
        Ok(Self {
            environment: context.environment.clone(),
            places: context.places.clone(),
            profile: context.global.profile.clone(),
            assignments: context.assignments()?,
            directory: context.directory()?.to_path_buf(),
            memory: wiring::memory(&settings, &context.output)?,
        })
    }

    fn directory(&self, options: &RunOptions) -> Result<PathBuf, Failure> {
        let Some(wanted) = &options.cwd else { return Ok(self.directory.clone()) };
        let directory = self.directory.join(wanted);
        if directory.is_dir() {
            return Ok(directory);
        }
        let message = format!("`cwd` is no directory: `{}`", directory.display());
        Err(Failure::new(FailureKind::InvalidParams, message))
    }

    fn merged(&self, directory: &Path, options: &RunOptions) -> Merged {
        let mut assignments = self.assignments.clone();
        for (key, value) in &options.config {
            assignments.push((key.clone(), value.clone(), "`options.config`".to_owned()));
        }
        let profile = self.profile.as_deref();
        load::load(&self.environment, &self.places, profile, directory, assignments)
    }

    /// The settings of one run, and what a person at a terminal would be warned of.
    fn settings(
        &self,
        directory: &Path,
        options: &RunOptions,
    ) -> Result<(Settings, Vec<Warning>), Failure> {
        let merged = self.merged(directory, options);
        let warnings = merged
            .found(Severity::Warning)
            .map(|warning| Warning { message: warning.headline(), hint: warning.remedy.clone() });
        let settings = resolve::resolve(&merged, &self.environment, &self.places, directory)
            .map_err(|error| failure(&error.into()))?;
        Ok((settings, warnings.collect()))
    }

    /// The shared memory, unless a run wants none.
    fn memory_for(&self, settings: &Settings) -> Option<MemoryHandle> {
        settings.memory.enabled.then(|| self.memory.clone()).flatten()
    }
}

impl Host for ServiceHost {
    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn agent(
        &self,
        options: &RunOptions,
        conversations: Conversations,
        cancel: &CancellationToken,
    ) -> Result<Prepared, Failure> {
        let directory = self.directory(options)?;
        let (settings, warnings) = self.settings(&directory, options)?;
        let memory = self.memory_for(&settings);
        let places = &self.places;
        let agent = wiring::agent_in(&directory, places, &settings, memory, conversations, cancel)
            .map_err(|error| failure(&error))?;
        Ok(Prepared { agent, warnings })
    }

    fn toolbox(&self, options: &RunOptions) -> Result<Toolbox, Failure> {
        let directory = self.directory(options)?;
        let (settings, warnings) = self.settings(&directory, options)?;
        let memory = self.memory_for(&settings);
        let client = wiring::client(&settings).map_err(|error| failure(&error))?;
        let context = wiring::tool_context_in(&directory, &self.places, &settings, memory, client);
        Ok(Toolbox { registry: wiring::registry(&settings), context, warnings })
    }

    fn memory(&self) -> Result<MemoryHandle, Failure> {
        self.memory.clone().ok_or_else(|| {
            Failure::new(FailureKind::Memory, "the memory is switched off")
                .with_hint("set `memory.enabled` to true")
        })
    }

    fn config(&self, key: Option<&str>) -> Result<Value, Failure> {
        let merged = self.merged(&self.directory, &RunOptions::default());
        merged.check().map_err(|error| failure(&error.into()))?;
        let shown = Value::Object(merged.complete().shown());
        let Some(key) = key else { return Ok(shown) };
        key.split('.')
            .try_fold(&shown, |value, part| value.get(part))
            .cloned()
            .ok_or_else(|| Failure::new(FailureKind::NotFound, format!("`{key}` is not set")))
    }
}

fn failure(error: &CommandError) -> Failure {
    let failure = Failure::new(FailureKind::Configuration, error.message.clone());
    match error.hints.first() {
        Some(hint) => failure.with_hint(hint.clone()),
        None => failure,
    }
}
