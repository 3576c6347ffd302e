//! Reading what a command prints, for as long as it prints, into bounded memory.

use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::sandbox::Sandbox;
use crate::sandbox::command::Captured;
use crate::sandbox::command::CommandSpec;
use crate::sandbox::command::Live;
use crate::sandbox::command::Recorder;
use crate::sandbox::error::SandboxError;
use crate::system::process;

use super::start::Started;
use super::terminal;

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
    source: Option<Source>,
    recorder: Recorder,
    /// Gets every byte; nothing is read while it has no room.
    taker: Option<mpsc::Sender<Bytes>>,
}

/// What output is read from.
enum Source {
    Pipe(pipe::Receiver),
    /// Our end of the command's terminal.
    Terminal(AsyncFd<OwnedFd>),
}

impl Source {
    fn new(descriptor: OwnedFd, is_terminal: bool) -> io::Result<Self> {
        if is_terminal {
            terminal::watch(descriptor).map(Self::Terminal)
        } else {
            pipe::Receiver::from_owned_fd(descriptor).map(Self::Pipe)
        }
    }

    async fn ready(&self) {
        // An error shows again when reading.
        match self {
            Self::Pipe(pipe) => drop(pipe.readable().await),
            Self::Terminal(descriptor) => {
                if let Ok(mut guard) = descriptor.readable().await {
                    guard.retain_ready();
                }
            }
        }
    }

    /// Reads into the empty `piece`.
    fn try_read(&self, piece: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Pipe(pipe) => pipe.try_read_buf(piece),
            Self::Terminal(descriptor) => {
                let read = descriptor.try_io(Interest::READABLE, |descriptor| {
                    rustix::io::read(descriptor, rustix::buffer::spare_capacity(piece))
                        .map_err(io::Error::from)
                });
                match read {
                    // Its last user has closed it.
                    Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(0),
                    other => other,
                }
            }
        }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Pipe(pipe) => pipe.as_fd(),
            Self::Terminal(descriptor) => descriptor.as_fd(),
        }
    }
}

impl Output {
    /// Takes the pipes out of `started`.
    pub(super) fn new(
        started: &mut Started,
        sandbox: &Sandbox,
        command: &CommandSpec,
    ) -> Result<Self, SandboxError> {
        let (listener, [stdout, stderr]) = match &command.live {
            Live::Nobody => (None, [None, None]),
            Live::Shown(listener) => (Some(listener.clone()), [None, None]),
            Live::HandedOn { stdout, stderr } => {
                (None, [Some(stdout.clone()), Some(stderr.clone())])
            }
        };
        let stream = |descriptor: Option<OwnedFd>, taker| -> Result<Stream, SandboxError> {
            let source = descriptor
                .map(|descriptor| Source::new(descriptor, command.terminal))
                .transpose()
                .map_err(SandboxError::process)?;
            let recorder = Recorder::new(command.output_limit, sandbox.spill(command));
            Ok(Stream { source, recorder, taker })
        };
        Ok(Self {
            stdout: stream(started.stdout.take(), stdout)?,
            stderr: stream(started.stderr.take(), stderr)?,
            listener,
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
            .filter_map(|stream| Some(stream.source.as_ref()?.as_fd()))
            .collect();
        process::holders_of_pipes(&open)
    }

    /// What was printed up to the moment when everybody was gone. Waits only for who takes it.
    pub(super) async fn take_the_rest(&mut self) {
        for stream in [&mut self.stdout, &mut self.stderr] {
            loop {
                stream.room().await;
                if !stream.read_now(&mut self.piece, self.listener.as_ref()) {
                    break;
                }
            }
        }
    }

    pub(super) fn finish(self) -> (Captured, Captured) {
        (self.stdout.recorder.finish(), self.stderr.recorder.finish())
    }

    fn is_at_end(&self) -> bool {
        self.stdout.source.is_none() && self.stderr.source.is_none()
    }
}

impl Stream {
    async fn ready(&self) {
        let Some(source) = &self.source else { return std::future::pending().await };
        let Some(taker) = &self.taker else { return source.ready().await };
        let readable = async {
            self.room().await;
            source.ready().await;
        };
        tokio::select! {
            () = readable => {}
            () = taker.closed() => {}
        }
    }

    /// Returns once what is read next can be handed on, or nobody takes it any more.
    async fn room(&self) {
        if let Some(taker) = &self.taker {
            drop(taker.reserve().await);
        }
    }

    fn read(&mut self, piece: &mut Vec<u8>, listener: Option<&mpsc::Sender<Bytes>>) {
        self.read_now(piece, listener);
    }

    /// Reads once without waiting; false when nothing was there, or nobody has room for it.
    fn read_now(&mut self, piece: &mut Vec<u8>, listener: Option<&mpsc::Sender<Bytes>>) -> bool {
        let Some(source) = &self.source else { return false };
        let place = match self.taker.as_ref().map(mpsc::Sender::try_reserve).transpose() {
            Ok(place) => place,
            Err(TrySendError::Full(())) => return false,
            Err(TrySendError::Closed(())) => {
                // The command learns it by its next write.
                self.source = None;
                return false;
            }
        };
        piece.clear();
        match source.try_read(piece) {
            Ok(0) => {
                self.source = None;
                false
            }
            Ok(_) => {
                self.recorder.push(piece);
                if let Some(place) = place {
                    place.send(Bytes::copy_from_slice(piece));
                }
                if let Some(listener) = listener {
                    // A listener that is slow or gone loses pieces of the live view, not of the result.
                    drop(listener.try_send(Bytes::copy_from_slice(piece)));
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.source = None;
                false
            }
        }
    }
}
