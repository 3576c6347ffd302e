//! The agent's end of the launcher: one per sandbox, started with the first command.
//!
//! A launcher holds its bounds as they were when it started. Where they are no longer right (a directory
//! that was replaced, a rung that could not be had) the next command gets a new one.

use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::io::Errno;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendAncillaryMessage;
use rustix::net::SendFlags;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;
use tokio::sync::Mutex;

use crate::sandbox::HELPER_ARGUMENT;
use crate::sandbox::Sandbox;
use crate::sandbox::error::SandboxError;
use crate::sandbox::policy::Reach;
use crate::sandbox::policy::Rung;
use crate::system::process;
use crate::system::process::executable;

use super::grants::Granted;
use super::limits;
use super::passage::Gate;
use super::passage::Passage;
use super::spec;
use super::spec::Bounds;
use super::start;

/// A launcher ends once its keepers have, which have been told to; after this it is killed.
const PATIENCE: Duration = Duration::from_millis(500);

/// The place for a sandbox's launcher.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Launchers(Mutex<Option<Arc<Launcher>>>);

impl Launchers {
    /// A launcher for `rung` whose bounds are right.
    pub(super) async fn get(
        &self,
        sandbox: &Sandbox,
        rung: Rung,
    ) -> Result<Arc<Launcher>, SandboxError> {
        let mut place = self.0.lock().await;
        if let Some(launcher) = &*place
            && launcher.rung == rung
            && launcher.granted.as_ref().is_none_or(Granted::is_current)
        {
            return Ok(Arc::clone(launcher));
        }
        let launcher = Arc::new(Launcher::start(sandbox, rung).await?);
        *place = Some(Arc::clone(&launcher));
        Ok(launcher)
    }

    /// Lets go of a launcher that does not answer, unless another took its place already.
    pub(super) async fn discard(&self, launcher: &Arc<Launcher>) {
        let mut place = self.0.lock().await;
        if place.as_ref().is_some_and(|present| Arc::ptr_eq(present, launcher)) {
            *place = None;
        }
    }
}

/// A process that starts commands within the same bounds. Dropped, it is waited for.
#[derive(Debug)]
pub(super) struct Launcher {
    rung: Rung,
    /// `None`: nothing is bounded.
    granted: Option<Granted>,
    /// Before the socket: dropped first.
    gate: Option<Gate>,
    /// Both are `None` only while this is dropped.
    socket: Option<OwnedFd>,
    child: Option<Child>,
}

impl Launcher {
    async fn start(sandbox: &Sandbox, rung: Rung) -> Result<Self, SandboxError> {
        let scratch = sandbox.temporary_directory();
        let granted = if sandbox.policy.is_enforced() {
            let mounts = rung == Rung::Namespaces;
            Some(Granted::new(&sandbox.policy, scratch, &sandbox.program()?, mounts))
        } else {
            None
        };
        let bounds = bounds(sandbox, granted.as_ref(), scratch, rung);
        let (ours, theirs) = StdUnixStream::pair().map_err(SandboxError::process)?;
        let socket = OwnedFd::from(ours);
        let child = start_helper(sandbox, OwnedFd::from(theirs)).await?;
        // Whether it took them shows when it is asked for the first command.
        let sent = start::send(socket.as_fd(), &bounds.encode()).await;
        let mut launcher =
            Self { rung, granted, gate: None, socket: Some(socket), child: Some(child) };
        match sent {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(SandboxError::process(error));
            }
            _ => {}
        }
        if bounds.has(spec::HOSTS)
            && let (Some(socket), Some(outlet)) = (&launcher.socket, &sandbox.outlet)
        {
            let gate = Gate::open(socket, outlet.as_ref()).await;
            launcher.gate = gate.map_err(SandboxError::process)?;
        }
        Ok(launcher)
    }

    /// What holds its commands.
    pub(super) fn rung(&self) -> Rung {
        self.rung
    }

    /// The way of one command to the hosts that the policy names, if there is one.
    pub(super) fn passage(&self) -> Option<Passage> {
        self.gate.as_ref().map(Gate::pass)
    }

    /// Asks for a keeper that gets these descriptors, in the order of [`spec::LAUNCH`].
    pub(super) async fn launch(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Err(io::ErrorKind::BrokenPipe.into()) };
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
            let byte = [spec::LAUNCH];
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match rustix::net::sendmsg(socket, &[IoSlice::new(&byte)], &mut ancillary, flags) {
                Ok(_) => return Ok(()),
                // Hundreds are waiting already.
                Err(Errno::AGAIN) => tokio::time::sleep(start::FULL).await,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        drop(self.socket.take());
        let Some(mut child) = self.child.take() else { return };
        let pid = Pid::from_child(&child);
        if !ends_within(pid, PATIENCE) {
            // Not reaped yet, so the id is still its own.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        if let Err(error) = child.wait() {
            tracing::warn!(%error, "a launcher could not be waited for");
        }
    }
}

fn ends_within(pid: Pid, patience: Duration) -> bool {
    let Ok(pidfd) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return false };
    let patience = Timespec::try_from(patience).ok();
    let mut list = [PollFd::new(&pidfd, PollFlags::IN)];
    rustix::event::poll(&mut list, patience.as_ref()).is_ok_and(|ready| ready > 0)
}

fn bounds(
    sandbox: &Sandbox,
    granted: Option<&Granted>,
    scratch: Option<&Path>,
    rung: Rung,
) -> Bounds {
    let mut flags = 0;
    for (flag, is_set) in [
        (spec::ENFORCE, granted.is_some()),
        (spec::NAMESPACES, rung == Rung::Namespaces),
        (spec::NETWORK, sandbox.policy.net.is_open_to_children()),
        (spec::HOSTS, sandbox.reach(rung) == Reach::Hosts),
    ] {
        flags |= if is_set { flag } else { 0 };
    }
    Bounds {
        parent: u64::from(std::process::id()),
        flags,
        grants: granted.map_or_else(Vec::new, |granted| granted.grants().to_vec()),
        hidden: bytes(granted.map(Granted::hidden)),
        pinned: bytes(granted.map(Granted::pinned)),
        forbidden: scratch
            .and_then(Path::parent)
            .map(|beside| beside.join("forbidden").as_os_str().as_bytes().to_vec())
            .unwrap_or_default(),
        limits: limits::of(&sandbox.policy),
    }
}

fn bytes(paths: Option<&[PathBuf]>) -> Vec<Vec<u8>> {
    let paths = paths.unwrap_or_default().iter();
    paths.map(|path| path.as_os_str().as_bytes().to_vec()).collect()
}

/// The helper with `socket` as its standard input; it has no other stream.
async fn start_helper(sandbox: &Sandbox, socket: OwnedFd) -> Result<Child, SandboxError> {
    let program = match &sandbox.helper {
        Some(helper) => helper.clone(),
        None => executable::to_open().map_err(|source| SandboxError::OwnFile { source })?,
    };
    let copy = || socket.try_clone().map(Stdio::from).map_err(SandboxError::process);
    let (stdout, stderr) = (copy()?, copy()?);
    let mut command = Command::new(&program);
    command
        .arg0("agi-agent")
        .arg(HELPER_ARGUMENT)
        .env_clear()
        .stdin(Stdio::from(socket))
        .stdout(stdout)
        .stderr(stderr);
    // Our end of the socket is closed by then, and a helper without an agent ends at once.
    process::spawn(command, |mut child| drop(child.wait()))
        .await
        .map_err(|source| SandboxError::Start { program: program.display().to_string(), source })
}
