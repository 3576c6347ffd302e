//! Standard output, written by a thread of its own: whoever hands text over never waits for the reader.
//!
//! A run must be able to end while nobody reads (a full pipe, a stopped terminal): its clock and its
//! signals are looked at by the thread that would otherwise stand in the write. How much may pile up is
//! for the caller to bound, with [`Behind::room`].

use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Delivery;
use super::LAST_WORDS;

/// Clones hand over to the same thread, which ends with the process.
#[derive(Clone)]
pub struct Behind {
    chunks: mpsc::Sender<Vec<u8>>,
    standing: Arc<watch::Sender<Standing>>,
}

#[derive(Default)]
struct Standing {
    /// Bytes that were handed over and are not written yet.
    pending: usize,
    /// Why nothing is written any more.
    error: Option<io::Error>,
}

impl Behind {
    /// Starts the thread.
    pub fn new(target: impl Write + Send + 'static) -> io::Result<Self> {
        let (chunks, inbox) = mpsc::channel();
        let standing = Arc::new(watch::Sender::new(Standing::default()));
        let told = Arc::clone(&standing);
        std::thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || write_all(target, &inbox, &told))?;
        Ok(Self { chunks, standing })
    }

    /// Hands bytes over. An error is that of an earlier write.
    pub fn push(&self, bytes: &[u8]) -> io::Result<()> {
        self.check()?;
        self.standing.send_modify(|standing| standing.pending += bytes.len());
        if self.chunks.send(bytes.to_vec()).is_err() {
            // An error since we looked.
            self.check()?;
            return Err(io::Error::other("its thread has ended"));
        }
        Ok(())
    }

    /// The error of an earlier write.
    pub fn check(&self) -> io::Result<()> {
        match &self.standing.borrow().error {
            None => Ok(()),
            Some(error) => Err(match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
        }
    }

    /// Waits for the first error of a write.
    pub async fn broken(&self) -> io::Error {
        let mut standing = self.standing.subscribe();
        drop(standing.wait_for(|it| it.error.is_some()).await);
        self.check().err().unwrap_or_else(|| io::Error::other("its thread has ended"))
    }

    /// Waits until all of it is written: at most a moment once `cancel` is cancelled, and for `patience`
    /// where there is one.
    pub async fn delivered(
        &self,
        cancel: &CancellationToken,
        patience: Option<Duration>,
    ) -> io::Result<Delivery> {
        let too_late = async {
            let rest = patience.unwrap_or(Duration::MAX);
            tokio::select! {
                () = cancel.cancelled() => tokio::time::sleep(LAST_WORDS.min(rest)).await,
                () = tokio::time::sleep(rest) => {}
            }
        };
        tokio::select! {
            biased;
            () = self.room(0) => {}
            () = too_late => return Ok(Delivery::GivenUp),
        }
        self.check()?;
        Ok(Delivery::Whole)
    }

    /// Whether more than so many bytes wait to be written.
    pub fn is_over(&self, bytes: usize) -> bool {
        let standing = self.standing.borrow();
        standing.error.is_none() && standing.pending > bytes
    }

    /// Returns once no more than so many bytes wait, or nothing is written any more.
    pub async fn room(&self, bytes: usize) {
        let mut standing = self.standing.subscribe();
        let is_there = |it: &Standing| it.pending <= bytes || it.error.is_some();
        // An error would mean that the sender is gone, and this holds it.
        drop(standing.wait_for(is_there).await);
    }
}

fn write_all(
    mut target: impl Write,
    inbox: &mpsc::Receiver<Vec<u8>>,
    standing: &watch::Sender<Standing>,
) {
    while let Ok(chunk) = inbox.recv() {
        let written = target.write_all(&chunk).and_then(|()| target.flush());
        let is_broken = written.is_err();
        standing.send_modify(|standing| {
            standing.pending -= chunk.len();
            standing.error = written.err();
        });
        if is_broken {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what comes when it is told to.
    struct Gate(mpsc::Receiver<io::Result<()>>, Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)??;
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn nobody_waits_but_who_asks_for_room_and_errors_come_back() {
        let (go, gate) = mpsc::channel();
        let all = Arc::default();
        let behind = Behind::new(Gate(gate, Arc::clone(&all))).unwrap();
        behind.push(b"one").unwrap();
        behind.push(b"two!").unwrap();
        assert!(behind.is_over(6) && !behind.is_over(7));
        let early = tokio::time::timeout(Duration::from_millis(50), behind.room(4));
        assert!(early.await.is_err());
        go.send(Ok(())).unwrap();
        behind.room(4).await;
        go.send(Ok(())).unwrap();
        behind.room(0).await;
        assert_eq!(*all.lock().unwrap(), b"onetwo!");
        behind.push(b"three").unwrap();
        go.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        behind.room(0).await;
        assert_eq!(behind.push(b"four").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(behind.check().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(!behind.is_over(0));
    }
}
