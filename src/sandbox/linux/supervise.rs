//! The keeper's watch over one command: tells the agent how it ended, and leaves nothing behind.
//!
//! Waits for the command itself (its pidfd), never for the end of its output. When the agent says so, or
//! is gone, everything that came of the command is ended: its group, and whatever the kernel handed to
//! this process as the nearest subreaper (or everything in its process namespace).

use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::time::Duration;
use std::time::Instant;

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
use rustix::process::WaitOptions;
use rustix::process::WaitStatus;

use super::bounds::Ready;
use super::helper::Failure;
use super::limits::Tree;
use super::spec::Report;
use super::spec::Step;
use super::spec::TERMINATE;

/// From the polite signal to the one that cannot be refused.
const GRACE: Duration = Duration::from_secs(2);
/// How long ending everything is tried before the keeper gives up (processes of another user).
const LAST_TRY: Duration = Duration::from_secs(2);
/// How often survivors are looked at while they have their grace.
const LOOK: Duration = Duration::from_millis(5);

/// Sends a report; an agent that is gone needs none.
pub(super) fn send(control: &OwnedFd, report: Report) -> io::Result<()> {
    match rustix::io::write(control, &report.encode()) {
        Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Says that this process keeps a command from now on, with its pidfd, by which the agent can end it and
/// see its end.
pub(super) fn announce(control: &OwnedFd) -> io::Result<()> {
    let pidfd = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [pidfd.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let report = Report::Started.encode();
    rustix::net::sendmsg(control, &[IoSlice::new(&report)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Watches until nothing is left.
pub(super) fn supervise(
    control: &OwnedFd,
    errors: &OwnedFd,
    command: Pid,
    ready: &Ready,
) -> io::Result<()> {
    let first = ready.namespaces;
    let mut watch = Watch { command, first, status: None };
    let mut tree = Tree::new(ready.limits);
    let mut pidfd = match rustix::process::pidfd_open(command, PidfdFlags::empty()) {
        Ok(pidfd) => Some(pidfd),
        Err(error) => {
            watch.end_everything();
            return send(control, Report::from(Failure::new(Step::Fork, error)));
        }
    };
    let mut deadline: Option<Instant> = None;
    loop {
        let wait = match (&pidfd, deadline) {
            (None, Some(_)) => LOOK,
            (_, Some(deadline)) => deadline.saturating_duration_since(Instant::now()),
            _ => tree.wait(),
        };
        let (command_ended, told) = poll(control, pidfd.as_ref(), wait.min(tree.wait()))?;
        if command_ended {
            pidfd = None;
            if !watch.report_end(control, errors)? {
                return Ok(());
            }
        }
        if let Some(limit) = tree.exceeded(|| watch.members()) {
            watch.end_everything();
            // Whoever has ended by itself has been reported.
            return if pidfd.is_some() { send(control, Report::Stopped { limit }) } else { Ok(()) };
        }
        let order = if told { receive(control)? } else { None };
        let expired = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if order == Some(TERMINATE) && !expired {
            deadline = deadline.or_else(|| Some(Instant::now() + GRACE));
            watch.terminate();
        } else if told || expired {
            // The order to kill, or the agent is gone.
            watch.end_everything();
            if pidfd.is_some() {
                watch.report_end(control, errors)?;
            }
            return Ok(());
        }
        if pidfd.is_none() && !watch.has_survivors() {
            return Ok(());
        }
    }
}

/// Whether the command ended, and whether the socket has an order (or its end).
fn poll(control: &OwnedFd, pidfd: Option<&OwnedFd>, wait: Duration) -> io::Result<(bool, bool)> {
    let mut list = vec![PollFd::new(control, PollFlags::IN)];
    list.extend(pidfd.map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
    let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
    match rustix::event::poll(&mut list, Some(&wait)) {
        Ok(_) => {}
        Err(Errno::INTR) => return Ok((false, false)),
        Err(error) => return Err(error.into()),
    }
    let ready = |index: usize| list.get(index).is_some_and(|entry| !entry.revents().is_empty());
    Ok((ready(1), ready(0)))
}

fn receive(control: &OwnedFd) -> io::Result<Option<u8>> {
    let mut byte = [0];
    match rustix::io::read(control.as_fd(), &mut byte) {
        Ok(1) => Ok(Some(byte[0])),
        Ok(_) | Err(Errno::CONNRESET) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

struct Watch {
    command: Pid,
    /// The keeper is the first process of a process namespace.
    first: bool,
    /// How the command ended, once it was reaped.
    status: Option<WaitStatus>,
}

impl Watch {
    /// Reaps the command and reports. True: processes that it started are still there.
    fn report_end(&mut self, control: &OwnedFd, errors: &OwnedFd) -> io::Result<bool> {
        if self.status.is_none() {
            let ended = rustix::process::waitpid(Some(self.command), WaitOptions::empty());
            self.status = ended.ok().flatten().map(|(_, status)| status);
        }
        let survivors = self.has_survivors();
        let mut failure = [0; 5];
        let report = if rustix::io::read(errors, &mut failure) == Ok(5) {
            let [step, a, b, c, d] = failure;
            let step = Step::from_number(step).unwrap_or(Step::Execute);
            Report::Failed { step, errno: i32::from_ne_bytes([a, b, c, d]) }
        } else {
            ended(self.status, survivors)
        };
        send(control, report)?;
        Ok(survivors)
    }

    /// All processes that came of the command and are left.
    fn members(&self) -> Vec<Pid> {
        if self.first { inhabitants() } else { descendants() }
    }

    /// Reaps what has ended; whether anything is left.
    fn has_survivors(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.command => self.status = Some(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Asks the group to end; what is stopped must be able to hear it.
    fn terminate(&self) {
        for signal in [Signal::TERM, Signal::CONT] {
            // Gone already: nothing to ask.
            let _ = rustix::process::kill_process_group(self.command, signal);
        }
    }

    /// Ends and reaps the command and everything that came of it.
    fn end_everything(&mut self) {
        let started = Instant::now();
        while started.elapsed() < LAST_TRY {
            // Atomic against forking within the group. Its id cannot have been given to others while
            // one of the group is left; after that there is nothing to hit.
            if self.status.is_none() {
                let _ = rustix::process::kill_process_group(self.command, Signal::KILL);
            }
            if self.first {
                kill_namespace();
            } else {
                for pid in descendants() {
                    let _ = rustix::process::kill_process(pid, Signal::KILL);
                }
            }
            if !self.has_survivors() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn ended(status: Option<WaitStatus>, survivors: bool) -> Report {
    match status {
        Some(status) => match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Report::Exited { code, survivors },
            (None, Some(signal)) => Report::Signaled { signal, survivors },
            (None, None) => Report::Exited { code: 255, survivors },
        },
        None => Report::Signaled { signal: libc::SIGKILL, survivors },
    }
}

/// Everything in our process namespace but ourselves.
fn kill_namespace() {
    #[expect(unsafe_code, reason = "rustix has no form for `kill(-1)`")]
    // SAFETY: takes two numbers. As the first process of a namespace this reaches that namespace only.
    let _ = unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// All processes of our process namespace but ourselves.
fn inhabitants() -> Vec<Pid> {
    let me = rustix::process::getpid();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| *pid != me).collect()
}

/// Our children as procfs lists them; `None` without procfs.
fn direct_children() -> Option<Vec<Pid>> {
    children_of(rustix::process::getpid())
}

fn children_of(pid: Pid) -> Option<Vec<Pid>> {
    let id = pid.as_raw_nonzero();
    // Each thread has its own children.
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).ok()?;
    let mut found = Vec::new();
    for task in tasks.flatten() {
        let text = std::fs::read_to_string(task.path().join("children")).ok()?;
        found
            .extend(text.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)));
    }
    Some(found)
}

/// Our children, theirs, and so on.
fn descendants() -> Vec<Pid> {
    let mut found = direct_children().unwrap_or_default();
    let mut next = 0;
    while next < found.len() {
        found.extend(children_of(found[next]).unwrap_or_default());
        next += 1;
    }
    found
}
