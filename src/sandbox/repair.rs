//! Remembering before a command and putting back after it, away from the thread that runs everything else.
//!
//! A command may have planted a million files: no other task waits for their removal, and nobody is told
//! how the command ended before it is done. Whoever stops waiting loses nothing: it is done all the same,
//! and the sandbox is not gone before.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::error::SandboxError;
use super::snapshot::Snapshot;

/// Repairs under way in this process, of all its sandboxes.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// Whether something is being put back anywhere in this process: whoever would end it by force has to wait.
pub fn any_under_way() -> bool {
    UNDER_WAY.load(Ordering::Acquire) > 0
}

/// The repairs of one sandbox that are under way. Dropped, it waits until none is.
#[derive(Debug, Default)]
pub(super) struct Repairs(Ledger);

/// Where they are counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Owed>);

#[derive(Debug, Default)]
struct Owed {
    count: Mutex<usize>,
    fewer: Condvar,
}

impl Owed {
    fn count(&self) -> MutexGuard<'_, usize> {
        // A number is whole whoever panicked.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Repairs {
    pub(super) fn ledger(&self) -> &Ledger {
        &self.0
    }

    pub(super) fn are_under_way(&self) -> bool {
        *self.0.0.count() > 0
    }
}

impl Drop for Repairs {
    fn drop(&mut self) {
        let owed = &self.0.0;
        let mut count = owed.count();
        while *count > 0 {
            count = owed.fewer.wait(count).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Ledger {
    /// Takes over what is to be put back after a command that has ended, or is being ended.
    pub(super) fn owe(&self, snapshot: Snapshot) -> Repair {
        *self.0.count() += 1;
        UNDER_WAY.fetch_add(1, Ordering::AcqRel);
        Repair { snapshot: Some(snapshot), owed: Arc::clone(&self.0) }
    }
}

/// What is owed after one command. Dropped before it is done, it is done at once.
#[derive(Debug)]
pub(super) struct Repair {
    snapshot: Option<Snapshot>,
    owed: Arc<Owed>,
}

impl Repair {
    /// Puts back what was changed; the paths that had to be. Abandoned, it goes on.
    pub(super) async fn done(mut self) -> Result<Vec<PathBuf>, SandboxError> {
        let work = move || self.snapshot.take().map_or_else(|| Ok(Vec::new()), Snapshot::finish);
        aside(work, |unheard| log(&unheard)).await?
    }
}

impl Drop for Repair {
    fn drop(&mut self) {
        if let Some(snapshot) = self.snapshot.take() {
            log(&snapshot.finish());
        }
        UNDER_WAY.fetch_sub(1, Ordering::AcqRel);
        *self.owed.count() -= 1;
        self.owed.fewer.notify_all();
    }
}

/// What nobody waits for any more.
fn log(result: &Result<Vec<PathBuf>, SandboxError>) {
    match result {
        Ok(restored) => {
            for path in restored {
                tracing::info!(path = %path.display(), "put back after an abandoned command");
            }
        }
        Err(error) => tracing::error!(%error, "after an abandoned command"),
    }
}

/// Does something that may take long on a thread of its own; on this one where there can be no other.
/// Abandoned, it is done all the same, and its result given to `unheard`.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    unheard: impl FnOnce(T) + Send + 'static,
) -> Result<T, SandboxError> {
    let (answer, done) = oneshot::channel();
    let work = move || {
        if let Err(result) = answer.send(work()) {
            unheard(result);
        }
    };
    let job = Arc::new(Mutex::new(Some(work)));
    let theirs = Arc::clone(&job);
    let thread = std::thread::Builder::new().name("snapshot".to_owned());
    let take = |job: &Mutex<Option<_>>| job.lock().unwrap_or_else(PoisonError::into_inner).take();
    if thread.spawn(move || take(&theirs).map(|job| job())).is_err()
        && let Some(job) = take(&job)
    {
        job();
    }
    done.await.map_err(|error| SandboxError::process(std::io::Error::other(error)))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::File;
    use std::path::Path;
    use std::path::PathBuf;
    use std::time::Duration;
    use std::time::Instant;

    use rustix::fs::FlockOperation;

    use super::Repairs;
    use super::Snapshot;
    use crate::sandbox::snapshot::Earlier;

    /// A workspace with a planted hook, and the lock of another agent that is putting back there.
    struct Held {
        root: tempfile::TempDir,
        snapshot: Option<Snapshot>,
        lock: File,
    }

    impl Held {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let base = root.path().canonicalize().unwrap();
            std::fs::create_dir_all(base.join("work/.git/hooks")).unwrap();
            let places = base.join("running");
            let roots = [base.join("work")];
            let snapshot =
                Snapshot::take(&roots, &[], Some(&places), &Earlier::default(), false).unwrap();
            std::fs::write(hook(&base), "evil").unwrap();
            let mut names = std::fs::read_dir(&places).unwrap().map(|entry| entry.unwrap().path());
            let place = names.find(|path| !path.ends_with("lock")).unwrap();
            let lock = File::create(place.with_extension("repair")).unwrap();
            rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
            Self { root, snapshot: Some(snapshot), lock }
        }

        fn hook(&self) -> PathBuf {
            hook(self.root.path())
        }
    }

    fn hook(base: &Path) -> PathBuf {
        base.join("work/.git/hooks/evil")
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn other_tasks_go_on_while_something_is_put_back() {
        let mut held = Held::new();
        let repairs = Repairs::default();
        runtime().block_on(async {
            let repair = repairs.ledger().owe(held.snapshot.take().unwrap());
            let done = tokio::spawn(repair.done());
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(!done.is_finished() && held.hook().exists(), "nothing held it up");
            assert!(repairs.are_under_way());
            rustix::fs::flock(&held.lock, FlockOperation::Unlock).unwrap();
            assert_eq!(done.await.unwrap().unwrap().len(), 1);
        });
        assert!(!held.hook().exists() && !repairs.are_under_way());
    }

    #[test]
    fn what_nobody_waits_for_is_put_back_before_the_sandbox_is_gone() {
        for is_polled in [true, false] {
            let mut held = Held::new();
            let repairs = Repairs::default();
            let ledger = repairs.ledger().clone();
            let lock = held.lock.try_clone().unwrap();
            let (pause, started) = (Duration::from_millis(200), Instant::now());
            let opener = std::thread::spawn(move || {
                std::thread::sleep(pause);
                rustix::fs::flock(&lock, FlockOperation::Unlock).unwrap();
            });
            runtime().block_on(async {
                let done = ledger.owe(held.snapshot.take().unwrap()).done();
                if is_polled {
                    let given_up = tokio::time::timeout(Duration::from_millis(20), done).await;
                    assert!(given_up.is_err());
                    assert!(started.elapsed() < pause && held.hook().exists());
                }
            });
            drop(repairs);
            assert!(started.elapsed() >= pause && !held.hook().exists(), "{is_polled}");
            opener.join().unwrap();
        }
    }
}
