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
}

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
pub trait EventSink: Send + Sync {
    fn emit(&self, event: Event);
}

/// What a person answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    AllowOnce,
    AllowForSession,
    Deny,
}

/// Asks a person (terminal, editor). Where nobody can be asked there is no approver, and ask means
/// deny.
#[async_trait]
pub trait Approver: Send + Sync {
    /// `summary` shows exactly what would run (command, diff or URL).
    async fn ask(&self, call: &ToolCall, summary: &str) -> Verdict;
}
