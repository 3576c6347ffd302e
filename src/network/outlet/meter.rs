//! How many bytes a connection has carried: silence is told from outside, excess ends it at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;

/// Bytes in both directions.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    passed: Arc<AtomicU64>,
    most: u64,
}

impl Meter {
    /// `most`: bytes after which a stream fails; what is under way then still passes.
    pub(super) fn new(most: u64) -> Self {
        Self { passed: Arc::default(), most }
    }

    fn add(&self, bytes: usize) {
        self.passed.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn total(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    fn check(&self) -> io::Result<()> {
        if self.total() < self.most { Ok(()) } else { Err(io::ErrorKind::QuotaExceeded.into()) }
    }

    /// Ends when nothing has passed for `silence` (twice that at the latest).
    pub(super) async fn silent(&self, silence: Duration) {
        let mut before = self.total();
        loop {
            tokio::time::sleep(silence).await;
            let now = self.total();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

/// A stream whose bytes are counted.
pub(super) struct Metered<S> {
    pub(super) stream: S,
    pub(super) meter: Meter,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.meter.check()?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.meter.add(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.meter.check()?;
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.meter.add(count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.meter.check()?;
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.meter.add(count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
