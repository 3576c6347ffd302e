//! What is said to the client: a queue that whoever speaks waits for, and the thread that writes it.
//!
//! Saying something never waits, since events come from where nobody may wait; beginning something
//! does ([`Outgoing::room`]). So a client that does not read holds up what it asked for, and what
//! waits for it is at most a full queue and one piece of each work under way.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::wire::Notice;
use super::wire::Warning;

/// With so many lines unread, nothing is begun and updates are left out.
pub(super) const FULL_LINES: usize = 1_024;

/// The same in bytes.
const FULL_BYTES: usize = 16 << 20;

/// With so many lines unread, no request is read either: what is answered at once has to end
/// somewhere as well.
const BRIM_LINES: usize = 4 * FULL_LINES;

/// A client that takes nothing for so long while the service ends is taken for gone.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Where lines for the client go. Clones share one queue.
#[derive(Clone)]
pub(super) struct Outgoing(Arc<Queue>);

struct Queue {
    /// Locked for single statements; the writer writes without it.
    waiting: Mutex<Waiting>,
    /// There is a line, or there will be none any more.
    filled: Condvar,
    /// There is one line less.
    taken: Notify,
    /// The client reads no more.
    gone: CancellationToken,
    /// The writer has ended.
    written: CancellationToken,
    /// Why the client did not get everything. Set once.
    failure: OnceLock<std::io::Error>,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<String>,
    bytes: usize,
    /// Lines that the writer has taken, in all.
    taken: u64,
    closed: bool,
}

impl Waiting {
    fn is_full(&self) -> bool {
        self.lines.len() >= FULL_LINES || self.bytes >= FULL_BYTES
    }
}

impl Outgoing {
    /// Starts the writing thread. `gone` is cancelled when the client reads no more.
    pub(super) fn start(
        output: Box<dyn Write + Send>,
        gone: CancellationToken,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            taken: Notify::new(),
            gone,
            written: CancellationToken::new(),
            failure: OnceLock::new(),
        });
        let writer = Arc::clone(&queue);
        // Not joined: it may wait for the client until the process ends.
        std::thread::Builder::new().name("stdio-writer".to_owned()).spawn(move || {
            if let Err(error) = writer.write(output) {
                writer.give_up(error);
            }
            writer.written.cancel();
        })?;
        Ok(Self(queue))
    }

    /// Says a line. It is dropped when the client is gone.
    pub(super) fn send(&self, line: &impl Serialize) {
        match serde_json::to_string(line) {
            Ok(text) => self.0.push(text),
            Err(error) => tracing::error!(%error, "a line cannot be written as JSON"),
        }
    }

    /// Tells what is odd about a configuration.
    pub(super) fn warn(&self, run: Option<&str>, warnings: Vec<Warning>) {
        for warning in warnings {
            self.send(&Notice::Warning { run: run.map(str::to_owned), warning });
        }
    }

    /// Whether the client reads so slowly that what can be left out should be.
    pub(super) fn is_crowded(&self) -> bool {
        self.0.waiting().is_full()
    }

    /// Waits until something new may be begun. At once where nobody reads any more: what is said then
    /// takes no room.
    pub(super) async fn room(&self) {
        self.0.wait_until(|waiting| !waiting.is_full()).await;
    }

    /// Waits until a request may be read that is answered at once.
    pub(super) async fn room_for_answers(&self) {
        self.0.wait_until(|waiting| waiting.lines.len() < BRIM_LINES).await;
    }

    /// Waits for `work` for as long as the client goes on reading what it says.
    pub(super) async fn while_read(&self, work: impl Future<Output = ()>) {
        let mut work = std::pin::pin!(work);
        let mut before = self.0.waiting().taken;
        loop {
            tokio::select! {
                biased;
                () = &mut work => return,
                () = tokio::time::sleep(LAST_WORDS) => {
                    let (taken, is_waiting) = {
                        let waiting = self.0.waiting();
                        (waiting.taken, waiting.closed || !waiting.lines.is_empty())
                    };
                    if is_waiting && taken == before {
                        let error = std::io::Error::other("nobody reads it");
                        self.0.give_up(error);
                    }
                    before = taken;
                }
            }
        }
    }

    /// Says nothing more, and waits until all is written, or nobody reads it, which is the error.
    pub(super) async fn finish(self) -> std::io::Result<()> {
        self.0.waiting().closed = true;
        self.0.filled.notify_all();
        self.while_read(async {
            tokio::select! {
                () = self.0.written.cancelled() => {}
                () = self.0.gone.cancelled() => {}
            }
        })
        .await;
        match self.0.failure.get() {
            Some(error) => Err(std::io::Error::new(error.kind(), error.to_string())),
            None => Ok(()),
        }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // A panic between two statements leaves nothing half done here.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, text: String) {
        if self.gone.is_cancelled() {
            return;
        }
        let mut waiting = self.waiting();
        waiting.bytes += text.len();
        waiting.lines.push_back(text);
        drop(waiting);
        self.filled.notify_one();
    }

    /// The next line, and whether it is the last for now; `None` at the end.
    fn pop(&self) -> Option<(String, bool)> {
        let mut waiting = self.waiting();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                waiting.bytes -= line.len();
                waiting.taken += 1;
                let is_last = waiting.lines.is_empty();
                drop(waiting);
                self.taken.notify_waiters();
                return Some((line, is_last));
            }
            if waiting.closed {
                return None;
            }
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn write(&self, mut output: Box<dyn Write + Send>) -> std::io::Result<()> {
        while let Some((mut line, is_last)) = self.pop() {
            line.push('\n');
            output.write_all(line.as_bytes())?;
            // One flush for all that is there already.
            if is_last {
                output.flush()?;
            }
        }
        Ok(())
    }

    /// Nobody reads: nothing waits any more.
    fn give_up(&self, error: std::io::Error) {
        tracing::debug!(%error, "the client reads no more");
        // The first reason is the one.
        self.failure.set(error).ok();
        self.gone.cancel();
        let mut waiting = self.waiting();
        waiting.lines.clear();
        waiting.bytes = 0;
    }

    async fn wait_until(&self, condition: impl Fn(&Waiting) -> bool) {
        let mut taken = std::pin::pin!(self.taken.notified());
        loop {
            // From here on no line that is taken goes unnoticed.
            taken.as_mut().enable();
            if self.gone.is_cancelled() || condition(&self.waiting()) {
                return;
            }
            tokio::select! {
                () = taken.as_mut() => taken.set(self.taken.notified()),
                () = self.gone.cancelled() => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn start(output: impl Write + Send + 'static) -> Outgoing {
        Outgoing::start(Box::new(output), CancellationToken::new()).unwrap()
    }

    #[tokio::test]
    async fn what_is_full_waits_for_the_reader_and_loses_nothing() {
        let (mut from, output) = std::io::pipe().unwrap();
        let outgoing = start(output);
        let speaker = outgoing.clone();
        let said = tokio::spawn(async move {
            for number in 0..20_000_u32 {
                speaker.room().await;
                speaker.send(&number);
            }
        });
        // Until the pipe and the queue are full.
        while !outgoing.is_crowded() {
            tokio::task::yield_now().await;
        }
        assert_eq!(outgoing.0.waiting().lines.len(), FULL_LINES);
        let reader = tokio::task::spawn_blocking(move || {
            let mut all = String::new();
            from.read_to_string(&mut all).map(|_| all)
        });
        said.await.unwrap();
        outgoing.finish().await.unwrap();
        let all = reader.await.unwrap().unwrap();
        assert!(all.lines().map(str::to_owned).eq((0..20_000_u32).map(|n| n.to_string())));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_does_not_wait_for_a_client_that_reads_nothing() {
        let (from, output) = std::io::pipe().unwrap();
        let outgoing = start(output);
        let long = "x".repeat(FULL_BYTES);
        outgoing.send(&long);
        outgoing.send(&long);
        outgoing.while_read(outgoing.room()).await;
        outgoing.send(&1);
        assert!(outgoing.0.waiting().lines.is_empty(), "what nobody reads takes no room");
        assert_eq!(outgoing.finish().await.unwrap_err().to_string(), "nobody reads it");
        drop(from);
    }
}
