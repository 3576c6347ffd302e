//! `--expect` and `--forbid` with the real shell: what proves something, what proves nothing, and what
//! is told about a condition that does not hold.

use serde_json::Value;
use serde_json::json;

use crate::agent_exit_codes::run_script;
use crate::support::Finished;
use crate::support::TestContext;

fn checked(arguments: &[&str]) -> Finished {
    run_script(&TestContext::new(), &json!([{"text": "done"}]), arguments)
}

#[test]
fn a_forbidden_command_that_did_not_come_to_its_own_end_proves_nothing() {
    for (command, limit, why) in [
        ("sleep 5", "limits.tool_timeout=1s", "it ran out of time"),
        ("kill -9 $$", "limits.tool_timeout=20s", "signal 9"),
        ("sh -c 'kill -9 $$'; exit $?", "limits.tool_timeout=20s", "signal 9"),
        ("while :; do :; done", "limits.command.cpu_time=1s", "it met a limit (`cpu`"),
        ("nosuchcommand", "limits.tool_timeout=20s", "it could not be run"),
        ("grep -q x nosuchfile", "limits.tool_timeout=20s", "exit code 2, which proves nothing"),
        ("if", "limits.tool_timeout=20s", "which proves nothing (0 says that it is so, 1"),
        ("exit 3", "limits.tool_timeout=20s", "write `(CMD); test $? -ne 3`"),
        ("(true); test $? -ne 3", "limits.tool_timeout=20s", "it succeeded"),
    ] {
        let finished = checked(&["--forbid", command, "-c", limit]);
        assert_eq!(finished.code, 48, "{command}: {}", finished.stderr);
        let told = format!("`--forbid {command}` does not hold: ");
        assert!(finished.stderr.contains(&told), "{}", finished.stderr);
        assert!(finished.stderr.contains(why), "{command}: {}", finished.stderr);
    }
    let advised = "(exit 3); test $? -ne 3";
    let held = ["--forbid", advised, "--forbid", "false", "--forbid", "test -e gone"];
    assert_eq!(checked(&held).code, 0);
}

#[test]
fn the_runs_time_that_is_over_during_a_condition_is_124() {
    for option in ["--expect", "--forbid"] {
        let finished = checked(&[option, "sleep 5; exit 0", "--timeout", "1s"]);
        assert_eq!(finished.code, 124, "{option}: {}", finished.stderr);
        assert!(finished.stderr.contains("the time of the run is up"), "{}", finished.stderr);
    }
    // The time of one call is not the run's.
    let one = ["--expect", "sleep 5", "--timeout", "30s", "-c", "limits.tool_timeout=1s"];
    assert_eq!(checked(&one).code, 48);
}

#[test]
fn a_condition_that_does_not_hold_is_told_with_what_it_printed_and_without_secrets() {
    let mut context = TestContext::new();
    context.env("SERVICE_API_KEY", "sk-live-4b7fQ2mZx81c");
    let command = "seq 500; echo FAILED test_two; echo key $SERVICE_API_KEY; echo why >&2; exit 3";
    let secret = ["-c", "sandbox.env=[\"SERVICE_API_KEY\"]"];
    let arguments = [&["--output-format", "json", "--expect", command][..], &secret].concat();
    let finished = run_script(&context, &json!([{"text": "done"}]), &arguments);
    assert_eq!(finished.code, 48, "{}", finished.stderr);
    let result: Value = serde_json::from_str(&finished.stdout).unwrap();
    let error = result["errors"][0].as_str().unwrap();
    assert!(error.contains("it ended with exit code 3; it printed last:\n"), "{error}");
    assert!(error.contains("\n  500\n  FAILED test_two\n  key "), "{error}");
    assert!(!error.contains("\n  key \n"), "the command had no secret: {error}");
    assert!(error.ends_with("\n  why") && !error.contains("\n  100\n"), "{error}");
    assert!(finished.stderr.contains("FAILED test_two"), "{}", finished.stderr);
    for text in [&finished.stdout, &finished.stderr] {
        assert!(!text.contains("4b7fQ2mZx81c"), "{text}");
    }
}
