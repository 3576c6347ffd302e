//! `--expect` and `--forbid`: commands that say, after the run, whether its goal was reached.
//!
//! They run as the `shell` tool does, in the same sandbox. They are the person's own word, so nobody
//! is asked. `--expect` holds when the command ends with 0, `--forbid` when it ends with 1: 0 says that
//! what is forbidden is so. All else proves nothing, since a command that could not look ends so as
//! well (`grep` with 2), that cannot be run, ran out of time, was killed or met a limit.

use serde_json::Value;

use crate::protocol::ExitCode;
use crate::protocol::ItemStatus;
use crate::protocol::ToolCall;
use crate::tools::ToolError;
use crate::tools::dispatch;
use crate::tools::dispatch::CallOutcome;

use super::calls::CallRoom;
use super::calls::run;
use super::outcome::Conditions;
use super::state::RunState;

/// The tool that runs conditions.
const SHELL: &str = "shell";

/// What a shell ends with when it cannot run or find a program.
const NOT_RUN: [i64; 2] = [126, 127];

/// What a command ends with that looked and did not find: `test`, `grep -q`, `cmp`, `false`.
const DID_NOT: i64 = 1;

/// What a shell ends with after a program that a signal ended: 128 and the signal's number.
const SIGNALS: std::ops::RangeInclusive<i64> = 129..=192;

/// Of what a condition printed, the outcome has so many lines and bytes at most.
const TAIL_LINES: usize = 12;
const TAIL_BYTES: usize = 1200;

/// What came of the conditions.
pub(super) struct Checked {
    pub(super) conditions: Conditions,
    /// At least one ran out of time: its own, or the run's.
    pub(super) timed_out: bool,
}

/// Why a condition does not hold.
struct Broken {
    code: ExitCode,
    reason: String,
    /// The end of what the command printed.
    tail: String,
    timed_out: bool,
}

impl Broken {
    fn new(reason: impl Into<String>) -> Self {
        let (code, reason) = (ExitCode::PostCondition, reason.into());
        Self { code, reason, tail: String::new(), timed_out: false }
    }
}

/// Checks all conditions, in order, each whatever became of the others.
pub(super) async fn check(
    room: &CallRoom<'_>,
    expect: &[String],
    forbid: &[String],
    state: &mut RunState,
) -> Checked {
    if expect.is_empty() && forbid.is_empty() {
        return Checked { conditions: Conditions::NotChecked, timed_out: false };
    }
    let (mut held, mut timed_out) = (true, false);
    for (option, command, wanted) in expect
        .iter()
        .map(|command| ("--expect", command, true))
        .chain(forbid.iter().map(|command| ("--forbid", command, false)))
    {
        let Err(broken) = holds(room, command, wanted).await else { continue };
        held = false;
        timed_out |= broken.timed_out;
        let Broken { code, reason, tail, .. } = broken;
        let said = if tail.is_empty() { tail } else { format!("; it printed last:{tail}") };
        state.fail(code, format!("`{option} {command}` does not hold: {reason}{said}"), None);
    }
    let held_to = Conditions::Held { expected: !expect.is_empty() };
    Checked { conditions: if held { held_to } else { Conditions::Broken }, timed_out }
}

async fn holds(room: &CallRoom<'_>, command: &str, wanted: bool) -> Result<(), Broken> {
    let arguments = serde_json::json!({ "command": command }).to_string();
    let call = ToolCall { id: "condition".to_owned(), name: SHELL.to_owned(), arguments };
    let prepared = dispatch::prepare(call, room.registry)
        .map_err(|outcome| Broken::new(outcome.result.text.clone()))?;
    let outcomes = run(room, vec![prepared.approve()]).await;
    let Some(outcome) = outcomes.into_iter().next() else {
        return Err(Broken::new("it was not run"));
    };
    let timed_out = outcome.status == ItemStatus::Timeout;
    if let Some(error) = outcome.error {
        let code = match error {
            ToolError::SandboxUnavailable(_) => ExitCode::SandboxUnavailable,
            _ => ExitCode::PostCondition,
        };
        return Err(Broken { code, timed_out, ..Broken::new(error.to_string()) });
    }
    verdict(&outcome, wanted).map_err(|reason| {
        let tail = tail(outcome.result.data.as_ref());
        Broken { tail, timed_out, ..Broken::new(reason) }
    })
}

/// Whether the command shows what is wanted; else why not. How it was ended counts before the number
/// that a shell would give for that.
fn verdict(outcome: &CallOutcome, wanted: bool) -> Result<(), String> {
    match outcome.status {
        ItemStatus::Timeout => return Err("it ran out of time".to_owned()),
        ItemStatus::Cancelled => return Err("it was cancelled".to_owned()),
        _ => {}
    }
    let data = outcome.result.data.as_ref();
    let found = |key: &str| data.and_then(|data| data.get(key));
    let Some(code) = found("exit_code").and_then(Value::as_i64) else {
        return Err("how it ended is not known".to_owned());
    };
    if code == 0 {
        return if wanted { Ok(()) } else { Err("it succeeded".to_owned()) };
    }
    if let Some(limit) = found("limit").and_then(Value::as_str) {
        return Err(format!("it met a limit (`{limit}`; exit code {code})"));
    }
    if let Some(signal) = found("signal") {
        return Err(format!("it was ended by signal {signal}"));
    }
    match code {
        code if NOT_RUN.contains(&code) => Err(format!("it could not be run (exit code {code})")),
        code if wanted => Err(format!("it ended with exit code {code}")),
        code if SIGNALS.contains(&code) => {
            Err(format!("a program of it was ended by signal {} (exit code {code})", code - 128))
        }
        DID_NOT => Ok(()),
        code => Err(format!(
            "it ended with exit code {code}, which proves nothing (0 says that it is so, 1 that it is \
             not); if {code} is its way to say no, write `(CMD); test $? -ne {code}`"
        )),
    }
}

/// The last lines of what a command printed, each on a line of its own and indented; its standard
/// error comes last, since it is there that programs say why. Secrets were concealed already.
fn tail(data: Option<&Value>) -> String {
    let printed = |key: &str| data.and_then(|data| data.get(key)?.as_str()).unwrap_or_default();
    let lines = printed("stdout").lines().chain(printed("stderr").lines());
    let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    let mut tail = String::new();
    for line in lines[lines.len().saturating_sub(TAIL_LINES)..].iter().rev() {
        let room = TAIL_BYTES.saturating_sub(tail.len());
        if line.len() > room {
            // The end of a line says more than nothing.
            let from = line.len() - room;
            let start = (from..line.len()).find(|at| line.is_char_boundary(*at));
            let start = start.unwrap_or(line.len());
            tail.insert_str(0, &format!("\n  …{}", &line[start..]));
            break;
        }
        tail.insert_str(0, &format!("\n  {line}"));
    }
    tail
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tail_is_bounded_in_lines_and_bytes() {
        let of =
            |stdout: &str, stderr: &str| tail(Some(&json!({ "stdout": stdout, "stderr": stderr })));
        assert_eq!(of("", " \n"), "");
        assert_eq!(of("a\n\nb\n", "why"), "\n  a\n  b\n  why");
        let many: Vec<String> = (0..100).map(|line| line.to_string()).collect();
        let kept = of(&many.join("\n"), "");
        assert!(kept.starts_with("\n  88\n") && kept.ends_with("\n  99"), "{kept}");
        let long = of(&"é".repeat(10_000), "the end");
        assert!(long.len() < TAIL_BYTES + 20 && long.ends_with("é\n  the end"), "{long}");
        assert!(long.starts_with("\n  …é"), "{long}");
        assert_eq!(tail(None), "");
    }
}
