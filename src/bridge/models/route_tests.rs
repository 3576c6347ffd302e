//! Tests of a route: who is asked, who rests, what is told, and what is never passed over.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use super::*;
use crate::protocol::Message;
use crate::protocol::Role;
use crate::protocol::StopReason;
use crate::protocol::Usage;

/// Fails with each kind in turn, then answers its name.
struct Failing {
    name: &'static str,
    kinds: Vec<ModelErrorKind>,
    retry_after_s: Option<f64>,
    asked: AtomicUsize,
}

impl Failing {
    fn new(name: &'static str, kinds: &[ModelErrorKind]) -> Arc<Self> {
        let kinds = kinds.to_vec();
        Arc::new(Self { name, kinds, retry_after_s: None, asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl ChatModel for Failing {
    fn info(&self) -> ModelInfo {
        let (provider, name) = ("p".to_owned(), self.name.to_owned());
        let window_setting = Some(WINDOW_SETTING.to_owned());
        ModelInfo { provider, name, context_window: 1_000, window_setting }
    }

    async fn respond(
        &self,
        _request: &ModelRequest,
        _deltas: mpsc::Sender<ModelDelta>,
        _cancel: CancellationToken,
    ) -> Result<ModelReply, ModelError> {
        let count = self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(kind) = self.kinds.get(count) {
            let error = ModelError::new(*kind, format!("{} fails", self.name));
            return Err(ModelError { retry_after_s: self.retry_after_s, ..error });
        }
        Ok(ModelReply {
            message: Message::text(Role::Assistant, self.name),
            stop: StopReason::EndTurn,
            usage: Usage::default(),
            model: self.name.to_owned(),
            rung: None,
        })
    }
}

const REST: Duration = Duration::from_mins(1);

fn route(models: &[&Arc<Failing>]) -> RoutedModel {
    let rungs = (1..).zip(models).map(|(place, model)| Rung {
        place,
        model: Arc::clone(model) as Arc<dyn ChatModel>,
        fall_over_on: FallOver::USUAL.to_vec(),
    });
    RoutedModel::new("work", rungs.collect(), REST).unwrap()
}

/// The answer or the error, and the rungs that were told, as `2:reason`.
async fn ask(model: &RoutedModel) -> (Result<String, ModelError>, Vec<String>) {
    let (sender, mut deltas) = mpsc::channel(16);
    let reply = model.respond(&ModelRequest::default(), sender, CancellationToken::new()).await;
    let mut told = Vec::new();
    while let Ok(ModelDelta::Rung(taken)) = deltas.try_recv() {
        told.push(format!("{}:{}", taken.place, taken.reason.unwrap_or_default()));
    }
    (reply.map(|reply| format!("{}@{}", reply.model, reply.rung.unwrap())), told)
}

#[tokio::test(start_paused = true)]
async fn the_next_one_answers_and_the_failed_one_rests() {
    let first = Failing::new("a", &[ModelErrorKind::Server]);
    let second = Failing::new("b", &[]);
    let model = route(&[&first, &second]);
    let (answer, told) = ask(&model).await;
    assert_eq!(answer.unwrap(), "b@2");
    assert_eq!(told, ["1:", "2:a fails"]);
    assert_eq!(model.info().name, "b");
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(ask(&model).await.1, ["2:"], "it rests");
    assert_eq!(first.asked(), 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    let (answer, told) = ask(&model).await;
    assert_eq!((answer.unwrap().as_str(), told), ("a@1", vec!["1:".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_time_gets_it() {
    let first = Arc::new(Failing {
        name: "a",
        kinds: vec![ModelErrorKind::RateLimited],
        retry_after_s: Some(600.0),
        asked: AtomicUsize::new(0),
    });
    let second = Failing::new("b", &[]);
    let model = route(&[&first, &second]);
    ask(&model).await.0.unwrap();
    tokio::time::advance(REST * 9).await;
    assert_eq!(ask(&model).await.0.unwrap(), "b@2");
    tokio::time::advance(REST * 2).await;
    assert_eq!(ask(&model).await.0.unwrap(), "a@1");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_listed_is_not_passed_over() {
    for kind in [
        ModelErrorKind::Authentication,
        ModelErrorKind::InvalidRequest,
        ModelErrorKind::ContextTooLong,
        ModelErrorKind::Cancelled,
        ModelErrorKind::Interpreter,
        ModelErrorKind::Configuration,
        ModelErrorKind::OutsideBuiltin,
        ModelErrorKind::ReplayDiverged,
    ] {
        let first = Failing::new("a", &[kind]);
        let second = Failing::new("b", &[]);
        let error = ask(&route(&[&first, &second])).await.0.unwrap_err();
        assert_eq!(error.kind, kind);
        assert_eq!(error.message, "route `work`: p/a: a fails");
        assert_eq!(second.asked(), 0, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn authentication_is_passed_over_where_it_is_listed() {
    let first = Failing::new("a", &[ModelErrorKind::Authentication]);
    let second = Failing::new("b", &[]);
    let mut model = route(&[&first, &second]);
    model.rungs[0].fall_over_on = vec![FallOver::Authentication];
    let (answer, told) = ask(&model).await;
    assert_eq!(answer.unwrap(), "b@2");
    assert_eq!(told, ["1:", "2:a fails"]);
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_each_is_named_and_all_are_asked_again() {
    let first = Failing::new("a", &[ModelErrorKind::Unreachable; 2]);
    let second = Failing::new("b", &[ModelErrorKind::Server]);
    let model = route(&[&first, &second]);
    let error = ask(&model).await.0.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Unreachable, "the one that is wanted decides");
    assert_eq!(error.message, "route `work`: p/a: a fails; p/b: b fails");
    let (answer, told) = ask(&model).await;
    assert_eq!(answer.unwrap(), "b@2", "all rest, so none is left out");
    assert_eq!(told, ["1:", "2:a fails"]);
}

#[tokio::test(start_paused = true)]
async fn the_failure_that_ends_it_decides() {
    let first = Failing::new("a", &[ModelErrorKind::Unreachable]);
    let second = Failing::new("b", &[ModelErrorKind::Authentication]);
    let error = ask(&route(&[&first, &second])).await.0.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Authentication);
    assert_eq!(error.message, "route `work`: p/b: b fails; p/a: a fails");
}

#[test]
fn a_route_without_models_is_none() {
    assert!(RoutedModel::new("work", Vec::new(), REST).is_none());
}

/// The general setting of the window does not count here.
#[tokio::test]
async fn the_window_of_a_model_is_set_in_its_route() {
    let (first, second) = (Failing::new("a", &[ModelErrorKind::Server]), Failing::new("b", &[]));
    let model = route(&[&first, &second]);
    let setting = |place| format!("`context_window` of model {place} in `model.routes.work`");
    assert_eq!(model.info().window_setting, Some(setting(1)));
    ask(&model).await.0.unwrap();
    assert_eq!(model.info().window_setting, Some(setting(2)));
}
