//! Linux: a launcher per sandbox, a keeper per command, Landlock and seccomp, and namespaces where they
//! can be had.
//!
//! This file is the agent's side: it plans, has the command started ([`launcher`], [`start`]), carries its
//! output and time, and asks for its end. What happens in the launcher is in [`helper`], in the keeper in
//! [`keeper`].

mod bounds;
mod capture;
mod child;
mod control;
mod grants;
mod helper;
mod keeper;
mod landlock;
mod launcher;
mod limits;
mod namespaces;
mod passage;
mod seccomp;
mod spec;
mod start;
mod terminal;

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::protocol::Traffic;

use super::Sandbox;
use super::command::Captured;
use super::command::CommandSpec;
use super::command::EndStatus;
use super::command::Finished;
use super::command::Live;
use super::error::SandboxError;
use super::limit::Limit;
use super::policy::Rung;

use capture::Output;
use limits::Kills;
use passage::Passage;
use spec::Report;
use spec::Step;
use start::Started;

pub(super) use child::hold_child;
pub(super) use helper::helper_main;
pub(super) use launcher::Launchers;

/// Launchers that are tried for a command before that is an error.
const LAUNCHERS: u32 = 3;

/// How long the reader of what a command printed may take for the rest after we ended the command.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// See [`Sandbox::run`].
pub(super) async fn run(
    sandbox: &Sandbox,
    command: CommandSpec,
    cancel: CancellationToken,
) -> Result<Finished, SandboxError> {
    run_with(sandbox, command, cancel, false).await
}

/// See [`Sandbox::probe`].
pub(super) async fn probe(sandbox: &Sandbox) -> Result<Rung, SandboxError> {
    let command = CommandSpec {
        argv: vec!["probe".into()],
        without_shell: Vec::new(),
        cwd: sandbox.policy.cwd.clone(),
        env: Vec::new(),
        stdin: crate::sandbox::Input::Nothing,
        timeout: Duration::from_secs(10),
        output_limit: 1024,
        keep_whole: false,
        terminal: false,
        live: Live::Nobody,
    };
    run_with(sandbox, command, CancellationToken::new(), true).await.map(|finished| finished.rung)
}

async fn run_with(
    sandbox: &Sandbox,
    command: CommandSpec,
    cancel: CancellationToken,
    probe: bool,
) -> Result<Finished, SandboxError> {
    let cwd = working_directory(sandbox, &command.cwd)?;
    sandbox.refuse_second_names().await?;
    let clock = Instant::now();
    let mut spec = start::spec(sandbox, &command, &cwd);
    if probe {
        spec.flags |= spec::PROBE;
    }
    if command.terminal {
        spec.flags |= spec::TERMINAL;
    }
    let mut lost = 0;
    loop {
        let rung = best_rung(sandbox);
        let launcher = sandbox.launchers.get(sandbox, rung).await?;
        let passage = launcher.passage();
        let told = passage.as_ref().map(|passage| passage.told(&spec));
        let spec = told.as_ref().unwrap_or(&spec);
        let (snapshot, repairs) = (sandbox.snapshot(rung).await?, sandbox.repairs.ledger());
        let started = start::start(&launcher, spec, &command, snapshot, repairs).await?;
        // Read while the command starts.
        let killer = Kills::so_far();
        let ended = match started {
            Some(started) => {
                let moment = Moment { clock, killer, rung };
                watch(started, sandbox, &command, &cancel, moment).await?
            }
            None => Ended::NotStarted,
        };
        match ended {
            Ended::Finished(mut finished) => {
                finished.traffic = passage.map(Passage::settle).unwrap_or_default();
                return Ok(*finished);
            }
            // The command has not run: nothing was executed before every bound held.
            Ended::NotSetUp { step, .. } if rung == Rung::Namespaces && step.is_of_bounds() => {
                sandbox.without_namespaces.store(true, Ordering::Relaxed);
            }
            Ended::NotSetUp { step, errno } => return Err(not_set_up(step, errno, &command, &cwd)),
            Ended::NotStarted => {
                sandbox.launchers.discard(&launcher).await;
                lost += 1;
                if lost == LAUNCHERS {
                    let message = "the process that starts commands was ended by something else";
                    return Err(SandboxError::process(io::Error::other(message)));
                }
            }
        }
    }
}

fn best_rung(sandbox: &Sandbox) -> Rung {
    if !sandbox.policy.is_enforced() {
        Rung::None
    } else if sandbox.without_namespaces.load(Ordering::Relaxed) {
        Rung::Landlock
    } else {
        Rung::Namespaces
    }
}

/// The directory must be one that the command may read; which directory it is widens nothing.
fn working_directory(sandbox: &Sandbox, cwd: &Path) -> Result<std::path::PathBuf, SandboxError> {
    let refused =
        |reason: String| SandboxError::WorkingDirectory { path: cwd.display().to_string(), reason };
    let policy = &sandbox.policy;
    let real =
        std::fs::canonicalize(policy.cwd.join(cwd)).map_err(|error| refused(error.to_string()))?;
    let mut roots = std::iter::once(&policy.cwd).chain(&policy.read).chain(&policy.write);
    let scratch = sandbox.temporary_directory();
    if policy.is_enforced()
        && !roots.any(|root| real.starts_with(root))
        && !scratch.is_some_and(|scratch| real.starts_with(scratch))
    {
        return Err(refused("it is outside the workspace".to_owned()));
    }
    Ok(real)
}

fn not_set_up(step: Step, errno: i32, command: &CommandSpec, cwd: &Path) -> SandboxError {
    let source = io::Error::from_raw_os_error(errno);
    match step {
        Step::Execute => {
            let program = command.argv.first().map(|name| name.to_string_lossy().into_owned());
            SandboxError::Start { program: program.unwrap_or_default(), source }
        }
        Step::Directory => SandboxError::WorkingDirectory {
            path: cwd.display().to_string(),
            reason: source.to_string(),
        },
        Step::Input | Step::Limits | Step::Fork => SandboxError::process(source),
        step => SandboxError::Unavailable {
            reason: match errno {
                0 => step.words().to_owned(),
                _ => format!("{}: {source}", step.words()),
            },
            hint: "Linux 5.13 or newer with Landlock enabled is needed; \
                   `--sandbox danger-full-access` runs commands without any bounds"
                .to_owned(),
        },
    }
}

enum Ended {
    Finished(Box<Finished>),
    NotSetUp {
        step: Step,
        errno: i32,
    },
    /// The launcher ended before there was a keeper.
    NotStarted,
}

/// What held when the command was started.
#[derive(Clone, Copy)]
struct Moment {
    clock: Instant,
    killer: Kills,
    rung: Rung,
}

/// Follows a started command to its end.
async fn watch(
    mut started: Started,
    sandbox: &Sandbox,
    command: &CommandSpec,
    cancel: &CancellationToken,
    moment: Moment,
) -> Result<Ended, SandboxError> {
    let mut output = Output::new(&mut started, sandbox, command)?;
    let deadline = tokio::time::Instant::from_std(moment.clock + command.timeout);
    let (report, ended_by_us) = follow(&mut started, &mut output, deadline, cancel).await;
    let end = match report {
        Some(Report::Failed { step, errno }) => {
            started.finish(true).await?;
            return Ok(Ended::NotSetUp { step, errno });
        }
        None if ended_by_us.is_none() && !started.control.has_keeper() => {
            started.finish(true).await?;
            return Ok(Ended::NotStarted);
        }
        report => End::of(report),
    };
    let pipe_held_by = output.drain().await;
    if end.survivors {
        started.control.kill().await;
    }
    let restored = started.finish(!end.survivors).await?;
    let rest = output.take_the_rest();
    if ended_by_us.is_some() {
        // Then its reader has a moment, and no more.
        drop(tokio::time::timeout(LAST_WORDS, rest).await);
    } else {
        rest.await;
    }
    let (stdout, stderr) = output.finish();
    let status = ended_by_us.unwrap_or(end.status);
    let mut stopped_by = end.stopped_by;
    if was_killed(status, &stderr) && stopped_by.is_none() && moment.killer.went_on() {
        stopped_by = Some(Limit::MachineMemory);
    }
    Ok(Ended::Finished(Box::new(Finished {
        status,
        stdout,
        stderr,
        duration: moment.clock.elapsed(),
        pipe_held_by,
        restored,
        stopped_by,
        reach: sandbox.reach(moment.rung),
        traffic: Traffic::default(),
        rung: moment.rung,
    })))
}

/// Reads what a command prints until it ends, or until we end it; then also as what.
async fn follow(
    started: &mut Started,
    output: &mut Output,
    deadline: tokio::time::Instant,
    cancel: &CancellationToken,
) -> (Option<Report>, Option<EndStatus>) {
    let by_us = {
        let report = started.control.report();
        let too_late = tokio::time::sleep_until(deadline);
        tokio::pin!(report, too_late);
        loop {
            tokio::select! {
                biased;
                report = &mut report => return (report, None),
                () = &mut too_late => break EndStatus::TimedOut,
                () = cancel.cancelled() => break EndStatus::Cancelled,
                // The last: a command that never stops printing must not keep us from the others.
                () = output.read_some() => {}
            }
        }
    };
    (started.control.terminate(output).await, Some(by_us))
}

/// How a command ended by itself.
struct End {
    status: EndStatus,
    survivors: bool,
    stopped_by: Option<Limit>,
}

impl End {
    fn of(report: Option<Report>) -> Self {
        let (status, survivors, stopped_by) = match report {
            Some(Report::Exited { code, survivors }) => (EndStatus::Exited(code), survivors, None),
            Some(Report::Signaled { signal, survivors }) => {
                (EndStatus::Signaled(signal), survivors, None)
            }
            Some(Report::Stopped { limit, survivors }) => {
                (EndStatus::Signaled(libc::SIGKILL), survivors, Some(limit))
            }
            // The keeper itself was killed, or does not answer.
            None | Some(Report::Started | Report::Failed { .. } | Report::Left) => {
                (EndStatus::Signaled(libc::SIGKILL), true, None)
            }
        };
        Self { status, survivors, stopped_by }
    }
}

/// Whether somebody's SIGKILL ended the command, or a process of it whose end it reports (`make` and
/// shells say so).
fn was_killed(status: EndStatus, stderr: &Captured) -> bool {
    const BY_SHELL: i32 = 128 + libc::SIGKILL;
    match status {
        EndStatus::Signaled(libc::SIGKILL) | EndStatus::Exited(BY_SHELL) => true,
        EndStatus::Exited(1..) => {
            String::from_utf8_lossy(&stderr.tail).contains("Killed")
                || String::from_utf8_lossy(&stderr.head).contains("Killed")
        }
        _ => false,
    }
}
