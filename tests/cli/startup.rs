//! Commands that need no ML never start the interpreter. The trace shows whether one was started.

use crate::support::TestContext;

/// The span of a start, as `--trace` writes it.
const START: &str = "python start";

fn trace_of(context: &TestContext, arguments: &[&str]) -> String {
    let file = context.work().join("trace.json");
    let mut all = vec!["--trace", file.to_str().unwrap()];
    all.extend(arguments);
    let finished = context.run(all);
    assert!(finished.code <= 1, "{arguments:?}: {}", finished.stderr);
    let trace = std::fs::read_to_string(&file).unwrap();
    serde_json::from_str::<serde_json::Value>(&trace).expect("a whole JSON document");
    trace
}

#[test]
fn commands_without_ml_start_no_interpreter() {
    let context = TestContext::new();
    for command in [
        &["--version"][..],
        &["config", "show"],
        &["config", "path"],
        &["status"],
        &["tool", "list"],
        &["memory", "search", "nothing"],
        &["session", "list"],
        &["help-exit-codes"],
        &["tool", "run", "calculator", "--args", r#"{"expression": "1 + 1"}"#],
    ] {
        assert!(!trace_of(&context, command).contains(START), "{command:?}");
    }
}

#[test]
fn a_run_of_the_builtin_model_starts_one() {
    let trace = trace_of(&TestContext::new(), &["run", "what is 1 + 1"]);
    assert!(trace.contains(START), "{trace}");
}
