//! The keeper's watch over one command: tells the agent how it ended, and leaves nothing behind.
//!
//! Waits for the command itself (its pidfd), never for the end of its output. When the agent says so, or
//! is gone, everything that came of the command is ended ([`Members::end`]).

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
use rustix::process::PidfdFlags;
use rustix::process::WaitStatus;

use super::super::bounds::Ready;
use super::super::helper::Failure;
use super::super::limits::Tree;
use super::super::spec::Report;
use super::super::spec::Step;
use super::super::spec::TERMINATE;
use super::members::Members;

/// From the polite signal to the one that cannot be refused. With what follows it a run is to end
/// within two seconds of its own signal.
const GRACE: Duration = Duration::from_millis(1500);
/// How often survivors are looked at while they have their grace.
const LOOK: Duration = Duration::from_millis(5);
/// A command that is over and of whose processes so many have ended since is a bomb, and has no grace: those
/// who look for its processes find less and less time for it.
const MOST_ORPHANS: usize = 256;

/// Sends a report; an agent that is gone needs none.
pub(in crate::sandbox::linux) fn send(control: &OwnedFd, report: Report) -> io::Result<()> {
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

/// Watches until nothing is left, or nothing that could be ended.
pub(super) fn supervise(
    control: &OwnedFd,
    errors: &OwnedFd,
    mut members: Members,
    ready: &Ready,
) -> io::Result<()> {
    let mut tree = Tree::new(ready.limits);
    let mut pidfd = match rustix::process::pidfd_open(members.command(), PidfdFlags::empty()) {
        Ok(pidfd) => Some(pidfd),
        Err(error) => {
            members.end();
            return send(control, Report::from(Failure::new(Step::Fork, error)));
        }
    };
    let mut deadline: Option<Instant> = None;
    let mut orphans = 0;
    loop {
        let wait = match (&pidfd, deadline) {
            (None, Some(_)) => LOOK,
            (_, Some(deadline)) => deadline.saturating_duration_since(Instant::now()),
            _ => tree.wait(),
        };
        let (command_ended, told) = poll(control, pidfd.as_ref(), wait.min(tree.wait()))?;
        if command_ended {
            pidfd = None;
            if !report_end(&mut members, control, errors)? {
                return Ok(());
            }
        }
        if pidfd.is_none() {
            let Some(ended) = members.reap() else { return Ok(()) };
            orphans += ended;
            if orphans > MOST_ORPHANS {
                return tell_left(control, !members.end());
            }
        }
        if let Some(limit) = tree.exceeded(|| members.list()) {
            let survivors = !members.end();
            // Whoever has ended by itself has been reported.
            if pidfd.is_some() {
                send(control, Report::Stopped { limit, survivors })?;
            }
            return tell_left(control, survivors);
        }
        let order = if told { receive(control)? } else { None };
        let expired = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if order == Some(TERMINATE) && !expired {
            deadline = deadline.or_else(|| Some(Instant::now() + GRACE));
            members.terminate();
        } else if told || expired {
            // The order to kill, or the agent is gone.
            let survivors = !members.end();
            if pidfd.is_some() {
                report_end(&mut members, control, errors)?;
            }
            return tell_left(control, survivors);
        }
    }
}

/// The last word where not everything could be ended.
fn tell_left(control: &OwnedFd, survivors: bool) -> io::Result<()> {
    if survivors { send(control, Report::Left) } else { Ok(()) }
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

/// Reaps the command and reports. True: processes that it started are still there.
fn report_end(members: &mut Members, control: &OwnedFd, errors: &OwnedFd) -> io::Result<bool> {
    let status = members.status();
    let survivors = members.are_left();
    let mut failure = [0; 5];
    let report = if rustix::io::read(errors, &mut failure) == Ok(5) {
        let [step, a, b, c, d] = failure;
        let step = Step::from_number(step).unwrap_or(Step::Execute);
        Report::Failed { step, errno: i32::from_ne_bytes([a, b, c, d]) }
    } else {
        ended(status, survivors)
    };
    send(control, report)?;
    Ok(survivors)
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
