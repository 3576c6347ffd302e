//! The two ends of a connection: a thread that reads lines, a thread that writes them.
//!
//! Threads, because a pending read of standard input cannot be cancelled and must keep nothing else
//! from ending. What is written never waits in the agent: events queue up, and when a slow reader
//! lets the queue grow, updates and heartbeats are left out, data never.

use std::io::BufRead;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::wire::Notice;
use super::wire::Warning;

/// A request longer than this is refused.
pub(super) const LINE_LIMIT: usize = 64 * 1024 * 1024;

/// Lines that wait for us; then the client waits.
const WAITING_REQUESTS: usize = 64;

/// With so many lines unread by the client, updates are left out.
const WAITING_LINES: usize = 1_024;

/// One line of input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Line(Vec<u8>),
    TooLong,
}

/// Reads lines until the input ends or nobody listens any more.
pub(super) fn read_lines(mut input: Box<dyn BufRead + Send>) -> mpsc::Receiver<Input> {
    let (sender, receiver) = mpsc::channel(WAITING_REQUESTS);
    // Never joined: it may wait for input until the process ends.
    drop(std::thread::Builder::new().name("stdio-reader".to_owned()).spawn(move || {
        while let Some(line) = next_line(&mut *input) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    }));
    receiver
}

/// The next line without its end; `None` at the end of the input or when it fails.
fn next_line(input: &mut dyn BufRead) -> Option<Input> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let piece = match input.fill_buf() {
            Ok([]) if line.is_empty() && !too_long => return None,
            Ok([]) => break,
            Ok(piece) => piece,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::warn!(%error, "cannot read requests");
                return None;
            }
        };
        let end = memchr::memchr(b'\n', piece);
        let taken = end.unwrap_or(piece.len());
        too_long |= line.len() + taken > LINE_LIMIT;
        if too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(&piece[..taken]);
        }
        input.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            break;
        }
    }
    Some(if too_long { Input::TooLong } else { Input::Line(line) })
}

/// Where lines for the client go. Clones share one queue.
#[derive(Clone)]
pub(super) struct Outgoing {
    queue: mpsc::UnboundedSender<String>,
    waiting: Arc<AtomicUsize>,
}

impl Outgoing {
    /// Sends a line; whether the client is gone shows in the writer's end.
    pub(super) fn send(&self, line: &impl Serialize) {
        match serde_json::to_string(line) {
            Ok(text) => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                if self.queue.send(text).is_err() {
                    tracing::debug!("a line for a client that is gone");
                }
            }
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
        self.waiting.load(Ordering::Relaxed) > WAITING_LINES
    }
}

/// The writing thread. It ends when the last [`Outgoing`] is dropped, or cancels `gone` when the
/// client reads no more.
pub(super) fn write_lines(
    mut output: Box<dyn Write + Send>,
    gone: CancellationToken,
) -> std::io::Result<(Outgoing, JoinHandle<()>)> {
    let (queue, mut lines) = mpsc::unbounded_channel::<String>();
    let waiting = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&waiting);
    let thread = std::thread::Builder::new().name("stdio-writer".to_owned()).spawn(move || {
        while let Some(mut line) = lines.blocking_recv() {
            counter.fetch_sub(1, Ordering::Relaxed);
            line.push('\n');
            // One flush for all that is there already.
            let flush = lines.is_empty();
            let written = output.write_all(line.as_bytes());
            let written = if flush { written.and_then(|()| output.flush()) } else { written };
            if let Err(error) = written {
                tracing::debug!(%error, "the client reads no more");
                gone.cancel();
                return;
            }
        }
    })?;
    Ok((Outgoing { queue, waiting }, thread))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::io::Cursor;

    use super::*;

    fn lines(bytes: Vec<u8>) -> Vec<Input> {
        let mut input = BufReader::with_capacity(64 * 1024, Cursor::new(bytes));
        std::iter::from_fn(|| next_line(&mut input)).collect()
    }

    #[test]
    fn lines_come_whole_and_the_last_needs_no_end() {
        let read = lines(b"one\n\ntwo".to_vec());
        let line = |text: &str| Input::Line(text.as_bytes().to_vec());
        assert_eq!(read, [line("one"), line(""), line("two")]);
    }

    #[test]
    fn a_line_too_long_is_skipped_to_its_end() {
        let mut bytes = vec![b'x'; LINE_LIMIT + 1];
        bytes.extend_from_slice(b"\nnext\n");
        assert_eq!(lines(bytes), [Input::TooLong, Input::Line(b"next".to_vec())]);
    }
}
