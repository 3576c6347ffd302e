//! Reading what a command prints, for as long as it prints, into bounded memory.

use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use crate::sandbox::command::Captured;
use crate::sandbox::command::CommandSpec;
use crate::sandbox::command::Recorder;
use crate::sandbox::error::SandboxError;
use crate::system::process;

use super::start::Started;

/// How long output is waited for after the command itself has ended.
const DRAIN: Duration = Duration::from_millis(250);
/// Bytes of one read; a pipe holds as much.
const PIECE: usize = 64 << 10;

/// Both output streams of a command.
pub(super) struct Output {
    stdout: Stream,
    stderr: Stream,
    listener: Option<mpsc::Sender<Bytes>>,
    /// Empty between reads; its memory is used again, and never written but by the kernel.
    piece: Vec<u8>,
}

struct Stream {
    /// `None` once at its end.
    pipe: Option<pipe::Receiver>,
    recorder: Recorder,
}

impl Output {
    /// Takes the pipes out of `started`.
    pub(super) fn new(started: &mut Started, command: &CommandSpec) -> Result<Self, SandboxError> {
        let stream = |pipe: Option<OwnedFd>| -> Result<Stream, SandboxError> {
            let pipe = pipe
                .map(pipe::Receiver::from_owned_fd)
                .transpose()
                .map_err(SandboxError::process)?;
            Ok(Stream { pipe, recorder: Recorder::new(command.output_limit) })
        };
        Ok(Self {
            stdout: stream(started.stdout.take())?,
            stderr: stream(started.stderr.take())?,
            listener: command.on_output.clone(),
            piece: Vec::with_capacity(PIECE),
        })
    }

    /// Reads what is there, or waits for it. Never ready once both streams are at their end. Losing the
    /// race against another future loses no byte.
    pub(super) async fn read_some(&mut self) {
        let Self { stdout, stderr, listener, piece } = self;
        tokio::select! {
            () = stdout.ready() => stdout.read(piece, listener.as_ref()),
            () = stderr.ready() => stderr.read(piece, listener.as_ref()),
        }
    }

    /// Waits for the end of both streams, for a moment only; then says who still holds them.
    pub(super) async fn drain(&mut self) -> Vec<u32> {
        let all = async {
            while !self.is_at_end() {
                self.read_some().await;
            }
        };
        if tokio::time::timeout(DRAIN, all).await.is_ok() {
            return Vec::new();
        }
        let open: Vec<BorrowedFd<'_>> = [&self.stdout, &self.stderr]
            .iter()
            .filter_map(|stream| Some(stream.pipe.as_ref()?.as_fd()))
            .collect();
        process::holders_of_pipes(&open)
    }

    /// What was printed up to the moment when everybody was gone.
    pub(super) fn take_the_rest(&mut self) {
        for stream in [&mut self.stdout, &mut self.stderr] {
            while stream.read_now(&mut self.piece, self.listener.as_ref()) {}
        }
    }

    pub(super) fn finish(self) -> (Captured, Captured) {
        (self.stdout.recorder.finish(), self.stderr.recorder.finish())
    }

    fn is_at_end(&self) -> bool {
        self.stdout.pipe.is_none() && self.stderr.pipe.is_none()
    }
}

impl Stream {
    async fn ready(&self) {
        match &self.pipe {
            // An error shows again when reading.
            Some(pipe) => drop(pipe.readable().await),
            None => std::future::pending().await,
        }
    }

    fn read(&mut self, piece: &mut Vec<u8>, listener: Option<&mpsc::Sender<Bytes>>) {
        self.read_now(piece, listener);
    }

    /// Reads once without waiting; false when nothing was there.
    fn read_now(&mut self, piece: &mut Vec<u8>, listener: Option<&mpsc::Sender<Bytes>>) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        piece.clear();
        match pipe.try_read_buf(piece) {
            Ok(0) => {
                self.pipe = None;
                false
            }
            Ok(_) => {
                self.recorder.push(piece);
                if let Some(listener) = listener {
                    // A listener that is slow or gone loses pieces of the live view, not of the result.
                    drop(listener.try_send(Bytes::copy_from_slice(piece)));
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.pipe = None;
                false
            }
        }
    }
}
