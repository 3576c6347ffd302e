//! Paths that are no UTF-8, which JSON cannot say: shown as near as it can, never a panic.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::support::TestContext;
use crate::support::finish;

#[test]
fn a_working_directory_that_is_no_text() {
    let context = TestContext::new();
    let odd = context.work().join(OsStr::from_bytes(b"w\xff"));
    std::fs::create_dir(&odd).unwrap();
    for arguments in [
        &["sandbox", "--explain", "--json"][..],
        &["sandbox", "--explain", "--json", "--level", "workspace-write"],
        &["status", "--json"],
        &["config", "path", "--json"],
        &["config", "show", "--json"],
        &["doctor", "--json"],
        &["memory", "add", "a fact", "--json"],
        &["trust", "--revoke", ".", "--json"],
        &["tool", "run", "file_find", "--args", "{\"name\": \"*\"}", "--json"],
    ] {
        let finished = finish(context.command(arguments).current_dir(&odd));
        let parsed = serde_json::from_str::<serde_json::Value>(&finished.stdout);
        assert!(
            finished.code == 0 && parsed.is_ok(),
            "{arguments:?}: {} {} {}",
            finished.code,
            finished.stdout,
            finished.stderr
        );
    }
}

#[test]
fn a_home_directory_that_is_no_text() {
    let context = TestContext::new();
    let home = context.work().join(OsStr::from_bytes(b"h\xff"));
    std::fs::create_dir(&home).unwrap();
    for (arguments, key) in [
        (&["status", "--json"][..], "database"),
        (&["config", "path", "--json"], "data"),
        (&["sandbox", "--explain", "--json"], "protected"),
    ] {
        let finished = finish(context.command(arguments).env("HOME", &home));
        assert_eq!(finished.code, 0, "{arguments:?}: {}", finished.stderr);
        let value: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        assert!(value[key].to_string().contains("h\u{fffd}/"), "{value}");
    }
    for arguments in [
        &["memory", "add", "a fact", "--json"][..],
        &["memory", "search", "fact", "--json"],
        &["doctor", "--json"],
        &["config", "set", "limits.max_turns", "5"],
    ] {
        let finished = finish(context.command(arguments).env("HOME", &home));
        assert_eq!(finished.code, 0, "{arguments:?}: {}{}", finished.stdout, finished.stderr);
    }
}
