//! Models that are computed in this process: Python decides, the kernel computes, and this is who
//! waits for both.
//!
//! Operations `local.*` answer at once with the number of the job that computes; it is waited for
//! without a thread and without the interpreter, and cancelled directly. docs/local-models.md has
//! the picture.

mod bench;
mod custom;
mod found;
mod wire;

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use bench::Speed;
pub use bench::measure;
pub use custom::Custom;
pub(in crate::bridge) use custom::has_transformers;
pub use found::Found;
pub use found::Listing;
pub use found::Unreadable;
pub use found::find;
pub use found::listing;

use crate::bridge::jobs;
use crate::bridge::python::names;
use crate::bridge::python::worker::Python;
use crate::config::settings::ModelSettings;
use crate::protocol::ChatModel;
use crate::protocol::ModelDelta;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::ModelStage;
use crate::protocol::port::ModelInfo;

/// Tokens of the window where neither the settings nor the file say less; `_model.py` has the same.
const USUAL_WINDOW: u64 = 8192;
/// Progress is told at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// A model of the provider `local`.
pub struct LocalModel {
    python: Python,
    settings: ModelSettings,
    found: Found,
}

impl LocalModel {
    /// Finds the file and reads its header; loads and starts nothing.
    pub fn new(python: Python, settings: ModelSettings) -> Result<Self, ModelError> {
        let found = find(&settings)?;
        Ok(Self { python, settings, found })
    }

    fn window(&self) -> u64 {
        let trained = match self.found.header.context_length() {
            0 => USUAL_WINDOW,
            trained => trained.min(USUAL_WINDOW),
        };
        self.settings.local.context_window.or(self.settings.context_window).unwrap_or(trained)
    }

    async fn answer(
        &self,
        request: &ModelRequest,
        deltas: &mpsc::Sender<ModelDelta>,
        running: &Running,
    ) -> Result<ModelReply, ModelError> {
        let payload = wire::OpenPayload {
            model: wire::Model::new(&self.settings, &self.found, self.window()),
            request,
        };
        let opened: wire::OpenAnswer = self.python.ask(names::LOCAL_OPEN, &payload).await?;
        let mut stream = Stream { python: self.python.clone(), id: Some(opened.stream) };
        let mut told = Told::default();
        let (mut job, mut stage) = (opened.wait, Some(ModelStage::Load));
        let mut seen = 0;
        loop {
            running.0.store(job, Ordering::Relaxed);
            if let Some(news) = jobs::news(job, seen).await {
                seen = news.version;
                if let Some(stage) = stage.filter(|_| !news.done && news.progress < 1.0) {
                    told.progress(stage, news.progress, deltas);
                    continue;
                }
            }
            let payload = wire::StreamPayload { stream: opened.stream };
            let fed: wire::FeedAnswer = self.python.ask(names::LOCAL_FEED, &payload).await?;
            for delta in fed.deltas {
                // The port's rule: a slow reader loses deltas, never the reply.
                deltas.try_send(delta).ok();
            }
            if let Some(reply) = fed.reply {
                stream.id = None;
                running.0.store(0, Ordering::Relaxed);
                return Ok(reply);
            }
            let Some(wait) = fed.wait else {
                let message = "the local model gave neither a reply nor a job to wait for";
                return Err(ModelError::new(ModelErrorKind::Interpreter, message));
            };
            stage = fed.stage.and_then(wire::Stage::silent);
            if wait != job {
                (job, seen) = (wait, 0);
            }
        }
    }
}

#[async_trait]
impl ChatModel for LocalModel {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            provider: "local".to_owned(),
            name: self.found.name.clone(),
            context_window: self.window(),
            window_setting: Some(self.settings.own_window_setting()),
        }
    }

    async fn respond(
        &self,
        request: &ModelRequest,
        deltas: mpsc::Sender<ModelDelta>,
        cancel: CancellationToken,
    ) -> Result<ModelReply, ModelError> {
        let running = Running::default();
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(ModelError::new(ModelErrorKind::Cancelled, "cancelled")),
            reply = self.answer(request, &deltas, &running) => reply,
        }
    }
}

/// The job of an answer on its way; 0 means none. Whoever drops it before its end stops it.
#[derive(Default)]
struct Running(AtomicU64);

impl Drop for Running {
    fn drop(&mut self) {
        jobs::cancel(self.0.load(Ordering::Relaxed));
    }
}

/// What was told of progress.
#[derive(Default)]
struct Told(Option<tokio::time::Instant>);

impl Told {
    fn progress(&mut self, stage: ModelStage, done: f32, deltas: &mpsc::Sender<ModelDelta>) {
        let now = tokio::time::Instant::now();
        // What is over at once is not worth a word.
        let last = *self.0.get_or_insert(now);
        if now.duration_since(last) >= PROGRESS_EVERY {
            self.0 = Some(now);
            deltas.try_send(ModelDelta::Progress { stage, done }).ok();
        }
    }
}

/// Python's end of an answer; dropped before its end, it is told to forget it.
struct Stream {
    python: Python,
    id: Option<u64>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let (Some(stream), Ok(runtime)) = (self.id.take(), Handle::try_current()) else { return };
        let python = self.python.clone();
        runtime.spawn(async move {
            let payload = wire::StreamPayload { stream };
            let closed: Result<(), _> = python.ask(names::LOCAL_CLOSE, &payload).await;
            if let Err(error) = closed {
                tracing::debug!(%error, stream, "a local answer could not be closed");
            }
        });
    }
}
