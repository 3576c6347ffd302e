//! Which model runs, and with whose key: from the configuration and the names that providers' own tools read
//! in the environment.
//!
//! Files and commands that hold keys are named here and asked later, by whoever needs the key.

use std::path::Path;

use super::embedding::EmbeddingSettings;
use super::local;
use super::route;
use super::route::RungConfig;
use crate::config::env::Environment;
use crate::config::error::Diagnostic;
use crate::config::error::Rule;
use crate::config::layer::Merged;
use crate::config::secret::SecretSource;
use crate::config::secret::SecretText;
use crate::config::settings::FallOver;
use crate::config::settings::ModelPrice;
use crate::config::settings::ModelSettings;
use crate::config::settings::PendingSecret;
use crate::config::settings::RouteSettings;
use crate::config::settings::RungSettings;
use crate::config::settings::Secret;
use crate::config::table::near;
use crate::config::table::schema::Config;
use crate::config::table::schema::ModelConfig;

/// Providers that exist.
pub const PROVIDERS: [&str; 7] =
    ["openai", "anthropic", "local", "transformers", "custom", "scripted", "builtin"];

/// Gives the keys of models their meaning, and collects what makes no sense.
pub(in crate::config) struct Resolver<'a> {
    pub(in crate::config) config: &'a Config,
    pub(in crate::config) merged: &'a Merged,
    pub(in crate::config) environment: &'a Environment,
    pub(in crate::config) directory: &'a Path,
    pub(in crate::config) errors: Vec<Diagnostic>,
}

impl Resolver<'_> {
    fn wrong(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let place = self.merged.place(key);
        self.errors.push(
            Diagnostic::error(Rule::OutOfRange, place, message).about(key).with_remedy(remedy),
        );
    }

    /// The model of runs, a route or a single one.
    pub(in crate::config) fn model(&mut self) -> ModelSettings {
        let model = &self.config.model;
        let provider = self.provider(model, "model.provider");
        if provider == route::ROUTE { self.routed() } else { self.one(model, "model", provider) }
    }

    /// The models of a route behind one provider.
    fn routed(&mut self) -> ModelSettings {
        let model = &self.config.model;
        let (name, rungs) = route::choose(model).unwrap_or_else(|wrong| {
            self.wrong(wrong.key, wrong.message, wrong.remedy);
            ("", &[])
        });
        let key = format!("model.routes.{name}");
        if rungs.is_empty() && self.errors.is_empty() {
            let message = format!("the route `{name}` has no models");
            self.wrong(&key, message, "list at least one, such as `{\"provider\": \"builtin\"}`");
        }
        let rungs = rungs.iter().map(|rung| self.rung(rung, &key)).collect();
        let route = RouteSettings { name: name.to_owned(), rungs, rest: model.route_rest.0 };
        let general = ModelConfig { name: Some(name.to_owned()), ..ModelConfig::default() };
        let whole = self.one(&general, "model", route::ROUTE.to_owned());
        ModelSettings { named: true, route: Some(route), ..whole }
    }

    fn rung(&mut self, rung: &RungConfig, key: &str) -> RungSettings {
        if matches!(rung.provider.as_deref(), None | Some(route::ROUTE)) {
            let message = format!("each model of `{key}` needs a provider of its own");
            self.wrong(key, message, format!("providers are {}", PROVIDERS.join(", ")));
        }
        let model = route::as_model(rung, &self.config.model);
        let provider = self.provider(&model, key);
        let mut settings = self.one(&model, key, provider);
        if rung.base_url.is_some() && rung.api_key.is_none() {
            // The provider's key is for the provider's own server.
            settings.api_key = None;
        }
        let usual = || FallOver::USUAL.to_vec();
        let fall_over_on = rung.fall_over_on.clone().unwrap_or_else(usual);
        RungSettings { model: settings, fall_over_on }
    }

    /// One model, configured at `at`.
    fn one(&mut self, model: &ModelConfig, at: &str, provider: String) -> ModelSettings {
        let (key_names, base_name): (&[&str], &str) = match provider.as_str() {
            "anthropic" => (&["ANTHROPIC_API_KEY"], "ANTHROPIC_BASE_URL"),
            _ => (&["OPENAI_API_KEY"], "OPENAI_BASE_URL"),
        };
        let mut pending = Vec::new();
        let api_key = match &model.api_key {
            Some(source) => self.secret(source, &format!("{at}.api_key"), None, &mut pending),
            None => self.environment.first(key_names).map(Secret::new),
        };
        let mut headers = Vec::new();
        for (name, text) in &model.headers {
            let key = format!("{at}.headers.{name}");
            let value = match text {
                SecretText::Plain(text) => Some(Secret::new(text)),
                SecretText::Source(source) => self.secret(source, &key, Some(name), &mut pending),
            };
            headers.extend(value.map(|value| (name.clone(), value.expose().to_owned())));
        }
        let base_url = model.base_url.as_deref().or_else(|| self.environment.text(base_name));
        let default_name = match provider.as_str() {
            "anthropic" => "claude-sonnet-4-5",
            "openai" => "gpt-5.1",
            "local" | "transformers" | "custom" => local::AUTO,
            other => other,
        };
        let name = model.name.clone().unwrap_or_else(|| default_name.to_owned());
        ModelSettings {
            local: local::resolve(&model.local, &model.transformers, &name, self.directory),
            name,
            named: model.provider.is_some(),
            base_url: base_url.map(|url| url.trim_end_matches('/').to_owned()),
            api: model.api,
            api_key,
            pending,
            context_window: model.context_window,
            max_output_tokens: model.max_output_tokens,
            temperature: model.temperature,
            reasoning_effort: model.reasoning_effort.clone(),
            script: model.script.as_ref().map(|path| self.directory.join(path)),
            require_model: false,
            headers,
            price: self.price(model, at),
            route: None,
            provider,
        }
    }

    /// Key and server of remote embeddings: their own, else those of the OpenAI API.
    pub(in crate::config) fn embedding(&self) -> EmbeddingSettings {
        let embedding = &self.config.embedding;
        let mut pending = Vec::new();
        let api_key = match &embedding.api_key {
            Some(source) => self.secret(source, "embedding.api_key", None, &mut pending),
            None => self.environment.text("OPENAI_API_KEY").map(Secret::new),
        };
        let url =
            embedding.base_url.as_deref().or_else(|| self.environment.text("OPENAI_BASE_URL"));
        EmbeddingSettings {
            base_url: url.map(|url| url.trim_end_matches('/').to_owned()),
            api_key,
            pending,
            ..EmbeddingSettings::default()
        }
    }

    /// What the environment holds is taken now; files and commands wait until they are needed.
    fn secret(
        &self,
        source: &SecretSource,
        key: &str,
        header: Option<&str>,
        pending: &mut Vec<PendingSecret>,
    ) -> Option<Secret> {
        if let SecretSource::Env(name) = source {
            return self.environment.text(name).map(Secret::new);
        }
        pending.push(PendingSecret {
            header: header.map(str::to_owned),
            source: match source {
                SecretSource::File(path) => SecretSource::File(self.directory.join(path)),
                source => source.clone(),
            },
            key: key.to_owned(),
            place: self.merged.place(key),
        });
        None
    }

    fn price(&mut self, model: &ModelConfig, at: &str) -> Option<ModelPrice> {
        let price = model.price.as_ref()?;
        if let (Some(input), Some(output)) = (price.input, price.output) {
            return Some(ModelPrice { input, cached_input: price.cached_input, output });
        }
        let key = format!("{at}.price");
        let message = format!("`{key}` needs both `input` and `output`");
        self.wrong(&key, message, "give both, in US dollars per million tokens");
        None
    }

    /// The configured provider. One that nobody configured follows from the keys in the
    /// environment; without any, it is `builtin`.
    fn provider(&mut self, model: &ModelConfig, key: &str) -> String {
        let Some(provider) = model.provider.clone() else {
            return self.provider_by_environment().to_owned();
        };
        if provider != route::ROUTE && !PROVIDERS.contains(&provider.as_str()) {
            let remedy = near::closest(&provider, &PROVIDERS).map_or_else(
                || {
                    format!(
                        "a model is named with its provider, as `openai/{provider}`; providers are {}; any OpenAI-compatible server is `openai` with `model.base_url`",
                        PROVIDERS.join(", ")
                    )
                },
                |near| format!("did you mean `{near}`?"),
            );
            self.wrong(key, format!("unknown provider `{provider}`"), remedy);
        }
        provider
    }

    fn provider_by_environment(&self) -> &'static str {
        let set = |name| self.environment.text(name).is_some();
        let model = &self.config.model;
        if set("OPENAI_API_KEY") || set("OPENAI_BASE_URL") || model.base_url.is_some() {
            "openai"
        } else if set("ANTHROPIC_API_KEY") || set("ANTHROPIC_BASE_URL") {
            "anthropic"
        } else if model.script.is_some() {
            "scripted"
        } else {
            "builtin"
        }
    }
}
