//! Models of the person's own torch and transformers (provider `transformers`), in a child process.
//!
//! The child is this file again (`agi-agent python -m agi_agent.local.hub`) with the person's wheels
//! on its path: their compiled code never runs in the process that has the database open. It speaks
//! the operations of the bridge as JSON lines. It can open no connection: models are used from the
//! disk. docs/local-models.md says what bounds it.

mod child;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;

use async_trait::async_trait;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use child::Child;

use super::local::has_transformers;
use crate::config::models::local::AUTO;
use crate::config::models::local::Sampling;
use crate::config::models::local::ToolChoice;
use crate::config::settings::ModelSettings;
use crate::protocol::ChatModel;
use crate::protocol::ModelDelta;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::ModelStage;
use crate::protocol::port::ModelInfo;
use crate::system::memory;

/// Tokens of the window where the settings do not say.
const USUAL_WINDOW: u64 = 8192;

/// A model of the provider `transformers`.
pub struct TransformersModel {
    settings: ModelSettings,
    place: Place,
}

/// Where a child is kept: started by the first request, there for the next one, whichever run it is
/// of. One answer at a time.
type Place = Arc<Mutex<Option<Child>>>;

/// The place for the child with these wheels. A process has few of them, for as long as it lives: the
/// model stays in memory between the runs of `serve`. At its end the child ends with it.
fn place(wheels: &Path) -> Place {
    static PLACES: std::sync::Mutex<BTreeMap<PathBuf, Place>> =
        std::sync::Mutex::new(BTreeMap::new());
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(places.entry(wheels.to_path_buf()).or_default())
}

#[derive(Serialize)]
struct OpenPayload<'a> {
    model: Model<'a>,
    request: &'a ModelRequest,
}

#[derive(Serialize)]
struct Model<'a> {
    name: &'a str,
    context_window: u64,
    max_output_tokens: Option<u32>,
    temperature: Option<f64>,
    sampling: Sampling,
    thinking: bool,
    tool_choice: ToolChoice,
    threads: Option<u32>,
    device: Option<&'a str>,
    /// Bytes that the system can give now.
    memory: Option<u64>,
    trust_remote_code: bool,
}

#[derive(Serialize)]
struct StreamPayload {
    stream: u64,
}

#[derive(Deserialize)]
struct OpenAnswer {
    stream: u64,
}

#[derive(Deserialize)]
struct FeedAnswer {
    deltas: Vec<ModelDelta>,
    stage: Option<String>,
    reply: Option<ModelReply>,
}

/// What a person is told while nothing is written yet.
fn silent(stage: &str) -> Option<ModelStage> {
    match stage {
        "load" => Some(ModelStage::Load),
        "read" => Some(ModelStage::Read),
        _ => None,
    }
}

impl TransformersModel {
    /// Checks that this file can load wheels and that they are there; starts nothing.
    pub fn new(settings: ModelSettings) -> Result<Self, ModelError> {
        let wrong = |message: &str| ModelError::new(ModelErrorKind::Configuration, message);
        if crate::bridge::python::interpreter::is_static() {
            let message = "provider `transformers` needs compiled wheels, which this statically \
                           linked program cannot load";
            return Err(wrong(message).with_hint("use `agi-agent-gnu`"));
        }
        let wheels = settings.local.transformers.wheels.as_deref();
        let Some(wheels) = wheels.filter(|wheels| has_transformers(wheels)) else {
            let message = match wheels {
                None => "`python.wheels` names no directory with torch and transformers".to_owned(),
                Some(wheels) => {
                    format!(
                        "there are no wheels of torch and transformers in `{}`",
                        wheels.display()
                    )
                }
            };
            let hint = "install them with `pip install --target DIR --python-version 3.13 \
                        --only-binary=:all: torch transformers`, and set `python.wheels` to DIR";
            return Err(wrong(&message).with_hint(hint));
        };
        let place = place(wheels);
        if settings.name == AUTO {
            let hint = "`--model transformers/DIRECTORY`, as `save_pretrained` writes it";
            return Err(wrong("no model of transformers is named").with_hint(hint));
        }
        Ok(Self { settings, place })
    }

    fn window(&self) -> u64 {
        let own = self.settings.local.context_window;
        own.or(self.settings.context_window).unwrap_or(USUAL_WINDOW)
    }

    fn payload<'a>(&'a self, request: &'a ModelRequest) -> OpenPayload<'a> {
        let settings = &self.settings;
        let transformers = &settings.local.transformers;
        OpenPayload {
            model: Model {
                name: &settings.name,
                context_window: self.window(),
                max_output_tokens: settings.max_output_tokens,
                temperature: settings.temperature,
                sampling: settings.local.sampling,
                thinking: settings.local.thinking,
                tool_choice: settings.local.tool_choice,
                threads: settings.local.threads,
                memory: memory::available(),
                device: transformers.device.as_deref(),
                trust_remote_code: transformers.trust_remote_code.contains(&settings.name),
            },
            request,
        }
    }

    async fn answer(
        &self,
        child: &mut Child,
        request: &ModelRequest,
        deltas: &mpsc::Sender<ModelDelta>,
    ) -> Result<ModelReply, ModelError> {
        let opened: OpenAnswer = child.call("hub.open", &self.payload(request)).await?;
        let stream = StreamPayload { stream: opened.stream };
        let mut told = None;
        loop {
            let fed: FeedAnswer = child.call("hub.feed", &stream).await?;
            // How far it is, transformers does not say: the stage is told once.
            if let Some(stage) = fed.stage.as_deref().and_then(silent)
                && told.replace(stage) != Some(stage)
            {
                deltas.try_send(ModelDelta::Progress { stage, done: 0.0 }).ok();
            }
            for delta in fed.deltas {
                // The port's rule: a slow reader loses deltas, never the reply.
                deltas.try_send(delta).ok();
            }
            if let Some(reply) = fed.reply {
                return Ok(reply);
            }
        }
    }
}

#[async_trait]
impl ChatModel for TransformersModel {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            provider: "transformers".to_owned(),
            name: self.settings.name.clone(),
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
        let mut place = self.place.lock().await;
        let mut child = match place.take() {
            Some(child) => child,
            None => Child::start(self.settings.local.transformers.wheels.as_deref()).await?,
        };
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(ModelError::new(ModelErrorKind::Cancelled, "cancelled")),
            reply = self.answer(&mut child, request, &deltas) => reply,
        };
        // The model stays in memory, unless the child does not come back from what it does: then it is
        // ended (by being dropped), and the next request starts another.
        let free = match &result {
            Err(error) if error.kind == ModelErrorKind::Cancelled => child.close().await,
            _ => child.usable,
        };
        if free {
            *place = Some(child);
        }
        result
    }
}
