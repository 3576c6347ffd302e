//! Platforms without Landlock: macOS by its own tool, Windows by a job object.
//!
//! What a platform cannot hold is refused. On macOS a Seatbelt profile holds every level; on Windows
//! nothing here bounds files, so only `danger-full-access` runs.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::protocol::Traffic;
#[cfg(unix)]
use crate::system::signal;

use super::Sandbox;
use super::command::CommandSpec;
use super::command::EndStatus;
use super::command::Finished;
use super::command::Input;
use super::command::Live;
use super::command::Recorder;
use super::error::SandboxError;
use super::macos;
use super::policy::Rung;

/// Apple's launcher of a profile.
const SANDBOX_EXEC: &str = "/usr/bin/sandbox-exec";

/// There is no helper on these platforms.
pub(super) fn helper_main() -> ! {
    crate::system::process::end_with(2)
}

/// Nothing is held on these platforms; docs/local-models.md says so.
#[expect(clippy::unnecessary_wraps, reason = "Linux's signature")]
pub(super) fn hold_child() -> io::Result<()> {
    Ok(())
}

/// See [`Sandbox::probe`].
pub(super) async fn probe(sandbox: &Sandbox) -> Result<Rung, SandboxError> {
    std::future::ready(rung(sandbox)).await
}

fn rung(sandbox: &Sandbox) -> Result<Rung, SandboxError> {
    if !sandbox.policy.is_enforced() {
        return Ok(Rung::None);
    }
    if cfg!(target_os = "macos") && std::path::Path::new(SANDBOX_EXEC).exists() {
        return Ok(Rung::Seatbelt);
    }
    Err(SandboxError::Unavailable {
        reason: "this platform cannot bound what a command reaches".to_owned(),
        hint: "file tools keep to the bounds; `--sandbox danger-full-access` runs commands without any".to_owned(),
    })
}

/// See [`Sandbox::run`].
pub(super) async fn run(
    sandbox: &Sandbox,
    command: CommandSpec,
    cancel: CancellationToken,
) -> Result<Finished, SandboxError> {
    let rung = rung(sandbox)?;
    let clock = Instant::now();
    sandbox.refuse_second_names().await?;
    let snapshot = sandbox.snapshot(rung).await?;
    let mut child = start(sandbox, &command, rung).map_err(|source| {
        let program = command.argv.first().map(|name| name.to_string_lossy().into_owned());
        SandboxError::Start { program: program.unwrap_or_default(), source }
    })?;
    #[cfg(windows)]
    let _job = super::windows::kill_with_us(&child).map_err(SandboxError::process)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let stdin = child.stdin.take();
    let recorder = || Recorder::new(command.output_limit, sandbox.spill(&command));
    let (mut said, mut warned) = (recorder(), recorder());
    let (out, err) = match &command.live {
        Live::HandedOn { stdout, stderr } => (Some(stdout), Some(stderr)),
        Live::Nobody | Live::Shown(_) => (None, None),
    };
    let work = async {
        let (ended, (), (), ()) = tokio::join!(
            child.wait(),
            capture(stdout, &mut said, out),
            capture(stderr, &mut warned, err),
            feed(stdin, &command.stdin)
        );
        ended
    };
    let status = tokio::select! {
        ended = work => end_status(ended.map_err(SandboxError::process)?),
        () = tokio::time::sleep(command.timeout) => EndStatus::TimedOut,
        () = cancel.cancelled() => EndStatus::Cancelled,
    };
    if matches!(status, EndStatus::TimedOut | EndStatus::Cancelled) {
        end_group(&mut child).await;
    }
    let restored = match snapshot {
        Some(snapshot) => sandbox.repairs.ledger().owe(snapshot).done().await?,
        None => Vec::new(),
    };
    let duration = clock.elapsed();
    Ok(Finished {
        status,
        stdout: said.finish(),
        stderr: warned.finish(),
        duration,
        pipe_held_by: Vec::new(),
        restored,
        stopped_by: None,
        reach: sandbox.reach(rung),
        traffic: Traffic::default(),
        rung,
    })
}

fn start(
    sandbox: &Sandbox,
    command: &CommandSpec,
    rung: Rung,
) -> io::Result<tokio::process::Child> {
    if command.terminal {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "terminals are for Linux"));
    }
    let scratch = sandbox.temporary_directory();
    let mut argv: Vec<OsString> = command.argv.clone();
    if rung == Rung::Seatbelt {
        let profile = macos::profile(&sandbox.policy, scratch);
        argv.splice(0..0, [SANDBOX_EXEC.into(), "-p".into(), profile.into(), "--".into()]);
    }
    let Some((program, arguments)) = argv.split_first() else {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    };
    let mut builder = tokio::process::Command::new(program);
    builder
        .args(arguments)
        .current_dir(&command.cwd)
        .env_clear()
        .envs(sandbox.child_environment().iter().map(|(name, value)| (name, value)))
        .envs(scratch.map(|path| ("TMPDIR", path)))
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .stdin(input(&command.stdin)?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    builder.process_group(0);
    builder.spawn()
}

async fn capture(
    stream: Option<impl tokio::io::AsyncRead + Unpin>,
    recorder: &mut Recorder,
    taker: Option<&mpsc::Sender<Bytes>>,
) {
    let mut piece = vec![0; 64 << 10];
    if let Some(mut stream) = stream {
        while let Ok(count @ 1..) = stream.read(&mut piece).await {
            recorder.push(&piece[..count]);
            if let Some(taker) = taker
                && taker.send(Bytes::copy_from_slice(&piece[..count])).await.is_err()
            {
                // Nobody takes it any more; the command learns it by its next write.
                break;
            }
        }
    }
}

fn input(input: &Input) -> io::Result<Stdio> {
    Ok(match input {
        Input::Nothing => Stdio::null(),
        Input::Bytes(_) => Stdio::piped(),
        Input::Pipe(pipe) => pipe.try_clone()?.into(),
    })
}

async fn feed(stdin: Option<tokio::process::ChildStdin>, input: &Input) {
    if let (Some(mut stdin), Input::Bytes(bytes)) = (stdin, input) {
        // A command that does not read its input to the end is within its rights.
        drop(stdin.write_all(bytes).await);
    }
}

fn end_status(status: std::process::ExitStatus) -> EndStatus {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return EndStatus::Signaled(signal);
    }
    EndStatus::Exited(status.code().unwrap_or(255))
}

async fn end_group(child: &mut tokio::process::Child) {
    #[cfg(unix)]
    if let Some(group) =
        child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?))
    {
        for signal in [rustix::process::Signal::TERM, rustix::process::Signal::KILL] {
            // Gone already: nothing to end.
            let _ = rustix::process::kill_process_group(group, signal);
            let grace = std::time::Duration::from_millis(1500);
            tokio::select! {
                ended = tokio::time::timeout(grace, child.wait()) => if ended.is_ok() { return },
                () = signal::hurried() => {}
            }
        }
    }
    // It may have ended by itself meanwhile.
    drop(child.kill().await);
}
