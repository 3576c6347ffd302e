//! Starting the helper, and the agent's end of what connects the two.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::MemfdFlags;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendAncillaryMessage;
use rustix::net::SendFlags;
use rustix::pipe::PipeFlags;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use crate::config::settings::SandboxLevel;
use crate::sandbox::HELPER_ARGUMENT;
use crate::sandbox::Sandbox;
use crate::sandbox::command::CommandSpec;
use crate::sandbox::error::SandboxError;
use crate::sandbox::policy::Rung;
use crate::sandbox::snapshot::Snapshot;
use crate::system::process;

use super::capture::Output;
use super::grants;
use super::spec;
use super::spec::REPORT_BYTES;
use super::spec::Report;
use super::spec::Spec;

/// The keeper's own ladder takes four seconds at most; after this it is killed itself.
const KEEPER_PATIENCE: Duration = Duration::from_secs(5);
/// Processor seconds per process: the time-out on every processor, and some.
const CPU_MARGIN: u64 = 10;

/// What the helper has to know for this command.
pub(super) fn spec(sandbox: &Sandbox, command: &CommandSpec, cwd: &Path, rung: Rung) -> Spec {
    let policy = &sandbox.policy;
    let enforced = policy.is_enforced();
    let scratch = sandbox.temporary_directory();
    let mut flags = 0;
    for (flag, is_set) in [
        (spec::ENFORCE, enforced),
        (spec::NAMESPACES, rung == Rung::Namespaces),
        (spec::NETWORK, policy.net.is_open_to_children()),
        (spec::STDIN, !command.stdin.is_empty()),
    ] {
        flags |= if is_set { flag } else { 0 };
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    Spec {
        argv: command.argv.iter().map(|argument| argument.as_bytes().to_vec()).collect(),
        env: environment(sandbox, command, scratch),
        cwd: cwd.as_os_str().as_bytes().to_vec(),
        parent: u64::from(std::process::id()),
        flags,
        grants: if enforced {
            grants::grants(policy, scratch, &sandbox.program())
        } else {
            Vec::new()
        },
        read_only: if policy.level == SandboxLevel::WorkspaceWrite {
            read_only(&policy.write)
        } else {
            Vec::new()
        },
        forbidden: scratch
            .and_then(Path::parent)
            .map(|beside| beside.join("forbidden").as_os_str().as_bytes().to_vec())
            .unwrap_or_default(),
        cpu_seconds: command
            .timeout
            .as_secs()
            .saturating_add(CPU_MARGIN)
            .saturating_mul(processors),
        memory_bytes: memory_limit(),
    }
}

/// The allow-list, then the private temporary directory, then what the caller adds.
fn environment(sandbox: &Sandbox, command: &CommandSpec, scratch: Option<&Path>) -> Vec<Vec<u8>> {
    let entry = |name: &OsStr, value: &OsStr| [name.as_bytes(), b"=", value.as_bytes()].concat();
    let own: Vec<(OsString, OsString)> =
        scratch.map(|path| ("TMPDIR".into(), path.as_os_str().to_owned())).into_iter().collect();
    let later: Vec<&(OsString, OsString)> = own.iter().chain(&command.env).collect();
    let is_replaced = |name: &OsStr| name == "PWD" || later.iter().any(|(later, _)| later == name);
    let allowed = sandbox.child_environment().iter().filter(|(name, _)| !is_replaced(name));
    allowed.chain(later.iter().copied()).map(|(name, value)| entry(name, value)).collect()
}

/// Git metadata and configuration that exist as real directories or files.
fn read_only(roots: &[PathBuf]) -> Vec<Vec<u8>> {
    roots
        .iter()
        .flat_map(|root| [root.join(".git"), root.join(".agi-agent")])
        .filter(|path| {
            std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() || found.is_file())
        })
        .map(|path| path.as_os_str().as_bytes().to_vec())
        .collect()
}

/// Four fifths of the machine's memory, two gigabytes at least.
fn memory_limit() -> u64 {
    let info = rustix::system::sysinfo();
    let total = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
    (total / 5 * 4).max(2 << 30)
}

/// A helper under way. Dropped before its end it is told to kill everything, and what the command changed
/// is put back from a thread of its own.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) control: Control,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
    child: Option<Child>,
    snapshot: Option<Snapshot>,
}

/// Starts the helper and tells it the spec.
pub(super) async fn start(
    sandbox: &Sandbox,
    spec: &Spec,
    stdin: &[u8],
    snapshot: Option<Snapshot>,
) -> Result<Started, SandboxError> {
    let (ours, theirs) = StdUnixStream::pair().map_err(SandboxError::process)?;
    let (stdout, write_stdout) = pipe()?;
    let (stderr, write_stderr) = pipe()?;
    let program = sandbox.helper.clone().unwrap_or_else(this_program);
    let mut command = Command::new(&program);
    command
        .arg0("agi-agent")
        .arg(HELPER_ARGUMENT)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::from(write_stdout))
        .stderr(Stdio::from(write_stderr));
    // Our end of the socket is closed by then, and a helper without an agent ends at once.
    let child = process::spawn(command, |mut child| drop(child.wait()))
        .await
        .map_err(|source| SandboxError::Start { program: program.display().to_string(), source })?;
    let control = Control::new(ours)?;
    let mut started = Started {
        control,
        stdout: Some(stdout),
        stderr: Some(stderr),
        child: Some(child),
        snapshot,
    };
    let input = memory_file(stdin).map_err(SandboxError::process)?;
    started.control.send_spec(spec, input.as_ref()).await.map_err(SandboxError::process)?;
    Ok(started)
}

impl Started {
    /// Waits for the helper's own end, by force if need be, and puts back what the command must not have
    /// changed.
    pub(super) async fn finish(mut self) -> Result<Vec<PathBuf>, SandboxError> {
        if let Some(child) = self.child.take() {
            let pid = rustix::process::Pid::from_child(&child);
            let ended = process::wait(child);
            tokio::pin!(ended);
            if tokio::time::timeout(KEEPER_PATIENCE, &mut ended).await.is_err() {
                // Not reaped yet, so the id is still its own.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                ended.await.map_err(SandboxError::process)?;
            }
        }
        match self.snapshot.take() {
            Some(snapshot) => snapshot.restore(),
            None => Ok(Vec::new()),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let (Some(mut child), snapshot) = (self.child.take(), self.snapshot.take()) else { return };
        self.control.close();
        let ending = std::thread::Builder::new().name("ending".to_owned()).spawn(move || {
            let ended = child.wait();
            let restored = snapshot.map_or(Ok(Vec::new()), |snapshot| snapshot.restore());
            if let (Err(error), _) = (&ended, &restored) {
                tracing::warn!(%error, "a helper could not be waited for");
            }
            if let Err(error) = restored {
                tracing::error!(%error, "after an abandoned command");
            }
        });
        if let Err(error) = ending {
            tracing::warn!(%error, "an abandoned command is not waited for");
        }
    }
}

/// The agent's end of the socket.
#[derive(Debug)]
pub(super) struct Control {
    socket: Option<UnixStream>,
}

impl Control {
    fn new(socket: StdUnixStream) -> Result<Self, SandboxError> {
        socket.set_nonblocking(true).map_err(SandboxError::process)?;
        Ok(Self { socket: Some(UnixStream::from_std(socket).map_err(SandboxError::process)?) })
    }

    async fn send_spec(&mut self, spec: &Spec, stdin: Option<&OwnedFd>) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        let bytes = spec.encode();
        // The descriptor travels with the length, which a fresh socket takes whole.
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors = stdin.map(|stdin| [stdin.as_fd()]);
        if let Some(descriptors) = &descriptors {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let (length, rest) = bytes.split_at(8);
        rustix::net::sendmsg(
            &*socket,
            &[IoSlice::new(length)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )?;
        match socket.write_all(rest).await {
            // The helper has ended meanwhile; that it did is what its report, or its absence, says.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// The next report; `None` once the keeper is gone. Cancelling it loses nothing but a report that
    /// was half received, and the keeper sends nine bytes at once.
    pub(super) async fn report(&mut self) -> Option<Report> {
        let mut bytes = [0; REPORT_BYTES];
        self.socket.as_mut()?.read_exact(&mut bytes).await.ok()?;
        Report::decode(bytes)
    }

    /// Asks the keeper to end the command, and goes on reading what it prints until it has.
    pub(super) async fn terminate(&mut self, output: &mut Output) -> Option<Report> {
        self.tell(spec::TERMINATE).await;
        let report = tokio::time::timeout(KEEPER_PATIENCE, self.report());
        tokio::pin!(report);
        loop {
            tokio::select! {
                biased;
                report = &mut report => return report.ok().flatten(),
                () = output.read_some() => {}
            }
        }
    }

    /// Has the keeper end everything that is left, now.
    pub(super) async fn kill(&mut self) {
        self.tell(spec::KILL).await;
    }

    async fn tell(&mut self, order: u8) {
        if let Some(socket) = &mut self.socket {
            // Gone already: then it has done so.
            drop(socket.write_all(&[order]).await);
        }
    }

    fn close(&mut self) {
        self.socket = None;
    }
}

/// Close-on-exec on both ends; the child gets its end as a standard stream.
fn pipe() -> Result<(OwnedFd, OwnedFd), SandboxError> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| SandboxError::process(error.into()))
}

/// An anonymous file with these bytes, at its beginning; `None` for none.
fn memory_file(bytes: &[u8]) -> io::Result<Option<OwnedFd>> {
    use std::io::Seek as _;
    use std::io::Write as _;
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut file = std::fs::File::from(rustix::fs::memfd_create("stdin", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(Some(file.into()))
}

/// This executable, also where it was deleted or replaced since; without procfs by the name it was
/// started with.
fn this_program() -> PathBuf {
    let link = Path::new("/proc/self/exe");
    if std::fs::symlink_metadata(link).is_ok() {
        return link.to_path_buf();
    }
    rustix::param::linux_execfn().to_str().map_or_else(|_| link.to_path_buf(), PathBuf::from)
}
