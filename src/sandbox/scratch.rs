//! The private temporary directory of children: made on demand, gone with the sandbox.

use std::path::Path;
use std::path::PathBuf;

#[cfg(unix)]
use std::ffi::OsStr;
#[cfg(unix)]
use std::os::fd::AsFd as _;
#[cfg(unix)]
use std::os::fd::OwnedFd;

#[cfg(unix)]
use rustix::fs::FlockOperation;
#[cfg(unix)]
use rustix::fs::Mode;
#[cfg(unix)]
use rustix::fs::OFlags;
#[cfg(unix)]
use rustix::io::Errno;

#[cfg(unix)]
use super::snapshot;
use crate::config::env::Environment;

/// Seconds after which nobody can still be using a directory, given that its maker is gone: where its lock
/// can be had, which says so itself, and where this file system has no locks.
#[cfg(unix)]
const LEFT_OVER: [i64; 2] = [60, 24 * 3600];
/// One in so many looks for left-overs: the temporary directory can be large.
#[cfg(unix)]
const SWEEPERS: u128 = 16;
/// Names of the temporary directory that are read, and directories that are removed at a time.
#[cfg(unix)]
const MOST_ENTRIES: usize = 50_000;
#[cfg(unix)]
const MOST_REMOVED: usize = 32;

/// A directory `agi-agent-…` of mode 0700. Children get `tmp` inside of it; what lies beside `tmp` is
/// out of their reach, which is what their self-test tries.
#[derive(Debug)]
pub(super) struct Scratch {
    root: PathBuf,
    tmp: PathBuf,
    /// Says to agents in other process namespaces, whose clock may stand elsewhere, that somebody uses it.
    #[cfg(unix)]
    _lock: Option<OwnedFd>,
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
        let unique = uuid::Uuid::new_v4();
        let name = format!("agi-agent-{}-{}", std::process::id(), unique.simple());
        let root = place.join(name);
        // Fails if the name is there, whoever made it.
        create_private(&root).ok()?;
        let scratch = Self {
            tmp: root.join("tmp"),
            #[cfg(unix)]
            _lock: lock(&root),
            root,
        };
        create_private(&scratch.tmp).ok()?;
        #[cfg(unix)]
        if unique.as_u128().is_multiple_of(SWEEPERS) {
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

/// Locks a directory until the file is closed, where its file system can.
#[cfg(unix)]
fn lock(path: &Path) -> Option<OwnedFd> {
    let directory = rustix::fs::open(path, DIRECTORY, Mode::empty()).ok()?;
    rustix::fs::flock(&directory, FlockOperation::NonBlockingLockShared).ok()?;
    Some(directory)
}

#[cfg(unix)]
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes directories of agents of this user that were killed. Everybody can make names here, so
/// everything goes by descriptors, and links are not followed. Failures are left to the next one.
#[cfg(unix)]
fn sweep(place: &Path) {
    let Ok(directory) = rustix::fs::open(place, DIRECTORY, Mode::empty()) else { return };
    let Ok(entries) = std::fs::read_dir(place) else { return };
    let abandoned = entries.take(MOST_ENTRIES).flatten().filter_map(|entry| {
        let name = entry.file_name();
        let pid = writer(&name.to_string_lossy())?;
        let is_gone = rustix::process::test_kill_process(pid) == Err(Errno::SRCH);
        (is_gone && is_abandoned(&directory, &name)).then_some(name)
    });
    for name in abandoned.take(MOST_REMOVED) {
        drop(snapshot::remove_at(directory.as_fd(), &name));
    }
}

/// Whether it is a directory of this user's that nobody uses any more. A process of another process
/// namespace is not seen here, and a clock that jumps makes everything look old, hence the lock.
#[cfg(unix)]
#[allow(clippy::unnecessary_cast, reason = "the type of the time differs by platform")]
fn is_abandoned(place: &OwnedFd, name: &OsStr) -> bool {
    let Ok(directory) = rustix::fs::openat(place, name, DIRECTORY, Mode::empty()) else {
        return false;
    };
    let Ok(found) = rustix::fs::fstat(&directory) else { return false };
    let age = crate::system::clock::now().unix_timestamp().saturating_sub(found.st_mtime as i64);
    let [locked, unlocked] = LEFT_OVER;
    let is_ours = found.st_uid == rustix::process::geteuid().as_raw();
    let is_private = found.st_mode & 0o777 == 0o700;
    // Before the lock is tried: a young one may be about to take it.
    if !is_ours || !is_private || age <= locked {
        return false;
    }
    match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => true,
        Err(Errno::WOULDBLOCK) => false,
        Err(_) => age > unlocked,
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
        if let Err(error) = remove(&self.root) {
            tracing::warn!(path = %self.root.display(), %error, "a temporary directory is left");
        }
    }
}

/// A child may have taken away permissions of its own directories, or nested them without end.
#[cfg(unix)]
fn remove(root: &Path) -> std::io::Result<()> {
    let (Some(place), Some(name)) = (root.parent(), root.file_name()) else { return Ok(()) };
    let place = rustix::fs::open(place, DIRECTORY, Mode::empty())?;
    snapshot::remove_at(place.as_fd(), name)
}

#[cfg(not(unix))]
fn remove(root: &Path) -> std::io::Result<()> {
    std::fs::remove_dir_all(root)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::Path;
    use std::path::PathBuf;
    use std::time::Duration;
    use std::time::UNIX_EPOCH;

    use super::create_private;
    use super::lock;
    use super::sweep;

    /// Of a process that is not seen here, and old by this clock.
    fn old_directory(place: &Path, number: u32) -> PathBuf {
        let path = place.join(format!("agi-agent-{}-{number:032x}", i32::MAX));
        create_private(&path).unwrap();
        age(&path);
        path
    }

    fn age(path: &Path) {
        let then = UNIX_EPOCH + Duration::from_hours(48);
        std::fs::File::open(path).unwrap().set_modified(then).unwrap();
    }

    /// The lock alone says that it is in use.
    #[test]
    fn t14_a_directory_in_use_is_left_whatever_the_clock_says() {
        let place = tempfile::tempdir().unwrap();
        let path = old_directory(place.path(), 0);
        let held = lock(&path).unwrap();
        sweep(place.path());
        assert!(path.exists(), "it was in use");
        drop(held);
        sweep(place.path());
        assert!(!path.exists(), "nobody used it");
    }

    #[test]
    fn only_old_directories_of_processes_that_are_gone_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let young = place.path().join(format!("agi-agent-{}-{:032x}", i32::MAX, 1));
        create_private(&young).unwrap();
        let living = place.path().join(format!("agi-agent-{}-{:032x}", std::process::id(), 2));
        create_private(&living).unwrap();
        age(&living);
        let other = place.path().join(format!("agi-agent-{}-precious", i32::MAX));
        create_private(&other).unwrap();
        age(&other);
        sweep(place.path());
        assert!(young.exists() && living.exists() && other.exists());
    }

    /// In a temporary directory that is full of other things as well.
    #[test]
    fn what_many_killed_agents_left_goes_by_and_by() {
        let place = tempfile::tempdir().unwrap();
        for number in 0..3_000 {
            std::fs::write(place.path().join(format!("other-{number}")), "").unwrap();
        }
        let left: Vec<PathBuf> =
            (0..40).map(|number| old_directory(place.path(), number)).collect();
        let open = old_directory(place.path(), 40);
        std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let remaining = || left.iter().filter(|path| path.exists()).count();
        sweep(place.path());
        assert_eq!(remaining(), 40 - super::MOST_REMOVED);
        sweep(place.path());
        assert_eq!(remaining(), 0);
        assert!(open.exists(), "none that an agent makes");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 3_001);
    }

    /// Everybody can make names in a temporary directory.
    #[test]
    fn what_others_planted_there_is_not_touched() {
        let place = tempfile::tempdir().unwrap();
        let precious = place.path().join("precious");
        create_private(&precious).unwrap();
        std::fs::write(precious.join("file"), "precious").unwrap();
        age(&precious);
        let link = place.path().join(format!("agi-agent-{}-{:032x}", i32::MAX, 3));
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        let inside = old_directory(place.path(), 4);
        std::os::unix::fs::symlink(&precious, inside.join("link")).unwrap();
        age(&inside);
        let theirs = old_directory(place.path(), 5);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&theirs, Some(65534), None).unwrap();
        }
        sweep(place.path());
        assert!(precious.join("file").exists() && link.is_symlink());
        assert!(!inside.exists());
        assert_eq!(theirs.exists(), rustix::process::geteuid().is_root());
    }
}
