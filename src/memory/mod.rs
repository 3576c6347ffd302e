//! What the agent remembers: items, and the conversations it had.
//!
//! One SQLite file, one thread that owns it (`owner`), one facade: [`MemoryHandle`]. No other module
//! of the program knows SQL. Nothing here prints, asks a person, or knows a model.
//!
//! What is returned as done is on the disk. Reading where nothing was ever stored is reading an
//! empty memory, and creates no file. docs/memory.md has the guarantees and their limits.

mod database;
mod error;
mod items;
mod lease;
mod moment;
mod search;
mod session;
use std::fs::Metadata;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

pub use self::database::backup::RestoreReport;
pub use self::database::check::CheckReport;
pub use self::database::file::is_on_network;
pub use self::database::owner::Pending;
pub use self::error::MemoryError;
pub use self::items::import::ImportReport;
pub use self::items::item::Item;
pub use self::items::item::ItemChange;
pub use self::items::item::MAX_CONTENT;
pub use self::items::item::NewItem;
pub use self::items::item::Trust;
pub use self::items::listing::Count;
pub use self::items::listing::ListQuery;
pub use self::items::listing::Stats;
pub use self::lease::Lease;
pub use self::search::query::Query;
pub use self::search::rank::Hit;
pub use self::session::Conversation;
pub use self::session::Session;
pub use self::session::SessionSummary;
pub use self::session::StoredMessage;

use self::database::backup;
use self::database::check;
use self::database::file;
use self::database::owner::Owner;
use self::database::purge;
use self::database::store::Store;
use self::items::export;
use self::items::import;
use self::items::item;
use self::items::item::Record;
use self::items::listing;
use self::search::rank;
use crate::config::settings::Ephemeral;
use crate::config::settings::MemorySettings;
use crate::protocol::Message;

/// Rows per transaction of an import.
const IMPORT_BATCH: usize = 500;

/// Version of the SQLite that both languages use, `3.51.3`.
#[must_use]
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// Takes a line for a person who would otherwise wonder what is waited for. Called by the memory's own
/// thread.
pub type Notice = Box<dyn Fn(&str) + Send>;

/// The memory, shared by whoever needs it. Clones share one thread and one connection; dropping the
/// last one waits until the file is closed.
#[derive(Clone)]
pub struct MemoryHandle {
    owner: Arc<Owner>,
    /// `None` where nothing is kept.
    path: Option<PathBuf>,
    ephemeral: Option<Ephemeral>,
}

impl MemoryHandle {
    /// Names the database; touches nothing until the first request. Whether memory is wanted at all
    /// (`enabled`) is the caller's question.
    pub fn open(settings: &MemorySettings) -> Result<Self, MemoryError> {
        Ok(Self::of(Store::new(&settings.path, settings.ephemeral.is_some()), settings))
    }

    /// The same; waits of more than a second for a lock are told.
    pub fn open_telling(settings: &MemorySettings, notice: Notice) -> Result<Self, MemoryError> {
        let store = Store::new(&settings.path, settings.ephemeral.is_some()).telling(notice);
        Ok(Self::of(store, settings))
    }

    /// The same for a run, which reads first and stores its conversation then.
    pub fn open_for_run(settings: &MemorySettings, notice: Notice) -> Result<Self, MemoryError> {
        let store = Store::new(&settings.path, settings.ephemeral.is_some()).telling(notice);
        Ok(Self::of(store.expecting_writes(), settings))
    }

    fn of(store: Store, settings: &MemorySettings) -> Self {
        let ephemeral = settings.ephemeral;
        let path = ephemeral.is_none().then(|| store.path().to_path_buf());
        Self { owner: Arc::new(Owner::new(store)), path, ephemeral }
    }

    /// An error where nothing outlives this process: whoever says "remembered" asks first.
    pub fn keeps(&self) -> Result<(), MemoryError> {
        self.ephemeral.map_or(Ok(()), |reason| Err(MemoryError::Ephemeral(reason)))
    }

    /// Stores one item; it is durable when this returns.
    pub async fn add(&self, new: NewItem) -> Result<Item, MemoryError> {
        let record = Record::of(new)?;
        self.owner
            .call(move |store| {
                store.write(|transaction| item::insert(transaction, &record))?;
                Ok(record.into_item())
            })
            .await
    }

    /// Stores several items in one transaction: all of them, or none.
    pub async fn add_all(&self, new: Vec<NewItem>) -> Result<Vec<Item>, MemoryError> {
        let records = new.into_iter().map(Record::of).collect::<Result<Vec<_>, _>>()?;
        self.owner
            .call(move |store| {
                store.write(|transaction| {
                    records.iter().try_for_each(|record| item::insert(transaction, record))
                })?;
                Ok(records.into_iter().map(Record::into_item).collect())
            })
            .await
    }

    /// The item of that id.
    pub async fn get(&self, id: impl Into<String>) -> Result<Option<Item>, MemoryError> {
        let id = id.into();
        let found =
            self.owner.call(move |store| store.read(|connection| item::get(connection, &id)));
        Ok(found.await?.flatten())
    }

    /// The best hits; empty where nothing fits.
    pub async fn search(&self, query: Query) -> Result<Vec<Hit>, MemoryError> {
        let found =
            self.owner.call(move |store| store.read(|connection| rank::search(connection, &query)));
        Ok(found.await?.unwrap_or_default())
    }

    /// Changes an item; `NotFound` where there is none of that id.
    pub async fn update(
        &self,
        id: impl Into<String>,
        change: ItemChange,
    ) -> Result<Item, MemoryError> {
        let id = id.into();
        let wanted = id.clone();
        let changed = self
            .existing(move |store| {
                store.write(|transaction| item::update(transaction, &id, &change))
            })
            .await?;
        changed.flatten().ok_or(MemoryError::NotFound { what: "item", id: wanted })
    }

    /// Deletes items; the ids that were there.
    pub async fn delete(&self, ids: Vec<String>) -> Result<Vec<String>, MemoryError> {
        let deleted = self
            .existing(move |store| {
                store.write(|transaction| {
                    let mut deleted = Vec::new();
                    for id in &ids {
                        if item::delete(transaction, id)? {
                            deleted.push(id.clone());
                        }
                    }
                    Ok(deleted)
                })
            })
            .await?;
        Ok(deleted.unwrap_or_default())
    }

    /// Deletes items and makes sure that no byte of them is left in the file or its log.
    pub async fn forget(&self, ids: Vec<String>) -> Result<Vec<String>, MemoryError> {
        let deleted = self.delete(ids).await?;
        if !deleted.is_empty() {
            self.purge().await?;
        }
        Ok(deleted)
    }

    /// Removes what deleted items and sessions left behind.
    pub async fn purge(&self) -> Result<(), MemoryError> {
        self.existing(purge::purge).await.map(|_| ())
    }

    /// The items, newest change first.
    pub async fn list(&self, query: ListQuery) -> Result<Vec<Item>, MemoryError> {
        let found = self
            .owner
            .call(move |store| store.read(|connection| listing::list(connection, &query)));
        Ok(found.await?.unwrap_or_default())
    }

    /// The database in numbers.
    pub async fn stats(&self) -> Result<Stats, MemoryError> {
        Ok(self.owner.call(|store| store.read(listing::stats)).await?.unwrap_or_default())
    }

    /// Sends every item, oldest first, all of one moment. Ends early when the receiver is dropped.
    pub async fn export(&self, batches: mpsc::Sender<Vec<Item>>) -> Result<(), MemoryError> {
        self.owner
            .call(move |store| {
                store.read(|connection| {
                    export::items(connection, |batch| batches.blocking_send(batch).is_ok())
                })
            })
            .await
            .map(|_| ())
    }

    /// Imports the text of an exported or old knowledge file. Items that cannot be used are named
    /// in the second value; the others are stored. `source` is recorded where an item names none.
    pub async fn import(
        &self,
        text: &str,
        source: &str,
    ) -> Result<(ImportReport, Vec<String>), MemoryError> {
        let (items, mut refused) = import::parse(text)?;
        let mut arrivals = import::arrivals(items, source, &mut refused).into_iter();
        let mut report = ImportReport::default();
        loop {
            let batch: Vec<_> = arrivals.by_ref().take(IMPORT_BATCH).collect();
            if batch.is_empty() {
                return Ok((report, refused));
            }
            let done = self
                .owner
                .call(move |store| store.write(|transaction| import::store(transaction, &batch)));
            report.add(&done.await?);
        }
    }

    /// Looks for damage. What keeps the file from being read at all is reported as a problem too.
    pub async fn check(&self) -> Result<CheckReport, MemoryError> {
        self.owner.call(check::run).await
    }

    /// Writes a compact copy to a file that must not exist.
    pub async fn backup(&self, target: PathBuf) -> Result<(), MemoryError> {
        self.owner.call(move |store| backup::backup(store, &target)).await
    }

    /// Puts a copy in the database's place; what was there is kept aside.
    pub async fn restore(&self, source: PathBuf) -> Result<RestoreReport, MemoryError> {
        self.owner.call(move |store| backup::restore(store, &source)).await
    }

    /// Adds to a conversation. When this returns it survives a kill of this process; it survives a
    /// power failure once the handle is dropped or an item was added after it.
    pub async fn session_append(
        &self,
        session: &Session,
        messages: Vec<Message>,
        events: Vec<Value>,
    ) -> Result<(), MemoryError> {
        self.session_begin_append(session, messages, events)?.done().await
    }

    /// As [`Self::session_append`], without waiting: what is handed over is written at once and in
    /// order, while the caller does something else.
    pub fn session_begin_append(
        &self,
        session: &Session,
        messages: Vec<Message>,
        events: Vec<Value>,
    ) -> Result<Pending<()>, MemoryError> {
        let session = session.clone();
        self.owner.begin(move |store| {
            store.write_soon(|transaction| {
                session::append(transaction, &session, &messages, &events)
            })
        })
    }

    /// Keeps other runs from writing a session until what this gives is dropped; `SessionBusy` where one
    /// does. `None` where nothing is kept, or nothing was ever stored yet.
    pub fn session_lease(&self, id: &str) -> Result<Option<Lease>, MemoryError> {
        self.path.as_deref().map_or(Ok(None), |path| Lease::take(path, id))
    }

    /// A stored conversation to go on with; `NotFound` where there is none of that id.
    pub async fn session_load(
        &self,
        id: impl Into<String>,
    ) -> Result<(Session, Vec<Message>), MemoryError> {
        let conversation = self.session_show(id).await?;
        let messages = conversation.log.into_iter().map(|stored| stored.message).collect();
        Ok((conversation.summary.session, messages))
    }

    /// A stored conversation with its dates.
    pub async fn session_show(&self, id: impl Into<String>) -> Result<Conversation, MemoryError> {
        let id = id.into();
        let wanted = id.clone();
        let found =
            self.owner.call(move |store| store.read(|connection| session::show(connection, &id)));
        found.await?.flatten().ok_or(MemoryError::NotFound { what: "session", id: wanted })
    }

    /// The events of a stored conversation.
    pub async fn session_events(&self, id: impl Into<String>) -> Result<Vec<Value>, MemoryError> {
        let id = id.into();
        let found =
            self.owner.call(move |store| store.read(|connection| session::events(connection, &id)));
        Ok(found.await?.unwrap_or_default())
    }

    /// The sessions, last used first.
    pub async fn session_list(&self, limit: usize) -> Result<Vec<SessionSummary>, MemoryError> {
        let found =
            self.owner.call(move |store| store.read(|connection| session::list(connection, limit)));
        Ok(found.await?.unwrap_or_default())
    }

    /// The session used last (`--continue`), in `cwd` where one is given.
    pub async fn last_session(
        &self,
        cwd: Option<String>,
    ) -> Result<Option<SessionSummary>, MemoryError> {
        let found = self
            .owner
            .call(move |store| store.read(|connection| session::last(connection, cwd.as_deref())));
        Ok(found.await?.flatten())
    }

    /// Deletes a session and what belongs to it for good; false where there is none of that id.
    pub async fn session_delete(&self, id: impl Into<String>) -> Result<bool, MemoryError> {
        let id = id.into();
        let deleted = self
            .existing(move |store| {
                store.write(|transaction| Ok(session::delete(transaction, &id)?))
            })
            .await?
            .unwrap_or(false);
        if deleted {
            self.purge().await?;
        }
        Ok(deleted)
    }

    /// The database's files as they are now, for `Opener::protect`. Opens nothing.
    pub fn protected_files(&self) -> Vec<Metadata> {
        self.path.as_deref().map(file::protected).unwrap_or_default()
    }

    /// True where `path` leads to one of the database's files, by whatever name. Opens nothing.
    pub fn owns(&self, path: &Path) -> bool {
        self.path.as_deref().is_some_and(|own| file::is_of_family(path, own))
    }

    /// The names that the database's files have or may get.
    pub fn protected_paths(&self) -> Vec<PathBuf> {
        self.path.as_deref().map(|path| file::family(path).to_vec()).unwrap_or_default()
    }

    /// Runs `work` where a database exists: a change of nothing must not create one.
    async fn existing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, MemoryError> + Send + 'static,
    ) -> Result<Option<T>, MemoryError> {
        self.owner
            .call(move |store| {
                if store.read(|_| Ok(()))?.is_none() {
                    return Ok(None);
                }
                work(store).map(Some)
            })
            .await
    }
}

#[cfg(test)]
#[path = "handle_tests.rs"]
mod tests;
