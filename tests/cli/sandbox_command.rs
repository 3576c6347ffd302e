//! `agi-agent sandbox`: what it says, what it ends with, and what is left when it is killed.

use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use crate::support::TestContext;
use crate::support::binary;
use crate::support::code;
use crate::support::finish;
use crate::support::wait_until;

/// Refuses Landlock as a kernel without it does (x86-64 and aarch64 have the same number), then executes.
pub const WITHOUT_LANDLOCK: &str = r"
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
code = struct.pack('HBBIHBBIHBBIHBBI', 0x20, 0, 0, 0, 0x15, 0, 1, 444, 0x06, 0, 0, 0x50026, 0x06, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(code)
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]
program = Program(4, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program)) == 0
os.execv(sys.argv[1], sys.argv[1:])
";

fn is_running(mark: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    })
}

#[test]
fn the_commands_output_and_status_are_passed_on() {
    let context = TestContext::new();
    let finished = context.run(["sandbox", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (7, "out\n"));
    assert!(finished.stderr.contains("err\n"), "{}", finished.stderr);
    let finished = context.run(["sandbox", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(finished.code, 137);
    let finished = context.run(["sandbox", "--timeout", "1", "--", "sleep", "30"]);
    assert_eq!(finished.code, 124);
    assert_eq!(context.run(["sandbox"]).code, 2);
}

#[test]
fn explain_names_rung_roots_and_environment() {
    let mut context = TestContext::new();
    context.env("MY_TOKEN", "secret").env("OTHER", "x");
    let finished = context.run([
        "--json",
        "sandbox",
        "--explain",
        "--level",
        "workspace-write",
        "--env",
        "OTHER",
    ]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let value: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(value["level"], "workspace-write");
    assert!(["namespaces", "landlock"].contains(&value["rung"].as_str().unwrap()));
    assert_eq!(
        value["write"][0],
        context.work().canonicalize().unwrap().to_string_lossy().as_ref()
    );
    let names: Vec<&str> =
        value["env"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    assert!(names.contains(&"OTHER") && !names.contains(&"MY_TOKEN"), "{names:?}");
}

/// H49: refused, not run.
#[test]
fn without_landlock_nothing_runs_and_the_code_is_44() {
    let context = TestContext::new();
    let mut command = Command::new("python3");
    let script = ["-c", WITHOUT_LANDLOCK];
    let rest = ["sandbox", "--level", "workspace-write", "--", "touch", "ran"];
    command.args(script).arg(binary()).args(rest);
    command.current_dir(context.work()).env("HOME", context.home());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let finished = finish(&mut command);
    assert_eq!(finished.code, 44, "{}", finished.stderr);
    assert!(finished.stderr.contains("Landlock") && finished.stderr.contains("danger-full-access"));
    assert!(!context.work().join("ran").exists());
}

/// Inside our own sandbox namespaces are refused, as in a container: the lower rung holds.
#[test]
fn where_namespaces_are_refused_landlock_holds() {
    let context = TestContext::new();
    let program = binary();
    let program = program.to_string_lossy();
    let own = program.rsplit_once('/').unwrap().0;
    let finished = context.run([
        "sandbox",
        "--read",
        own,
        "--",
        &program,
        "sandbox",
        "--explain",
        "--",
        "cat",
        "/etc/hostname",
    ]);
    assert!(
        finished.stdout.contains("held by      landlock"),
        "{}{}",
        finished.stdout,
        finished.stderr
    );
    assert_eq!(finished.code, 0, "{}", finished.stderr);
}

/// Nothing outlives an agent that was killed.
#[test]
fn t10_a_killed_agent_leaves_no_child() {
    let context = TestContext::new();
    for level in ["read-only", "danger-full-access"] {
        // Of this run only: other runs of the same test may be under way.
        let mark = format!("71.{:08}", std::process::id());
        let script = format!("setsid sleep {mark} & (sleep {mark} &) ; sleep {mark}");
        let mut command = context.command(["sandbox", "--level", level, "--", "sh", "-c", &script]);
        let mut agent = command.spawn().unwrap();
        wait_until(Duration::from_secs(20), "the start", || is_running(&format!("sleep\0{mark}")));
        agent.kill().unwrap();
        agent.wait().unwrap();
        wait_until(Duration::from_secs(1), "the end of all", || !is_running(&mark));
    }
}

/// A supervisor's SIGTERM is told from a person's Ctrl-C, here as in `run`.
#[test]
fn a_signal_ends_it_as_what_it_was() {
    let context = TestContext::new();
    for (signal, expected) in [("-INT", 130), ("-TERM", 143)] {
        let mark = format!("72.{:08}", std::process::id());
        let script = format!("exec sleep {mark}");
        let mut agent = context.command(["sandbox", "--", "sh", "-c", &script]).spawn().unwrap();
        wait_until(Duration::from_secs(20), "the start", || is_running(&format!("sleep\0{mark}")));
        let sent = Command::new("kill").args([signal, &agent.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(code(agent.wait().unwrap()), expected);
    }
}

/// T17: few descriptors, and no process to be had.
#[test]
fn short_resources_are_an_error_and_no_hang() {
    let context = TestContext::new();
    let limited = |limits: &str, extra: &str| {
        let mut command = Command::new("/bin/bash");
        let script = format!("{limits}; exec {extra} \"$0\" sandbox -- echo ok");
        command.args(["-c", &script]).arg(binary()).current_dir(context.work());
        command.env("HOME", context.home());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(&mut command)
    };
    let finished = limited("ulimit -n 64", "");
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "ok\n"), "{}", finished.stderr);
    let finished = limited("ulimit -n 8", "");
    assert_ne!(finished.code, 0, "{}", finished.stdout);
    assert!(finished.stderr.contains("error:"), "{}", finished.stderr);
}

/// The same binary as an ordinary user, where this test runs as root.
#[test]
fn an_ordinary_user_has_the_same_bounds() {
    if agi_agent::system::user::effective_id().is_none_or(|id| id != 0) {
        return crate::support::lacking("root", "the sandbox of another user");
    }
    let context = TestContext::new();
    let root = context.work().parent().unwrap().to_path_buf();
    let program = root.join("agi-agent");
    std::fs::copy(binary(), &program).unwrap();
    let chmod = Command::new("chmod").args(["-R", "a+rwX"]).arg(&root).status().unwrap();
    assert!(chmod.success());
    std::fs::write(root.join("secret"), "outside").unwrap();
    let script = "id -u; echo x > inside && cat inside; { cat ../secret; cat /etc/shadow; } 2>/dev/null; \
                  echo x 2>/dev/null > ../new || echo denied; unshare -U true 2>/dev/null || echo denied";
    let run = |wrapper: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).args(wrapper);
        command.arg(&program).args([
            "sandbox",
            "--level",
            "workspace-write",
            "--",
            "sh",
            "-c",
            script,
        ]);
        command.current_dir(context.work()).env("HOME", context.home());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(&mut command)
    };
    let finished = run(&[]);
    assert_eq!(finished.stdout, "65534\nx\ndenied\ndenied\n", "{}", finished.stderr);
}

#[test]
fn a_trace_is_whole_whatever_the_commands_status() {
    let context = TestContext::new();
    for (program, code) in [("true", 0), ("false", 1)] {
        let finished = context.run(["sandbox", "--trace", "t.json", "--", program]);
        assert_eq!(finished.code, code, "{}", finished.stderr);
        let text = std::fs::read_to_string(context.work().join("t.json")).unwrap();
        let trace: Result<serde_json::Value, _> = serde_json::from_str(&text);
        assert!(trace.is_ok(), "{program}: {text}");
        std::fs::remove_file(context.work().join("t.json")).unwrap();
    }
}

#[test]
fn what_a_flag_names_and_is_not_there_is_told() {
    let context = TestContext::new();
    context.write("file", "");
    let script = context.write("../script.json", r#"[{"text": "done"}]"#);
    let model = format!("scripted/{}", script.display());
    let commands: [&[&str]; 3] = [
        &["run", "go", "--model", &model],
        &["tool", "run", "file_search", "--args", r#"{"pattern": "x"}"#],
        &["sandbox", "--explain"],
    ];
    for command in commands {
        let flags = ["--add-dir", "no-dir", "--read", "no-file", "--env", "NO_VAR", "--env", "A=b"];
        let finished = context.run([command, &flags].concat());
        assert_eq!(finished.code, 0, "{command:?}: {}", finished.stderr);
        for (flag, why) in [
            ("`--add-dir no-dir` opens nothing", ": No such file"),
            ("`--read no-file` opens nothing", ": No such file"),
            ("`--env NO_VAR` passes nothing on", ": it is not set"),
            ("`--env A` passes nothing on", ": it takes a name and no value"),
        ] {
            let line = format!("warning: {flag}{why}");
            let told = finished.stderr.lines().filter(|said| said.starts_with(&line));
            assert_eq!(told.count(), 1, "{command:?}: {line}: {}", finished.stderr);
        }
        let there = ["--add-dir", ".", "--read", "file", "--env", "HOME"];
        let finished = context.run([command, &there].concat());
        assert!(!finished.stderr.contains("warning"), "{command:?}: {}", finished.stderr);
        let finished = context.run([command, &["--add-dir", "file"]].concat());
        assert_eq!((finished.code, finished.stdout.as_str()), (42, ""), "{command:?}");
        assert!(finished.stderr.contains("`--add-dir file` is no directory"), "{command:?}");
    }
}

/// A later agent cleans up: one in sixteen, so this takes a few.
#[test]
fn what_a_killed_agent_left_is_removed_by_a_later_one() {
    let mut context = TestContext::new();
    let place = context.work().join("../tmp");
    std::fs::create_dir(&place).unwrap();
    context.env("TMPDIR", place.to_str().unwrap());
    let mark = format!("74.{:08}", std::process::id());
    let script = format!("exec sleep {mark}");
    let mut agent = context.command(["sandbox", "--", "sh", "-c", &script]).spawn().unwrap();
    wait_until(Duration::from_secs(20), "the start", || is_running(&format!("sleep\0{mark}")));
    agent.kill().unwrap();
    agent.wait().unwrap();
    let left = || std::fs::read_dir(&place).unwrap().flatten().map(|entry| entry.path());
    assert_eq!(left().count(), 1, "nobody was there to remove it");
    let then = std::time::SystemTime::now() - Duration::from_mins(2);
    std::fs::File::open(left().next().unwrap()).unwrap().set_modified(then).unwrap();
    let gone = (0..400).any(|_| {
        assert_eq!(context.run(["sandbox", "--", "true"]).code, 0);
        left().count() == 0
    });
    assert!(gone, "{:?}", left().collect::<Vec<_>>());
}
