//! What `shell` and `python_exec` share: one command in the sandbox, and its result in words and data.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Claim;
use super::Class;
use super::Thing;
use super::ToolContext;
use super::ToolError;
use super::ToolOutput;
use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::RefusedHost;
use crate::protocol::Traffic;
use crate::sandbox::CommandSpec;
use crate::sandbox::EndStatus;
use crate::sandbox::Finished;
use crate::sandbox::Input;
use crate::sandbox::Live;
use crate::sandbox::NO_HOSTS;
use crate::sandbox::NetRule;
use crate::sandbox::Reach;
use crate::sandbox::SandboxError;

/// Bytes kept of each stream; the text for the model is cut again by `dispatch`.
const OUTPUT_LIMIT: usize = 64 * 1024;
/// Our own time-out comes before that of `dispatch`, so that the output so far is not lost.
const MARGIN: Duration = Duration::from_millis(50);
/// Pieces of live output that wait for a slow reader.
const PIECES: usize = 64;
/// What programs say when a bound stopped them.
const REFUSALS: [&str; 5] = [
    "Permission denied",
    "Operation not permitted",
    "Read-only file system",
    "Network is unreachable",
    "Could not resolve host",
];

/// Commands that can write exclude everything else: each has its own comparison of what is protected,
/// and what one changed must not be the state that another puts back. Those that cannot write run side
/// by side.
pub(super) fn claim(context: &ToolContext) -> Claim {
    let policy = context.sandbox.policy();
    let writes = !policy.is_enforced() || !policy.write.is_empty();
    Claim::of(Class::Process, Thing::Everything, writes)
}

/// A command with the defaults of tools. `timeout`: seconds that the model asked for; the call's deadline
/// holds in any case.
pub(super) fn spec(
    argv: Vec<std::ffi::OsString>,
    cwd: &Path,
    timeout: Option<u64>,
    context: &ToolContext,
) -> CommandSpec {
    let left = context.deadline.saturating_duration_since(Instant::now()).saturating_sub(MARGIN);
    CommandSpec {
        argv,
        without_shell: Vec::new(),
        cwd: cwd.to_path_buf(),
        env: Vec::new(),
        stdin: Input::Nothing,
        timeout: timeout.map_or(left, |seconds| left.min(Duration::from_secs(seconds))),
        output_limit: OUTPUT_LIMIT,
        keep_whole: true,
        terminal: false,
        live: Live::Nobody,
    }
}

/// Runs it; `shown` is how the command is called in events and denials.
pub(super) async fn run(
    shown: &str,
    mut command: CommandSpec,
    context: &ToolContext,
) -> Result<ToolOutput, ToolError> {
    let (pieces, mut live) = mpsc::channel::<bytes::Bytes>(PIECES);
    if context.progress.is_some() {
        command.live = Live::Shown(pieces);
    } else {
        drop(pieces);
    }
    let running = context.sandbox.run(command, context.cancel.clone());
    let telling = async {
        while let Some(piece) = live.recv().await {
            context.report(String::from_utf8_lossy(&piece));
        }
    };
    let (finished, ()) = tokio::join!(running, telling);
    finished
        .map(|finished| output(shown, &finished, context))
        .map_err(|error| failure(shown, error))
}

fn output(shown: &str, finished: &Finished, context: &ToolContext) -> ToolOutput {
    let (stdout, stderr) = (finished.stdout.text(), finished.stderr.text());
    let exit_code = match finished.status {
        EndStatus::Exited(code) => Some(code),
        _ => None,
    };
    let mut data = json!({
        "exit_code": finished.status.exit_code(),
        "timed_out": finished.status == EndStatus::TimedOut,
        "stdout": stdout,
        "stderr": stderr,
        "stdout_bytes": finished.stdout.total,
        "stderr_bytes": finished.stderr.total,
        "sandbox": finished.sandbox(),
        "network": finished.reach.as_str(),
    });
    let Traffic { refused, reached } = &finished.traffic;
    if !refused.is_empty() {
        let hosts = refused.iter().map(|refused| refused.host.as_str());
        data["refused_hosts"] = hosts.collect();
    }
    if let EndStatus::Signaled(signal) = finished.status {
        data["signal"] = Value::from(signal);
    }
    if let Some(limit) = finished.limit() {
        data["limit"] = limit.as_str().into();
    }
    for (name, stream) in [("stdout_file", &finished.stdout), ("stderr_file", &finished.stderr)] {
        if let Some(kept) = &stream.file {
            context.opener.reveal(&kept.path);
            data[name] = kept.path.to_string_lossy().into();
        }
    }
    if !finished.restored.is_empty() {
        // A command may have planted names that are no text.
        let names = finished.restored.iter().map(|path| path.to_string_lossy());
        data["restored"] = names.collect::<Vec<_>>().into();
    }
    let text = text(&stdout, &stderr, finished, context);
    let item = ItemBody::CommandExecution {
        command: shown.to_owned(),
        output: text.clone(),
        exit_code,
        sandbox: finished.sandbox(),
        artefacts: Vec::new(),
    };
    let status = match finished.status {
        EndStatus::Exited(0) => ItemStatus::Completed,
        EndStatus::Exited(_) | EndStatus::Signaled(_) => ItemStatus::Failed,
        EndStatus::TimedOut => ItemStatus::Timeout,
        EndStatus::Cancelled => ItemStatus::Cancelled,
    };
    let output = ToolOutput::text(text).with_data(data).with_item(item).ended(status);
    ToolOutput { refused: refused.clone(), reached: reached.clone(), ..output }
}

/// What was printed, then in brackets what it does not say.
fn text(stdout: &str, stderr: &str, finished: &Finished, context: &ToolContext) -> String {
    let mut notes: Vec<String> = how_it_ended(finished).into_iter().collect();
    if !notes.is_empty() && REFUSALS.iter().any(|words| stderr.contains(words)) {
        notes.extend(bounds(finished, context));
    }
    if let Some(limit) = finished.limit() {
        notes.push(limit.explain(&context.sandbox.policy().limits));
    }
    notes.extend(done_about(finished));
    if notes.is_empty() && stdout.is_empty() && stderr.is_empty() {
        notes.push("no output".to_owned());
    }
    let notes = if notes.is_empty() { notes.concat() } else { format!("[{}]", notes.join("; ")) };
    let mut text = String::new();
    for part in [stdout, stderr, &notes].into_iter().filter(|part| !part.is_empty()) {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(part);
    }
    text
}

fn how_it_ended(finished: &Finished) -> Option<String> {
    match finished.status {
        EndStatus::Exited(0) => None,
        EndStatus::Exited(code) => Some(format!("exit code {code}")),
        EndStatus::Signaled(signal) => Some(format!("ended by signal {signal}")),
        EndStatus::TimedOut => {
            let seconds = finished.duration.as_secs_f64();
            Some(format!("timed out after {seconds:.1} s and was ended"))
        }
        EndStatus::Cancelled => Some("cancelled".to_owned()),
    }
}

/// What the sandbox may have refused.
fn bounds(finished: &Finished, context: &ToolContext) -> Option<String> {
    let policy = context.sandbox.policy();
    let net = match (&policy.net, finished.reach) {
        (NetRule::Hosts(hosts), Reach::Hosts) => format!("{} by proxy", hosts.join(", ")),
        (NetRule::Hosts(_), Reach::Nothing) => format!("off ({NO_HOSTS})"),
        (_, reach) => reach.as_str().to_owned(),
    };
    let bounds = || format!("sandbox: {}, network {net}", policy.level.as_str());
    policy.is_enforced().then(bounds)
}

/// What was ended, kept, refused and put back.
fn done_about(finished: &Finished) -> Vec<String> {
    let mut notes = Vec::new();
    if !finished.pipe_held_by.is_empty() {
        notes.push("background processes were ended with the command".to_owned());
    }
    for (name, stream) in [("output", &finished.stdout), ("stderr", &finished.stderr)] {
        if let Some(kept) = &stream.file {
            let whole = match &kept.cut {
                None => "all of its".to_owned(),
                Some(reason) => format!("the first {} bytes ({reason}) of its", kept.bytes),
            };
            notes.push(format!("file_read `{}` gives {whole} {name}", kept.path.display()));
        }
    }
    for RefusedHost { host, reason, .. } in &finished.traffic.refused {
        notes.push(format!("`{host}` {reason}"));
    }
    for path in &finished.restored {
        notes.push(format!("`{}` is protected and was put back", path.display()));
    }
    notes
}

pub(super) fn failure(shown: &str, error: SandboxError) -> ToolError {
    match error {
        SandboxError::Unavailable { reason, hint } => {
            ToolError::SandboxUnavailable(format!("the sandbox is not available: {reason}; {hint}"))
        }
        SandboxError::Unkept { .. } => {
            let hint = error.hint().unwrap_or_default();
            ToolError::SandboxUnavailable(format!("{error}; {hint}"))
        }
        SandboxError::OwnFile { .. } => {
            ToolError::ForModel(format!("{error}; {}", error.hint().unwrap_or_default()))
        }
        SandboxError::WorkingDirectory { .. } => {
            ToolError::Denied { target: shown.to_owned(), reason: error.to_string() }
        }
        SandboxError::SecondName { .. } => ToolError::Denied {
            target: shown.to_owned(),
            reason: format!("{error}; {}", error.hint().unwrap_or_default()),
        },
        SandboxError::Start { .. } | SandboxError::Process { .. } | SandboxError::Unseen { .. } => {
            ToolError::ForModel(error.to_string())
        }
        SandboxError::Restore { .. } | SandboxError::Survivors => {
            ToolError::Fatal(error.to_string())
        }
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
