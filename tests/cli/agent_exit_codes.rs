//! Exit codes of `agi-agent run`, one by one, with a scripted model and the real tools.

use serde_json::Value;
use serde_json::json;

use crate::support::Finished;
use crate::support::TestContext;

/// Runs a script with further arguments; the task is always the same.
pub fn run_script(context: &TestContext, script: &Value, arguments: &[&str]) -> Finished {
    let path = context.write("../script.json", script.to_string());
    let model = format!("scripted/{}", path.display());
    let mut all = vec!["run", "do it", "--model", &model];
    all.extend_from_slice(arguments);
    context.run(all)
}

fn code(script: &Value, arguments: &[&str]) -> i32 {
    run_script(&TestContext::new(), script, arguments).code
}

fn call(name: &str, arguments: Value) -> Value {
    json!({"tool_calls": [{"name": name, "arguments": arguments}]})
}

#[test]
fn an_answer_is_0_and_alone_on_stdout() {
    let finished = run_script(&TestContext::new(), &json!([{"text": "42"}]), &[]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "42\n"), "{}", finished.stderr);
}

#[cfg(unix)]
#[test]
fn the_answer_goes_into_what_the_output_names_and_replaces_neither_link_nor_pipe() {
    use std::os::unix::fs::FileTypeExt as _;
    let (context, script) = (TestContext::new(), json!([{"text": "42"}]));
    let (real, link) = (context.write("real", "old"), context.work().join("link"));
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert_eq!(run_script(&context, &script, &["-o", "link"]).code, 0);
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(real).unwrap(), "42\n");
    let pipe = context.work().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let there = pipe.clone();
    let reader = std::thread::spawn(move || std::fs::read_to_string(there).unwrap());
    assert_eq!(run_script(&context, &script, &["-o", "pipe"]).code, 0);
    assert!(pipe.metadata().unwrap().file_type().is_fifo());
    assert_eq!(reader.join().unwrap(), "42\n");
}

#[test]
fn failures_of_the_model_have_their_codes() {
    for (kind, expected) in [
        ("authentication", 41),
        ("unreachable", 45),
        ("server", 46),
        ("rate_limited", 46),
        ("malformed", 46),
        ("replay_diverged", 49),
        ("outside_builtin", 57),
        ("interpreter", 54),
    ] {
        let script =
            json!([{"error": {"kind": kind, "message": "it went wrong", "hint": "mend it"}}]);
        let finished = run_script(&TestContext::new(), &script, &[]);
        assert_eq!((finished.code, finished.stdout.as_str()), (expected, ""), "{kind}");
        assert!(finished.stderr.contains("it went wrong"), "{}", finished.stderr);
        assert!(finished.stderr.contains("mend it"), "{}", finished.stderr);
    }
}

#[test]
fn a_refusal_is_1_and_no_answer_46() {
    assert_eq!(code(&json!([{"text": "no", "stop": "refusal"}]), &[]), 1);
    assert_eq!(code(&json!([{}, {}]), &[]), 46);
}

#[test]
fn usage_and_configuration_are_found_before_the_model_is_asked() {
    let script = json!([{"text": "x"}]);
    assert_eq!(code(&script, &["--nosuch"]), 2);
    assert_eq!(code(&script, &["--deny", "shel(rm*)"]), 52);
    assert_eq!(code(&script, &["--max-cost", "1"]), 52);
    assert_eq!(code(&script, &["--file", "nosuch.txt"]), 42);
    assert_eq!(code(&script, &["--session", "nosuch"]), 42);
    assert_eq!(code(&json!([{"txt": "x"}]), &[]), 52);
}

#[test]
fn writing_needs_a_level_that_allows_it() {
    let context = TestContext::new();
    let write = call("file_write", json!({"path": "a.txt", "content": "hi"}));
    let script = json!([write, {"text": "could not"}]);
    let finished = run_script(&context, &script, &["--sandbox", "read-only"]);
    assert_eq!(finished.code, 43, "{}", finished.stderr);
    assert!(!context.work().join("a.txt").exists());
    let finished = run_script(&context, &script, &["--sandbox", "workspace-write"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(std::fs::read_to_string(context.work().join("a.txt")).unwrap(), "hi");
}

#[test]
fn a_declined_call_is_43_unless_every_expectation_holds() {
    let kill = call("kill_program", json!({"name": "nosuchprogram"}));
    let script = json!([kill, {"text": "done otherwise"}]);
    assert_eq!(code(&script, &[]), 43);
    assert_eq!(code(&script, &["--expect", "true"]), 0);
    assert_eq!(code(&script, &["--deny", "kill_program", "--approve", "auto"]), 43);
    assert_eq!(code(&script, &["--expect", "false"]), 43);
}

#[test]
fn conditions_run_where_the_files_are() {
    let context = TestContext::new();
    context.write("there.txt", "");
    let script = json!([{"text": "done"}]);
    let held = ["--expect", "test -e there.txt", "--forbid", "test -e gone.txt"];
    let finished = run_script(&context, &script, &held);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let finished = run_script(&context, &script, &["--expect", "test -e gone.txt"]);
    assert_eq!(finished.code, 48);
    assert!(finished.stderr.contains("`--expect test -e gone.txt` does not hold"));
    let finished = run_script(&context, &script, &["--forbid", "nosuchcommand"]);
    assert_eq!(finished.code, 48, "{}", finished.stderr);
}

#[test]
fn limits_have_their_codes() {
    let turn = |command: &str| {
        let mut turn = call("shell", json!({ "command": command }));
        turn["usage"] = json!({"input_tokens": 100, "output_tokens": 1});
        turn
    };
    let endless = Value::Array(vec![turn("echo a"); 9]);
    assert_eq!(code(&endless, &["--max-turns", "2"]), 53);
    assert_eq!(code(&endless, &["--max-tokens", "150"]), 56);
    let answer = json!([{"text": "42", "usage": {"input_tokens": 100, "output_tokens": 1}}]);
    let finished = run_script(&TestContext::new(), &answer, &["--max-tokens", "100"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (56, "42\n"), "{}", finished.stderr);
    assert_eq!(code(&answer, &["--max-tokens", "101"]), 0);
    let slow = json!([turn("sleep 30"), {"text": "late"}]);
    let finished = run_script(&TestContext::new(), &slow, &["--timeout", "1s"]);
    assert_eq!(finished.code, 124, "{}", finished.stderr);
    assert!(finished.duration < std::time::Duration::from_secs(15), "{:?}", finished.duration);
}

#[test]
fn a_schema_that_is_not_met_is_47() {
    let schema = r#"{"type": "object", "required": ["n"]}"#;
    let script = json!([{"text": "x"}, {"text": "y"}, {"text": "z"}]);
    assert_eq!(code(&script, &["--output-schema", schema]), 47);
    let script = json!([{"text": "x"}, {"text": "{\"n\": 1}"}]);
    assert_eq!(code(&script, &["--output-schema", schema]), 0);
}

#[test]
fn a_session_can_be_continued() {
    let context = TestContext::new();
    let finished = run_script(&context, &json!([{"text": "blue"}]), &[]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let script = json!([{"text": "still blue", "expect": ["do it", "blue"]}]);
    let finished = run_script(&context, &script, &["--continue"]);
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (0, "still blue\n"),
        "{}",
        finished.stderr
    );
}

#[test]
fn an_ephemeral_run_leaves_nothing() {
    let context = TestContext::new();
    let finished = run_script(&context, &json!([{"text": "42"}]), &["--ephemeral"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(!context.data().exists());
    assert_eq!(std::fs::read_dir(context.home()).unwrap().count(), 0);
}
