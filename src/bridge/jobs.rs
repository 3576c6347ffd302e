//! Work of the numeric kernel on threads of its own, seen from both sides of the border.
//!
//! Python starts a job and tells Rust its number; Rust waits for news without a thread and without
//! the interpreter, and cancels without asking Python. docs/local-models.md has the whole picture.
//! Knows nothing of models: any long computation may be a job.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::watch;

/// Regular expressions and grammars of the kernel recurse.
#[cfg(feature = "local")]
const STACK: usize = 16 << 20;

/// What is new about a job.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct News {
    /// Grows with everything that happens.
    pub version: u64,
    pub done: bool,
    /// From 0 to 1.
    pub progress: f32,
}

/// One job. The side that started it holds it; the table of numbers does not keep it alive.
#[derive(Debug)]
pub struct Job {
    id: u64,
    cancelled: Arc<AtomicBool>,
    news: watch::Sender<News>,
    /// What blocking waiters sleep on; the news themselves are in `news`.
    lock: Mutex<()>,
    changed: Condvar,
}

fn table() -> MutexGuard<'static, HashMap<u64, Weak<Job>>> {
    static TABLE: LazyLock<Mutex<HashMap<u64, Weak<Job>>>> = LazyLock::new(Mutex::default);
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(id: u64) -> Option<Arc<Job>> {
    table().get(&id)?.upgrade()
}

/// Waits until a job has news that `seen` does not have. `None`: there is no such job (any more).
pub async fn news(id: u64, seen: u64) -> Option<News> {
    let mut receiver = find(id)?.news.subscribe();
    let news = receiver.wait_for(|news| news.done || news.version > seen).await.ok()?;
    Some(*news)
}

/// Stops a job; returns at once. Nothing happens where there is none.
pub fn cancel(id: u64) {
    if let Some(job) = find(id) {
        job.cancel();
    }
}

impl Job {
    /// A job that nobody works on yet.
    pub fn new() -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let job = Arc::new(Self {
            id,
            cancelled: Arc::default(),
            news: watch::Sender::default(),
            lock: Mutex::default(),
            changed: Condvar::new(),
        });
        table().insert(id, Arc::downgrade(&job));
        job
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn now(&self) -> News {
        *self.news.borrow()
    }

    /// Whether it is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The same as a flag that outlives the job.
    pub fn cancel_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cancelled)
    }

    /// Stops it. Who waits sees the end now; the thread follows when it next looks.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.finish();
    }

    /// Something happened: text, or so much of the whole.
    pub fn tell(&self, progress: Option<f32>) {
        self.change(|news| news.progress = progress.unwrap_or(news.progress));
    }

    /// It has ended, in whatever way.
    pub fn finish(&self) {
        self.change(|news| news.done = true);
    }

    fn change(&self, change: impl FnOnce(&mut News)) {
        let locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.news.send_modify(|news| {
            news.version += 1;
            change(news);
        });
        drop(locked);
        self.changed.notify_all();
    }

    /// Blocks until it is done or `enough` says so; false: the time is up.
    pub fn wait(&self, timeout: Duration, enough: impl Fn() -> bool) -> bool {
        let end = Instant::now().checked_add(timeout);
        let mut locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.now().done && !enough() {
            let left = end.map_or(Duration::from_hours(1), |end| {
                end.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(locked, left);
            locked = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Does the work on a thread of its own; `failed` is told of a panic or a missing thread.
    #[cfg(feature = "local")]
    pub(super) fn start(
        self: &Arc<Self>,
        name: &str,
        work: impl FnOnce(&Self) + Send + 'static,
        failed: impl Fn(String) + Send + Clone + 'static,
    ) {
        let job = Arc::clone(self);
        let tell = failed.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK);
        let spawned = thread.spawn(move || {
            let work = std::panic::AssertUnwindSafe(|| work(&job));
            if std::panic::catch_unwind(work).is_err() {
                tell("the kernel's thread ended in a defect of ours".to_owned());
            }
            job.finish();
        });
        if let Err(error) = spawned {
            failed(format!("no thread can be started: {error}"));
            self.finish();
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        table().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn news_come_by_number() {
        let job = Job::new();
        let id = job.id();
        job.tell(Some(0.5));
        let first = news(id, 0).await.unwrap();
        assert_eq!((first.progress, first.done), (0.5, false));
        let waiting = tokio::time::timeout(Duration::from_secs(1), news(id, first.version)).await;
        assert!(waiting.is_err(), "there was nothing new");
        cancel(id);
        assert!(news(id, first.version).await.unwrap().done);
        assert!(job.is_cancelled());
        drop(job);
        assert_eq!(news(id, 0).await, None);
        cancel(id);
    }

    #[test]
    fn a_blocking_wait_ends_with_the_job_or_with_its_time() {
        let job = Job::new();
        assert!(!job.wait(Duration::from_millis(1), || false));
        assert!(job.wait(Duration::from_millis(1), || true));
        let other = Arc::clone(&job);
        let thread = std::thread::spawn(move || other.finish());
        assert!(job.wait(Duration::from_mins(1), || false));
        thread.join().unwrap();
    }
}
