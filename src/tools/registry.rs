//! The tools of this agent, by name, in the order in which models are offered them.

use std::sync::Arc;
use std::sync::OnceLock;

use super::Scheduler;
use super::Tool;
use super::calculator::Calculator;
use super::file_edit::FileEdit;
use super::file_find::FileFind;
use super::file_read::FileRead;
use super::file_search::FileSearch;
use super::file_stats::FileStats;
use super::file_write::FileWrite;
use super::kill_program::KillProgram;
use super::memory_add::MemoryAdd;
use super::memory_search::MemorySearch;
use super::python_exec::PythonExec;
use super::shell::Shell;
use super::web_fetch::WebFetch;
use super::web_search::WebSearch;
use crate::config::settings::PythonSettings;
use crate::config::settings::WebSearchSettings;
use crate::protocol::ToolSpec;

/// What decides which tools there are and how they work.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    pub web_search: WebSearchSettings,
    /// Host rules (`--net`), for `web_fetch`.
    pub net: Vec<String>,
    pub python: PythonSettings,
    /// False: no memory tools (`--no-memory`).
    pub memory: bool,
}

/// Name to tool. Clones share the scheduler: calls of all clones exclude each other as they must.
#[derive(Clone, Default)]
pub struct Registry {
    tools: Arc<[Arc<dyn Tool>]>,
    /// Made when a model is first offered the tools.
    specs: Arc<OnceLock<Arc<[ToolSpec]>>>,
    scheduler: Scheduler,
}

impl Registry {
    /// A registry of just these tools. Of two with the same name the first is found.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self { tools: tools.into(), ..Self::default() }
    }

    /// Every tool there is.
    pub fn standard(settings: &RegistrySettings) -> Self {
        let mut tools: Vec<Arc<dyn Tool>> = vec![
            Arc::new(FileRead),
            Arc::new(FileWrite),
            Arc::new(FileEdit),
            Arc::new(FileSearch),
            Arc::new(FileFind),
            Arc::new(FileStats),
            Arc::new(Shell),
            Arc::new(PythonExec::new(settings.python.clone())),
            Arc::new(KillProgram),
            Arc::new(Calculator),
            Arc::new(WebFetch::new(settings.net.clone())),
            Arc::new(WebSearch::new(settings.web_search.clone())),
        ];
        if settings.memory {
            tools.push(Arc::new(MemoryAdd));
            tools.push(Arc::new(MemorySearch));
        }
        Self::new(tools)
    }

    /// What models are offered, in a fixed order (providers cache by prefix).
    pub fn specs(&self) -> Arc<[ToolSpec]> {
        self.specs.get_or_init(|| self.tools.iter().map(|tool| tool.spec()).collect()).clone()
    }

    /// Every tool, in the same order.
    pub fn tools(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.iter()
    }

    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.iter().find(|tool| tool.name() == name)
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.tools.iter().map(|tool| tool.name()).collect()
    }

    pub(super) fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }
}

/// The tools as contracts/tools.schema.json has them: the schema of each tool's arguments by name.
pub fn contract(registry: &Registry) -> serde_json::Value {
    let tools: serde_json::Map<String, serde_json::Value> = registry
        .tools()
        .map(|tool| {
            let mut schema = tool.parameters();
            schema["description"] = tool.description().into();
            schema["additionalProperties"] = false.into();
            (tool.name().to_owned(), schema)
        })
        .collect();
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Arguments of the tools of agi-agent, by name",
        "$defs": tools,
    })
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
