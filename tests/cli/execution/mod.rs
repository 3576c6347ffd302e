//! The list of execution tests, T1 to T18: processes, streams and calls of the real binary.
//!
//! | where | which |
//! |---|---|
//! | `processes` | T1 to T4, T14 (stopped and continued), T16, T17 |
//! | `clock` | T14, a clock that jumps |
//! | `streams` | T6, T7, T11, T12, T13, terminals |
//! | `pipelines` | T18 |
//! | `calls` | T5, T8, T9 |
//! | `without_shell` | programs that need no shell |
//! | `limits` | limits of one command, one by one and with settings |
//! | `sandbox_command` | T10 |
//! | `hostile/python`, `tests/cross_language/long.rs` | T15: a runaway in a child; the border under load |
//! | `tests/rust/sandbox/execution.rs` | T1 to T7, T9, T11 again on each rung, by the library |

mod calls;

mod clock;

mod limits;

mod pipelines;

mod processes;

mod streams;

mod without_shell;

use serde_json::Value;

use crate::support::Finished;
use crate::support::TestContext;

/// Runs a tool at `workspace-write`; the whole result as JSON.
fn tool(context: &TestContext, name: &str, arguments: &Value) -> (Finished, Value) {
    let arguments = arguments.to_string();
    let level = ["--sandbox", "workspace-write", "--json"];
    let finished = context.run([&["tool", "run", name, "--args", &arguments][..], &level].concat());
    let value = serde_json::from_str(&finished.stdout).unwrap_or(Value::Null);
    (finished, value)
}

/// A number from `/proc/PID/status`: KiB for sizes.
fn status_of(pid: u32, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}
