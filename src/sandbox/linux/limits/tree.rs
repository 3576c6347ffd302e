//! The keeper's look at all processes of its command: how many there are, and how much memory they hold
//! together.
//!
//! Each look costs some microseconds per process, ten times a second; a command that ends before the
//! first one costs nothing. Only counts: ending is [`super::super::keeper`]'s.

use std::time::Duration;
use std::time::Instant;

use rustix::process::Pid;

use crate::sandbox::limit::Limit;

use super::super::spec::Limits;

/// From one look to the next.
const PERIOD: Duration = Duration::from_millis(100);

/// The watch over one command's processes.
pub(in super::super) struct Tree {
    limits: Limits,
    next: Instant,
}

impl Tree {
    pub(in super::super) fn new(limits: Limits) -> Self {
        Self { limits, next: Instant::now() + PERIOD }
    }

    /// How long the next look can wait.
    pub(in super::super) fn wait(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// The limit that is exceeded, if it is time to look. `members` lists the processes.
    pub(in super::super) fn exceeded(&mut self, members: impl Fn() -> Vec<Pid>) -> Option<Limit> {
        if self.next > Instant::now() {
            return None;
        }
        let members = members();
        let looked = (self.judge(&members), Instant::now());
        // Ten thousand processes take longer to look at than the period lasts.
        self.next = looked.1 + PERIOD;
        looked.0
    }

    fn judge(&self, members: &[Pid]) -> Option<Limit> {
        if members.iter().map(|pid| threads(*pid)).sum::<u64>() > self.limits.processes {
            return Some(Limit::Processes);
        }
        // Forked processes share pages until one of them writes: counted fully first, which is cheap and
        // never too little, and by their shares only where that is too much.
        let sum = |memory: fn(Pid) -> Option<u64>| -> u64 {
            members.iter().filter_map(|pid| memory(*pid)).sum()
        };
        let too_much = sum(resident) > self.limits.memory && sum(share) > self.limits.memory;
        too_much.then_some(Limit::Memory)
    }
}

/// Threads of a process; none once it is gone.
fn threads(pid: Pid) -> u64 {
    let tasks = rustix::fs::stat(format!("/proc/{}/task", pid.as_raw_nonzero()));
    // The directory itself and its parent are the other two links.
    #[allow(clippy::useless_conversion, reason = "32 bits on aarch64")]
    tasks.map_or(0, |found| u64::from(found.st_nlink).saturating_sub(2))
}

/// Bytes of a process that are no file's.
fn resident(pid: Pid) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_nonzero())).ok()?;
    let mut pages = text.split(' ').skip(1).map(str::parse::<u64>);
    let (all, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some(all.saturating_sub(shared).saturating_mul(rustix::param::page_size() as u64))
}

/// The same with each shared page divided among those who share it; all of it where the kernel does not
/// say.
fn share(pid: Pid) -> Option<u64> {
    let path = format!("/proc/{}/smaps_rollup", pid.as_raw_nonzero());
    let share = std::fs::read_to_string(path).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    });
    share.or_else(|| resident(pid))
}

#[cfg(test)]
mod tests {
    use rustix::process::Pid;

    use super::Tree;
    use crate::sandbox::limit::Limit;
    use crate::sandbox::linux::spec::Limits;

    #[test]
    fn threads_and_memory_are_counted() {
        let me = rustix::process::getpid();
        let held = vec![1_u8; 64 << 20];
        let generous = Limits { memory: 4 << 30, file_size: 0, processes: 4096, open_files: 0 };
        let judge = |limits: Limits, members: &[Pid]| Tree::new(limits).judge(members);
        assert_eq!(judge(generous, &[me]), None);
        let few = Limits { processes: 0, ..generous };
        assert_eq!(judge(few, &[me]), Some(Limit::Processes));
        let little = Limits { memory: held.len() as u64, ..generous };
        assert_eq!(judge(little, &[me]), Some(Limit::Memory));
        // Whoever is gone counts for nothing.
        assert_eq!(judge(few, &[]), None);
    }

    #[test]
    fn it_looks_when_it_is_time_and_not_before() {
        let limits = Limits { memory: 0, file_size: 0, processes: 0, open_files: 0 };
        let mut tree = Tree::new(limits);
        let me = || vec![rustix::process::getpid()];
        assert_eq!(tree.exceeded(me), None);
        std::thread::sleep(tree.wait());
        assert_eq!(tree.exceeded(me), Some(Limit::Processes));
        assert_eq!(tree.exceeded(me), None);
    }
}
