//! The `memory` and `session` commands as scripts use them: spellings, shapes, exit codes.

use serde_json::Value;

use crate::support::Finished;
use crate::support::TestContext;

fn json(finished: &Finished) -> Value {
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    serde_json::from_str(&finished.stdout).expect("JSON on stdout")
}

/// Adds an item and returns its id.
fn add(context: &TestContext, arguments: &[&str]) -> String {
    let finished = context.run([&["memory", "add"], arguments].concat());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout.trim().to_owned()
}

#[test]
fn what_was_added_is_found_changed_and_deleted() {
    let context = TestContext::new();
    let text = "the staging host is blue.example";
    let id = add(&context, &[text, "--category", "ops", "--tag", "infra"]);
    add(&context, &["lunch", "is", "at", "noon"]);
    let found = json(&context.run(["memory", "search", "staging", "--limit", "5", "--json"]));
    let items = found["items"].as_array().unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["id"], *id);
    assert_eq!(items[0]["content"], text);
    assert_eq!(items[0]["tags"], serde_json::json!(["infra"]));
    assert!(items[0]["score"].as_f64().unwrap() > 0.0);

    let plain = context.run(["memory", "search", "lunch", "noon"]);
    assert!(plain.stdout.starts_with("lunch is at noon\n"), "{}", plain.stdout);

    let change = ["memory", "update", &id, "the staging host is green.example", "--no-tags"];
    assert_eq!(context.run(change).code, 0);
    let item = json(&context.run(["memory", "get", &id, "--json"]));
    assert_eq!(item["content"], "the staging host is green.example");
    assert_eq!(item["tags"], serde_json::json!([]));

    assert_eq!(context.run(["memory", "delete", &id]).code, 0);
    assert_eq!(context.run(["memory", "delete", &id]).code, 1);
    assert_eq!(context.run(["memory", "get", &id]).code, 1);
    let listed = json(&context.run(["memory", "list", "--json"]));
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(json(&context.run(["memory", "stats", "--json"]))["items"], 1);
}

#[test]
fn reading_an_empty_memory_is_a_success_and_writes_nothing() {
    let context = TestContext::new();
    for arguments in [
        &["memory", "search", "x"][..],
        &["memory", "list"],
        &["memory", "stats"],
        &["memory", "export"],
        &["memory", "check"],
        &["session", "list"],
    ] {
        let finished = context.run(arguments);
        assert_eq!(finished.code, 0, "{arguments:?}: {}", finished.stderr);
    }
    assert_eq!(std::fs::read_dir(context.home()).unwrap().count(), 0);
}

#[test]
fn any_text_is_a_query() {
    let context = TestContext::new();
    add(&context, &["alpha beta"]);
    for query in ["", "\"", "AND", "a* OR (", "content:", "NEAR(", "'; DROP TABLE items; --", "*"] {
        let finished = context.run(["memory", "search", query]);
        assert_eq!(finished.code, 0, "{query:?}: {}", finished.stderr);
    }
    assert!(context.run(["memory", "search", "NOT alpha"]).stdout.contains("alpha beta"));
}

#[test]
fn a_stream_is_acknowledged_line_by_line() {
    let context = TestContext::new();
    let input = "{\"content\": \"one\"}\n\n{\"content\": \"two\", \"tags\": [\"t\"]}";
    let finished = context.run_with_input(["memory", "add", "--jsonl", "-"], input.as_bytes());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let ids: Vec<String> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(json(&context.run(["memory", "get", &ids[1], "--json"]))["content"], "two");
}

#[test]
fn a_wrong_line_ends_a_stream_after_what_came_before_it() {
    let context = TestContext::new();
    let input = b"{\"content\": \"one\"}\n{\"contnt\": 1}\n{\"content\": \"three\"}\n";
    let finished = context.run_with_input(["memory", "add", "--jsonl", "-"], input);
    assert_eq!(finished.code, 42);
    assert_eq!(finished.stdout.lines().count(), 1);
    assert!(finished.stderr.contains("line 2: column 9: unknown field `contnt`"));
    assert_eq!(json(&context.run(["memory", "stats", "--json"]))["items"], 1);
}

#[test]
fn an_export_imported_elsewhere_is_the_same_and_again_nothing_new() {
    let context = TestContext::new();
    add(&context, &["red", "--category", "colour", "--tag", "warm"]);
    add(&context, &["blå", "--confidence", "0.25", "--source", "ada"]);
    let export = context.run(["memory", "export", "--format", "jsonl"]).stdout;
    assert_eq!(export.lines().count(), 2);
    let other = TestContext::new();
    let file = other.write("export.jsonl", &export);
    let file = file.to_str().unwrap();
    let report = json(&other.run(["memory", "import", file, "--json"]));
    assert_eq!(report["added"], 2);
    assert_eq!(other.run(["memory", "export"]).stdout, export);
    let again = json(&other.run(["memory", "import", file, "--json"]));
    assert_eq!((&again["added"], &again["unchanged"]), (&Value::from(0), &Value::from(2)));
}

#[test]
fn an_old_knowledge_file_comes_in_whole() {
    let context = TestContext::new();
    context.write(
        "knowledge.json",
        r#"{"items": [{"id": "k1", "content": "tea over coffee", "category": "taste",
            "tags": ["ada"], "created_at": "2023-01-02T03:04:05.000006",
            "updated_at": "2023-01-02T03:04:05.000006", "confidence": 0.5, "source": "chat"}],
            "last_updated": "2023-01-02T03:04:05"}"#,
    );
    assert_eq!(context.run(["memory", "import", "knowledge.json"]).code, 0);
    let item = json(&context.run(["memory", "get", "k1", "--json"]));
    assert_eq!(item["created_at"], "2023-01-02T03:04:05.000006Z");
    assert_eq!((&item["source"], &item["confidence"]), (&"chat".into(), &Value::from(0.5)));
    let back = json(&context.run(["memory", "export", "--format", "json"]));
    assert_eq!(back["items"][0]["id"], "k1");
    assert_eq!(back["last_updated"], "2023-01-02T03:04:05.000006Z");
}

#[test]
fn the_database_itself_is_never_opened_as_a_file() {
    let context = TestContext::new();
    add(&context, &["x"]);
    let database = context.data().join("agent.db");
    std::fs::hard_link(&database, context.work().join("alias")).unwrap();
    for file in [database.to_str().unwrap(), "alias"] {
        for command in
            [&["memory", "import"][..], &["memory", "restore"], &["memory", "add", "--jsonl"]]
        {
            let finished = context.run([command, &[file]].concat());
            assert_eq!(finished.code, 42, "{command:?} {file}");
            assert!(
                finished.stderr.contains("is the memory database itself"),
                "{}",
                finished.stderr
            );
        }
    }
}

#[test]
fn a_backup_is_restored_and_the_present_kept() {
    let context = TestContext::new();
    add(&context, &["before"]);
    assert_eq!(context.run(["memory", "backup", "copy.db"]).code, 0);
    assert_eq!(context.run(["memory", "backup", "copy.db"]).code, 42);
    add(&context, &["after"]);
    let report = json(&context.run(["memory", "restore", "copy.db", "--json"]));
    assert_eq!(report["items"], 1);
    assert!(std::path::Path::new(report["kept"].as_str().unwrap()).is_file());
    assert!(context.run(["memory", "search", "after"]).stdout.is_empty());
}

#[test]
fn forgetting_everything_asks_for_a_second_word() {
    let context = TestContext::new();
    add(&context, &["one"]);
    assert_eq!(context.run(["memory", "forget", "--all"]).code, 2);
    assert_eq!(context.run(["memory", "forget", "--all", "--yes"]).code, 0);
    assert_eq!(json(&context.run(["memory", "stats", "--json"]))["items"], 0);
}

#[test]
fn without_a_place_for_it_nothing_is_remembered_silently() {
    let context = TestContext::new();
    let mut command = context.command(["memory", "add", "x"]);
    command.env_remove("HOME");
    let finished = crate::support::finish(&mut command);
    // The system may know a home directory without being told.
    if finished.code != 0 {
        assert_eq!(finished.code, 42);
        assert!(finished.stderr.contains("AGI_DATA_DIR"), "{}", finished.stderr);
    }
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let context = TestContext::new();
    add(&context, &["x"]);
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&context.data()), 0o700);
    assert_eq!(mode(&context.data().join("agent.db")), 0o600);
}
