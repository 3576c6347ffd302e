//! The shape of a configuration file: every key is optional, unknown keys are errors.
//!
//! Only shape. Defaults are data (`defaults.json`), merging is `layer`'s, meaning is `settings`'.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::local::LocalConfig;
use super::local::TransformersConfig;
use super::settings::ApproveMode;
use super::settings::ModelApi;
use super::settings::ModelPrice;
use super::settings::SandboxLevel;
use super::settings::StdinMode;

/// One configuration file, or all layers merged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub model: ModelConfig,
    pub network: NetworkConfig,
    pub sandbox: SandboxConfig,
    /// What happens to a call that no rule decides.
    pub approve: Option<ApproveMode>,
    /// Rules `tool(pattern)` that allow.
    pub allow: Vec<String>,
    /// Rules `tool(pattern)` that want a person's word; they win over those that allow.
    pub ask: Vec<String>,
    /// Rules `tool(pattern)` that deny; they win.
    pub deny: Vec<String>,
    pub limits: LimitConfig,
    pub memory: MemoryConfig,
    pub learning: LearningConfig,
    pub web_search: WebSearchConfig,
    pub python: PythonConfig,
    /// When standard input is read: `explicit` (for `-` and `--stdin`) or `auto` (any pipe).
    pub stdin: Option<StdinMode>,
    /// Where the database lives.
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// `openai`, `anthropic`, `local`, `transformers`, `custom`, `scripted` or `builtin`.
    pub provider: Option<String>,
    /// The model's name at its provider.
    pub name: Option<String>,
    /// Base URL of a compatible server, such as `http://localhost:11434/v1`.
    pub base_url: Option<String>,
    /// Dialect of the OpenAI API: `chat` or `responses`.
    pub api: Option<ModelApi>,
    /// Name of the environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// Tokens of the context window.
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u32>,
    pub temperature: Option<f64>,
    /// `low`, `medium` or `high`.
    pub reasoning_effort: Option<String>,
    /// The script that provider `scripted` replays.
    pub script: Option<PathBuf>,
    /// Further request headers.
    pub headers: std::collections::BTreeMap<String, String>,
    /// US dollars per million tokens, for `--max-cost`.
    pub price: Option<ModelPrice>,
    /// Models on this machine.
    pub local: LocalConfig,
    /// Models of the person's own torch and transformers.
    pub transformers: TransformersConfig,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Connect to nothing but this machine.
    pub offline: Option<bool>,
    /// A further certificate authority (PEM).
    pub ca: Option<PathBuf>,
    pub connect_timeout: Option<Span>,
    pub idle_timeout: Option<Span>,
    pub total_timeout: Option<Span>,
    pub max_retries: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxConfig {
    /// `read-only`, `workspace-write` or `danger-full-access`.
    pub level: Option<SandboxLevel>,
    pub add_dirs: Vec<PathBuf>,
    pub read: Vec<PathBuf>,
    pub net: Vec<String>,
    pub env: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    pub max_turns: Option<u32>,
    /// Of one run, such as `90s`, `5m`, `1h`.
    pub timeout: Option<Span>,
    /// US dollars.
    pub max_cost: Option<f64>,
    pub max_tokens: Option<u64>,
    /// Of one tool call.
    pub tool_timeout: Option<Span>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    pub enabled: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearningConfig {
    pub enabled: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebSearchConfig {
    /// Base URL of a SearXNG or compatible endpoint.
    pub url: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PythonConfig {
    /// Directory of the person's own wheels.
    pub wheels: Option<PathBuf>,
}

/// A length of time: `250ms`, `90s`, `5m`, `2h`, `1d`; a bare number means seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(with = "String")]
pub struct Span(pub Duration);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a length of time; write `90s`, `5m` or `1h`");
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let scale = match unit.trim() {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        Duration::try_from_secs_f64(number * scale).map(Self).map_err(|_| wrong())
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        let milliseconds = span.0.as_millis();
        if milliseconds.is_multiple_of(1000) {
            format!("{}s", milliseconds / 1000)
        } else {
            format!("{milliseconds}ms")
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(f64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(seconds) => Duration::try_from_secs_f64(seconds)
                .map(Self)
                .map_err(|error| serde::de::Error::custom(error.to_string())),
            Raw::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Span;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, seconds) in [("90", 90.0), ("5m", 300.0), ("250ms", 0.25), ("1.5h", 5400.0)] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.0, Duration::from_secs_f64(seconds), "{text}");
        }
        for text in ["", "m", "5 parsecs", "-3s", "1e400"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
