//! Old knowledge files and our own exports come in whole, and twice is once.

use crate::memory::ImportReport;
use crate::memory::Trust;
use crate::memory::tests::handle;

const KNOWLEDGE: &str = r#"{
  "items": [
    {"id": "k-1", "content": "likes tea", "category": "person", "tags": ["ada", "drinks"],
     "created_at": "2023-05-06T07:08:09.123456", "updated_at": "2023-05-07T00:00:00",
     "confidence": 0.75, "source": "conversation"},
    {"id": 2, "content": "prefers tabs", "extra": true},
    {"id": "k-3", "category": "no content"},
    {"id": "k-4", "content": "bad date", "created_at": "last week"}
  ],
  "last_updated": "2023-05-07T00:00:00"
}"#;

#[tokio::test]
async fn the_old_knowledge_file_keeps_ids_dates_confidence_and_source() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    let (report, refused) = memory.import(KNOWLEDGE, "knowledge.json").await.unwrap();
    assert_eq!(report, ImportReport { added: 2, updated: 0, unchanged: 0 });
    assert_eq!(
        refused,
        [
            "item 3: missing field `content`",
            "item `k-4`: `last week` in `created_at` is not a date and time",
        ]
    );
    let item = memory.get("k-1").await.unwrap().unwrap();
    assert_eq!(item.created_at, "2023-05-06T07:08:09.123456Z");
    assert_eq!(item.updated_at, "2023-05-07T00:00:00Z");
    assert_eq!((item.confidence, item.source.as_str()), (0.75, "conversation"));
    assert_eq!(item.tags, ["ada", "drinks"]);
    assert_eq!(item.trust, Trust::Person);
    let second = memory.get("2").await.unwrap().unwrap();
    assert_eq!((second.source.as_str(), second.category.as_str()), ("knowledge.json", "general"));
    let (again, _) = memory.import(KNOWLEDGE, "knowledge.json").await.unwrap();
    assert_eq!(again, ImportReport { added: 0, updated: 0, unchanged: 2 });
    assert_eq!(memory.stats().await.unwrap().items, 2);
}

#[tokio::test]
async fn an_export_comes_back_as_it_was_and_the_newer_item_wins() {
    let directory = tempfile::tempdir().unwrap();
    let lines = concat!(
        r#"{"id":"a","content":"one","category":"c","tags":["t"],"source":"s","confidence":0.5,"trust":"untrusted","provenance":{"url":"u"},"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-02T00:00:00Z"}"#,
        "\n\n",
        r#"{"content":"two"}"#,
        "\nnot json\n",
    );
    let memory = handle(directory.path());
    let (report, refused) = memory.import(lines, "x").await.unwrap();
    assert_eq!((report.added, refused.len()), (2, 1));
    assert!(refused[0].starts_with("line 4: "), "{refused:?}");
    let item = memory.get("a").await.unwrap().unwrap();
    assert_eq!(serde_json::to_string(&item).unwrap(), lines.lines().next().unwrap());
    let (report, _) = memory.import(lines, "x").await.unwrap();
    assert_eq!(report, ImportReport { added: 0, updated: 0, unchanged: 2 });
    let older = lines.replace("one", "zero").replace("2024-01-02", "2023-01-02");
    let newer = lines.replace("one", "three").replace("2024-01-02", "2025-01-02");
    let (report, _) = memory.import(older.lines().next().unwrap(), "x").await.unwrap();
    assert_eq!(report.unchanged, 1);
    let (report, _) = memory.import(newer.lines().next().unwrap(), "x").await.unwrap();
    assert_eq!(report.updated, 1);
    assert_eq!(memory.get("a").await.unwrap().unwrap().content, "three");
    assert!(memory.check().await.unwrap().ok);
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused_whole() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    let error = memory.import("# Notes\n\nhello", "x").await.unwrap_err().to_string();
    assert!(error.starts_with("line 1: "), "{error}");
    let error = memory.import("{\"items\": 7}", "x").await.unwrap_err().to_string();
    assert!(error.starts_with("line 1: "), "{error}");
    assert_eq!(memory.import("\u{FEFF}", "x").await.unwrap().0, ImportReport::default());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}
