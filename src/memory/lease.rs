//! Who writes a session: one run at a time, of this process or another. Two would each add to a
//! conversation that the other does not know.
//!
//! A lock on a small file beside the database, which the kernel takes back from whoever dies. Says
//! nothing about reading, and keeps nobody from other sessions.

use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use sha2::Digest;
use sha2::Sha256;

use super::error::MemoryError;
use crate::protocol::hex;

/// A session that no other run writes until this is dropped.
#[derive(Debug)]
pub struct Lease {
    file: File,
    #[cfg(unix)]
    path: PathBuf,
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Removed while it is held: who opened it meanwhile finds out in `take`. What cannot be removed
        // can be locked again.
        #[cfg(unix)]
        std::fs::remove_file(&self.path).ok();
        self.file.unlock().ok();
    }
}

impl Lease {
    /// The session of this id in this database; `SessionBusy` where another run writes it, `None` where
    /// nothing can be stored here anyway, or not yet.
    pub(super) fn take(database: &Path, id: &str) -> Result<Option<Self>, MemoryError> {
        let path = place(database, id);
        loop {
            let Ok(file) = open(&path) else { return Ok(None) };
            match file.try_lock() {
                Ok(()) if is_at(&file, &path) => {
                    return Ok(Some(Self {
                        file,
                        #[cfg(unix)]
                        path,
                    }));
                }
                // Whoever held it has just removed it: the next one is another file.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(MemoryError::SessionBusy { id: id.to_owned() });
                }
                Err(TryLockError::Error(error)) => {
                    tracing::debug!(%error, "sessions cannot be locked here");
                    return Ok(None);
                }
            }
        }
    }
}

/// Ids are anybody's words; names of files are not.
fn place(database: &Path, id: &str) -> PathBuf {
    let digest = Sha256::digest(id.as_bytes());
    let mut name = database.as_os_str().to_owned();
    name.push(format!(".session-{}", hex(&digest[..8])));
    PathBuf::from(name)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    options.open(path)
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(held), Ok(found)) = (file.metadata(), std::fs::symlink_metadata(path)) else {
        return false;
    };
    (held.dev(), held.ino()) == (found.dev(), found.ino())
}

/// Nothing is removed here.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_writes_a_session() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("agent.db");
        let first = Lease::take(&database, "one").unwrap().expect("a lease");
        let busy = Lease::take(&database, "one").unwrap_err();
        assert_eq!(busy.to_string(), "another run is writing session `one`");
        let other = Lease::take(&database, "../two").unwrap().expect("a lease");
        drop((first, other));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
        assert!(Lease::take(&database, "one").unwrap().is_some());
        assert!(Lease::take(&folder.path().join("none/agent.db"), "one").unwrap().is_none());
    }

    /// Taken and given back by many at once, it is never held twice.
    #[test]
    fn a_lease_that_is_being_given_back_is_not_had_twice() {
        use std::sync::atomic::AtomicBool;
        use std::sync::atomic::Ordering;

        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("agent.db");
        let held = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let Ok(lease) = Lease::take(&database, "one") else { continue };
                        assert!(lease.is_some());
                        assert!(!held.swap(true, Ordering::SeqCst), "held twice");
                        held.store(false, Ordering::SeqCst);
                        drop(lease);
                    }
                });
            }
        });
    }
}
