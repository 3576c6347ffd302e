//! Local models in the configuration: `model.local` (GGUF, computed in this file) and
//! `model.transformers` (the person's own torch). Shape, typed settings and how they follow.
//!
//! Sampling may be set for all local models and again per model, by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use crate::config::table::fields::Cover;
use crate::config::table::fields::Order;
use crate::config::table::fields::Rules;
use crate::config::table::fields::settings;

const PLAIN: Rules = Rules::PLAIN;

/// The name of a local model that nobody named: the only one there is.
pub const AUTO: &str = "auto";

settings! {
    /// How tokens are chosen. What is left out is the model's own advice, then ours.
    #[derive(Copy)]
    pub struct Sampling {
        /// 0 takes the likeliest token each time.
        temperature: Option<f64> = None => PLAIN.at_least(0.0);
        /// The likeliest tokens that together have this probability, from 0 to 1.
        top_p: Option<f64> = None => PLAIN.at_least(0.0).at_most(1.0);
        /// So many of the likeliest tokens; 0 means all.
        top_k: Option<u32> = None => PLAIN;
        /// Tokens at least so likely, as a share of the likeliest one.
        min_p: Option<f64> = None => PLAIN.at_least(0.0).at_most(1.0);
        /// The same seed gives the same answer.
        seed: Option<u32> = None => PLAIN;
        /// Above 1: what was said lately becomes less likely.
        repeat_penalty: Option<f64> = None => PLAIN.at_least(0.0);
    }
}

impl Sampling {
    /// Takes from `other` what it says itself.
    fn overlaid(self, other: Self) -> Self {
        Self {
            temperature: other.temperature.or(self.temperature),
            top_p: other.top_p.or(self.top_p),
            top_k: other.top_k.or(self.top_k),
            min_p: other.min_p.or(self.min_p),
            seed: other.seed.or(self.seed),
            repeat_penalty: other.repeat_penalty.or(self.repeat_penalty),
        }
    }
}

/// Whether a local model may decide not to call a tool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// It decides.
    #[default]
    Auto,
    /// Each answer is a call.
    Required,
}

settings! {
    /// Models on this machine.
    pub struct LocalConfig {
        /// Directory of models (GGUF); `models` in the data directory where it is left out.
        directory: Option<PathBuf> = None => PLAIN;
        /// Threads that compute; the physical cores where it is left out.
        threads: Option<u32> = None => PLAIN;
        /// False: a model that can think before it answers is told not to.
        thinking: Option<bool> = None => PLAIN;
        /// `auto` or `required`.
        tool_choice: Option<ToolChoice> = None => PLAIN;
        /// True: a full window drops its oldest turns; otherwise the answer ends there.
        context_shift: Option<bool> = None => PLAIN;
        /// Guess so many tokens from what was said before and check them at once.
        draft_tokens: Option<u32> = None => PLAIN;
        /// How tokens are chosen.
        sampling: Sampling = Sampling::default() => PLAIN;
        /// What differs for a model, by its name.
        models: BTreeMap<String, LocalModelConfig> = BTreeMap::new() => PLAIN;
    }
}

settings! {
    /// One entry of `model.local.models`.
    pub struct LocalModelConfig {
        /// Tokens of the context window.
        context_window: Option<u64> = None => PLAIN;
        /// False: it is told not to think before it answers.
        thinking: Option<bool> = None => PLAIN;
        /// How tokens are chosen.
        sampling: Sampling = Sampling::default() => PLAIN;
    }
}

settings! {
    /// Models of the person's own torch and transformers.
    pub struct TransformersConfig {
        /// Where torch computes, such as `cpu` or `cuda`.
        device: Option<String> = None => PLAIN;
        /// Models whose repositories may bring code of their own that is run.
        trust_remote_code: Vec<String> = Vec::new() => Rules::POWER.narrows(Order::Fewer(Cover::Same));
    }
}

/// For the providers `local` and `transformers`, resolved for the model that was chosen.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LocalSettings {
    /// Where models are looked for by name.
    pub directory: Option<PathBuf>,
    pub context_window: Option<u64>,
    pub threads: Option<u32>,
    pub thinking: bool,
    pub tool_choice: ToolChoice,
    pub context_shift: bool,
    pub draft_tokens: u32,
    pub sampling: Sampling,
    pub transformers: TransformersSettings,
}

/// For the provider `transformers`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TransformersSettings {
    /// The person's wheels (`python.wheels`).
    pub wheels: Option<PathBuf>,
    pub device: Option<String>,
    pub trust_remote_code: Vec<String>,
}

/// What holds for the model `name`. Paths are taken against `directory`.
pub fn resolve(
    local: &LocalConfig,
    transformers: &TransformersConfig,
    name: &str,
    directory: &Path,
) -> LocalSettings {
    let own = local.models.get(name).cloned().unwrap_or_default();
    LocalSettings {
        directory: local.directory.as_ref().map(|path| directory.join(path)),
        context_window: own.context_window,
        threads: local.threads,
        thinking: own.thinking.or(local.thinking).unwrap_or(true),
        tool_choice: local.tool_choice.unwrap_or_default(),
        context_shift: local.context_shift.unwrap_or(false),
        draft_tokens: local.draft_tokens.unwrap_or(0),
        sampling: local.sampling.overlaid(own.sampling),
        transformers: TransformersSettings {
            wheels: None,
            device: transformers.device.clone(),
            trust_remote_code: transformers.trust_remote_code.clone(),
        },
    }
}

impl LocalSettings {
    /// Fills in what other parts of the configuration say.
    pub fn complete(&mut self, data_dir: Option<&Path>, wheels: Option<&Path>) {
        if self.directory.is_none() {
            self.directory = data_dir.map(|data| data.join("models"));
        }
        self.transformers.wheels = wheels.map(Path::to_path_buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_says_what_differs() {
        let local: LocalConfig = serde_json::from_value(serde_json::json!({
            "directory": "models",
            "thinking": false,
            "sampling": {"temperature": 0.5, "top_k": 10},
            "models": {"tiny": {"context_window": 512, "sampling": {"top_k": 1}}},
        }))
        .unwrap();
        let tiny = resolve(&local, &TransformersConfig::default(), "tiny", Path::new("/here"));
        assert_eq!(tiny.directory, Some("/here/models".into()));
        assert_eq!(tiny.context_window, Some(512));
        assert_eq!(tiny.sampling.temperature, Some(0.5));
        assert_eq!(tiny.sampling.top_k, Some(1));
        let mut other = resolve(&local, &TransformersConfig::default(), "other", Path::new("/"));
        assert!(!other.thinking);
        assert_eq!((other.context_window, other.sampling.top_k), (None, Some(10)));
        other.complete(Some(Path::new("/data")), Some(Path::new("/wheels")));
        assert_eq!(other.directory, Some("/models".into()));
        assert_eq!(other.transformers.wheels, Some("/wheels".into()));
    }
}
