//! Nothing keeps the agent from ending: not a reader that stopped, a pipe that is silent, or a prompt
//! nobody types at. And what whoever started it had ignored stays ignored.

use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::support;
use crate::support::Finished;
use crate::support::TestContext;

/// From a signal to the end of the process: what is promised, and what a loaded machine adds.
const SOON: Duration = Duration::from_secs(4);

fn script(context: &TestContext, script: &Value) -> String {
    format!("scripted/{}", context.write("../script.json", script.to_string()).display())
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Waits for the end without reading anything, then reads.
fn ended(mut child: Child, limit: Duration) -> Finished {
    let start = Instant::now();
    loop {
        if child.try_wait().unwrap().is_some() {
            return support::collected(child);
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
            panic!("still there after {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a pipe is full, and until whoever fills it has noticed.
#[cfg(target_os = "linux")]
fn full(pipe: &impl std::os::fd::AsFd) {
    let filled = || rustix::io::ioctl_fionread(pipe).unwrap();
    support::wait_until(Duration::from_secs(20), "filling the pipe", || filled() >= 61_440);
    std::thread::sleep(Duration::from_millis(200));
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_stops_reading_does_not_keep_it() {
    let context = TestContext::new();
    let model = script(&context, &json!([{"text": "x".repeat(300_000)}]));
    let run =
        |format: &'static str| vec!["run", "go", "--model", &model, "--output-format", format];
    let commands = [
        run("text"),
        run("json"),
        run("jsonl"),
        vec!["sandbox", "--level", "read-only", "--", "seq", "1", "100000"],
    ];
    for (arguments, (name, code)) in
        commands.iter().zip([("-TERM", 143), ("-INT", 130), ("-HUP", 143), ("-TERM", 143)])
    {
        let child = context.command(arguments).spawn().unwrap();
        full(child.stdout.as_ref().unwrap());
        signal(&child, name);
        let finished = ended(child, SOON);
        assert_eq!(finished.code, code, "{arguments:?}: {}", finished.stderr);
    }
    let timed = [&run("text")[..], &["--timeout", "1s"]].concat();
    let start = Instant::now();
    let finished = ended(context.command(&timed).spawn().unwrap(), SOON + SOON);
    assert_eq!(finished.code, 124, "{}", finished.stderr);
    assert!(start.elapsed() > Duration::from_secs(1));
}

/// Standard error is written by the command's own thread: it stands still, and is ended by force. What its
/// commands started is dead too.
#[cfg(target_os = "linux")]
#[test]
fn an_agent_that_cannot_move_is_ended_by_force() {
    let context = TestContext::new();
    let long = json!({"command": format!("true {}", "x".repeat(100_000))});
    let waiting = json!({"command": "exec sleep 4711.5"});
    let calls =
        json!([{"name": "shell", "arguments": waiting}, {"name": "shell", "arguments": long}]);
    let model = script(&context, &json!([{"tool_calls": calls}, {"text": "late"}]));
    for (limits, sent, code) in
        [(&[][..], Some("-TERM"), 143), (&["--timeout", "4s"][..], None, 124)]
    {
        let fixed = ["run", "go", "--model", &model, "-v"];
        let mut command = context.command([&fixed[..], limits].concat());
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().unwrap();
        drop(command);
        full(&reader);
        assert!(runs("4711.5"));
        if let Some(name) = sent {
            signal(&child, name);
        }
        assert_eq!(ended(child, SOON + SOON).code, code);
        support::wait_until(Duration::from_secs(5), "the end of the command", || !runs("4711.5"));
    }
}

/// The processes with this word in their command line.
#[cfg(target_os = "linux")]
fn with_word(word: &str) -> Vec<u32> {
    let listed = std::fs::read_dir("/proc").unwrap().flatten();
    listed
        .filter(|entry| {
            std::fs::read(entry.path().join("cmdline"))
                .is_ok_and(|line| line.split(|byte| *byte == 0).any(|part| part == word.as_bytes()))
        })
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .collect()
}

#[cfg(target_os = "linux")]
fn runs(word: &str) -> bool {
    !with_word(word).is_empty()
}

/// A shell script that has the binary and these arguments as its own.
fn in_shell(context: &TestContext, arguments: &[&str], script: &str) -> Command {
    let plain = context.command(arguments);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.env_clear().current_dir(context.work());
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_conversation_ends_at_its_prompt() {
    for (name, code) in [("-TERM", 143), ("-INT", 130), ("-HUP", 143)] {
        let context = TestContext::new();
        let model = script(&context, &json!([{"text": "two"}, {"text": "never"}]));
        let mut command = context.command(["chat", "--model", &model]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut typed = child.stdin.take().unwrap();
        writeln!(typed, "what is 1+1").unwrap();
        let mut answer = [0; 4];
        child.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"two\n");
        std::thread::sleep(Duration::from_millis(100));
        signal(&child, name);
        let finished = ended(child, SOON);
        assert_eq!(finished.code, code, "{}", finished.stderr);
        drop(typed);
    }
}

/// The terminal is left as it was found, also where the prompt is in the middle of a line.
#[cfg(target_os = "linux")]
#[test]
fn a_conversation_that_is_ended_at_its_prompt_gives_the_terminal_back() {
    let context = TestContext::new();
    let model = script(&context, &json!([{"text": "two"}]));
    let mut command =
        in_shell(&context, &["chat", "--model", &model], "\"$@\"; echo ended $?; stty -a");
    let mut terminal = support::terminal::Terminal::start(&mut command);
    terminal.wait_for("> ");
    terminal.send("half a li");
    terminal.wait_for("half a li");
    // The shell has the word too, and is older.
    let agent = with_word(&model).into_iter().max().expect("the agent");
    assert!(Command::new("kill").args(["-TERM", &agent.to_string()]).status().unwrap().success());
    terminal.wait_for("ended 143");
    let (_, shown) = terminal.end();
    assert!(shown.contains(" icanon") && shown.contains(" echo "), "{shown}");
}

#[test]
fn the_time_limit_holds_before_the_run_begins() {
    let context = TestContext::new();
    let model = script(&context, &json!([{"text": "done"}]));
    let fifo = context.work().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let fifo = fifo.to_string_lossy().into_owned();
    let cases: [&[&str]; 4] =
        [&["--stdin"], &["-f", "/dev/stdin"], &["-f", &fifo], &["--output-schema", &fifo]];
    for case in cases {
        let arguments = [&["run", "go", "--model", &model, "--timeout", "1s"], case].concat();
        let mut command = context.command(&arguments);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let silent = child.stdin.take();
        let finished = ended(child, Duration::from_secs(6));
        assert_eq!(finished.code, 124, "{case:?}: {}", finished.stderr);
        assert!(finished.stderr.contains("the time of the run is up"), "{}", finished.stderr);
        drop(silent);
    }
}

#[test]
fn a_signal_is_heard_while_the_task_is_read() {
    let context = TestContext::new();
    let model = script(&context, &json!([{"text": "done"}]));
    let mut command = context.command(["run", "--stdin", "--model", &model]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let silent = child.stdin.take();
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "-TERM");
    assert_eq!(ended(child, SOON).code, 143);
    drop(silent);
}

/// `-f <(…)` and a writer that takes its time.
#[test]
fn a_pipe_is_read_to_its_end_as_a_file() {
    let context = TestContext::new();
    let model = script(&context, &json!([{"text": "done"}]));
    let arguments = ["run", "go", "--model", &model, "-f", "/dev/stdin", "--timeout", "30s"];
    let mut command = in_shell(&context, &arguments, "(sleep 0.2; echo later) | \"$@\"");
    let finished = support::finish(&mut command);
    assert_eq!((finished.code, &*finished.stdout), (0, "done\n"), "{}", finished.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_that_prints_a_key_ends_with_the_run() {
    let context = TestContext::new();
    let key = r#"model.api_key={"command":["sh","-c","sleep 4712.5; echo key"]}"#;
    let arguments =
        ["run", "go", "--model", "openai/m", "-c", key, "-c", "model.base_url=http://127.0.0.1:9"];
    let finished = ended(
        context.command([&arguments[..], &["--timeout", "1s"]].concat()).spawn().unwrap(),
        Duration::from_secs(4),
    );
    assert_eq!(finished.code, 124, "{}", finished.stderr);
    assert!(!runs("4712.5"));
    let child = context.command(arguments).spawn().unwrap();
    support::wait_until(Duration::from_secs(10), "the command", || runs("4712.5"));
    signal(&child, "-TERM");
    assert_eq!(ended(child, SOON).code, 143);
    assert!(!runs("4712.5"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_that_prints_a_key_ends_with_whatever_asked_for_it() {
    let commands: [(&[&str], &str); 5] = [
        (&["doctor"], "model"),
        (&["model", "test"], "model"),
        (&["model", "list"], "model"),
        (&["model", "bench"], "model"),
        (&["model", "embed"], "embedding"),
    ];
    for (number, (command, whose)) in commands.iter().enumerate() {
        let context = TestContext::new();
        let time = format!("4713.{number}5");
        let key =
            format!(r#"{whose}.api_key={{"command":["sh","-c","sleep {time} | cat; echo key"]}}"#);
        let more = [
            format!("{whose}.provider=openai"),
            format!("{whose}.name=m"),
            format!("{whose}.base_url=http://127.0.0.1:9"),
            key,
        ];
        let set = more.iter().flat_map(|text| ["-c", text.as_str()]);
        let arguments: Vec<&str> = command.iter().copied().chain(set).collect();
        let child = context.command(arguments).spawn().unwrap();
        support::wait_until(Duration::from_secs(20), "the command", || runs(&time));
        signal(&child, "-TERM");
        let finished = ended(child, SOON);
        assert_eq!(finished.code, 143, "{command:?}: {}", finished.stderr);
        assert!(!runs(&time), "{command:?}");
    }
}

/// `nohup`, and what a shell without job control starts in the background.
#[test]
fn what_is_ignored_stays_ignored() {
    for (ignored, sent) in [("HUP", "-HUP"), ("INT", "-INT")] {
        let context = TestContext::new();
        let model = script(&context, &json!([{"text": "done", "delay_ms": 1_500}]));
        let script = format!("trap '' {ignored}; exec \"$@\"");
        let mut command = in_shell(&context, &["run", "go", "--model", &model], &script);
        let child = command.spawn().unwrap();
        let data = context.data();
        let begun = |data: &Path| data.join("agent.db").exists();
        support::wait_until(Duration::from_secs(20), "the run", || begun(&data));
        signal(&child, sent);
        let finished = ended(child, Duration::from_secs(20));
        assert_eq!((finished.code, &*finished.stdout), (0, "done\n"), "{}", finished.stderr);
    }
}

const START: &str = r#"{"id": 1, "method": "run.start", "params": {"task": "what is 1+1"}}"#;
const BYE: &str = r#"{"id": 2, "method": "shutdown"}"#;

/// The exit code says whether the client can have had its answers.
#[cfg(target_os = "linux")]
#[test]
fn a_service_that_nobody_can_hear_says_so() {
    let context = TestContext::new();
    for to in [">&-", ">/dev/full", "| true"] {
        let script = match to {
            "| true" => format!(
                "(sleep 0.3; printf '{START}\\n{BYE}\\n') | (\"$@\"; echo rc $? >&2) | true"
            ),
            to => format!("printf '{START}\\n{BYE}\\n' | \"$@\" {to}; echo rc $? >&2"),
        };
        let mut command = in_shell(&context, &["serve", "--stdio"], &script);
        let finished = support::finish(&mut command);
        assert!(finished.stderr.contains("rc 1\n"), "{to}: {}", finished.stderr);
        assert!(finished.stderr.contains("error: cannot write the result"), "{}", finished.stderr);
    }
}

/// A start that stands right before the end is begun, and told to its end.
#[test]
fn a_run_that_is_asked_for_last_is_told_to_its_end() {
    let context = TestContext::new();
    for last in [BYE, ""] {
        let input = format!("{START}\n{last}\n");
        let finished = context.run_with_input(["serve", "--stdio"], input.as_bytes());
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        let lines: Vec<Value> =
            finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["result"]["run"], "run_0", "{}", finished.stdout);
        let ended = |line: &Value| line["params"]["event"]["type"] == "result";
        let result = lines.iter().position(ended).expect("a result");
        let code = &lines[result]["params"]["event"]["exit_code"];
        assert!(*code == 143 || *code == 0, "{code}");
        assert_eq!(lines.len() - 1, if last.is_empty() { result } else { result + 1 });
    }
}
