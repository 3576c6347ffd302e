//! Signals while a run is slow: the right code, soon, with the stream complete.

#![cfg(unix)]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::process::ChildStdout;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::support::TestContext;

/// What a shell says of an ended process: the agent ends by the signal that it got, so that a
/// shell script stops too.
fn shell_code(status: std::process::ExitStatus) -> Option<i32> {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal))
}

/// Starts a run and waits until a line of its stream contains all of `when`.
fn started(
    context: &TestContext,
    script: &Value,
    when: &[&str],
) -> (Child, BufReader<ChildStdout>) {
    let path = context.write("../script.json", script.to_string());
    let model = format!("scripted/{}", path.display());
    let arguments = ["run", "go", "--output-format", "jsonl", "--model", &model];
    let mut child = context.command(arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !when.iter().all(|word| line.contains(word)) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "{when:?} never came");
    }
    (child, lines)
}

/// Starts a run, sends `signal` once a line of the stream contains `when`; the code and the result.
fn signalled(script: &Value, signal: &str, when: &str) -> (Option<i32>, Value) {
    let context = TestContext::new();
    let (mut child, mut lines) = started(&context, script, &[when]);
    let sent = Instant::now();
    let kill = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let status = child.wait().unwrap();
    assert!(sent.elapsed() < Duration::from_secs(10), "{:?}", sent.elapsed());
    let last = rest.lines().last().expect("no result");
    (shell_code(status), serde_json::from_str(last).unwrap())
}

#[test]
fn a_slow_model_is_left_at_once() {
    let script = json!([{"text": "late", "delay_ms": 50_000}]);
    for (signal, expected) in [("-INT", 130), ("-TERM", 143)] {
        let (code, result) = signalled(&script, signal, "turn.started");
        assert_eq!((code, &result["exit_code"]), (Some(expected), &json!(expected)));
        assert_eq!((&result["type"], &result["outcome"]), (&json!("result"), &json!("cancelled")));
    }
}

#[test]
fn a_slow_command_is_ended_with_the_run() {
    let command = json!({"command": "sleep 47.11"});
    let script =
        json!([{"tool_calls": [{"name": "shell", "arguments": command}]}, {"text": "late"}]);
    for (signal, expected) in [("-INT", 130), ("-TERM", 143)] {
        let (code, result) = signalled(&script, signal, "item.started");
        assert_eq!((code, &result["exit_code"]), (Some(expected), &json!(expected)));
        assert_eq!(result["turns"], 1, "nothing is asked after a signal");
    }
}

/// A command that ignores the polite signal has a second and a half, unless the person asks again.
#[test]
fn a_second_signal_cuts_the_wind_up_short() {
    let command = json!({"command": "trap '' TERM; echo armed; while :; do sleep 1; done"});
    let script =
        json!([{"tool_calls": [{"name": "shell", "arguments": command}]}, {"text": "late"}]);
    let context = TestContext::new();
    let (mut child, mut lines) = started(&context, &script, &["item.updated", "armed"]);
    let pid = child.id().to_string();
    let interrupt = || {
        let status = std::process::Command::new("kill").args(["-INT", &pid]).status();
        assert!(status.unwrap().success());
    };
    interrupt();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the command has its time");
    let sent = Instant::now();
    interrupt();
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    let status = child.wait().unwrap();
    assert!(sent.elapsed() < Duration::from_millis(1200), "{:?}", sent.elapsed());
    assert_eq!(shell_code(status), Some(130));
    let last: Value = serde_json::from_str(rest.lines().last().expect("no result")).unwrap();
    assert_eq!((&last["type"], &last["exit_code"]), (&json!("result"), &json!(130)));
}
