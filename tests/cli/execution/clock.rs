//! T14: a wall clock that jumps by a day, forwards and back, in the middle of a run. Deadlines, waits and
//! heartbeats stay where they were; only labels move.
//!
//! The clock of the agent is moved by libfaketime, which answers for the C library and leaves the
//! monotonic clock alone; a static binary asks the kernel itself, and cannot be deceived like this.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::support::TestContext;
use crate::support::code;
use crate::support::lacking;
use crate::support::model_server::ModelServer;
use crate::support::wait_until;

const DAY: i64 = 24 * 3600;
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// A clock that stands where its file says, in seconds off the true one.
struct Clock<'a> {
    context: &'a TestContext,
}

impl Clock<'_> {
    fn set(&self, seconds: i64) {
        let next = self.context.write("../clock.next", format!("{seconds:+}\n"));
        std::fs::rename(next, self.context.work().join("../clock")).unwrap();
    }
}

/// An environment in which the agent's clock can be moved; `None` and a word about it where it cannot.
fn deceived() -> Option<TestContext> {
    let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists());
    let mut context = TestContext::new();
    Clock { context: &context }.set(0);
    if let Some(library) = library {
        let clock = context.work().join("../clock").to_string_lossy().into_owned();
        context.env("LD_PRELOAD", library);
        context.env("FAKETIME_TIMESTAMP_FILE", clock).env("FAKETIME_NO_CACHE", "1");
        context.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        Clock { context: &context }.set(-40 * 365 * DAY);
        let asked = context.run(["tool", "run", "memory_add", "--args", r#"{"content": "x"}"#]);
        let listed = context.run(["memory", "list", "--json"]);
        Clock { context: &context }.set(0);
        if asked.code == 0 && listed.stdout.contains("\"1986-") {
            return Some(context);
        }
        assert!(listed.code == 0, "{}{}", asked.stderr, listed.stderr);
    }
    lacking("a clock that can be moved", "T14, a clock that jumps");
    None
}

/// Reads events; once the first that `when` is true of has come, and half a second has passed, the clock
/// jumps. The events, the exit code, and how long all of it took.
fn jump(
    mut agent: Child,
    clock: &Clock<'_>,
    by: i64,
    when: impl Fn(&Value) -> bool,
) -> (Vec<Value>, i32, Duration) {
    let started = Instant::now();
    let (mut events, mut jumped) = (Vec::new(), false);
    for line in BufReader::new(agent.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if !jumped && when(&event) {
            std::thread::sleep(Duration::from_millis(500));
            clock.set(by);
            jumped = true;
        }
        events.push(event);
    }
    let code = code(agent.wait().unwrap());
    clock.set(0);
    let first = seconds(&events[0]["ts"]);
    let last = seconds(&events.last().unwrap()["ts"]);
    // What shows that the agent has seen the jump at all.
    assert!((last - first - by).abs() < 60, "{first} {last} {by}");
    (events, code, started.elapsed())
}

fn seconds(timestamp: &Value) -> i64 {
    let format = &time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::parse(timestamp.as_str().unwrap(), format).unwrap().unix_timestamp()
}

fn is_call(event: &Value) -> bool {
    event["type"] == "item.started" && event["item"]["type"] == "command_execution"
}

fn item(events: &[Value]) -> &Value {
    let ended = |event: &&Value| {
        event["type"] == "item.completed" && event["item"]["type"] == "command_execution"
    };
    &events.iter().find(ended).expect("a call that ended")["item"]
}

/// A run of one shell call under these further arguments.
fn run(context: &TestContext, call: &Value, more: &[&str]) -> Child {
    let turns = json!([{"tool_calls": [{"name": "shell", "arguments": call}]}, {"text": "done"}]);
    let script = context.write("../script.json", turns.to_string());
    let model = format!("scripted/{}", script.display());
    let arguments = ["run", "go", "--model", &model, "--output-format", "jsonl", "--ephemeral"];
    context.command([&arguments, more].concat()).spawn().unwrap()
}

#[test]
fn t14_deadlines_and_heartbeats_do_not_move_with_the_date() {
    let Some(context) = deceived() else { return };
    let clock = Clock { context: &context };
    for by in [DAY, -DAY] {
        // The deadline of one call.
        let agent = run(&context, &json!({"command": "sleep 30", "timeout": 2}), &[]);
        let (events, code, elapsed) = jump(agent, &clock, by, is_call);
        let item = item(&events);
        assert_eq!((code, &item["status"]), (0, &json!("timeout")), "{by}: {item}");
        let duration = item["duration_ms"].as_u64().unwrap();
        assert!((1_900..15_000).contains(&duration), "{by}: {duration} ms");
        assert!(elapsed < Duration::from_secs(20), "{by}: {elapsed:?}");
        // The deadline of the run.
        let agent = run(&context, &json!({"command": "sleep 30"}), &["--timeout", "3s"]);
        let (events, code, elapsed) = jump(agent, &clock, by, is_call);
        let result = events.last().unwrap();
        assert_eq!((code, &result["exit_code"]), (124, &json!(124)), "{by}: {result}");
        let duration = result["duration_ms"].as_u64().unwrap();
        assert!((2_900..15_000).contains(&duration), "{by}: {duration} ms");
        assert!(elapsed < Duration::from_secs(20), "{by}: {elapsed:?}");
    }
}

/// A call that has time enough is not ended, and its silence is filled every five seconds.
#[test]
fn t14_what_is_not_due_is_not_made_due_by_a_jump() {
    let Some(context) = deceived() else { return };
    let clock = Clock { context: &context };
    for by in [DAY, -DAY] {
        let agent = run(&context, &json!({"command": "sleep 6; echo ok"}), &["--timeout", "10m"]);
        let (events, code, _) = jump(agent, &clock, by, is_call);
        let item = item(&events);
        assert_eq!((code, &item["status"]), (0, &json!("completed")), "{by}: {item}");
        assert_eq!(item["output"], "ok\n");
        let beats: Vec<u64> = events
            .iter()
            .filter(|event| event["type"] == "heartbeat")
            .map(|event| event["elapsed_ms"].as_u64().unwrap())
            .collect();
        assert!(matches!(beats[..], [first, ..] if first >= 4_900), "{by}: {beats:?}");
        assert!(beats.len() < 4, "{by}: {beats:?}");
    }
}

/// `Retry-After` is waited for, no longer and no shorter; a stream's silence is cut when it is long.
#[test]
fn t14_waits_for_a_model_do_not_move_with_the_date() {
    let Some(mut context) = deceived() else { return };
    let server = ModelServer::start();
    context.configure(r#"{"network": {"idle_timeout": "2s", "max_retries": 1}}"#);
    context.env("OPENAI_API_KEY", "sk-test");
    for (scenario, requests, least, expected) in [("429once", 2, 950, 0), ("stall", 2, 3_900, 46)] {
        for by in [DAY, -DAY] {
            let before = server.requests().len();
            let base = format!("model.base_url={}", server.url(&format!("{scenario}/{by}")));
            let arguments = ["run", "go", "--model", "openai/mock-model", "-c", &base];
            let started = Instant::now();
            let agent =
                context.command([&arguments[..], &["--no-memory"]].concat()).spawn().unwrap();
            wait_until(Duration::from_secs(20), "a request", || server.requests().len() > before);
            std::thread::sleep(Duration::from_millis(300));
            Clock { context: &context }.set(by);
            let finished = crate::support::collected(agent);
            Clock { context: &context }.set(0);
            let (elapsed, seen) = (started.elapsed(), server.requests().split_off(before));
            let stderr = &finished.stderr;
            assert_eq!(
                (finished.code, seen.len()),
                (expected, requests),
                "{scenario} {by}: {stderr}"
            );
            let gap = seen[1].at.duration_since(seen[0].at);
            assert!(gap > Duration::from_millis(950), "{scenario} {by}: {gap:?}");
            let bounds = Duration::from_millis(least)..Duration::from_secs(20);
            assert!(bounds.contains(&elapsed), "{scenario} {by}: {elapsed:?}");
        }
    }
}
