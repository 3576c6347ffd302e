//! The `python_exec` tool: Python code in a child, by the interpreter inside this executable.
//!
//! A child and not our own interpreter: code that is not ours never runs in the process that has the
//! memory database open, and what it does to its interpreter ends with it.

use std::ffi::OsString;
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
use super::plots::Plots;
use crate::config::settings::PythonSettings;
use crate::protocol::Effect;
use crate::sandbox::Input;
use crate::sandbox::SandboxError;

/// Runs Python code.
pub struct PythonExec {
    settings: PythonSettings,
}

impl PythonExec {
    /// `settings`: where the person's own packages are.
    pub fn new(settings: PythonSettings) -> Self {
        Self { settings }
    }

    /// `python -I`: no environment, no user packages, no workspace on the module path. The code comes
    /// on standard input, so it is neither a file nor in the list of processes.
    fn argv(&self, context: &ToolContext) -> Result<Vec<OsString>, SandboxError> {
        let mut argv = vec![context.sandbox.program()?.into_os_string(), "python".into()];
        if let Some(wheels) = &self.settings.wheels {
            argv.extend(["--path".into(), wheels.clone().into_os_string()]);
        }
        argv.extend(["-I".into(), "-".into()]);
        Ok(argv)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    code: String,
    timeout: Option<u64>,
}

#[async_trait]
impl Tool for PythonExec {
    fn name(&self) -> &'static str {
        "python_exec"
    }

    fn description(&self) -> &'static str {
        "Run Python code (sandboxed); print results, draw with agi_agent.plot.Figure"
    }

    fn parameters(&self) -> Value {
        arguments::schema::<Args>()
    }

    fn check(&self, arguments: &Value) -> Result<(), ToolError> {
        let args: Args = arguments::parse(arguments)?;
        if args.code.trim().is_empty() {
            return Err(ToolError::ForModel("`code` is empty".to_owned()));
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
        arguments["code"].as_str().unwrap_or_default().to_owned()
    }

    fn summary(&self, arguments: &Value) -> String {
        format!("python:\n{}", self.target(arguments))
    }

    fn timeout(&self, arguments: &Value) -> Option<Duration> {
        arguments["timeout"].as_u64().map(Duration::from_secs)
    }

    async fn run(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError> {
        let args: Args = arguments::parse(&arguments)?;
        let child = self.argv(context).map_err(|error| command::failure(&args.code, error))?;
        let mut spec = command::spec(child, &context.cwd, args.timeout, context);
        let mut code = args.code.clone().into_bytes();
        if code.last() != Some(&b'\n') {
            code.push(b'\n');
        }
        spec.stdin = Input::Bytes(code);
        let plots = Plots::new(context);
        spec.env.extend(plots.as_ref().map(Plots::variable));
        let output = command::run(&args.code, spec, context).await?;
        match plots {
            Some(plots) => {
                let context_of_call = context.clone();
                context.blocking(move || Ok(plots.collect(output, &context_of_call))).await
            }
            None => Ok(output),
        }
    }
}
