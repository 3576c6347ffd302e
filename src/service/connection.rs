//! The client's end that we read: a thread, because a pending read of standard input cannot be
//! cancelled and must keep nothing else from ending.
//!
//! It reads ahead only so far: then the client waits.

use std::io::BufRead;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;

/// A request longer than this is refused. Requests that are not answered yet have no more in all.
pub(super) const LINE_LIMIT: u32 = 64 * 1024 * 1024;

/// Lines that wait for us; then the client waits.
const WAITING_REQUESTS: usize = 64;

/// One line of input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Line(Vec<u8>),
    TooLong,
}

/// A line, and the room that it takes until its permit is dropped.
pub(super) type Received = (Input, OwnedSemaphorePermit);

/// Reads lines until the input ends or nobody listens any more.
pub(super) fn read_lines(
    mut input: Box<dyn BufRead + Send>,
) -> std::io::Result<mpsc::Receiver<Received>> {
    let (sender, receiver) = mpsc::channel(WAITING_REQUESTS);
    let runtime = Handle::current();
    let room = Arc::new(Semaphore::new(LINE_LIMIT as usize));
    // Never joined: it may wait for input until the process ends.
    std::thread::Builder::new().name("stdio-reader".to_owned()).spawn(move || {
        while let Some(line) = next_line(&mut *input) {
            let bytes = match &line {
                Input::Line(bytes) => u32::try_from(bytes.len()).unwrap_or(LINE_LIMIT),
                Input::TooLong => 0,
            };
            let permit = runtime.block_on(Arc::clone(&room).acquire_many_owned(bytes));
            // The room is never closed.
            let Ok(permit) = permit else { return };
            if sender.blocking_send((line, permit)).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
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
        too_long |= line.len() + taken > LINE_LIMIT as usize;
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
        let mut bytes = vec![b'x'; LINE_LIMIT as usize + 1];
        bytes.extend_from_slice(b"\nnext\n");
        assert_eq!(lines(bytes), [Input::TooLong, Input::Line(b"next".to_vec())]);
    }
}
