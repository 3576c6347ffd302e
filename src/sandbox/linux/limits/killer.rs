//! Whether the kernel's out-of-memory killer was at work while a command ran.
//!
//! A process that it ends looks like one that anybody killed; only the kernel's counters tell. The
//! counter of our own control group counts our commands and us; without one, the machine's counts
//! everybody's.

use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The field of all these files.
const FIELD: &str = "oom_kill ";
const MACHINE: &str = "/proc/vmstat";

/// How often it had been at work at one moment; `None`: nobody says.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Kills(Option<u64>);

impl Kills {
    /// Reads the counter: some ten microseconds.
    pub(in super::super) fn so_far() -> Self {
        static COUNTER: OnceLock<Option<PathBuf>> = OnceLock::new();
        let counter = COUNTER.get_or_init(|| {
            let membership = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
            candidates(&membership).into_iter().find(|path| count(path).is_some())
        });
        Self(counter.as_deref().and_then(count))
    }

    /// Whether it has been at work since.
    pub(in super::super) fn went_on(self) -> bool {
        matches!((self.0, Self::so_far().0), (Some(before), Some(now)) if now > before)
    }
}

/// Files with a counter, the best first.
fn candidates(membership: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for line in membership.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let group = group.trim_start_matches('/');
        if controllers.is_empty() {
            all.push(Path::new("/sys/fs/cgroup").join(group).join("memory.events"));
        } else if controllers.split(',').any(|name| name == "memory") {
            let memory = Path::new("/sys/fs/cgroup/memory");
            // In a container the group's path is that of the host, and the mount is the group.
            for place in [memory.join(group), memory.to_path_buf()] {
                all.push(place.join("memory.oom_control"));
            }
        }
    }
    all.push(PathBuf::from(MACHINE));
    all
}

fn count(path: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(FIELD)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Kills;
    use super::candidates;

    #[test]
    fn the_own_group_comes_before_the_machine() {
        let unified = candidates("0::/a/b\n");
        assert_eq!(unified[0], Path::new("/sys/fs/cgroup/a/b/memory.events"));
        let first = candidates("4:memory:/x\n0::/\n");
        assert_eq!(first[0], Path::new("/sys/fs/cgroup/memory/x/memory.oom_control"));
        assert_eq!(candidates("nonsense"), [Path::new("/proc/vmstat")]);
    }

    #[test]
    fn nothing_went_on_where_nothing_was_killed() {
        assert!(!Kills(None).went_on() && !Kills(Some(u64::MAX)).went_on());
    }
}
