//! Vectors from a server with `/v1/embeddings`: the adapter in Python writes and reads the bodies,
//! this sends them.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use tokio::time::Instant;
use tokio::time::timeout_at;

use super::rows;
use crate::bridge::models::remote::AuthStyle;
use crate::bridge::models::remote::Endpoint;
use crate::bridge::python::convert;
use crate::bridge::python::names;
use crate::bridge::python::worker::Python;
use crate::config::models::embedding::EmbeddingSettings;
use crate::network::Client;
use crate::network::HttpRequest;
use crate::network::Method;
use crate::network::Purpose;
use crate::network::retry;
use crate::network::retry::Failure;
use crate::network::retry::RetryPolicy;
use crate::network::retry::Verdict;
use crate::protocol::Embedder;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;

/// Texts of one request; servers take some hundreds or thousands.
const BATCH: usize = 128;
/// Bytes of an answer: a batch of long vectors as text has some megabytes.
const MAX_ANSWER: usize = 64 << 20;
/// Bytes of an error's text that are shown.
const MAX_REASON: usize = 200;

/// A remote embedding model.
pub struct RemoteEmbedder {
    python: Python,
    client: Client,
    endpoint: Endpoint,
    name: String,
    id: String,
}

#[derive(Serialize)]
struct RequestPayload<'a> {
    name: &'a str,
    texts: &'a [String],
}

#[derive(Deserialize)]
struct RequestAnswer {
    path: String,
    body: String,
}

#[derive(Serialize)]
struct ResponsePayload {
    count: usize,
}

#[derive(Deserialize)]
struct ResponseAnswer {
    dimension: usize,
}

/// A failed try.
struct Failed {
    error: ModelError,
    failure: Failure,
    asked: Option<Duration>,
}

impl From<ModelError> for Failed {
    fn from(error: ModelError) -> Self {
        let failure = match error.kind {
            ModelErrorKind::Malformed => Failure::Malformed,
            _ => Failure::Final,
        };
        Self { error, failure, asked: None }
    }
}

impl RemoteEmbedder {
    /// Checks the address; connects to nothing.
    pub fn new(
        python: Python,
        client: Client,
        settings: EmbeddingSettings,
    ) -> Result<Self, ModelError> {
        let endpoint = Endpoint::for_embeddings(&settings)?;
        let id = format!("{}/{}", endpoint.target(), settings.name);
        Ok(Self { python, client, endpoint, name: settings.name, id })
    }

    async fn batch(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        let payload = RequestPayload { name: &self.name, texts };
        let request: RequestAnswer = self.python.ask(names::EMBED_REQUEST, &payload).await?;
        let limit = self.client.settings().total_timeout;
        let deadline = Instant::now() + limit;
        let policy = RetryPolicy::new(self.client.settings().max_retries);
        let mut retries = 0;
        loop {
            let failed = match timeout_at(deadline, self.attempt(&request, texts.len())).await {
                Ok(Ok(vectors)) => return Ok(vectors),
                Ok(Err(failed)) => failed,
                Err(_) => {
                    let target = self.endpoint.target();
                    let message = format!("no vectors of `{target}` within {limit:?}");
                    return Err(ModelError::new(ModelErrorKind::Timeout, message));
                }
            };
            let remaining = deadline.saturating_duration_since(Instant::now());
            let random = rand::random();
            match policy.decide(failed.failure, retries, failed.asked, remaining, random) {
                Verdict::GiveUp => return Err(failed.error),
                Verdict::Wait(wait) => {
                    retries += 1;
                    tracing::debug!(retries, ?wait, error = %failed.error.message, "tried again");
                    if !self.client.replays() {
                        tokio::time::sleep(wait).await;
                    }
                }
            }
        }
    }

    async fn attempt(
        &self,
        request: &RequestAnswer,
        count: usize,
    ) -> Result<Vec<Vec<f32>>, Failed> {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        self.endpoint.add_headers(&mut headers, AuthStyle::Bearer);
        let sent = self.client.send(HttpRequest {
            method: Method::Post,
            url: self.endpoint.url(&request.path),
            headers,
            body: request.body.clone().into(),
            purpose: Purpose::Model,
        });
        let response = sent.await.map_err(|error| {
            let failure = error.failure();
            Failed { error: error.into(), failure, asked: None }
        })?;
        let status = response.status;
        let asked = retry::retry_after(|name| response.header(name));
        let text = response.body.text(MAX_ANSWER).await.map_err(|error| {
            let failure = error.failure();
            Failed { error: error.into(), failure, asked: None }
        })?;
        if !(200..300).contains(&status) {
            let error = self.refused(status, &text);
            return Err(Failed { error, failure: Failure::Status(status), asked });
        }
        Ok(self.vectors(text, count).await?)
    }

    async fn vectors(&self, text: String, count: usize) -> Result<Vec<Vec<f32>>, ModelError> {
        let payload = convert::to_wire(names::EMBED_RESPONSE, &ResponsePayload { count })?;
        let body = vec![Bytes::from(text)];
        let answer = self.python.call(names::EMBED_RESPONSE, payload, body).await?;
        let facts: ResponseAnswer = convert::from_wire(names::EMBED_RESPONSE, &answer.json)?;
        rows(answer.buffers.first().map_or(&[], Bytes::as_ref), facts.dimension, count)
    }

    fn refused(&self, status: u16, text: &str) -> ModelError {
        let kind = match status {
            401 | 403 => ModelErrorKind::Authentication,
            429 => ModelErrorKind::RateLimited,
            500.. => ModelErrorKind::Server,
            _ => ModelErrorKind::InvalidRequest,
        };
        let said = serde_json::from_str::<serde_json::Value>(text).ok();
        let said = said.as_ref().and_then(|value| value["error"]["message"].as_str());
        let reason: String = said.unwrap_or(text).trim().chars().take(MAX_REASON).collect();
        let target = self.endpoint.target();
        let message = format!("`{target}` made no vectors: HTTP {status}: {reason}");
        let message = self.endpoint.without_key(&message);
        let hint = (kind == ModelErrorKind::Authentication).then(|| {
            "set embedding.api_key, or embedding.base_url to a server that needs none".into()
        });
        ModelError { status: Some(status), hint, ..ModelError::new(kind, message) }
    }
}

#[async_trait]
impl Embedder for RemoteEmbedder {
    fn id(&self) -> &str {
        &self.id
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        if !self.client.replays() {
            self.endpoint.check_key()?;
        }
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            vectors.extend(self.batch(batch).await?);
        }
        Ok(vectors)
    }
}
