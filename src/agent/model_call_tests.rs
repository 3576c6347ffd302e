//! Tests of a model call: items, coalescing, retries, silence, a model that does not come back.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::agent::cancel::CancelReason;
use crate::agent::events::tests::Recorder;
use crate::protocol::Message;
use crate::protocol::Role;
use crate::protocol::StopReason;
use crate::protocol::Usage;
use crate::protocol::port::ModelInfo;

/// Sends deltas with pauses in milliseconds before each, then replies with `text` (or never).
struct Paced {
    deltas: Vec<(u64, ModelDelta)>,
    text: Option<&'static str>,
}

#[async_trait]
impl ChatModel for Paced {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            provider: "paced".to_owned(),
            name: "p".to_owned(),
            context_window: 1_000,
            window_setting: None,
        }
    }

    async fn respond(
        &self,
        _request: &ModelRequest,
        deltas: mpsc::Sender<ModelDelta>,
        _cancel: CancellationToken,
    ) -> Result<ModelReply, ModelError> {
        for (pause, delta) in &self.deltas {
            tokio::time::sleep(Duration::from_millis(*pause)).await;
            deltas.try_send(delta.clone()).ok();
        }
        match self.text {
            Some(text) => Ok(ModelReply {
                message: Message::text(Role::Assistant, text),
                stop: StopReason::EndTurn,
                usage: Usage::default(),
                model: "p".to_owned(),
                rung: None,
            }),
            None => std::future::pending().await,
        }
    }
}

fn text(text: &str) -> ModelDelta {
    ModelDelta::Text { text: text.to_owned() }
}

/// Events as `started`, `+piece`, `completed=whole` and so on.
async fn events_of(model: Paced, cancel: &Cancellation) -> Vec<String> {
    let recorder = Arc::new(Recorder::default());
    let emitter = Emitter::new(recorder.clone());
    ask(&model, &ModelRequest::default(), &Vault::default(), &emitter, cancel, Pacing::default())
        .await
        .ok();
    let said = |body: &ItemBody| match body {
        ItemBody::AgentMessage { text } => text.clone(),
        ItemBody::Reasoning { text } => format!("({text})"),
        other => format!("{other:?}"),
    };
    recorder
        .events()
        .iter()
        .map(|event| match event {
            Event::ItemStarted { .. } => "started".to_owned(),
            Event::ItemUpdated { item } => format!("+{}", said(&item.body)),
            Event::ItemCompleted { item } => format!("{:?}={}", item.status, said(&item.body)),
            Event::Heartbeat { elapsed_ms, .. } => format!("heartbeat {elapsed_ms}"),
            Event::ModelRetry { attempt, .. } => format!("retry {attempt}"),
            other => format!("{other:?}"),
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn pieces_are_gathered_and_the_end_has_the_whole() {
    let deltas = vec![(0, text("a")), (10, text("b")), (10, text("c")), (200, text("d"))];
    let model = Paced { deltas, text: Some("abcd") };
    let events = events_of(model, &Cancellation::new()).await;
    assert_eq!(events, ["started", "+abc", "Completed=abcd"]);
}

#[tokio::test(start_paused = true)]
async fn silence_is_filled_with_heartbeats() {
    let model = Paced { deltas: vec![(12_000, text("late"))], text: Some("late") };
    let events = events_of(model, &Cancellation::new()).await;
    assert_eq!(events, ["heartbeat 5000", "heartbeat 10000", "started", "Completed=late"]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_ends_what_was_begun_and_starts_over() {
    let retry = ModelDelta::Retry { attempt: 1, wait_ms: 5, reason: "503".to_owned() };
    let thought = ModelDelta::Reasoning { text: "hm".to_owned() };
    let deltas = vec![(0, thought), (0, text("ha")), (0, retry), (0, text("half"))];
    let model = Paced { deltas, text: Some("half of it") };
    let events = events_of(model, &Cancellation::new()).await;
    assert_eq!(
        events,
        [
            "started",
            "started",
            "Failed=(hm)",
            "Failed=ha",
            "retry 1",
            "started",
            "Completed=half of it"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_that_ignores_cancellation_is_left_alone() {
    let cancel = Cancellation::new();
    let canceller = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        canceller.cancel(CancelReason::Interrupted);
    });
    let begun = Instant::now();
    let model = Paced { deltas: vec![(0, text("half"))], text: None };
    let events = events_of(model, &cancel).await;
    assert_eq!(events, ["started", "+half", "Cancelled=half"]);
    assert_eq!(begun.elapsed(), Duration::from_millis(500) + GRACE);
}
