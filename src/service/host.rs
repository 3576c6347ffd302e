//! What the service needs from whoever put the program together.

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::wire::Failure;
use super::wire::RunOptions;
use super::wire::Warning;
use crate::agent::Agent;
use crate::agent::Conversations;
use crate::memory::MemoryHandle;
use crate::tools::Registry;
use crate::tools::ToolContext;

/// An agent for one run.
pub struct Prepared {
    pub agent: Agent,
    /// What its configuration asked for in vain, an untrusted project's wishes among it.
    pub warnings: Vec<Warning>,
}

/// Tools and what they may use, for calls without a model.
pub struct Toolbox {
    pub registry: Registry,
    pub context: ToolContext,
    /// As those of [`Prepared`].
    pub warnings: Vec<Warning>,
}

/// Builds what is asked for, from the configuration and what a client wants changed of it. All of it
/// may block: files are read, and commands that print secrets are waited for.
pub trait Host: Send + Sync {
    /// The program's version.
    fn version(&self) -> String;

    /// An agent for one run; `conversations` holds what the runs of the connection share. What this waits
    /// for is given up when `cancel` is cancelled.
    fn agent(
        &self,
        options: &RunOptions,
        conversations: Conversations,
        cancel: &CancellationToken,
    ) -> Result<Prepared, Failure>;

    /// The tools, for `tool.list` and `tool.run`.
    fn toolbox(&self, options: &RunOptions) -> Result<Toolbox, Failure>;

    /// The memory that runs use.
    fn memory(&self) -> Result<MemoryHandle, Failure>;

    /// The configuration in force, or one key of it; secrets are masked.
    fn config(&self, key: Option<&str>) -> Result<Value, Failure>;
}
