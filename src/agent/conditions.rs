//! `--expect` and `--forbid`: commands that say, after the run, whether its goal was reached.
//!
//! They run as the `shell` tool does, in the same sandbox. They are the person's own word, so nobody
//! is asked. `--expect` holds when the command ends with 0, `--forbid` when it ends with anything
//! else; a command that cannot be run proves nothing, so both are false then.

use crate::protocol::ExitCode;
use crate::protocol::ToolCall;
use crate::tools::ToolError;
use crate::tools::dispatch;

use super::calls::CallRoom;
use super::calls::run;
use super::outcome::Conditions;
use super::state::RunState;

/// The tool that runs conditions.
const SHELL: &str = "shell";

/// What a shell ends with when it cannot run or find a program.
const NOT_RUN: [i64; 2] = [126, 127];

/// Checks all conditions, in order, each whatever became of the others.
pub(super) async fn check(
    room: &CallRoom<'_>,
    expect: &[String],
    forbid: &[String],
    state: &mut RunState,
) -> Conditions {
    if expect.is_empty() && forbid.is_empty() {
        return Conditions::NotChecked;
    }
    let mut held = true;
    for (option, command, wanted) in expect
        .iter()
        .map(|command| ("--expect", command, true))
        .chain(forbid.iter().map(|command| ("--forbid", command, false)))
    {
        if let Err((code, reason)) = holds(room, command, wanted).await {
            held = false;
            state.fail(code, format!("`{option} {command}` does not hold: {reason}"), None);
        }
    }
    if held { Conditions::Held { expected: !expect.is_empty() } } else { Conditions::Broken }
}

async fn holds(room: &CallRoom<'_>, command: &str, wanted: bool) -> Result<(), (ExitCode, String)> {
    let broken = |reason: String| (ExitCode::PostCondition, reason);
    let arguments = serde_json::json!({ "command": command }).to_string();
    let call = ToolCall { id: "condition".to_owned(), name: SHELL.to_owned(), arguments };
    let prepared = dispatch::prepare(call, room.registry)
        .map_err(|outcome| broken(outcome.result.text.clone()))?;
    let outcomes = run(room, vec![prepared.approve()]).await;
    let Some(outcome) = outcomes.into_iter().next() else {
        return Err(broken("it was not run".to_owned()));
    };
    if let Some(error) = outcome.error {
        let code = match error {
            ToolError::SandboxUnavailable(_) => ExitCode::SandboxUnavailable,
            _ => ExitCode::PostCondition,
        };
        return Err((code, error.to_string()));
    }
    let data = outcome.result.data.as_ref();
    let exit_code = data.and_then(|data| data.get("exit_code")).and_then(serde_json::Value::as_i64);
    match exit_code {
        Some(0) if wanted => Ok(()),
        Some(0) => Err(broken("it succeeded".to_owned())),
        Some(code) if NOT_RUN.contains(&code) => {
            Err(broken(format!("it could not be run (exit code {code})")))
        }
        Some(code) if wanted => Err(broken(format!("it ended with exit code {code}"))),
        Some(_) => Ok(()),
        None => Err(broken("it was ended by a signal or ran out of time".to_owned())),
    }
}
