//! The private temporary directory of children: made on demand, gone with the sandbox.

use std::path::Path;
use std::path::PathBuf;

#[cfg(unix)]
use rustix::fs::FlockOperation;

use crate::config::env::Environment;

/// Seconds after which nobody can still be using a directory, given that its maker is gone.
#[cfg(unix)]
const LEFT_OVER: i64 = 24 * 3600;
/// One process in so many looks for left-overs: the temporary directory can be large.
#[cfg(unix)]
const SWEEPERS: u32 = 16;
/// Entries of the temporary directory that are looked at.
#[cfg(unix)]
const MOST_ENTRIES: usize = 1_000;

/// A directory `agi-agent-…` of mode 0700. Children get `tmp` inside of it; what lies beside `tmp` is
/// out of their reach, which is what their self-test tries.
#[derive(Debug)]
pub(super) struct Scratch {
    root: PathBuf,
    tmp: PathBuf,
    /// Says to agents in other process namespaces, whose clock may stand elsewhere, that somebody uses it.
    #[cfg(unix)]
    _lock: Option<std::fs::File>,
}

impl Scratch {
    /// In `TMPDIR` or the system's place; `None` where none can be made.
    pub(super) fn create(environment: &Environment) -> Option<Self> {
        let places = [environment.path("TMPDIR"), environment.path("TEMP")];
        let usual = [PathBuf::from("/tmp"), PathBuf::from("/var/tmp"), PathBuf::from("/dev/shm")];
        places.into_iter().flatten().chain(usual).find_map(|place| Self::create_in(&place))
    }

    fn create_in(place: &Path) -> Option<Self> {
        let place = std::fs::canonicalize(place).ok()?;
        let name = format!("agi-agent-{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let root = place.join(name);
        // Fails if the name is there, whoever made it.
        create_private(&root).ok()?;
        let scratch = Self {
            tmp: root.join("tmp"),
            #[cfg(unix)]
            _lock: locked(&root, FlockOperation::NonBlockingLockShared).unwrap_or_default(),
            root,
        };
        create_private(&scratch.tmp).ok()?;
        #[cfg(unix)]
        if std::process::id().is_multiple_of(SWEEPERS) {
            sweep(&place);
        }
        Some(scratch)
    }

    pub(super) fn path(&self) -> &Path {
        &self.tmp
    }

    /// An empty directory in it, of mode 0700; `None` where it cannot be made.
    pub(super) fn fresh(&self, name: &str) -> Option<PathBuf> {
        let path = self.tmp.join(format!("{name}-{}", uuid::Uuid::new_v4().simple()));
        create_private(&path).ok()?;
        Some(path)
    }
}

/// Makes a directory of mode 0700; fails if the name is there.
#[cfg(unix)]
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The temporary directory of a user is private already.
#[cfg(not(unix))]
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir(path)
}

/// Locks a directory until the file is closed. `Ok(None)`: it cannot be had on this file system.
#[cfg(unix)]
fn locked(path: &Path, how: FlockOperation) -> Result<Option<std::fs::File>, Held> {
    let Ok(directory) = std::fs::File::open(path) else { return Ok(None) };
    match rustix::fs::flock(&directory, how) {
        Ok(()) => Ok(Some(directory)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Held),
        Err(_) => Ok(None),
    }
}

/// Somebody else has the lock.
#[cfg(unix)]
#[derive(Debug)]
struct Held;

/// Removes directories of agents of this user that were killed more than a day ago. A clock that jumps
/// makes them look older, hence the lock. Failures are left to the next one.
#[cfg(unix)]
fn sweep(place: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let now = crate::system::clock::now().unix_timestamp();
    let Ok(entries) = std::fs::read_dir(place) else { return };
    for entry in entries.take(MOST_ENTRIES).flatten() {
        let Some(pid) = writer(&entry.file_name().to_string_lossy()) else { continue };
        let Ok(found) = entry.path().symlink_metadata() else { continue };
        let is_old = now.saturating_sub(found.mtime()) > LEFT_OVER;
        let is_ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
        let is_gone = rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
        if is_ours && is_old && is_gone {
            let held = locked(&entry.path(), FlockOperation::NonBlockingLockExclusive);
            if held.is_ok() {
                drop(std::fs::remove_dir_all(entry.path()));
            }
        }
    }
}

/// The process that made a directory of this name.
#[cfg(unix)]
fn writer(name: &str) -> Option<rustix::process::Pid> {
    let (pid, unique) = name.strip_prefix("agi-agent-")?.split_once('-')?;
    let is_unique = unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_unique.then(|| rustix::process::Pid::from_raw(pid.parse().ok()?)).flatten()
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A child may have taken away permissions of its own directories; the rest is the system's
        // cleaner's.
        if let Err(error) = std::fs::remove_dir_all(&self.root) {
            tracing::warn!(path = %self.root.display(), %error, "a temporary directory is left");
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::time::Duration;
    use std::time::UNIX_EPOCH;

    use super::FlockOperation;
    use super::create_private;
    use super::locked;
    use super::sweep;

    /// Of a process that is not seen here, and old by this clock: the lock alone says that it is in use.
    #[test]
    fn t14_a_directory_in_use_is_left_whatever_the_clock_says() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(format!("agi-agent-{}-{}", i32::MAX, "0".repeat(32)));
        create_private(&path).unwrap();
        let then = UNIX_EPOCH + Duration::from_hours(48);
        std::fs::File::open(&path).unwrap().set_modified(then).unwrap();
        let lock = locked(&path, FlockOperation::NonBlockingLockShared).unwrap();
        sweep(place.path());
        assert!(path.exists(), "it was in use");
        drop(lock);
        sweep(place.path());
        assert!(!path.exists(), "nobody used it");
    }
}
