//! `agi-agent run`: one task from the command line to its exit code.
//!
//! Flags become configuration keys (so that `config show` and errors name them); what the task says
//! is gathered by `task`, the agent is built by `wiring`, events are shown by `render`.

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use serde_json::Value;

use crate::cli::args::PlacesArgs;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::task;
use crate::config::layer::Assignments;
use crate::config::places::Here;
use crate::config::settings::ApproveMode;
use crate::config::settings::SandboxLevel;
use crate::config::settings::Settings;
use crate::protocol::ExitCode;

/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  agi-agent run 'how many lines are in README.md'
  agi-agent run --sandbox workspace-write --expect 'make test' 'fix the failing test'
  git diff | agi-agent run --stdin --output-format json --timeout 2m 'review this change'
  agi-agent run --sandbox workspace-write --deny 'file_write(src/*)' --deny shell 'update the docs'

The default sandbox level reads the working directory and runs commands that change nothing. Without
a terminal nobody is asked: a call that would need a question is declined, and the run ends 43.
Standard input is read for `-` and `--stdin` only.";

/// What stdout carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// The final answer
    Text,
    /// One object with everything
    Json,
    /// One event per line
    Jsonl,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are what a command line has")]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// What to do; `-` reads it from standard input
    #[arg(value_name = "TASK|-")]
    pub task: Option<String>,
    /// Read standard input and put it below the task
    #[arg(long)]
    pub stdin: bool,
    /// Put a file below the task (text or image); repeatable
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What stdout carries; `text` where nothing is said, `json` with --json
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub output_format: Option<OutputFormat>,
    /// Write the final answer to FILE as well, if the run ends 0
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// JSON Schema that the answer must meet: a file, or the schema itself
    #[arg(long, value_name = "FILE|JSON")]
    pub output_schema: Option<String>,

    #[command(flatten)]
    pub model: ModelArgs,

    #[command(flatten)]
    pub reach: ReachArgs,

    /// Model turns at most
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub max_turns: Option<u32>,
    /// Time limit, such as 90s or 5m
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    pub timeout: Option<String>,
    /// US dollars at most (needs `model.price`)
    #[arg(long, value_name = "USD", help_heading = "Limits")]
    pub max_cost: Option<f64>,
    /// Input and output tokens at most
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub max_tokens: Option<u64>,

    /// Command that must succeed after the run, else 48; repeatable
    #[arg(long, value_name = "CMD", help_heading = "Post-conditions")]
    pub expect: Vec<String>,
    /// Command that must fail after the run, else 48; repeatable
    #[arg(long, value_name = "CMD", help_heading = "Post-conditions")]
    pub forbid: Vec<String>,

    /// Go on with a session
    #[arg(long, value_name = "ID", help_heading = "Session", conflicts_with = "ephemeral")]
    pub session: Option<String>,
    /// Go on with the last session
    #[arg(long = "continue", help_heading = "Session", conflicts_with_all = ["session", "ephemeral"])]
    pub continue_last: bool,
    /// Leave nothing behind: no session, no memory, no file
    #[arg(long, help_heading = "Session")]
    pub ephemeral: bool,
    /// Neither recall nor remember
    #[arg(long, help_heading = "Session")]
    pub no_memory: bool,
}

// Which model answers. (A doc comment would become the help of the command that has them.)
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// Model, as `PROVIDER/NAME` (openai, anthropic, local, transformers, custom, route, scripted,
    /// builtin)
    #[arg(long, value_name = "PROVIDER/NAME")]
    pub model: Option<String>,
    /// Refuse the builtin model
    #[arg(long)]
    pub require_model: bool,
    /// Keep the model traffic in DIR (secrets left out)
    #[arg(long, value_name = "DIR", conflicts_with = "replay")]
    pub record: Option<PathBuf>,
    /// Answer model requests from a recording in DIR
    #[arg(long, value_name = "DIR")]
    pub replay: Option<PathBuf>,
}

// How far the run may reach, and who decides. (Likewise no doc comment.)
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Permissions")]
pub struct ReachArgs {
    /// read-only, workspace-write or danger-full-access
    #[arg(long, value_name = "LEVEL", value_parser = sandbox_level)]
    pub sandbox: Option<SandboxLevel>,
    #[command(flatten)]
    pub places: PlacesArgs,
    /// End 55 where the project's files ask for something and are not trusted
    #[arg(long)]
    pub require_trust: bool,
    /// What happens to a call that no rule decides: ask, deny or auto
    #[arg(long, value_name = "MODE", value_parser = approve_mode)]
    pub approve: Option<ApproveMode>,
    /// Rule `tool(pattern)` that allows; repeatable
    #[arg(long, value_name = "RULE")]
    pub allow: Vec<String>,
    /// Rule `tool(pattern)` that wants a person's word, and wins over --allow; repeatable
    #[arg(long, value_name = "RULE")]
    pub ask: Vec<String>,
    /// Rule `tool(pattern)` that denies, and wins; repeatable
    #[arg(long, value_name = "RULE")]
    pub deny: Vec<String>,
}

pub(super) fn sandbox_level(text: &str) -> Result<SandboxLevel, String> {
    serde_json::from_value(Value::from(text))
        .map_err(|_| "expected read-only, workspace-write or danger-full-access".to_owned())
}

fn approve_mode(text: &str) -> Result<ApproveMode, String> {
    serde_json::from_value(Value::from(text)).map_err(|_| "expected ask, deny or auto".to_owned())
}

impl ModelArgs {
    /// What these flags say beside the configuration.
    pub fn apply(&self, settings: &mut Settings, context: &CommandContext) {
        settings.model.require_model = self.require_model;
        let network = &mut settings.network;
        network.record.clone_from(&self.record);
        network.replay.clone_from(&self.replay);
        let directory = context.directory().ok().map(Path::to_path_buf);
        network.here = Here { directory, home: context.places.home.clone() };
    }

    /// The configuration keys that these flags set.
    pub fn assignments(&self, into: &mut Assignments) -> Result<(), CommandError> {
        let Some(model) = &self.model else { return Ok(()) };
        let (provider, name) =
            model.split_once('/').map_or((model.as_str(), None), |(p, n)| (p, Some(n)));
        if provider.is_empty() || name == Some("") {
            return Err(CommandError::usage(format!("`--model {model}` is not PROVIDER/NAME"))
                .with_hint("for example `--model openai/gpt-5.1`"));
        }
        into.push(("model.provider".into(), provider.into(), "--model".into()));
        if let Some(name) = name {
            let key = if provider == "scripted" { "model.script" } else { "model.name" };
            into.push((key.into(), name.into(), "--model".into()));
        }
        Ok(())
    }
}

impl ReachArgs {
    /// The configuration keys that these flags set.
    pub fn assignments(&self, into: &mut Assignments) {
        self.places.assignments(into);
        let mut add = |key: &str, value: Value, flag: &str| {
            into.push((key.to_owned(), value, flag.to_owned()));
        };
        if let Some(level) = self.sandbox {
            add("sandbox.level", level.as_str().into(), "--sandbox");
        }
        if self.require_trust {
            add("trust.required", true.into(), "--require-trust");
        }
        if let Some(mode) = self.approve {
            add("approve", serde_json::to_value(mode).unwrap_or_default(), "--approve");
        }
        let lists = [
            ("allow", self.allow.clone(), "--allow"),
            ("ask", self.ask.clone(), "--ask"),
            ("deny", self.deny.clone(), "--deny"),
        ];
        for (key, list, flag) in lists {
            if !list.is_empty() {
                add(key, list.into(), flag);
            }
        }
    }
}

impl RunArgs {
    /// What stdout carries; `json`: `--json` was given.
    pub fn format(&self, json: bool) -> OutputFormat {
        let plain = if json { OutputFormat::Json } else { OutputFormat::Text };
        self.output_format.unwrap_or(plain)
    }

    /// The configuration keys that all flags set.
    pub fn assignments(&self) -> Result<Assignments, CommandError> {
        let mut assignments = Assignments::new();
        self.model.assignments(&mut assignments)?;
        self.reach.assignments(&mut assignments);
        let mut add = |key: &str, value: Option<Value>, flag: &str| {
            if let Some(value) = value {
                assignments.push((key.to_owned(), value, flag.to_owned()));
            }
        };
        add("limits.max_turns", self.max_turns.map(Value::from), "--max-turns");
        add("limits.timeout", self.timeout.clone().map(Value::from), "--timeout");
        add("limits.max_cost", self.max_cost.map(Value::from), "--max-cost");
        add("limits.max_tokens", self.max_tokens.map(Value::from), "--max-tokens");
        add("memory.enabled", self.no_memory.then(|| false.into()), "--no-memory");
        Ok(assignments)
    }
}

pub async fn run(args: RunArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    task::execute(args, context).await
}
