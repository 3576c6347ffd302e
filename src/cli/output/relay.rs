//! What a command prints, handed on to our stream of the same kind while it runs: byte for byte, and on a
//! terminal so that it controls nothing.
//!
//! Little is kept: who is read slowly takes slowly, and so the command waits, as it would with a pipe of its
//! own. Where our reader is gone nothing is taken any more, which the command learns by its next write.

use std::io;
use std::io::Write;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Behind;
use super::Delivery;
use super::LAST_WORDS;
use super::WriteError;
use super::must_be_open;
use crate::cli::foreign::Filter;
use crate::system::terminal::Stream;

/// Bytes that may wait for our reader.
const AHEAD: usize = 256 << 10;

/// One stream of a command.
pub struct Relay {
    stream: Stream,
    way: Way,
    /// Where a person looks.
    filter: Option<Filter>,
}

enum Way {
    Behind(Behind),
    /// Where no further thread can be had.
    Direct(Box<dyn Write + Send>),
}

impl Relay {
    /// `target`: our stream of that kind.
    pub(super) fn new(
        stream: Stream,
        target: fn() -> Box<dyn Write + Send>,
        filter: Option<Filter>,
    ) -> Self {
        let way = Behind::new(target()).map_or_else(|_| Way::Direct(target()), Way::Behind);
        Self { stream, way, filter }
    }

    /// Takes pieces to the end of the stream, or until nobody reads: an error, or once `cancel` is cancelled
    /// a moment without progress. `pieces` is closed then.
    pub async fn take(
        &mut self,
        mut pieces: mpsc::Receiver<Bytes>,
        cancel: &CancellationToken,
    ) -> Result<(), WriteError> {
        loop {
            let piece = tokio::select! {
                piece = pieces.recv() => piece,
                error = self.broken() => return Err(error.into()),
            };
            let Some(piece) = piece else { break };
            if let Some(filter) = &mut self.filter {
                let shown = filter.push(&piece);
                self.write(&shown)?;
            } else {
                self.write(&piece)?;
            }
            if self.room(cancel).await == Delivery::GivenUp {
                return Ok(());
            }
        }
        let rest = self.filter.as_mut().map(Filter::finish).unwrap_or_default();
        self.write(&rest)
    }

    /// Waits until its reader has everything; see [`super::Output::delivered`].
    pub async fn delivered(&self, cancel: &CancellationToken) -> Result<Delivery, WriteError> {
        match &self.way {
            Way::Direct(_) => Ok(Delivery::Whole),
            Way::Behind(behind) => Ok(behind.delivered(cancel, None).await?),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.stream == Stream::Output {
            must_be_open()?;
        }
        match &mut self.way {
            Way::Behind(behind) => behind.push(bytes)?,
            Way::Direct(target) => target.write_all(bytes).and_then(|()| target.flush())?,
        }
        Ok(())
    }

    async fn room(&self, cancel: &CancellationToken) -> Delivery {
        let Way::Behind(behind) = &self.way else { return Delivery::Whole };
        let too_late = async {
            cancel.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            biased;
            () = behind.room(AHEAD) => Delivery::Whole,
            () = too_late => Delivery::GivenUp,
        }
    }

    /// Returns once nothing can be written any more.
    async fn broken(&self) -> io::Error {
        match &self.way {
            Way::Behind(behind) => behind.broken().await,
            Way::Direct(_) => std::future::pending().await,
        }
    }
}
