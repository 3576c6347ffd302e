//! What scripts and wrappers rely on without thinking: repeated flags, exit codes, lines for other
//! programs, a terminal that nothing but the agent drives.

use crate::support::TestContext;
use crate::support::finish;
use crate::support::model_server::ModelServer;
use crate::support::terminal::Terminal;

#[test]
fn the_last_of_a_repeated_flag_counts() {
    let context = TestContext::new();
    let finished =
        context.run(["sandbox", "--timeout", "0", "--timeout", "20", "--", "echo", "done"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "done\n"), "{}", finished.stderr);
    let finished = context.run(["run", "--timeout", "1s", "--timeout", "1m30s", "2+2"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "4\n"), "{}", finished.stderr);
    // A list still has all of them.
    let lists = ["sandbox", "--explain", "--json", "--env", "FIRST", "--env", "SECOND"];
    let explained = finish(context.command(lists).env("FIRST", "1").env("SECOND", "1")).stdout;
    assert!(explained.contains("\"FIRST\"") && explained.contains("\"SECOND\""), "{explained}");
}

#[test]
fn the_last_conversation_can_be_deleted_by_that_word() {
    let context = TestContext::new();
    assert_eq!(context.run(["run", "2+2"]).code, 0);
    let deleted = context.run(["session", "delete", "last"]);
    assert_eq!(deleted.code, 0, "{}", deleted.stderr);
    assert_eq!(context.run(["session", "list"]).stdout, "");
    assert_eq!(context.run(["session", "delete", "last"]).code, 1);
    assert_eq!(context.run(["memory", "restore", "no-file"]).code, 42);
}

#[test]
fn sums_are_what_sha256sum_reads() {
    use std::os::unix::ffi::OsStrExt as _;

    let context = TestContext::new();
    for name in [&b"plain"[..], b"two\nlines", b"back\\slash", b"no\xfftext", b"esc\x1b[2J"] {
        let path = context.work().join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(path, name).unwrap();
    }
    let sums = context.command(["file", "hash", "."]).output().unwrap();
    assert!(sums.status.success());
    std::fs::write(context.home().join("sums"), &sums.stdout).unwrap();
    let mut check = std::process::Command::new("sha256sum");
    check.args(["--strict", "-c"]).arg(context.home().join("sums")).current_dir(context.work());
    let checked = check.output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(String::from_utf8_lossy(&checked.stdout).matches(": OK").count(), 5);
    for command in ["hash", "stats"] {
        let finished = context.run(["file", command, "plain", "no-file"]);
        assert_eq!(finished.code, 42);
        assert!(finished.stdout.contains("plain"), "{}", finished.stdout);
        assert!(finished.stderr.contains("no-file"), "{}", finished.stderr);
    }
}

#[test]
fn what_a_file_holds_drives_no_terminal() {
    let context = TestContext::new();
    let text = "ä\u{1b}]0;title\u{7}\r\nfound\u{1b}[2J\n";
    context.write("odd.txt", text);
    assert_eq!(context.run(["file", "read", "odd.txt"]).stdout, text);
    for arguments in
        [&["file", "read", "odd.txt"][..], &["file", "search", "found"], &["run", "show odd.txt"]]
    {
        let (code, seen) = Terminal::start(&mut context.command(arguments)).end();
        assert_eq!(code, 0, "{seen}");
        assert!(seen.contains("found\\u{1b}[2J"), "{arguments:?}: {seen:?}");
        assert!(!seen.contains("\u{1b}[2J") && !seen.contains("\u{1b}]0"), "{seen:?}");
    }
}

#[test]
fn nothing_is_configured_in_a_home_that_is_not_there_and_no_password_is_written() {
    let context = TestContext::new();
    let home = context.work().join("nowhere/x");
    let set = ["config", "set", "limits.max_turns", "5"];
    let finished = finish(context.command(set).env("HOME", &home));
    assert_eq!(finished.code, 52, "{}", finished.stderr);
    assert!(finished.stderr.contains("does not exist") && !context.work().join("nowhere").exists());
    let address = "http://user:word@host/v1";
    let finished = context.run(["config", "set", "model.base_url", address]);
    assert_eq!(finished.code, 52, "{}", finished.stderr);
    context.configure(r#"{"model": {"base_url": "http://user:word@host/v1"}}"#);
    for arguments in [&["config", "show"][..], &["config", "get", "model.base_url"], &["status"]] {
        let finished = context.run(arguments);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert!(finished.stdout.contains("user:") && !finished.stdout.contains("word@"));
    }
}

/// What is denied whatever its arguments would only lead a model into a refusal.
#[test]
fn denied_tools_are_not_offered() {
    let mut context = TestContext::new();
    let server = ModelServer::start();
    context.env("OPENAI_API_KEY", "canary").env("OPENAI_BASE_URL", server.url("ok"));
    let denied = ["--deny", "shell", "--deny", "web_*", "--deny", "file_write(*)"];
    let partly = ["--deny", "python_exec(import os*)"];
    let run = ["run", "--model", "openai/test", "a question"];
    let finished = context.run([&run[..], &denied, &partly].concat());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let request = server.requests()[0].json();
    let tools = request["tools"].as_array().unwrap().iter();
    let names: Vec<String> = tools
        .map(|tool| tool["name"].to_string() + &tool["function"]["name"].to_string())
        .collect();
    let offers = |name: &str| names.iter().any(|offered| offered.contains(&format!("\"{name}\"")));
    assert!(offers("file_read") && offers("python_exec"), "{names:?}");
    for name in ["shell", "web_fetch", "web_search", "file_write"] {
        assert!(!offers(name), "{names:?}");
    }
}

/// What nobody can tell the owner of is not answered by another model.
#[test]
fn a_model_without_a_provider_is_not_replaced() {
    let mut context = TestContext::new();
    let named = context.run(["run", "-c", "model.name=gpt-5", "what is 1+1"]);
    context.env("AGI_MODEL_NAME", "gpt-5");
    let finished = context.run(["run", "what is 1+1"]);
    for finished in [named, finished] {
        assert_eq!((finished.code, finished.stdout.as_str()), (52, ""), "{}", finished.stderr);
        assert!(finished.stderr.contains("--model PROVIDER/gpt-5"), "{}", finished.stderr);
    }
    let status = context.run(["status"]);
    assert!(status.stdout.contains("gpt-5 (no provider)"), "{}", status.stdout);
    assert_eq!(context.run(["model", "test"]).code, 52);
    assert_eq!(context.run(["doctor"]).code, 1);
    // What needs no model is as it was, and so is a provider that follows from a key or an address.
    assert_eq!(
        context.run(["tool", "run", "calculator", "--args", r#"{"expression": "1+1"}"#]).code,
        0
    );
    assert_eq!(context.run(["run", "--model", "builtin", "1+1"]).stdout, "2\n");
    let server = ModelServer::start();
    context.env("OPENAI_BASE_URL", server.url("ok"));
    assert_eq!(context.run(["run", "what is 1+1"]).code, 0);
    assert_eq!(server.requests()[0].json()["model"], "gpt-5");
}
