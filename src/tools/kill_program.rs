//! The `kill_program` tool: ends programs of the person, by name or id.
//!
//! Never this agent, what started it, or anybody else's processes.

use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Tool;
use super::ToolContext;
use super::ToolError;
use super::ToolOutput;
use super::arguments;
use crate::protocol::Effect;
use crate::system::running;
use crate::system::running::Ending;
use crate::system::running::Running;

/// How long a program has to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// Ends a program.
pub struct KillProgram;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    name: Option<String>,
    pid: Option<u32>,
    /// TERM, INT, HUP or KILL
    signal: Option<String>,
}

#[async_trait]
impl Tool for KillProgram {
    fn name(&self) -> &'static str {
        "kill_program"
    }

    fn description(&self) -> &'static str {
        "End the user's programs by exact name or pid"
    }

    fn parameters(&self) -> Value {
        arguments::schema::<Args>()
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        let args: Args = arguments::parse(arguments)?;
        if args.name.is_some() == args.pid.is_some() {
            return Err(ToolError::ForModel("give either `name` or `pid`".to_owned()));
        }
        ending(args.signal.as_deref()).map(drop)
    }

    fn effect(&self, _arguments: &Value) -> Effect {
        Effect::Process
    }

    fn target(&self, arguments: &Value) -> String {
        let pid = arguments["pid"].as_u64().map(|pid| pid.to_string());
        arguments["name"].as_str().map(str::to_owned).or(pid).unwrap_or_default()
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let args: Args = arguments::parse(&arguments)?;
        let ending = ending(args.signal.as_deref())?;
        let target = self.target(&arguments);
        context
            .blocking(move || {
                let chosen = choose(&args, &target)?;
                let mut killed = Vec::new();
                let mut failed = Vec::new();
                for program in chosen {
                    match running::end(&program, ending, GRACE) {
                        Ok(()) => killed.push(program),
                        Err(error) => {
                            failed.push(format!("{} ({}): {error}", program.name, program.pid));
                        }
                    }
                }
                report(&killed, &failed)
            })
            .await
    }
}

fn ending(signal: Option<&str>) -> Result<Ending, ToolError> {
    let name = signal.unwrap_or("TERM").trim_start_matches("SIG").to_ascii_uppercase();
    Ending::from_name(&name)
        .ok_or_else(|| ToolError::ForModel(format!("`{name}` is none of TERM, INT, HUP, KILL")))
}

fn choose(args: &Args, target: &str) -> Result<Vec<Running>, ToolError> {
    let denied = |reason: &str| {
        Err(ToolError::Denied { target: target.to_owned(), reason: reason.to_owned() })
    };
    let all = running::all().map_err(|error| {
        ToolError::ForModel(format!("the running programs cannot be listed: {error}"))
    })?;
    let found: Vec<Running> = all
        .into_iter()
        .filter(|program| match (&args.name, args.pid) {
            (Some(name), _) => program.name == *name,
            (None, pid) => Some(program.pid) == pid,
        })
        .collect();
    if found.is_empty() {
        return Err(ToolError::ForModel(format!("no program `{target}` is running")));
    }
    let own: Vec<Running> = found.into_iter().filter(Running::is_own).collect();
    if own.is_empty() {
        return denied("it belongs to another user");
    }
    let family = running::self_and_ancestors();
    let chosen: Vec<Running> =
        own.into_iter().filter(|program| !family.contains(&program.pid)).collect();
    if chosen.is_empty() {
        return denied("it is this agent, or what started it");
    }
    Ok(chosen)
}

fn report(killed: &[Running], failed: &[String]) -> Result<ToolOutput, ToolError> {
    let list: Vec<String> =
        killed.iter().map(|program| format!("{} ({})", program.name, program.pid)).collect();
    let failures =
        if failed.is_empty() { String::new() } else { format!("not ended: {}", failed.join(", ")) };
    if killed.is_empty() {
        return Err(ToolError::ForModel(failures));
    }
    let data: Vec<Value> =
        killed.iter().map(|program| json!({"pid": program.pid, "name": program.name})).collect();
    let text = format!("ended {}\n{failures}", list.join(", "));
    Ok(ToolOutput::text(text.trim_end()).with_data(json!({ "killed": data })))
}
