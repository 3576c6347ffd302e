//! When the surroundings do not play along: full disks, read-only places, locks never given back.

use std::process::Command;

use crate::support::Finished;
use crate::support::TestContext;
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
