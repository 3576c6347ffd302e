//! Nobody reads standard output, or somebody reads it slowly: a run ends in time all the same, and whoever
//! does read gets everything.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::support::TestContext;
use crate::support::wait_until;

/// More than any pipe holds.
const LARGE: usize = 300_000;
const FORMATS: [&str; 3] = ["text", "json", "jsonl"];

fn started(context: &TestContext, script: &Value, arguments: &[&str]) -> Child {
    let path = context.write("../script.json", script.to_string());
    let model = format!("scripted/{}", path.display());
    let fixed = ["run", "go", "--sandbox", "workspace-write", "--model", &model];
    context.command([&fixed[..], arguments].concat()).spawn().unwrap()
}

/// Waits until a file is there while the run goes on.
fn until_there(child: &mut Child, path: &Path) {
    wait_until(Duration::from_secs(20), "a file of the run", || {
        path.exists() || child.try_wait().unwrap().is_some()
    });
    assert!(path.exists(), "it ended before: {:?}", child.wait());
}

fn ended(child: &mut Child) -> (Option<i32>, Duration) {
    let since = Instant::now();
    wait_until(Duration::from_secs(20), "the end of a run", || child.try_wait().unwrap().is_some());
    let status = child.wait().unwrap();
    (status.code().or_else(|| status.signal().map(|signal| 128 + signal)), since.elapsed())
}

fn terminate(child: &Child) {
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

#[test]
fn a_signal_ends_a_run_whose_answer_nobody_reads() {
    let script = json!([{"text": "x".repeat(LARGE)}]);
    for format in FORMATS {
        let context = TestContext::new();
        let arguments = ["--output-format", format, "-o", "answer.txt"];
        let mut child = started(&context, &script, &arguments);
        // It is written whoever reads standard output.
        let file = context.work().join("answer.txt");
        until_there(&mut child, &file);
        std::thread::sleep(Duration::from_millis(500));
        assert!(child.try_wait().unwrap().is_none(), "{format}: it has an answer to deliver");
        terminate(&child);
        let (code, took) = ended(&mut child);
        assert_eq!(code, Some(143), "{format}");
        assert!(took < Duration::from_secs(5), "{format}: {took:?}");
        assert_eq!(std::fs::read(file).unwrap().len(), LARGE + 1);
    }
}

/// Events that nobody reads keep neither a signal nor the clock from the run and its commands.
#[test]
fn a_run_under_way_is_not_stopped_by_its_reader() {
    let command = "touch began; exec sleep 47.13";
    let call = json!({"name": "shell", "arguments": {"command": command}});
    let script = json!([{"text": "x".repeat(LARGE), "tool_calls": [call]}, {"text": "late"}]);
    for (timeout, expected) in [("40s", 143), ("3s", 124)] {
        let context = TestContext::new();
        let arguments = ["--output-format", "jsonl", "--timeout", timeout];
        let mut child = started(&context, &script, &arguments);
        until_there(&mut child, &context.work().join("began"));
        if expected == 143 {
            terminate(&child);
        }
        let (code, took) = ended(&mut child);
        assert_eq!(code, Some(expected));
        assert!(took < Duration::from_secs(10), "{took:?}");
        let left = Command::new("pgrep").args(["-f", "^sleep 47.13"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&left.stdout), "", "its command is gone");
    }
}

#[test]
fn a_slow_reader_gets_everything() {
    let reply = |number: usize| {
        let command = format!("echo {number}");
        let call = json!({"name": "shell", "arguments": {"command": command}});
        json!({"text": "x".repeat(LARGE), "tool_calls": [call]})
    };
    let mut script: Vec<Value> = (0..6).map(reply).collect();
    script.push(json!({"text": "y".repeat(LARGE)}));
    for format in FORMATS {
        let context = TestContext::new();
        let mut child = started(&context, &json!(script), &["--output-format", format]);
        std::thread::sleep(Duration::from_secs(1));
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(ended(&mut child).0, Some(0), "{format}");
        match format {
            "text" => assert_eq!(text, "y".repeat(LARGE) + "\n"),
            "json" => {
                let outcome: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(outcome["text"].as_str().unwrap().len(), LARGE);
            }
            _ => {
                let events: Vec<Value> =
                    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                for (number, event) in events.iter().enumerate() {
                    assert_eq!(event["seq"], number, "{}", event["type"]);
                }
                // That so much text does not fit into the model's window is an item as well.
                let ended = events.iter().filter(|event| {
                    event["type"] == "item.completed" && event["item"]["type"] != "error"
                });
                assert_eq!(ended.count(), 13, "seven messages and six commands");
                assert_eq!(events.last().unwrap()["type"], "result");
            }
        }
    }
}

#[test]
fn a_signal_ends_other_commands_whose_result_nobody_reads() {
    let many = format!("head -c {LARGE} /dev/zero | tr '\\0' y");
    let lines = json!({"path": "large.txt", "limit": 60_000}).to_string();
    for arguments in [
        &["sandbox", "--", "/bin/sh", "-c", &many][..],
        &["tool", "run", "file_read", "--json", "--args", &lines],
    ] {
        let context = TestContext::new();
        context.write("large.txt", "line of text\n".repeat(60_000));
        let mut child = context.command(arguments.iter().copied()).spawn().unwrap();
        // Beyond what the pipe holds there is more to deliver, so this never ends by itself.
        std::thread::sleep(Duration::from_secs(2));
        assert!(child.try_wait().unwrap().is_none(), "{arguments:?}");
        terminate(&child);
        let (code, took) = ended(&mut child);
        assert_eq!(code, Some(143), "{arguments:?}");
        assert!(took < Duration::from_secs(5), "{arguments:?}: {took:?}");
    }
}

/// The default action of a signal is gone once a turn has listened to it.
#[test]
fn a_conversation_that_waits_for_a_line_ends_by_a_signal() {
    for (signal, expected) in [("-TERM", 143), ("-INT", 130), ("-HUP", 143)] {
        let context = TestContext::new();
        let mut command = context.command(["chat", "--ephemeral"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut lines = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        for (line, expected) in [("what is 2 + 3", "5\n"), ("what is 3 + 4", "7\n")] {
            writeln!(lines, "{line}").unwrap();
            let mut answer = String::new();
            answers.read_line(&mut answer).unwrap();
            assert_eq!(answer, expected);
        }
        let kill = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let (code, took) = ended(&mut child);
        assert_eq!(code, Some(expected), "{signal}");
        assert!(took < Duration::from_secs(5), "{signal}: {took:?}");
        drop(lines);
    }
}
