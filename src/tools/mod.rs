//! What the agent can do: the [`Tool`] trait, and one file per tool.
//!
//! A tool says what it is (`name`, `description`, `parameters`), what a call would do (`effect`,
//! `target`) and does it (`run`). Whether a call may run is `agent::approval`'s business; when it runs,
//! how long it may take and how much of its output is kept is [`dispatch`]'s. A tool never prints,
//! never asks a person and never looks at a model.

pub mod arguments;

pub mod calculator;

mod command;

pub mod dispatch;

pub mod error;

mod file;

#[cfg(test)]
mod file_tests;

pub mod file_edit;

pub mod file_find;

pub mod file_read;

pub mod file_search;

pub mod file_stats;

pub mod file_write;

pub mod kill_program;

pub mod memory_add;

pub mod memory_search;

pub mod output;

mod plots;

pub mod python_exec;

pub mod registry;

mod schedule;

mod secrecy;

pub mod shell;

pub mod web_fetch;

mod web_page;

pub mod web_search;
mod without_shell;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use error::ToolError;
pub use output::ToolOutput;
pub use registry::Registry;
pub use schedule::Claim;
pub use schedule::Class;
pub use schedule::Scheduler;
pub use schedule::Thing;

use crate::memory::MemoryHandle;
use crate::network::Client;
use crate::protocol::Effect;
use crate::protocol::ToolSpec;
use crate::protocol::secrets::Vault;
use crate::sandbox::Sandbox;
use crate::system::opener::Opener;

/// Something the agent can do. Implementations hold settings at most: all state is in the context.
#[async_trait]
pub trait Tool: Send + Sync {
    /// Its name, for models and rules alike.
    fn name(&self) -> &'static str;

    /// One terse line.
    fn description(&self) -> &'static str;

    /// The schema of the arguments ([`arguments::schema`]). Making it costs more than most calls.
    fn parameters(&self) -> Value;

    /// What a model is offered.
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: self.name().to_owned(),
            description: self.description().to_owned(),
            parameters: self.parameters(),
        }
    }

    /// Whether `arguments` are such as `run` will accept; the text is told to the model.
    /// Implementations call [`arguments::parse`] with the type that `run` uses.
    fn check(&self, arguments: &Value) -> Result<(), ToolError>;

    /// What this call would do to the world. Arguments have passed `check`.
    fn effect(&self, arguments: &Value) -> Effect;

    /// What this call uses while it runs, which decides what may run beside it. Without more knowledge
    /// a call that reads shares everything, and one that writes or starts processes has it alone.
    fn claim(&self, arguments: &Value, _context: &ToolContext) -> Claim {
        Claim::from_effect(self.effect(arguments))
    }

    /// What rules and denials are about: the path, command, URL or expression of this call.
    fn target(&self, arguments: &Value) -> String;

    /// Exactly what would happen, for a person who is asked: a command, a diff, a URL.
    /// Nothing is shortened: what is not shown could hide something.
    fn summary(&self, arguments: &Value) -> String {
        let target = self.target(arguments);
        let mut text = format!("{} {target}", self.name());
        for (name, value) in arguments.as_object().into_iter().flatten() {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if shown != target {
                text.push_str(&["\n", name, ": ", &shown].concat());
            }
        }
        text
    }

    /// How long this call asks to run; `None` means the usual bound (`ToolContext::call_timeout`).
    /// The deadline of the run holds in any case.
    fn timeout(&self, _arguments: &Value) -> Option<Duration> {
        None
    }

    /// Does it. Must notice `context.cancel` soon and keep to `context.deadline`: a call that does
    /// not come back within [`dispatch::GRACE`] of either is abandoned.
    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError>;
}

/// What a call may use. Cheap to clone: `dispatch` gives each call its own, with a token, a
/// deadline and a progress channel of its own.
#[derive(Clone)]
pub struct ToolContext {
    /// The only way to files.
    pub opener: Opener,
    /// The only way to start a program.
    pub sandbox: Arc<Sandbox>,
    /// `None`: nothing is remembered in this run.
    pub memory: Option<MemoryHandle>,
    /// The only way to other machines.
    pub http: Arc<Client>,
    /// Relative paths of arguments are meant against this directory.
    pub cwd: PathBuf,
    /// Cancelled when the run is, or when the call's deadline has passed.
    pub cancel: CancellationToken,
    /// In what is given to `dispatch`: the end of the run. In what a tool sees: the end of its call.
    pub deadline: Instant,
    /// Usual bound of one call.
    pub call_timeout: Duration,
    pub session_id: String,
    /// Holds the run's secrets back from models, events and logs; `None` where a person runs a tool
    /// by hand.
    pub vault: Option<Arc<Vault>>,
    /// Where text that nobody vouches for came from, if the conversation has any: what is
    /// remembered now bears the mark.
    pub origin: Option<String>,
    /// Lines that show a person that something goes on. Full means drop, never wait.
    pub progress: Option<mpsc::Sender<String>>,
}

impl ToolContext {
    /// Tells what goes on; dropped when nobody listens or the reader is slow.
    pub fn report(&self, line: impl Into<String>) {
        if let Some(progress) = &self.progress {
            // A full channel means a slow reader: progress may be lost, the result never is.
            progress.try_send(line.into()).ok();
        }
    }

    /// Runs blocking work on a thread of its own. A panic in it becomes this task's panic, which
    /// `dispatch` turns into an error of the call.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, ToolError> {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(ToolError::Cancelled),
            },
        }
    }
}

#[cfg(test)]
impl ToolContext {
    /// A context for tests: `cwd` may be read and written, an hour of time, no memory, offline.
    pub(crate) fn for_tests(cwd: &std::path::Path) -> Self {
        let rules = crate::system::opener::PathRules {
            cwd: cwd.to_path_buf(),
            write: vec![cwd.to_path_buf()],
            ..Default::default()
        };
        let settings = crate::config::settings::SandboxSettings {
            level: crate::config::settings::SandboxLevel::WorkspaceWrite,
            add_dirs: Vec::new(),
            read: Vec::new(),
            net: Vec::new(),
            env: Vec::new(),
        };
        let policy = crate::sandbox::Policy::new(&settings, cwd, Vec::new());
        let offline = crate::config::settings::NetworkSettings {
            offline: true,
            ..crate::network::client::settings_for_tests()
        };
        Self {
            opener: Opener::new(rules),
            sandbox: Arc::new(Sandbox::new(policy)),
            memory: None,
            http: Arc::new(Client::new(&offline).unwrap()),
            cwd: cwd.to_path_buf(),
            cancel: CancellationToken::new(),
            deadline: Instant::now() + Duration::from_hours(1),
            call_timeout: Duration::from_mins(1),
            session_id: "test".to_owned(),
            vault: None,
            origin: None,
            progress: None,
        }
    }
}
