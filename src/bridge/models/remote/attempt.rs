//! One try: open, send, feed, close.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::RemoteModel;
use super::reader::Reader;
use super::reader::Unreadable;
use super::reader::is_cut;
use super::wire::AdapterSettings;
use super::wire::CloseAnswer;
use super::wire::ClosePayload;
use super::wire::ErrorAnswer;
use super::wire::ErrorPayload;
use super::wire::FeedAnswer;
use super::wire::FeedPayload;
use super::wire::OpenAnswer;
use super::wire::OpenPayload;
use crate::bridge::python::error::BridgeError;
use crate::bridge::python::names;
use crate::bridge::python::worker::Python;
use crate::network::HttpRequest;
use crate::network::HttpResponse;
use crate::network::Method;
use crate::network::NetworkError;
use crate::network::Purpose;
use crate::network::retry;
use crate::network::retry::Failure;
use crate::network::sse::SseEvent;
use crate::protocol::ModelDelta;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;

/// Bytes of an error's body that are read.
const MAX_ERROR_BODY: usize = 64 << 10;
/// How long the end of a finished answer is waited for, so that the connection can be used again.
const LAST_BYTES: Duration = Duration::from_millis(100);
/// Events that are handed over at once.
const MAX_BATCH: usize = 512;
/// Bytes of a portion's events after which no further portion goes along.
const MAX_BATCH_BYTES: usize = 1 << 20;
/// Bytes of one answer (text, reasoning, calls), in MiB: a hundred times what any model writes at once.
/// All of it is held in memory, and a server that never ends must not fill that.
const MAX_ANSWER_MIB: usize = 32;

/// A failed try: what to say, and whether another could help.
pub(super) struct Failed {
    pub(super) error: ModelError,
    pub(super) failure: Failure,
    /// How long the server asks to wait.
    pub(super) asked: Option<Duration>,
}

impl Failed {
    fn new(error: ModelError, failure: Failure) -> Self {
        Self { error, failure, asked: None }
    }

    /// The same, since the answer had begun already.
    fn cut(mut self) -> Self {
        self.error.kind = ModelErrorKind::Malformed;
        self.failure = Failure::Cut;
        self
    }

    /// Asked again it would do the same, and every try is paid for.
    fn endless() -> Self {
        let message = format!("the answer is larger than {MAX_ANSWER_MIB} MiB and was given up");
        let mut error = ModelError::new(ModelErrorKind::Malformed, message);
        error.hint = Some("the server does not end it: bound it by `model.max_output_tokens`, or choose another model".to_owned());
        Self::new(error, Failure::Final)
    }

    fn malformed(target: &str, what: impl std::fmt::Display, failure: Failure) -> Self {
        let message = format!("`{target}`: {what}");
        Self::new(ModelError::new(ModelErrorKind::Malformed, message), failure)
    }
}

impl From<NetworkError> for Failed {
    fn from(error: NetworkError) -> Self {
        let failure = error.failure();
        Self::new(error.into(), failure)
    }
}

impl From<BridgeError> for Failed {
    /// An adapter's exception: either the provider's own words or a defect of ours.
    fn from(error: BridgeError) -> Self {
        let error = ModelError::from(error);
        let failure = match error.kind {
            ModelErrorKind::RateLimited => Failure::Status(429),
            ModelErrorKind::Server => Failure::Status(500),
            ModelErrorKind::Malformed => Failure::Malformed,
            _ => Failure::Final,
        };
        Self::new(error, failure)
    }
}

impl RemoteModel {
    pub(super) async fn attempt(
        &self,
        request: &ModelRequest,
        deltas: &mpsc::Sender<ModelDelta>,
    ) -> Result<ModelReply, Failed> {
        let (stream, http) = self.open(request).await?;
        let response = self.client.send(http).await?;
        if !(200..300).contains(&response.status) {
            return Err(self.refused(response).await);
        }
        self.read(stream, response, deltas).await
    }

    /// The HTTP request, key included, and the adapter's end of the stream.
    async fn open(&self, request: &ModelRequest) -> Result<(Stream, HttpRequest), Failed> {
        let settings = &self.settings;
        let words = self.schema_in_words.load(std::sync::atomic::Ordering::Relaxed);
        let payload = OpenPayload {
            provider: &settings.provider,
            settings: AdapterSettings {
                name: &settings.name,
                api: settings.api,
                max_output_tokens: settings.max_output_tokens,
                temperature: settings.temperature,
                reasoning_effort: settings.reasoning_effort.as_deref(),
                base_url: self.endpoint.is_custom().then_some(self.endpoint.target()),
                native_schema: !words,
            },
            request: request.into(),
        };
        let tools = self.written_tools.buffers(&request.tools)?;
        let asked = self.python.ask_with(names::ADAPTER_OPEN, &payload, tools).await?;
        let (opened, body): (OpenAnswer, _) = asked;
        let stream = Stream { python: self.python.clone(), id: Some(opened.stream), reply: None };
        let text = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let mut headers: Vec<_> =
            opened.http.headers.into_iter().map(|(name, value)| (name, text(value))).collect();
        headers.push(("accept".to_owned(), "text/event-stream, application/json".to_owned()));
        self.endpoint.add_headers(&mut headers, opened.auth);
        let http = HttpRequest {
            method: Method::Post,
            url: self.endpoint.url(&opened.http.path),
            headers,
            body: body.into_iter().next().ok_or_else(|| incomplete("request"))?,
            purpose: Purpose::Model,
        };
        Ok((stream, http))
    }

    /// What an HTTP error means.
    async fn refused(&self, response: HttpResponse) -> Failed {
        let status = response.status;
        let asked = retry::retry_after(|name| response.header(name));
        let useless = response.header("x-should-retry") == Some("false");
        let headers = response.headers.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        // An error without a readable body is still this error.
        let body =
            response.body.head(MAX_ERROR_BODY).await.map(|(bytes, _)| bytes).unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        let payload =
            ErrorPayload { provider: &self.settings.provider, status, headers, body: &body };
        let told: ErrorAnswer = match self.python.ask(names::ADAPTER_ERROR, &payload).await {
            Ok(told) => told,
            Err(error) => return error.into(),
        };
        let message = format!("`{}`: {}", self.endpoint.target(), told.message);
        let error = ModelError {
            hint: told.hint,
            status: Some(status),
            retry_after_s: asked.map(|wait| wait.as_secs_f64()),
            ..ModelError::new(told.kind, message)
        };
        let again = !useless && told.retry != Some(false);
        Failed {
            error,
            failure: if again { Failure::Status(status) } else { Failure::Final },
            asked,
        }
    }

    /// Feeds the body to the adapter until the reply is whole.
    async fn read(
        &self,
        mut stream: Stream,
        mut response: HttpResponse,
        deltas: &mpsc::Sender<ModelDelta>,
    ) -> Result<ModelReply, Failed> {
        let target = self.endpoint.target();
        let unreadable = |error: Unreadable| Failed::malformed(target, error, Failure::Malformed);
        let mut reader = Reader::default();
        loop {
            let mut broken = None;
            let ended = match response.body.next().await {
                None => true,
                Some(Err(error)) => {
                    broken = Some(error);
                    false
                }
                Some(Ok(portion)) => {
                    let mut events = reader.take(&portion).map_err(unreadable)?;
                    // What is there already goes along: one call of Python for all of it.
                    while has_room(&events) && broken.is_none() {
                        match response.body.ready() {
                            Some(Ok(portion)) => {
                                events.extend(reader.take(&portion).map_err(unreadable)?);
                            }
                            Some(Err(error)) => broken = Some(error),
                            None => break,
                        }
                    }
                    if stream.feed(&events, false, deltas).await? {
                        response.body.finish(LAST_BYTES).await?;
                        return stream.reply().await;
                    }
                    false
                }
            };
            if let Some(error) = broken {
                let cut = is_cut(&error);
                let failed = Failed::from(error);
                return Err(if cut { failed.cut() } else { failed });
            }
            if ended {
                let last: Vec<_> = reader.end().map_err(unreadable)?.into_iter().collect();
                let whole = stream.feed(&last, true, deltas).await?;
                // Without the end mark the adapter decides whether enough has come.
                let reply = stream.reply().await;
                return match reply {
                    Err(failed) if !whole && failed.error.kind == ModelErrorKind::Malformed => {
                        Err(Failed::malformed(target, failed.error.message, Failure::Cut))
                    }
                    reply => reply,
                };
            }
        }
    }
}

/// An answer of the adapter without what it is for.
fn incomplete(what: &str) -> Failed {
    let message = format!("the adapter gave no {what}");
    Failed::new(ModelError::new(ModelErrorKind::Interpreter, message), Failure::Final)
}

fn has_room(batch: &[SseEvent]) -> bool {
    let bytes: usize = batch.iter().map(|event| event.data.len()).sum();
    batch.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES
}

/// The adapter's end of a stream; dropped before its end, the adapter is told to forget it.
struct Stream {
    python: Python,
    /// `None`: the adapter has forgotten it.
    id: Option<u64>,
    /// Came with the last event.
    reply: Option<ModelReply>,
}

impl Stream {
    /// Hands events over; true once the reply is whole.
    async fn feed(
        &mut self,
        events: &[SseEvent],
        done: bool,
        deltas: &mpsc::Sender<ModelDelta>,
    ) -> Result<bool, Failed> {
        let Some(stream) = self.id else { return Ok(true) };
        if events.is_empty() {
            return Ok(false);
        }
        let payload = FeedPayload { stream, events, done };
        let fed: FeedAnswer = self.python.ask(names::ADAPTER_FEED, &payload).await?;
        if fed.held > MAX_ANSWER_MIB << 20 {
            return Err(Failed::endless());
        }
        for delta in fed.deltas {
            // The port's rule: a slow reader loses deltas, never the reply.
            deltas.try_send(delta).ok();
        }
        if fed.reply.is_some() {
            (self.id, self.reply) = (None, fed.reply);
        }
        Ok(fed.finished)
    }

    async fn reply(&mut self) -> Result<ModelReply, Failed> {
        if let Some(reply) = self.reply.take() {
            return Ok(reply);
        }
        let Some(stream) = self.id.take() else {
            let error =
                ModelError::new(ModelErrorKind::Interpreter, "the stream was closed before");
            return Err(Failed::new(error, Failure::Final));
        };
        let payload = ClosePayload { stream, complete: true };
        let closed: CloseAnswer = self.python.ask(names::ADAPTER_CLOSE, &payload).await?;
        closed.reply.ok_or_else(|| incomplete("reply"))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let (Some(stream), Ok(runtime)) = (self.id.take(), Handle::try_current()) else { return };
        let python = self.python.clone();
        runtime.spawn(async move {
            let payload = ClosePayload { stream, complete: false };
            let closed: Result<CloseAnswer, _> = python.ask(names::ADAPTER_CLOSE, &payload).await;
            if let Err(error) = closed {
                tracing::debug!(%error, stream, "an adapter could not be closed");
            }
        });
    }
}
