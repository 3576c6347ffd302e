//! The keeper's look at all processes of its command: how many there are, and how much memory they hold
//! together.
//!
//! Each look costs some microseconds per process, ten times a second; a command that ends before the
//! first one costs nothing. Only counts: ending is [`super::super::keeper`]'s.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Pid;

use crate::sandbox::limit::Limit;

use super::super::spec::Limits;

/// From one look to the next.
const PERIOD: Duration = Duration::from_millis(100);
/// Looking through open files takes at most one part in so many of the time.
const PATIENCE: u32 = 20;

/// With more processes than these only what is their own is counted: a bomb's thousands leave the keeper
/// little time, and it is they who have to be found.
const FEW: usize = 64;

/// The watch over one command's processes.
pub(in super::super) struct Tree {
    limits: Limits,
    next: Instant,
    /// Bytes of open files in memory, and when they are counted again.
    counted: u64,
    next_count: Instant,
    /// When what processes share is asked for again, which takes the kernel long.
    next_share: Instant,
}

impl Tree {
    pub(in super::super) fn new(limits: Limits) -> Self {
        let now = Instant::now();
        Self { limits, next: now + PERIOD, counted: 0, next_count: now, next_share: now }
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

    fn judge(&mut self, members: &[Pid]) -> Option<Limit> {
        if members.iter().map(|pid| threads(*pid)).sum::<u64>() > self.limits.processes {
            return Some(Limit::Processes);
        }
        // Cheap first: what is a process's own is told too high at most. What nobody maps is in no process's
        // count, and is looked for as often as that takes little of the time.
        let pages: Vec<_> = members.iter().filter_map(|pid| resident(*pid)).collect();
        let (own, all) =
            pages.iter().fold((0, 0), |(own, all), held| (own + held.own, all + held.all()));
        let few = members.len() <= FEW;
        let unmapped = if few { self.unmapped(members) } else { 0 };
        let exceeds = |held: u64| held.saturating_add(unmapped) > self.limits.memory;
        let start = Instant::now();
        let doubtful = few && exceeds(all) && start >= self.next_share;
        if !exceeds(own) && !doubtful {
            return None;
        }
        let held = members.iter().filter_map(|pid| share(*pid)).fold(Held::default(), Held::and);
        self.next_share = start + start.elapsed() * PATIENCE;
        // Files in memory are counted where they are mapped and where they are open: once is enough, and
        // the larger count is.
        let all = held.own.saturating_add(held.shared.max(unmapped));
        (all > self.limits.memory).then_some(Limit::Memory)
    }

    /// Bytes of files without a name that live in memory, as they were counted last.
    fn unmapped(&mut self, members: &[Pid]) -> u64 {
        let start = Instant::now();
        if start >= self.next_count {
            let mut seen = BTreeSet::new();
            let counted = members.iter().map(|pid| open_in_memory(*pid, &mut seen)).sum();
            self.counted = counted;
            self.next_count = start + start.elapsed() * PATIENCE;
        }
        self.counted
    }
}

/// Bytes that are in memory for a command only.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    /// No file's.
    own: u64,
    /// Shared with others by intent: shared mappings, files in memory. Each page is divided among those who
    /// map it.
    shared: u64,
}

impl Held {
    fn and(self, other: Self) -> Self {
        let (own, shared) = (self.own + other.own, self.shared + other.shared);
        Self { own, shared }
    }

    fn all(self) -> u64 {
        self.own.saturating_add(self.shared)
    }
}

/// Threads of a process; none once it is gone.
fn threads(pid: Pid) -> u64 {
    let tasks = rustix::fs::stat(format!("/proc/{}/task", pid.as_raw_nonzero()));
    // The directory itself and its parent are the other two links.
    #[allow(clippy::useless_conversion, reason = "32 bits on aarch64")]
    tasks.map_or(0, |found| u64::from(found.st_nlink).saturating_sub(2))
}

/// Bytes of a process that are in memory: its own, and what may be others' too (files' pages among them).
fn resident(pid: Pid) -> Option<Held> {
    let text = std::fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_nonzero())).ok()?;
    let mut fields = text.split(' ').skip(1).map(str::parse::<u64>);
    let (all, shared) = (fields.next()?.ok()?, fields.next()?.ok()?);
    let size = rustix::param::page_size() as u64;
    let own = all.saturating_sub(shared).saturating_mul(size);
    Some(Held { own, shared: shared.saturating_mul(size) })
}

/// What a process holds, with each shared page divided among those who share it; not divided where the
/// kernel does not say.
fn share(pid: Pid) -> Option<Held> {
    let read =
        |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", pid.as_raw_nonzero())).ok();
    let of = |text: &str, own: &str, shared: &str| {
        Some(Held { own: kilobytes(text, own)?, shared: kilobytes(text, shared)? })
    };
    let shares = read("smaps_rollup").and_then(|text| of(&text, "Pss_Anon:", "Pss_Shmem:"));
    shares.or_else(|| of(&read("status")?, "RssAnon:", "RssShmem:"))
}

/// A line of `/proc` in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Bytes of the files that `memfd_create` made and that a process has open, but for those in `seen`.
fn open_in_memory(pid: Pid, seen: &mut BTreeSet<u64>) -> u64 {
    let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())) else {
        return 0;
    };
    let mut bytes = 0_u64;
    for descriptor in open.flatten().map(|entry| entry.path()) {
        // Only the link is read of others: what is behind it may be slow to say anything.
        let is_in_memory = std::fs::read_link(&descriptor)
            .is_ok_and(|link| link.as_os_str().as_bytes().starts_with(b"/memfd:"));
        if is_in_memory
            && let Ok(found) = std::fs::metadata(&descriptor)
            && seen.insert(found.ino())
        {
            bytes = bytes.saturating_add(found.blocks().saturating_mul(512));
        }
    }
    bytes
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
        assert_eq!(judge(Limits { memory: 0, ..generous }, &[]), None);
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
