//! The jsonl stream of a run, whole, with what differs from run to run replaced.

use serde_json::Value;
use serde_json::json;

use crate::agent_exit_codes::run_script;
use crate::support::TestContext;
use crate::support::model_server::ModelServer;

/// One line per event but updates, keys in their order, redacted.
fn stream(context: &TestContext, stdout: &str) -> String {
    let mut lines = String::new();
    for (number, line) in stdout.lines().enumerate() {
        let mut event: Value = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(event["seq"], number);
        // How often updates come depends on the machine.
        if event["type"] == "item.updated" {
            continue;
        }
        redact(&mut event);
        lines.push_str(&context.filter(&event.to_string()));
        lines.push('\n');
    }
    lines
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match key.as_str() {
                    "ts" | "thread_id" | "session_id" => *value = json!(format!("[{key}]")),
                    "duration_ms" | "seq" => *value = json!(0),
                    // The rung differs from machine to machine.
                    "sandbox" | "sandbox_level" if value != "none" => *value = json!("[rung]"),
                    _ => redact(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(redact),
        _ => {}
    }
}

#[test]
fn a_run_with_a_read_a_command_and_a_declined_call() {
    let context = TestContext::new();
    context.write("a.txt", "one\ntwo\n");
    let script = json!([
        {"reasoning": "look", "tool_calls": [
            {"name": "file_read", "arguments": {"path": "a.txt"}},
            {"name": "shell", "arguments": {"command": "wc -l < a.txt"}},
            {"name": "kill_program", "arguments": {"name": "nosuchprogram"}}],
         "usage": {"input_tokens": 10, "output_tokens": 5}},
        {"text": "2 lines", "usage": {"input_tokens": 20, "output_tokens": 2}},
    ]);
    let arguments = ["--output-format", "jsonl", "--sandbox", "workspace-write"];
    let finished = run_script(&context, &script, &arguments);
    assert_eq!(finished.code, 43, "{}", finished.stderr);
    insta::assert_snapshot!(stream(&context, &finished.stdout));
}

#[test]
fn a_run_whose_model_fails() {
    let context = TestContext::new();
    let script = json!([{"error": {"kind": "server", "message": "the server is down"}}]);
    let finished = run_script(&context, &script, &["--output-format", "jsonl"]);
    insta::assert_snapshot!(stream(&context, &finished.stdout));
}

#[test]
fn json_is_the_outcome_alone() {
    let context = TestContext::new();
    let script = json!([{"text": "42"}]);
    let finished = run_script(&context, &script, &["--output-format", "json"]);
    let outcome: Value = serde_json::from_str(&finished.stdout).expect("one object");
    assert_eq!((&outcome["text"], &outcome["exit_code"]), (&json!("42"), &json!(0)));
    assert_eq!(outcome["outcome"], "completed");
}

#[test]
fn the_project_and_the_memory_reach_the_model() {
    let context = TestContext::new();
    context.write("AGENTS.md", "Answer in rhymes.");
    let added = context.run(["memory", "add", "do it means sweeping the floor"]);
    assert_eq!(added.code, 0, "{}", added.stderr);
    let expected = ["Answer in rhymes.", "sweeping the floor", "Notes from memory"];
    let script = json!([{"text": "swept", "expect": expected}]);
    let finished = run_script(&context, &script, &[]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
}

/// Where instructions and tools take most of a small window, what they leave is used; where they leave
/// nothing, the person is told.
#[test]
fn a_small_window_is_made_room_in_or_told_of() {
    for (window, has_room) in [(500, false), (1_000, false), (3_000, true), (4_096, true)] {
        let context = TestContext::new();
        context.write("big.txt", "twenty-four bytes here.\n".repeat(1_000));
        let read = json!({"tool_calls": [{"name": "file_read", "arguments": {"path": "big.txt"}}]});
        let script = json!({"context_window": window, "turns": [read, {"text": "done"}]});
        let finished = run_script(&context, &script, &["--output-format", "jsonl"]);
        assert_eq!(finished.code, 0, "{window}: {}", finished.stderr);
        let compacted = finished.stdout.contains("compacted");
        let told = finished.stdout.contains("too large for the model's context window of");
        assert_eq!((compacted, told), (has_room, !has_room), "{window}: {}", finished.stdout);
        let hint =
            finished.stdout.contains("; if it is larger, set `context_window` in the script");
        assert_eq!(hint, told, "{window}: {}", finished.stdout);
    }
}

/// What the note says to set is what counts.
#[test]
fn the_setting_of_a_small_window_is_the_one_that_is_told() {
    let server = ModelServer::start();
    let route = r#"{"provider": "openai", "name": "m", "context_window": 500"#;
    let rung = format!(r#"{route}, "base_url": "{}"}}"#, server.url("ok"));
    let larger = rung.replace("500", "100000");
    let general = ["--model", "openai/m", "-c", "model.context_window=500"];
    let general_larger = ["--model", "openai/m", "-c", "model.context_window=100000"];
    let in_route = ["--model", "route/r", "-c", "model.context_window=100000"];
    let (own, of_rung) =
        ("`model.context_window`", "`context_window` of model 1 in `model.routes.r`");
    for (rung, arguments, told) in [
        (&rung, &general, Some(own)),
        (&rung, &general_larger, None),
        (&rung, &in_route, Some(of_rung)),
        (&larger, &in_route, None),
    ] {
        let mut context = TestContext::new();
        context.env("OPENAI_BASE_URL", server.url("ok"));
        context.configure(&format!(r#"{{"model": {{"routes": {{"r": [{rung}]}}}}}}"#));
        let task = [&["run", "--output-format", "jsonl"][..], arguments, &["hi"]].concat();
        let finished = context.run(task);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        let hint = finished.stdout.split("if it is larger, set ").nth(1);
        let hint = hint.and_then(|rest| rest.split('"').next());
        assert_eq!(hint, told, "{}", finished.stdout);
    }
}
