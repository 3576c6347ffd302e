//! Limits, cancellation, time, and a conversation that outgrows its window.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::settings::ModelPrice;
use crate::protocol::ModelDelta;
use crate::protocol::ModelError;
use crate::protocol::ModelReply;
use crate::protocol::ModelRequest;
use crate::protocol::port::ModelInfo;

fn look() -> Value {
    let mut turn = calls("file_read", json!({"target": "a"}));
    turn["usage"] = json!({"input_tokens": 100, "output_tokens": 10});
    turn
}

#[tokio::test]
async fn each_limit_ends_the_run_with_its_code() {
    let endless = || Value::Array(vec![look(); 30]);
    let mut bench = Bench::new(endless()).with(|parts| parts.limits.max_turns = 2);
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!((code(&outcome), outcome.turns), (53, 2));
    assert_eq!(outcome.outcome, crate::protocol::OutcomeKind::Limited);
    let mut bench = Bench::new(endless()).with(|parts| parts.limits.max_tokens = Some(300));
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!((code(&outcome), outcome.turns), (56, 3));
    let mut bench = Bench::new(endless()).with(|parts| {
        parts.limits.max_cost = Some(0.002);
        let price = ModelPrice { input: 10.0, cached_input: None, output: 0.0 };
        parts.prices = Prices::new(vec![Some(price)]);
    });
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!((code(&outcome), outcome.turns), (56, 2));
    assert!((outcome.cost.unwrap() - 0.002).abs() < 1e-9);
}

#[tokio::test]
async fn an_answer_that_exceeds_a_limit_stands_and_ends_the_run_with_the_limits_code() {
    let answer = json!([{"text": "42", "usage": {"input_tokens": 100, "output_tokens": 10}}]);
    for (limit, expected) in [(110, 0), (109, 56)] {
        let mut bench =
            Bench::new(answer.clone()).with(|parts| parts.limits.max_tokens = Some(limit));
        let outcome = bench.run(Task::text("go")).await;
        assert_eq!((code(&outcome), outcome.text.as_str()), (expected, "42"), "{limit}");
        assert_eq!(outcome.errors.is_empty(), expected == 0, "{:?}", outcome.errors);
    }
}

#[tokio::test(start_paused = true)]
async fn time_is_up_while_the_model_or_a_tool_is_slow() {
    for script in [
        json!([{"text": "late", "delay_ms": 60_000}]),
        json!([calls("file_read", json!({"do": "sleep"})), {"text": "late"}]),
    ] {
        let mut bench =
            Bench::new(script).with(|parts| parts.limits.timeout = Some(Duration::from_secs(3)));
        let begun = tokio::time::Instant::now();
        let outcome = bench.run(Task::text("go")).await;
        assert_eq!(code(&outcome), 124);
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn signals_end_a_run_with_their_own_codes() {
    for (reason, expected) in [(CancelReason::Interrupted, 130), (CancelReason::Terminated, 143)] {
        for script in [
            json!([{"text": "late", "delay_ms": 60_000}]),
            json!([calls("file_read", json!({"do": "sleep"})), {"text": "late"}]),
        ] {
            let mut bench = Bench::new(script);
            let cancel = Cancellation::new();
            let canceller = cancel.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                canceller.cancel(reason);
            });
            let outcome = bench.run_with(Task::text("go"), None, &cancel).await;
            assert_eq!(code(&outcome), expected);
            assert_eq!(outcome.errors, [reason.as_str()]);
            let events = bench.events();
            assert!(
                matches!(&events[events.len() - 2], Event::TurnFailed { .. }),
                "{:?}",
                bench.log()
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_asked_of_a_run_that_is_cancelled_before_it_begins() {
    let cancel = Cancellation::new();
    cancel.cancel(CancelReason::Interrupted);
    let mut bench = Bench::new(json!([{"text": "x"}]));
    let outcome = bench.run_with(Task::text("go"), None, &cancel).await;
    assert_eq!((code(&outcome), outcome.turns), (130, 0));
}

#[tokio::test]
async fn a_full_window_is_compacted_before_the_next_request() {
    let long = "x".repeat(3_000);
    let mut turns = vec![calls("file_read", json!({ "target": long })); 8];
    // The model writes the summary when it is asked for one.
    turns.push(json!({"text": "eight files were read", "expect": "You shorten a conversation"}));
    turns.push(json!({"text": "done", "expect": ["eight files were read", "the very task"]}));
    let script = json!({"context_window": 8_000, "turns": turns});
    let mut bench = Bench::new(script);
    let outcome = bench.run(Task::text("the very task")).await;
    // A turn of the script too few or too many would have diverged.
    assert_eq!((code(&outcome), outcome.text.as_str()), (0, "done"), "{:?}", outcome.errors);
    let events = bench.events();
    let compacted = events.iter().find_map(|event| match event {
        Event::ContextCompacted { tokens_before, tokens_after, .. } => {
            Some((*tokens_before, *tokens_after))
        }
        _ => None,
    });
    let (before, after) = compacted.expect("no compaction");
    assert!(after < before && after < 3_500, "{before} {after}");
}

/// Writes no summary, whoever wants it to stop.
struct NoSummary(ScriptedModel);

#[async_trait]
impl ChatModel for NoSummary {
    fn info(&self) -> ModelInfo {
        self.0.info()
    }

    async fn respond(
        &self,
        request: &ModelRequest,
        deltas: mpsc::Sender<ModelDelta>,
        cancel: CancellationToken,
    ) -> Result<ModelReply, ModelError> {
        if request.system.starts_with("You shorten a conversation") {
            std::future::pending::<()>().await;
        }
        self.0.respond(request, deltas, cancel).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_never_comes_does_not_outlive_the_run() {
    let turns = vec![calls("file_read", json!({ "target": "x".repeat(3_000) })); 9];
    let script = json!({"context_window": 8_000, "turns": turns}).to_string();
    let mut bench = Bench::new(json!([])).with(|parts| {
        parts.model = Arc::new(NoSummary(ScriptedModel::from_json(&script).unwrap()));
        parts.limits.timeout = Some(Duration::from_mins(1));
    });
    let run = tokio::time::timeout(Duration::from_secs(70), bench.run(Task::text("go")));
    assert_eq!(code(&run.await.expect("an end")), 124);
}

#[tokio::test]
async fn a_provider_that_says_too_long_is_asked_once_more_with_less() {
    let too_long = json!({"error": {"kind": "context_too_long", "message": "too long"}});
    let read = calls("file_read", json!({"target": "x".repeat(20_000)}));
    let script = json!([read, read, read, too_long, {"text": "summary"}, {"text": "done"}]);
    let mut bench = Bench::new(script);
    assert_eq!(code(&bench.run(Task::text("go")).await), 0);
    // Twice too long is the end.
    let script = json!([read, read, read, too_long, {"text": "summary"}, too_long]);
    let mut bench = Bench::new(script);
    assert_eq!(code(&bench.run(Task::text("go")).await), 46);
    // And where nothing can be left out it is the end at once.
    let mut bench = Bench::new(json!([too_long]));
    assert_eq!(code(&bench.run(Task::text("go")).await), 46);
}

/// Reads nothing until it is let.
struct Slow {
    recorder: Arc<Recorder>,
    reads: tokio::sync::Semaphore,
}

#[async_trait]
impl crate::protocol::EventSink for Slow {
    fn emit(&self, event: Event) {
        self.recorder.emit(event);
    }

    async fn ready(&self) {
        self.reads.acquire().await.unwrap().forget();
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_for_whoever_reads_its_events() {
    let read = calls("file_read", json!({"target": "a"}));
    let mut bench = Bench::new(json!([read, {"text": "done"}]));
    let reads = tokio::sync::Semaphore::new(0);
    let sink = Arc::new(Slow { recorder: bench.recorder.clone(), reads });
    let agent = Agent::new(bench.parts.take().unwrap());
    let cancel = Cancellation::new();
    {
        let mut run = std::pin::pin!(agent.run(Task::text("go"), sink.clone(), None, &cancel));
        let (mut counts, hour) = (Vec::new(), Duration::from_hours(1));
        let outcome = loop {
            match tokio::time::timeout(hour, &mut run).await {
                Ok(outcome) => break outcome,
                Err(_) => counts.push(bench.events().len()),
            }
            sink.reads.add_permits(1);
        };
        assert_eq!((code(&outcome), counts.len()), (0, 3), "two turns, and calls: {counts:?}");
        assert_eq!(counts[0], 1, "nothing is begun before there is room");
        assert!(counts.is_sorted_by(|left, right| left < right), "{counts:?}");
    }
    // A cancellation is heard all the same.
    let mut bench = Bench::new(json!([{"text": "done"}]));
    let agent = Agent::new(bench.parts.take().unwrap());
    let run = agent.run(Task::text("go"), sink, None, &cancel);
    let stop = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        cancel.cancel(CancelReason::Interrupted);
    };
    let (outcome, ()) = tokio::join!(run, stop);
    assert_eq!(code(&outcome), 130);
}
