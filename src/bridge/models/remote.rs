//! Chat models on servers: a Python adapter speaks the provider's dialect, Rust does the rest.
//!
//! One call is: adapter opens (provider-neutral request to HTTP request), key added here, exchange
//! by `network`, events back into the adapter, reply out. Trying again happens here as well, since
//! only here both the HTTP failure and what the provider said about it are known. Keys never enter
//! Python.

mod attempt;
mod endpoint;
mod reader;
mod wire;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

use attempt::Failed;
pub use endpoint::Endpoint;
pub(in crate::bridge) use wire::AuthStyle;
use wire::WrittenTools;

use crate::bridge::python::worker::Python;
use crate::config::settings::ModelSettings;
use crate::network::Client;
use crate::network::retry::RetryPolicy;
use crate::network::retry::Verdict;
use crate::protocol::ChatModel;
use crate::protocol::ModelDelta;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::port::ModelInfo;
use crate::protocol::port::WINDOW_SETTING;

/// Tokens; used where neither the settings nor the table below know better.
const USUAL_WINDOW: u64 = 128_000;

/// A model of the providers `openai` and `anthropic`.
pub struct RemoteModel {
    python: Python,
    client: Client,
    settings: ModelSettings,
    endpoint: Endpoint,
    /// The server refused a schema once: from then on it is asked for in words.
    schema_in_words: AtomicBool,
    written_tools: WrittenTools,
}

impl RemoteModel {
    /// Checks provider and base URL, and lets the interpreter start in the background if the first
    /// request can be made at all: it takes as long as everything else before that request.
    pub fn new(
        python: Python,
        client: Client,
        settings: ModelSettings,
    ) -> Result<Self, ModelError> {
        let endpoint = Endpoint::new(&settings)?;
        if client.replays() || endpoint.check_key().is_ok() {
            python.warm_up();
        }
        let (schema_in_words, written_tools) = (AtomicBool::new(false), WrittenTools::default());
        Ok(Self { python, client, settings, endpoint, schema_in_words, written_tools })
    }

    async fn with_retries(
        &self,
        request: &ModelRequest,
        deltas: &mpsc::Sender<ModelDelta>,
    ) -> Result<ModelReply, ModelError> {
        if !self.client.replays() {
            self.endpoint.check_key()?;
        }
        let limit = self.client.settings().total_timeout;
        let deadline = Instant::now() + limit;
        let policy = RetryPolicy::new(self.client.settings().max_retries);
        let mut retries = 0;
        loop {
            let failed = match timeout_at(deadline, self.attempt(request, deltas)).await {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(failed)) => failed,
                Err(_) => return Err(self.too_late(limit)),
            };
            if self.falls_back_to_words(request, &failed) {
                continue;
            }
            let remaining = deadline.saturating_duration_since(Instant::now());
            let random = rand::random();
            match policy.decide(failed.failure, retries, failed.asked, remaining, random) {
                Verdict::GiveUp => return Err(self.told(failed, retries)),
                Verdict::Wait(wait) => {
                    retries += 1;
                    self.wait(wait, retries, &failed, deltas).await;
                }
            }
        }
    }

    /// Waits, and says so; a recording is replayed without waiting.
    async fn wait(
        &self,
        wait: Duration,
        attempt: u32,
        failed: &Failed,
        deltas: &mpsc::Sender<ModelDelta>,
    ) {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let reason = self.endpoint.without_key(&failed.error.message);
        tracing::debug!(attempt, wait_ms, %reason, "the model call is tried again");
        // The port's rule: a slow reader loses deltas, never the reply.
        deltas.try_send(ModelDelta::Retry { attempt, wait_ms, reason }).ok();
        if !self.client.replays() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Some compatible servers refuse `response_format`: then the schema goes into the prompt, and
    /// the loop's own check of the answer does the rest.
    fn falls_back_to_words(&self, request: &ModelRequest, failed: &Failed) -> bool {
        let message = failed.error.message.to_lowercase();
        let about_schema =
            ["response_format", "json_schema", "schema", "text.format", "output_config"]
                .iter()
                .any(|word| message.contains(word));
        request.output_schema.is_some()
            && failed.error.kind == ModelErrorKind::InvalidRequest
            && about_schema
            && !self.schema_in_words.swap(true, Ordering::Relaxed)
    }

    /// The last failure in its final words.
    fn told(&self, failed: Failed, retries: u32) -> ModelError {
        let mut error = failed.error;
        error.message = self.endpoint.without_key(&error.message);
        if retries > 0 {
            error.message = format!("{} (tried {} times)", error.message, retries + 1);
        }
        if error.hint.is_none() && error.kind == ModelErrorKind::Authentication {
            error.hint = Some(self.endpoint.key_hint());
        }
        if let (None, Some(seconds)) = (&error.hint, error.retry_after_s) {
            error.hint = Some(format!("the server asks to come back after {seconds} s"));
        }
        error
    }

    fn too_late(&self, limit: Duration) -> ModelError {
        let target = self.endpoint.target();
        let message = format!("no whole answer of `{target}` within {} s", limit.as_secs_f64());
        ModelError::new(ModelErrorKind::Timeout, message)
    }
}

#[async_trait]
impl ChatModel for RemoteModel {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            provider: self.settings.provider.clone(),
            name: self.settings.name.clone(),
            context_window: self
                .settings
                .context_window
                .unwrap_or_else(|| known_window(&self.settings.name)),
            window_setting: Some(WINDOW_SETTING.to_owned()),
        }
    }

    async fn respond(
        &self,
        request: &ModelRequest,
        deltas: mpsc::Sender<ModelDelta>,
        cancel: CancellationToken,
    ) -> Result<ModelReply, ModelError> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(ModelError::new(ModelErrorKind::Cancelled, "cancelled")),
            reply = self.with_retries(request, &deltas) => reply,
        }
    }
}

/// Context windows in tokens, by the beginning of the model's name, as the providers document them.
fn known_window(name: &str) -> u64 {
    const WINDOWS: [(&str, u64); 7] = [
        ("claude-", 200_000),
        ("gpt-4.1", 1_000_000),
        ("gpt-5", 400_000),
        ("gpt-3.5", 16_385),
        ("o1", 200_000),
        ("o3", 200_000),
        ("o4", 200_000),
    ];
    let name = name.rsplit('/').next().unwrap_or(name);
    WINDOWS
        .iter()
        .find(|(prefix, _)| name.starts_with(prefix))
        .map_or(USUAL_WINDOW, |(_, window)| *window)
}
