//! Two runs on one session: the second is refused before it says or asks anything, and goes on once the
//! first has ended.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::support;
use crate::support::TestContext;

#[test]
fn a_session_is_written_by_one_run_at_a_time() {
    let context = TestContext::new();
    let gate = context.work().join("gate");
    let call = json!({"command": format!("while ! test -e {}; do sleep 0.05; done; echo open", gate.display())});
    let script =
        json!([{"tool_calls": [{"name": "shell", "arguments": call}]}, {"text": "through"}]);
    let first = format!("scripted/{}", context.write("../a.json", script.to_string()).display());
    let second = json!([{"text": "after"}]).to_string();
    let second = format!("scripted/{}", context.write("../b.json", second).display());

    let arguments = ["run", "first", "--model", &first, "--output-format", "jsonl"];
    let child = context.command(arguments).spawn().unwrap();
    let stored = || {
        let listed = context.run(["session", "list", "--json"]);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap_or_default();
        let found = listed.as_array().or(listed["sessions"].as_array()).cloned();
        found.and_then(|found| found.first().cloned()).filter(|found| found["messages"] == 2)
    };
    let mut session = None;
    support::wait_until(Duration::from_secs(30), "the first call", || {
        session = stored();
        session.is_some()
    });
    let id = session.unwrap()["id"].as_str().unwrap().to_owned();
    for choice in [&["--session", &id][..], &["--continue"]] {
        let arguments = [&["run", "second", "--model", &second], choice].concat();
        let refused = context.run(&arguments);
        assert_eq!(refused.code, 75, "{}", refused.stderr);
        assert!(refused.stderr.contains("another run is writing session"), "{}", refused.stderr);
    }
    // Another session is nobody's business.
    assert_eq!(context.run(["run", "other", "--model", &second]).code, 0);

    std::fs::write(&gate, "").unwrap();
    let ended = support::collected(child);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let resumed = context.run(["run", "second", "--model", &second, "--session", &id]);
    assert_eq!((resumed.code, &*resumed.stdout), (0, "after\n"), "{}", resumed.stderr);
    let shown = context.run(["session", "show", &id, "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let roles: Vec<&str> =
        shown["log"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user", "assistant"]);
    let left: Vec<_> = std::fs::read_dir(context.data())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(".session-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
