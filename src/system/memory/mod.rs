//! How much memory the system can still give, and how many cores compute.
//!
//! Only looks; `None` where a system does not say. What steers this program's own memory stands beside
//! it (`allocator`, `pages`).

pub mod allocator;

pub mod pages;

/// Bytes that a new allocation can have without swapping: what the machine has, and what the
/// control group of this process has left, whichever is less.
#[cfg(target_os = "linux")]
pub fn available() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo(&text));
    let group = std::fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| cgroup(&text));
    match (machine, group) {
        (Some(machine), Some(group)) => Some(machine.min(group)),
        (machine, group) => machine.or(group),
    }
}

#[cfg(not(target_os = "linux"))]
pub fn available() -> Option<u64> {
    None
}

/// `MemAvailable` in bytes.
#[cfg(target_os = "linux")]
fn meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// What is left below the limit of our control group (version 2) and of those above it. Cached
/// files count as free: they are given up first.
#[cfg(target_os = "linux")]
fn cgroup(membership: &str) -> Option<u64> {
    let path = membership.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mut place = std::path::Path::new("/sys/fs/cgroup").join(path.trim());
    let mut least = None;
    while place.starts_with("/sys/fs/cgroup") {
        if let Some(left) = left_in(&place) {
            least = Some(least.map_or(left, |least: u64| least.min(left)));
        }
        if !place.pop() {
            break;
        }
    }
    least
}

#[cfg(target_os = "linux")]
fn left_in(group: &std::path::Path) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        std::fs::read_to_string(group.join(name)).ok()?.trim().parse().ok()
    };
    // `max` is no number: no limit here.
    let limit = number("memory.max")?;
    let used = number("memory.current")?;
    let cached = std::fs::read_to_string(group.join("memory.stat"))
        .ok()
        .and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse().ok())
        })
        .unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(cached)))
}

/// Cores that compute: hardware threads of one core count once, and no more than this process may
/// use.
pub fn cores() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    #[cfg(target_os = "linux")]
    let physical = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| physical(&text));
    #[cfg(not(target_os = "linux"))]
    let physical = None;
    physical.map_or(allowed, |physical| allowed.min(physical))
}

/// Distinct pairs of package and core; `None` where the file does not name them.
#[cfg(target_os = "linux")]
fn physical(cpuinfo: &str) -> Option<usize> {
    let mut cores = std::collections::HashSet::new();
    let mut package = "0";
    for line in cpuinfo.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        match key.trim() {
            "physical id" => package = value.trim(),
            "core id" => {
                cores.insert((package, value.trim()));
            }
            _ => {}
        }
    }
    (!cores.is_empty()).then_some(cores.len())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read_in_bytes() {
        let text = "MemTotal:       24 kB\nMemAvailable:   16 kB\n";
        assert_eq!(meminfo(text), Some(16 * 1024));
        assert_eq!(meminfo("MemTotal: 5 kB\n"), None);
        assert!(available().unwrap() > 1 << 20);
    }

    #[test]
    fn hardware_threads_of_a_core_count_once() {
        let one = |package, core| format!("physical id\t: {package}\ncore id\t\t: {core}\n\n");
        let text = [one(0, 0), one(0, 0), one(0, 1), one(1, 0)].concat();
        assert_eq!(physical(&text), Some(3));
        assert_eq!(physical("model name : something\n"), None);
        assert!(cores() >= 1);
    }
}
