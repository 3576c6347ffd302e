//! `limits.command.*`: what a command may use up, held on every rung and for root, and said in the result.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::hostile::Ground;
use crate::hostile::PYTHON;
use crate::hostile::Rows;
use crate::hostile::Setting;
use crate::hostile::each;
use crate::hostile::each_of_two;
use crate::hostile::is_running;
use crate::support::TestContext;
use crate::support::finish;
use crate::support::lacking;

/// A command under limits (`-c` assignments); its result as data.
fn shell(ground: &Ground, limits: &[&str], command: &str) -> (Value, Duration) {
    let timeout = if command.contains("() {") { 2 } else { 15 };
    let arguments = json!({"command": command, "timeout": timeout}).to_string();
    let mut all = vec!["tool", "run", "shell", "--args", &arguments];
    all.extend(["--sandbox", "workspace-write", "--json"]);
    for limit in limits {
        all.extend(["-c", limit]);
    }
    let finished = ground.run(&all);
    let value: Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
    assert!(value["data"].is_object(), "{command}: {}", finished.stderr);
    (value["data"].clone(), finished.duration)
}

/// One row: the command fails, and the result names the limit.
fn hits(ground: &Ground, rows: &mut Rows, limit: &str, setting: &str, command: &str) {
    let (data, elapsed) = shell(ground, &[setting], command);
    let held = data["limit"] == limit
        && data["exit_code"] != 0
        // An ordinary user's bomb is held by the kernel, and goes on trying.
        && (data["timed_out"] == false || limit == "processes")
        && elapsed < Duration::from_secs(20);
    rows.row(
        format!("{} {setting}: {command}", ground.setting),
        held,
        &format!("{elapsed:?} {data}"),
    );
}

/// Thousands of shells that all complain would hide what the result says.
fn quiet(script: &str) -> String {
    format!("exec 2> >(head -c 2000 >&2); {script}")
}

/// A process that holds so many megabytes and then sleeps.
fn holder(megabytes: u32) -> String {
    format!("head -c {megabytes}M /dev/zero | tail -c {megabytes}M | (sleep 1.5; cat >/dev/null)")
}

#[test]
fn each_limit_holds_and_is_named() {
    each("limits of one command", |ground, rows| {
        let mark = format!("77.{:07}", std::process::id());
        let bomb = format!("b() {{ b {mark} | b {mark} & }}; b {mark}; sleep {mark}");
        hits(ground, rows, "processes", "limits.command.processes=100", &quiet(&bomb));
        rows.row(format!("{} no bomb is left", ground.setting), !is_running(&mark), &mark);
        let file = "head -c 10GB /dev/zero > large";
        hits(ground, rows, "file_size", "limits.command.file_size=1MiB", file);
        let size = ground.work().join("large").metadata().unwrap().len();
        rows.row("the file is as large as allowed", size == 1 << 20, &size.to_string());
        hits(ground, rows, "cpu", "limits.command.cpu_time=1s", "while :; do :; done");
        let many = "ulimit -n; while exec {x}<>/dev/null; do :; done; exit 7";
        hits(ground, rows, "descriptors", "limits.command.open_files=40", many);
        // One process that asks for too much hears it from the kernel and may go on without.
        let python = format!("{PYTHON} -I -c 'x = bytearray(1 << 30)'");
        hits(ground, rows, "memory", "limits.command.memory=300MiB", &python);
        // Shared memory is nobody's own, and counts as well: mapped, or only open.
        let each_page = "for i in range(0, 300 << 20, 4096): m[i] = 1";
        let shared =
            format!("import mmap, time\nm = mmap.mmap(-1, 300 << 20)\n{each_page}\ntime.sleep(9)");
        let writing =
            "f = os.memfd_create('x')\nfor i in range(300): os.write(f, b'x' * (1 << 20))";
        let kept = format!("import os, time\n{writing}\ntime.sleep(9)");
        for code in [shared, kept] {
            let python = format!("{PYTHON} -I -c \"{code}\"");
            hits(ground, rows, "memory", "limits.command.memory=100MiB", &python);
            let (data, _) = shell(
                ground,
                &["limits.command.memory=500MiB"],
                &python.replace("sleep(9)", "sleep(1)"),
            );
            rows.row(
                format!("{} less is let be", ground.setting),
                data["exit_code"] == 0,
                &data.to_string(),
            );
        }
        // None of these has too much, all together have.
        let (one, all) = (holder(90), "limits.command.memory=300MiB");
        let together = format!("for i in 1 2 3 4 5 6; do ({one}) & done; wait");
        hits(ground, rows, "memory", all, &together);
        let (data, _) = shell(ground, &[all], &one);
        rows.row(
            format!("{} one alone has room", ground.setting),
            data["exit_code"] == 0,
            &data.to_string(),
        );
    });
}

#[test]
fn without_settings_a_file_of_ten_gigabytes_is_too_large() {
    each_of_two("limits without settings", |ground, rows| {
        let sparse = "dd if=/dev/zero of=sparse bs=1 count=1 seek=10G";
        let (data, _) = shell(ground, &[], sparse);
        rows.row(sparse, data["limit"] == "file_size", &data.to_string());
        let said = shell(ground, &[], "ulimit -n; ulimit -f; ulimit -u").0;
        let numbers: Vec<u64> = said["stdout"]
            .as_str()
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.parse().ok())
            .collect();
        // `ulimit -f` counts in KiB.
        let held = matches!(numbers[..], [files, size, processes] if files <= 65_536 && size == 8 << 20 && processes <= 4096);
        rows.row("limits of every command", held, &said.to_string());
    });
}

/// The text for the model says what happened and which setting it was.
#[test]
fn the_result_says_what_to_do() {
    let ground = Ground::new(Setting { contained: false, ordinary: false });
    let arguments = json!({"command": "head -c 2M /dev/zero > f"}).to_string();
    let limit = ["-c", "limits.command.file_size=1MiB"];
    let fixed = ["tool", "run", "shell", "--args", &arguments, "--sandbox", "workspace-write"];
    let finished = ground.run(&[&fixed[..], &limit].concat());
    let words = "it ran into a limit of the sandbox: limits.command.file_size = 1MiB";
    assert!(finished.stdout.contains(words), "{}", finished.stdout);
    let finished = ground.run(&["-c", "limits.command.open_files=40", "sandbox", "--explain"]);
    assert!(finished.stdout.contains("40 open files"), "{}", finished.stdout);
}

/// What a stranger's project asks for narrows; what the organisation says bounds everybody.
#[test]
fn a_project_narrows_and_an_organisation_clamps() {
    let context = TestContext::new();
    let shown = |key: &str| context.run(["config", "get", key]).stdout.trim().to_owned();
    context.configure(r#"{"limits": {"command": {"open_files": 100, "memory": "1GiB"}}}"#);
    context.write(
        ".agi-agent/config.json",
        r#"{"limits": {"command": {"open_files": 50, "memory": "2GiB", "file_size": "1MiB"}}}"#,
    );
    assert_eq!(shown("limits.command.open_files"), "50");
    assert_eq!(shown("limits.command.memory"), "1GiB", "an untrusted project cannot widen");
    assert_eq!(shown("limits.command.file_size"), "1MiB");
    let refused =
        context.run(["config", "get", "limits.command.memory", "-c", "limits.command.memory=1MiB"]);
    assert_eq!(refused.code, 52, "{}", refused.stdout);
    assert!(refused.stderr.contains("a size of at least 16MiB"), "{}", refused.stderr);
}

/// A control group for memory below ours; gone with the value. `None`: we may not make one.
struct Group(std::path::PathBuf);

impl Group {
    fn of(bytes: u64) -> Option<Self> {
        let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = text.lines().find_map(|line| {
            let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
            match controllers {
                "memory" => Some(format!("/sys/fs/cgroup/memory{group}")),
                "" => Some(format!("/sys/fs/cgroup{group}")),
                _ => None,
            }
        })?;
        let path =
            std::path::Path::new(&own).join(format!("agi-agent-test-{}", std::process::id()));
        std::fs::create_dir(&path).ok()?;
        let group = Self(path);
        let limits = ["memory.limit_in_bytes", "memory.max"].map(|name| group.0.join(name));
        let limit = limits.into_iter().find(|file| file.exists())?;
        std::fs::write(limit, bytes.to_string()).ok()?;
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Empty a moment after its last process has ended.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The kernel's own killer is told from anybody else's signal.
#[test]
fn what_the_kernel_ends_for_lack_of_memory_is_said_so() {
    use std::os::unix::process::CommandExt as _;
    let Some(group) = Group::of(400 << 20) else {
        return lacking("a control group", "the kernel's out-of-memory killer");
    };
    let mut rows = Rows::new("out of memory");
    for contained in [false, true] {
        let ground = Ground::new(Setting { contained, ordinary: false });
        let hog = format!("{PYTHON} -I -c 'x = b\"a\" * (900 << 20)'");
        for (command, limit) in [
            (format!("exec {hog}"), json!("machine_memory")),
            (format!("{hog}; exit $?"), json!("machine_memory")),
            ("kill -9 $$".to_owned(), Value::Null),
        ] {
            let arguments = json!({"command": command, "timeout": 20}).to_string();
            let mut agent =
                ground.command(&["tool", "run", "shell", "--args", &arguments, "--json"]);
            let members = group.0.join("cgroup.procs");
            // SAFETY: between fork and exec one file is written.
            #[expect(unsafe_code, reason = "the child joins the group before it starts")]
            unsafe {
                agent.pre_exec(move || std::fs::write(&members, "0"));
            }
            let finished = finish(&mut agent);
            let value: Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
            let data = &value["data"];
            let held = data["limit"] == limit && data["exit_code"] == 137;
            rows.row(
                format!("{} {command}", ground.setting),
                held,
                &format!("{} {data}", finished.stderr),
            );
        }
    }
}
