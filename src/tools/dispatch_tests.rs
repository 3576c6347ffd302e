//! What `dispatch` promises, shown on small tools that sleep, panic and ignore orders.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::tools::arguments;

/// Says what it should do in its arguments, and watches who runs beside it.
#[derive(Default)]
struct Probe {
    readers: AtomicUsize,
    writers: AtomicUsize,
    most_readers: AtomicUsize,
    overlaps: AtomicUsize,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    name: String,
    #[serde(default)]
    write: bool,
    #[serde(default)]
    sleep_ms: u64,
    behaviour: Option<String>,
}

struct ProbeTool(Arc<Probe>);

#[async_trait]
impl Tool for ProbeTool {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn description(&self) -> &'static str {
        "Shows what happens."
    }

    fn parameters(&self) -> Value {
        arguments::schema::<Args>()
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        arguments::parse::<Args>(arguments).map(drop)
    }

    fn effect(&self, arguments: &Value) -> Effect {
        if arguments["write"] == true { Effect::Write } else { Effect::Read }
    }

    fn target(&self, arguments: &Value) -> String {
        arguments["name"].as_str().unwrap_or_default().to_owned()
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let args: Args = arguments::parse(&arguments)?;
        let probe = &self.0;
        let (mine, others) = if args.write {
            (&probe.writers, &probe.readers)
        } else {
            (&probe.readers, &probe.writers)
        };
        let beside = mine.fetch_add(1, Ordering::SeqCst);
        if others.load(Ordering::SeqCst) > 0 || (args.write && beside > 0) {
            probe.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        if !args.write {
            probe.most_readers.fetch_max(beside + 1, Ordering::SeqCst);
        }
        context.report(format!("{} runs", args.name));
        let result = match args.behaviour.as_deref() {
            Some("panic") => panic!("deliberate"),
            Some("panic in a thread") => context.blocking(|| panic!("deliberate, deeper")).await,
            Some("stubborn") => std::future::pending().await,
            Some("partial") => {
                context.cancel.cancelled().await;
                Ok(ToolOutput::text("half").ended(ItemStatus::Timeout))
            }
            Some("obedient") => {
                context.cancel.cancelled().await;
                Err(ToolError::ForModel("was told to stop".to_owned()))
            }
            Some("long") => Ok(ToolOutput::text("y\n".repeat(1_000_000))),
            _ => {
                tokio::time::sleep(Duration::from_millis(args.sleep_ms)).await;
                Ok(ToolOutput::text(args.name))
            }
        };
        mine.fetch_sub(1, Ordering::SeqCst);
        result
    }
}

fn probe() -> (Arc<Probe>, Registry) {
    let probe = Arc::new(Probe::default());
    let registry = Registry::new(vec![Arc::new(ProbeTool(Arc::clone(&probe)))]);
    (probe, registry)
}

fn context() -> ToolContext {
    let directory = std::env::temp_dir();
    ToolContext::for_tests(&directory)
}

fn call(id: usize, arguments: &Value) -> ToolCall {
    ToolCall {
        id: format!("call_{id}"),
        name: "probe".to_owned(),
        arguments: arguments.to_string(),
    }
}

fn approved(registry: &Registry, calls: &[Value]) -> Vec<ApprovedCall> {
    calls
        .iter()
        .enumerate()
        .map(|(id, arguments)| {
            prepare(call(id, arguments), registry).map(PreparedCall::approve).ok().unwrap()
        })
        .collect()
}

async fn run(registry: &Registry, context: &ToolContext, calls: &[Value]) -> Vec<CallOutcome> {
    run_all(approved(registry, calls), registry, context, &|_| {}).await
}

#[tokio::test(start_paused = true)]
async fn sixty_four_calls_keep_order_and_never_overlap_a_writer() {
    let (probe, registry) = probe();
    let calls: Vec<Value> = (0..64_u64)
        .map(|id| json!({"name": id.to_string(), "write": id % 8 == 7, "sleep_ms": 100 - id}))
        .collect();
    let begin = Instant::now();
    let outcomes = run(&registry, &context(), &calls).await;
    let texts: Vec<&str> = outcomes.iter().map(|outcome| outcome.result.text.as_str()).collect();
    let expected: Vec<String> = (0..64).map(|id| id.to_string()).collect();
    assert_eq!(texts, expected);
    assert_eq!(probe.overlaps.load(Ordering::SeqCst), 0);
    assert_eq!(probe.most_readers.load(Ordering::SeqCst), 7);
    // Eight groups of seven readers side by side and eight writers, each at most 100 ms.
    assert!(begin.elapsed() < Duration::from_millis(1600), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_of_its_call_only() {
    let (_, registry) = probe();
    let calls = [
        json!({"name": "a", "behaviour": "panic"}),
        json!({"name": "b", "behaviour": "panic in a thread"}),
        json!({"name": "c", "write": true}),
    ];
    let outcomes = run(&registry, &context(), &calls).await;
    assert_eq!(outcomes[0].result.text, "error: the tool panicked: deliberate");
    assert_eq!(outcomes[1].result.text, "error: the tool panicked: deliberate, deeper");
    assert_eq!((outcomes[0].status, outcomes[0].result.is_error), (ItemStatus::Failed, true));
    assert!(matches!(outcomes[0].error, Some(ToolError::Fatal(_))));
    assert_eq!(
        (outcomes[2].status, outcomes[2].result.text.as_str()),
        (ItemStatus::Completed, "c")
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_calls_that_obey_and_calls_that_do_not() {
    let (_, registry) = probe();
    let mut context = context();
    context.call_timeout = Duration::from_secs(5);
    for (behaviour, seconds) in [("obedient", 5), ("stubborn", 9)] {
        let begin = Instant::now();
        let calls = [json!({"name": "a", "behaviour": behaviour})];
        let outcomes = run(&registry, &context, &calls).await;
        assert_eq!(outcomes[0].status, ItemStatus::Timeout, "{behaviour}");
        assert_eq!(outcomes[0].error, Some(ToolError::Timeout));
        assert_eq!(begin.elapsed().as_secs(), seconds, "{behaviour}");
    }
    let calls = [json!({"name": "a", "behaviour": "partial"})];
    let outcomes = run(&registry, &context, &calls).await;
    assert_eq!(
        (outcomes[0].status, outcomes[0].result.text.as_str()),
        (ItemStatus::Timeout, "half")
    );
    assert!(outcomes[0].result.is_error);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_run_holds_for_calls_that_wait() {
    let (_, registry) = probe();
    let mut context = context();
    context.deadline = Instant::now() + Duration::from_secs(3);
    let calls = [
        json!({"name": "a", "write": true, "behaviour": "obedient"}),
        json!({"name": "b", "write": true}),
    ];
    let outcomes = run(&registry, &context, &calls).await;
    let statuses: Vec<ItemStatus> = outcomes.iter().map(|outcome| outcome.status).collect();
    assert_eq!(statuses, [ItemStatus::Timeout, ItemStatus::Timeout]);
}

#[tokio::test(start_paused = true)]
async fn after_cancellation_nothing_starts() {
    let (_, registry) = probe();
    let context = context();
    let cancel = context.cancel.clone();
    let started = Mutex::new(Vec::new());
    let ended = Mutex::new(Vec::new());
    let calls = [
        json!({"name": "a", "write": true, "behaviour": "stubborn"}),
        json!({"name": "b"}),
        json!({"name": "c", "write": true}),
    ];
    let begin = Instant::now();
    let on_event = |event: CallEvent<'_>| match event {
        CallEvent::Started { index, .. } => started.lock().unwrap().push(index),
        CallEvent::Ended { index, .. } => ended.lock().unwrap().push(index),
        CallEvent::Progress { index, line } => assert_eq!((index, line.as_str()), (0, "a runs")),
    };
    let (outcomes, ()) =
        tokio::join!(run_all(approved(&registry, &calls), &registry, &context, &on_event), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.cancel();
        });
    assert!(outcomes.iter().all(|outcome| outcome.status == ItemStatus::Cancelled), "{outcomes:?}");
    assert_eq!(*started.lock().unwrap(), [0]);
    assert_eq!(*ended.lock().unwrap(), [1, 2, 0], "each call ends once");
    assert_eq!(begin.elapsed(), Duration::from_secs(1) + GRACE);
}

#[tokio::test]
async fn a_cancelled_run_starts_nothing_at_all() {
    let (probe, registry) = probe();
    let context = context();
    context.cancel.cancel();
    let outcomes = run(&registry, &context, &[json!({"name": "a"})]).await;
    assert_eq!(outcomes[0].status, ItemStatus::Cancelled);
    assert_eq!(probe.most_readers.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn more_time_than_a_clock_counts_is_the_time_of_the_run() {
    let (_, registry) = probe();
    let mut context = context();
    context.call_timeout = Duration::MAX;
    let outcomes = run(&registry, &context, &[json!({"name": "a"})]).await;
    assert_eq!(outcomes[0].status, ItemStatus::Completed);
}

#[tokio::test]
async fn long_output_is_cut_with_exact_counts() {
    let (_, registry) = probe();
    let outcomes = run(&registry, &context(), &[json!({"name": "a", "behaviour": "long"})]).await;
    let text = &outcomes[0].result.text;
    let kept = text.matches("y\n").count();
    assert!(text.len() <= output::TEXT_LIMIT + 64, "{}", text.len());
    let left_out = 1_000_000 - kept;
    let mark = format!("[… {} bytes, {left_out} lines left out …]\n", left_out * 2);
    assert!(text.contains(&mark), "{mark}");
}

#[test]
fn calls_that_cannot_run_are_answered_with_what_was_expected() {
    let (_, registry) = probe();
    let answer = |name: &str, arguments: &str| {
        let call =
            ToolCall { id: "1".to_owned(), name: name.to_owned(), arguments: arguments.to_owned() };
        let outcome = prepare(call, &registry).err().expect("rejected");
        assert!(outcome.result.is_error && outcome.status == ItemStatus::Failed);
        outcome.result.text
    };
    let expected =
        "expected {name: string, write?: boolean, sleep_ms?: integer, behaviour?: string}";
    assert_eq!(
        answer("probe", "{\"name\": \"a\""),
        format!(
            "error: the arguments are not JSON: EOF while parsing an object at line 1 column 12; \
             {expected}"
        )
    );
    assert_eq!(
        answer("probe", "{\"name\": 1}"),
        format!(
            "error: wrong arguments: `name`: invalid type: integer `1`, expected a string; {expected}"
        )
    );
    assert_eq!(
        answer("probe", ""),
        format!("error: wrong arguments: missing field `name`; {expected}")
    );
    assert_eq!(answer("prob", "{}"), "error: there is no tool `prob`; did you mean `probe`?");
    assert_eq!(answer("xyz", "{}"), "error: there is no tool `xyz`; there are probe");
}

#[test]
fn a_declined_call_is_told_why() {
    let (_, registry) = probe();
    let prepared = prepare(call(1, &json!({"name": "a"})), &registry).ok().unwrap();
    let outcome = prepared.decline("nobody can be asked");
    assert_eq!(outcome.status, ItemStatus::Declined);
    assert_eq!(outcome.result.text, "error: `a` is not allowed: nobody can be asked");
}
