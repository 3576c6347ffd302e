//! The agent: prompt, model, tool calls, results, until an answer, a limit or a failure.
//!
//! Everything here is values and decisions; the world is reached through ports only (the model,
//! the tools, memory, a sink for events, a person who approves). Prints nothing, reads no
//! environment, opens no connection, and knows no provider by name.

pub mod approval;
pub mod budget;
mod calls;
pub mod cancel;
mod concealed;
mod conditions;
pub mod context;
mod conversations;
pub mod events;
mod input;
mod model_call;
pub mod outcome;
pub mod schema_repair;
mod session;
pub mod state;
mod turn;

use std::sync::Arc;
use std::sync::OnceLock;

use tokio::time::Instant;

pub use self::cancel::CancelReason;
pub use self::cancel::Cancellation;
pub use self::conversations::Conversations;
pub use self::model_call::Pacing;
pub use self::session::SessionChoice;

use self::approval::Situation;
use self::approval::covering::Places;
use self::approval::rules::Rules;
use self::budget::Prices;
use self::context::instructions;
use self::context::prompt;
use self::context::prompt::Surroundings;
use self::context::recall;
use self::conversations::Scope;
use self::events::Emitter;
use self::outcome::Conditions;
use self::outcome::Ending;
use self::schema_repair::OutputSchema;
use self::session::Heading;
use self::session::SessionLog;
use self::state::Grants;
use self::state::RunState;
use self::turn::Turns;
use crate::config::settings::ApprovalSettings;
use crate::config::settings::LimitSettings;
use crate::config::settings::SandboxSettings;
use crate::memory::MemoryHandle;
use crate::network::Recording;
use crate::protocol::Approver;
use crate::protocol::ChatModel;
use crate::protocol::Event;
use crate::protocol::EventSink;
use crate::protocol::ExitCode;
use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::Message;
use crate::protocol::Outcome;
use crate::protocol::Part;
use crate::protocol::Role;
use crate::protocol::ToolSpec;
use crate::protocol::secrets::Vault;
use crate::system::clock;
use crate::tools::Registry;
use crate::tools::ToolContext;

/// What an agent is built from; the composition root fills it in.
pub struct AgentParts {
    pub model: Arc<dyn ChatModel>,
    pub registry: Registry,
    /// What tools may use: opener, sandbox, memory, network. The agent sets `cancel`, `deadline`,
    /// `call_timeout`, `session_id` and `progress` for each run. Its memory is also where sessions
    /// are kept and what is recalled from; `None` means neither.
    pub tools: ToolContext,
    pub approval: ApprovalSettings,
    /// What conversations keep between runs. Agents that share it share that.
    pub conversations: Conversations,
    /// Secret values, with the names they go by.
    pub secrets: Vec<(String, String)>,
    pub sandbox: SandboxSettings,
    pub limits: LimitSettings,
    /// Upper bound of output tokens for each reply.
    pub max_output_tokens: Option<u32>,
    pub temperature: Option<f64>,
    pub prices: Prices,
    /// For the prompt: `linux x86_64`.
    pub platform: String,
    pub pacing: Pacing,
}

/// What one run is to do.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// The task and what belongs to it (texts of files, images).
    pub input: Vec<Part>,
    pub session: SessionChoice,
    /// JSON Schema that the answer must meet.
    pub output_schema: Option<serde_json::Value>,
    /// Commands that must succeed after the run.
    pub expect: Vec<String>,
    /// Commands that must not.
    pub forbid: Vec<String>,
    /// Where what came before the run (reading the task) counts as its time: when that began.
    pub started: Option<Instant>,
}

impl Task {
    /// A task in words, in a new session.
    pub fn text(text: impl Into<String>) -> Self {
        Self { input: vec![Part::Text { text: text.into() }], ..Self::default() }
    }
}

/// What the model that is part of this program calls its provider.
const BUILTIN: &str = "builtin";

/// An agent, ready for any number of runs, side by side if need be.
pub struct Agent {
    parts: AgentParts,
}

impl Agent {
    pub fn new(parts: AgentParts) -> Self {
        Self { parts }
    }

    /// `provider/name` of the model.
    pub fn model_name(&self) -> String {
        let info = self.parts.model.info();
        format!("{}/{}", info.provider, info.name)
    }

    /// What came of recording or replaying model traffic; `None` where neither was asked for.
    pub fn recording(&self) -> Option<Recording> {
        self.parts.tools.http.recording()
    }

    /// Carries out a task. Every event goes to `sink`, the outcome also as the last one. Without an
    /// approver, what would be asked is declined. On cancellation the outcome comes within seconds.
    pub async fn run(
        &self,
        task: Task,
        sink: Arc<dyn EventSink>,
        approver: Option<Arc<dyn Approver>>,
        cancel: &Cancellation,
    ) -> Outcome {
        let started = task.started.unwrap_or_else(Instant::now);
        let emitter = Emitter::new(sink);
        // The run's own time limit must not cancel whatever else the caller's token governs.
        let cancel = cancel.child();
        let run = self.run_within(task, &emitter, approver.as_deref(), &cancel, started);
        let mut run = std::pin::pin!(run);
        let ended = tokio::select! {
            biased;
            ended = &mut run => ended,
            () = tokio::time::sleep_until(turn::deadline(started, self.parts.limits.timeout)) => {
                cancel.cancel(CancelReason::TimeOut);
                run.await
            }
        };
        emitter.end_all(ItemStatus::Cancelled);
        let outcome = outcome::outcome(
            ended.state,
            Ending {
                model: self.model_name(),
                session_id: ended.session_id,
                duration: started.elapsed(),
                rung: emitter.rung_taken(),
                priced: self.parts.prices.are_known(),
                conditions: ended.conditions,
                withheld: self.parts.approval.withheld.clone(),
            },
        );
        let outcome = emitter.without_secrets(outcome);
        emitter.event(Event::Result(Box::new(outcome.clone())));
        outcome
    }

    async fn run_within(
        &self,
        task: Task,
        emitter: &Emitter,
        approver: Option<&dyn Approver>,
        cancel: &Cancellation,
        started: Instant,
    ) -> Ended {
        let model = self.model_name();
        let cwd = self.parts.tools.cwd.display().to_string();
        // Texts of files follow the task itself; neither titles nor recall are about them.
        let title = task.input.iter().find_map(words).unwrap_or_default();
        let title = self.vault().conceal(&title, None).into_owned();
        let heading = Heading { title: &title, model: &model, cwd: &cwd };
        let memory = self.parts.tools.memory.clone();
        let opened = SessionLog::open(memory, &task.session, &heading, cancel).await;
        let (session, history, refused) = match opened {
            Ok((session, history)) => (session, history, None),
            Err(error) => (SessionLog::unkept(&heading), Vec::new(), Some(error)),
        };
        let session_id = session.id().to_owned();
        emitter.event(Event::ThreadStarted { thread_id: session_id.clone(), model });
        let (vault, allowed) = self.shared(&session_id, &history);
        emitter.keep_secret(&vault);
        let request =
            Message { role: Role::User, parts: input::concealed(task.input, &vault, emitter) };
        let mut state = RunState::new(history);
        state.allowed = allowed;
        if let Some(Refusal { code, error, hint }) = refused {
            state.fail(code, error, hint);
            return Ended { state, session_id, conditions: Conditions::NotChecked };
        }
        let (rules, schema) = match self.checked(task.output_schema) {
            Ok(checked) => checked,
            Err(Refusal { code, error, hint }) => {
                state.fail(code, error, hint);
                return Ended { state, session_id, conditions: Conditions::NotChecked };
            }
        };
        let (system, from) = self.system_prompt(&title, emitter, cancel, &vault).await;
        state.origin = state.origin.or(from);
        let mut turns = Turns {
            parts: &self.parts,
            emitter,
            cancel,
            approver,
            specs: self.offered(&rules),
            situation: self.situation(rules, approver.is_some()),
            context: self.context(cancel, started, &session_id, &vault),
            system,
            fixed_tokens: OnceLock::new(),
            schema,
            session,
            state,
        };
        turns.say(request).await;
        turns.converse().await;
        let conditions = turns.check_conditions(&task.expect, &task.forbid).await;
        turns.session.settle(emitter).await;
        turns.state.notes.extend(turns.session.complaint());
        let allowed = std::mem::take(&mut turns.state.allowed);
        self.parts.conversations.leave(&session_id, self.scope(), allowed);
        Ended { state: turns.state, session_id, conditions }
    }

    /// Settings and options that cannot work are refused before the model is asked.
    fn checked(
        &self,
        schema: Option<serde_json::Value>,
    ) -> Result<(Rules, Option<OutputSchema>), Refusal> {
        if self.parts.limits.max_cost.is_some() && !self.parts.prices.are_known() {
            return Err(Refusal {
                code: ExitCode::Configuration,
                error: "`--max-cost` needs the model's price, which is not known".to_owned(),
                hint: Some("set `model.price`, or `price` of each model of the route".to_owned()),
            });
        }
        let known = self.parts.registry.names();
        let rules = Rules::new(&self.parts.approval, &known).map_err(|error| Refusal {
            code: ExitCode::Configuration,
            error: error.message,
            hint: error.hint,
        })?;
        let schema = schema.map(OutputSchema::new).transpose().map_err(|error| Refusal {
            code: ExitCode::Usage,
            error,
            hint: None,
        })?;
        Ok((rules, schema))
    }

    /// The tools that the model is told of: what is denied whatever the arguments would only lead it
    /// into a refusal. What is denied in part is offered, and judged call by call. The builtin model calls
    /// nothing that the task does not need: its call is declined, which says which rule denied what.
    fn offered(&self, rules: &Rules) -> Arc<[ToolSpec]> {
        let all = self.parts.registry.specs();
        if self.parts.model.info().provider == BUILTIN
            || !all.iter().any(|spec| rules.deny_every_call(&spec.name))
        {
            return all;
        }
        all.iter().filter(|spec| !rules.deny_every_call(&spec.name)).cloned().collect()
    }

    fn situation(&self, rules: Rules, can_ask: bool) -> Situation {
        Situation {
            level: self.parts.sandbox.level,
            mode: self.parts.approval.mode,
            can_ask,
            net: self.parts.sandbox.net.clone(),
            rules,
            places: self.places(),
        }
    }

    /// Where the programs of commands are looked up, and where the agent may put files of its own.
    fn places(&self) -> Places {
        let policy = self.parts.tools.sandbox.policy();
        let environment = self.parts.tools.sandbox.child_environment();
        let path = environment.iter().find(|(name, _)| name == "PATH");
        let own =
            std::iter::once(&policy.cwd).chain(&policy.write).chain(&self.parts.sandbox.add_dirs);
        Places {
            search: path.map(|(_, path)| std::env::split_paths(path).collect()).unwrap_or_default(),
            writable: own
                .map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()))
                .collect(),
        }
    }

    /// A vault that knows the configured secrets and nothing else yet.
    fn vault(&self) -> Vault {
        Vault::new(self.parts.secrets.iter().cloned())
    }

    /// What earlier runs of a session left; of a stored session, its placeholders are not given again.
    fn shared(&self, session_id: &str, history: &[Message]) -> (Arc<Vault>, Grants) {
        let (vault, allowed) =
            self.parts.conversations.enter(session_id, &self.scope(), &self.parts.secrets);
        for text in history.iter().flat_map(|message| &message.parts).filter_map(text_of) {
            vault.keep_clear_of(text);
        }
        (vault, allowed)
    }

    fn scope(&self) -> Scope {
        let directory = self.parts.tools.cwd.clone();
        Scope { directory, sandbox: self.parts.sandbox.clone() }
    }

    fn context(
        &self,
        cancel: &Cancellation,
        started: Instant,
        session_id: &str,
        vault: &Arc<Vault>,
    ) -> ToolContext {
        ToolContext {
            cancel: cancel.token().clone(),
            deadline: turn::deadline(started, self.parts.limits.timeout),
            call_timeout: self.parts.limits.tool_timeout,
            session_id: session_id.to_owned(),
            vault: Some(Arc::clone(vault)),
            progress: None,
            ..self.parts.tools.clone()
        }
    }

    /// Reads AGENTS.md, recalls, and words the prompt. What had to be skipped is told as items.
    /// Also says where recalled text that nobody vouches for comes from.
    async fn system_prompt(
        &self,
        task: &str,
        emitter: &Emitter,
        cancel: &Cancellation,
        vault: &Vault,
    ) -> (String, Option<String>) {
        let memory = self.parts.tools.memory.as_ref();
        let cwd = &self.parts.tools.cwd;
        let protected = memory.map(MemoryHandle::protected_files).unwrap_or_default();
        let found = instructions::load(cwd, crate::system::user::effective_id(), &protected);
        for message in found.warnings {
            emitter.instant(ItemStatus::Completed, ItemBody::Error { message });
        }
        let (notes, origin) = recall::recall(memory, task, emitter, cancel.token(), vault).await;
        let timestamp = clock::timestamp(clock::now());
        let date = timestamp.split('T').next().unwrap_or_default();
        let prompt = prompt::system_prompt(&Surroundings {
            cwd,
            platform: &self.parts.platform,
            date,
            level: self.parts.sandbox.level,
            net: &self.parts.sandbox.net,
            instructions: &vault.conceal(&found.text, None),
            notes: &notes,
        });
        (prompt, origin)
    }
}

fn words(part: &Part) -> Option<String> {
    match part {
        Part::Text { text } => Some(text.clone()),
        _ => None,
    }
}

/// The text of a part that has, or may have, placeholders.
fn text_of(part: &Part) -> Option<&str> {
    match part {
        Part::Text { text } => Some(text),
        Part::ToolResult(result) => Some(&result.text),
        // It may hold placeholders.
        Part::ToolCall(call) => Some(&call.arguments),
        Part::Image { .. } | Part::Reasoning { .. } => None,
    }
}

/// A run that is over, but for its outcome.
struct Ended {
    state: RunState,
    session_id: String,
    conditions: Conditions,
}

/// Why a run does not even begin.
struct Refusal {
    code: ExitCode,
    error: String,
    hint: Option<String>,
}

#[cfg(test)]
#[path = "run_tests/mod.rs"]
mod tests;
