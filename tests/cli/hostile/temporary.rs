//! Cases 48 to 50: temporary files, a sandbox that cannot be had, two runs at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use super::Ground;
use super::SECRET;
use super::each;
use super::ground::Setting;
use crate::support::denied;
use crate::support::finish;

#[test]
fn case_48_temporary_files_are_private_fresh_and_gone() {
    each("case 48", |ground, rows| {
        let script = "stat -c '%a %U' $TMPDIR; umask; echo x > $TMPDIR/f; echo $TMPDIR; stat -c %a $TMPDIR/..";
        let finished = ground.sh(script);
        let lines: Vec<&str> = finished.stdout.lines().collect();
        let private = lines.first().is_some_and(|line| line.starts_with("700 "));
        rows.row(format!("{} mode", ground.setting), private, &finished.stdout);
        let path = lines.iter().find(|line| line.starts_with('/')).copied().unwrap_or("/");
        let gone = !std::path::Path::new(path).exists();
        rows.row(format!("{} gone afterwards", ground.setting), gone, path);
        let second = ground.sh("echo $TMPDIR").stdout;
        rows.row(format!("{} another each time", ground.setting), second.trim() != path, path);
        let closed =
            "mkdir -p $TMPDIR/a/b; touch $TMPDIR/a/b/f; chmod -R 0 $TMPDIR/a; echo $TMPDIR";
        let path = ground.sh(closed).stdout;
        let gone = !path.is_empty() && !std::path::Path::new(path.trim()).exists();
        rows.row(format!("{} gone although closed", ground.setting), gone, &path);
        // The name that a write will use first is taken by a link to something outside.
        let victim = ground.outside().join("secret");
        for number in 0..3 {
            for pid in own_pids() {
                let name = format!(".agi-agent-{pid}-{number}.tmp");
                symlink(&victim, ground.work().join(name)).unwrap();
            }
        }
        let arguments = json!({"path": "new", "content": "evil"});
        let finished = ground.tool("file_write", &arguments);
        rows.row(
            format!("{} a planted name", ground.setting),
            ground.is_untouched(),
            &finished.stderr,
        );
        let mode =
            fs::metadata(ground.work().join("new")).map_or(0, |found| found.permissions().mode());
        rows.row(
            format!("{} a usual mode", ground.setting),
            mode & 0o002 == 0,
            &format!("{mode:o}"),
        );
        let fixed = ["/tmp/agi-agent", "/tmp/agi-agent.lock", "/var/tmp/agi-agent"];
        for path in fixed {
            let fixed = std::path::Path::new(path).exists();
            rows.row(format!("{} {path}", ground.setting), !fixed, "a fixed name was used");
        }
    });
}

/// An agent that is killed leaves its directory, and the next ones remove it, and nothing else.
#[test]
fn case_48_what_a_killed_agent_left_is_removed_and_nothing_that_looks_like_it() {
    super::each_of_two("case 48, left over", |ground, rows| {
        let place = ground.outside().join("tmp");
        let precious = ground.outside().join("precious");
        for directory in [&place, &precious] {
            fs::create_dir(directory).unwrap();
        }
        fs::write(precious.join("file"), SECRET).unwrap();
        // As private as what an agent makes: only that a link leads there tells it from a left-over.
        fs::set_permissions(&precious, fs::Permissions::from_mode(0o700)).unwrap();
        let sandbox = ["sandbox", "--level", "workspace-write", "--", "bash", "-c"];
        let script = format!("echo there > there; sleep 50.1{}", std::process::id());
        let mut first = ground.command(&[&sandbox[..], &[&script]].concat());
        first.env("TMPDIR", &place).stdout(Stdio::null()).stderr(Stdio::null());
        let mut first = first.spawn().unwrap();
        wait_for(|| {
            fs::read_to_string(ground.work().join("there")).ok().filter(|it| it == "there\n")
        });
        first.kill().unwrap();
        first.wait().unwrap();
        let left = fs::read_dir(&place).unwrap().next().unwrap().unwrap().path();
        let then = std::time::SystemTime::now() - Duration::from_hours(2);
        // A link with such a name, to a directory that is as old and somebody's own.
        let name = left.file_name().unwrap().to_string_lossy().into_owned();
        let (pid, _) = name.strip_prefix("agi-agent-").unwrap().split_once('-').unwrap();
        let link = place.join(format!("agi-agent-{pid}-{}", "0".repeat(32)));
        symlink(&precious, &link).unwrap();
        for directory in [&left, &precious] {
            fs::File::open(directory).unwrap().set_modified(then).unwrap();
        }
        // One in sixteen looks.
        let mut runs = 0;
        while left.exists() && runs < 200 {
            runs += 1;
            ground
                .command_as_it_is(&["sandbox", "--", "true"])
                .env("TMPDIR", &place)
                .output()
                .unwrap();
        }
        rows.row(format!("{} removed", ground.setting), !left.exists(), &name);
        let whole = precious.join("file").exists() && link.is_symlink();
        rows.row(format!("{} the link leads nowhere", ground.setting), whole, &name);
    });
}

/// Process numbers that the next programs here may get.
fn own_pids() -> std::ops::Range<u32> {
    let last = fs::read_to_string("/proc/loadavg").unwrap();
    let last: u32 = last.split_whitespace().last().unwrap().parse().unwrap();
    last + 1..last + 30
}

#[test]
fn case_49_what_cannot_be_held_is_not_run() {
    let ground = Ground::new(Setting { contained: false, ordinary: false });
    let mut rows = super::Rows::new("case 49");
    let touch = json!({"command": "touch ran"}).to_string();
    let python = json!({"code": "open('ran', 'w')"}).to_string();
    let call = json!({"name": "shell", "arguments": {"command": "touch ran"}});
    let script = json!([{"tool_calls": [call]}, {"text": "done"}]);
    let path = ground.file("../home/script.json", script.to_string());
    let model = format!("scripted/{}", path.display());
    for level in ["read-only", "workspace-write"] {
        for arguments in [
            &["sandbox", "--level", level, "--", "touch", "ran"][..],
            &["sandbox", "--level", level, "--explain"],
            &["tool", "run", "shell", "--args", &touch, "--sandbox", level],
            &["tool", "run", "python_exec", "--args", &python, "--sandbox", level],
            &["run", "go", "--model", &model, "--sandbox", level, "--approve", "auto"],
            &["run", "go", "--model", &model, "--sandbox", level, "--expect", "true"],
        ] {
            for contained in [false, true] {
                let mut command = ground.command(arguments);
                denied::landlock(&mut command);
                if contained {
                    denied::namespaces(&mut command);
                }
                let finished = finish(&mut command);
                let held = finished.code == 44
                    && !ground.work().join("ran").exists()
                    && finished.stderr.contains("Landlock");
                let seen = format!("{} {}", finished.code, finished.stderr);
                rows.row(format!("{level} {:?} {contained}", &arguments[..3]), held, &seen);
            }
        }
    }
    let mut command =
        ground.command(&["sandbox", "--level", "danger-full-access", "--", "touch", "ran"]);
    denied::landlock(&mut command);
    let finished = finish(&mut command);
    let ran = finished.code == 0 && ground.work().join("ran").exists();
    rows.row("danger-full-access runs", ran, &finished.stderr);
}

#[test]
fn case_50_two_runs_at_once_share_no_temporary_file() {
    each("case 50", |ground, rows| {
        let level = ["sandbox", "--level", "workspace-write", "--", "bash", "-c"];
        let script = format!(
            "echo {SECRET} > $TMPDIR/f; echo $TMPDIR > where; sleep 50.0{}",
            std::process::id()
        );
        let mut first = ground.command(&[&level[..], &[&script]].concat());
        let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let place = wait_for(|| {
            let place = fs::read_to_string(ground.work().join("where")).ok()?;
            place.ends_with('\n').then(|| place.trim().to_owned())
        });
        let there = fs::read_to_string(format!("{place}/f")).unwrap();
        rows.row(format!("{} it is there", ground.setting), there.contains(SECRET), &there);
        for script in [
            format!("cat {place}/f"),
            format!("ls {place}"),
            format!("echo evil > {place}/f"),
            format!("rm -rf {place}; false"),
            "cat /tmp/agi-agent-*/tmp/f".to_owned(),
            "ls -d /tmp/agi-agent-*".to_owned(),
            "ls /tmp".to_owned(),
            format!("cat /proc/[0-9]*/root{place}/f"),
            "pkill -f 'sleep 50[.]0'; sleep 0.2; false".to_owned(),
        ] {
            let finished =
                ground.command_as_it_is(&[&level[..], &[&script]].concat()).output().unwrap();
            let text = String::from_utf8_lossy(&finished.stdout).into_owned();
            let unchanged =
                fs::read_to_string(format!("{place}/f")).is_ok_and(|text| text.contains(SECRET));
            let held = !finished.status.success() && !text.contains(SECRET) && unchanged;
            rows.row(format!("{} {script}", ground.setting), held, &text);
        }
        let lives = first.try_wait().unwrap().is_none();
        rows.row(format!("{} the first lives", ground.setting), lives, "it was ended by the other");
        first.kill().unwrap();
        first.wait().unwrap();
    });
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "it did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}
