//! The tools of this agent, by name, in the order in which models are offered them.

use std::sync::Arc;

use tokio::sync::RwLock;

use super::Tool;
use super::memory_add::MemoryAdd;
use super::memory_search::MemorySearch;
use crate::config::settings::PythonSettings;
use crate::config::settings::WebSearchSettings;
use crate::protocol::ToolSpec;

/// What decides which tools there are and how they work.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    pub web_search: WebSearchSettings,
    pub python: PythonSettings,
    /// False: no memory tools (`--no-memory`).
    pub memory: bool,
}

/// Name to tool. Clones share the gate: calls of all clones exclude each other as they must.
#[derive(Clone, Default)]
pub struct Registry {
    tools: Vec<Arc<dyn Tool>>,
    /// Held shared by calls that only read, exclusively by all others; first come, first served.
    gate: Arc<RwLock<()>>,
}

impl Registry {
    /// A registry of just these tools. Of two with the same name the first is found.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self { tools, gate: Arc::default() }
    }

    /// Every tool there is.
    pub fn standard(settings: &RegistrySettings) -> Self {
        let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
        if settings.memory {
            tools.push(Arc::new(MemoryAdd));
            tools.push(Arc::new(MemorySearch));
        }
        Self::new(tools)
    }

    /// What models are offered, in a fixed order (providers cache by prefix).
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|tool| tool.spec()).collect()
    }

    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.iter().find(|tool| tool.spec().name == name)
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<String> {
        self.specs().into_iter().map(|spec| spec.name).collect()
    }

    pub(super) fn gate(&self) -> &Arc<RwLock<()>> {
        &self.gate
    }
}
