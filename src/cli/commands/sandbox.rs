//! `agi-agent sandbox`: runs a command inside the bounds that tools get, or says what they are.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind::BrokenPipe;
use std::io::ErrorKind::NotFound;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use clap::ValueEnum;
use serde_json::json;
use tokio::sync::mpsc;

use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::cli::args::PlacesArgs;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::error::WriteError;
use crate::cli::output::Delivery;
use crate::cli::task::interrupt;
use crate::cli::wiring;
use crate::config::layer::Assignments;
use crate::config::settings::CommandLimits;
use crate::config::settings::SandboxLevel;
use crate::config::table::quantity::Size;
use crate::protocol::ExitCode;
use crate::protocol::RefusedHost;
use crate::sandbox::CommandSpec;
use crate::sandbox::EndStatus;
use crate::sandbox::Finished;
use crate::sandbox::Input;
use crate::sandbox::Live;
use crate::sandbox::NO_HOSTS;
use crate::sandbox::NetRule;
use crate::sandbox::Policy;
use crate::sandbox::Reach;
use crate::sandbox::Sandbox;
use crate::sandbox::SandboxError;
use crate::system::terminal::Stream;
use crate::system::visible::path_texts;

/// The longest time-out, in seconds: clocks cannot count to what a number can say.
const YEAR: u64 = 365 * 24 * 3600;

/// What a shell and other programs that run a command end with where there is none of that name, and
/// where it cannot be executed.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;

/// Bytes of each stream that are looked at for what ended the command.
const KEPT: usize = 64 << 10;

/// Pieces of each stream on their way from the command to our reader.
const PIECES: usize = 2;

#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Say what the command could reach; runs nothing unless a command is given
    #[arg(long)]
    explain: bool,
    /// How far the command may reach
    #[arg(long, value_enum)]
    level: Option<Level>,
    #[command(flatten)]
    places: PlacesArgs,
    /// End the command after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600,
        value_parser = clap::value_parser!(u64).range(..=YEAR))]
    timeout: u64,
    /// The command and its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// The words of `--level`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    ReadOnly,
    WorkspaceWrite,
    DangerFullAccess,
}

impl From<Level> for SandboxLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::ReadOnly => Self::ReadOnly,
            Level::WorkspaceWrite => Self::WorkspaceWrite,
            Level::DangerFullAccess => Self::DangerFullAccess,
        }
    }
}

/// Gives the command's own status, whatever it is.
pub async fn run(args: SandboxArgs, context: &mut CommandContext) -> Result<u8, CommandError> {
    if args.command.is_empty() && !args.explain {
        return Err(CommandError::usage("there is no command")
            .with_hint("agi-agent sandbox -- CMD [ARGS]; or --explain"));
    }
    let settings = context.settings_with(assignments(&args))?;
    context.look_for(&args.places)?;
    let cwd = context.directory()?.to_path_buf();
    let sandbox = wiring::sandbox(&settings, &context.places, &cwd)?;
    if args.explain {
        explain(&sandbox, context).await?;
    }
    if args.command.is_empty() {
        return Ok(ExitCode::Done.into());
    }
    let (to_stdout, stdout) = mpsc::channel(PIECES);
    let (to_stderr, stderr) = mpsc::channel(PIECES);
    let command = CommandSpec {
        argv: args.command,
        without_shell: Vec::new(),
        cwd,
        env: Vec::new(),
        stdin: input()?,
        timeout: Duration::from_secs(args.timeout),
        output_limit: KEPT,
        keep_whole: false,
        terminal: false,
        live: Live::HandedOn { stdout: to_stdout, stderr: to_stderr },
    };
    in_its_place(sandbox, command, [stdout, stderr], context).await
}

/// Runs the command and hands on what it prints; the status is its own, whatever it is.
async fn in_its_place(
    sandbox: Sandbox,
    command: CommandSpec,
    [stdout, stderr]: [mpsc::Receiver<Bytes>; 2],
    context: &mut CommandContext,
) -> Result<u8, CommandError> {
    let cancel = Cancellation::new();
    let _signals = interrupt::Watch::over(&cancel);
    let mut out = context.output.relay(Stream::Output)?;
    let mut err = context.output.relay(Stream::Error)?;
    // Whose reader is slow has a moment once it is over.
    let over = &cancel.token().child_token();
    let known = sandbox.obeyed_by_git();
    let running = async {
        let finished = sandbox.run(command, cancel.token().clone()).await;
        if finished.as_ref().is_ok_and(|finished| finished.status == EndStatus::TimedOut) {
            over.cancel();
        }
        finished
    };
    let (finished, taken, said) =
        tokio::join!(running, out.take(stdout, over), err.take(stderr, over));
    let finished = match finished {
        Err(SandboxError::Start { program, source }) => {
            let status = if source.kind() == NotFound { NOT_FOUND } else { NOT_STARTED };
            context.output.error(&SandboxError::Start { program, source }.to_string());
            return Ok(status);
        }
        finished => finished?,
    };
    let policy = sandbox.policy().clone();
    let told = known.told(&sandbox.obeyed_by_git());
    // Nothing of it has to be there while a slow reader takes the rest.
    drop(sandbox);
    let (delivered, heard) = tokio::join!(out.delivered(over), err.delivered(over));
    // After what the command itself said there; who does not read is not told more.
    if matches!(said.and(heard), Ok(Delivery::Whole)) {
        warn(&finished, &policy, context);
        for message in &told {
            context.output.warning(message);
        }
    }
    let delivery = taken.and(delivered);
    let is_given_up = matches!(delivery, Ok(Delivery::GivenUp)) && cancel.reason().is_some();
    if finished.status == EndStatus::Cancelled || is_given_up {
        return Ok(cancel.reason().map_or(ExitCode::Interrupted, CancelReason::exit_code).into());
    }
    // On some systems a status is larger; what does not fit is a failure still.
    let status = u8::try_from(finished.status.exit_code()).unwrap_or(ExitCode::TaskFailed.into());
    match delivery {
        // Its reader went away, which ended the command as it would have without us.
        Err(WriteError(error)) if error.kind() == BrokenPipe && status != 0 => Ok(status),
        delivery => delivery.map(|_| status).map_err(CommandError::from),
    }
}

fn input() -> Result<Input, CommandError> {
    Input::of_this_process().map_err(|error| {
        CommandError::input(format!("standard input cannot be handed to the command: {error}"))
    })
}

fn assignments(args: &SandboxArgs) -> Assignments {
    let mut list = Assignments::new();
    if let Some(level) = args.level {
        let level = SandboxLevel::from(level).as_str();
        list.push(("sandbox.level".to_owned(), level.into(), "--level".to_owned()));
    }
    args.places.assignments(&mut list);
    list
}

async fn explain(sandbox: &Sandbox, context: &mut CommandContext) -> Result<(), CommandError> {
    let policy = sandbox.policy();
    let rung = sandbox.probe().await?;
    let names: Vec<String> = sandbox
        .child_environment()
        .iter()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .chain(["TMPDIR".to_owned()])
        .collect();
    let net = match &policy.net {
        NetRule::Off => "off".to_owned(),
        NetRule::All => "open".to_owned(),
        NetRule::Hosts(hosts) if sandbox.reach(rung) == Reach::Hosts => hosts.join(", "),
        NetRule::Hosts(hosts) => {
            format!("off for commands ({NO_HOSTS}); web_fetch reaches {}", hosts.join(", "))
        }
    };
    let read: Vec<&PathBuf> = std::iter::once(&policy.cwd).chain(&policy.read).collect();
    if context.global.json {
        let value = json!({
            "level": policy.level.as_str(), "rung": rung.as_str(), "read": path_texts(read),
            "write": path_texts(&policy.write), "protected": path_texts(&policy.protected),
            "net": net, "env": names, "limits": policy.limits,
        });
        return Ok(context.output.json(&value)?);
    }
    let list = |paths: &[&PathBuf]| {
        let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
    };
    let write: Vec<&PathBuf> = policy.write.iter().collect();
    let own: BTreeSet<&PathBuf> = policy.protected.iter().collect();
    let own: Vec<&PathBuf> = own.into_iter().collect();
    for (name, value) in [
        ("level", policy.level.as_str().to_owned()),
        ("held by", rung.as_str().to_owned()),
        ("read", format!("the system's directories, {}", list(&read))),
        ("write", format!("{}, and a private temporary directory", list(&write))),
        ("never", list(&own)),
        ("network", net),
        ("environment", names.join(", ")),
        ("limits", words(&policy.limits)),
    ] {
        context.output.line(&format!("{name:<12} {value}"))?;
    }
    Ok(())
}

fn words(limits: &CommandLimits) -> String {
    let CommandLimits { memory, file_size, cpu_time, processes, open_files } = limits;
    let memory = memory.map_or("most of the machine's".to_owned(), |bytes| Size(bytes).to_string());
    let time = cpu_time.map_or("by the time-out".to_owned(), |time| format!("{}s", time.as_secs()));
    let file = Size(*file_size);
    format!(
        "memory {memory}, file {file}, processor {time}, {processes} processes, {open_files} open files"
    )
}

fn warn(finished: &Finished, policy: &Policy, context: &mut CommandContext) {
    if let Some(limit) = finished.limit() {
        context.output.warning(&limit.explain(&policy.limits));
    }
    if finished.reach == Reach::Nothing && matches!(policy.net, NetRule::Hosts(_)) {
        context.output.warning(&format!("the command had no network: {NO_HOSTS}"));
    }
    for RefusedHost { host, reason, .. } in &finished.traffic.refused {
        context.output.warning(&format!("the command asked for `{host}`, which {reason}"));
    }
    for path in &finished.restored {
        context
            .output
            .warning(&format!("`{}` was changed by the command and put back", path.display()));
    }
    if !finished.pipe_held_by.is_empty() {
        context.output.warning("processes that outlived the command were ended");
    }
}

impl From<SandboxError> for CommandError {
    fn from(error: SandboxError) -> Self {
        let code = match &error {
            SandboxError::Unavailable { .. } | SandboxError::Unkept { .. } => {
                ExitCode::SandboxUnavailable
            }
            SandboxError::WorkingDirectory { .. } | SandboxError::SecondName { .. } => {
                ExitCode::PermissionDenied
            }
            SandboxError::Start { .. } | SandboxError::OwnFile { .. } => ExitCode::Input,
            SandboxError::Process { .. }
            | SandboxError::Unseen { .. }
            | SandboxError::Survivors
            | SandboxError::Restore { .. } => ExitCode::FatalTool,
        };
        let failed = Self::new(code, error.to_string());
        match error.hint() {
            Some(hint) => failed.with_hint(hint),
            None => failed,
        }
    }
}
