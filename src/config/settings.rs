//! The resolved settings: immutable, typed, one struct per consumer.
//!
//! A consumer takes its own struct and never the whole. How values get here (files, environment,
//! command line) is `layer`'s and `env`'s business; nothing here reads anything.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use super::command_limits::CommandLimits;
use super::error::ConfigError;
use super::error::Diagnostic;
use super::error::Place;
use super::error::Rule;
use super::places::Here;
pub use super::secret::Secret;
use super::secret::SecretSource;
use crate::config::models::embedding::EmbeddingSettings;
use crate::config::models::local::LocalSettings;

/// Which dialect of the OpenAI API a server speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelApi {
    /// Chat Completions: what every compatible server has.
    #[default]
    Chat,
    /// Responses.
    Responses,
}

/// For `bridge` (adapters) and `agent` (window, output bound).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSettings {
    /// `openai`, `anthropic`, `local`, `transformers`, `custom`, `scripted`, `builtin`, `route`.
    pub provider: String,
    pub name: String,
    /// Without the trailing slash; `None` means the provider's own.
    pub base_url: Option<String>,
    pub api: ModelApi,
    pub api_key: Option<Secret>,
    /// Secrets that are read when the model is about to be used ([`ModelSettings::read_secrets`]).
    #[serde(skip)]
    pub pending: Vec<PendingSecret>,
    /// Tokens; `None` means what is known of the model, else 128,000.
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u32>,
    pub temperature: Option<f64>,
    /// `low`, `medium`, `high`: passed on to models that reason.
    pub reasoning_effort: Option<String>,
    /// The script that provider `scripted` replays.
    pub script: Option<PathBuf>,
    /// Somebody chose the provider; false where it only follows from what else is set.
    pub named: bool,
    /// `--require-model`: the builtin model is refused.
    pub require_model: bool,
    /// Further request headers, by name.
    pub headers: Vec<(String, String)>,
    /// US dollars per million tokens, for `--max-cost`: input, cached input, output.
    pub price: Option<ModelPrice>,
    /// Providers `local` and `transformers`.
    pub local: LocalSettings,
    /// Provider `route`: the models behind it.
    pub route: Option<RouteSettings>,
}

/// A secret that lies in a file or behind a command.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingSecret {
    /// A header, or the key where there is no name.
    pub header: Option<String>,
    pub source: SecretSource,
    /// Setting and place, for the error.
    pub key: String,
    pub place: Place,
}

impl PendingSecret {
    /// The secret; an error names the setting and its place.
    pub(super) fn read(&self, cancel: &CancellationToken) -> Result<Secret, ConfigError> {
        Ok(self.source.read(cancel).map_err(|reason| {
            let message = format!("`{}`: {reason}", self.key);
            Diagnostic::error(Rule::Unreadable, self.place.clone(), message).about(&self.key)
        })?)
    }
}

impl ModelSettings {
    /// A model that somebody named and of which nothing else is said.
    pub fn new(provider: &str, name: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            name: name.to_owned(),
            base_url: None,
            api: ModelApi::Chat,
            api_key: None,
            pending: Vec::new(),
            context_window: None,
            max_output_tokens: None,
            temperature: None,
            reasoning_effort: None,
            script: None,
            named: true,
            require_model: false,
            headers: Vec::new(),
            price: None,
            local: LocalSettings::default(),
            route: None,
        }
    }

    /// Where the window of a model that runs on this machine is set; wins over the general setting, also
    /// in a route.
    pub fn own_window_setting(&self) -> String {
        format!("`context_window` of `{}` in `model.local.models`", self.name)
    }

    /// A model has a name and nothing says whose it is. The builtin one would not be the one that was meant.
    pub fn lacks_provider(&self) -> bool {
        !self.named && self.provider == "builtin" && self.name != "builtin"
    }

    /// Fills in what other parts of the configuration say, for each model of a route as well.
    pub fn complete(&mut self, data_dir: Option<&Path>, wheels: Option<&Path>) {
        self.local.complete(data_dir, wheels);
        for rung in self.route.iter_mut().flat_map(|route| &mut route.rungs) {
            rung.model.complete(data_dir, wheels);
        }
    }

    /// Reads what lies in files and behind commands, which are ended when `cancel` is cancelled.
    pub fn read_secrets(&mut self, cancel: &CancellationToken) -> Result<(), ConfigError> {
        for pending in std::mem::take(&mut self.pending) {
            let secret = pending.read(cancel)?;
            match pending.header {
                Some(name) => self.headers.push((name, secret.expose().to_owned())),
                None => self.api_key = Some(secret),
            }
        }
        Ok(())
    }
}

/// What makes a route leave a model for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FallOver {
    /// No connection, or `--offline` forbids it.
    Unreachable,
    /// 5xx or overloaded, after all retries.
    Server,
    /// 429, after all retries.
    RateLimited,
    /// No byte within the idle deadline, or the total deadline passed.
    Timeout,
    /// HTML, broken JSON, an answer that broke off.
    Malformed,
    /// 401, 403, or there is no key. Never without being listed.
    Authentication,
}

impl FallOver {
    /// What holds where a model lists nothing.
    pub const USUAL: [Self; 5] =
        [Self::Unreachable, Self::Server, Self::RateLimited, Self::Timeout, Self::Malformed];
}

/// Several models in the order in which they are asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteSettings {
    pub name: String,
    /// At least one.
    pub rungs: Vec<RungSettings>,
    /// A model that failed is not asked again for so long.
    pub rest: Duration,
}

/// One model of a route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RungSettings {
    pub model: ModelSettings,
    pub fall_over_on: Vec<FallOver>,
}

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    pub input: f64,
    #[serde(default)]
    pub cached_input: Option<f64>,
    pub output: f64,
}

/// For `network`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkSettings {
    /// `--offline`: nothing but loopback is connected to.
    pub offline: bool,
    /// `--ca FILE`: trusted in addition to the system's store.
    pub ca: Option<PathBuf>,
    /// `SSL_CERT_FILE`, `SSL_CERT_DIR`: used instead of the system's store.
    pub ssl_cert_file: Option<PathBuf>,
    pub ssl_cert_dir: Option<PathBuf>,
    /// `http_proxy` (never in capital letters), `https_proxy`, `all_proxy`, `no_proxy` (either case).
    pub http_proxy: Option<String>,
    pub https_proxy: Option<String>,
    pub all_proxy: Option<String>,
    pub no_proxy: Option<String>,
    /// No byte for so long: the stream is given up.
    pub idle_timeout: Duration,
    /// One model call, retries included.
    pub total_timeout: Duration,
    pub connect_timeout: Duration,
    /// Tries after the first.
    pub max_retries: u32,
    /// `--record DIR`, `--replay DIR`: model traffic.
    pub record: Option<PathBuf>,
    pub replay: Option<PathBuf>,
    /// Where this is: other directories where a recording is replayed elsewhere.
    pub here: Here,
}

/// How far children and file tools may reach.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxLevel {
    #[default]
    ReadOnly,
    WorkspaceWrite,
    DangerFullAccess,
}

impl SandboxLevel {
    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::WorkspaceWrite => "workspace-write",
            Self::DangerFullAccess => "danger-full-access",
        }
    }
}

/// For `sandbox` and `system::opener`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SandboxSettings {
    pub level: SandboxLevel,
    /// Writable in addition to the workspace (at `workspace-write`).
    pub add_dirs: Vec<PathBuf>,
    /// Readable in addition to the workspace and the system's directories.
    pub read: Vec<PathBuf>,
    /// Host patterns children and `web_fetch` may reach; `all` means every host.
    pub net: Vec<String>,
    /// Names of further environment variables that children see.
    pub env: Vec<String>,
}

/// What happens to a call that is neither allowed nor denied by a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApproveMode {
    /// A person is asked where there is one; otherwise it is denied.
    #[default]
    Ask,
    /// Denied.
    Deny,
    /// Allowed as far as the sandbox holds it.
    Auto,
}

/// For `agent::approval`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ApprovalSettings {
    pub mode: ApproveMode,
    /// Rules `tool(pattern)` or `tool`.
    pub allow: Vec<String>,
    /// What an untrusted project asked for in vain.
    pub withheld: Withheld,
    /// Calls that need a person's word whatever else allows them.
    pub ask: Vec<String>,
    pub deny: Vec<String>,
}

/// Settings and variables that an untrusted project asked for and that were ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Withheld {
    /// Those that could have allowed a call.
    pub permissions: Vec<String>,
    /// Those that could have chosen another model.
    pub model: Vec<String>,
}

/// What the project's files asked for and were not given, for who starts a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TrustSettings {
    /// Such a run does not start.
    pub required: bool,
    /// The projects that are not trusted and asked for something.
    pub projects: Vec<PathBuf>,
    /// Settings and variables that were ignored.
    pub ignored: Vec<String>,
}

/// For `agent::budget`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitSettings {
    pub max_turns: u32,
    pub timeout: Option<Duration>,
    /// US dollars.
    pub max_cost: Option<f64>,
    /// Input plus output tokens of the whole run.
    pub max_tokens: Option<u64>,
    /// One tool call.
    pub tool_timeout: Duration,
    /// One command.
    pub command: CommandLimits,
}

/// Why what is remembered would end with the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ephemeral {
    /// `--ephemeral`.
    Asked,
    /// `memory.enabled` is false, and a conversation still needs a place for its turns.
    SwitchedOff,
    /// There is no data directory.
    NoPlace,
}

/// For `memory`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemorySettings {
    /// False: nothing is recalled and nothing remembered.
    pub enabled: bool,
    /// Why nothing is kept: an in-memory database, no file at all. `None` where the database is a file.
    pub ephemeral: Option<Ephemeral>,
    /// The database file (`agent.db` in the data directory).
    pub path: PathBuf,
}

/// For the `web_search` tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WebSearchSettings {
    /// Base URL of a SearXNG or compatible endpoint.
    pub url: Option<String>,
}

/// For `python_exec`, `agi-agent python` and the provider `transformers`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PythonSettings {
    /// Directory of the person's own wheels, put on `sys.path` of children and of `python`.
    pub wheels: Option<PathBuf>,
}

/// How much the program says about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Nothing.
    #[default]
    Off,
    /// What went wrong.
    Error,
    /// What is odd.
    Warn,
    /// What is done.
    Info,
    /// How it is done.
    Debug,
    /// Everything.
    Trace,
}

/// For `metrics::trace`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogSettings {
    pub level: LogLevel,
    /// Appended to; `None`: standard error.
    pub file: Option<PathBuf>,
}

/// When standard input is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StdinMode {
    /// For `-` and `--stdin` only.
    #[default]
    Explicit,
    /// Any pipe is read (the old habit).
    Auto,
}

/// Everything, as the composition root sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    pub model: ModelSettings,
    pub embedding: EmbeddingSettings,
    pub network: NetworkSettings,
    pub sandbox: SandboxSettings,
    pub approval: ApprovalSettings,
    pub limits: LimitSettings,
    pub memory: MemorySettings,
    pub web_search: WebSearchSettings,
    pub python: PythonSettings,
    pub trust: TrustSettings,
    pub log: LogSettings,
    pub stdin: StdinMode,
    /// `$XDG_DATA_HOME/agi-agent` or the platform's own place; not created until something is
    /// written. `None` without a home directory: then memory is ephemeral.
    pub data_dir: Option<PathBuf>,
}
