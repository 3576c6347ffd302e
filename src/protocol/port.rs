//! The ports: traits through which upper layers use what lower layers provide.

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::event::Event;
use super::model::ModelDelta;
use super::model::ModelError;
use super::model::ModelReply;
use super::model::ModelRequest;
use super::tool::ToolCall;

/// What is known of a model before it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// `openai`, `anthropic`, `scripted`, `builtin`.
    pub provider: String,
    /// The configured model name; `builtin` for the builtin model.
    pub name: String,
    /// Tokens of the context window (input and output together).
    pub context_window: u64,
    /// Where a person says how large the window is, in words that follow "set"; `None` where nobody can.
    pub window_setting: Option<String>,
}

/// The setting of the window for a model that has none of its own.
pub const WINDOW_SETTING: &str = "`model.context_window`";

/// A chat model: one request in, deltas while it runs, one whole reply or one error out.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// Cheap; never starts an interpreter or a connection.
    fn info(&self) -> ModelInfo;

    /// Asks the model. Deltas go to `deltas` with `try_send` (a slow reader loses deltas, never the
    /// reply). Retries happen inside. On cancellation returns `ModelErrorKind::Cancelled` soon.
    async fn respond(
        &self,
        request: &ModelRequest,
        deltas: mpsc::Sender<ModelDelta>,
        cancel: CancellationToken,
    ) -> Result<ModelReply, ModelError>;
}

/// Turns texts into vectors of one fixed dimension.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// Names model and dimension; vectors of different ids are never compared.
    fn id(&self) -> &str;

    /// One L2-normalised vector per text, in order.
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError>;
}

/// Receives the events of a run, in order. Must not block.
#[async_trait]
pub trait EventSink: Send + Sync {
    fn emit(&self, event: Event);

    /// Returns once there is room for what the next step of the run says: whoever reads slower than
    /// the run speaks makes it wait, so that no more than a step's events pile up.
    async fn ready(&self) {}
}

/// What a person answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This call, as it was shown, one time.
    AllowOnce,
    /// This very call in this directory, until the conversation ends.
    AllowForSession,
    /// Whatever the rule `tool(pattern)` covers, until the conversation ends.
    AllowPattern(String),
    Deny,
}

/// What a person is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub call: &'a ToolCall,
    /// Exactly what would happen: a command, a diff, a URL. Not yet fit for a terminal.
    pub summary: &'a str,
    /// Why there is a question at all.
    pub reason: &'a str,
    /// A rule that covers this call and what is like it, to be offered.
    pub proposal: Option<&'a str>,
}

/// Asks a person (terminal, editor). Where nobody can be asked there is no approver, and ask means
/// deny.
#[async_trait]
pub trait Approver: Send + Sync {
    /// Waits for the answer.
    async fn ask(&self, question: &Question<'_>) -> Verdict;
}
