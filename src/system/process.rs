//! Starting child processes from one permanent thread, and waiting for them without polling.
//!
//! Children ask the kernel to be killed when their parent dies (`PR_SET_PDEATHSIG`). That signal is
//! bound to the *thread* that started the child, so all children are started by a thread that lives as
//! long as the process. No code of ours runs between fork and exec: the standard library spawns, and
//! whatever has to be set up in the child is set up by the helper program after its exec.
#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "registering a descriptor with the reactor")
)]

pub mod executable;

use std::io;
use std::process::Child;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

static SPAWNER: OnceLock<Result<mpsc::Sender<Job>, String>> = OnceLock::new();

/// Starts a command from the permanent thread.
///
/// If the returned future is dropped before it is ready, a child that was started meanwhile is handed
/// to `abandoned`, on the permanent thread.
pub async fn spawn(
    mut command: Command,
    abandoned: impl FnOnce(Child) + Send + 'static,
) -> io::Result<Child> {
    let (answer, started) = oneshot::channel();
    let job: Job = Box::new(move || {
        let result = command.spawn();
        // Our ends of what was given to the child are closed before anybody waits for its end.
        drop(command);
        if let Err(Ok(child)) = answer.send(result) {
            abandoned(child);
        }
    });
    spawner()?.send(job).map_err(|_| gone())?;
    started.await.map_err(|_| gone())?
}

fn spawner() -> io::Result<&'static mpsc::Sender<Job>> {
    let sender = SPAWNER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || jobs.into_iter().for_each(|job| job()))
            .map(|_| sender)
            .map_err(|error| error.to_string())
    });
    sender.as_ref().map_err(|error| io::Error::other(error.clone()))
}

/// The command will lead a process group of its own, so that [`end_group`] reaches what it starts.
pub fn lead_a_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// Kills the group of a child that leads one and was not waited for yet.
pub fn end_group(child: &Child) {
    #[cfg(unix)]
    {
        let group = rustix::process::Pid::from_child(child);
        // Nobody of it is there any more.
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
    #[cfg(not(unix))]
    let _ = child;
}

/// Files that this process may have open at a time; `None` for any number, or where nobody knows.
pub fn descriptors_allowed() -> Option<u64> {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    None
}

/// Bytes to which the first thread's stack may grow; `None` for any number, or where nobody knows.
pub fn stack_allowed() -> Option<usize> {
    #[cfg(unix)]
    {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Stack).current;
        limit.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }
    #[cfg(not(unix))]
    None
}

/// Keeps this process to itself: others of the same user, commands at `danger-full-access` among them,
/// can then read neither its memory nor its environment nor its descriptors. A program that is
/// executed starts without this.
pub fn keep_private() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::DumpableBehavior;
        if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            tracing::warn!(%error, "this process cannot be kept from others of the same user");
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts children has ended")
}

/// Waits until a child has ended and reaps it. The child's id cannot be reused before that, since
/// nobody else reaps it.
#[cfg(target_os = "linux")]
pub async fn wait(mut child: Child) -> io::Result<std::process::ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    let pid = rustix::process::Pid::from_child(&child);
    match rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::NONBLOCK) {
        Ok(pidfd) => {
            ended(pidfd).await?;
            child.wait()
        }
        // Before Linux 5.3, or no descriptor left.
        Err(_) => wait_on_a_thread(child).await,
    }
}

/// Watches a descriptor for something to read, and for nothing else: one that is watched for room as well
/// wakes this process whenever the other end reads.
#[cfg(target_os = "linux")]
pub fn watched(
    descriptor: std::os::fd::OwnedFd,
) -> io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    // SAFETY: the descriptor is moved into the `AsyncFd`, which owns it until it is dropped.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    Ok(watched?)
}

/// Waits until the process of a pidfd has ended.
#[cfg(target_os = "linux")]
pub async fn ended(pidfd: std::os::fd::OwnedFd) -> io::Result<()> {
    watched(pidfd)?.readable().await?.retain_ready();
    Ok(())
}

/// Blocks until the process of a pidfd has ended; false: it has not for so long.
#[cfg(target_os = "linux")]
pub fn ended_within(pidfd: &std::os::fd::OwnedFd, patience: std::time::Duration) -> bool {
    let until = std::time::Instant::now() + patience;
    loop {
        let left = until.saturating_duration_since(std::time::Instant::now());
        let left = rustix::event::Timespec::try_from(left).ok();
        let mut list = [rustix::event::PollFd::new(pidfd, rustix::event::PollFlags::IN)];
        match rustix::event::poll(&mut list, left.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            ready => return ready.is_ok_and(|ready| ready > 0),
        }
    }
}

/// Waits until a child has ended and reaps it.
#[cfg(not(target_os = "linux"))]
pub async fn wait(child: Child) -> io::Result<std::process::ExitStatus> {
    wait_on_a_thread(child).await
}

async fn wait_on_a_thread(mut child: Child) -> io::Result<std::process::ExitStatus> {
    tokio::task::spawn_blocking(move || child.wait()).await.map_err(io::Error::other)?
}

/// The processes (of this user) that hold one of these pipes open, this process left out. Looks
/// through procfs: for the rare case that output does not end.
#[cfg(target_os = "linux")]
pub fn holders_of_pipes(pipes: &[std::os::fd::BorrowedFd<'_>]) -> Vec<u32> {
    let links: Vec<_> = pipes
        .iter()
        .filter_map(|pipe| rustix::fs::fstat(pipe).ok())
        .map(|stat| format!("pipe:[{}]", stat.st_ino))
        .collect();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let holds = |pid: u32| {
        std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                std::fs::read_link(entry.path()).is_ok_and(|target| {
                    links.iter().any(|link| target.as_os_str() == link.as_str())
                })
            })
        })
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != std::process::id() && holds(*pid))
        .collect()
}

/// How many descriptors this process may have open.
#[cfg(unix)]
pub fn descriptor_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many descriptors this process may have open: handles have no such bound.
#[cfg(not(unix))]
pub fn descriptor_limit() -> u64 {
    u64::MAX
}

/// Ends the process with the status of a command that was run for a person; destructors do not run.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the status is any number, not a code of ours"
)]
pub fn end_with(status: i32) -> ! {
    std::process::exit(status)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::Command;
    use std::process::Stdio;

    /// `PR_SET_PDEATHSIG` would kill the child when the starting thread ends.
    #[test]
    fn children_come_from_one_thread_that_lives_on() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let starter = |_| {
            let child =
                runtime.block_on(super::spawn(shell("cat /proc/$PPID/task/*/comm"), drop)).unwrap();
            let output = child.wait_with_output().unwrap();
            String::from_utf8(output.stdout)
                .unwrap()
                .lines()
                .filter(|line| *line == "spawner")
                .count()
        };
        assert_eq!((0..3).map(starter).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn waits_for_the_end_and_tells_who_holds_a_pipe() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut child = super::spawn(shell("read line"), drop).await.unwrap();
            let stdout = child.stdout.take().unwrap();
            let holders = super::holders_of_pipes(&[std::os::fd::AsFd::as_fd(&stdout)]);
            assert_eq!(holders, [child.id()]);
            drop(child.stdin.take());
            assert_eq!(super::wait(child).await.unwrap().code(), Some(1));
        });
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }
}
