//! What a child of ours holds itself to that is no command: it runs code of the person's own (torch),
//! needs their files and devices, but no network, and must not outlive us.

use std::io;

use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::Signal;

use super::seccomp;

/// The out-of-memory killer takes it before it takes the agent.
const OOM_SCORE: &str = "500";

/// See [`crate::sandbox::hold_child`].
pub(in crate::sandbox) fn hold_child() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none)?;
    // Where procfs is not there the kernel goes by sizes, which names this process as well.
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE) {
        tracing::debug!(%error, "the out-of-memory killer was not told about this child");
    }
    rustix::thread::set_no_new_privs(true)?;
    seccomp::install(&seccomp::without_network())
}
