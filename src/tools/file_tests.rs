//! The file tools and the calculator as a model sees them: through `dispatch`, text and data.

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::ToolCall;
use crate::tools::Registry;
use crate::tools::ToolContext;
use crate::tools::dispatch;
use crate::tools::dispatch::CallOutcome;
use crate::tools::registry::RegistrySettings;

/// A workspace and the standard tools.
struct Workspace {
    directory: tempfile::TempDir,
    registry: Registry,
    context: ToolContext,
}

impl Workspace {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (path, contents) in files {
            let full = directory.path().join(path);
            std::fs::create_dir_all(full.parent().unwrap()).unwrap();
            std::fs::write(full, contents).unwrap();
        }
        let context = ToolContext::for_tests(directory.path());
        Self { directory, registry: Registry::standard(&RegistrySettings::default()), context }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    async fn call(&self, name: &str, arguments: Value) -> CallOutcome {
        let call = ToolCall {
            id: "1".to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_string(),
        };
        let prepared = match dispatch::prepare(call, &self.registry) {
            Ok(prepared) => prepared,
            Err(outcome) => return *outcome,
        };
        let calls = vec![prepared.approve()];
        dispatch::run_all(calls, &self.registry, &self.context, &|_| {}).await.remove(0)
    }

    async fn text(&self, name: &str, arguments: Value) -> String {
        self.call(name, arguments).await.result.text
    }

    async fn data(&self, name: &str, arguments: Value) -> Value {
        let outcome = self.call(name, arguments).await;
        outcome.result.data.unwrap_or_else(|| panic!("no data: {}", outcome.result.text))
    }
}

#[tokio::test]
async fn reading_tells_what_is_missing() {
    let workspace = Workspace::new(&[("a", "1\n2\n3\n"), ("empty", ""), ("binary", "\0\0")]);
    let read = async |arguments| workspace.text("file_read", arguments).await;
    assert_eq!(read(json!({"path": "a"})).await, "1\n2\n3\n");
    assert_eq!(
        read(json!({"path": "a", "offset": 2, "limit": 1})).await,
        "2\n[lines 2 to 2 of 3; next offset 3]"
    );
    assert_eq!(
        read(json!({"path": "a", "offset": 9})).await,
        "[the file has 3 lines, none from line 9 on]"
    );
    assert_eq!(read(json!({"path": "empty"})).await, "[empty file]");
    assert_eq!(read(json!({"path": "binary"})).await, "[binary file, 2 bytes]");
    assert_eq!(read(json!({"path": "b"})).await, "error: `b` does not exist");
    assert_eq!(
        read(json!({"path": "."})).await,
        "error: `.` is a directory (file_find lists what is in it)"
    );
    let data = workspace.data("file_read", json!({"path": "a", "limit": 2})).await;
    assert_eq!(
        data,
        json!({"path": "a", "content": "1\n2\n", "size": 6, "lines": 3, "truncated": false,
               "binary": false})
    );
}

#[tokio::test]
async fn a_large_file_is_read_in_windows_that_follow_each_other() {
    let lines: Vec<String> = (1..=5000).map(|number| format!("line {number}\n")).collect();
    let workspace = Workspace::new(&[("a", &lines.concat())]);
    let (mut offset, mut content) = (1, String::new());
    for _ in 0..10 {
        let arguments = json!({"path": "a", "offset": offset});
        let data = workspace.data("file_read", arguments).await;
        let part = data["content"].as_str().unwrap();
        content.push_str(part);
        offset += part.lines().count();
        if data["truncated"] == false {
            break;
        }
    }
    assert_eq!(content, lines.concat());
    let text = workspace.text("file_read", json!({"path": "a"})).await;
    assert!(text.ends_with(" of 5000; next offset 3183]"), "{}", &text[text.len() - 60..]);
}

#[tokio::test]
async fn writing_and_editing_report_their_change() {
    let workspace = Workspace::new(&[]);
    let outcome = workspace.call("file_write", json!({"path": "d/a", "content": "x\n"})).await;
    assert_eq!(outcome.result.text, "wrote 2 bytes to `d/a` (created)");
    assert_eq!(
        outcome.result.data,
        Some(json!({"path": "d/a", "bytes_written": 2, "created": true}))
    );
    let Some(ItemBody::FileChange { path, change, diff }) = outcome.item else { panic!("no item") };
    assert_eq!((path.as_str(), change.as_str()), ("d/a", "created"));
    assert_eq!(diff, "--- d/a\n+++ d/a\n@@ -0,0 +1 @@\n+x\n");
    let text =
        workspace.text("file_write", json!({"path": "d/a", "content": "y", "append": true})).await;
    assert_eq!(text, "appended 1 byte to `d/a` (modified)");
    let text = workspace.text("file_edit", json!({"path": "d/a", "old": "x", "new": "z"})).await;
    assert_eq!(text, "1 replacement in `d/a`");
    let patch = "@@ -1,2 +1,2 @@\n z\n-y\n+w\n";
    let outcome = workspace.call("file_edit", json!({"path": "d/a", "patch": patch})).await;
    assert_eq!(outcome.result.text, "1 hunk applied to `d/a` at line 1 (modified)");
    assert_eq!(outcome.result.data, Some(json!({"path": "d/a", "hunks": 1})));
    assert_eq!(std::fs::read(workspace.path().join("d/a")).unwrap(), b"z\nw");
}

#[tokio::test]
async fn an_edit_needs_one_of_its_two_forms() {
    let workspace = Workspace::new(&[("a", "x")]);
    for arguments in [
        json!({"path": "a"}),
        json!({"path": "a", "old": "x"}),
        json!({"path": "a", "old": "x", "new": "y", "patch": "@@"}),
    ] {
        assert_eq!(
            workspace.text("file_edit", arguments).await,
            "error: wrong arguments: expected either `old` and `new`, or `patch`"
        );
    }
    let text = workspace.text("file_edit", json!({"path": "a", "old": "z", "new": "y"})).await;
    assert_eq!(text, "error: `a`: the text to replace does not occur");
}

#[tokio::test]
async fn searching_finding_and_counting() {
    let workspace = Workspace::new(&[("a.rs", "foo\nbar foo foo\n"), ("b.md", "foo\n"), ("c", "")]);
    let search = async |arguments| workspace.text("file_search", arguments).await;
    assert_eq!(
        search(json!({"pattern": "foo", "glob": "*.rs"})).await,
        "2 matching lines in 1 file (1 file searched)\na.rs:1:foo\na.rs:2:bar foo foo"
    );
    assert_eq!(
        search(json!({"pattern": "foo", "mode": "count"})).await,
        "3 matching lines in 2 files (3 files searched)\na.rs:2\nb.md:1"
    );
    assert_eq!(search(json!({"pattern": "nothing"})).await, "no match in 3 files");
    std::fs::write(workspace.path().join("d"), b"foo\0").unwrap();
    assert_eq!(
        search(json!({"pattern": "foo", "path": "d"})).await,
        "no match in 0 files, 1 binary file left out"
    );
    std::fs::remove_file(workspace.path().join("d")).unwrap();
    let wrong = search(json!({"pattern": "("})).await;
    assert!(wrong.starts_with("error: invalid regular expression: "), "{wrong}");
    assert!(wrong.ends_with("(to search for the text as it stands, make it literal)"), "{wrong}");
    let data = workspace.data("file_search", json!({"pattern": "foo", "limit": 1})).await;
    assert_eq!(
        data,
        json!({
            "matches": [{"path": "a.rs", "line": 1, "text": "foo"}],
            "files": [{"path": "a.rs", "count": 2}],
            "total": 3, "total_matches": 4, "files_with_matches": 2, "files_searched": 3,
            "truncated": true,
        })
    );
    let data = workspace
        .data("file_find", json!({"type": "file", "sort": "size", "descending": true}))
        .await;
    let paths: Vec<&str> =
        data["entries"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    assert_eq!((paths, &data["total"]), (vec!["a.rs", "b.md", "c"], &json!(3)));
    let data = workspace.data("file_find", json!({"newer_than": "1h", "name": "*.md"})).await;
    assert_eq!((&data["total"], &data["entries"][0]["size"]), (&json!(1), &json!(4)));
    let data = workspace.data("file_stats", json!({"path": "."})).await;
    assert_eq!(
        data["total"],
        json!({"files": 3, "lines": 3, "words": 5, "bytes": 20, "chars": 20})
    );
    assert_eq!(
        workspace.text("file_stats", json!({"path": "b.md", "hash": "sha256"})).await,
        "lines words bytes chars\n1 1 4 4 b.md \
         sha256:b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"
    );
}

#[tokio::test]
async fn arithmetic() {
    let workspace = Workspace::new(&[]);
    let outcome = workspace.call("calculator", json!({"expression": "15% of 80"})).await;
    assert_eq!(outcome.result.text, "12");
    assert_eq!(outcome.result.data, Some(json!({"value": "12", "exact": true})));
    let text = workspace.text("calculator", json!({"expression": "1 +"})).await;
    assert_eq!(text, "error: `1 +`, column 4: expected a number, found the end");
}

#[cfg(unix)]
#[tokio::test]
async fn what_the_rules_forbid_is_declined_and_nothing_blocks() {
    let workspace = Workspace::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "secret\n").unwrap();
    std::os::unix::fs::symlink(&secret, workspace.path().join("link")).unwrap();
    let secret = secret.to_str().unwrap();
    for (tool, arguments) in [
        ("file_read", json!({"path": secret})),
        ("file_read", json!({"path": "link"})),
        ("file_read", json!({"path": "/proc/self/environ"})),
        ("file_stats", json!({"path": secret})),
        ("file_search", json!({"pattern": "s", "path": outside.path()})),
        ("file_find", json!({"path": outside.path()})),
        ("file_write", json!({"path": secret, "content": ""})),
        ("file_edit", json!({"path": secret, "old": "secret", "new": ""})),
        (
            "file_edit",
            json!({"path": "../x", "patch": "--- /dev/null\n+++ x\n@@ -0,0 +1 @@\n+x\n"}),
        ),
    ] {
        let outcome = workspace.call(tool, arguments.clone()).await;
        assert_eq!(outcome.status, ItemStatus::Declined, "{tool} {arguments}: {outcome:?}");
        assert!(!outcome.result.text.contains("secret\n"));
    }
    let fifo = workspace.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (tool, path) in [("file_read", "fifo"), ("file_stats", "fifo"), ("file_read", "/dev/zero")]
    {
        let outcome = workspace.call(tool, json!({"path": path})).await;
        assert!(outcome.result.is_error, "{tool} {path}: {}", outcome.result.text);
    }
    assert_eq!(std::fs::read(secret).unwrap(), b"secret\n");
}

#[tokio::test]
async fn the_database_is_not_opened_by_any_tool() {
    let workspace = Workspace::new(&[("data/agent.db", "rows\n"), ("a", "rows\n")]);
    let database = std::fs::metadata(workspace.path().join("data/agent.db")).unwrap();
    workspace.context.opener.protect(&[database]);
    std::fs::hard_link(workspace.path().join("data/agent.db"), workspace.path().join("copy"))
        .unwrap();
    for path in ["data/agent.db", "copy"] {
        let outcome = workspace.call("file_read", json!({"path": path})).await;
        assert_eq!(outcome.status, ItemStatus::Declined, "{path}");
        let outcome = workspace.call("file_stats", json!({"path": path, "hash": "sha256"})).await;
        assert_eq!(outcome.status, ItemStatus::Declined, "{path}");
    }
    let text = workspace.text("file_search", json!({"pattern": "rows"})).await;
    assert!(text.starts_with("1 matching line in 1 file (1 file searched)\na:1:rows\n"), "{text}");
    assert_eq!(text.matches("[skipped: ").count(), 2, "{text}");
}
