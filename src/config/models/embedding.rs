//! Vectors of texts in the configuration: `embedding`. Shape, typed settings and how they follow.

use std::path::Path;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::config::error::ConfigError;
use crate::config::secret::SecretSource;
use crate::config::settings::PendingSecret;
use crate::config::settings::Secret;
use crate::config::table::fields::Rules;
use crate::config::table::fields::settings;

const PLAIN: Rules = Rules::PLAIN;
const POWER: Rules = Rules::POWER;

/// The sentence model that is part of the released file.
pub const BUNDLED: &str = "embedded:all-MiniLM-L6-v2";
/// The model of the remote API where nobody named one.
const REMOTE: &str = "text-embedding-3-small";

/// Who computes vectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingProvider {
    /// This file, with a GGUF model.
    #[default]
    Local,
    /// A server with the API `/v1/embeddings`.
    Openai,
}

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// As the model's file says.
    #[default]
    Model,
    Mean,
    Cls,
    Last,
}

settings! {
    /// How texts become vectors.
    pub struct EmbeddingConfig {
        /// `local` or `openai` (any server with `/v1/embeddings`).
        provider: EmbeddingProvider = EmbeddingProvider::Local => POWER;
        /// A GGUF file, the name of one in `model.local.directory`, `embedded:NAME`, or the name of a remote model.
        name: Option<String> = None => PLAIN;
        /// Base URL of a compatible server, such as `http://localhost:11434/v1`.
        base_url: Option<String> = None => POWER;
        /// Where the key is read from; `OPENAI_API_KEY` where it is left out.
        api_key: Option<SecretSource> = None => POWER;
        /// Threads that compute; more than 1 pays for long texts only.
        threads: u32 = 1 => PLAIN.at_least(1.0).at_most(512.0);
        /// `model`, `mean`, `cls` or `last`.
        pooling: Pooling = Pooling::Model => PLAIN;
        /// Longer texts are cut after so many tokens; 0 is 256, or what the model takes.
        max_tokens: u32 = 0 => PLAIN;
    }
}

/// For `bridge::embedding`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct EmbeddingSettings {
    pub provider: EmbeddingProvider,
    /// Source or path of a local model, or the name of a remote one.
    pub name: String,
    pub base_url: Option<String>,
    pub api_key: Option<Secret>,
    pub threads: u32,
    pub pooling: Pooling,
    /// 0: as is usual for the model.
    pub max_tokens: u32,
    /// A key that is read when a remote model is about to be called.
    #[serde(skip)]
    pub pending: Vec<PendingSecret>,
}

impl EmbeddingSettings {
    /// Fills in what needs no environment. `models`: where models are found by name.
    pub(in crate::config) fn complete(
        self,
        config: &EmbeddingConfig,
        directory: &Path,
        models: Option<&Path>,
    ) -> Self {
        let name = match (config.provider, config.name.as_deref()) {
            (EmbeddingProvider::Local, None) => BUNDLED.to_owned(),
            (EmbeddingProvider::Local, Some(name)) => place(name, directory, models),
            (EmbeddingProvider::Openai, name) => name.unwrap_or(REMOTE).to_owned(),
        };
        Self {
            provider: config.provider,
            name,
            threads: config.threads,
            pooling: config.pooling,
            max_tokens: config.max_tokens,
            ..self
        }
    }

    /// Reads a key that lies in a file or behind a command, which is ended when `cancel` is cancelled.
    pub fn read_secrets(&mut self, cancel: &CancellationToken) -> Result<(), ConfigError> {
        for pending in std::mem::take(&mut self.pending) {
            self.api_key = Some(pending.read(cancel)?);
        }
        Ok(())
    }
}

/// `NAME` and `AUTHOR/NAME` are in the models' directory, as `model list` shows them; what begins with
/// a slash or a dot, and `DIR/FILE.gguf`, is a path.
fn place(name: &str, directory: &Path, models: Option<&Path>) -> String {
    if name.starts_with("embedded:") {
        return name.to_owned();
    }
    let bare = !name.contains(std::path::is_separator);
    let whole = name.to_ascii_lowercase().ends_with(".gguf");
    let listed = bare || !(whole || name.starts_with('.') || Path::new(name).has_root());
    let path = match models.filter(|_| listed) {
        Some(models) if whole => models.join(name),
        Some(models) => models.join(format!("{name}.gguf")),
        None => directory.join(PathBuf::from(name)),
    };
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_where_it_says() {
        let (here, models) = (Path::new("/here"), Some(Path::new("/models")));
        for (name, wanted) in [
            ("embedded:all-MiniLM-L6-v2", "embedded:all-MiniLM-L6-v2"),
            ("bge", "/models/bge.gguf"),
            ("bge.gguf", "/models/bge.gguf"),
            ("baai/bge", "/models/baai/bge.gguf"),
            ("models/bge.gguf", "/here/models/bge.gguf"),
            ("./bge.gguf", "/here/./bge.gguf"),
            ("../bge", "/here/../bge"),
            ("/else/where.gguf", "/else/where.gguf"),
        ] {
            assert_eq!(place(name, here, models), wanted);
        }
        assert_eq!(place("bge.gguf", here, None), "/here/bge.gguf");
    }
}
