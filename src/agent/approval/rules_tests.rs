//! Tests of the rules: what an allow rule must not cover, what a deny rule must not miss.

use super::*;
use crate::agent::approval::covering::tests::places;

const KNOWN: [&str; 4] = ["shell", "file_read", "file_write", "web_fetch"];

fn rules(allow: &[&str], deny: &[&str]) -> Rules {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let settings =
        ApprovalSettings { allow: owned(allow), deny: owned(deny), ..ApprovalSettings::default() };
    Rules::new(&settings, &KNOWN).unwrap()
}

/// What `judge` says of a call.
fn judged<T>(tool: &str, name: &str, judge: impl FnOnce(&Target<'_>) -> T) -> T {
    judge(&Target {
        tool,
        names: &[name.to_owned()],
        is_path: tool.starts_with("file_"),
        cwd: Path::new("/ws"),
        root: Path::new("/ws"),
        places: places(),
    })
}

fn allowed(pattern: &str, tool: &str, name: &str) -> bool {
    judged(tool, name, |target| matches!(rules(&[pattern], &[]).allows(target), Allowed::By(_)))
}

fn denied(pattern: &str, tool: &str, name: &str) -> bool {
    judged(tool, name, |target| rules(&[], &[pattern]).denies(target).is_some())
}

#[test]
fn an_allow_pattern_covers_a_program_and_its_arguments() {
    for command in ["git log", "git log -3", "git  log  --oneline src"] {
        assert!(allowed("shell(git log*)", "shell", command), "{command}");
        assert!(allowed("shell(git log *)", "shell", command), "{command}");
    }
    for command in ["git logout", "git", "git status", "xgit log", "agit log", "/tmp/git log"] {
        assert!(!allowed("shell(git log*)", "shell", command), "{command}");
    }
    assert!(allowed("shell(git log)", "shell", "git log"));
    assert!(!allowed("shell(git log)", "shell", "git log -3"));
    assert!(allowed("shell", "shell", "anything; at all"));
    assert!(allowed("shell(*)", "shell", "anything; at all"));
}

#[test]
fn a_rule_without_a_pattern_covers_all_and_a_spelled_one_itself() {
    assert!(allowed("shell", "shell", "anything; at all $(x"));
    assert!(allowed("shell(git log && git status)", "shell", "git log && git status"));
    assert!(!allowed("shell(git log && git status)", "shell", "git log && git status;"));
    assert!(!allowed("shell(sort *)", "shell", "sort *"), "the shell would fill in names");
}

#[test]
fn only_a_rule_without_a_pattern_denies_every_call() {
    for (rule, every) in [
        ("shell", true),
        ("shell(*)", true),
        ("s*", true),
        ("shell(rm *)", false),
        ("file_read", false),
    ] {
        assert_eq!(rules(&[], &[rule]).deny_every_call("shell"), every, "{rule}");
    }
}

#[test]
fn what_may_hide_a_program_is_denied_and_asked_about() {
    let commands = [
        "$'r\\x6d' x",
        "$X x",
        "eval \"$X\"",
        "f() { true; }; f",
        "{r,}m x",
        "sh -c \"$X\"",
        "find . -exec r'm' {} +",
    ];
    for command in commands {
        assert!(denied("shell(rm*)", "shell", command), "{command}");
    }
    for command in ["echo a", "git log | wc -l", "for f in a b; do cat \"$f\"; done"] {
        assert!(!denied("shell(rm*)", "shell", command), "{command}");
    }
}

#[test]
fn a_deny_pattern_finds_the_program_wherever_it_stands() {
    let commands = [
        "rm x",
        "rm -rf /",
        "echo a; rm x",
        "echo a && /bin/rm x",
        "$(rm x)",
        "`rm x`",
        "r\\m x",
        "'rm' x",
        "\"r\"m x",
        "env -i rm x",
        "timeout 5 nice rm x",
        "true|rm",
        "(rm x)",
        "a\nrm x",
        "X=1 rm x",
        "rmdir x",
    ];
    for command in commands {
        assert!(denied("shell(rm*)", "shell", command), "{command:?}");
    }
    for command in ["git push origin", "cd x && git push", "/usr/bin/git push -f", "git push"] {
        assert!(denied("shell(git push*)", "shell", command), "{command:?}");
        assert!(denied("shell(git push *)", "shell", command), "{command:?}");
    }
    assert!(!denied("shell(git push*)", "shell", "git pull"));
    assert!(!denied("shell(rm*)", "file_read", "rm"));
}

#[test]
fn paths_are_folded_and_taken_from_the_working_directory() {
    assert!(allowed("file_write(src/*)", "file_write", "src/a/b.rs"));
    assert!(allowed("file_write(src/*)", "file_write", "/ws/src/b.rs"));
    assert!(allowed("file_write(/ws/src/*)", "file_write", "src/b.rs"));
    for path in ["src/../Cargo.toml", "../src/x", "/src/x", "src/../../etc/passwd", "x/src/a"] {
        assert!(!allowed("file_write(src/*)", "file_write", path), "{path}");
    }
    for path in [".env", "./.env", "a/../.env", "/ws/.env"] {
        assert!(denied("file_read(.env)", "file_read", path), "{path}");
    }
    assert!(denied("file_*(*.pem)", "file_read", "deep/key.pem"));
}

#[test]
fn a_link_must_satisfy_both_names_to_be_allowed_and_one_to_be_denied() {
    let names = ["src/a".to_owned(), "/etc/passwd".to_owned()];
    let target = Target {
        tool: "file_read",
        names: &names,
        is_path: true,
        cwd: Path::new("/ws"),
        root: Path::new("/ws"),
        places: places(),
    };
    assert_eq!(rules(&["file_read(src/*)"], &[]).allows(&target), Allowed::No);
    assert_eq!(rules(&[], &["file_read(/etc/*)"]).denies(&target), Some("file_read(/etc/*)"));
}

#[test]
fn a_working_directory_with_glob_letters_is_taken_literally() {
    let names = ["a.rs".to_owned()];
    let cwd = Path::new("/w[s]*");
    let target = Target {
        tool: "file_read",
        names: &names,
        is_path: true,
        cwd,
        root: cwd,
        places: places(),
    };
    assert_eq!(
        rules(&["file_read(a.rs)"], &[]).allows(&target),
        Allowed::By("file_read(a.rs)".to_owned())
    );
    let other = ["/w_x/a.rs".to_owned()];
    let target = Target {
        tool: "file_read",
        names: &other,
        is_path: true,
        cwd,
        root: cwd,
        places: places(),
    };
    assert_eq!(rules(&["file_read(a*)"], &[]).allows(&target), Allowed::No);
}

#[test]
fn a_rule_that_cannot_work_is_an_error_with_advice() {
    let error = |text: &str| {
        let settings =
            ApprovalSettings { deny: vec![text.to_owned()], ..ApprovalSettings::default() };
        Rules::new(&settings, &KNOWN).unwrap_err()
    };
    assert_eq!(error("shel(rm*)").hint.as_deref(), Some("did you mean `shell`?"));
    assert!(error("shell(rm").message.contains("closing"));
    assert!(error("(x)").message.contains("name is missing"));
    assert!(error("shell([)").message.contains("cannot be understood"));
    assert!(error("qqqq").hint.unwrap().contains("tool list"));
}

/// The call's directory does not move the rules: they are about the workspace.
#[cfg(unix)]
#[test]
fn another_directory_is_another_place() {
    let root = tempfile::tempdir().unwrap();
    let workspace = root.path().join("ws");
    for directory in ["ws/src", "ws/sub/src", "outside"] {
        std::fs::create_dir_all(root.path().join(directory)).unwrap();
    }
    std::os::unix::fs::symlink("../../outside", workspace.join("src/l")).unwrap();
    std::os::unix::fs::symlink("../../outside/new", workspace.join("src/dangling")).unwrap();
    let rules = rules(&["shell(echo *)", "shell(./run.sh)", "file_write(src/*)"], &[]);
    let allows = |cwd: &str, command: &str| {
        let (names, cwd) = ([command.to_owned()], workspace.join(cwd));
        let (root, places) = (workspace.as_path(), places());
        let target =
            Target { tool: "shell", names: &names, is_path: false, cwd: &cwd, root, places };
        matches!(rules.allows(&target), Allowed::By(_))
    };
    for (cwd, command) in [
        (".", "echo x > src/f"),
        ("src", "echo x > f"),
        ("src/../sub/..", "./run.sh"),
        ("../outside", "echo x"),
    ] {
        assert!(allows(cwd, command), "{cwd}: {command}");
    }
    for (cwd, command) in [
        ("sub", "./run.sh"),
        ("sub", "echo x > src/f"),
        ("../outside", "echo x > src/f"),
        ("src/l", "echo x > f"),
        (".", "echo x > src/l/f"),
        (".", "echo x > src/dangling"),
        (".", "echo x > sub/f"),
    ] {
        assert!(!allows(cwd, command), "{cwd}: {command}");
    }
}
