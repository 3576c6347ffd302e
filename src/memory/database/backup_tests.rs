//! A copy comes back whole, and putting it back never destroys what was there.

use crate::memory::MemoryError;
use crate::memory::NewItem;
use crate::memory::Query;
use crate::memory::tests::handle;

fn query(text: &str) -> Query {
    Query { text: text.to_owned(), limit: 5, ..Query::default() }
}

#[tokio::test]
async fn what_was_there_is_kept_beside_the_restored_state() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.db");
    let memory = handle(directory.path());
    memory.add(NewItem::new("before")).await.unwrap();
    memory.backup(copy.clone()).await.unwrap();
    memory.add(NewItem::new("after")).await.unwrap();
    let report = memory.restore(copy.clone()).await.unwrap();
    assert_eq!(report.items, 1);
    assert!(memory.search(query("after")).await.unwrap().is_empty());
    assert_eq!(memory.search(query("before")).await.unwrap().len(), 1);
    let report = memory.restore(report.kept.unwrap()).await.unwrap();
    assert_eq!(report.items, 2);
    assert!(memory.check().await.unwrap().ok);
}

#[tokio::test]
async fn a_backup_never_overwrites_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("copy.db");
    std::fs::write(&target, "mine").unwrap();
    let memory = handle(directory.path());
    memory.add(NewItem::new("x")).await.unwrap();
    let error = memory.backup(target.clone()).await.unwrap_err();
    assert!(matches!(error, MemoryError::Io { .. }), "{error}");
    assert_eq!(std::fs::read(target).unwrap(), b"mine");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_copy_is_whole_or_refused_where_the_path_is_not_unicode() {
    use std::os::unix::ffi::OsStringExt as _;
    let directory = tempfile::tempdir().unwrap();
    let name = std::ffi::OsString::from_vec(b"caf\xe9.db".to_vec());
    let memory = handle(directory.path());
    memory.add(NewItem::new("x")).await.unwrap();
    let error = memory.backup(directory.path().join(&name)).await.unwrap_err();
    assert!(error.to_string().contains("must be Unicode"), "{error}");
    assert!(!directory.path().join(&name).exists());
}

#[tokio::test]
async fn without_a_memory_there_is_nothing_to_back_up() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    let error = memory.backup(directory.path().join("copy.db")).await.unwrap_err();
    assert!(matches!(error, MemoryError::NotFound { .. }), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_damaged_database_is_moved_aside_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.db");
    let path = directory.path().join("data/agent.db");
    let memory = handle(directory.path());
    memory.add(NewItem::new("saved")).await.unwrap();
    memory.backup(copy.clone()).await.unwrap();
    drop(memory);
    let garbage = b"this was a database once ".repeat(400);
    std::fs::write(&path, &garbage).unwrap();
    let memory = handle(directory.path());
    assert!(!memory.check().await.unwrap().ok);
    let report = memory.restore(copy).await.unwrap();
    assert_eq!(std::fs::read(report.kept.unwrap()).unwrap(), garbage);
    assert_eq!(memory.search(query("saved")).await.unwrap().len(), 1);
    assert!(memory.check().await.unwrap().ok);
}

#[tokio::test]
async fn only_a_sound_copy_of_ours_is_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    memory.add(NewItem::new("still here")).await.unwrap();
    let file = |name: &str| directory.path().join(name);
    std::fs::write(file("text"), "no database").unwrap();
    std::fs::write(file("empty"), "").unwrap();
    rusqlite::Connection::open(file("other")).unwrap().execute("CREATE TABLE t (a)", []).unwrap();
    memory.backup(file("newer")).await.unwrap();
    let newer = rusqlite::Connection::open(file("newer")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    for name in ["text", "empty", "other", "newer", "absent"] {
        assert!(memory.restore(file(name)).await.is_err(), "{name}");
    }
    assert_eq!(memory.search(query("still")).await.unwrap().len(), 1);
}
