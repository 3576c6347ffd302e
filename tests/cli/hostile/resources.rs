//! Cases 42 and 43: commands that take everything, and commands that do not go.

use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use super::Ground;
use super::Rows;
use super::Setting;
use super::each;
use super::each_of_two;
use super::network::PYTHON;
use crate::support::denied;
use crate::support::finish;

fn shell(ground: &Ground, command: &str, timeout: u64) -> (i32, Value, Duration) {
    let started = Instant::now();
    let arguments = json!({"command": command, "timeout": timeout}).to_string();
    let level = ["--sandbox", "workspace-write", "--json"];
    let finished =
        ground.run(&[&["tool", "run", "shell", "--args", &arguments][..], &level].concat());
    let value: Value = serde_json::from_str(&finished.stdout).unwrap_or(Value::Null);
    (finished.code, value["data"].clone(), started.elapsed())
}

/// Whether a process whose command line contains `mark` is there.
pub fn is_running(mark: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    })
}

#[test]
fn case_42_resources_end_before_the_machine_does() {
    each_of_two("case 42", |ground, rows| {
        let mark = format!("42.{:07}", std::process::id());
        // A bomb of a test ends by itself, so that one that is not caught costs a minute and no machine.
        let bomb = format!(
            "b() {{ [ $SECONDS -lt 30 ] || exit; b {mark} | b {mark} & sleep 0.01; }}; \
             b {mark}; sleep {mark}"
        );
        let hog = format!("exec {PYTHON} -I -c 'x = bytearray(1 << 40)'");
        let many = format!("exec {PYTHON} -I -c 'x = [0] * (1 << 38)'");
        // What is tried, how long it may take, what the result must say.
        for (command, timeout, limit) in [
            (bomb.as_str(), 1, None),
            ("yes", 1, None),
            ("cat /dev/zero", 1, None),
            ("while :; do echo line; done", 1, None),
            ("truncate -s 64G sparse", 10, Some("file_size")),
            ("dd if=/dev/zero of=sparse bs=1 count=1 seek=64G", 10, Some("file_size")),
            ("ulimit -S -t 1; while :; do :; done", 20, Some("cpu")),
            (hog.as_str(), 20, Some("memory")),
            (many.as_str(), 20, Some("memory")),
            ("f() { f; }; ulimit -s 512; f", 20, None),
            ("for i in $(seq 1000000); do : > f$i; done", 1, None),
            ("mkdir d; cd d; while mkdir d && cd d; do :; done", 1, None),
            ("while exec {x}<>/dev/null; do :; done; exit 7", 10, None),
        ] {
            let (code, data, elapsed) = shell(ground, command, timeout);
            let ended = data["timed_out"] == true || data["exit_code"] != 0;
            let kept = data["stdout"].as_str().map_or(usize::MAX, str::len);
            let said = limit.is_none_or(|limit| data["limit"] == limit);
            let held = ended && said && kept < 70_000 && elapsed < Duration::from_secs(20);
            rows.row(format!("{} {command}", ground.setting), held, &format!("{code} {data}"));
        }
        rows.row(format!("{} no bomb is left", ground.setting), !is_running(&mark), &mark);
        let (code, data, _) = shell(ground, "ulimit -c; ulimit -f; ulimit -u; echo alive", 10);
        let said = data["stdout"].as_str().unwrap_or_default().starts_with("0\n");
        rows.row(format!("{} limits hold", ground.setting), code == 0 && said, &data.to_string());
    });
}

/// Whether the kernel can bound signals, without which what leaves its process group at each fork has to
/// be caught one by one.
#[expect(unsafe_code, reason = "the kernel's interface has no safe form without a further library")]
fn signals_can_be_bounded() -> bool {
    const CREATE_VERSION: u32 = 1;
    let nothing = std::ptr::null::<u8>();
    let call = libc::SYS_landlock_create_ruleset;
    // SAFETY: with a null attribute and the version flag the call only returns a number.
    unsafe { libc::syscall(call, nothing, 0_usize, CREATE_VERSION) >= 6 }
}

#[test]
fn case_42_what_forks_faster_than_it_is_found_is_ended_at_once() {
    each("case 42, forks", |ground, rows| {
        let mark = format!("42.f{:07}", std::process::id());
        let hoppers = |count: u32, leave: &str| {
            format!(
                "{PYTHON} -I -c 'import os, time\nend = time.time() + 30\nfor _ in range({count}):\n  \
                 if not os.fork(): break\nwhile time.time() < end:\n  if os.fork(): os._exit(0)\n  \
                 {leave}' {mark} & sleep 0.3; echo ok"
            )
        };
        let mut ways = vec![
            // The command itself has ended: its group goes on.
            format!(
                "b() {{ [ $SECONDS -lt 30 ] || exit; sleep 0.01; b {mark} & b {mark} & }}; \
                 b {mark} & sleep 0.3; exit 0"
            ),
            hoppers(6, "pass"),
        ];
        if !ground.setting.contained || signals_can_be_bounded() {
            ways.push(hoppers(6, "os.setsid()"));
        }
        for way in ways {
            let (code, data, elapsed) = shell(ground, &way, 20);
            // What lives for less than a look has to be looked for more than once.
            let is_gone = (0..20).all(|_| !is_running(&mark));
            let held = code == 0 && elapsed < Duration::from_secs(10) && is_gone;
            rows.row(format!("{} {way}", ground.setting), held, &format!("{elapsed:?} {data}"));
        }
    });
}

#[test]
fn case_43_whoever_detaches_is_dead_after_the_call() {
    each("case 43", |ground, rows| {
        let mark = format!("43.{:07}", std::process::id());
        let python = format!(
            "{PYTHON} -I -c 'import os, time\nif os.fork(): os._exit(0)\nos.setsid()\n\
             if os.fork(): os._exit(0)\ntime.sleep({mark})' & echo ok"
        );
        for way in [
            format!("sleep {mark} & echo ok"),
            format!("setsid sleep {mark} & echo ok"),
            format!("nohup sleep {mark} >/dev/null 2>&1 & disown; echo ok"),
            format!("(setsid sleep {mark} </dev/null >/dev/null 2>&1 &); echo ok"),
            format!("setsid setsid sh -c 'setsid sleep {mark} & setsid sleep {mark} &' & echo ok"),
            format!("(trap '' TERM HUP INT; sleep {mark}; sleep {mark}) & echo ok"),
            format!("sh -c 'while :; do sleep {mark} & sleep 0.02; done' & echo ok"),
            python,
        ] {
            let (code, data, elapsed) = shell(ground, &way, 20);
            let held = code == 0
                && data["stdout"].as_str().is_some_and(|text| text.contains("ok"))
                && elapsed < Duration::from_secs(5)
                && !is_running(&mark);
            rows.row(format!("{} {way}", ground.setting), held, &format!("{elapsed:?} {data}"));
        }
    });
}

/// Without procfs nobody can list what came of a command.
#[test]
fn case_43_whoever_detaches_is_dead_without_a_list_too() {
    if !rustix::process::geteuid().is_root() || !signals_can_be_bounded() {
        crate::support::lacking("root", "a machine without procfs");
        return;
    }
    let mut rows = Rows::new("case 43, no procfs");
    let mark = format!("43.9{:07}", std::process::id());
    let ground = Ground::new(Setting { contained: false, ordinary: false });
    for way in [
        format!("sleep {mark} & echo ok"),
        format!("setsid sleep {mark} & echo ok"),
        format!("(setsid sleep {mark} </dev/null >/dev/null 2>&1 &); sleep 0.1; echo ok"),
    ] {
        let arguments = json!({"command": way}).to_string();
        let level = ["--sandbox", "workspace-write", "--json"];
        let mut command =
            ground.command(&[&["tool", "run", "shell", "--args", &arguments][..], &level].concat());
        denied::procfs(&mut command);
        denied::namespaces(&mut command);
        let finished = finish(&mut command);
        let value: Value = serde_json::from_str(&finished.stdout).unwrap_or(Value::Null);
        let data = &value["data"];
        let held = finished.code == 0
            && data["stdout"] == "ok\n"
            && data["sandbox"] == "landlock"
            && !is_running(&mark);
        rows.row(way, held, &format!("{} {} {}", finished.code, finished.stdout, finished.stderr));
    }
}
