//! T6, T7, T11, T12, T13, T18: what commands print and read.

use std::io::Read;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use super::status_of;
use super::tool;
use crate::hostile::largest_child;
use crate::support::TestContext;

#[test]
fn t06_endless_output_is_counted_and_memory_stays_flat() {
    let context = TestContext::new();
    let (finished, value) = tool(&context, "shell", &json!({"command": "yes", "timeout": 3}));
    assert_eq!(finished.code, 124);
    let data = &value["data"];
    let (text, bytes) = (data["stdout"].as_str().unwrap(), data["stdout_bytes"].as_u64().unwrap());
    assert!(bytes > 10 << 20, "{bytes}");
    assert!(text.starts_with("y\ny\n") && text.trim_end().ends_with('y'));
    let left_out: u64 = text
        .lines()
        .find_map(|line| line.strip_prefix("… ")?.split(' ').next()?.parse().ok())
        .expect("a mark");
    let kept = text.lines().filter(|line| *line == "y").count() as u64 * 2;
    // At each side of the mark one line may have lost its end or its beginning.
    assert!((left_out + kept).abs_diff(bytes) <= 4, "{left_out} + {kept} of {bytes}");
    assert!(largest_child() < 100 << 10, "{} KiB", largest_child());
}

#[test]
fn t07_one_endless_line_and_any_bytes() {
    let context = TestContext::new();
    let long = if std::env::var_os("AGI_TEST_LONG").is_some() { 4_u64 << 30 } else { 200 << 20 };
    let command = format!("head -c {long} /dev/zero | tr '\\0' x");
    let (_, value) = tool(&context, "shell", &json!({"command": command, "timeout": 100}));
    assert_eq!(value["data"]["stdout_bytes"], long);
    assert!(largest_child() < 100 << 10, "{} KiB", largest_child());
    let command = "printf '\\303'; sleep 0.1; printf '\\244\\000\\377\\033[31mred\\033[0m\\r\\n'";
    let (finished, value) = tool(&context, "shell", &json!({"command": command}));
    assert_eq!(finished.code, 0);
    assert_eq!(value["data"]["stdout"], "ä\0\u{fffd}\u{1b}[31mred\u{1b}[0m\r\n");
    assert_eq!(value["data"]["stdout_bytes"], 18);
}

#[test]
fn t11_whoever_reads_finds_the_end() {
    let context = TestContext::new();
    for command in ["cat", "read line", "head -c1", "sort", "bash -i </dev/stdin"] {
        let (_, value) = tool(&context, "shell", &json!({"command": command, "timeout": 20}));
        assert_eq!(value["data"]["timed_out"], false, "{command}: {value}");
    }
}

/// Events that nobody takes do not pile up in memory, and the run goes on once they are taken.
#[test]
fn t12_a_slow_reader_costs_no_memory() {
    let context = TestContext::new();
    let command = "for i in $(seq 300); do head -c 100000 /dev/zero | tr '\\0' x; done";
    let call = json!({"name": "shell", "arguments": {"command": command}});
    let script = json!([{"tool_calls": [call]}, {"text": "done"}]);
    let path = context.write("../script.json", script.to_string());
    let model = format!("scripted/{}", path.display());
    let arguments = ["run", "go", "--model", &model, "--output-format", "jsonl", "-v"];
    let mut agent = context.command(arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut stream = agent.stdout.take().unwrap();
    let (mut piece, mut all) = ([0; 1024], Vec::new());
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(3) {
        let count = stream.read(&mut piece).unwrap();
        all.extend_from_slice(&piece[..count]);
        std::thread::sleep(Duration::from_millis(200));
    }
    let most = status_of(agent.id(), "VmHWM");
    stream.read_to_end(&mut all).unwrap();
    assert!(agent.wait().unwrap().success());
    assert!(most < 100 << 10, "{most} KiB");
    let text = String::from_utf8(all).unwrap();
    assert!(text.lines().last().unwrap().contains("\"type\":\"result\""), "the end is missing");
}

#[test]
fn t18_a_stage_that_crashes_is_a_failure_with_what_there_was() {
    let context = TestContext::new();
    for command in [
        "echo $TMPDIR > place; set -o pipefail; seq 5 | (head -2; kill -9 $BASHPID) | cat",
        "echo $TMPDIR > place; seq 2; echo x > $TMPDIR/left; kill -SEGV $$; echo never",
        "echo $TMPDIR > place; set -e; seq 2; false; echo never",
    ] {
        let (finished, value) = tool(&context, "shell", &json!({"command": command}));
        assert_eq!((finished.code, &value["status"]), (1, &json!("failed")), "{command}");
        assert_eq!(value["data"]["stdout"], "1\n2\n", "{command}");
        let place = std::fs::read_to_string(context.work().join("place")).unwrap();
        assert!(!std::path::Path::new(place.trim()).exists(), "{command}");
    }
}
