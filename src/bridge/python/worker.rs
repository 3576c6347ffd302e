//! The one thread on which Python runs, and the way to it.
//!
//! Jobs go in by a bounded channel, plain data comes back; nobody else attaches. The worker waits
//! detached. A caller that goes away (drops the future) or whose deadline passes gets its answer at
//! once, and Python is told to stop: if it does, the next call is served as if nothing had been; if
//! it does not within [`GRACE`], further calls fail with [`ErrorKind::Lost`] for as long as it does
//! not, because a thread inside C code cannot be ended from outside.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::timeout_at;

use super::attached::Attached;
use super::buffer::Returned;
use super::convert;
use super::error::BridgeError;
use super::error::ErrorKind;
use super::interpreter;
use crate::system::memory::pages;

/// Jobs that may wait; more callers than that wait for room.
const QUEUE: usize = 64;
/// Python's frames are on the heap, those of its C parts are not: parser, JSON scanner and `repr`
/// recurse up to 10,000 deep before they raise `RecursionError`.
const STACK: usize = 16 << 20;
/// How long Python may take to stop once told to.
pub const GRACE: Duration = Duration::from_secs(1);
/// How long a call may take unless the caller says otherwise.
pub const CALL_DEADLINE: Duration = Duration::from_mins(1);

/// What a call gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// JSON text.
    pub json: String,
    /// Memory of Python; it stays alive until dropped.
    pub buffers: Vec<Bytes>,
}

/// One call on its way to the worker.
struct Job {
    id: u64,
    op: &'static str,
    payload: String,
    buffers: Vec<Bytes>,
    reply: oneshot::Sender<Result<Answer, BridgeError>>,
    span: tracing::Span,
}

enum Message {
    Call(Job),
    /// Buffers have come back and want to be released.
    Release,
}

/// The interpreter of this process. Cheap to get and to clone; started by the first call.
#[derive(Clone)]
pub struct Python(Arc<Worker>);

struct Worker {
    jobs: OnceLock<mpsc::Sender<Message>>,
    next: AtomicU64,
    /// Id of the last job that ended; told so that waiters look at what runs.
    ended: watch::Sender<u64>,
    /// The running job whose caller has gone, and since when.
    abandoned: Mutex<Option<(u64, Instant)>>,
}

impl Python {
    /// The interpreter that all callers of this process share. Starts nothing.
    pub fn shared() -> Self {
        static SHARED: OnceLock<Python> = OnceLock::new();
        SHARED.get_or_init(Self::new).clone()
    }

    fn new() -> Self {
        Self(Arc::new(Worker {
            jobs: OnceLock::new(),
            next: AtomicU64::new(1),
            ended: watch::Sender::new(0),
            abandoned: Mutex::new(None),
        }))
    }

    /// How often an interpreter was started in this process: 0 or 1.
    pub fn starts() -> u64 {
        interpreter::starts()
    }

    /// Starts the interpreter in the background, so that it is up when it is needed. Returns at
    /// once; a failure shows in the first call.
    pub fn warm_up(&self) {
        self.0.jobs();
    }

    /// [`Self::call`] with values: payload and answer cross as JSON text, and nothing else does.
    pub async fn ask<P: Serialize, A: DeserializeOwned>(
        &self,
        op: &'static str,
        payload: &P,
    ) -> Result<A, BridgeError> {
        self.ask_with(op, payload, Vec::new()).await.map(|(answer, _)| answer)
    }

    /// [`Self::ask`] with buffers to lend, and those that come back.
    pub async fn ask_with<P: Serialize, A: DeserializeOwned>(
        &self,
        op: &'static str,
        payload: &P,
        buffers: Vec<Bytes>,
    ) -> Result<(A, Vec<Bytes>), BridgeError> {
        let payload = convert::to_wire(op, payload)?;
        let answer = self.call(op, payload, buffers).await?;
        Ok((convert::from_wire(op, &answer.json)?, answer.buffers))
    }

    /// [`Self::call_within`] with [`CALL_DEADLINE`].
    pub async fn call(
        &self,
        op: &'static str,
        payload: String,
        buffers: Vec<Bytes>,
    ) -> Result<Answer, BridgeError> {
        self.call_within(CALL_DEADLINE, op, payload, buffers).await
    }

    /// Carries out `op` (see `names`) on `payload` (JSON text) and `buffers` (lent, not copied).
    ///
    /// Dropping the future cancels the call. `limit` covers waiting for other calls as well.
    pub async fn call_within(
        &self,
        limit: Duration,
        op: &'static str,
        payload: String,
        buffers: Vec<Bytes>,
    ) -> Result<Answer, BridgeError> {
        let deadline = Instant::now() + limit;
        let worker = &self.0;
        worker.wait_for_abandoned().await?;
        let id = worker.next.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let span = tracing::debug_span!("python", op);
        let job = Job { id, op, payload, buffers, reply, span };
        let late = || {
            BridgeError::new(
                ErrorKind::Deadline,
                format!("python took longer than {limit:?} for `{op}`"),
            )
        };
        match timeout_at(deadline, worker.jobs().send(Message::Call(job))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(lost()),
            Err(_) => return Err(late()),
        }
        let mut waiting = Waiting { worker, id, answer: Some(answer) };
        match timeout_at(deadline, waiting.answer()).await {
            Ok(result) => result,
            Err(_) => Err(late()),
        }
    }
}

/// A caller that waits. Dropped before its answer has come, it tells Python to stop.
struct Waiting<'a> {
    worker: &'a Worker,
    id: u64,
    answer: Option<oneshot::Receiver<Result<Answer, BridgeError>>>,
}

impl Waiting<'_> {
    async fn answer(&mut self) -> Result<Answer, BridgeError> {
        let Some(receiver) = self.answer.as_mut() else { return Err(lost()) };
        let result = receiver.await;
        self.answer = None;
        result.unwrap_or_else(|_| Err(lost()))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Closing comes first: a worker that takes the job from now on sees it and skips the job.
        if self.answer.take().is_some() && interpreter::running() == self.id {
            *self.worker.abandoned() = Some((self.id, Instant::now()));
            interpreter::interrupt(self.id);
        }
    }
}

impl Worker {
    fn abandoned(&self) -> std::sync::MutexGuard<'_, Option<(u64, Instant)>> {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way in; the first caller starts the thread.
    fn jobs(self: &Arc<Self>) -> &mpsc::Sender<Message> {
        self.jobs.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let worker = Arc::clone(self);
            let wake = sender.downgrade();
            // CPython will write to most of it. Before its thread is there: each page of data that a second
            // processor may know would have to be announced to it.
            pages::fill_own_data();
            let thread = std::thread::Builder::new().name("python".to_owned()).stack_size(STACK);
            // A thread that cannot be started drops the receiver: each call then fails as lost.
            if let Err(error) = thread.spawn(move || worker.run(receiver, wake)) {
                tracing::error!(%error, "the thread for python cannot be started");
            }
            sender
        })
    }

    /// Returns when no job without a caller runs; an error when it does not end in time.
    async fn wait_for_abandoned(&self) -> Result<(), BridgeError> {
        let Some((id, since)) = *self.abandoned() else { return Ok(()) };
        let mut ended = self.ended.subscribe();
        match timeout_at(since + GRACE, ended.wait_for(|_| interpreter::running() != id)).await {
            Ok(Ok(_)) => {
                self.abandoned().take_if(|(abandoned, _)| *abandoned == id);
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(lost()),
        }
    }

    /// The thread: until the process ends.
    fn run(&self, mut messages: mpsc::Receiver<Message>, wake: mpsc::WeakSender<Message>) {
        let returned = Arc::new(Returned::new(move || {
            // A full channel needs no wake-up: the worker looks at what came back at each message.
            if let Some(sender) = wake.upgrade() {
                sender.try_send(Message::Release).ok();
            }
        }));
        let attached = Attached::start(returned);
        while let Some(message) = messages.blocking_recv() {
            match message {
                Message::Call(job) => self.serve(job, attached.as_ref()),
                Message::Release => {
                    if let Ok(attached) = &attached {
                        attached.release_returned();
                    }
                }
            }
        }
    }

    fn serve(&self, job: Job, attached: Result<&Attached, &BridgeError>) {
        let Job { id, op, payload, buffers, reply, span } = job;
        interpreter::set_running(id);
        let result = span.in_scope(|| match attached {
            // The caller went away while the job waited.
            _ if reply.is_closed() => None,
            Ok(attached) => Some(attached.handle(op, &payload, buffers)),
            Err(error) => Some(Err(error.clone())),
        });
        interpreter::set_running(0);
        self.ended.send_replace(id);
        if let Some(result) = result {
            // A caller that has gone meanwhile does not want the answer.
            reply.send(result).ok();
        }
    }
}

fn lost() -> BridgeError {
    BridgeError::new(ErrorKind::Lost, "the python interpreter does not respond any more")
}
