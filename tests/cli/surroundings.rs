//! Odd surroundings: no home, a read-only one, a removed directory, a closed standard input, another
//! person, many at once. Each ends with an answer or one clear line, never with a hang.

use std::process::Stdio;

use serde_json::json;

use crate::support::TestContext;
use crate::support::binary;
use crate::support::finish;

const TASK: [&str; 2] = ["run", "how many lines are in notes.txt"];

fn context() -> TestContext {
    let context = TestContext::new();
    context.write("notes.txt", "one\ntwo\nthree\n");
    context
}

#[test]
fn without_home_it_answers_and_keeps_nothing() {
    let context = context();
    let mut command = context.command(TASK);
    command.env_remove("HOME");
    let finished = finish(&mut command);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "3\n"), "{}", finished.stderr);
}

/// An account without a home has one by name (`/nonexistent`): it stays a name, wherever it leads.
#[test]
fn a_home_that_does_not_exist_is_not_made() {
    let context = context();
    for home in ["outside/of/it", "work/inside/of/it"] {
        let home = context.work().parent().unwrap().join(home);
        let first = home.ancestors().nth(2).unwrap();
        let shell = ["tool", "run", "shell", "--args", r#"{"command": "true"}"#];
        let writes = ["--sandbox", "workspace-write"];
        for arguments in [
            &TASK[..],
            &[&TASK[..], &writes].concat(),
            &[&shell[..], &writes].concat(),
            &["sandbox", "--level", "workspace-write", "--", "true"],
            &["memory", "list"],
        ] {
            let mut command = context.command(arguments);
            let finished = finish(command.env("HOME", &home));
            let is_memory = arguments[0] == "memory";
            assert_eq!(finished.code, if is_memory { 42 } else { 0 }, "{}", finished.stderr);
            assert!(!first.exists(), "{arguments:?} made {}", first.display());
        }
        // A place that a person names is made.
        let mut command = context.command(["memory", "add", "--", "something"]);
        command.env("HOME", &home).env("XDG_DATA_HOME", context.home().join("new"));
        let finished = finish(&mut command);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_home_that_cannot_be_written_is_told_and_the_answer_comes() {
    use std::os::unix::fs::PermissionsExt;
    let context = context();
    let data = context.home().join(".local");
    std::fs::write(&data, "a file where a directory should be").unwrap();
    std::fs::set_permissions(context.home(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let finished = context.run(TASK);
    std::fs::set_permissions(context.home(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "3\n"), "{}", finished.stderr);
    let told = "warning: this conversation cannot be stored: ";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_removed_working_directory_is_one_clear_line() {
    let context = context();
    let finished = in_removed_directory(&context, "run 'what is 2 + 3'");
    assert_eq!(finished.code, 42, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("the working directory cannot be used"),
        "{}",
        finished.stderr
    );

    // `doctor` looks at everything else nevertheless.
    let finished = context.run(["doctor", "--offline", "-C", "."]);
    let checks = finished.stdout.lines().count();
    let finished = in_removed_directory(&context, "doctor --offline");
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    let problem = "PROBLEM  directory      the working directory cannot be used";
    assert!(finished.stdout.contains(problem), "{}", finished.stdout);
    assert!(finished.stdout.lines().count() >= checks, "{}", finished.stdout);
}

/// The binary with these arguments, as a shell reads them, in a directory that is gone.
#[cfg(target_os = "linux")]
fn in_removed_directory(context: &TestContext, arguments: &str) -> crate::support::Finished {
    let gone = context.work().join("gone");
    std::fs::create_dir(&gone).unwrap();
    let script = format!("cd '{}' && rmdir '{0}' && exec \"$0\" {arguments}", gone.display());
    let mut command = by_shell(context, &script);
    finish(command.stdin(Stdio::null()))
}

/// A shell whose `$0` is the binary.
#[cfg(unix)]
fn by_shell(context: &TestContext, script: &str) -> std::process::Command {
    let mut command = std::process::Command::new("/bin/sh");
    command
        .args(["-c", script])
        .arg(crate::support::binary())
        .current_dir(context.work())
        .env_clear()
        .env("HOME", context.home())
        .envs(std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[cfg(unix)]
#[test]
fn a_closed_standard_input_changes_nothing() {
    let context = context();
    let mut command = by_shell(&context, "exec \"$0\" run 'how many lines are in notes.txt' <&-");
    let finished = finish(&mut command);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "3\n"), "{}", finished.stderr);
}

#[test]
fn a_pipe_that_is_not_asked_for_is_not_read() {
    let context = context();
    let finished = context.run_with_input(TASK, b"lines\nthat\nnobody\nreads\n");
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "3\n"));
    assert!(finished.stderr.contains("standard input is not read"), "{}", finished.stderr);
}

#[test]
fn an_ephemeral_run_leaves_no_file() {
    let context = context();
    let mut arguments = TASK.to_vec();
    arguments.push("--ephemeral");
    assert_eq!(context.run(arguments).code, 0);
    assert!(!context.data().exists());
    assert_eq!(std::fs::read_dir(context.home()).unwrap().count(), 0);
}

#[test]
fn sixty_four_runs_share_one_data_directory() {
    let context = context();
    for number in 0..64 {
        context.write(&format!("f{number}.txt"), "x\n".repeat(number + 1));
    }
    let children: Vec<_> = (0..64)
        .map(|number| {
            let task = format!("how many lines are in f{number}.txt");
            let child = context.command(["run", "--quiet", &task]).spawn().unwrap();
            (number, child)
        })
        .collect();
    for (number, child) in children {
        let output = child.wait_with_output().unwrap();
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(answer, format!("{}\n", number + 1), "run {number}: {errors}");
        assert!(output.status.success(), "run {number}: {errors}");
    }
    let check = context.run(["memory", "check", "--json"]);
    assert_eq!(check.code, 0, "{}{}", check.stdout, check.stderr);
    let sessions = context.run(["session", "list", "--limit", "100", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&sessions.stdout).unwrap();
    assert_eq!(list["sessions"].as_array().unwrap().len(), 64, "{}", sessions.stdout);
}

/// "remembered" is a promise: it is not made where there is no place, or where a person wants none.
#[cfg(unix)]
#[test]
fn nothing_is_said_to_be_remembered_where_nothing_is_kept() {
    let context = context();
    let remember = ["run", "remember that the code is 12"];
    let recall = ["run", "what is my code"];
    let tool = ["tool", "run", "memory_add", "--args", r#"{"content": "the code is 12"}"#];
    let mut runs: Vec<(std::process::Command, i32, &str)> = Vec::new();
    for (arguments, code) in [(&remember[..], 1), (&recall, 1), (&tool, 42)] {
        let mut homeless = context.command(arguments);
        homeless.env_remove("HOME");
        let mut lost = context.command(arguments);
        lost.env("HOME", "/nonexistent/x");
        runs.extend([(homeless, code, "AGI_DATA_DIR"), (lost, code, "AGI_DATA_DIR")]);
    }
    for arguments in [remember, recall] {
        let ephemeral = context.command([&arguments[..], &["--ephemeral"]].concat());
        runs.push((ephemeral, 1, "leave out `--ephemeral`"));
    }
    for (mut command, code, hint) in runs {
        let finished = finish(&mut command);
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert_eq!(finished.code, code, "{command:?}: {said}");
        assert!(said.contains(hint) && !said.contains("remembered: "), "{command:?}: {said}");
    }
    // Where there is a place, it is a promise that is kept.
    assert_eq!(context.run(remember).stdout, "remembered: the code is 12\n");
    let found = context.run(["memory", "search", "code", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
}

#[test]
fn an_ephemeral_run_with_commands_leaves_no_file() {
    let context = context();
    // Where it lies, a protected file of more than a MiB is copied before a command may write.
    context.write(".git/config", vec![b'\n'; 3 << 20]);
    context.write(".git/HEAD", "ref: refs/heads/main\n");
    std::fs::create_dir_all(context.work().join(".git/objects")).unwrap();
    std::fs::create_dir_all(context.work().join(".git/refs")).unwrap();
    let run = |more: &[&str]| {
        let task = ["run", "--quiet", "--sandbox", "workspace-write", "run `echo x`"];
        let finished = context.run([&task[..], more].concat());
        assert_eq!((finished.code, finished.stdout.as_str()), (0, "x\n"), "{}", finished.stderr);
    };
    run(&["--ephemeral"]);
    assert_eq!(std::fs::read_dir(context.home()).unwrap().count(), 0);
    // What others left is theirs.
    run(&[]);
    let files = || {
        let mut found: Vec<_> = std::fs::read_dir(context.data().join("running"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        found.sort();
        found
    };
    let before = files();
    run(&["--ephemeral"]);
    assert_eq!(files(), before);
}

/// Each removes what it made while the others look for it.
#[test]
fn ephemeral_runs_side_by_side_do_not_hinder_each_other() {
    let context = context();
    let runs: Vec<_> = (0..8)
        .map(|_| {
            let task = ["run", "--quiet", "--ephemeral", "--sandbox", "workspace-write"];
            context.command([&task[..], &["run `echo x`"]].concat()).spawn().unwrap()
        })
        .collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "x\n");
        assert_eq!(errors, "");
    }
    assert!(!context.data().join("running/lock").exists());
}

/// Python in a child is this program again. Where no procfs leads to its file and the file is gone, the
/// model is told both, and what to do.
#[cfg(target_os = "linux")]
#[test]
fn without_proc_python_exec_names_it() {
    let context = TestContext::new();
    std::fs::copy(binary(), context.work().join("copy")).unwrap();
    let shell = json!({"tool_calls": [{"name": "shell", "arguments": {"command": "rm copy"}}]});
    let python =
        json!({"tool_calls": [{"name": "python_exec", "arguments": {"code": "print(1)"}}]});
    let expected = ["/proc is not mounted", "mount /proc, or start the program by its path"];
    let script = json!([shell, python, {"text": "told", "expect": expected}]);
    context.write("script.json", script.to_string());
    let mut command = context.command(["unused"]);
    let environment: Vec<_> =
        command.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned()))).collect();
    command = std::process::Command::new("unshare");
    command.arg(if rustix::process::geteuid().is_root() { "-m" } else { "-mr" });
    command.args(["sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh", "./copy", "run"]);
    command.args([
        "--ephemeral",
        "--sandbox",
        "workspace-write",
        "--model",
        "scripted/script.json",
    ]);
    command.arg("go").env_clear().envs(environment).env("PATH", "/usr/bin:/bin");
    command
        .current_dir(context.work())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let finished = finish(&mut command);
    // Where namespaces are refused to the test itself, this cannot be staged.
    if !finished.stderr.contains("unshare failed") {
        assert_eq!(finished.stdout, "told\n", "{}", finished.stderr);
        assert!(!context.work().join("copy").exists());
    }
}
