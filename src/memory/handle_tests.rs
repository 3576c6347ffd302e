//! The facade as its users see it: laziness, durability across handles, ephemeral memory.

use std::path::Path;

use super::ItemChange;
use super::ListQuery;
use super::MemoryError;
use super::MemoryHandle;
use super::NewItem;
use super::Query;
use super::Session;
use crate::config::settings::Ephemeral;
use crate::config::settings::MemorySettings;
use crate::protocol::Message;
use crate::protocol::Role;

pub(super) fn handle(directory: &Path) -> MemoryHandle {
    let path = directory.join("data/agent.db");
    MemoryHandle::open(&MemorySettings { enabled: true, ephemeral: None, path }).unwrap()
}

fn query(text: &str) -> Query {
    Query { text: text.to_owned(), limit: 10, ..Query::default() }
}

#[tokio::test]
async fn reading_an_absent_memory_is_empty_and_creates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    assert_eq!(memory.search(query("anything")).await.unwrap(), vec![]);
    assert_eq!(memory.list(ListQuery::default()).await.unwrap(), vec![]);
    assert_eq!(memory.stats().await.unwrap().items, 0);
    assert_eq!(memory.get("x").await.unwrap(), None);
    assert_eq!(memory.delete(vec!["x".to_owned()]).await.unwrap(), Vec::<String>::new());
    assert_eq!(memory.forget(vec!["x".to_owned()]).await.unwrap(), Vec::<String>::new());
    assert_eq!(memory.last_session(None).await.unwrap(), None);
    assert!(memory.check().await.unwrap().ok);
    assert!(matches!(
        memory.update("x", ItemChange::default()).await,
        Err(MemoryError::NotFound { .. })
    ));
    drop(memory);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_one_handle_stored_another_finds() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    let item = memory.add(NewItem::new("the staging host is blue.example")).await.unwrap();
    drop(memory);
    let memory = handle(directory.path());
    let hits = memory.search(query("STAGING?")).await.unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].item, item);
    assert!(hits[0].score > 0.0);
    assert_eq!(memory.get(item.id.clone()).await.unwrap(), Some(item));
}

#[tokio::test]
async fn an_update_changes_what_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    let item = memory.add(NewItem::new("port 8080")).await.unwrap();
    let change = ItemChange {
        content: Some("port 9090".to_owned()),
        tags: Some(vec!["net".to_owned()]),
        ..ItemChange::default()
    };
    let changed = memory.update(item.id.clone(), change).await.unwrap();
    assert_eq!(changed.created_at, item.created_at);
    assert!(changed.updated_at > item.updated_at);
    assert_eq!(memory.search(query("8080")).await.unwrap(), vec![]);
    assert_eq!(memory.search(query("9090")).await.unwrap()[0].item, changed);
    assert_eq!(memory.search(query("net")).await.unwrap().len(), 1);
    assert!(memory.check().await.unwrap().ok);
}

#[tokio::test]
async fn ephemeral_memory_works_and_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent.db");
    let settings = MemorySettings { enabled: true, ephemeral: Some(Ephemeral::Asked), path };
    let memory = MemoryHandle::open(&settings).unwrap();
    assert_eq!(memory.search(query("short")).await.unwrap(), vec![]);
    memory.add(NewItem::new("short lived")).await.unwrap();
    assert_eq!(memory.search(query("short")).await.unwrap().len(), 1);
    assert!(memory.protected_files().is_empty());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_conversation_goes_on_where_it_ended() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    let session = Session::new("count  the\nlines", "builtin/builtin", "/w");
    memory
        .session_append(&session, vec![Message::text(Role::User, "count the lines")], vec![])
        .await
        .unwrap();
    memory
        .session_append(&session, vec![Message::text(Role::Assistant, "7")], vec![])
        .await
        .unwrap();
    let last = memory.last_session(Some("/w".to_owned())).await.unwrap().unwrap();
    assert_eq!((last.session.title.as_str(), last.messages), ("count the lines", 2));
    assert_eq!(memory.last_session(Some("/v".to_owned())).await.unwrap(), None);
    let (again, messages) = memory.session_load(session.id.clone()).await.unwrap();
    assert_eq!(again, session);
    let said: Vec<String> = messages.iter().map(Message::plain_text).collect();
    assert_eq!(said, ["count the lines", "7"]);
    assert!(memory.session_delete(session.id.clone()).await.unwrap());
    assert!(!memory.session_delete(session.id.clone()).await.unwrap());
    assert!(matches!(memory.session_load(session.id).await, Err(MemoryError::NotFound { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_to_protect_are_the_database_s_own() {
    use std::os::unix::fs::MetadataExt;
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    assert!(memory.protected_files().is_empty());
    memory.add(NewItem::new("x")).await.unwrap();
    let inodes: Vec<u64> = memory.protected_files().iter().map(MetadataExt::ino).collect();
    let wal = directory.path().join("data/agent.db-wal");
    assert!(inodes.len() >= 3, "{inodes:?}");
    assert!(inodes.contains(&std::fs::metadata(wal).unwrap().ino()));
}

#[tokio::test]
async fn nothing_is_stored_of_a_batch_with_a_bad_item() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    let bad = NewItem { confidence: Some(7.0), ..NewItem::new("two") };
    let error = memory.add_all(vec![NewItem::new("one"), bad]).await.unwrap_err();
    assert_eq!(error.to_string(), "confidence must be between 0 and 1, not `7`");
    assert_eq!(memory.stats().await.unwrap().items, 0);
}
