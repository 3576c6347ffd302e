//! Where the result goes: `-o FILE`, one JSON object whatever happens, lines of a piped `chat`, and
//! numbers that stay what they are.

use serde_json::Value;
use serde_json::json;

use crate::agent_exit_codes::run_script;
use crate::support::Finished;
use crate::support::TestContext;

/// The result of a run with JSON on stdout, in either format.
fn result(finished: &Finished) -> Value {
    let last = finished.stdout.lines().last().unwrap_or_default();
    let result = serde_json::from_str(&finished.stdout).or_else(|_| serde_json::from_str(last));
    let result: Value = result.unwrap_or_else(|error| panic!("{error}: {}", finished.stdout));
    assert_eq!(result["exit_code"], finished.code, "{result}");
    result
}

fn answered() -> Value {
    json!([{"text": "42"}])
}

#[test]
fn a_place_that_cannot_be_written_is_found_before_the_model_is_asked() {
    for place in ["nosuch/d/x", ".", "file/x"] {
        for format in ["json", "jsonl"] {
            let context = TestContext::new();
            context.write("file", "");
            let arguments = ["--output-format", format, "-o", place];
            let finished = run_script(&context, &answered(), &arguments);
            assert_eq!(finished.code, 42, "{place}: {}", finished.stderr);
            let result = result(&finished);
            assert_eq!((&result["outcome"], &result["turns"]), (&json!("failed"), &json!(0)));
            assert!(result["errors"][0].as_str().unwrap().contains("cannot write the answer"));
        }
    }
}

#[test]
fn a_file_that_cannot_be_written_after_all_makes_no_completed_result() {
    for format in ["json", "jsonl"] {
        let context = TestContext::new();
        std::fs::create_dir(context.work().join("out")).unwrap();
        let remove = json!({"name": "shell", "arguments": {"command": "rmdir out"}});
        let script = json!([{"tool_calls": [remove]}, {"text": "42"}]);
        let arguments = ["--output-format", format, "-o", "out/x", "--sandbox", "workspace-write"];
        let finished = run_script(&context, &script, &arguments);
        assert_eq!(finished.code, 42, "{}", finished.stderr);
        let result = result(&finished);
        assert_eq!((&result["outcome"], &result["text"]), (&json!("failed"), &json!("42")));
    }
}

#[test]
fn only_a_run_that_ends_0_writes_its_file() {
    let context = TestContext::new();
    let path = context.write("answer", "yesterday\n");
    for (script, more, code) in [
        (json!([{"error": {"kind": "outside_builtin", "message": "no"}}]), "true", 57),
        (answered(), "false", 48),
        (json!([{"text": "no", "stop": "refusal"}]), "true", 1),
    ] {
        let finished = run_script(&context, &script, &["-o", "answer", "--expect", more]);
        assert_eq!(finished.code, code, "{}", finished.stderr);
        assert!(finished.stderr.contains("`answer` is left as it was"), "{}", finished.stderr);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "yesterday\n", "{code}");
    }
    let finished = run_script(&context, &answered(), &["-o", "answer", "--expect", "true"]);
    assert_eq!((finished.code, finished.stderr.contains("answer")), (0, false));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "42\n");
}

#[cfg(unix)]
#[test]
fn the_file_is_there_where_nobody_reads_standard_output() {
    let context = TestContext::new();
    let long = "a line of the answer\n".repeat(20_000);
    let path = context.write("../script.json", json!([{ "text": long }]).to_string());
    let model = format!("scripted/{}", path.display());
    let mut command = context.command(["run", "do it", "-o", "answer", "--model", &model]);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(1), "the answer on standard output was lost");
    let kept = std::fs::read_to_string(context.work().join("answer")).unwrap();
    assert_eq!(kept.trim_end(), long.trim_end());
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_reads_is_refused_and_a_device_takes_the_answer() {
    let context = TestContext::new();
    let pipe = context.work().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let finished = run_script(&context, &answered(), &["-o", "pipe"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (42, ""), "{}", finished.stderr);
    assert!(finished.stderr.contains("nobody reads it"), "{}", finished.stderr);
    assert_eq!(run_script(&context, &answered(), &["-o", "/dev/null"]).code, 0);
    let finished = run_script(&context, &answered(), &["-o", "/dev/stdout"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "42\n42\n"), "{}", finished.stderr);
}

/// More than a pipe holds, and a reader who is there and takes nothing.
#[cfg(target_os = "linux")]
#[test]
fn a_pipe_whose_reader_does_not_read_keeps_nothing_from_ending_the_run() {
    use std::os::unix::fs::OpenOptionsExt as _;
    for (signal, timeout, expected) in [(true, "60s", 143), (false, "3s", 124)] {
        let context = TestContext::new();
        let pipe = context.work().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut options = std::fs::File::options();
        // O_NONBLOCK: else this waits for the writer.
        let reader = options.read(true).custom_flags(0o4000).open(&pipe).unwrap();
        let script = json!([{"text": "x".repeat(300_000)}]);
        let path = context.write("../script.json", script.to_string());
        let model = format!("scripted/{}", path.display());
        let arguments = ["run", "go", "-o", "pipe", "--timeout", timeout, "--model", &model];
        let since = std::time::Instant::now();
        let mut child = context.command(arguments).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert!(child.try_wait().unwrap().is_none(), "it has an answer to deliver");
        if signal {
            let id = child.id().to_string();
            let sent = std::process::Command::new("kill").args(["-TERM", &id]).status();
            assert!(sent.unwrap().success());
        }
        let finished = crate::support::collected(child);
        assert_eq!(finished.code, expected, "{}", finished.stderr);
        assert!(finished.stderr.contains("`pipe`: nobody read it in time"), "{}", finished.stderr);
        assert!(!finished.stderr.contains("by itself"), "not by force: {}", finished.stderr);
        assert!(since.elapsed() < std::time::Duration::from_secs(10), "{:?}", since.elapsed());
        drop(reader);
    }
}

#[test]
fn whoever_asks_for_json_gets_an_object_from_every_failure() {
    let cases: [(&[&str], i32); 10] = [
        (&[], 2),
        (&["x", "--require-model"], 41),
        (&["x", "-f", "nosuch"], 42),
        (&["x", "-C", "nosuch"], 42),
        (&["x", "--trace", "nosuch/trace"], 42),
        (&["x", "--output-schema", "{"], 42),
        (&["x", "-c", "limits.max_turns=no"], 52),
        (&["x", "--profile", "nosuch"], 52),
        (&["x", "--model", "nosuch/x"], 52),
        (&["x", "--replay", "nosuch", "--model", "openai/x"], 52),
    ];
    for (arguments, code) in cases {
        for format in [&["--output-format", "json"][..], &["--output-format", "jsonl"], &["--json"]]
        {
            let finished = TestContext::new().run([&["run"], format, arguments].concat());
            assert_eq!(finished.code, code, "{arguments:?}: {}", finished.stderr);
            let result = result(&finished);
            assert_eq!(result["outcome"], "failed", "{arguments:?}");
            let first = result["errors"][0].as_str().unwrap();
            assert!(finished.stderr.contains(first), "{arguments:?}: {first}");
            if format.contains(&"jsonl") {
                assert_eq!((&result["type"], &result["seq"]), (&json!("result"), &json!(0)));
            }
        }
        let plain = TestContext::new().run([&["run"], arguments].concat());
        assert_eq!((plain.code, plain.stdout.as_str()), (code, ""), "{arguments:?}");
    }
}

#[test]
fn numbers_of_an_answer_stay_what_they_are() {
    let script =
        json!([{"text": "Here:\n```json\n{\"a\": 18446744073709551616,\n \"b\": 1.10}\n```"}]);
    let schema = r#"{"type": "object", "properties": {"a": {"type": "integer"}}}"#;
    let exact = r#"{"a":18446744073709551616,"b":1.10}"#;
    for format in ["text", "json", "jsonl"] {
        let arguments = ["--output-schema", schema, "--output-format", format, "-o", "kept"];
        let context = TestContext::new();
        let finished = run_script(&context, &script, &arguments);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert!(finished.stdout.contains(exact), "{format}: {}", finished.stdout);
        let kept = std::fs::read_to_string(context.work().join("kept")).unwrap();
        assert_eq!(kept, format!("{exact}\n"));
    }
}

#[test]
fn a_piped_conversation_ends_as_its_worst_turn() {
    let chat = |input: &str| TestContext::new().run_with_input(["chat"], input.as_bytes());
    let finished = chat("explain x\nwhat is 1+1\n");
    assert_eq!((finished.code, finished.stdout.as_str()), (57, "2\n"), "{}", finished.stderr);
    assert_eq!(chat("what is 1+1\n\nwhat is 2+2\n").code, 0);
}

#[test]
fn calls_that_failed_are_counted_and_told() {
    let run = |commands: &[&str]| {
        let turns = commands.iter().map(
            |command| json!({"tool_calls": [{"name": "shell", "arguments": {"command": command}}]}),
        );
        let script: Vec<Value> = turns.chain([json!({"text": "done"})]).collect();
        let arguments = ["--output-format", "json", "-c", "limits.tool_timeout=1s"];
        let finished = run_script(&TestContext::new(), &script.into(), &arguments);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        (result(&finished)["calls"].clone(), finished.stderr)
    };
    let (calls, said) = run(&["true", "sleep 5", "exit 3"]);
    let expected = json!({"completed": 1, "failed": 1, "declined": 0, "timed_out": 1,
        "cancelled": 0, "unmended": ["shell"]});
    assert_eq!(calls, expected);
    assert!(said.contains("2 of 3 tool calls failed, those of `shell` to the last"), "{said}");
    let (calls, said) = run(&["exit 3", "true"]);
    assert_eq!((&calls["failed"], calls.get("unmended")), (&json!(1), None));
    assert!(!said.contains("tool calls failed"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_python_draws_is_in_the_events_of_a_run() {
    let code = "from agi_agent.plot import Figure\nf = Figure()\nf.line([1, 2], [3, 4])\nf.show()";
    let draw = json!({"name": "python_exec", "arguments": {"code": code}});
    let script = json!([{"tool_calls": [draw]}, {"text": "drawn"}]);
    // Where the module is in a development build; the released file has it.
    let read = ["--read", concat!(env!("CARGO_MANIFEST_DIR"), "/python")];
    let arguments = [&["--output-format", "jsonl"][..], &read].concat();
    let finished = run_script(&TestContext::new(), &script, &arguments);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let events = finished.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ended = events
        .filter(|event| event["type"] == "item.completed")
        .find(|event| event["item"]["type"] == "command_execution")
        .unwrap();
    let item = &ended["item"];
    let drawn = &item["artefacts"][0];
    assert_eq!(
        (&drawn["name"], &drawn["media_type"]),
        (&json!("plot-1.svg"), &json!("image/svg+xml"))
    );
    assert!(drawn["content"].as_str().unwrap().contains("<svg"), "{drawn}");
    assert!(item["output"].as_str().unwrap().contains("[drawn: `plot-1.svg`]"), "{item}");
}
