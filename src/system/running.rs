//! The programs that run on this machine: who they are, whose they are, and ending one.
//!
//! A program is signalled through a handle that was opened before it was looked at again, so that an id
//! that was given to another program meanwhile never hits that one.

#[cfg(not(target_os = "linux"))]
use std::io;
#[cfg(not(target_os = "linux"))]
use std::time::Duration;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub pid: u32,
    /// The kernel's name of it, or the file name it was started by where that is longer.
    pub name: String,
    /// Effective user id.
    pub uid: u32,
}

/// How a program is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// SIGTERM, then SIGKILL.
    Terminate,
    /// SIGINT, then SIGKILL.
    Interrupt,
    /// SIGHUP, then SIGKILL.
    HangUp,
    /// SIGKILL.
    Kill,
}

impl Ending {
    /// From the name of the signal, without `SIG`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "TERM" => Some(Self::Terminate),
            "INT" => Some(Self::Interrupt),
            "HUP" => Some(Self::HangUp),
            "KILL" => Some(Self::Kill),
            _ => None,
        }
    }
}

#[cfg(target_os = "linux")]
pub use procfs::all;
#[cfg(target_os = "linux")]
pub use procfs::end;
#[cfg(target_os = "linux")]
pub use procfs::self_and_ancestors;

#[cfg(target_os = "linux")]
mod procfs {
    use std::io;
    use std::os::unix::fs::MetadataExt as _;
    use std::time::Duration;

    use rustix::event::PollFd;
    use rustix::event::PollFlags;
    use rustix::event::Timespec;
    use rustix::process::Pid;
    use rustix::process::PidfdFlags;
    use rustix::process::Signal;

    use super::Ending;
    use super::Running;

    /// Bytes of a name in `comm`, beyond which the kernel cuts.
    const COMM: usize = 15;

    impl Running {
        /// Whether it belongs to the user that this process runs as.
        pub fn is_own(&self) -> bool {
            self.uid == rustix::process::getuid().as_raw()
        }
    }

    /// Every process that can be seen.
    pub fn all() -> io::Result<Vec<Running>> {
        let entries = std::fs::read_dir("/proc")?;
        Ok(entries
            .flatten()
            .filter_map(|entry| look(entry.file_name().to_str()?.parse().ok()?))
            .collect())
    }

    /// One process; `None` once it is gone (or is a zombie).
    fn look(pid: u32) -> Option<Running> {
        let uid = std::fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let mut name = comm.trim_end_matches('\n').to_owned();
        if field(pid, "State:")?.starts_with('Z') {
            return None;
        }
        if name.len() >= COMM {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
            let program = String::from_utf8_lossy(program);
            let file = program.rsplit('/').next().unwrap_or_default();
            if file.starts_with(&name) {
                file.clone_into(&mut name);
            }
        }
        Some(Running { pid, name, uid })
    }

    fn field(pid: u32, name: &str) -> Option<String> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    }

    /// This process and everything above it.
    pub fn self_and_ancestors() -> Vec<u32> {
        let mut family = vec![std::process::id()];
        while let Some(parent) = family.last().and_then(|pid| field(*pid, "PPid:")?.parse().ok()) {
            if parent == 0 || family.contains(&parent) {
                break;
            }
            family.push(parent);
        }
        family
    }

    /// Ends a process and waits until it is gone; after `grace` by force.
    pub fn end(program: &Running, ending: Ending, grace: Duration) -> io::Result<()> {
        let pid = i32::try_from(program.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        if look(program.pid).as_ref() != Some(program) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it has ended meanwhile"));
        }
        let first = match ending {
            Ending::Terminate => Signal::TERM,
            Ending::Interrupt => Signal::INT,
            Ending::HangUp => Signal::HUP,
            Ending::Kill => Signal::KILL,
        };
        for signal in [first, Signal::KILL] {
            match rustix::process::pidfd_send_signal(&handle, signal) {
                Err(rustix::io::Errno::SRCH) => return Ok(()),
                other => other?,
            }
            let wait = Timespec::try_from(grace).map_err(io::Error::other)?;
            let mut list = [PollFd::new(&handle, PollFlags::IN)];
            if rustix::event::poll(&mut list, Some(&wait))? > 0 {
                return Ok(());
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "it does not end"))
    }
}

/// Elsewhere nothing lists processes without a further library.
#[cfg(not(target_os = "linux"))]
pub fn all() -> io::Result<Vec<Running>> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// See the other platforms.
#[cfg(not(target_os = "linux"))]
pub fn self_and_ancestors() -> Vec<u32> {
    vec![std::process::id()]
}

/// See the other platforms.
#[cfg(not(target_os = "linux"))]
pub fn end(_program: &Running, _ending: Ending, _grace: Duration) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(not(target_os = "linux"))]
impl Running {
    /// See the other platforms.
    pub fn is_own(&self) -> bool {
        false
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::BufRead as _;
    use std::io::BufReader;
    use std::process::Command;
    use std::process::Stdio;
    use std::time::Duration;
    use std::time::Instant;

    use super::Ending;

    #[test]
    fn lists_this_process_and_its_parents() {
        let me = std::process::id();
        assert!(super::all().unwrap().iter().any(|program| program.pid == me && program.is_own()));
        let family = super::self_and_ancestors();
        assert_eq!(family.first(), Some(&me));
        assert!(family.contains(&std::os::unix::process::parent_id()));
    }

    #[test]
    fn a_program_that_will_not_listen_is_killed() {
        let script = "trap '' TERM; echo armed; while :; do sleep 0.05; done";
        let mut command = Command::new("/bin/sh");
        let mut child = command.args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut armed = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut armed).unwrap();
        let program =
            super::all().unwrap().into_iter().find(|program| program.pid == child.id()).unwrap();
        let start = Instant::now();
        super::end(&program, Ending::Terminate, Duration::from_millis(300)).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(300));
        child.wait().unwrap();
        assert!(super::end(&program, Ending::Kill, Duration::from_millis(300)).is_err());
    }
}
