//! All processes that came of one command: which they are, and how they are ended.
//!
//! What forks faster than it can be listed has to be hit at once. The kernel has two ways for that which
//! need no privilege: the first process of a process namespace reaches that namespace with `kill(-1)`, and
//! so does a process in a Landlock domain that scopes signals with what is in its domain. Where there is
//! neither, process groups are ended, and one by one what has left them.
#![expect(unsafe_code, reason = "rustix has no form for `kill(-1)`")]

use std::collections::HashSet;
use std::io;
use std::time::Duration;
use std::time::Instant;

use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::WaitOptions;
use rustix::process::WaitStatus;

use super::super::landlock;

/// How long nothing ends any more before the keeper gives up (processes of another user).
const LAST_TRY: Duration = Duration::from_secs(2);
/// Between two looks at what is ending.
const PAUSE: Duration = Duration::from_millis(1);

/// What holds a keeper's processes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bond {
    /// The keeper is the first process of a process namespace.
    Namespace,
    /// The keeper is in a Landlock domain of its own, out of which no signal goes.
    Domain,
    /// The keeper is the nearest subreaper.
    Descent,
}

/// The processes of one command, seen from its keeper.
#[derive(Debug)]
pub(super) struct Members {
    bond: Bond,
    command: Pid,
    /// How the command ended, once it was reaped.
    status: Option<WaitStatus>,
}

/// What binds a command that is to be started. Made before it is.
#[derive(Debug)]
pub(super) struct Binding(Bond);

impl Binding {
    /// This process is the first of a process namespace. Everything inside ends with it, and it ends with
    /// the launcher.
    pub(super) fn by_namespace() -> io::Result<Self> {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(Self(Bond::Namespace))
    }

    /// Whatever loses its parent comes to this process, which outlives launcher and agent (whose end it
    /// sees on the socket) for as long as it takes to end what is left. `bounded`: nothing in it gains
    /// privileges any more, so that a domain can be had.
    pub(super) fn by_descent(launcher: Pid, bounded: bool) -> io::Result<Self> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let scoped = bounded && landlock::scope_signals()? && is_out_of_reach(launcher);
        Ok(Self(if scoped { Bond::Domain } else { Bond::Descent }))
    }

    /// What comes of `command`, a child of this process.
    pub(super) fn of(self, command: Pid) -> Members {
        Members { bond: self.0, command, status: None }
    }
}

/// Whether the launcher, which is of the same user, is refused a signal: only then may `kill(-1)` be used,
/// which would hit everything of this user (or, as root, of the machine).
fn is_out_of_reach(launcher: Pid) -> bool {
    rustix::process::test_kill_process(launcher) == Err(Errno::PERM)
        // Still our parent, so the number was its own.
        && rustix::process::getppid() == Some(launcher)
}

impl Members {
    /// The process that the others came of.
    pub(super) fn command(&self) -> Pid {
        self.command
    }

    /// How the command ended; waits for that.
    pub(super) fn status(&mut self) -> Option<WaitStatus> {
        if self.status.is_none() {
            let ended = rustix::process::waitpid(Some(self.command), WaitOptions::empty());
            self.status = ended.ok().flatten().map(|(_, status)| status);
        }
        self.status
    }

    /// All that are left.
    pub(super) fn list(&self) -> Vec<Pid> {
        if self.bond == Bond::Namespace { inhabitants() } else { descendants() }
    }

    /// Reaps what has ended; whether anything is left.
    pub(super) fn are_left(&mut self) -> bool {
        self.reap().is_some()
    }

    /// Reaps what has ended and gives how many that were; `None`: nothing is left.
    pub(super) fn reap(&mut self) -> Option<usize> {
        let mut count = 0;
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if pid == self.command {
                        self.status = Some(status);
                    }
                    count += 1;
                }
                Err(Errno::INTR) => {}
                Ok(None) => return Some(count),
                Err(_) => return None,
            }
        }
    }

    /// Asks the command's group to end; what is stopped must be able to hear it.
    pub(super) fn terminate(&self) {
        // Once the command was reaped its number is its group's for as long as that has a member.
        let is_held = self.status.is_none() || groups_of_children().contains(&self.command);
        for signal in [Signal::TERM, Signal::CONT].into_iter().filter(|_| is_held) {
            // Gone already: nothing to ask.
            let _ = rustix::process::kill_process_group(self.command, signal);
        }
    }

    /// Ends and reaps all. False: some cannot be ended.
    pub(super) fn end(&mut self) -> bool {
        let mut progress = Instant::now();
        loop {
            self.kill();
            match self.reap() {
                None => return true,
                Some(0) if progress.elapsed() >= LAST_TRY => return false,
                Some(0) => {}
                // On a machine that is busy with what is to be ended, ending it takes its time.
                Some(_) => progress = Instant::now(),
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn kill(&self) {
        if self.bond != Bond::Descent {
            kill_all_in_reach();
            return;
        }
        // Atomic against forking within a group.
        for group in groups_of_children() {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        for pid in descendants() {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

/// Ends all that this process may send a signal to but itself.
fn kill_all_in_reach() {
    // SAFETY: takes two numbers. Called where a process namespace or a Landlock domain ends our reach.
    let _ = unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// The process groups that children of ours are in, but our own. Nobody but us reaps them, so none of
/// these numbers can be given to others meanwhile.
fn groups_of_children() -> HashSet<Pid> {
    let own = rustix::process::getpgrp();
    let children = direct_children().unwrap_or_default().into_iter();
    let groups = children.filter_map(|child| rustix::process::getpgid(Some(child)).ok());
    groups.filter(|group| *group != own).collect()
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
