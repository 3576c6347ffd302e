//! Opening and locking: other people's files, newer versions, contention, read-only places.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::Store;
use crate::memory::MemoryError;
use crate::memory::NewItem;
use crate::memory::items::item;
use crate::memory::items::item::Record;

fn store(path: &Path) -> Store {
    Store::new(path, false).with_patience(Duration::from_millis(400))
}

fn add(store: &mut Store, content: &str) -> Result<(), MemoryError> {
    let record = Record::of(NewItem::new(content)).unwrap();
    store.write(|transaction| item::insert(transaction, &record))
}

fn count(store: &mut Store) -> Result<Option<i64>, MemoryError> {
    store
        .read(|connection| connection.query_row("SELECT count(*) FROM items", [], |row| row.get(0)))
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent.db");
    (directory, path)
}

#[test]
fn the_linked_sqlite_has_no_wal_reset_race() {
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[test]
fn who_will_write_opens_once_and_reads_as_others_do() {
    let (_directory, path) = place();
    let mut first = store(&path).expecting_writes();
    assert_eq!(count(&mut first).unwrap(), None);
    assert!(!path.exists(), "reading creates nothing");
    add(&mut first, "x").unwrap();
    let mut second = store(&path).expecting_writes();
    assert_eq!(count(&mut second).unwrap(), Some(1));
    assert!(second.open.as_ref().unwrap().writable);
    let mut reader = store(&path);
    assert_eq!(count(&mut reader).unwrap(), Some(1));
    assert!(!reader.open.as_ref().unwrap().writable);
    drop((first, second, reader));
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let told = [store(&path), store(&path).expecting_writes()]
        .map(|mut store| count(&mut store).unwrap_err().to_string());
    assert_eq!(told[0], told[1]);
    assert!(told[0].contains("99"), "{}", told[0]);
}

#[test]
fn settings_are_in_force_on_both_kinds_of_connection() {
    let (_directory, path) = place();
    let mut store = store(&path);
    add(&mut store, "x").unwrap();
    let look = |connection: &Connection| {
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        Ok((
            mode,
            [
                number("synchronous")?,
                number("foreign_keys")?,
                number("trusted_schema")?,
                number("cell_size_check")?,
                number("secure_delete")?,
                number("temp_store")?,
                i64::from(connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG)?),
            ],
        ))
    };
    let expected = ("wal".to_owned(), [2, 1, 0, 1, 1, 2, 1]);
    assert_eq!(store.read(look).unwrap(), Some(expected.clone()));
    store.close();
    assert_eq!(store.read(look).unwrap(), Some(expected));
}

#[test]
fn a_write_that_does_not_wait_leaves_the_next_one_waiting() {
    let (_directory, path) = place();
    let mut store = store(&path);
    let level = |transaction: &rusqlite::Transaction<'_>| {
        Ok(transaction.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?)
    };
    assert_eq!(store.write_soon(level).ok(), Some(1));
    assert_eq!(store.write(level).ok(), Some(2));
    let fail = |_: &rusqlite::Transaction<'_>| -> Result<(), crate::memory::error::Failure> {
        Err(MemoryError::OwnerGone.into())
    };
    assert!(store.write_soon(fail).is_err());
    assert_eq!(store.write(level).ok(), Some(2));
}

#[test]
fn the_schema_cannot_be_written_behind_its_back() {
    let (_directory, path) = place();
    let mut store = store(&path);
    add(&mut store, "x").unwrap();
    let outcome = store.alone(|connection| {
        connection.execute_batch("PRAGMA writable_schema = ON")?;
        Ok(connection.execute("DELETE FROM item_words_data", [])?)
    });
    assert!(outcome.is_err());
}

#[test]
fn a_file_of_no_bytes_is_a_new_database() {
    let (_directory, path) = place();
    std::fs::write(&path, "").unwrap();
    let mut store = store(&path);
    assert_eq!(count(&mut store).unwrap(), None);
    add(&mut store, "x").unwrap();
    assert_eq!(count(&mut store).unwrap(), Some(1));
}

#[test]
fn a_text_file_is_refused_and_left_alone() {
    let (_directory, path) = place();
    let text = "dear diary ".repeat(1_000);
    std::fs::write(&path, &text).unwrap();
    let mut store = store(&path);
    assert!(matches!(count(&mut store), Err(MemoryError::NotADatabase { .. })));
    assert!(matches!(add(&mut store, "x"), Err(MemoryError::NotADatabase { .. })));
    drop(store);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn another_program_s_database_is_refused_and_left_alone() {
    let (_directory, path) = place();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let mut store = store(&path);
    assert!(matches!(count(&mut store), Err(MemoryError::NotOurs { .. })));
    assert!(matches!(add(&mut store, "x"), Err(MemoryError::NotOurs { .. })));
    drop(store);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let (_directory, path) = place();
    let mut first = store(&path);
    add(&mut first, "x").unwrap();
    drop(first);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut store = store(&path);
    for outcome in [count(&mut store).map(|_| ()), add(&mut store, "y")] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, MemoryError::Newer { found: 99, .. }), "{error}");
        assert!(error.hint().is_some());
    }
    drop(store);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_database_that_became_newer_under_us_is_no_longer_written() {
    let (_directory, path) = place();
    let mut store = store(&path);
    add(&mut store, "x").unwrap();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(add(&mut store, "y"), Err(MemoryError::Newer { .. })));
}

#[test]
fn a_lock_that_is_never_given_back_is_an_error_in_time() {
    let (_directory, path) = place();
    let mut store = store(&path);
    add(&mut store, "x").unwrap();
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = Instant::now();
    let error = add(&mut store, "y").unwrap_err();
    assert!(matches!(error, MemoryError::Locked { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    // Readers are not held up.
    assert_eq!(count(&mut store).unwrap(), Some(1));
    drop(holder);
    add(&mut store, "y").unwrap();
}

#[test]
fn a_failed_change_leaves_nothing_behind() {
    let (_directory, path) = place();
    let mut store = store(&path);
    let record = Record::of(NewItem::new("twice")).unwrap();
    let twice = store.write(|transaction| {
        item::insert(transaction, &record)?;
        item::insert(transaction, &record)
    });
    assert!(matches!(twice, Err(MemoryError::Sql { .. })));
    assert_eq!(count(&mut store).unwrap(), Some(0));
}

#[test]
fn a_clean_end_leaves_one_file() {
    let (directory, path) = place();
    let mut store = store(&path);
    add(&mut store, "x").unwrap();
    drop(store);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_database_in_a_read_only_directory_can_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, path) = place();
    let mut first = store(&path);
    add(&mut first, "x").unwrap();
    drop(first);
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&path, mode(0o400)).unwrap();
    std::fs::set_permissions(directory.path(), mode(0o500)).unwrap();
    let mut store = store(&path);
    assert_eq!(count(&mut store).unwrap(), Some(1));
    let write = add(&mut store, "y");
    std::fs::set_permissions(directory.path(), mode(0o700)).unwrap();
    // Root may write anywhere, whatever the mode says.
    if let Err(error) = write {
        assert!(matches!(error, MemoryError::ReadOnly { .. }), "{error}");
    }
}
