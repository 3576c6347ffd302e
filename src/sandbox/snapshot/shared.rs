//! What agents of the same user tell each other: that a command runs in a workspace, and what the
//! protected files there were before the first of them began.
//!
//! Otherwise the second agent takes what the first one's command has just written for the original, and
//! puts that back at the end. Files lie in the agent's data directory, out of the reach of commands. A
//! lock is the kernel's (`flock`), so it ends with its process, however that ends.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use sha2::Digest as _;
use sha2::Sha256;
use time::OffsetDateTime;

use super::Contents;
use super::SandboxError;
use super::States;
use super::states::is_same;
use super::stored;
use crate::system::clock;

/// Nobody holds the lock of all for longer than it takes to look at a workspace; a stopped process does.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long another agent's repair of the same workspace is waited for.
const REPAIR: Duration = Duration::from_mins(2);
/// The file by which agents take turns, in the directory where they meet.
const LOCK: &str = "lock";
/// How often that directory is made while ephemeral agents remove it.
const TRIES: u32 = 16;
/// The ending of a directory of copies.
const KEPT: &str = "kept";
/// The copies of a workspace in which no command has run for so long are removed; they can be made again.
const UNUSED: Duration = Duration::from_hours(7 * 24);
/// One process in so many looks for copies that nobody needs any more.
const SWEEPERS: u32 = 16;
const PAUSE: Duration = Duration::from_millis(1);

/// A workspace in which a command of this agent runs. Dropped when it has ended.
#[derive(Debug)]
pub(super) struct Place {
    /// Held by whoever joins or leaves.
    lock: PathBuf,
    path: PathBuf,
    /// Held by whoever puts back here: two that work at once would undo each other's moves.
    repair: PathBuf,
    /// Locked for as long as the command runs, together with other agents.
    running: File,
    /// It was left under the lock of all.
    is_left: bool,
}

/// Why nothing was joined.
pub(super) enum NotJoined {
    /// Nobody can be told here, so nobody tells us.
    Apart(io::Error),
    /// What is there now may be what somebody else's command has made of it: ours must not run.
    Refused(SandboxError),
}

impl From<io::Error> for NotJoined {
    fn from(error: io::Error) -> Self {
        Self::Apart(error)
    }
}

impl From<Errno> for NotJoined {
    fn from(error: Errno) -> Self {
        Self::Apart(error.into())
    }
}

impl Place {
    /// Joins the agents whose commands run at `root`, or for whom it is a git directory of theirs
    /// (`is_apart`): their states are ours. With none, `see` says what
    /// is there, and may make copies of it in the directory that it is given.
    pub(super) fn join(
        directory: &Path,
        root: &Path,
        is_apart: bool,
        see: impl FnOnce(Option<&Path>) -> Result<Arc<States>, SandboxError>,
    ) -> Result<(Self, Arc<States>), NotJoined> {
        let (lock, path) = (directory.join(LOCK), directory.join(name(root, is_apart)));
        let alone = match lock_of_all(directory, &lock) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(refused(&lock, "another agent does not let go of it"));
            }
            alone => alone?,
        };
        let repair = path.with_extension("repair");
        let mut place = Self { lock, running: open(&path)?, path, repair, is_left: false };
        let states = place.states(see);
        drop(alone);
        // In case of an error it is left here, which takes the lock again.
        Ok((place, states?))
    }

    fn states(
        &mut self,
        see: impl FnOnce(Option<&Path>) -> Result<Arc<States>, SandboxError>,
    ) -> Result<Arc<States>, NotJoined> {
        let running = &mut self.running;
        match rustix::fs::flock(&*running, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let store = self.path.with_extension(KEPT);
                let states = see(Some(&store)).map_err(NotJoined::Refused)?;
                if running.metadata()?.len() > 0 {
                    warn_of_what_was_left(running, &states);
                    running.set_len(0)?;
                    running.rewind()?;
                }
                running.write_all(&stored::encode(&states))?;
                purge(&store, &states);
                if std::process::id().is_multiple_of(SWEEPERS) {
                    sweep(self.path.parent().unwrap_or(&self.path));
                }
                // Nobody can come in between: they would need the lock of all.
                rustix::fs::flock(&*running, FlockOperation::LockShared)?;
                Ok(states)
            }
            Err(Errno::WOULDBLOCK) => {
                rustix::fs::flock(&*running, FlockOperation::LockShared)?;
                let mut bytes = Vec::new();
                running.read_to_end(&mut bytes)?;
                let states = stored::decode(&bytes).map(Arc::new);
                states.ok_or_else(|| refused(&self.path, "another version of the agent runs here"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The command has ended, and what it changed was put back.
    pub(super) fn leave(mut self) {
        self.leave_now();
    }

    fn leave_now(&mut self) {
        if std::mem::replace(&mut self.is_left, true) {
            return;
        }
        // Without it the files stay, which costs their space and a warning to the next.
        let Ok(_alone) = locked(&self.lock, PATIENCE) else { return };
        let is_last = rustix::fs::flock(&self.running, FlockOperation::NonBlockingLockExclusive);
        if is_last.is_ok() {
            // What stays is a file; the next agent here takes its place.
            drop(std::fs::remove_file(&self.repair));
            drop(std::fs::remove_file(&self.path));
        }
    }

    /// While this is held nobody else puts back here. `None` where it could not be had: a repair is tried
    /// again if somebody else's gets in its way.
    pub(super) fn alone(&self) -> Option<File> {
        let lock = locked(&self.repair, REPAIR);
        if let Err(error) = &lock {
            tracing::warn!(%error, path = %self.repair.display(), "others may put back here as well");
        }
        lock.ok()
    }

    /// The order in which several are locked.
    pub(super) fn order(&self) -> &Path {
        &self.repair
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave_now();
    }
}

fn refused(path: &Path, reason: &str) -> NotJoined {
    let source = io::Error::new(io::ErrorKind::WouldBlock, reason);
    NotJoined::Refused(SandboxError::Unseen { path: path.display().to_string(), source })
}

/// What an agent that was killed has left: then nobody compared after its command.
fn warn_of_what_was_left(file: &mut File, now: &States) {
    let mut bytes = Vec::new();
    let Some(before) = file.read_to_end(&mut bytes).ok().and_then(|_| stored::decode(&bytes))
    else {
        return;
    };
    let differs = |path: &&PathBuf| match (before.get(*path), now.get(*path)) {
        (Some(before), Some(now)) => !is_same(before, now),
        _ => true,
    };
    // That one is only kept for what it is.
    let is_head = |path: &&PathBuf| path.ends_with(".git/HEAD");
    let paths = before.keys().chain(now.keys()).filter(|path| !is_head(path));
    for path in paths.filter(differs) {
        tracing::warn!(
            path = %path.display(),
            "changed since an agent was killed while a command ran here; look at it"
        );
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Held by whoever joins or leaves. An ephemeral agent removes what it made of the way to it, perhaps
/// while others are about to take it.
fn lock_of_all(directory: &Path, lock: &Path) -> io::Result<File> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    for _ in 0..TRIES {
        match locked(lock, PATIENCE) {
            Err(error) if gone(&error) => {}
            alone => return alone,
        }
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.or_else(|error| if gone(&error) { Ok(()) } else { Err(error) })?;
    }
    locked(lock, PATIENCE)
}

fn locked(path: &Path, patience: Duration) -> io::Result<File> {
    let started = Instant::now();
    loop {
        let file = open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if is_at(&file, path) => return Ok(file),
            // It was removed meanwhile: others hold the one that has taken its place.
            Ok(()) => {}
            Err(Errno::WOULDBLOCK | Errno::INTR) if started.elapsed() < patience => {
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let which = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let there = std::fs::symlink_metadata(path).map(which);
    file.metadata().map(which).is_ok_and(|own| there.is_ok_and(|there| there == own))
}

/// Removes what was not there `before` and is of no use to others.
pub(super) fn clear(directory: &Path, before: &BTreeSet<OsString>) -> io::Result<()> {
    let lock = directory.join(LOCK);
    if !lock.exists() {
        return Ok(());
    }
    let alone = locked(&lock, PAUSE)?;
    let mut is_shared = false;
    for entry in std::fs::read_dir(directory)? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        let is_copies = path.extension().is_some_and(|ending| ending == KEPT);
        if is_copies && !before.contains(&name) && nobody_runs_at(&path) {
            std::fs::remove_dir_all(&path)?;
        } else {
            is_shared |= name != LOCK;
        }
    }
    if !is_shared && !before.contains(OsStr::new(LOCK)) {
        std::fs::remove_file(&lock)?;
    }
    drop(alone);
    Ok(())
}

/// Whether no command runs in the workspace of these copies. The lock of all is held.
fn nobody_runs_at(store: &Path) -> bool {
    let exclusive = FlockOperation::NonBlockingLockExclusive;
    let place = File::open(store.with_extension(""));
    place.is_err() || place.is_ok_and(|place| rustix::fs::flock(place, exclusive).is_ok())
}

/// Removes copies of workspaces in which nothing has run for long, or which are gone. The lock of all is held.
fn sweep(directory: &Path) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    for store in entries.map(|entry| entry.path()) {
        if store.extension().is_none_or(|ending| ending != KEPT) || !is_unused(&store) {
            continue;
        }
        if nobody_runs_at(&store) {
            drop(std::fs::remove_dir_all(store));
        }
    }
}

/// Removes copies that these states do not name: of files as they are no more.
fn purge(store: &Path, states: &States) {
    let Ok(entries) = std::fs::read_dir(store) else { return };
    let copies = states.values().filter_map(|state| match &state.contents {
        Contents::Copy(copy) => Some(copy.as_path()),
        _ => None,
    });
    let copies: BTreeSet<&Path> = copies.collect();
    for entry in entries.flatten() {
        if !copies.contains(entry.path().as_path()) {
            drop(std::fs::remove_file(entry.path()));
        }
    }
    if copies.is_empty() {
        drop(std::fs::remove_dir(store));
    }
}

/// Whether nobody has kept anything there for long.
fn is_unused(store: &Path) -> bool {
    let changed = std::fs::symlink_metadata(store).and_then(|found| found.modified());
    changed.is_ok_and(|changed| clock::now() - OffsetDateTime::from(changed) > UNUSED)
}

/// One file per workspace; of a git directory that is looked at as such something else is remembered.
fn name(root: &Path, is_apart: bool) -> String {
    let mut hash = Sha256::new_with_prefix(root.as_os_str().as_encoded_bytes());
    if is_apart {
        hash.update(b"\0git");
    }
    let digest = hash.finalize();
    let (first, _) = digest.split_at(16);
    format!("{:032x}", first.iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte)))
}
