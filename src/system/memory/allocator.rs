//! How the C library's allocator divides memory among threads.
//!
//! glibc gives each new thread an arena of its own, up to eight per processor, and lets it grow page by
//! page with a system call each. This program has a handful of threads that rarely work at once: arenas
//! cost it more than they save (3 to 5 % of the processor time of a run with ten commands). Changes
//! nothing else of the allocator; called once, before there is a second thread.
#![cfg_attr(all(target_os = "linux", target_env = "gnu"), expect(unsafe_code, reason = "mallopt"))]

/// Processors that share an arena. Searching files is the only work that uses all of them, and each
/// thread has a cache before its arena.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SHARING: usize = 4;

/// One arena for every few processors.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share_arenas() {
    let processors = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count() as usize);
    let arenas = i32::try_from(processors.div_ceil(SHARING)).unwrap_or(i32::MAX);
    // SAFETY: sets a number that the allocator reads when a thread asks for its arena. Where it does not
    // know the parameter it answers 0, and everything stays as it was.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, arenas) };
}

/// Other allocators decide for themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share_arenas() {}
