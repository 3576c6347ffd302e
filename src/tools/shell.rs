//! The `shell` tool: one command line, run by a shell inside the sandbox.
//!
//! Does not judge the command (`agent::approval`): what it can reach is the sandbox's to bound.

use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Claim;
use super::Tool;
use super::ToolContext;
use super::ToolError;
use super::ToolOutput;
use super::arguments;
use super::command;
use super::without_shell;
use crate::protocol::Effect;

/// The first that is there runs the command.
const SHELLS: [&str; 3] = ["/bin/bash", "/usr/bin/bash", "/bin/sh"];

/// Runs a shell command.
pub struct Shell;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    command: String,
    cwd: Option<PathBuf>,
    /// seconds
    timeout: Option<u64>,
    // A terminal; its name says enough to models.
    pty: Option<bool>,
}

#[async_trait]
impl Tool for Shell {
    fn name(&self) -> &'static str {
        "shell"
    }

    fn description(&self) -> &'static str {
        "Run a shell command (sandboxed, no stdin)"
    }

    fn parameters(&self) -> Value {
        arguments::schema::<Args>()
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        let args: Args = arguments::parse(arguments)?;
        if args.command.trim().is_empty() || args.command.contains('\0') {
            let message = "`command` is empty or has a NUL byte";
            return Err(ToolError::ForModel(message.to_owned()));
        }
        Ok(())
    }

    fn effect(&self, _arguments: &Value) -> Effect {
        Effect::Process
    }

    fn claim(&self, _arguments: &Value, context: &ToolContext) -> Claim {
        command::claim(context)
    }

    fn target(&self, arguments: &Value) -> String {
        arguments["command"].as_str().unwrap_or_default().to_owned()
    }

    fn summary(&self, arguments: &Value) -> String {
        match arguments["cwd"].as_str() {
            Some(cwd) => format!("$ {}   (in {cwd})", self.target(arguments)),
            None => format!("$ {}", self.target(arguments)),
        }
    }

    fn timeout(&self, arguments: &Value) -> Option<Duration> {
        arguments["timeout"].as_u64().map(Duration::from_secs)
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let args: Args = arguments::parse(&arguments)?;
        let cwd =
            args.cwd.as_ref().map_or_else(|| context.cwd.clone(), |cwd| context.cwd.join(cwd));
        let mut spec = command::spec(argv(&args.command), &cwd, args.timeout, context);
        spec.without_shell = without_shell(&args, &spec.argv, context);
        let named = name_of_shell(&spec.argv, context);
        spec.env.extend(named);
        spec.terminal = args.pty.unwrap_or(false);
        command::run(&args.command, spec, context).await
    }
}

/// What bash would only become; nothing where the shell is another.
fn without_shell(args: &Args, shell: &[OsString], context: &ToolContext) -> Vec<OsString> {
    if !shell.first().is_some_and(|program| Path::new(program).ends_with("bash")) {
        return Vec::new();
    }
    let environment = context.sandbox.child_environment().iter();
    let environment = environment.map(|(name, value)| (name.as_os_str(), value.as_os_str()));
    without_shell::words(&args.command, environment)
}

/// `SHELL`, where the person's environment has none: else the shell asks the user database for it, at
/// each start, and on some networks that is a server which commands cannot reach.
fn name_of_shell(argv: &[OsString], context: &ToolContext) -> Option<(OsString, OsString)> {
    let is_set = context.sandbox.child_environment().iter().any(|(name, _)| name == "SHELL");
    let shell = argv.first().filter(|shell| !is_set && Path::new(shell).is_absolute())?;
    Some(("SHELL".into(), shell.clone()))
}

#[cfg(unix)]
fn argv(command: &str) -> Vec<OsString> {
    let shell = SHELLS.into_iter().find(|path| Path::new(path).exists()).unwrap_or("sh");
    vec![shell.into(), "-c".into(), command.into()]
}

#[cfg(not(unix))]
fn argv(command: &str) -> Vec<OsString> {
    let shell = SHELLS.into_iter().find(|path| Path::new(path).exists());
    match shell {
        Some(shell) => vec![shell.into(), "-c".into(), command.into()],
        None => vec!["cmd".into(), "/C".into(), command.into()],
    }
}
