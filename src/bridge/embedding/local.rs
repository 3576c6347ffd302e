//! Vectors from a model in this process: Python has the recipe, the kernel computes, and this waits
//! for both. docs/local-models.md has the picture.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde::Serialize;
use tokio::runtime::Handle;

use super::rows;
use crate::bridge::gguf;
use crate::bridge::gguf::Source;
use crate::bridge::jobs;
use crate::bridge::python::convert;
use crate::bridge::python::error::BridgeError;
use crate::bridge::python::names;
use crate::bridge::python::worker::Answer;
use crate::bridge::python::worker::Python;
use crate::config::models::embedding::BUNDLED;
use crate::config::models::embedding::EmbeddingSettings;
use crate::config::models::embedding::Pooling;
use crate::protocol::Embedder;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;

/// A call into Python takes microseconds here: jobs do the work.
const CALL: Duration = Duration::from_secs(10);

/// A GGUF model that makes vectors.
pub struct LocalEmbedder {
    python: Python,
    settings: EmbeddingSettings,
    id: String,
}

#[derive(Serialize)]
struct OpenPayload<'a> {
    source: &'a str,
    threads: u32,
    pooling: Pooling,
    max_tokens: u32,
    texts: &'a [String],
}

/// Answers of `embed.open` and `embed.feed`.
#[derive(Deserialize)]
struct Step {
    #[serde(default)]
    stream: u64,
    /// The job that is waited for; absent at the end.
    wait: Option<u64>,
    #[serde(default)]
    dimension: usize,
}

#[derive(Serialize)]
struct StreamPayload {
    stream: u64,
}

impl LocalEmbedder {
    /// Reads the header of the model's file; loads and starts nothing.
    pub fn new(python: Python, settings: EmbeddingSettings) -> Result<Self, ModelError> {
        let wrong = |error: gguf::GgufError| {
            let hint = error.hint();
            let error = ModelError::new(ModelErrorKind::Configuration, error.to_string());
            if let Some(hint) = hint {
                error.with_hint(hint)
            } else if settings.name == BUNDLED {
                error.with_hint(
                    "the released files carry this model; otherwise set embedding.name to a GGUF file",
                )
            } else {
                error.with_hint("set embedding.name to a GGUF file of an embedding model")
            }
        };
        let source = Source::find(&settings.name).map_err(wrong)?;
        let header = gguf::read(&source).map_err(wrong)?;
        let name = header.name.as_deref().unwrap_or(&header.architecture);
        let id = format!("local/{name}/{}", header.embedding_length());
        Ok(Self { python, settings, id })
    }

    async fn call(
        &self,
        op: &'static str,
        payload: &impl Serialize,
    ) -> Result<Answer, BridgeError> {
        self.python.call_within(CALL, op, convert::to_wire(op, payload)?, Vec::new()).await
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
    fn id(&self) -> &str {
        &self.id
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ModelError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let settings = &self.settings;
        let payload = OpenPayload {
            source: &settings.name,
            threads: settings.threads,
            pooling: settings.pooling,
            max_tokens: settings.max_tokens,
            texts,
        };
        let answer = self.call(names::EMBED_OPEN, &payload).await?;
        let mut step: Step = convert::from_wire(names::EMBED_OPEN, &answer.json)?;
        let mut running = Running { python: self.python.clone(), stream: step.stream, job: None };
        loop {
            let Some(job) = step.wait else {
                let message = "the embedding gave neither vectors nor a job to wait for";
                return Err(ModelError::new(ModelErrorKind::Interpreter, message));
            };
            running.job = Some(job);
            let mut seen = 0;
            while let Some(news) = jobs::news(job, seen).await.filter(|news| !news.done) {
                seen = news.version;
            }
            let payload = StreamPayload { stream: running.stream };
            let answer = self.call(names::EMBED_FEED, &payload).await?;
            step = convert::from_wire(names::EMBED_FEED, &answer.json)?;
            if let [vectors] = &answer.buffers[..] {
                running.job = None;
                return rows(vectors, step.dimension, texts.len());
            }
        }
    }
}

/// Vectors on their way. Dropped before the end: the job is cancelled, Python forgets them.
struct Running {
    python: Python,
    stream: u64,
    job: Option<u64>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let (Some(job), Ok(runtime)) = (self.job, Handle::try_current()) else { return };
        jobs::cancel(job);
        let (python, stream) = (self.python.clone(), self.stream);
        runtime.spawn(async move {
            let Ok(payload) = convert::to_wire(names::EMBED_CLOSE, &StreamPayload { stream })
            else {
                return;
            };
            if let Err(error) = python.call(names::EMBED_CLOSE, payload, Vec::new()).await {
                tracing::debug!(%error, stream, "an embedding could not be closed");
            }
        });
    }
}
