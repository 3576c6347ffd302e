//! One writer at a time in a directory, among all threads and processes of this program.
//!
//! Between processes the lock is the kernel's (`flock`) and lies on the directory itself: it ends with
//! its process, leaves no file behind, and stays where it is while the files in the directory change
//! places. It keeps out nobody else: what other programs write is noticed by its version. Windows has
//! no such lock; there it holds within the process.

use std::collections::BTreeSet;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

use super::backend::Directory;

/// How long somebody may have a directory locked without changing anything in it. A writer of ours
/// changes something at once; whoever keeps a directory locked for good (against cleaning of temporary
/// directories) must not stop everybody else from writing.
#[cfg(unix)]
const QUIET: Duration = Duration::from_secs(2);

/// How long the wait is at most, however much happens.
#[cfg(unix)]
const LONGEST: Duration = Duration::from_mins(1);

/// Between two looks at the lock of another process.
#[cfg(unix)]
const FIRST_PAUSE: Duration = Duration::from_millis(1);
#[cfg(unix)]
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

/// Between two looks at whether somebody who waits for another thread was told to stop.
const THREAD_PAUSE: Duration = Duration::from_millis(20);

/// Whoever waited was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

/// The right to write in a directory, until it is dropped. Where the lock cannot be had (a file system
/// without locks, somebody who keeps it) it holds within this process only.
#[derive(Debug)]
pub struct Exclusive {
    // In this order: the other processes are let in before the other threads.
    _directory: Option<Directory>,
    _place: Option<Held>,
}

impl Exclusive {
    pub(super) fn none() -> Self {
        Self { _directory: None, _place: None }
    }

    pub(super) fn wait(
        directory: Directory,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Cancelled> {
        let Some(place) = place(&directory) else { return Ok(Self::none()) };
        let held = Held::wait(place.clone(), is_cancelled)?;
        wait_for_processes(&directory, &place, is_cancelled)?;
        Ok(Self { _directory: Some(directory), _place: Some(held) })
    }
}

/// Which directory it is, by whatever path it was reached.
#[cfg(unix)]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u64, u64);
#[cfg(not(unix))]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place(std::path::PathBuf);

#[cfg(unix)]
#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    reason = "the types of these fields differ by platform"
)]
fn place(directory: &Directory) -> Option<Place> {
    let stat = rustix::fs::fstat(directory).ok()?;
    Some(Place(stat.st_dev as u64, stat.st_ino as u64))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn place(directory: &Directory) -> Option<Place> {
    Some(Place(directory.clone()))
}

/// What is known of directories in this process.
#[derive(Debug)]
struct Places {
    held: BTreeSet<Place>,
    /// Those whose lock another program kept; nobody waits for it a second time.
    #[cfg(unix)]
    kept: BTreeSet<Place>,
}

static PLACES: Mutex<Places> = Mutex::new(Places {
    held: BTreeSet::new(),
    #[cfg(unix)]
    kept: BTreeSet::new(),
});
static FREED: Condvar = Condvar::new();

fn places() -> MutexGuard<'static, Places> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory in which no other thread of this process writes.
#[derive(Debug)]
struct Held(Place);

impl Held {
    fn wait(place: Place, is_cancelled: &dyn Fn() -> bool) -> Result<Self, Cancelled> {
        let mut all = places();
        while !all.held.insert(place.clone()) {
            if is_cancelled() {
                return Err(Cancelled);
            }
            let waited = FREED.wait_timeout(all, THREAD_PAUSE);
            all = waited.map_or_else(|error| error.into_inner().0, |(all, _)| all);
        }
        Ok(Self(place))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        places().held.remove(&self.0);
        FREED.notify_all();
    }
}

#[cfg(unix)]
fn wait_for_processes(
    directory: &Directory,
    place: &Place,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<(), Cancelled> {
    use rustix::fs::FlockOperation;
    use rustix::io::Errno;

    let is_kept = places().kept.contains(place);
    let begun = Instant::now();
    let (mut seen, mut last_change) = (last_changed(directory), begun);
    let mut pause = FIRST_PAUSE;
    while rustix::fs::flock(directory, FlockOperation::NonBlockingLockExclusive)
        == Err(Errno::WOULDBLOCK)
    {
        if is_cancelled() {
            return Err(Cancelled);
        }
        let now = last_changed(directory);
        if now != seen {
            (seen, last_change) = (now, Instant::now());
        }
        if is_kept || last_change.elapsed() > QUIET || begun.elapsed() > LONGEST {
            places().kept.insert(place.clone());
            return Ok(());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    if is_kept {
        places().kept.remove(place);
    }
    Ok(())
}

#[cfg(unix)]
#[allow(
    clippy::unnecessary_cast,
    clippy::cast_possible_wrap,
    reason = "the types of these fields differ by platform"
)]
fn last_changed(directory: &Directory) -> Option<(i64, i64)> {
    let stat = rustix::fs::fstat(directory).ok()?;
    Some((stat.st_mtime as i64, stat.st_mtime_nsec as i64))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn wait_for_processes(
    _directory: &Directory,
    _place: &Place,
    _is_cancelled: &dyn Fn() -> bool,
) -> Result<(), Cancelled> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
#[path = "exclusive_tests.rs"]
mod tests;
