//! A route: several models in the order a person listed, of which the first that can answers.
//!
//! A model that failed for a reason its rung lists rests for a while; health lives as long as the
//! route, which is one run. Every change of model is told. Knows nothing of servers, and asks no
//! model that is not listed: `builtin` is a fallback only where it stands in the list.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::settings::FallOver;
use crate::protocol::ChatModel;
use crate::protocol::ModelDelta;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::RungTaken;
use crate::protocol::port::ModelInfo;
use crate::protocol::port::WINDOW_SETTING;

/// One model of a route.
pub struct Rung {
    /// Its place in the list, from 1.
    pub place: u32,
    pub model: Arc<dyn ChatModel>,
    pub fall_over_on: Vec<FallOver>,
}

impl Rung {
    fn name(&self) -> String {
        let info = self.model.info();
        format!("{}/{}", info.provider, info.name)
    }

    fn falls_over(&self, kind: ModelErrorKind) -> bool {
        sort(kind).is_some_and(|reason| self.fall_over_on.contains(&reason))
    }
}

/// What a failure counts as; `None` where another model would not be the remedy: a request that is
/// wrong, a conversation that is too long (the loop shortens it), our own defects.
fn sort(kind: ModelErrorKind) -> Option<FallOver> {
    match kind {
        ModelErrorKind::Unreachable | ModelErrorKind::NetworkForbidden => {
            Some(FallOver::Unreachable)
        }
        ModelErrorKind::Server => Some(FallOver::Server),
        ModelErrorKind::RateLimited => Some(FallOver::RateLimited),
        ModelErrorKind::Timeout => Some(FallOver::Timeout),
        ModelErrorKind::Malformed => Some(FallOver::Malformed),
        ModelErrorKind::Authentication => Some(FallOver::Authentication),
        ModelErrorKind::InvalidRequest
        | ModelErrorKind::ContextTooLong
        | ModelErrorKind::OutsideBuiltin
        | ModelErrorKind::ReplayDiverged
        | ModelErrorKind::Interpreter
        | ModelErrorKind::Configuration
        | ModelErrorKind::Cancelled => None,
    }
}

/// The models of a route behind one port.
pub struct RoutedModel {
    name: String,
    rungs: Vec<Rung>,
    rest: Duration,
    /// Locked for single statements.
    health: Mutex<Health>,
}

/// What this run has learned of the models.
struct Health {
    /// Index of the model that was asked last.
    current: usize,
    /// Until when each is left alone.
    rests_until: Vec<Option<Instant>>,
}

impl RoutedModel {
    /// `None` without any model. Asks and starts nothing.
    pub fn new(name: &str, rungs: Vec<Rung>, rest: Duration) -> Option<Self> {
        let health = Health { current: 0, rests_until: vec![None; rungs.len()] };
        let health = Mutex::new(health);
        (!rungs.is_empty()).then(|| Self { name: name.to_owned(), rungs, rest, health })
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The models to ask, in order: those that do not rest, or all where every one does.
    fn awake(&self) -> Vec<usize> {
        let now = Instant::now();
        let health = self.health();
        let rests = |index: &usize| health.rests_until[*index].is_some_and(|until| until > now);
        let awake: Vec<usize> = (0..self.rungs.len()).filter(|index| !rests(index)).collect();
        if awake.is_empty() { (0..self.rungs.len()).collect() } else { awake }
    }

    fn put_to_rest(&self, index: usize, error: &ModelError) {
        let asked = error.retry_after_s.and_then(|wait| Duration::try_from_secs_f64(wait).ok());
        let rest = asked.map_or(self.rest, |asked| asked.max(self.rest));
        self.health().rests_until[index] = Instant::now().checked_add(rest);
    }

    /// Asks one model, after saying that it is asked.
    async fn ask(
        &self,
        index: usize,
        left: Option<&ModelError>,
        request: &ModelRequest,
        deltas: &mpsc::Sender<ModelDelta>,
        cancel: &CancellationToken,
    ) -> Result<ModelReply, ModelError> {
        let rung = &self.rungs[index];
        self.health().current = index;
        let taken = RungTaken {
            route: self.name.clone(),
            place: rung.place,
            model: rung.name(),
            reason: left.map(|error| error.message.clone()),
        };
        // Unlike a piece of text this must not be lost; where nobody listens it goes nowhere.
        deltas.send(ModelDelta::Rung(taken)).await.ok();
        let reply = rung.model.respond(request, deltas.clone(), cancel.clone()).await?;
        self.health().rests_until[index] = None;
        Ok(ModelReply { rung: Some(rung.place), ..reply })
    }

    async fn first_that_can(
        &self,
        request: &ModelRequest,
        deltas: &mpsc::Sender<ModelDelta>,
        cancel: &CancellationToken,
    ) -> Result<ModelReply, ModelError> {
        let mut failed: Vec<(usize, ModelError)> = Vec::new();
        for index in self.awake() {
            let left = failed.last().map(|(_, error)| error);
            let error = match self.ask(index, left, request, deltas, cancel).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            if !self.rungs[index].falls_over(error.kind) {
                return Err(self.told(failed, Some((index, error))));
            }
            self.put_to_rest(index, &error);
            failed.push((index, error));
        }
        Err(self.told(failed, None))
    }

    /// One error for the whole call. What it is follows from the model that ended it: the one whose
    /// failure is not to be passed over, else the first of the list, since that one is wanted.
    fn told(
        &self,
        failed: Vec<(usize, ModelError)>,
        last: Option<(usize, ModelError)>,
    ) -> ModelError {
        let mut all = last.into_iter().chain(failed);
        let Some((first, mut error)) = all.next() else {
            return ModelError::new(ModelErrorKind::Configuration, "the route has no models");
        };
        if self.rungs.len() == 1 {
            return error;
        }
        let others = all.map(|(index, error)| self.line(index, &error));
        let lines: Vec<String> = std::iter::once(self.line(first, &error)).chain(others).collect();
        error.message = format!("route `{}`: {}", self.name, lines.join("; "));
        error
    }

    fn line(&self, index: usize, error: &ModelError) -> String {
        format!("{}: {}", self.rungs[index].name(), error.message)
    }
}

#[async_trait]
impl ChatModel for RoutedModel {
    /// Of the model that was asked last; before that of the first.
    fn info(&self) -> ModelInfo {
        let current = self.health().current;
        let (rung, mut info) = (&self.rungs[current], self.rungs[current].model.info());
        // The general setting does not count for a model of a route, its own does.
        if info.window_setting.as_deref() == Some(WINDOW_SETTING) {
            let setting =
                format!("`context_window` of model {} in `model.routes.{}`", rung.place, self.name);
            info.window_setting = Some(setting);
        }
        info
    }

    async fn respond(
        &self,
        request: &ModelRequest,
        deltas: mpsc::Sender<ModelDelta>,
        cancel: CancellationToken,
    ) -> Result<ModelReply, ModelError> {
        self.first_that_can(request, &deltas, &cancel).await
    }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
