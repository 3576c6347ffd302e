//! The loop: ask the model, carry out its calls, tell it the results, until an answer, a limit or a
//! failure.
//!
//! Everything that goes wrong ends up as a failure in the state; nothing here returns an error.

use std::sync::Arc;
use std::sync::OnceLock;

use crate::memory::MemoryHandle;
use crate::protocol::Approver;
use crate::protocol::Event;
use crate::protocol::ExitCode;
use crate::protocol::Message;
use crate::protocol::ModelError;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::Role;
use crate::protocol::StopReason;
use crate::protocol::ToolCall;
use crate::protocol::ToolSpec;
use crate::protocol::secrets::Vault;
use crate::tools::ToolContext;

use super::AgentParts;
use super::approval::Situation;
use super::calls;
use super::calls::CallRoom;
use super::calls::Flow;
use super::cancel::Cancellation;
use super::concealed;
use super::conditions;
use super::events::Emitter;
use super::model_call;
use super::outcome::Conditions;
use super::schema_repair;
use super::schema_repair::OutputSchema;
use super::session::SessionLog;
use super::state::RunState;

mod limits;

mod window;

pub(super) use self::limits::deadline;

/// An empty reply is asked for again so often.
const EMPTY_REPLIES: u32 = 1;

/// One run under way.
pub(super) struct Turns<'a> {
    pub(super) parts: &'a AgentParts,
    pub(super) emitter: &'a Emitter,
    pub(super) cancel: &'a Cancellation,
    pub(super) approver: Option<&'a dyn Approver>,
    pub(super) situation: Situation,
    pub(super) context: ToolContext,
    pub(super) system: String,
    pub(super) specs: Arc<[ToolSpec]>,
    /// Of each request: system prompt and tools, once counted.
    pub(super) fixed_tokens: OnceLock<u64>,
    pub(super) schema: Option<OutputSchema>,
    pub(super) session: SessionLog,
    pub(super) state: RunState,
}

/// What a reply without calls means.
enum Ending {
    Answered,
    /// Ask again, after telling this where there is something to tell.
    Again(Option<Message>),
    Failed,
}

impl Turns<'_> {
    /// Goes on until the run is over, but for its post-conditions.
    pub(super) async fn converse(&mut self) {
        let (mut repairs, mut empties) = (schema_repair::REPAIRS, EMPTY_REPLIES);
        loop {
            self.emitter.ready(self.cancel.token()).await;
            if self.note_cancellation() || self.note_limit() {
                return;
            }
            self.state.turns += 1;
            self.emitter.event(Event::TurnStarted { turn: self.state.turns });
            let reply = match self.ask_with_room().await {
                Ok(reply) => reply,
                Err(error) => {
                    let message = self.without_secrets(error.message.clone());
                    self.emitter.event(Event::TurnFailed { error: message });
                    self.note_model_error(error);
                    return;
                }
            };
            let usage = reply.usage;
            let calls = self.take(&reply).await;
            let goes_on = if calls.is_empty() {
                match self.judge(&reply, &mut repairs, &mut empties) {
                    Ending::Answered => {
                        self.note_excess();
                        false
                    }
                    Ending::Failed => false,
                    Ending::Again(message) => {
                        if let Some(message) = message {
                            self.say(message).await;
                        }
                        true
                    }
                }
            } else {
                self.carry_out(calls).await == Flow::GoOn
            };
            if self.note_cancellation() {
                let error = self.cancel.reason().map_or("cancelled", |reason| reason.as_str());
                self.emitter.event(Event::TurnFailed { error: error.to_owned() });
                return;
            }
            self.emitter.event(Event::TurnCompleted { usage });
            if !goes_on {
                return;
            }
        }
    }

    /// Checks `--expect` and `--forbid`, where the run got far enough for them to mean something.
    pub(super) async fn check_conditions(
        &mut self,
        expect: &[String],
        forbid: &[String],
    ) -> Conditions {
        if !self.state.failures.is_empty() {
            return Conditions::NotChecked;
        }
        let (room, state) = self.room();
        let checked = conditions::check(&room, expect, forbid, state).await;
        self.note_time(checked.timed_out);
        self.note_cancellation();
        checked.conditions
    }

    /// Adds a message to the conversation and to the stored session.
    pub(super) async fn say(&mut self, message: Message) {
        let stored = concealed::to_store(self.vault(), &message);
        if !stored.parts.is_empty() || message.parts.is_empty() {
            self.session.append(&stored, self.emitter).await;
        }
        self.state.messages.push(message);
    }

    /// Enters a reply into the conversation; its calls are what is to be done next.
    async fn take(&mut self, reply: &ModelReply) -> Vec<ToolCall> {
        self.state.pay(self.parts.prices.of(reply.rung, &reply.usage));
        let text = reply.message.plain_text();
        if !text.trim().is_empty() {
            self.state.text = text;
        }
        if reply.message.parts.is_empty() {
            self.state.usage.add(&reply.usage);
        } else {
            self.say(concealed::in_conversation(self.vault(), &reply.message)).await;
            self.state.count(&reply.usage);
        }
        reply.message.tool_calls().cloned().collect()
    }

    async fn carry_out(&mut self, calls: Vec<ToolCall>) -> Flow {
        self.emitter.ready(self.cancel.token()).await;
        self.protect_memory();
        self.context.origin.clone_from(&self.state.origin);
        let (room, state) = self.room();
        let done = calls::carry_out(&room, calls, state).await;
        self.note_time(done.timed_out);
        self.say(done.results).await;
        done.flow
    }

    /// What calls have around them, and what they change.
    fn room(&mut self) -> (CallRoom<'_>, &mut RunState) {
        let room = CallRoom {
            registry: &self.parts.registry,
            context: &self.context,
            situation: &self.situation,
            approver: self.approver,
            emitter: self.emitter,
            pacing: self.parts.pacing,
        };
        (room, &mut self.state)
    }

    /// The first message of all creates the database, after the opener was made: tools must not
    /// open its files under any name from then on either.
    fn protect_memory(&self) {
        let files = self.context.memory.as_ref().map(MemoryHandle::protected_files);
        self.context.opener.protect(&files.unwrap_or_default());
    }

    fn judge(&mut self, reply: &ModelReply, repairs: &mut u32, empties: &mut u32) -> Ending {
        match reply.stop {
            StopReason::MaxTokens => {
                let hint = "raise `model.max_output_tokens`".to_owned();
                let error = "the answer was cut off at the model's output limit";
                self.state.fail(ExitCode::Model, error, Some(hint));
                return Ending::Failed;
            }
            StopReason::Refusal => {
                self.state.fail(ExitCode::TaskFailed, "the provider withheld the answer", None);
                return Ending::Failed;
            }
            StopReason::Failed => {
                let error = "the task could not be done; the answer says why";
                self.state.fail(ExitCode::TaskFailed, error, None);
                return Ending::Failed;
            }
            StopReason::EndTurn | StopReason::ToolCalls => {}
        }
        let text = reply.message.plain_text();
        if text.trim().is_empty() {
            if *empties > 0 {
                *empties -= 1;
                return Ending::Again(None);
            }
            self.state.text.clear();
            self.state.fail(ExitCode::Model, "the model gave no answer", None);
            return Ending::Failed;
        }
        let Some(schema) = &self.schema else { return Ending::Answered };
        match schema.check(&text) {
            Ok(json) => {
                self.state.structured = Some(json);
                Ending::Answered
            }
            Err(problems) if *repairs > 0 => {
                *repairs -= 1;
                let prompt = schema_repair::repair_prompt(schema, &problems);
                Ending::Again(Some(Message::text(Role::User, prompt)))
            }
            Err(problems) => {
                let error = format!("the answer does not meet the schema: {}", problems.join("; "));
                self.state.fail(ExitCode::OutputSchema, error, None);
                Ending::Failed
            }
        }
    }

    async fn ask(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let (model, vault, pacing) = (self.parts.model.as_ref(), self.vault(), self.parts.pacing);
        model_call::ask(model, request, vault, self.emitter, self.cancel, pacing).await
    }

    fn vault(&self) -> &Vault {
        concealed::vault_of(&self.context)
    }

    fn request(&self) -> ModelRequest {
        ModelRequest {
            system: self.system.clone(),
            messages: self.state.messages.clone(),
            tools: self.specs.clone(),
            output_schema: self.schema.as_ref().map(|schema| schema.schema.clone()),
            max_output_tokens: self.parts.max_output_tokens,
            temperature: self.parts.temperature,
        }
    }

    /// Providers quote keys that they do not know.
    fn without_secrets(&self, text: String) -> String {
        self.vault().conceal(&text, None).into_owned()
    }

    fn note_model_error(&mut self, error: ModelError) {
        if !self.note_cancellation() {
            let code = ExitCode::from_model_error(error.kind);
            self.state.fail(code, self.without_secrets(error.message), error.hint);
        }
    }
}
