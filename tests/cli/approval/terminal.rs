//! A person at a terminal is asked: what they see, what their answers cover, and what voids them.

use std::process::Command;

use serde_json::Value;
use serde_json::json;

use super::call;
use super::calls;
use crate::support::TestContext;
use crate::support::terminal::Terminal;

const QUESTION: &str = "[N]o: ";

fn shell(arguments: Value) -> Value {
    calls(vec![call("shell", arguments)])
}

fn command(context: &TestContext, script: &Value) -> Command {
    let path = context.write("../script.json", script.to_string());
    let model = format!("scripted/{}", path.display());
    context.command(["run", "do it", "--model", &model, "--sandbox", "danger-full-access"])
}

#[test]
fn the_question_shows_everything_and_a_yes_is_used_once() {
    let context = TestContext::new();
    let touch = shell(json!({"command": "touch made\u{202e} # \u{1b}[8mhidden"}));
    let script = json!([touch, touch, {"text": "done"}]);
    let mut terminal = Terminal::start(&mut command(&context, &script));
    let shown = terminal.wait_for(QUESTION);
    assert!(shown.contains("$ touch made\\u{202e} # \\u{1b}[8mhidden"), "{shown:?}");
    assert!(shown.contains("nothing bounds a process"), "{shown:?}");
    terminal.send("y\r");
    terminal.wait_for(QUESTION);
    assert!(context.work().join("made\u{202e}").exists());
    std::fs::remove_file(context.work().join("made\u{202e}")).unwrap();
    terminal.send("n\r");
    let (code, _) = terminal.end();
    assert_eq!(code, 43);
    assert!(!context.work().join("made\u{202e}").exists());
}

/// A question goes to a screen, as an event does; the answer is for what runs.
#[test]
fn case_31_a_question_shows_no_value_of_a_secret() {
    const VALUE: &str = "Zq8canaryVALUE01x9KtPw77";
    let mut context = TestContext::new();
    context.env("MY_TOKEN", VALUE);
    let write = shell(json!({"command": format!("echo {VALUE} > made")}));
    let script = json!([write, {"text": "done"}]);
    let mut terminal = Terminal::start(&mut command(&context, &script));
    let shown = terminal.wait_for(QUESTION);
    assert!(shown.contains("$ echo [secret:MY_TOKEN] > made"), "{shown:?}");
    terminal.send("y\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!shown.contains(VALUE) && !screen.contains(VALUE), "{shown}{screen}");
    let made = std::fs::read_to_string(context.work().join("made")).unwrap();
    assert_eq!(made.trim_end(), VALUE);
}

#[test]
fn answers_for_a_session_and_for_a_pattern() {
    let context = TestContext::new();
    let make = |name: &str| shell(json!({"command": format!("touch {name}")}));
    let script = json!([make("a"), make("a"), make("b"), make("c"), {"text": "done"}]);
    let mut terminal = Terminal::start(&mut command(&context, &script));
    let shown = terminal.wait_for(QUESTION);
    assert!(shown.contains("`shell(touch a *)`") || shown.contains("`shell(touch *)`"), "{shown}");
    terminal.send("s\r");
    // The second call is the same one; the third is not.
    let shown = terminal.wait_for(QUESTION);
    assert!(shown.contains("$ touch b"), "{shown}");
    terminal.send("shell(rm *)\r");
    let shown = terminal.wait_for(QUESTION);
    assert!(shown.contains("does not cover this call"), "{shown}");
    terminal.send("shell(touch *)\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    for name in ["a", "b", "c"] {
        assert!(context.work().join(name).exists(), "{name}");
    }
}

#[test]
fn case_8_a_directory_that_was_replaced_voids_the_approval() {
    let context = TestContext::new();
    context.write("sub/x", "");
    let script = json!([shell(json!({"command": "touch made", "cwd": "sub"})), {"text": "done"}]);
    let mut terminal = Terminal::start(&mut command(&context, &script));
    terminal.wait_for(QUESTION);
    std::fs::rename(context.work().join("sub"), context.work().join("old")).unwrap();
    std::fs::create_dir(context.work().join("sub")).unwrap();
    terminal.send("y\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 43, "{screen}");
    assert!(!context.work().join("sub/made").exists());
    assert!(!context.work().join("old/made").exists());
}

#[test]
fn case_8_a_script_that_was_rewritten_voids_the_approval() {
    let context = TestContext::new();
    context.write("run.sh", "touch good\n");
    let script = json!([shell(json!({"command": "sh run.sh"})), {"text": "done"}]);
    let mut terminal = Terminal::start(&mut command(&context, &script));
    terminal.wait_for(QUESTION);
    context.write("run.sh", "touch pwned\n");
    terminal.send("y\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, 43, "{screen}");
    assert!(!context.work().join("pwned").exists());
}

#[test]
fn case_44_nothing_runs_after_an_interrupt() {
    let context = TestContext::new();
    let both = calls(vec![
        call("shell", json!({"command": "touch one"})),
        call("file_write", json!({"path": "two", "content": "x"})),
    ]);
    let script = json!([both, shell(json!({"command": "touch three"})), {"text": "done"}]);
    let mut terminal = Terminal::start(&mut command(&context, &script));
    terminal.wait_for(QUESTION);
    terminal.send("\x03");
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    for name in ["one", "two", "three"] {
        assert!(!context.work().join(name).exists(), "{name}");
    }
}

#[test]
fn what_was_typed_before_the_question_answers_nothing() {
    let context = TestContext::new();
    let script = json!([
        {"text": "", "delay_ms": 500, "tool_calls": [call("shell", json!({"command": "touch x"}))]},
        {"text": "done"},
    ]);
    let mut terminal = Terminal::start(&mut command(&context, &script));
    terminal.send("y\r");
    terminal.wait_for(QUESTION);
    terminal.send("n\r");
    assert_eq!(terminal.end().0, 43);
    assert!(!context.work().join("x").exists());
}
