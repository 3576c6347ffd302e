//! Approvals, trust and secrets, through the real binary: what a scripted model may not get done.

mod canaries;
mod commands;
mod known_values;
mod strangers;
#[cfg(unix)]
mod terminal;

use serde_json::Value;
use serde_json::json;

use crate::support::TestContext;

/// One run of a script, and what its result object says.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) result: Value,
    pub(super) stderr: String,
}

pub(super) fn call(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

pub(super) fn calls(calls: Vec<Value>) -> Value {
    json!({ "tool_calls": calls })
}

/// Runs a script with further arguments.
pub(super) fn run(context: &TestContext, script: &Value, arguments: &[&str]) -> Ran {
    let path = context.write("../script.json", script.to_string());
    let model = format!("scripted/{}", path.display());
    let mut all = vec!["run", "do it", "--model", &model, "--output-format", "json"];
    all.extend_from_slice(arguments);
    let finished = context.run(all);
    let result = serde_json::from_str(&finished.stdout).unwrap_or_default();
    Ran { code: finished.code, result, stderr: finished.stderr }
}

impl Ran {
    /// The targets of the declined calls.
    pub(super) fn denied(&self) -> Vec<String> {
        let denials = self.result["denials"].as_array().cloned().unwrap_or_default();
        denials.iter().map(|denial| denial["target"].as_str().unwrap().to_owned()).collect()
    }
}
