//! The helper: this program started again, which becomes the launcher of a sandbox's commands.
//!
//! Starting this executable costs more than a command does, so it happens once: the launcher has one
//! thread and an empty environment, enters namespaces and prepares the bounds, and then forks a keeper
//! ([`super::keeper`]) for each command it is asked for. It sees descriptors only; what is to be run is
//! between the agent and the keeper. Nothing that a command does reaches it, so no command's state
//! reaches the next.
#![expect(unsafe_code, reason = "clone, fork and _exit")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;
use rustix::pipe::PipeFlags;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;
use rustix::process::WaitOptions;

use super::bounds::Ready;
use super::keeper;
use super::keeper::supervise;
use super::namespaces;
use super::passage;
use super::spec::Bounds;
use super::spec::HOSTS;
use super::spec::LAUNCH;
use super::spec::Report;
use super::spec::Step;

/// No command line is longer; a length beyond is no message of ours.
const LONGEST: u64 = 64 << 20;

/// A step of setting up that failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) errno: i32,
}

impl Failure {
    pub(super) fn new(step: Step, error: Errno) -> Self {
        Self { step, errno: error.raw_os_error() }
    }

    pub(super) fn io(step: Step, error: &io::Error) -> Self {
        Self { step, errno: error.raw_os_error().unwrap_or(libc::EIO) }
    }
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Self {
        Self::Failed { step: failure.step, errno: failure.errno }
    }
}

/// What a keeper gets from the launcher.
pub(super) struct Request {
    /// To the agent.
    pub(super) control: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    /// `None`: an input that is at its end.
    pub(super) stdin: Option<OwnedFd>,
}

/// A keeper under way.
struct Child {
    pid: Pid,
    /// Ready when it has ended.
    pidfd: OwnedFd,
}

/// See [`crate::sandbox::helper_main`].
pub(in crate::sandbox) fn helper_main() -> ! {
    // The agent learns from the sockets what happened; the status only says that this was the helper.
    end(if launch_commands().is_ok() { 0 } else { 125 })
}

pub(super) fn end(status: i32) -> ! {
    // SAFETY: ends the process at once; nothing has to be flushed or dropped.
    unsafe { libc::_exit(status) }
}

fn launch_commands() -> io::Result<()> {
    close_inherited();
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 10)?;
    occupy_standard()?;
    let bounds = Bounds::decode(&receive(&control)?).ok_or(Errno::PROTO)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent =
        rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    if u64::from(parent) != bounds.parent {
        return Ok(());
    }
    // Out of the terminal's foreground group: Ctrl-C is for the agent, which tells us.
    rustix::process::setsid()?;
    default_signals();
    // Where that is not allowed the directory of the start is kept in use, which harms nothing.
    let _ = rustix::process::chdir("/");
    let hosts = bounds.has(HOSTS);
    let mut ready = Ready::new(bounds);
    if hosts {
        let listener = ready.as_mut().ok().and_then(Ready::take_listener);
        passage::hand_over(&control, listener.as_ref())?;
    }
    let launcher = rustix::process::getpid();
    let mut children = Vec::new();
    loop {
        let asked = wait(&control, &children)?;
        reap(&mut children);
        if !asked {
            continue;
        }
        let Some(request) = next_request(&control)? else { break };
        match ready.as_mut().map(|ready| ready.renew().map(|()| &*ready)) {
            Err(failure) => supervise::send(&request.control, Report::from(*failure))?,
            Ok(Err(failure)) => supervise::send(&request.control, Report::from(failure))?,
            Ok(Ok(ready)) => match namespaces::fork(ready.namespaces) {
                Ok(None) => {
                    // The agent must see the launcher's end although a keeper lives.
                    drop((control, children));
                    end(if keeper::keep(ready, request, launcher).is_ok() { 0 } else { 125 });
                }
                Ok(Some(pid)) => {
                    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
                    children.push(Child { pid, pidfd });
                }
                Err(failure) => supervise::send(&request.control, Report::from(failure))?,
            },
        }
    }
    // Each keeper ends by itself, having seen that the agent let go of its socket.
    for Child { pid, .. } in children {
        while let Err(Errno::INTR) = rustix::process::waitpid(Some(pid), WaitOptions::empty()) {}
    }
    Ok(())
}

/// Waits for a request (or the agent's end) or for the end of a keeper. True: the former.
fn wait(control: &OwnedFd, children: &[Child]) -> io::Result<bool> {
    let mut list = vec![PollFd::new(control, PollFlags::IN)];
    list.extend(children.iter().map(|child| PollFd::new(&child.pidfd, PollFlags::IN)));
    match rustix::event::poll(&mut list, None) {
        Ok(_) => Ok(list.first().is_some_and(|entry| !entry.revents().is_empty())),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn reap(children: &mut Vec<Child>) {
    children.retain(|child| {
        matches!(
            rustix::process::waitpid(Some(child.pid), WaitOptions::NOHANG),
            Ok(None) | Err(Errno::INTR)
        )
    });
}

/// The next request; `None` once the agent has closed its end.
fn next_request(control: &OwnedFd) -> io::Result<Option<Request>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [io::IoSliceMut::new(&mut byte)];
    let received =
        rustix::net::recvmsg(control, &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC);
    match received {
        Ok(received) if received.bytes == 1 => {}
        Ok(_) | Err(Errno::CONNRESET) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(list) = message {
            descriptors.extend(list);
        }
    }
    let mut descriptors = descriptors.into_iter();
    match (descriptors.next(), descriptors.next(), descriptors.next()) {
        (Some(control), Some(stdout), Some(stderr)) if byte == [LAUNCH] => {
            Ok(Some(Request { control, stdout, stderr, stdin: descriptors.next() }))
        }
        _ => Err(Errno::PROTO.into()),
    }
}

/// Bytes that the agent sent with their length before them.
pub(super) fn receive(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    read_exactly(socket, &mut length)?;
    let length = u64::from_ne_bytes(length);
    if length > LONGEST {
        return Err(Errno::PROTO.into());
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    read_exactly(socket, &mut bytes)?;
    Ok(bytes)
}

fn read_exactly(socket: &OwnedFd, bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::io::read(socket.as_fd(), &mut bytes[filled..]) {
            Ok(0) => return Err(Errno::PIPE.into()),
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The standard streams of every command that is given none: at their end. They are held open here, so
/// that no other descriptor takes their numbers.
fn occupy_standard() -> io::Result<()> {
    let empty = empty_input()?;
    rustix::stdio::dup2_stdin(&empty)?;
    rustix::stdio::dup2_stdout(&empty)?;
    rustix::stdio::dup2_stderr(&empty)?;
    Ok(())
}

/// The null device, which programs tell from a pipe or a file (`rg` would search those); without
/// devices a closed pipe.
fn empty_input() -> Result<OwnedFd, Errno> {
    match rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT | Errno::ACCESS) => {
            rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map(|(read, _)| read)
        }
        other => other,
    }
}

/// Whoever started the agent may ignore signals. Only a broken pipe stays ignored, as the Rust runtime
/// has it, until the command is executed.
fn default_signals() {
    for signal in (1..32).filter(|signal| *signal != libc::SIGPIPE) {
        // SAFETY: sets the default action; no handler of ours is installed here. Fails for SIGKILL and
        // SIGSTOP, which is right.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Nothing that the agent had open may reach a command.
fn close_inherited() {
    // SAFETY: nothing in this process owns a descriptor above 2 yet.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
    if result != 0 {
        // Before Linux 5.9. The agent opens everything close-on-exec, so this is the second line.
        for descriptor in 3..1024 {
            // SAFETY: as above.
            unsafe { libc::close(descriptor) };
        }
    }
}
