//! Forgotten means that the bytes are gone.

use std::path::Path;

use crate::memory::MemoryError;
use crate::memory::NewItem;
use crate::memory::Session;
use crate::memory::tests::handle;
use crate::protocol::Message;
use crate::protocol::Role;

/// True where a file of the directory holds the text in any case.
fn holds(directory: &Path, secret: &str) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(secret.len()).any(|window| window.eq_ignore_ascii_case(secret.as_bytes()))
    })
}

#[tokio::test]
async fn no_byte_of_a_forgotten_item_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let memory = handle(directory.path());
    let mut secrets = Vec::new();
    // Enough of them, of all sizes, that pages split and overflow.
    for number in 0..300_usize {
        let filler = "lorem ipsum dolor ".repeat(number % 40 * number % 9);
        let mut new = NewItem::new(format!("{filler} Xyzzy{number:03}quux {filler}"));
        new.tags = vec![format!("plugh{number:03}")];
        let id = memory.add(new).await.unwrap().id;
        if number % 3 == 0 {
            secrets.push((id, format!("xyzzy{number:03}quux"), format!("plugh{number:03}")));
        }
    }
    let ids = secrets.iter().map(|(id, ..)| id.clone()).collect();
    assert_eq!(memory.forget(ids).await.unwrap().len(), secrets.len());
    // The handle is still open: nothing may hide in the log either.
    for (id, word, tag) in &secrets {
        for secret in [id, word, tag] {
            assert!(!holds(&data, secret), "{secret} is still there");
        }
    }
    assert!(holds(&data, "xyzzy001quux"), "the search for bytes finds nothing at all");
    assert_eq!(memory.stats().await.unwrap().items, 200);
    assert!(memory.check().await.unwrap().ok);
}

#[tokio::test]
async fn a_deleted_conversation_is_gone_too() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    let session = Session::new("about Frobozz", "m", "/w");
    let messages = vec![Message::text(Role::User, "the word is frobozz".repeat(500))];
    memory.session_append(&session, messages, vec![]).await.unwrap();
    assert!(memory.session_delete(session.id).await.unwrap());
    assert!(!holds(&directory.path().join("data"), "frobozz"));
}

#[tokio::test]
async fn a_reader_of_the_old_state_is_told_about() {
    let directory = tempfile::tempdir().unwrap();
    let memory = handle(directory.path());
    let item = memory.add(NewItem::new("hush")).await.unwrap();
    let reader = rusqlite::Connection::open(directory.path().join("data/agent.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM items").unwrap();
    let count: i64 = reader.query_row("SELECT count(*) FROM items", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
    let error = memory.forget(vec![item.id]).await.unwrap_err();
    assert!(matches!(error, MemoryError::NotPurged { .. }), "{error}");
    drop(reader);
    memory.purge().await.unwrap();
    assert!(!holds(&directory.path().join("data"), "hush"));
}
