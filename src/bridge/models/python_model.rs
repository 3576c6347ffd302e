//! A chat model written wholly in Python: the provider `builtin`.
//!
//! It needs no network, so that one call carries the whole reply. Remote models are `remote`'s.

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::bridge::python::convert::ChatAnswer;
use crate::bridge::python::convert::ChatPayload;
use crate::bridge::python::names;
use crate::bridge::python::worker::Python;
use crate::protocol::ChatModel;
use crate::protocol::ModelDelta;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::port::ModelInfo;

/// Tokens; the builtin model reads whatever it is given, so this only bounds compaction.
const CONTEXT_WINDOW: u64 = 128_000;

/// A model behind the operation `chat`.
pub struct PythonModel {
    python: Python,
    provider: &'static str,
}

impl PythonModel {
    /// The builtin model. Starts nothing.
    pub fn builtin(python: Python) -> Self {
        Self { python, provider: "builtin" }
    }

    async fn ask(&self, request: &ModelRequest) -> Result<ChatAnswer, ModelError> {
        let payload = ChatPayload { provider: self.provider, request };
        Ok(self.python.ask(names::CHAT, &payload).await?)
    }
}

#[async_trait]
impl ChatModel for PythonModel {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            provider: self.provider.to_owned(),
            name: self.provider.to_owned(),
            context_window: CONTEXT_WINDOW,
            window_setting: None,
        }
    }

    async fn respond(
        &self,
        request: &ModelRequest,
        deltas: mpsc::Sender<ModelDelta>,
        cancel: CancellationToken,
    ) -> Result<ModelReply, ModelError> {
        let answer = tokio::select! {
            answer = self.ask(request) => answer?,
            () = cancel.cancelled() => {
                return Err(ModelError::new(ModelErrorKind::Cancelled, "cancelled"));
            }
        };
        for delta in answer.deltas {
            // The port's rule: a slow reader loses deltas, never the reply.
            deltas.try_send(delta).ok();
        }
        Ok(answer.reply)
    }
}
