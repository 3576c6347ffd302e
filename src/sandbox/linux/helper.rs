//! The helper: this program started again, which becomes the keeper of one command.
//!
//! It has one thread, an empty environment and one socket to the agent. It forks the command, bounds it
//! and watches it ([`super::supervise`]); itself it stays outside the bounds and reads nothing that the
//! command can write.
#![expect(unsafe_code, reason = "fork, exec and _exit")]

use std::ffi::CString;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;
use rustix::pipe::PipeFlags;
use rustix::process::Pid;
use rustix::process::Signal;

use super::bounds;
use super::namespaces;
use super::spec::ENFORCE;
use super::spec::NAMESPACES;
use super::spec::PROBE;
use super::spec::Report;
use super::spec::STDIN;
use super::spec::Spec;
use super::spec::Step;
use super::supervise;

/// No command line and no pasted standard input is larger; a length beyond is no spec.
const LARGEST_SPEC: u64 = 64 << 20;

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

/// See [`crate::sandbox::helper_main`].
pub(in crate::sandbox) fn helper_main() -> ! {
    // The agent learns from the socket what happened; the status only says that this was the helper.
    let status = if keep_one_command().is_ok() { 0 } else { 125 };
    end(status)
}

fn end(status: i32) -> ! {
    // SAFETY: ends the process at once; nothing has to be flushed or dropped.
    unsafe { libc::_exit(status) }
}

fn keep_one_command() -> io::Result<()> {
    close_inherited();
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 10)?;
    let (spec, stdin) = receive(&control)?;
    let parent =
        rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    if u64::from(parent) != spec.parent {
        return Ok(());
    }
    // Out of the terminal's foreground group: Ctrl-C is for the agent, which tells us.
    rustix::process::setsid()?;
    if spec.has(NAMESPACES) {
        // Everything inside ends with this process. Elsewhere the keeper outlives the agent, whose end it
        // sees on the socket, for as long as it takes to end what is left.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        return keep_inside(&spec, stdin, control);
    }
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    start_and_supervise(&spec, stdin, &control)
}

/// Enters namespaces and keeps the command from inside: when this process's child, the first of its
/// process namespace, ends, the kernel ends everything in it.
fn keep_inside(spec: &Spec, stdin: Option<OwnedFd>, control: OwnedFd) -> io::Result<()> {
    if let Err(failure) = namespaces::enter(spec) {
        return supervise::send(&control, Report::from(failure));
    }
    match fork()? {
        None => {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            if let Err(failure) = namespaces::furnish(spec) {
                return supervise::send(&control, Report::from(failure));
            }
            start_and_supervise(spec, stdin, &control)
        }
        Some(first) => {
            drop((control, stdin));
            close_standard();
            rustix::process::waitpid(Some(first), rustix::process::WaitOptions::empty())?;
            Ok(())
        }
    }
}

fn start_and_supervise(spec: &Spec, stdin: Option<OwnedFd>, control: &OwnedFd) -> io::Result<()> {
    let keeper = rustix::process::getpid();
    let (errors, write_errors) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    match fork() {
        Ok(None) => {
            let failure = become_command(spec, stdin, keeper);
            let mut bytes = [0; 5];
            bytes[0] = failure.step as u8;
            bytes[1..].copy_from_slice(&failure.errno.to_ne_bytes());
            // Five bytes into an empty pipe; if even that fails, the status still says failure.
            let _ = rustix::io::write(&write_errors, &bytes);
            end(127)
        }
        Ok(Some(command)) => {
            drop((write_errors, stdin));
            close_standard();
            supervise::supervise(control, &errors, command, spec.has(NAMESPACES))
        }
        Err(error) => supervise::send(control, Report::from(Failure::io(Step::Fork, &error))),
    }
}

/// Bounds this process and becomes the command. Returns only if that failed.
fn become_command(spec: &Spec, stdin: Option<OwnedFd>, keeper: Pid) -> Failure {
    match prepare(spec, stdin, keeper) {
        Ok(()) if spec.has(PROBE) => end(0),
        Ok(()) => Failure::io(Step::Execute, &execute(spec)),
        Err(failure) => failure,
    }
}

fn prepare(spec: &Spec, stdin: Option<OwnedFd>, keeper: Pid) -> Result<(), Failure> {
    let failed = |step| move |error: Errno| Failure::new(step, error);
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(failed(Step::Fork))?;
    if rustix::process::getppid() != Some(keeper) {
        end(127);
    }
    rustix::process::setsid().map_err(failed(Step::Fork))?;
    let stdin = stdin.map_or_else(empty_input, Ok).map_err(failed(Step::Input))?;
    rustix::stdio::dup2_stdin(&stdin).map_err(failed(Step::Input))?;
    drop(stdin);
    rustix::process::chdir(OsStr::from_bytes(&spec.cwd)).map_err(failed(Step::Directory))?;
    default_signals();
    bounds::limit(spec)?;
    if spec.has(ENFORCE) { bounds::enforce(spec) } else { Ok(()) }
}

/// An input that is at its end: the null device, which programs tell from a pipe or a file (`rg` would
/// search those); without devices a closed pipe.
fn empty_input() -> Result<OwnedFd, Errno> {
    match rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT | Errno::ACCESS) => {
            rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map(|(read, _)| read)
        }
        other => other,
    }
}

/// The Rust runtime ignores SIGPIPE, and whoever started the agent may ignore others.
fn default_signals() {
    for signal in 1..32 {
        // SAFETY: sets the default action; no handler of ours is installed here. Fails for SIGKILL and
        // SIGSTOP, which is right.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Executes the command; a bare name is looked for in the `PATH` that the command gets.
fn execute(spec: &Spec) -> io::Error {
    let strings = |list: &[Vec<u8>]| -> Result<Vec<CString>, io::Error> {
        list.iter().map(|bytes| CString::new(bytes.as_slice()).map_err(io::Error::from)).collect()
    };
    let (arguments, environment) = match (strings(&spec.argv), strings(&spec.env)) {
        (Ok(arguments), Ok(environment)) => (arguments, environment),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    let Some(name) = spec.argv.first().filter(|name| !name.is_empty()) else {
        return io::Error::from(Errno::NOENT);
    };
    if name.contains(&b'/') {
        return execute_path(name, &arguments, &environment);
    }
    let path = spec.env.iter().find_map(|entry| entry.strip_prefix(b"PATH="));
    let mut last = io::Error::from(Errno::NOENT);
    for directory in path.unwrap_or(b"/usr/local/bin:/usr/bin:/bin").split(|byte| *byte == b':') {
        // An empty entry means the working directory, which is never searched: it is the workspace.
        if directory.is_empty() {
            continue;
        }
        let error =
            execute_path(&[directory, b"/", name.as_slice()].concat(), &arguments, &environment);
        if !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) {
            last = error;
        }
    }
    last
}

fn execute_path(path: &[u8], arguments: &[CString], environment: &[CString]) -> io::Error {
    let path = match CString::new(path) {
        Ok(path) => path,
        Err(error) => return error.into(),
    };
    let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both arrays end with null and their strings live until the call returns.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// `None`: in the child.
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: this process has one thread, so no lock can be held by another.
    match unsafe { libc::fork() } {
        0 => Ok(None),
        pid => {
            Pid::from_raw(pid).map(Some).filter(|_| pid > 0).ok_or_else(io::Error::last_os_error)
        }
    }
}

/// Nothing that the agent had open may reach the command.
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

/// The keeper holds no end of the command's streams, so that they end with the command.
fn close_standard() {
    for descriptor in 0..3 {
        // SAFETY: nothing here reads or writes the standard streams; later descriptors may take these
        // numbers.
        unsafe { libc::close(descriptor) };
    }
}

fn receive(control: &OwnedFd) -> io::Result<(Spec, Option<OwnedFd>)> {
    let mut length = [0; 8];
    let mut stdin = None;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [io::IoSliceMut::new(&mut length)];
    let received = rustix::net::recvmsg(
        control,
        &mut buffers,
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL,
    )?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            stdin = descriptors.last().or(stdin);
        }
    }
    let length = u64::from_ne_bytes(length);
    if received.bytes != 8 || length > LARGEST_SPEC {
        return Err(io::Error::from(Errno::PROTO));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::io::read(control.as_fd(), &mut bytes[filled..])? {
            0 => return Err(io::Error::from(Errno::PIPE)),
            count => filled += count,
        }
    }
    let spec = Spec::decode(&bytes).ok_or_else(|| io::Error::from(Errno::PROTO))?;
    if spec.has(STDIN) != stdin.is_some() {
        return Err(io::Error::from(Errno::PROTO));
    }
    Ok((spec, stdin))
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Self {
        Self::Failed { step: failure.step, errno: failure.errno }
    }
}
