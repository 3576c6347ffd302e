//! Starting a command by way of the launcher, and the agent's end of what connects it with its keeper.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::pipe::PipeFlags;

use crate::config::settings::SandboxLevel;
use crate::sandbox::Sandbox;
use crate::sandbox::command::CommandSpec;
use crate::sandbox::command::Input;
use crate::sandbox::error::SandboxError;
use crate::sandbox::policy::Policy;
use crate::sandbox::repair::Ledger;
use crate::sandbox::snapshot::STEERING;
use crate::sandbox::snapshot::Snapshot;

use super::control::Control;
use super::launcher::Launcher;
use super::spec::Spec;
use super::terminal;

/// How long a socket that is full is left alone. Rare: a command line has to be longer than its buffer.
pub(super) const FULL: Duration = Duration::from_millis(1);
/// Processor seconds per process: the time-out on every processor, and some.
const CPU_MARGIN: u64 = 10;

/// What the keeper has to know for this command.
pub(super) fn spec(sandbox: &Sandbox, command: &CommandSpec, cwd: &Path) -> Spec {
    /// Asked once: the answer is read from several files.
    static PROCESSORS: OnceLock<u64> = OnceLock::new();
    let processors = PROCESSORS.get_or_init(|| {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64
    });
    let policy = &sandbox.policy;
    Spec {
        argv: bytes(&command.argv),
        without_shell: bytes(&command.without_shell),
        env: environment(sandbox, command, sandbox.temporary_directory()),
        cwd: cwd.as_os_str().as_bytes().to_vec(),
        flags: 0,
        read_only: if policy.level == SandboxLevel::WorkspaceWrite {
            read_only(policy)
        } else {
            Vec::new()
        },
        cpu_seconds: match policy.limits.cpu_time {
            Some(limit) => limit.as_secs().max(1),
            None => {
                command.timeout.as_secs().saturating_add(CPU_MARGIN).saturating_mul(*processors)
            }
        },
    }
}

fn bytes(arguments: &[OsString]) -> Vec<Vec<u8>> {
    arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect()
}

/// The allow-list, then the private temporary directory, then what the caller adds.
fn environment(sandbox: &Sandbox, command: &CommandSpec, scratch: Option<&Path>) -> Vec<Vec<u8>> {
    let entry = |name: &OsStr, value: &OsStr| [name.as_bytes(), b"=", value.as_bytes()].concat();
    let mut own: Vec<(OsString, OsString)> =
        scratch.map(|path| ("TMPDIR".into(), path.as_os_str().to_owned())).into_iter().collect();
    own.extend(without_own_git_configuration(sandbox));
    let later: Vec<&(OsString, OsString)> = own.iter().chain(&command.env).collect();
    let is_replaced = |name: &OsStr| name == "PWD" || later.iter().any(|(later, _)| later == name);
    let allowed = sandbox.child_environment().iter().filter(|(name, _)| !is_replaced(name));
    allowed.chain(later.iter().copied()).map(|(name, value)| entry(name, value)).collect()
}

/// Git ends with an error where the person's own configuration is there and cannot be read.
fn without_own_git_configuration(sandbox: &Sandbox) -> Option<(OsString, OsString)> {
    let policy = &sandbox.policy;
    let home = sandbox.child_environment().iter().find(|(name, _)| name == "HOME");
    let file = home.map(|(_, home)| Path::new(home).join(".gitconfig"));
    let mut roots = std::iter::once(&policy.cwd).chain(&policy.read).chain(&policy.write);
    let is_readable = roots.any(|root| file.as_ref().is_some_and(|file| file.starts_with(root)));
    (policy.is_enforced() && !is_readable).then(|| ("GIT_CONFIG_GLOBAL".into(), "/dev/null".into()))
}

/// Git metadata and configuration that exist as real directories or files. Of a git directory that was made
/// writable by its name only what steers git.
fn read_only(policy: &Policy) -> Vec<Vec<u8>> {
    let roots = policy.write.iter();
    let own = roots.flat_map(|root| [root.join(".git"), root.join(".agi-agent")]);
    let (named, apart): (Vec<&PathBuf>, Vec<&PathBuf>) =
        policy.git.iter().partition(|path| policy.write.contains(path));
    let steering = named.into_iter().flat_map(|git| STEERING.map(|name| git.join(name)));
    own.chain(steering)
        .chain(apart.into_iter().cloned())
        .filter(|path| {
            std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() || found.is_file())
        })
        .map(|path| path.as_os_str().as_bytes().to_vec())
        .collect()
}

/// A command under way. Dropped before its end, its keeper is told to kill everything, and what the
/// command changed is put back from a thread of its own.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) control: Control,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
    snapshot: Option<Snapshot>,
    repairs: Ledger,
    /// Must not be dropped before its keepers have ended.
    launcher: Arc<Launcher>,
}

/// Has the launcher fork a keeper and tells it the spec. `None`: the launcher is gone, and the command was
/// not started.
pub(super) async fn start(
    launcher: &Arc<Launcher>,
    spec: &Spec,
    command: &CommandSpec,
    snapshot: Option<Snapshot>,
    repairs: &Ledger,
) -> Result<Option<Started>, SandboxError> {
    let (ours, theirs) = StdUnixStream::pair().map_err(SandboxError::process)?;
    let Streams { stdout, stderr, write_stdout, write_stderr, input } = if command.terminal {
        Streams::terminal().map_err(SandboxError::process)?
    } else {
        Streams::pipes(&command.stdin)?
    };
    let mut descriptors = vec![theirs.as_fd(), write_stdout.as_fd()];
    descriptors.push(write_stderr.as_ref().unwrap_or(&write_stdout).as_fd());
    descriptors.extend(input.as_ref().map(OwnedFd::as_fd));
    if command.terminal {
        descriptors.push(write_stdout.as_fd());
    }
    match launcher.launch(&descriptors).await {
        Err(error) if is_gone(&error) => return Ok(None),
        result => result.map_err(SandboxError::process)?,
    }
    // The keeper's ends are its own from here on: what is read here ends with it.
    drop((theirs, write_stdout, write_stderr, input));
    let mut started = Started {
        control: Control::new(ours.into(), launcher.rung())?,
        stdout: Some(stdout),
        stderr,
        snapshot,
        repairs: repairs.clone(),
        launcher: Arc::clone(launcher),
    };
    match started.control.write(&spec.encode()).await {
        // The keeper has ended meanwhile; that it did is what its report, or its absence, says.
        Err(error) if !is_gone(&error) => Err(SandboxError::process(error)),
        _ => Ok(Some(started)),
    }
}

/// Sends everything to a process that has nothing else to do than to read it.
pub(super) async fn send(socket: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match rustix::net::send(socket, bytes, flags) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::AGAIN) => tokio::time::sleep(FULL).await,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl Started {
    /// Puts back what the command must not have changed, once nothing of it is left. `ended`: the keeper
    /// has said so; otherwise its own end is waited for.
    pub(super) async fn finish(mut self, ended: bool) -> Result<Vec<PathBuf>, SandboxError> {
        let ended = if ended { Ok(()) } else { self.control.keeper_ended().await };
        // Nothing is left to be ended when this is dropped, or the keeper goes on with it.
        self.control.let_go();
        let restored = match self.snapshot.take() {
            Some(snapshot) => self.repairs.owe(snapshot).done().await,
            None => Ok(Vec::new()),
        };
        ended.and(restored)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let (Some(ending), Some(snapshot)) = (self.control.take(), self.snapshot.take()) else {
            return;
        };
        let repair = self.repairs.owe(snapshot);
        let launcher = Arc::clone(&self.launcher);
        let thread = std::thread::Builder::new().name("ending".to_owned()).spawn(move || {
            if let Err(error) = ending.wait() {
                tracing::warn!(%error, "the keeper of an abandoned command could not be waited for");
            }
            drop((repair, launcher));
        });
        if let Err(error) = thread {
            tracing::warn!(%error, "an abandoned command is not waited for");
        }
    }
}

/// The ends of a command's standard streams: what is read here, and what the command gets.
struct Streams {
    stdout: OwnedFd,
    /// `None`: it goes where stdout goes.
    stderr: Option<OwnedFd>,
    write_stdout: OwnedFd,
    write_stderr: Option<OwnedFd>,
    input: Option<OwnedFd>,
}

impl Streams {
    fn pipes(stdin: &Input) -> Result<Self, SandboxError> {
        let (stdout, write_stdout) = pipe()?;
        let (stderr, write_stderr) = pipe()?;
        let input = input(stdin).map_err(SandboxError::process)?;
        let (stderr, write_stderr) = (Some(stderr), Some(write_stderr));
        Ok(Self { stdout, stderr, write_stdout, write_stderr, input })
    }

    /// One terminal for all three.
    fn terminal() -> io::Result<Self> {
        let (stdout, write_stdout) = terminal::open()?;
        Ok(Self { stdout, stderr: None, write_stdout, write_stderr: None, input: None })
    }
}

/// Close-on-exec on both ends; the child gets its end as a standard stream.
fn pipe() -> Result<(OwnedFd, OwnedFd), SandboxError> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| SandboxError::process(error.into()))
}

/// What the command gets as its standard input; `None` for none.
fn input(input: &Input) -> io::Result<Option<OwnedFd>> {
    match input {
        Input::Nothing => Ok(None),
        Input::Bytes(bytes) => memory_file(bytes).map(Some),
        Input::Pipe(pipe) => pipe.as_fd().try_clone_to_owned().map(Some),
    }
}

/// An anonymous file with these bytes, at its beginning.
fn memory_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    use std::io::Seek as _;
    use std::io::Write as _;
    let mut file = std::fs::File::from(rustix::fs::memfd_create("stdin", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}
