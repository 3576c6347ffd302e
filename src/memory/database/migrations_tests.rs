//! Steps are append-only, atomic, and run once however many processes try.

use rusqlite::Connection;

use super::ALL;
use super::LATEST;
use super::Migration;
use super::Standing;
use super::apply;
use super::backup_before;
use super::hash;
use super::run;
use super::standing;
use super::verify;

/// Hashes of released steps. A step that is in the hands of people never changes: add another.
const RELEASED: [&str; 1] = ["c081a82290465eae45546243c28df9ae5ec90875b27025ac78c5eb73896d8a70"];

fn open(directory: &tempfile::TempDir) -> (Connection, std::path::PathBuf) {
    let path = directory.path().join("agent.db");
    (Connection::open(&path).unwrap(), path)
}

fn version(connection: &Connection) -> i64 {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn released_steps_have_not_changed() {
    let hashes: Vec<String> = ALL.iter().map(|step| hash(step.sql)).collect();
    assert_eq!(hashes, RELEASED);
}

#[test]
fn an_older_database_is_backed_up_and_led_forward() {
    let directory = tempfile::tempdir().unwrap();
    let (mut connection, path) = open(&directory);
    run(&mut connection, &path, ALL).unwrap();
    connection
        .execute(
            "INSERT INTO items (id, content, category, tags, source, confidence, trust, \
             created_at, updated_at) VALUES ('a', 'kept', 'c', '[]', 's', 1.0, 'person', 1, 1)",
            [],
        )
        .unwrap();
    let backup = backup_before(&connection, &path, LATEST).ok().unwrap();
    let next = "ALTER TABLE items ADD COLUMN vector BLOB";
    let steps: Vec<Migration> = ALL
        .iter()
        .map(|step| Migration { name: step.name, sql: step.sql })
        .chain([Migration { name: "vectors", sql: next }])
        .collect();
    run(&mut connection, &path, &steps).unwrap();
    assert_eq!(version(&connection), LATEST + 1);
    let content: String = connection
        .query_row("SELECT content FROM items WHERE vector IS NULL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(content, "kept");
    let copy = Connection::open(backup).unwrap();
    assert_eq!(version(&copy), LATEST);
    let kept: i64 = copy.query_row("SELECT count(*) FROM items", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn a_step_that_fails_leaves_the_version_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let (mut connection, path) = open(&directory);
    run(&mut connection, &path, ALL).unwrap();
    let broken = Migration { name: "broken", sql: "CREATE TABLE half (a); SELECT nonsense" };
    let number = LATEST + 1;
    let transaction = connection.transaction().unwrap();
    apply(&transaction, number, &broken).unwrap_err();
    drop(transaction);
    assert_eq!(version(&connection), LATEST);
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'half'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn a_schema_from_elsewhere_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let (mut connection, path) = open(&directory);
    run(&mut connection, &path, ALL).unwrap();
    assert!(verify(&connection, &path).is_ok());
    connection.execute("UPDATE migrations SET sha256 = 'another'", []).unwrap();
    assert!(verify(&connection, &path).is_err());
}

#[test]
fn a_new_file_is_empty_and_a_migrated_one_current() {
    let directory = tempfile::tempdir().unwrap();
    let (mut connection, path) = open(&directory);
    assert_eq!(standing(&connection, &path).ok(), Some(Standing::Empty));
    run(&mut connection, &path, ALL).unwrap();
    assert_eq!(standing(&connection, &path).ok(), Some(Standing::Current));
}

#[test]
fn sixteen_threads_create_one_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent.db");
    std::thread::scope(|scope| {
        for number in 0..16 {
            let path = &path;
            scope.spawn(move || {
                let mut store = crate::memory::database::store::Store::new(path, false);
                let new = crate::memory::NewItem::new(format!("item {number}"));
                let record = crate::memory::items::item::Record::of(new).unwrap();
                store
                    .write(|transaction| crate::memory::items::item::insert(transaction, &record))
                    .unwrap();
            });
        }
    });
    let connection = Connection::open(&path).unwrap();
    let counts: (i64, i64) = connection
        .query_row(
            "SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM migrations)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(counts, (16, LATEST));
}
