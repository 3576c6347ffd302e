//! Arguments, targets and words of `shell` and `python_exec`; that they run is shown by tests/cli.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::sandbox::Captured;
use crate::sandbox::Kept;
use crate::sandbox::Rung;
use crate::tools::Tool;
use crate::tools::python_exec::PythonExec;
use crate::tools::shell::Shell;

fn python() -> PythonExec {
    PythonExec::new(crate::config::settings::PythonSettings::default())
}

fn finished(status: EndStatus, stdout: &str, stderr: &str) -> Finished {
    let captured = |text: &str| Captured {
        head: text.as_bytes().to_vec(),
        total: text.len() as u64,
        ..Captured::default()
    };
    Finished {
        stopped_by: None,
        status,
        stdout: captured(stdout),
        stderr: captured(stderr),
        duration: Duration::from_millis(1500),
        pipe_held_by: Vec::new(),
        restored: Vec::new(),
        reach: Reach::Nothing,
        traffic: Traffic::default(),
        rung: Rung::Landlock,
    }
}

fn said(finished: &Finished) -> (String, Value) {
    let place = std::env::temp_dir();
    let output = output("x", finished, &ToolContext::for_tests(&place));
    (output.text, output.data.unwrap())
}

#[test]
fn arguments_are_checked_before_anything_is_asked() {
    for arguments in [
        json!({}),
        json!({"command": " "}),
        json!({"command": "a\u{0}b"}),
        json!({"command": 1}),
        json!({"command": "ls", "shell": "zsh"}),
        json!({"command": "ls", "pty": "yes"}),
        json!({"command": "ls", "timeout": -1}),
    ] {
        assert!(matches!(Shell.check(&arguments), Err(ToolError::ForModel(_))), "{arguments}");
    }
    for arguments in [json!({}), json!({"code": "\n"}), json!({"code": "1", "timeout": "x"})] {
        assert!(matches!(python().check(&arguments), Err(ToolError::ForModel(_))), "{arguments}");
    }
    Shell.check(&json!({"command": "ls", "cwd": "sub", "timeout": 5, "pty": true})).unwrap();
    python().check(&json!({"code": "print(1)", "timeout": 5})).unwrap();
}

#[test]
fn a_person_is_shown_everything_and_rules_see_the_whole_text() {
    let arguments = json!({"command": "ls; rm -rf x", "cwd": "/etc", "timeout": 7});
    assert_eq!(Shell.target(&arguments), "ls; rm -rf x");
    assert_eq!(Shell.summary(&arguments), "$ ls; rm -rf x   (in /etc)");
    assert_eq!(Shell.timeout(&arguments), Some(Duration::from_secs(7)));
    let arguments = json!({"code": "import os\nos.remove('x')"});
    assert_eq!(python().target(&arguments), "import os\nos.remove('x')");
    assert!(python().summary(&arguments).contains("os.remove"));
    assert_eq!(python().timeout(&arguments), None);
}

#[test]
fn commands_that_cannot_write_run_side_by_side() {
    let place = std::env::temp_dir();
    let writable = ToolContext::for_tests(&place);
    let mut settings = crate::config::settings::SandboxSettings {
        level: crate::config::settings::SandboxLevel::ReadOnly,
        add_dirs: Vec::new(),
        read: Vec::new(),
        net: Vec::new(),
        env: Vec::new(),
    };
    let mut claim_at = |level| {
        settings.level = level;
        let policy = crate::sandbox::Policy::new(&settings, &place, Vec::new());
        let sandbox = std::sync::Arc::new(crate::sandbox::Sandbox::new(policy));
        claim(&ToolContext { sandbox, ..writable.clone() })
    };
    let reading = claim_at(crate::config::settings::SandboxLevel::ReadOnly);
    assert!(!reading.conflicts_with(&reading));
    for level in [
        crate::config::settings::SandboxLevel::WorkspaceWrite,
        crate::config::settings::SandboxLevel::DangerFullAccess,
    ] {
        let writing = claim_at(level);
        assert!(writing.conflicts_with(&writing) && writing.conflicts_with(&reading));
    }
}

#[test]
fn what_the_output_does_not_say_stands_in_brackets() {
    let (text, data) = said(&finished(EndStatus::Exited(0), "", ""));
    assert_eq!((text.as_str(), &data["exit_code"]), ("[no output]", &json!(0)));
    let (text, _) = said(&finished(EndStatus::Exited(3), "out", "err\n"));
    assert_eq!(text, "out\nerr\n[exit code 3]");
    let (text, data) = said(&finished(EndStatus::TimedOut, "half", ""));
    assert_eq!(text, "half\n[timed out after 1.5 s and was ended]");
    assert_eq!((&data["timed_out"], &data["exit_code"]), (&json!(true), &json!(124)));
    let (text, data) = said(&finished(EndStatus::Exited(1), "", "cat: x: Permission denied\n"));
    assert!(text.ends_with("[exit code 1; sandbox: workspace-write, network off]"), "{text}");
    assert!(data["limit"].is_null());
}

#[test]
fn a_limit_is_named_by_its_signal_or_by_what_was_said() {
    for (status, stderr, limit) in [
        (EndStatus::Signaled(24), "", json!("cpu")),
        (EndStatus::Exited(152), "", json!("cpu")),
        (EndStatus::Signaled(25), "", json!("file_size")),
        (EndStatus::Exited(1), "MemoryError\n", json!("memory")),
        (
            EndStatus::Exited(254),
            "bash: fork: retry: Resource temporarily unavailable",
            json!("processes"),
        ),
        (EndStatus::Exited(1), "x: Too many open files", json!("descriptors")),
        (EndStatus::Exited(0), "MemoryError\n", Value::Null),
        (EndStatus::TimedOut, "", Value::Null),
        (EndStatus::Signaled(9), "", Value::Null),
    ] {
        let (text, data) = said(&finished(status, "", stderr));
        assert_eq!(data["limit"], limit, "{status:?} {stderr}");
        assert_eq!(text.contains("limit of the sandbox"), !limit.is_null(), "{text}");
    }
}

#[test]
fn a_kept_file_can_be_read_from_then_on() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().canonicalize().unwrap().join("output-0");
    std::fs::write(&path, "all of it").unwrap();
    let workspace = tempfile::tempdir().unwrap();
    let context = ToolContext::for_tests(workspace.path());
    assert!(context.opener.open_read(&path).is_err());
    let mut finished = finished(EndStatus::Exited(0), "all", "");
    finished.stdout.file = Some(Kept { path: path.clone(), bytes: 9, cut: None });
    let output = output("x", &finished, &context);
    assert!(output.text.contains("file_read"), "{}", output.text);
    context.opener.open_read(&path).unwrap();
    assert!(context.opener.check_write(&path).is_err());
    assert!(context.opener.open_read(&place.path().join("other")).is_err());
}
