//! The agent's end of the socket to a keeper: what it reports, and what it is told.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;
use rustix::net::Shutdown;
use rustix::net::sockopt::Timeout;
use rustix::net::sockopt::set_socket_timeout;
use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sandbox::error::SandboxError;
use crate::sandbox::policy::Rung;
use crate::system::process;
use crate::system::signal;

use super::capture::Output;
use super::spec;
use super::spec::REPORT_BYTES;
use super::spec::Report;
use super::start;

/// How long a keeper may take for its ladder; after this it is ended itself, and with it everything in its
/// process namespace.
const KEEPER_PATIENCE: Duration = Duration::from_secs(5);
/// How long a keeper without a namespace is waited for: without it nobody would end what is left.
const LONG_PATIENCE: Duration = Duration::from_secs(15);

/// The agent's end of the socket to a keeper.
#[derive(Debug)]
pub(super) struct Control {
    socket: Option<AsyncFd<OwnedFd>>,
    /// The keeper's pidfd, once it has said that it is there.
    keeper: Option<OwnedFd>,
    rung: Rung,
}

impl Control {
    pub(super) fn new(socket: OwnedFd, rung: Rung) -> Result<Self, SandboxError> {
        let socket = process::watched(socket).map_err(SandboxError::process)?;
        Ok(Self { socket: Some(socket), keeper: None, rung })
    }

    /// Whether a keeper was started for this command.
    pub(super) fn has_keeper(&self) -> bool {
        self.keeper.is_some()
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &self.socket {
            Some(socket) => start::send(socket.as_fd(), bytes).await,
            None => Ok(()),
        }
    }

    /// The next report on the command; `None` once the keeper is gone. Cancelling it loses nothing: a
    /// report comes as one piece.
    pub(super) async fn report(&mut self) -> Option<Report> {
        let socket = self.socket.as_ref()?;
        loop {
            let receive = |socket: &OwnedFd| Ok(receive(socket, RecvFlags::DONTWAIT)?);
            let received = socket.async_io(Interest::READABLE, receive).await;
            match received.ok()?? {
                (Report::Started, keeper) => self.keeper = keeper,
                (report, _) => return Some(report),
            }
        }
    }

    /// Asks the keeper to end the command, and goes on reading what it prints until it has.
    pub(super) async fn terminate(&mut self, output: &mut Output) -> Option<Report> {
        self.tell(spec::TERMINATE).await;
        let deadline = tokio::time::Instant::now() + KEEPER_PATIENCE;
        let mut hurried = std::pin::pin!(signal::hurried());
        let mut is_hurried = false;
        loop {
            tokio::select! {
                biased;
                report = self.report() => return report,
                () = tokio::time::sleep_until(deadline) => return None,
                () = &mut hurried, if !is_hurried => {
                    is_hurried = true;
                    self.kill().await;
                }
                () = output.read_some() => {}
            }
        }
    }

    /// The keeper sees that nobody listens any more.
    pub(super) fn let_go(&mut self) {
        self.socket = None;
    }

    /// What is left to be waited for; `None` after [`Self::let_go`].
    pub(super) fn take(&mut self) -> Option<Ending> {
        let socket = self.socket.take()?.into_inner();
        Some(Ending { socket, keeper: self.keeper.take() })
    }

    /// Has the keeper end everything that is left, now.
    pub(super) async fn kill(&mut self) {
        self.tell(spec::KILL).await;
    }

    async fn tell(&mut self, order: u8) {
        // Gone already: then it has done so.
        drop(self.write(&[order]).await);
    }

    /// Waits for the keeper's own end, in namespaces by force if it takes too long.
    pub(super) async fn keeper_ended(&mut self) -> Result<(), SandboxError> {
        let patience = if self.rung == Rung::Namespaces { KEEPER_PATIENCE } else { LONG_PATIENCE };
        let last = async {
            let mut last = None;
            while let Some(report) = self.report().await {
                last = Some(report);
            }
            last
        };
        let last = tokio::time::timeout(patience, last).await;
        if last == Ok(Some(Report::Left)) {
            return self.left();
        }
        if last.is_err() && self.rung != Rung::Namespaces {
            // It goes on for as long as something is left.
            return self.left();
        }
        let Some(keeper) = self.keeper.take() else { return Ok(()) };
        if last.is_err() {
            // Gone meanwhile: that is what is wanted.
            let _ = rustix::process::pidfd_send_signal(&keeper, Signal::KILL);
        }
        // The socket is closed a moment before a process namespace is empty.
        process::ended(keeper).await.map_err(SandboxError::process)
    }

    /// Processes of the command are there that could not be ended. Nothing bounded is of another user;
    /// without bounds a command may well leave such a process (`sudo`).
    fn left(&self) -> Result<(), SandboxError> {
        if self.rung != Rung::None {
            return Err(SandboxError::Survivors);
        }
        tracing::warn!("processes that the command has started could not be ended");
        Ok(())
    }
}

/// A keeper whose command nobody is interested in any more.
pub(super) struct Ending {
    socket: OwnedFd,
    keeper: Option<OwnedFd>,
}

impl Ending {
    /// Tells the keeper, and blocks until it has ended, for as long as it may take.
    pub(super) fn wait(self) -> io::Result<()> {
        let Self { socket, mut keeper } = self;
        set_socket_timeout(&socket, Timeout::Recv, Some(LONG_PATIENCE))?;
        rustix::net::shutdown(&socket, Shutdown::Write)?;
        loop {
            match receive(&socket, RecvFlags::empty()) {
                Ok(Some((Report::Left, _))) => return Err(io::Error::other("processes are left")),
                Ok(Some((_, pidfd))) => keeper = pidfd.or(keeper),
                Ok(None) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match keeper {
            Some(keeper) if !process::ended_within(&keeper, LONG_PATIENCE) => {
                Err(io::ErrorKind::TimedOut.into())
            }
            _ => Ok(()),
        }
    }
}

/// One report and what came along; `None` at the end.
fn receive(
    socket: &OwnedFd,
    flags: RecvFlags,
) -> rustix::io::Result<Option<(Report, Option<OwnedFd>)>> {
    let mut bytes = [0; REPORT_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [io::IoSliceMut::new(&mut bytes)];
    let received =
        rustix::net::recvmsg(socket, &mut buffers, &mut ancillary, flags | RecvFlags::CMSG_CLOEXEC);
    let count = match received {
        Ok(received) => received.bytes,
        // It ended before it had read all.
        Err(Errno::CONNRESET) => 0,
        Err(error) => return Err(error),
    };
    let mut descriptor = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(list) = message {
            descriptor = list.last().or(descriptor);
        }
    }
    if count < REPORT_BYTES {
        return Ok(None);
    }
    Ok(Report::decode(bytes).map(|report| (report, descriptor)))
}
