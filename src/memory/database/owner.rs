//! The one thread that touches the database in this process.
//!
//! It starts with the first request and ends with the last handle; then the connection is closed,
//! which empties the write-ahead log where nobody else has the database open. Must never be asked
//! to wait for anything but the database.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::store::Store;
use crate::memory::error::MemoryError;

type Job = Box<dyn FnOnce(&mut Store) + Send>;

struct Running {
    jobs: mpsc::Sender<Job>,
    thread: JoinHandle<()>,
}

/// Where requests go.
pub(in crate::memory) struct Owner {
    /// Taken by the thread when it starts.
    store: Mutex<Option<Store>>,
    running: Mutex<Option<Running>>,
}

impl Owner {
    pub(in crate::memory) fn new(store: Store) -> Self {
        Self { store: Mutex::new(Some(store)), running: Mutex::new(None) }
    }

    /// Runs `work` on the owner's thread and waits for what it returns. It is done even if the caller
    /// goes away, but then waits for nobody's lock any more.
    pub(in crate::memory) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, MemoryError> + Send + 'static,
    ) -> Result<T, MemoryError> {
        self.begin(work)?.done().await
    }

    /// Hands `work` to the owner's thread and does not wait. Work is done in the order of handing.
    pub(in crate::memory) fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, MemoryError> + Send + 'static,
    ) -> Result<Pending<T>, MemoryError> {
        let (answer, wait) = oneshot::channel();
        let pending = Pending { wait, abandoned: Arc::default() };
        let abandoned = Arc::clone(&pending.abandoned);
        self.send(Box::new(move |store| {
            store.work_for(abandoned);
            // A caller that went away wants no answer.
            answer.send(work(store)).ok();
        }))?;
        Ok(pending)
    }

    fn send(&self, job: Job) -> Result<(), MemoryError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            let store = self.store.lock().unwrap_or_else(PoisonError::into_inner).take();
            *running = Some(start(store.ok_or(MemoryError::OwnerGone)?)?);
        }
        let jobs = running.as_ref().map(|running| &running.jobs).ok_or(MemoryError::OwnerGone)?;
        jobs.send(job).map_err(|_| MemoryError::OwnerGone)
    }
}

/// Work that was handed over. It is done even if nobody asks for the outcome, unless somebody else
/// keeps the database locked.
pub struct Pending<T> {
    wait: oneshot::Receiver<Result<T, MemoryError>>,
    abandoned: Arc<AtomicBool>,
}

impl<T> Pending<T> {
    /// Waits for the outcome.
    pub async fn done(mut self) -> Result<T, MemoryError> {
        (&mut self.wait).await.unwrap_or(Err(MemoryError::OwnerGone))
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

fn start(mut store: Store) -> Result<Running, MemoryError> {
    let path = store.path().to_path_buf();
    let (jobs, inbox) = mpsc::channel::<Job>();
    let thread = thread::Builder::new()
        .name("memory".to_owned())
        .spawn(move || {
            for job in inbox {
                job(&mut store);
            }
        })
        .map_err(|source| MemoryError::Io { action: "start a thread for", path, source })?;
    Ok(Running { jobs, thread })
}

impl Drop for Owner {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { jobs, thread }) = running {
            drop(jobs);
            if thread.join().is_err() {
                tracing::error!("the memory thread panicked");
            }
        }
    }
}
