//! What agents of the same user tell each other: that a command runs in a workspace, and what the
//! protected files there were before the first of them began.
//!
//! Otherwise the second agent takes what the first one's command has just written for the original, and
//! puts that back at the end. Files lie in the agent's data directory, out of the reach of commands. A
//! lock is the kernel's (`flock`), so it ends with its process, however that ends.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
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

use super::SandboxError;
use super::States;
use super::states::is_same;
use super::stored;

/// Nobody holds the lock of all for longer than a repair takes; a stopped process does.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(1);

/// A workspace in which a command of this agent runs. Dropped when it has ended.
#[derive(Debug)]
pub(super) struct Place {
    /// Held for a moment by whoever joins, repairs or leaves.
    lock: PathBuf,
    path: PathBuf,
    /// Locked for as long as the command runs, together with other agents.
    running: File,
    /// It was left under the lock of all.
    is_left: bool,
}

impl Place {
    /// Joins the agents whose commands run at `root`: their states are ours. With none, `see` says what
    /// is there.
    pub(super) fn join(
        directory: &Path,
        root: &Path,
        see: impl FnOnce() -> Result<Arc<States>, SandboxError>,
    ) -> io::Result<(Self, Result<Arc<States>, SandboxError>)> {
        let (lock, path) = (directory.join("lock"), directory.join(name(root)));
        let alone = match lock_of_all(&lock) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
                lock_of_all(&lock)?
            }
            alone => alone?,
        };
        let mut running = open(&path)?;
        let states = match rustix::fs::flock(&running, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let states = match see() {
                    Ok(states) => states,
                    // Nothing is remembered, and the command does not run.
                    Err(error) => {
                        return Ok((Self { lock, path, running, is_left: false }, Err(error)));
                    }
                };
                if running.metadata()?.len() > 0 {
                    warn_of_what_was_left(&mut running, &states);
                    running.set_len(0)?;
                    running.rewind()?;
                }
                running.write_all(&stored::encode(&states))?;
                // Nobody can come in between: they would need the lock of all.
                rustix::fs::flock(&running, FlockOperation::LockShared)?;
                states
            }
            Err(Errno::WOULDBLOCK) => {
                rustix::fs::flock(&running, FlockOperation::LockShared)?;
                let mut bytes = Vec::new();
                running.read_to_end(&mut bytes)?;
                let unreadable = || io::Error::other("another version of the agent runs here");
                Arc::new(stored::decode(&bytes).ok_or_else(unreadable)?)
            }
            Err(error) => return Err(error.into()),
        };
        drop(alone);
        Ok((Self { lock, path, running, is_left: false }, Ok(states)))
    }

    /// The command has ended, and the caller holds the lock of all.
    pub(super) fn leave(mut self) {
        self.remove_if_last();
        self.is_left = true;
    }

    fn remove_if_last(&self) {
        let is_last = rustix::fs::flock(&self.running, FlockOperation::NonBlockingLockExclusive);
        if is_last.is_ok() {
            // What stays is a file; the next agent here takes its place.
            drop(std::fs::remove_file(&self.path));
        }
    }

    /// While this is held nobody else joins, repairs or leaves. `None` where it could not be had in time:
    /// a repair is tried again if somebody else's gets in its way.
    pub(super) fn lock(&self) -> Option<File> {
        lock_of_all(&self.lock).ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        // Without it the file stays, which costs its space and a warning to the next.
        let Some(_alone) = self.lock() else { return };
        self.remove_if_last();
    }
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
    for path in before.keys().chain(now.keys()).filter(differs) {
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

fn lock_of_all(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    let started = Instant::now();
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK | Errno::INTR) if started.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// One file per workspace.
fn name(root: &Path) -> String {
    let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
    let (first, _) = digest.split_at(16);
    format!("{:032x}", first.iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte)))
}
