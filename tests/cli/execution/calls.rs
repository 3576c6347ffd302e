//! T5, T8, T9: many calls at once, and calls that are stopped.

use std::collections::HashMap;
use std::io::BufRead;
use std::io::BufReader;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use super::status_of;
use crate::hostile::is_running;
use crate::support::TestContext;
use crate::support::code;
use crate::support::wait_until;

fn call(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

fn shell(command: String) -> Value {
    call("shell", json!({"command": command}))
}

fn script(context: &TestContext, turns: &[Value]) -> String {
    let path = context.write("../script.json", json!(turns).to_string());
    format!("scripted/{}", path.display())
}

/// Events in which each started item ends exactly once, as one of the terminal statuses.
fn check_items(events: &[Value]) {
    let mut items: HashMap<&str, (u32, u32)> = HashMap::new();
    for event in events {
        let id = event["item"]["id"].as_str().unwrap_or_default();
        match event["type"].as_str().unwrap() {
            "item.started" => items.entry(id).or_default().0 += 1,
            "item.completed" => {
                items.entry(id).or_default().1 += 1;
                let status = event["item"]["status"].as_str().unwrap_or_default();
                let terminal = ["completed", "failed", "declined", "cancelled", "timeout"];
                assert!(terminal.contains(&status), "{event}");
            }
            _ => {}
        }
    }
    for (id, (started, ended)) in items {
        assert!(started <= 1 && ended == 1, "{id}: started {started} times, ended {ended} times");
    }
}

/// Descriptors and KiB of the agent; it is closed to its own user, so who is not root compares the memory
/// only.
fn look(id: u32) -> (usize, u64) {
    // It runs: nothing of the calls before it is under way any more.
    wait_until(Duration::from_secs(20), "the command", || is_running("sleep\x001.5"));
    let open = std::fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count);
    (open, status_of(id, "VmRSS"))
}

/// 64 calls, two thirds of which leave something running behind them.
fn many(mark: &str) -> Value {
    let calls: Vec<Value> = (0..64)
        .map(|number| match number % 3 {
            0 => shell(format!("sleep {mark} & echo {number}")),
            1 => shell(format!("setsid sleep {mark} & echo {number}")),
            _ => shell(format!("echo {number}")),
        })
        .collect();
    json!({"tool_calls": calls})
}

/// 1,024 calls in the long form, 64 at a time. The first batch has room to warm up; from then on memory
/// grows by what the conversation itself takes (the calls and results of 64 commands are 30 KiB of it).
#[test]
fn t05_many_calls_leave_no_process_and_no_descriptor() {
    let context = TestContext::new();
    let mark = format!("5.{:08}", std::process::id());
    let batches = if std::env::var_os("AGI_TEST_LONG").is_some() { 16 } else { 3 };
    let pause = || json!({"tool_calls": [shell("sleep 1.5".to_owned())]});
    let mut all = vec![json!({"tool_calls": [shell("echo first".to_owned())]}), pause()];
    all.extend((0..batches).flat_map(|_| [many(&mark), pause()]));
    all.push(json!({"text": "done"}));
    let model = script(&context, &all);
    let turns = (all.len() + 1).to_string();
    let fixed = ["run", "go", "--model", &model, "--output-format", "jsonl", "--ephemeral"];
    let mut agent =
        context.command([&fixed[..], &["--max-turns", &turns]].concat()).spawn().unwrap();
    let id = agent.id();
    let (mut samples, mut events) = (Vec::new(), Vec::new());
    for line in BufReader::new(agent.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if event["type"] == "item.started" && event["item"]["command"] == "sleep 1.5" {
            samples.push(look(id));
            assert!(!is_running(&format!("sleep\0{mark}")), "something is left");
        }
        events.push(event);
    }
    assert!(agent.wait().unwrap().success());
    check_items(&events);
    println!("descriptors and KiB after each batch: {samples:?}");
    assert_eq!(samples.len(), batches + 1);
    let (open, _) = samples[0];
    assert!(samples.iter().all(|(now, _)| *now <= open + 1), "descriptors: {samples:?}");
    let (warm, last) = (samples[1].1, samples[batches].1);
    let most = (batches as u64 - 1) * 256 + 4096;
    assert!(last < warm + most, "{warm} KiB became {last}: {samples:?}");
    assert!(!is_running(&mark));
}

#[test]
fn t08_calls_side_by_side_keep_their_order_and_exclude_each_other() {
    let context = TestContext::new();
    for number in 0..16 {
        context.write(&format!("f{number}"), format!("contents {number}\n"));
    }
    let mut calls = Vec::new();
    for number in 0..16 {
        calls.push(call("file_read", json!({"path": format!("f{number}")})));
        // All to one file: none may be lost, in the order of the calls.
        let line = format!("{number}\n");
        calls.push(call("file_write", json!({"path": "log", "content": line, "append": true})));
        calls.push(call("calculator", json!({"expression": format!("{number} * 2")})));
        calls.push(call(
            "file_search",
            json!({"pattern": "contents", "path": format!("f{number}")}),
        ));
    }
    let model = script(&context, &[json!({"tool_calls": calls}), json!({"text": "done"})]);
    let finished = context.run([
        "run",
        "go",
        "--model",
        &model,
        "--sandbox",
        "workspace-write",
        "--output-format",
        "jsonl",
    ]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let log = std::fs::read_to_string(context.work().join("log")).unwrap();
    let expected: Vec<String> = (0..16).map(|number| number.to_string()).collect();
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
    let events: Vec<Value> =
        finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    check_items(&events);
    // Commands run side by side: eight that sleep for half a second take no four.
    let calls: Vec<Value> = (0..8).map(|_| shell("sleep 0.5".to_owned())).collect();
    let model = script(&context, &[json!({"tool_calls": calls}), json!({"text": "done"})]);
    let started = Instant::now();
    let finished = context.run(["run", "go", "--model", &model]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(started.elapsed() < Duration::from_millis(3_500), "{:?}", started.elapsed());
}

/// Interrupted at any moment: each item ends once, nothing is run after the first that was
/// cancelled, no process is left, and a second signal takes only the command's time to end.
#[test]
fn t09_a_run_that_is_stopped_at_any_moment_has_one_end() {
    let step = if std::env::var_os("AGI_TEST_LONG").is_some() { 5 } else { 60 };
    for delay in (0..400).step_by(step) {
        let context = TestContext::new();
        let mark = format!("9.{:04}{:06}", delay, std::process::id());
        let calls = [
            call("file_find", json!({})),
            shell(format!("sleep {mark}")),
            shell(format!("trap '' TERM; sleep {mark}")),
            call("file_write", json!({"path": "late", "content": "x"})),
        ];
        let turns = [
            json!({"tool_calls": [shell("true".to_owned())]}),
            json!({"tool_calls": calls}),
            json!({"text": "done"}),
        ];
        let model = script(&context, &turns);
        let arguments = ["run", "go", "--model", &model, "--output-format", "jsonl"];
        let mut agent = context.command(arguments).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let id = agent.id().to_string();
        let send = || std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
        send();
        send();
        let output = BufReader::new(agent.stdout.take().unwrap());
        let lines: Vec<String> = output.lines().map(Result::unwrap).collect();
        let code = code(agent.wait().unwrap());
        assert_eq!(code, 130, "after {delay} ms: {lines:?}");
        let events: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        check_items(&events);
        let cancelled = events.iter().position(|event| event["item"]["status"] == "cancelled");
        // A call that was never run is told in two events at once.
        let is_run = |start: &&Value| {
            let end = events.iter().find(|event| {
                event["type"] == "item.completed" && event["item"]["id"] == start["item"]["id"]
            });
            end.is_none_or(|end| end["item"]["duration_ms"] != 0)
        };
        let late = events[cancelled.unwrap_or(events.len())..]
            .iter()
            .filter(|event| event["type"] == "item.started")
            .find(is_run);
        assert!(late.is_none(), "after {delay} ms: {late:?}");
        assert!(!is_running(&mark), "after {delay} ms");
    }
}
