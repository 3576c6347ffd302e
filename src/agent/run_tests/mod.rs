//! Tests of whole runs: the scripted model, real dispatch and approval, and tools that fail in
//! every way a tool can.

mod calls;
mod limits;
mod outcomes;
mod sessions;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::agent::events::tests::Recorder;
use crate::bridge::models::scripted::ScriptedModel;
use crate::config::settings::ApproveMode;
use crate::config::settings::MemorySettings;
use crate::config::settings::SandboxLevel;
use crate::protocol::Effect;
use crate::protocol::Item;
use crate::tools::Tool;
use crate::tools::ToolError;
use crate::tools::ToolOutput;

/// A tool that does what its argument `do` says: `ok`, `fail`, `fatal`, `denied`, `sandbox`,
/// `sleep`, `change`.
struct Probe {
    name: &'static str,
    effect: Effect,
}

#[async_trait]
impl Tool for Probe {
    fn name(&self) -> &'static str {
        self.name
    }

    fn description(&self) -> &'static str {
        "for tests"
    }

    fn parameters(&self) -> Value {
        json!({"type": "object"})
    }

    fn check(&self, _arguments: &Value) -> Result<(), ToolError> {
        Ok(())
    }

    fn effect(&self, _arguments: &Value) -> Effect {
        self.effect
    }

    fn target(&self, arguments: &Value) -> String {
        arguments["target"].as_str().or(arguments["command"].as_str()).unwrap_or("-").to_owned()
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let target = self.target(&arguments);
        match arguments["do"].as_str().unwrap_or("ok") {
            "fail" => Err(ToolError::ForModel("it does not work".to_owned())),
            "fatal" => Err(ToolError::Fatal("the floor fell out".to_owned())),
            "denied" => Err(ToolError::Denied { target, reason: "outside".to_owned() }),
            "sandbox" => Err(ToolError::SandboxUnavailable("no sandbox here".to_owned())),
            "sleep" => {
                context.cancel.cancelled().await;
                Err(ToolError::Cancelled)
            }
            "change" => Ok(ToolOutput::text("changed").with_item(ItemBody::FileChange {
                path: target,
                change: "modified".to_owned(),
                diff: "-a\n+b\n".to_owned(),
            })),
            _ if self.name == "shell" => Ok(command(&target)),
            _ => Ok(ToolOutput::text(format!("did {target}"))),
        }
    }
}

/// What a real shell tool gives back for `true`, `false` and everything else.
fn command(command: &str) -> ToolOutput {
    let exit_code = match command {
        "true" => 0,
        "nosuch" => 127,
        _ => 1,
    };
    ToolOutput::text("output").with_data(json!({ "exit_code": exit_code })).with_item(
        ItemBody::CommandExecution {
            command: command.to_owned(),
            output: "output".to_owned(),
            exit_code: Some(exit_code),
            sandbox: "landlock".to_owned(),
            artefacts: Vec::new(),
        },
    )
}

/// An agent under test, and what it said.
struct Bench {
    parts: Option<AgentParts>,
    recorder: Arc<Recorder>,
    directory: TempDir,
}

impl Bench {
    fn new(script: Value) -> Self {
        let directory = TempDir::new().unwrap();
        let tools: Vec<Arc<dyn Tool>> = vec![
            Arc::new(Probe { name: "file_read", effect: Effect::Read }),
            Arc::new(Probe { name: "file_write", effect: Effect::Write }),
            Arc::new(Probe { name: "shell", effect: Effect::Process }),
            Arc::new(Probe { name: "kill_program", effect: Effect::Process }),
            Arc::new(crate::tools::memory_add::MemoryAdd),
        ];
        let parts = AgentParts {
            model: Arc::new(ScriptedModel::from_json(&script.to_string()).unwrap()),
            registry: Registry::new(tools),
            tools: ToolContext::for_tests(directory.path()),
            approval: ApprovalSettings::default(),
            conversations: Conversations::default(),
            secrets: Vec::new(),
            sandbox: SandboxSettings {
                level: SandboxLevel::WorkspaceWrite,
                add_dirs: Vec::new(),
                read: Vec::new(),
                net: Vec::new(),
                env: Vec::new(),
            },
            limits: LimitSettings {
                max_turns: 20,
                timeout: None,
                max_cost: None,
                max_tokens: None,
                tool_timeout: Duration::from_secs(30),
                command: crate::config::settings::CommandLimits::default(),
            },
            max_output_tokens: None,
            temperature: None,
            prices: Prices::default(),
            platform: "linux x86_64".to_owned(),
            pacing: Pacing::default(),
        };
        Self { parts: Some(parts), recorder: Arc::default(), directory }
    }

    fn with(mut self, change: impl FnOnce(&mut AgentParts)) -> Self {
        change(self.parts.as_mut().unwrap());
        self
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    async fn run(&mut self, task: Task) -> Outcome {
        self.run_with(task, None, &Cancellation::new()).await
    }

    async fn run_with(
        &mut self,
        task: Task,
        approver: Option<Arc<dyn Approver>>,
        cancel: &Cancellation,
    ) -> Outcome {
        let agent = Agent::new(self.parts.take().unwrap());
        let outcome = agent.run(task, self.recorder.clone(), approver, cancel).await;
        self.check_stream(&outcome);
        outcome
    }

    fn events(&self) -> Vec<Event> {
        self.recorder.events()
    }

    /// What holds of every run, whatever happened in it.
    fn check_stream(&self, outcome: &Outcome) {
        let events = self.events();
        assert!(matches!(events.first(), Some(Event::ThreadStarted { .. })), "{events:?}");
        let results: Vec<&Event> =
            events.iter().filter(|event| matches!(event, Event::Result(_))).collect();
        assert_eq!(results.len(), 1);
        let Some(Event::Result(last)) = events.last() else { panic!("the result is not last") };
        assert_eq!(**last, *outcome);
        let ids = |started: bool| -> Vec<String> {
            let mut ids: Vec<String> = events
                .iter()
                .filter_map(|event| match event {
                    Event::ItemStarted { item } if started => Some(item.id.clone()),
                    Event::ItemCompleted { item } if !started => {
                        assert_ne!(item.status, ItemStatus::InProgress);
                        assert!(item.duration_ms.is_some());
                        Some(item.id.clone())
                    }
                    _ => None,
                })
                .collect();
            ids.sort();
            ids
        };
        assert_eq!(ids(true), ids(false), "each item starts once and ends once");
        let turns = |begun: bool| {
            events
                .iter()
                .filter(|event| match event {
                    Event::TurnStarted { .. } => begun,
                    Event::TurnCompleted { .. } | Event::TurnFailed { .. } => !begun,
                    _ => false,
                })
                .count()
        };
        assert_eq!(turns(true), turns(false), "each turn ends once: {events:?}");
    }

    fn completed(&self) -> Vec<Item> {
        self.events()
            .into_iter()
            .filter_map(|event| match event {
                Event::ItemCompleted { item } => Some(item),
                _ => None,
            })
            .collect()
    }

    /// A line per event, without what differs from run to run.
    fn log(&self) -> String {
        let lines = self.events().into_iter().map(|event| match event {
            Event::ThreadStarted { model, .. } => format!("thread.started {model}"),
            Event::TurnStarted { turn } => format!("turn.started {turn}"),
            Event::ItemStarted { item } => format!("item.started {}", brief(&item)),
            Event::ItemUpdated { item } => format!("item.updated {}", brief(&item)),
            Event::ItemCompleted { item } => {
                format!("item.completed {} {:?}", brief(&item), item.status)
            }
            Event::TurnCompleted { usage } => format!("turn.completed {}", usage.total()),
            Event::TurnFailed { error } => format!("turn.failed {error}"),
            Event::Result(outcome) => {
                format!("result {:?} {}", outcome.outcome, u8::from(outcome.exit_code))
            }
            other => format!("{other:?}"),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn brief(item: &Item) -> String {
    let body = match &item.body {
        ItemBody::AgentMessage { text } => format!("message `{text}`"),
        ItemBody::Reasoning { text } => format!("reasoning `{text}`"),
        ItemBody::CommandExecution { command, exit_code, .. } => {
            format!("command `{command}` {exit_code:?}")
        }
        ItemBody::ToolCall { tool, output, .. } => format!("call {tool} `{output}`"),
        ItemBody::FileChange { path, .. } => format!("change `{path}`"),
        other => format!("{other:?}"),
    };
    format!("{} {body}", item.id)
}

/// A scripted call.
fn call(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

/// A turn with one call.
fn calls(name: &str, arguments: Value) -> Value {
    json!({"tool_calls": [call(name, arguments)]})
}

fn code(outcome: &Outcome) -> u8 {
    outcome.exit_code.into()
}
