//! A memory that another process keeps locked: whoever waits for it says so soon, on standard error only,
//! and is not kept from ending.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::process::ChildStderr;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::TestContext;
use crate::support::collected;

/// Before it is told that the memory is waited for; usually it is one second.
const SOON: Duration = Duration::from_secs(10);

/// A memory with an item and a session, and somebody who keeps it from everybody, readers as well.
fn locked() -> (TestContext, Connection) {
    let context = TestContext::new();
    let first = context.run(["run", "what is 2 + 3"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(context.run(["memory", "add", "x"]).code, 0);
    let holder = Connection::open(context.data().join("agent.db")).unwrap();
    holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    (context, holder)
}

/// Starts a command and waits until it says what it waits for; that line.
fn waiting(context: &TestContext, arguments: &[&str]) -> (Child, BufReader<ChildStderr>, String) {
    let start = Instant::now();
    let mut child = context.command(arguments.iter().copied()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting for the memory") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "{arguments:?} said nothing");
    }
    assert!(start.elapsed() < SOON, "{arguments:?}: it was told after {:?}", start.elapsed());
    (child, stderr, line)
}

#[test]
fn every_command_says_which_file_it_waits_for_and_goes_on_when_it_can() {
    for (arguments, expected) in [
        (&["memory", "add", "y", "--json"][..], "\"id\""),
        (&["memory", "search", "x"], "x"),
        (&["session", "list"], "2 + 3"),
        (&["tool", "run", "memory_search", "--args", "{\"query\": \"x\"}"], "x"),
        (&["run", "--continue", "--output-format", "jsonl", "what is 3 + 4"], "\"text\":\"7\""),
        (&["run", "--output-format", "jsonl", "what is 3 + 4"], "\"text\":\"7\""),
    ] {
        let (context, holder) = locked();
        let (child, mut stderr, line) = waiting(&context, arguments);
        let path = context.data().join("agent.db").display().to_string();
        let holder_named = if Path::new("/proc/locks").exists() {
            format!(" (process {})", std::process::id())
        } else {
            String::new()
        };
        let text = format!(
            "warning: waiting for the memory database `{path}`, which another \
             process{holder_named} keeps locked; at most 20 s\n"
        );
        assert_eq!(line, text, "{arguments:?}");
        drop(holder);
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        let finished = collected(child);
        assert_eq!(finished.code, 0, "{arguments:?}: {rest}");
        assert!(finished.stdout.contains(expected), "{arguments:?}: {}", finished.stdout);
        assert!(!finished.stdout.contains("locked"), "{arguments:?}: {}", finished.stdout);
        if arguments.contains(&"jsonl") {
            let first: Value =
                serde_json::from_str(finished.stdout.lines().next().unwrap()).unwrap();
            assert_eq!(first["type"], "thread.started", "{first}");
        }
    }
}

#[test]
fn a_quiet_command_waits_without_a_word() {
    let (context, holder) = locked();
    let child = context.command(["memory", "add", "y", "--quiet"]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    drop(holder);
    let finished = collected(child);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
}

/// Programs that read the events learn it as a heartbeat.
#[test]
fn a_run_s_events_say_that_it_waits_for_the_memory() {
    let (context, holder) = locked();
    let arguments = ["run", "--output-format", "jsonl", "what is 3 + 4"];
    let mut child = context.command(arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut events = Vec::new();
    while events.last().is_none_or(|event: &Value| event["type"] != "heartbeat") {
        let line = lines.next().expect("a heartbeat").unwrap();
        events.push(serde_json::from_str(&line).unwrap());
    }
    assert_eq!(events.last().unwrap()["waiting_for"], "memory", "{events:?}");
    drop(holder);
    let last = lines.last().unwrap().unwrap();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&last["type"], &last["exit_code"]), (&"result".into(), &0.into()));
    assert_eq!(collected(child).code, 0);
}

/// Whether a session has to be read first, something is recalled, or the last words are stored: a lock that
/// somebody else keeps is no reason to stay.
#[test]
fn a_lock_keeps_no_run_from_ending_in_time() {
    for arguments in [
        &["run", "--continue", "what is 3 + 4"][..],
        &["run", "what is 3 + 4"],
        &["run", "--timeout", "2s", "--continue", "what is 3 + 4"],
        &["run", "--timeout", "2s", "what is 3 + 4"],
    ] {
        let (context, holder) = locked();
        let (mut child, _stderr, _) = waiting(&context, arguments);
        let is_timed = arguments.contains(&"--timeout");
        let since = Instant::now();
        let expected = if is_timed {
            124
        } else {
            let pid = child.id().to_string();
            assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
            143
        };
        let status = child.wait().unwrap();
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        assert_eq!(code, Some(expected), "{arguments:?}");
        assert!(since.elapsed() < Duration::from_secs(8), "{arguments:?}: {:?}", since.elapsed());
        drop(holder);
    }
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
    assert!(writer.stderr.starts_with("warning: waiting for the memory"), "{}", writer.stderr);
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
