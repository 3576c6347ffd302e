//! What one command may use up: limits that the kernel holds for each process, and the watch over all
//! processes of a command together, which no limit of the kernel knows without a control group.

mod killer;
mod tree;

use rustix::process::Resource;
use rustix::process::Rlimit;

use crate::sandbox::Policy;

use super::helper::Failure;
use super::spec::Limits;
use super::spec::Step;

pub(super) use killer::Kills;
pub(super) use tree::Tree;

/// Seconds of processor time between the signal that says so and the one that kills.
const CPU_LAST_WORDS: u64 = 2;
/// The out-of-memory killer takes commands before it takes the agent.
const OOM_SCORE: &str = "500";
/// Of memory, where nobody has said: four fifths of the machine's, and never less than this.
const LEAST_MEMORY: u64 = 2 << 30;

/// The limits of all commands under a policy.
pub(super) fn of(policy: &Policy) -> Limits {
    let limits = &policy.limits;
    Limits {
        memory: limits.memory.unwrap_or_else(most_of_the_memory),
        file_size: limits.file_size,
        processes: u64::from(limits.processes),
        open_files: u64::from(limits.open_files),
    }
}

fn most_of_the_memory() -> u64 {
    let info = rustix::system::sysinfo();
    let total = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
    (total / 5 * 4).max(LEAST_MEMORY)
}

/// Limits this process, for good and at every level, never above what it has already.
pub(super) fn apply(limits: &Limits, cpu_seconds: u64) -> Result<(), Failure> {
    let wanted = [
        (Resource::Core, 0),
        (Resource::Fsize, limits.file_size),
        // The kernel does not hold root to it; the keeper does.
        (Resource::Nproc, limits.processes),
        (Resource::Cpu, cpu_seconds),
        (Resource::Data, limits.memory),
        (Resource::Nofile, limits.open_files),
    ];
    for (resource, wanted) in wanted {
        let present = rustix::process::getrlimit(resource);
        let lower = |limit: Option<u64>| Some(limit.map_or(wanted, |limit| limit.min(wanted)));
        let mut limit = Rlimit { current: lower(present.current), maximum: lower(present.maximum) };
        if resource == Resource::Cpu {
            // The first signal says what it is about; the second one, at the maximum, just kills.
            let later = wanted.saturating_add(CPU_LAST_WORDS);
            limit.maximum = Some(present.maximum.map_or(later, |maximum| maximum.min(later)));
        }
        rustix::process::setrlimit(resource, limit)
            .map_err(|error| Failure::new(Step::Limits, error))?;
    }
    // Where procfs is missing or older, the killer chooses as ever.
    drop(std::fs::write("/proc/self/oom_score_adj", OOM_SCORE));
    Ok(())
}
