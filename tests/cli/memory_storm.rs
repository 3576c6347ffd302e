//! Many processes, killed at any moment: what was acknowledged is there, and nothing is broken.
//!
//! `AGI_TEST_LONG=1` runs the thousand rounds that docs/memory.md speaks of.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Child;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::TestContext;

/// A process that is fed items without end, and what it acknowledged.
struct Writer {
    child: Child,
    feeder: thread::JoinHandle<()>,
    reader: thread::JoinHandle<Vec<String>>,
}

impl Writer {
    /// Item `n` of this writer has the content `name n`.
    fn start(context: &TestContext, name: &str) -> Self {
        let mut command = context.command(["memory", "add", "--jsonl", "-"]);
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let name = name.to_owned();
        let feeder = thread::spawn(move || {
            for number in 0.. {
                let line =
                    format!("{{\"content\": \"{name} {number}\", \"tags\": [\"{name}\"]}}\n");
                if input.write_all(line.as_bytes()).is_err() {
                    return;
                }
            }
        });
        let reader = thread::spawn(move || {
            let whole = |line: &String| line.ends_with('}');
            let lines = output.lines().map_while(Result::ok).filter(whole);
            lines
                .map(|line| {
                    let value: Value = serde_json::from_str(&line).unwrap();
                    value["id"].as_str().unwrap().to_owned()
                })
                .collect()
        });
        Self { child, feeder, reader }
    }

    /// SIGKILL; the ids that were acknowledged before.
    fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.feeder.join().unwrap();
        self.reader.join().unwrap()
    }
}

/// Content of every stored item by id.
fn stored(context: &TestContext) -> BTreeMap<String, String> {
    let finished = context.run(["memory", "export"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let item = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| value[key].as_str().unwrap().to_owned();
        (text("id"), text("content"))
    };
    finished.stdout.lines().map(item).collect()
}

fn is_sound(context: &TestContext) {
    let finished = context.run(["memory", "check"]);
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    let mut context = TestContext::new();
    let long = std::env::var_os("AGI_TEST_LONG").is_some();
    let (rounds, writers) = if long { (1_000, 4) } else { (8, 3) };
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut acknowledged = 0;
    for round in 0..rounds {
        // The rows of all rounds are compared each time: now and then, begin anew.
        if round % 20 == 19 {
            context = TestContext::new();
        }
        let started: Vec<(String, Writer)> = (0..writers)
            .map(|writer| {
                let name = format!("r{round}w{writer}");
                let process = Writer::start(&context, &name);
                (name, process)
            })
            .collect();
        // Some die before the first commit, some in the middle of many.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        thread::sleep(Duration::from_millis((state >> 33) % 400));
        let acks: Vec<(String, Vec<String>)> =
            started.into_iter().map(|(name, writer)| (name, writer.kill())).collect();
        let rows = stored(&context);
        for (name, ids) in acks {
            for (number, id) in ids.iter().enumerate() {
                let expected = format!("{name} {number}");
                assert_eq!(rows.get(id), Some(&expected), "acknowledged, but not there");
            }
            acknowledged += ids.len();
            // What is there beyond the acknowledged was in flight: the next items, without gaps.
            let mut numbers: Vec<usize> = rows
                .values()
                .filter_map(|content| content.strip_prefix(&format!("{name} ")))
                .map(|number| number.parse().unwrap())
                .collect();
            numbers.sort_unstable();
            assert!(numbers.iter().copied().eq(0..numbers.len()), "{name} has gaps");
            assert!((ids.len()..=ids.len() + 256).contains(&numbers.len()), "{name}");
        }
        is_sound(&context);
    }
    assert!(acknowledged > 0, "every writer died too early for the test to mean something");
}

#[test]
fn sixty_four_processes_create_one_memory() {
    let context = TestContext::new();
    let children: Vec<Child> = (0..64)
        .map(|number| {
            context.command(["memory", "add", &format!("from process {number}")]).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    assert_eq!(stored(&context).len(), 64);
    is_sound(&context);
}

#[test]
fn sixteen_writers_and_readers_share_one_memory() {
    let context = TestContext::new();
    let writers: Vec<Child> = (0..16)
        .map(|writer| {
            let mut command = context.command(["memory", "add", "--jsonl", "-"]);
            let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            thread::spawn(move || {
                for number in 0..40 {
                    let line = format!("{{\"content\": \"shared {writer} {number}\"}}\n");
                    input.write_all(line.as_bytes()).unwrap();
                    // So that a writer makes many small transactions, not one large one.
                    thread::sleep(Duration::from_millis(2));
                }
            });
            child
        })
        .collect();
    for _ in 0..6 {
        let finished = context.run(["memory", "search", "shared", "--limit", "3"]);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
    }
    for child in writers {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 40);
    }
    assert_eq!(stored(&context).len(), 16 * 40);
    is_sound(&context);
}
