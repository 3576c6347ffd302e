//! Cases 12 and 13: a repository whose configuration runs programs. No command of the agent may run
//! them; a plain `git` in the same place does, which shows that the trap works.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::Ground;
use super::each_of_two;

/// Keys that make git run a program, and how a plain git is made to.
const TRAPS: [(&str, &str, &str); 9] = [
    ("core.fsmonitor", "[core]\n fsmonitor = $T", "git status"),
    ("core.sshCommand", "[core]\n sshCommand = $T", "git ls-remote ssh://nowhere.invalid/x"),
    ("diff.external", "[diff]\n external = $T", "git diff"),
    (
        "core.editor",
        "[core]\n editor = $T",
        "git -c user.name=a -c user.email=a@b commit --allow-empty",
    ),
    ("filter.smudge", "[filter \"x\"]\n smudge = $T\n clean = $T", "git add f"),
    ("credential.helper", "[credential]\n helper = $T", "echo url=https://x | git credential fill"),
    ("include.path", "[include]\n path = ../included", "git status"),
    ("alias", "[alias]\n st = !$T", "git st"),
    (
        "core.hooksPath",
        "[core]\n hooksPath = hooks",
        "git -c user.name=a -c user.email=a@b commit -qm x",
    ),
];

/// Commands of the agent that might look at a repository.
fn agents_commands(ground: &Ground) {
    let read = json!({"name": "file_read", "arguments": {"path": "f"}});
    let find = json!({"name": "file_find", "arguments": {}});
    let search = json!({"name": "file_search", "arguments": {"pattern": "x"}});
    let shell = json!({"name": "shell", "arguments": {"command": "ls"}});
    let script = json!([{"tool_calls": [read, find, search, shell]}, {"text": "done"}]);
    let finished = ground.agent(&script, &["--approve", "auto"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    for arguments in [
        &["status"][..],
        &["doctor"],
        &["config", "show"],
        &["session", "list"],
        &["file", "find", "."],
        &["file", "search", "x", "."],
        &["sandbox", "--explain"],
    ] {
        ground.run(arguments);
    }
}

fn trap(ground: &Ground, config: &str) -> std::path::PathBuf {
    let (work, mark) = (ground.work(), ground.outside().join("pwned"));
    let script = format!("#!/bin/sh\ntouch {}\n", mark.display());
    for name in ["trap", "hooks/pre-commit"] {
        let path = ground.file(name, &script);
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
    }
    let program = work.join("trap");
    let fill = |text: &str| text.replace("$T", &program.to_string_lossy());
    ground.file("included", fill("[core]\n fsmonitor = $T"));
    ground.file(".gitattributes", "f filter=x\n");
    ground.file("f", "x\n");
    git(
        &work,
        "git init -q . && git add f && git -c user.name=a -c user.email=a@b commit -qm first",
    );
    ground.file("f", "changed\n");
    let path = work.join(".git/config");
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{before}\n{}\n", fill(config))).unwrap();
    mark
}

fn git(directory: &Path, script: &str) {
    let mut command = Command::new("bash");
    command.args(["-c", script]).current_dir(directory).env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", directory.join("../home"));
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    // The ground may belong to another user.
    command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory");
    command.env("GIT_CONFIG_VALUE_0", "*");
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    drop(output);
}

fn hold(case: &'static str, traps: &[(&str, &str, &str)]) {
    each_of_two(case, |ground, rows| {
        // Each trap needs a repository of its own.
        for (name, config, plain) in traps {
            let fresh = Ground::new(ground.setting);
            let mark = trap(&fresh, config);
            agents_commands(&fresh);
            rows.row(format!("{} {name}", ground.setting), !mark.exists(), "the trap was run");
            git(&fresh.work(), plain);
            rows.row(
                format!("{name}: the trap works"),
                mark.exists(),
                "a plain git did not run it",
            );
        }
    });
}

#[test]
fn case_12_a_repositorys_fsmonitor_is_not_run() {
    hold("case 12", &TRAPS[..1]);
}

#[test]
fn case_13_no_program_that_a_repository_configures_is_run() {
    hold("case 13", &TRAPS[1..]);
}
