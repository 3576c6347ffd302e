//! `agi-agent file …` as scripts use it.

use crate::support::TestContext;

fn workspace() -> TestContext {
    let context = TestContext::new();
    context.write("a.txt", "one\ntwo words\n");
    context.write("src/main.rs", "fn main() {}\n// TODO: all\n");
    context.write("src/lib.rs", "// TODO: one\n// TODO: two\n");
    context
}

#[test]
fn read_prints_the_file_and_nothing_else() {
    let context = workspace();
    let all = context.run(["file", "read", "a.txt"]);
    assert_eq!((all.code, all.stdout.as_str(), all.stderr.as_str()), (0, "one\ntwo words\n", ""));
    let part = context.run(["file", "read", "a.txt", "--offset", "2", "--limit", "1"]);
    assert_eq!(part.stdout, "two words\n");
    context.write("large", "0123456789abcdef\n".repeat(200_000));
    let large = context.run(["file", "read", "large", "--offset", "2"]);
    assert_eq!(large.stdout.len(), 17 * 199_999);
}

#[test]
fn a_missing_file_is_an_input_error_with_the_nearest_name() {
    insta::assert_snapshot!(workspace().snapshot(["file", "read", "b.txt"]), @r"
    exit code: 42
    ----- stdout -----
    [EOF]
    ----- stderr -----
    error: `b.txt` does not exist
    hint: did you mean `[ROOT]/work/a.txt`?
    [EOF]
    ");
}

#[test]
fn write_takes_text_or_standard_input() {
    let context = TestContext::new();
    let finished = context.run(["file", "write", "deep/x.txt", "hello"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, ""));
    assert_eq!(finished.stderr, "deep/x.txt: created, 5 bytes written\n");
    let finished = context.run_with_input(["file", "write", "--append", "deep/x.txt", "-"], b"!\n");
    assert_eq!(finished.code, 0);
    assert_eq!(std::fs::read(context.work().join("deep/x.txt")).unwrap(), b"hello!\n");
}

#[test]
fn edit_prints_the_diff() {
    let context = workspace();
    insta::assert_snapshot!(
        context.snapshot(["file", "edit", "a.txt", "--old", "two", "--new", "2"]), @r"
    exit code: 0
    ----- stdout -----
    --- a.txt
    +++ a.txt
    @@ -1,2 +1,2 @@
     one
    -two words
    +2 words
    [EOF]
    ----- stderr -----
    a.txt: modified, replacements: 1
    [EOF]
    ");
    context.write("p.diff", "@@ -1 +1 @@\n-one\n+1\n");
    assert_eq!(context.run(["file", "edit", "a.txt", "--patch", "p.diff"]).code, 0);
    assert_eq!(std::fs::read(context.work().join("a.txt")).unwrap(), b"1\n2 words\n");
    let again = context.run(["file", "edit", "a.txt", "--patch", "p.diff"]);
    assert_eq!(again.code, 42);
    assert!(again.stderr.contains("expected `one`, found `1` at line 1"), "{}", again.stderr);
}

#[test]
fn search_ends_with_1_when_nothing_is_found() {
    let context = workspace();
    insta::assert_snapshot!(context.snapshot(["file", "search", "TODO"]), @r"
    exit code: 0
    ----- stdout -----
    src/lib.rs:1:// TODO: one
    src/lib.rs:2:// TODO: two
    src/main.rs:2:// TODO: all
    [EOF]
    ----- stderr -----
    [EOF]
    ");
    assert_eq!(context.run(["file", "search", "nothing"]).code, 1);
    let wrong = context.run(["file", "search", "(", "src"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
    assert!(wrong.stderr.contains("invalid regular expression"), "{}", wrong.stderr);
}

#[test]
fn counts_of_a_search() {
    let context = workspace();
    let run = |args: &[&str]| {
        let finished = context.run([&["file", "search"], args].concat());
        (finished.code, finished.stdout)
    };
    assert_eq!(run(&["TODO", "src", "--count"]), (0, "src/lib.rs:2\nsrc/main.rs:1\n".into()));
    assert_eq!(run(&["TODO", "src/lib.rs", "--count"]), (0, "2\n".into()));
    assert_eq!(run(&["TODO", "a.txt", "--count"]), (1, "0\n".into()));
    assert_eq!(run(&["TODO", "-l", "-g", "m*.rs"]), (0, "src/main.rs\n".into()));
    let (code, json) = run(&["todo", "-i", "--json", "--limit", "1"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &value["total"], &value["files_with_matches"]), (0, &3.into(), &2.into()));
    assert_eq!(value["matches"].as_array().unwrap().len(), 1);
}

#[test]
fn find_lists_paths() {
    let context = workspace();
    let lines = |args: &[&str]| context.run([&["file", "find"], args].concat()).stdout;
    assert_eq!(lines(&[]), "a.txt\nsrc\nsrc/lib.rs\nsrc/main.rs\n");
    assert_eq!(lines(&["-t", "file", "--sort", "size", "-d"]), "src/lib.rs\nsrc/main.rs\na.txt\n");
    assert_eq!(lines(&["-n", "*.rs", "--min-size", "1k"]), "");
    assert_eq!(lines(&["src", "-n", "m*", "--max-size", "26"]), "src/main.rs\n");
    assert_eq!(lines(&["--newer-than", "1h", "-t", "file", "--limit", "1"]), "a.txt\n");
    assert_eq!(lines(&["--older-than", "1h"]), "");
    assert_eq!(context.run(["file", "find", "--newer-than", "soon"]).code, 2);
}

#[test]
fn stats_and_hash_agree_with_wc_and_sha256sum() {
    let context = workspace();
    insta::assert_snapshot!(context.snapshot(["file", "stats", "src", "a.txt"]), @r"
    exit code: 0
    ----- stdout -----
    lines words bytes chars  file
        2     6    26    26  src/lib.rs
        2     6    26    26  src/main.rs
        2     3    14    14  a.txt
        6    15    66    66  total of 3 files
    [EOF]
    ----- stderr -----
    [EOF]
    ");
    let json = context.run(["file", "stats", "a.txt", "--json"]).stdout;
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&value["lines"], &value["words"], &value["bytes"]),
        (&2.into(), &3.into(), &14.into())
    );
    let ours = context.run(["file", "hash", "a.txt"]).stdout;
    let theirs = std::process::Command::new("sha256sum")
        .arg("a.txt")
        .current_dir(context.work())
        .output()
        .map(|output| String::from_utf8(output.stdout).unwrap());
    if let Ok(theirs) = theirs {
        assert_eq!(ours, theirs);
    }
}

#[test]
fn the_agents_own_files_are_out_of_reach() {
    let context = TestContext::new();
    assert_eq!(context.run(["memory", "add", "a fact"]).code, 0);
    let database = context.data().join("agent.db");
    for action in ["read", "stats", "hash"] {
        let finished = context.run(["file", action, database.to_str().unwrap()]);
        assert_eq!((finished.code, finished.stdout.as_str()), (43, ""), "{action}");
    }
    let finished = context.run(["file", "write", database.to_str().unwrap(), "x"]);
    assert_eq!(finished.code, 43, "{}", finished.stderr);
    assert_eq!(context.run(["memory", "check"]).code, 0);
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_makes_the_result_a_failure() {
    use std::os::unix::fs::PermissionsExt;
    let context = workspace();
    let secret = context.write("secret.txt", "TODO\n");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&secret).is_ok() {
        // Root reads everything; there is nothing to see here.
        return crate::support::lacking("an ordinary user", "a search of what cannot be read");
    }
    let finished = context.run(["file", "search", "TODO"]);
    assert_eq!((finished.code, finished.stdout.lines().count()), (42, 3));
    assert!(finished.stderr.contains("secret.txt"), "{}", finished.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_file_whole() {
    let context = TestContext::new();
    let path = context.write("big", "old\n");
    let input = vec![b'x'; 4 << 20];
    // A limit on file sizes is a disk that is full at a known place.
    let binary = context.command(["file", "write", "big", "-"]);
    let script = format!(
        "ulimit -f 1024; trap '' XFSZ; exec {} file write big -",
        binary.get_program().to_str().unwrap()
    );
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(script).current_dir(context.work()).env_clear();
    for (name, value) in binary.get_envs() {
        command.env(name, value.unwrap());
    }
    let input_file = context.home().join("input");
    std::fs::write(&input_file, &input).unwrap();
    command.stdin(std::fs::File::open(&input_file).unwrap());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(42), "{stderr}");
    assert!(stderr.starts_with("error: `big`: "), "{stderr}");
    assert_eq!(std::fs::read(path).unwrap(), b"old\n");
    let names: Vec<_> = std::fs::read_dir(context.work())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["big"], "no temporary file is left");
}

#[cfg(target_os = "linux")]
#[test]
fn killed_writers_leave_the_old_contents_or_the_new() {
    let context = TestContext::new();
    let path = context.write("big", "0");
    let size = 8 << 20;
    let input = context.home().join("input");
    let whole = |contents: &[u8]| {
        contents.iter().all(|byte| *byte == contents[0]) && [1, size].contains(&contents.len())
    };
    let mut ends = [0, 0];
    for round in 1..=16_u8 {
        std::fs::write(&input, vec![b'0' + round; size]).unwrap();
        let mut command = context.command(["file", "write", "big", "-"]);
        command.stdin(std::fs::File::open(&input).unwrap());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(u64::from(round) * 4));
        child.kill().unwrap();
        ends[usize::from(child.wait().unwrap().success())] += 1;
        let contents = std::fs::read(&path).unwrap();
        assert!(whole(&contents), "{} bytes after round {round}", contents.len());
    }
    assert!(ends[0] > 0, "no writer was killed in time: {ends:?}");
    // What killed writers left is taken away by a later one, once it is old.
    let left = || -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(context.work()).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|entry| *entry != path).collect()
    };
    for entry in left() {
        let file = std::fs::File::options().append(true).open(entry).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    assert_eq!(context.run(["file", "write", "big", "done"]).code, 0);
    assert_eq!(left(), Vec::<std::path::PathBuf>::new());
}

#[test]
#[cfg(unix)]
fn a_link_that_leads_nowhere_is_an_input_error() {
    let context = workspace();
    std::os::unix::fs::symlink("nowhere", context.work().join("dangling")).unwrap();
    let arguments = r#"{"path": "dangling"}"#;
    let read = ["tool", "run", "file_read", "--args", arguments];
    let commands: [&[&str]; 4] = [
        &["file", "read", "dangling"],
        &["file", "stats", "dangling"],
        &["file", "hash", "dangling"],
        &read,
    ];
    for command in commands {
        let finished = context.run(command);
        assert_eq!(finished.code, 42, "{command:?}: {}", finished.stderr);
        assert!(finished.stderr.contains("leads nowhere"), "{}", finished.stderr);
        assert!(!finished.stderr.contains("sandbox"), "{}", finished.stderr);
    }
}

#[test]
#[cfg(unix)]
fn a_person_changes_a_file_with_further_names_and_is_told_of_them() {
    let context = workspace();
    std::fs::hard_link(context.work().join("a.txt"), context.work().join("b.txt")).unwrap();
    let edited = context.run(["file", "edit", "a.txt", "--old", "two", "--new", "2"]);
    assert_eq!(edited.code, 0, "{}", edited.stderr);
    assert!(edited.stderr.contains("they keep the old contents"), "{}", edited.stderr);
    let text = |name: &str| std::fs::read_to_string(context.work().join(name)).unwrap();
    assert_eq!(
        (text("a.txt"), text("b.txt")),
        ("one\n2 words\n".into(), "one\ntwo words\n".into())
    );
    let written = context.run(["file", "write", "b.txt", "x"]);
    assert!(!written.stderr.contains("hard links"), "it has one name now: {}", written.stderr);
}
