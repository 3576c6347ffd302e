//! Every setting, once: name, type, default, documentation and rules.
//!
//! The structs, the table that files are checked against, `contracts/config.schema.json`, completion
//! of keys and the reference page all come from these lines. Only shape: merging is `layer`'s,
//! meaning is `resolve`'s.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::fields::Cover;
use super::fields::Field;
use super::fields::Kind;
use super::fields::Order;
use super::fields::Rules;
use super::fields::Shape;
use super::fields::settings;
use super::quantity::Span;
use crate::config::command_limits::CommandLimitConfig;
use crate::config::models::embedding::EmbeddingConfig;
use crate::config::models::embedding::EmbeddingProvider;
use crate::config::models::embedding::Pooling;
use crate::config::models::local::LocalConfig;
use crate::config::models::local::ToolChoice;
use crate::config::models::local::TransformersConfig;
use crate::config::models::route::RungConfig;
use crate::config::secret::SecretSource;
use crate::config::secret::SecretText;
use crate::config::settings::ApproveMode;
use crate::config::settings::LogLevel;
use crate::config::settings::ModelApi;
use crate::config::settings::SandboxLevel;
use crate::config::settings::StdinMode;

/// The shape of configuration files that this program writes and understands.
pub const VERSION: u32 = 2;

const PLAIN: Rules = Rules::PLAIN;
const POWER: Rules = Rules::POWER;

settings! {
    /// One configuration file, or all layers merged.
    pub struct Config {
        /// Shape of this file; a file of a newer program is refused.
        config_version: u32 = VERSION => PLAIN.at_least(1.0);
        /// Which model answers, and how it is reached.
        model: ModelConfig = ModelConfig::default() => PLAIN;
        /// How texts become vectors.
        embedding: EmbeddingConfig = EmbeddingConfig::default() => PLAIN;
        /// Connections.
        network: NetworkConfig = NetworkConfig::default() => POWER;
        /// How far tools and commands may reach.
        sandbox: SandboxConfig = SandboxConfig::default() => POWER;
        /// What happens to a call that no rule decides: `ask`, `deny` or `auto`.
        approve: ApproveMode = ApproveMode::Ask => POWER.narrows(Order::Words(&["deny", "ask", "auto"]));
        /// Rules `tool(pattern)` that allow; the highest layer's list replaces the others.
        allow: Vec<String> = Vec::new() => POWER.narrows(Order::Fewer(Cover::Rule));
        /// Rules `tool(pattern)` that want a person's word, and win over those that allow; the lists
        /// of all layers count.
        ask: Vec<String> = Vec::new() => POWER.narrows(Order::More).union();
        /// Rules `tool(pattern)` that deny, and win; the lists of all layers count.
        deny: Vec<String> = Vec::new() => POWER.narrows(Order::More).union();
        /// What one run may use up.
        limits: LimitConfig = LimitConfig::default() => POWER;
        /// What is remembered between runs.
        memory: MemoryConfig = MemoryConfig::default() => PLAIN;
        /// Lessons from past runs.
        learning: LearningConfig = LearningConfig::default() => PLAIN;
        /// The `web_search` tool.
        web_search: WebSearchConfig = WebSearchConfig::default() => PLAIN;
        /// Python code that is not ours.
        python: PythonConfig = PythonConfig::default() => POWER;
        /// Which projects are believed.
        trust: TrustConfig = TrustConfig::default() => POWER;
        /// What the program says about itself.
        log: LogConfig = LogConfig::default() => PLAIN;
        /// When standard input is read: `explicit` (for `-` and `--stdin`) or `auto` (any pipe).
        stdin: StdinMode = StdinMode::Explicit => PLAIN;
        /// Where the database lives; absent means the platform's own place.
        data_dir: Option<PathBuf> = None => PLAIN;
    }
}

settings! {
    /// Which model answers, and how it is reached.
    pub struct ModelConfig {
        /// `openai`, `anthropic`, `local`, `transformers`, `custom`, `scripted` or `builtin`; absent follows from the keys in the environment.
        provider: Option<String> = None => POWER;
        /// The model's name at its provider.
        name: Option<String> = None => PLAIN;
        /// Base URL of a compatible server, such as `http://localhost:11434/v1`.
        base_url: Option<String> = None => POWER;
        /// Dialect of the OpenAI API: `chat` or `responses`.
        api: ModelApi = ModelApi::Chat => PLAIN;
        /// Where the key is read from: `{"env": …}`, `{"file": …}` or `{"command": […]}`.
        api_key: Option<SecretSource> = None => POWER;
        /// Tokens of the context window.
        context_window: Option<u64> = None => PLAIN.at_least(1.0);
        /// Tokens of one answer at most.
        max_output_tokens: Option<u32> = None => PLAIN.at_least(1.0).narrows(Order::Lower);
        /// 0 is the most predictable.
        temperature: Option<f64> = None => PLAIN.at_least(0.0).at_most(2.0);
        /// `low`, `medium` or `high`, for models that reason.
        reasoning_effort: Option<String> = None => PLAIN;
        /// The script that provider `scripted` replays.
        script: Option<PathBuf> = None => PLAIN;
        /// Further request headers; values may be secrets and are never shown.
        headers: BTreeMap<String, SecretText> = BTreeMap::new() => POWER;
        /// US dollars per million tokens, for `limits.max_cost`.
        price: Option<PriceConfig> = None => PLAIN;
        /// Routes by name: models in the order in which they are asked (`--model route/NAME`).
        routes: BTreeMap<String, Vec<RungConfig>> = BTreeMap::new() => POWER;
        /// So long a model of a route is left alone after it failed.
        route_rest: Span = Span::seconds(60) => PLAIN;
        /// Models on this machine.
        local: LocalConfig = LocalConfig::default() => PLAIN;
        /// Models of the person's own torch and transformers.
        transformers: TransformersConfig = TransformersConfig::default() => PLAIN;
    }
}

settings! {
    /// US dollars per million tokens.
    pub struct PriceConfig {
        /// Of the request.
        input: Option<f64> = None => PLAIN.at_least(0.0);
        /// Of the part of the request that the provider had cached; absent means as `input`.
        cached_input: Option<f64> = None => PLAIN.at_least(0.0);
        /// Of the answer.
        output: Option<f64> = None => PLAIN.at_least(0.0);
    }
}

settings! {
    /// Connections.
    pub struct NetworkConfig {
        /// Connect to nothing but this machine.
        offline: bool = false => POWER.narrows(Order::True);
        /// A further certificate authority (PEM).
        ca: Option<PathBuf> = None => POWER;
        /// Until a connection stands.
        connect_timeout: Span = Span::seconds(10) => POWER.narrows(Order::Lower);
        /// Without a byte from the server.
        idle_timeout: Span = Span::seconds(60) => POWER.narrows(Order::Lower);
        /// Of one model call, retries included.
        total_timeout: Span = Span::seconds(600) => POWER.narrows(Order::Lower);
        /// Tries after the first.
        max_retries: u32 = 4 => POWER.narrows(Order::Lower);
    }
}

settings! {
    /// How far tools and commands may reach.
    pub struct SandboxConfig {
        /// `read-only`, `workspace-write` or `danger-full-access`.
        level: SandboxLevel = SandboxLevel::ReadOnly
            => POWER.narrows(Order::Words(&["read-only", "workspace-write", "danger-full-access"]));
        /// Writable in addition to the workspace (at `workspace-write`).
        add_dirs: Vec<PathBuf> = Vec::new() => POWER.narrows(Order::Fewer(Cover::Directory));
        /// Readable in addition to the workspace and the system's directories.
        read: Vec<PathBuf> = Vec::new() => POWER.narrows(Order::Fewer(Cover::Directory));
        /// Hosts that may be reached: `example.org`, `*.example.org`, `example.org:8080`, `all`.
        net: Vec<String> = Vec::new() => POWER.narrows(Order::Fewer(Cover::Host));
        /// Names of further environment variables that commands see.
        env: Vec<String> = Vec::new() => POWER.narrows(Order::Fewer(Cover::Same));
    }
}

settings! {
    /// What one run may use up.
    pub struct LimitConfig {
        /// Model turns.
        max_turns: u32 = 50 => POWER.at_least(1.0).narrows(Order::Lower);
        /// Time of one run, such as `90s`, `5m`, `1h`; absent means without limit.
        timeout: Option<Span> = None => POWER.narrows(Order::Lower);
        /// US dollars (needs `model.price`); absent means without limit.
        max_cost: Option<f64> = None => POWER.at_least(0.0).narrows(Order::Lower);
        /// Input and output tokens together; absent means without limit.
        max_tokens: Option<u64> = None => POWER.narrows(Order::Lower);
        /// Time of one tool call.
        tool_timeout: Span = Span::seconds(120) => POWER.narrows(Order::Lower);
        /// What one command may use up.
        command: CommandLimitConfig = CommandLimitConfig::default() => POWER;
    }
}

settings! {
    /// What is remembered between runs.
    pub struct MemoryConfig {
        /// Recall and remember.
        enabled: bool = true => POWER.narrows(Order::False);
    }
}

settings! {
    /// Lessons from past runs.
    pub struct LearningConfig {
        /// Draw lessons from past runs; nothing does yet.
        enabled: bool = true => POWER.narrows(Order::False);
    }
}

settings! {
    /// The `web_search` tool.
    pub struct WebSearchConfig {
        /// Base URL of a SearXNG or compatible endpoint.
        url: Option<String> = None => PLAIN;
    }
}

settings! {
    /// Python code that is not ours.
    pub struct PythonConfig {
        /// Directory of the person's own wheels.
        wheels: Option<PathBuf> = None => POWER;
    }
}

settings! {
    /// What the program says about itself; `-v` stands above it.
    pub struct LogConfig {
        /// `off`, `error`, `warn`, `info`, `debug` or `trace`.
        level: LogLevel = LogLevel::Off => PLAIN;
        /// Where it is appended; standard error where it is left out.
        file: Option<PathBuf> = None => PLAIN;
    }
}

settings! {
    /// Which projects are believed.
    pub struct TrustConfig {
        /// A run in a project whose files ask for something ends 55 until `agi-agent trust`.
        required: bool = false => POWER.narrows(Order::True);
    }
}

impl Shape for SandboxLevel {
    const KIND: Kind = Kind::Choice(&["read-only", "workspace-write", "danger-full-access"]);
}

impl Shape for ApproveMode {
    const KIND: Kind = Kind::Choice(&["ask", "deny", "auto"]);
}

impl Shape for ModelApi {
    const KIND: Kind = Kind::Choice(&["chat", "responses"]);
}

impl Shape for ToolChoice {
    const KIND: Kind = Kind::Choice(&["auto", "required"]);
}

impl Shape for EmbeddingProvider {
    const KIND: Kind = Kind::Choice(&["local", "openai"]);
}

impl Shape for Pooling {
    const KIND: Kind = Kind::Choice(&["model", "mean", "cls", "last"]);
}

impl Shape for LogLevel {
    const KIND: Kind = Kind::Choice(&["off", "error", "warn", "info", "debug", "trace"]);
}

impl Shape for StdinMode {
    const KIND: Kind = Kind::Choice(&["explicit", "auto"]);
}

impl Shape for SecretSource {
    const KIND: Kind = Kind::Secret { plain: false };
}

impl Shape for SecretText {
    const KIND: Kind = Kind::Secret { plain: true };
}

/// The setting at a dotted key, groups included; the names of a map are the person's.
pub fn lookup(key: &str) -> Option<Field> {
    find(Config::FIELDS, key).map(|(_, field)| field)
}

/// The parts of a dotted key; names of maps may hold dots.
pub fn segments(key: &str) -> Vec<String> {
    find(Config::FIELDS, key).map_or_else(
        || key.split('.').map(str::to_owned).collect(),
        |(segments, _)| segments.into_iter().map(str::to_owned).collect(),
    )
}

fn find<'k>(fields: &[Field], key: &'k str) -> Option<(Vec<&'k str>, Field)> {
    let (name, rest) = key.split_once('.').map_or((key, None), |(name, rest)| (name, Some(rest)));
    let field = fields.iter().find(|field| field.name == name)?;
    let Some(rest) = rest else { return Some((vec![name], *field)) };
    let (mut inner, found) = match field.kind {
        Kind::Object(fields) => find(fields, rest)?,
        Kind::Map(Kind::Object(fields)) => {
            // The name ends before the first dot behind which there is a setting.
            let of_setting = rest.match_indices('.').find_map(|(at, _)| {
                let (mut inner, found) = find(fields, &rest[at + 1..])?;
                inner.insert(0, &rest[..at]);
                Some((inner, found))
            });
            let group = Field { kind: Kind::Object(fields), ..*field };
            of_setting.unwrap_or_else(|| (vec![rest], group))
        }
        // Everything behind the dot is one name of the map.
        Kind::Map(kind) => (vec![rest], Field { kind: *kind, ..*field }),
        _ => return None,
    };
    inner.insert(0, name);
    Some((inner, found))
}

/// Whether a word is a name of a setting or one of its values: nothing that anybody keeps secret.
pub fn is_word(word: &str) -> bool {
    fn among(fields: &[Field], word: &str) -> bool {
        fields.iter().any(|field| field.name == word || within(field.kind, word))
    }
    fn within(kind: Kind, word: &str) -> bool {
        match kind {
            Kind::Object(fields) => among(fields, word),
            Kind::Map(inner) | Kind::List(inner) => within(*inner, word),
            Kind::Choice(words) => words.contains(&word),
            _ => false,
        }
    }
    among(Config::FIELDS, word)
}

/// Every key with its setting, groups left out; maps stand as `model.headers.*`.
pub fn keys() -> Vec<(String, Field)> {
    fn collect(fields: &[Field], prefix: &str, into: &mut Vec<(String, Field)>) {
        for field in fields {
            let key = format!("{prefix}{}", field.name);
            match field.kind {
                Kind::Object(inner) => collect(inner, &format!("{key}."), into),
                Kind::Map(Kind::Object(inner)) => collect(inner, &format!("{key}.*."), into),
                Kind::Map(_) => into.push((format!("{key}.*"), *field)),
                _ => into.push((key, *field)),
            }
        }
    }
    let mut all = Vec::new();
    collect(Config::FIELDS, "", &mut all);
    all
}

/// Whether a key, or a group that it stands in, grants or limits power.
pub fn has_power(key: &str) -> bool {
    let groups = key.match_indices('.').map(|(at, _)| &key[..at]);
    groups.chain([key]).any(|part| lookup(part).is_some_and(|field| field.rules.power))
}
