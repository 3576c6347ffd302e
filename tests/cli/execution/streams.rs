//! T6, T7, T11, T12, T13: what commands print and read.

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

/// Long output can be paged through within the run, and is gone with it.
#[test]
fn t13_long_output_is_kept_in_a_file_that_only_the_run_can_read() {
    let context = TestContext::new();
    let numbers = json!({"name": "shell", "arguments": {"command": "seq 200000; echo end"}});
    let turns = json!([{"tool_calls": [numbers]}, {"text": "done"}]);
    let script = context.write("../script.json", turns.to_string());
    let model = format!("scripted/{}", script.display());
    let finished =
        context.run(["run", "go", "--model", &model, "--output-format", "jsonl", "--ephemeral"]);
    let place =
        finished.stdout.split("file_read `").nth(1).expect("a file").split('`').next().unwrap();
    assert!(place.contains("/agi-agent-") && !std::path::Path::new(place).exists(), "{place}");
    // The same again by the library of the binary: within one run the file is there.
    let (_, value) = tool(&context, "shell", &json!({"command": "seq 200000"}));
    let path = value["data"]["stdout_file"].as_str().unwrap();
    assert!(!std::path::Path::new(path).exists(), "{path}");
    assert!(value["data"]["stderr_file"].is_null());
    // Short output has no file, and no command can see those of others.
    let (_, value) = tool(&context, "shell", &json!({"command": "seq 10; ls $TMPDIR/../output"}));
    assert!(value["data"]["stdout_file"].is_null());
    assert_ne!(value["data"]["exit_code"], 0);
}

/// A disk that is full while output is kept costs the file and nothing else.
#[test]
fn t13_a_full_disk_while_output_is_kept_does_not_fail_the_call() {
    let context = TestContext::new();
    let arguments = json!({"command": "seq 1000000; echo done >&2"}).to_string();
    let script = "mkdir -p tiny && mount -t tmpfs -o size=256k tiny tiny && TMPDIR=$PWD/tiny exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("unshare");
    let user = if rustix::process::geteuid().is_root() { "-m" } else { "-mr" };
    command.args([user, "bash", "-c", script]).arg(crate::support::binary());
    command.args(["tool", "run", "shell", "--args", &arguments, "--json"]);
    command.current_dir(context.work()).env("HOME", context.home());
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let finished = crate::support::finish(&mut command);
    if finished.stderr.contains("unshare failed") || finished.stderr.contains("mount:") {
        return crate::support::lacking("mounts", "T13, a full disk");
    }
    let value: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((finished.code, &value["data"]["exit_code"]), (0, &json!(0)), "{}", finished.stderr);
    assert_eq!(value["data"]["stdout_bytes"], 6_888_896);
    assert!(value["text"].as_str().unwrap().contains("No space left on device"), "{value}");
}

#[test]
fn a_terminal_on_request() {
    let context = TestContext::new();
    for (command, plain, terminal) in [
        (
            "test -t 0 && test -t 1 && test -t 2 && echo terminal || echo none",
            "none\n",
            "terminal\n",
        ),
        ("stty size 2>/dev/null || echo none", "none\n", "40 120\n"),
        ("cat; echo end", "end\n", "end\n"),
        ("echo err >&2; echo out", "out\n", "err\nout\n"),
        ("(echo x > /dev/tty) 2>/dev/null || echo none", "none\n", "x\n"),
        ("seq 100000 | tail -1; sleep 60 & echo ok", "100000\nok\n", "100000\nok\n"),
    ] {
        for (pty, expected) in [(false, plain), (true, terminal)] {
            let arguments = json!({"command": command, "pty": pty, "timeout": 20});
            let (_, value) = tool(&context, "shell", &arguments);
            let stdout = value["data"]["stdout"].as_str().unwrap_or_default();
            assert_eq!(stdout, expected, "{command} {pty}: {value}");
        }
    }
    let arguments = json!({"command": "trap '' TERM HUP; sleep 60", "pty": true, "timeout": 1});
    let (finished, _) = tool(&context, "shell", &arguments);
    assert_eq!(finished.code, 124, "{}", finished.stderr);
}
