//! Where the machine gives less than usual (descriptors, stack, room for a trace), and where a file is
//! none: one line says so, with a code of ours.

use std::process::Command;

use serde_json::json;

use crate::support::Finished;
use crate::support::TestContext;
use crate::support::finish;

fn model(context: &TestContext) -> String {
    let script = json!([{"text": "done"}]).to_string();
    format!("scripted/{}", context.write("../script.json", script).display())
}

/// The binary with these arguments, started by a shell that has done `before`.
fn after(context: &TestContext, before: &str, arguments: &[&str]) -> Finished {
    let plain = context.command(arguments);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{before}; exec \"$@\""), "sh"]);
    command.arg(plain.get_program()).args(plain.get_args());
    command.env_clear().current_dir(context.work());
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    finish(&mut command)
}

fn errors(finished: &Finished) -> Vec<&str> {
    finished.stderr.lines().filter(|line| line.starts_with("error: ")).collect()
}

#[test]
fn few_descriptors_are_an_error_that_says_so() {
    let context = TestContext::new();
    let model = model(&context);
    let finished = after(&context, "ulimit -n 6", &["run", "go", "--model", &model]);
    assert_eq!(finished.code, 54, "{}", finished.stderr);
    assert_eq!(errors(&finished), ["error: 6 open files are allowed, and 12 are needed"]);
    // Enough by the limit, and taken by others: what the event loop says of it is one line too.
    let taken = "for n in 3 4 5 6 7 8 9; do eval \"exec $n</dev/null\"; done; ulimit -n 12";
    let finished = after(&context, taken, &["run", "go", "--model", &model]);
    assert_eq!((finished.code, errors(&finished).len()), (54, 1), "{}", finished.stderr);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}

#[test]
fn a_small_stack_is_enough() {
    let context = TestContext::new();
    let finished = after(&context, "ulimit -s 64", &["run", "go", "--model", &model(&context)]);
    assert_eq!((finished.code, &*finished.stdout), (0, "done\n"), "{}", finished.stderr);
    let finished = after(&context, "ulimit -s 64", &["run", "what is 6*7"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
}

#[test]
fn a_trace_that_cannot_be_written_is_told() {
    let context = TestContext::new();
    let model = model(&context);
    let run = |trace: &str| context.run(["run", "go", "--model", &model, "--trace", trace]);
    let full = run("/dev/full");
    assert_eq!((full.code, &*full.stdout), (42, "done\n"), "{}", full.stderr);
    assert_eq!(errors(&full).len(), 1, "{}", full.stderr);
    assert!(
        full.stderr.contains("cannot write the trace `/dev/full`: No space"),
        "{}",
        full.stderr
    );
    assert!(!full.stderr.contains("panicked"), "{}", full.stderr);
    assert_eq!(run("/dev/null").code, 0);
}

/// Opening a pipe waits for its other end, which nobody may ever open.
#[test]
fn a_pipe_is_no_trace_no_log_and_no_script() {
    let context = TestContext::new();
    let pipe = context.work().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_string_lossy().into_owned();
    let model = model(&context);
    let traced = context.run(["run", "go", "--model", &model, "--trace", &pipe]);
    assert_eq!(traced.code, 42, "{}", traced.stderr);
    let file = format!("log.file={pipe}");
    let logged =
        context.run(["run", "go", "--model", &model, "-c", "log.level=debug", "-c", &file]);
    assert_eq!(logged.code, 42, "{}", logged.stderr);
    assert!(logged.stderr.contains("a pipe that nobody reads"), "{}", logged.stderr);
    let scripted = context.run(["run", "go", "--model", &format!("scripted/{pipe}")]);
    assert_eq!(scripted.code, 52, "{}", scripted.stderr);
    assert!(scripted.stderr.contains("is no regular file"), "{}", scripted.stderr);
}
