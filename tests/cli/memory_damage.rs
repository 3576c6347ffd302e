//! Damaged, foreign and newer databases: never a panic, never overwritten, always a way on.

use std::path::Path;

use crate::support::Finished;
use crate::support::TestContext;

/// A database of two hundred items and its bytes.
fn sound() -> (TestContext, Vec<u8>) {
    let context = TestContext::new();
    let line = |number: usize| {
        let filler = "lorem ipsum ".repeat(number % 17);
        format!("{{\"content\": \"fact {number} {filler}\", \"tags\": [\"t{}\"]}}", number % 7)
    };
    let lines = (0..200).map(line).collect::<Vec<_>>().join("\n");
    let finished = context.run_with_input(["memory", "add", "--jsonl", "-"], lines.as_bytes());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let bytes = std::fs::read(context.data().join("agent.db")).unwrap();
    (context, bytes)
}

/// Puts `bytes` in the database's place, without a log.
fn place(context: &TestContext, bytes: &[u8]) {
    for name in ["agent.db-wal", "agent.db-shm"] {
        drop(std::fs::remove_file(context.data().join(name)));
    }
    std::fs::write(context.data().join("agent.db"), bytes).unwrap();
}

fn is_orderly(name: &str, command: &str, finished: &Finished) {
    let allowed = [0, 1, 42];
    assert!(
        allowed.contains(&finished.code) && !finished.stderr.contains("panicked"),
        "{name}, {command}: {} {}",
        finished.code,
        finished.stderr
    );
    if finished.code != 0 {
        assert!(finished.stderr.contains("error:"), "{name}, {command}: {}", finished.stderr);
    }
}

/// A small generator of numbers, so that a failure can be repeated.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 16).unwrap()
}

#[test]
fn flipped_bits_are_survived_and_left_for_a_restore() {
    let (context, bytes) = sound();
    let rounds = if std::env::var_os("AGI_TEST_LONG").is_some() { 500 } else { 15 };
    let mut state = 0x2545_F491_4F6C_DD1D;
    let mut found = 0;
    for round in 0..rounds {
        let mut damaged = bytes.clone();
        for _ in 0..=(round % 40) {
            let at = next(&mut state) % damaged.len();
            damaged[at] ^= 1 << (next(&mut state) % 8);
        }
        place(&context, &damaged);
        let name = format!("round {round}");
        for command in [&["memory", "search", "fact"][..], &["memory", "check"]] {
            let finished = context.run(command);
            is_orderly(&name, command[1], &finished);
            found += usize::from(command[1] == "check" && finished.code != 0);
            let after = std::fs::read(context.data().join("agent.db")).unwrap();
            assert!(after == damaged, "{name}: `{}` wrote to a damaged file", command[1]);
        }
        is_orderly(&name, "add", &context.run(["memory", "add", "one more"]));
    }
    assert!(found > rounds / 3, "the check noticed only {found} of {rounds}");
}

#[test]
fn a_cut_file_is_noticed() {
    let (context, bytes) = sound();
    // SQLite takes a file of one byte for an empty one: there is nothing to lose in it.
    for length in [2, 15, 99, 100, 511, 4_095, 4_096, 4_097, bytes.len() / 2, bytes.len() - 1] {
        place(&context, &bytes[..length]);
        for command in [&["memory", "check"][..], &["memory", "search", "fact"]] {
            let finished = context.run(command);
            is_orderly(&format!("{length} bytes"), command[1], &finished);
            if command[1] == "check" {
                assert_ne!(finished.code, 0, "{length} bytes");
                assert!(finished.stderr.contains("hint:"), "{}", finished.stderr);
            }
        }
        assert_eq!(std::fs::read(context.data().join("agent.db")).unwrap(), &bytes[..length]);
    }
}

/// Every command that could touch the file refuses it, says why and what to do, and leaves it.
fn is_refused(context: &TestContext, words: &str) {
    let database = context.data().join("agent.db");
    let before = std::fs::read(&database).ok();
    for command in [&["memory", "search", "x"][..], &["memory", "add", "x"], &["memory", "list"]] {
        let finished = context.run(command);
        assert_eq!(finished.code, 42, "{words}, {command:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(words), "{command:?}: {}", finished.stderr);
        assert!(finished.stderr.contains("hint:"), "{command:?}: {}", finished.stderr);
    }
    assert_ne!(context.run(["memory", "check"]).code, 0);
    assert_eq!(std::fs::read(&database).ok(), before);
}

#[test]
fn what_is_not_our_database_is_refused() {
    let (context, bytes) = sound();
    place(&context, &b"-- notes --\n".repeat(500));
    is_refused(&context, "is not a memory database");
    let mut wrong_magic = bytes.clone();
    wrong_magic[0] = b'X';
    place(&context, &wrong_magic);
    is_refused(&context, "is not a memory database");
    let mut foreign = bytes.clone();
    // The application id stands at byte 68 of the header, the version at 60.
    foreign[68..72].copy_from_slice(&7_u32.to_be_bytes());
    place(&context, &foreign);
    is_refused(&context, "is a database of another program");
    let mut newer = bytes;
    newer[60..64].copy_from_slice(&999_u32.to_be_bytes());
    place(&context, &newer);
    is_refused(&context, "has version 999, this program knows up to");
}

#[test]
fn a_directory_or_a_pipe_in_its_place_is_refused_without_waiting() {
    let context = TestContext::new();
    std::fs::create_dir_all(context.data().join("agent.db")).unwrap();
    is_refused(&context, "is a directory, a file was expected");
    std::fs::remove_dir(context.data().join("agent.db")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(context.data().join("agent.db")).status();
    if made.is_ok_and(|status| status.success()) {
        let finished = context.run(["memory", "search", "x"]);
        assert_eq!(finished.code, 42, "{}", finished.stderr);
        assert!(finished.stderr.contains("is a special file"), "{}", finished.stderr);
    }
}

#[test]
fn a_damaged_database_gives_way_to_a_backup_and_is_kept() {
    let (context, bytes) = sound();
    assert_eq!(context.run(["memory", "backup", "copy.db"]).code, 0);
    let mut damaged = bytes;
    damaged[4_096..20_000].fill(0xA5);
    place(&context, &damaged);
    let check = context.run(["memory", "check"]);
    assert_eq!(check.code, 1, "{}", check.stderr);
    assert!(check.stderr.contains("memory restore"), "{}", check.stderr);
    let restored = context.run(["memory", "restore", "copy.db", "--json"]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    let report: serde_json::Value = serde_json::from_str(&restored.stdout).unwrap();
    assert_eq!(report["items"], 200);
    assert_eq!(std::fs::read(Path::new(report["kept"].as_str().unwrap())).unwrap(), damaged);
    assert_eq!(context.run(["memory", "check"]).code, 0);
}

#[test]
fn a_file_of_no_bytes_is_a_new_memory() {
    let context = TestContext::new();
    std::fs::create_dir_all(context.data()).unwrap();
    std::fs::write(context.data().join("agent.db"), "").unwrap();
    assert_eq!(context.run(["memory", "search", "x"]).code, 0);
    assert_eq!(context.run(["memory", "add", "x"]).code, 0);
    assert_eq!(context.run(["memory", "check"]).code, 0);
}

/// A database as the first version left it: whatever steps come later, its contents stay.
#[test]
fn the_first_version_s_database_is_still_understood() {
    let context = TestContext::new();
    std::fs::create_dir_all(context.data()).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/memory/version-1.db");
    std::fs::copy(fixture, context.data().join("agent.db")).unwrap();
    let before = context.run(["memory", "export"]);
    assert_eq!(before.stdout.lines().count(), 2, "{}", before.stderr);
    let found = context.run(["memory", "search", "電話"]);
    assert!(found.stdout.starts_with("東京都庁の電話番号\n"), "{}", found.stdout);
    let session = context.run(["session", "show", "last"]);
    assert!(session.stdout.contains("you: what is 2+2"), "{}{}", session.stdout, session.stderr);
    assert_eq!(context.run(["memory", "add", "new"]).code, 0);
    let check = context.run(["memory", "check"]);
    assert_eq!(check.stdout, "ok: 3 items, 1 sessions, no damage found\n", "{}", check.stderr);
    assert!(context.run(["memory", "export"]).stdout.starts_with(&before.stdout));
}
