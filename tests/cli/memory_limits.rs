//! When the surroundings do not play along: full disks, read-only places, locks never given back.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use crate::support::Finished;
use crate::support::TestContext;
use crate::support::collected;
use crate::support::finish;
use crate::support::lacking;

/// Runs a shell script that sees the binary as `$BIN` and the data directory as `$DATA`.
fn script(context: &TestContext, wrapper: &[&str], text: &str) -> Finished {
    let own = context.command(Vec::<&str>::new());
    let mut command = Command::new(wrapper.first().unwrap_or(&"sh"));
    command.args(wrapper.iter().skip(1));
    if !wrapper.is_empty() {
        command.arg("sh");
    }
    command.args(["-ec", text]).current_dir(context.work()).env_clear();
    for (name, value) in own.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
        .env("BIN", own.get_program())
        .env("DATA", context.data())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    finish(&mut command)
}

/// True where this test may mount: as root, in a container that allows it.
fn may_mount() -> bool {
    let probe = "mount -t tmpfs tmpfs /mnt";
    let done = Command::new("unshare").args(["-m", "sh", "-c", probe]).output();
    done.is_ok_and(|output| output.status.success())
}

/// Two thousand items of a kilobyte each.
fn flood(context: &TestContext) {
    let filler = "x".repeat(1_000);
    let line = |number: usize| format!("{{\"content\": \"n{number} {filler}\"}}");
    let lines = (0..2_000).map(line).collect::<Vec<_>>().join("\n");
    context.write("flood.jsonl", lines);
}

/// Every acknowledged id is stored once there is room again, and the database is sound.
fn nothing_acknowledged_is_lost(context: &TestContext) {
    let read = |name: &str| std::fs::read_to_string(context.work().join(name)).unwrap();
    let acknowledged = read("acks");
    assert!(acknowledged.lines().count() > 0, "full before the first item");
    assert!(acknowledged.lines().count() < 2_000, "there was room for everything");
    let rows = read("rows");
    for line in acknowledged.lines() {
        let ack: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(rows.contains(ack["id"].as_str().unwrap()), "{line} was acknowledged");
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    if !may_mount() {
        // The size limit below is tested only.
        return lacking("mounts", "memory on a full disk");
    }
    let context = TestContext::new();
    flood(&context);
    std::fs::create_dir_all(context.data()).unwrap();
    let finished = script(
        &context,
        &["unshare", "-m"],
        r#"mount -t tmpfs -o size=1200k,mode=700 tmpfs "$DATA"
        head -c 200000 /dev/zero > "$DATA/ballast"
        code=0; "$BIN" memory add --jsonl flood.jsonl > acks 2> said || code=$?
        cat said >&2; echo "add $code"
        rm "$DATA/ballast"
        "$BIN" memory check; "$BIN" memory export > rows; "$BIN" memory add 'room again' > id"#,
    );
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.starts_with("add 42\nok: "), "{}", finished.stdout);
    assert!(finished.stderr.contains("no space left"), "{}", finished.stderr);
    nothing_acknowledged_is_lost(&context);
}

#[test]
fn a_limit_on_file_size_loses_nothing_that_was_acknowledged() {
    let context = TestContext::new();
    flood(&context);
    let finished = script(
        &context,
        &[],
        r#"code=0
        (ulimit -f 4000; exec "$BIN" memory add --jsonl flood.jsonl) > acks 2> said || code=$?
        cat said >&2; echo "add $code"
        "$BIN" memory check; "$BIN" memory export > rows"#,
    );
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.starts_with("add 42\nok: "), "{}", finished.stdout);
    nothing_acknowledged_is_lost(&context);
}

#[test]
fn a_read_only_place_can_be_read_and_says_so_when_written() {
    let context = TestContext::new();
    assert_eq!(context.run(["memory", "add", "read me"]).code, 0);
    if !may_mount() {
        // A unit test covers it for ordinary users.
        return lacking("mounts", "memory in a read-only place");
    }
    let finished = script(
        &context,
        &["unshare", "-m"],
        r#"mount --bind "$DATA" "$DATA"; mount -o remount,bind,ro "$DATA"
        "$BIN" memory search read; "$BIN" memory check
        code=0; "$BIN" memory add more || code=$?; echo "add $code""#,
    );
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.starts_with("read me\n"), "{}", finished.stdout);
    assert!(finished.stdout.contains("\nok: 1 items"), "{}", finished.stdout);
    assert!(finished.stdout.ends_with("add 42\n"), "{}", finished.stdout);
    assert!(finished.stderr.contains("cannot be written"), "{}", finished.stderr);
}

#[test]
fn a_data_directory_that_cannot_be_made_is_one_clear_error() {
    let context = TestContext::new();
    std::fs::create_dir_all(context.data().parent().unwrap()).unwrap();
    std::fs::write(context.data(), "in the way").unwrap();
    let finished = context.run(["memory", "add", "x"]);
    assert_eq!(finished.code, 42);
    assert!(finished.stderr.starts_with("error: "), "{}", finished.stderr);
    assert_eq!(finished.stderr.lines().filter(|line| line.starts_with("error")).count(), 1);
}

/// A lock that is held by a process that does nothing, which is what a stopped process does.
#[test]
fn a_lock_never_given_back_ends_in_a_message_that_names_the_holder() {
    let context = TestContext::new();
    assert_eq!(context.run(["memory", "add", "x"]).code, 0);
    let holder = rusqlite::Connection::open(context.data().join("agent.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let reader = context.run(["memory", "search", "x"]);
    assert_eq!(reader.code, 0, "{}", reader.stderr);
    let writer = context.run(["memory", "add", "y"]);
    assert_eq!(writer.code, 75, "{}", writer.stderr);
    assert!(writer.duration > Duration::from_secs(19), "{:?}", writer.duration);
    assert!(writer.duration < Duration::from_secs(45), "{:?}", writer.duration);
    assert!(writer.stderr.contains("is locked by another process"), "{}", writer.stderr);
    if Path::new("/proc/locks").exists() {
        let own = format!("(process {})", std::process::id());
        assert!(writer.stderr.contains(&own), "{}", writer.stderr);
    }
    drop(holder);
    assert_eq!(context.run(["memory", "add", "y"]).code, 0);
}

/// The answer does not need the memory, so the run waits once, says so at once, and goes on without.
#[test]
fn a_run_waits_once_for_a_locked_memory_and_says_so() {
    let context = TestContext::new();
    assert_eq!(context.run(["memory", "add", "x"]).code, 0);
    let holder = rusqlite::Connection::open(context.data().join("agent.db")).unwrap();
    // Nobody else may even read, so recall has to wait as well.
    holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let mut command = context.command(["run", "--output-format", "json", "what is 2 + 3"]);
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    while !told.contains("waiting for the memory") {
        assert_ne!(stderr.read_line(&mut told).unwrap(), 0, "{told}");
    }
    assert!(start.elapsed() < Duration::from_secs(10), "it was told after {:?}", start.elapsed());
    stderr.read_to_string(&mut told).unwrap();
    let finished = collected(child);
    assert!(start.elapsed() < Duration::from_secs(32), "{:?}", start.elapsed());
    drop(holder);
    assert_eq!(finished.code, 0, "{told}");
    assert!(told.contains("warning: this conversation cannot be stored: "), "{told}");
    let outcome: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(outcome["text"], "5");
    let errors = outcome["errors"][0].as_str().unwrap();
    assert!(errors.contains("is locked by another process"), "{errors}");
    assert!(!context.run(["session", "list"]).stdout.contains("2 + 3"));
}
