//! From merged layers to [`Settings`]: the one place where a key gets its meaning.

use std::borrow::Cow;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use super::env::Environment;
use super::error::ConfigError;
use super::error::Diagnostic;
use super::error::Place;
use super::error::Rule;
use super::layer::Merged;
use super::places::Places;
use super::secret::SecretSource;
use super::secret::SecretText;
use super::settings::ApprovalSettings;
use super::settings::CommandLimits;
use super::settings::Ephemeral;
use super::settings::FallOver;
use super::settings::LimitSettings;
use super::settings::LogSettings;
use super::settings::MemorySettings;
use super::settings::ModelPrice;
use super::settings::ModelSettings;
use super::settings::NetworkSettings;
use super::settings::PendingSecret;
use super::settings::PythonSettings;
use super::settings::RouteSettings;
use super::settings::RungSettings;
use super::settings::SandboxSettings;
use super::settings::Secret;
use super::settings::Settings;
use super::settings::TrustSettings;
use super::settings::WebSearchSettings;
use super::settings::Withheld;
use crate::config::models::embedding::EmbeddingSettings;
use crate::config::models::local;
use crate::config::models::route;
use crate::config::models::route::RungConfig;
use crate::config::table::near;
use crate::config::table::schema::Config;
use crate::config::table::schema::ModelConfig;

/// Providers that exist.
pub const PROVIDERS: [&str; 7] =
    ["openai", "anthropic", "local", "transformers", "custom", "scripted", "builtin"];

/// Resolves the merged layers. The error holds everything that loading found, or everything that
/// is wrong with the meaning.
pub fn resolve(
    merged: &Merged,
    environment: &Environment,
    places: &Places,
    directory: &Path,
) -> Result<Settings, ConfigError> {
    merged.check()?;
    let config: Config =
        serde_path_to_error::deserialize(Value::Object(merged.value())).map_err(|error| {
            let key = error.path().to_string();
            Diagnostic::error(Rule::WrongType, place(merged, &key), error.into_inner().to_string())
                .about(key)
        })?;
    // What the person's own environment says stands above a project's file.
    let environment = if merged.project_environment.is_empty() {
        Cow::Borrowed(environment)
    } else {
        Cow::Owned(environment.clone().above(&merged.project_environment))
    };
    let environment = environment.as_ref();
    let mut resolver =
        Resolver { config: &config, merged, environment, directory, errors: Vec::new() };
    let mut model = resolver.model();
    let embedding = resolver.embedding();
    let errors = resolver.errors;
    if !errors.is_empty() {
        return Err(ConfigError { errors });
    }
    let data_dir = config.data_dir.clone().map(|path| directory.join(path));
    let data_dir = data_dir.or_else(|| places.usable_data_dir().map(Path::to_path_buf));
    let wheels = config.python.wheels.as_ref().map(|path| directory.join(path));
    model.complete(data_dir.as_deref(), wheels.as_deref());
    let models = model.local.directory.clone();
    Ok(Settings {
        model,
        embedding: embedding.complete(&config.embedding, directory, models.as_deref()),
        network: network(&config, environment, directory),
        sandbox: sandbox(&config, directory),
        approval: approval(&config, merged),
        limits: limits(&config),
        memory: MemorySettings {
            enabled: config.memory.enabled,
            ephemeral: data_dir.is_none().then_some(Ephemeral::NoPlace),
            path: data_dir.clone().unwrap_or_default().join("agent.db"),
        },
        web_search: WebSearchSettings { url: config.web_search.url.clone() },
        python: PythonSettings { wheels },
        trust: trust(merged, config.trust.required),
        log: LogSettings {
            level: config.log.level,
            file: config.log.file.as_ref().map(|path| directory.join(path)),
        },
        stdin: config.stdin,
        data_dir,
    })
}

fn sandbox(config: &Config, directory: &Path) -> SandboxSettings {
    let sandbox = &config.sandbox;
    SandboxSettings {
        level: sandbox.level,
        add_dirs: absolute(directory, &sandbox.add_dirs),
        read: absolute(directory, &sandbox.read),
        net: sandbox.net.clone(),
        env: sandbox.env.clone(),
    }
}

fn approval(config: &Config, merged: &Merged) -> ApprovalSettings {
    ApprovalSettings {
        mode: config.approve,
        allow: config.allow.clone(),
        withheld: Withheld {
            permissions: withheld(merged, &["approve", "allow", "sandbox"]),
            model: withheld(merged, &["model", "OPENAI_", "ANTHROPIC_"]),
        },
        ask: config.ask.clone(),
        deny: config.deny.clone(),
    }
}

fn limits(config: &Config) -> LimitSettings {
    let limits = &config.limits;
    LimitSettings {
        max_turns: limits.max_turns,
        timeout: limits.timeout.map(|span| span.0),
        max_cost: limits.max_cost,
        max_tokens: limits.max_tokens,
        tool_timeout: limits.tool_timeout.0,
        command: CommandLimits::from(&limits.command),
    }
}

fn absolute(directory: &Path, paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().map(|path| directory.join(path)).collect()
}

/// Where a key, or a group that holds it, was set.
fn place(merged: &Merged, key: &str) -> Place {
    let inside = format!("{key}.");
    let mut settings = merged.settings.iter();
    let found = settings.find(|(name, _)| *name == key || name.starts_with(&inside));
    match (found, key.rsplit_once('.')) {
        (Some((_, setting)), _) => setting.origin.place.clone(),
        // A part of a value, such as a model of a route.
        (None, Some((parent, _))) => place(merged, parent),
        (None, None) => Place::BuiltIn,
    }
}

fn trust(merged: &Merged, required: bool) -> TrustSettings {
    let asking = || merged.projects.iter().filter(|project| !project.ignored.is_empty());
    TrustSettings {
        required,
        projects: asking().map(|project| project.directory.clone()).collect(),
        ignored: asking().flat_map(|project| project.ignored.iter().cloned()).collect(),
    }
}

/// What decides on calls or on the model, of all that was ignored.
fn withheld(merged: &Merged, decides: &[&str]) -> Vec<String> {
    let as_key = |name: &String| match name.strip_prefix("AGI_") {
        Some(rest) => rest.to_lowercase(),
        None => name.clone(),
    };
    let ignored = merged.projects.iter().flat_map(|project| &project.ignored);
    ignored
        .filter(|name| decides.iter().any(|start| as_key(name).starts_with(start)))
        .cloned()
        .collect()
}

/// Gives keys their meaning, and collects what makes no sense.
struct Resolver<'a> {
    config: &'a Config,
    merged: &'a Merged,
    environment: &'a Environment,
    directory: &'a Path,
    errors: Vec<Diagnostic>,
}

impl Resolver<'_> {
    fn wrong(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let place = place(self.merged, key);
        self.errors.push(
            Diagnostic::error(Rule::OutOfRange, place, message).about(key).with_remedy(remedy),
        );
    }

    fn model(&mut self) -> ModelSettings {
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
    fn embedding(&self) -> EmbeddingSettings {
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
            place: place(self.merged, key),
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

fn network(config: &Config, environment: &Environment, directory: &Path) -> NetworkSettings {
    let network = &config.network;
    let proxy = |names: &[&str]| environment.first(names).map(str::to_owned);
    NetworkSettings {
        offline: network.offline,
        ca: network.ca.as_ref().map(|path| directory.join(path)),
        ssl_cert_file: environment.path("SSL_CERT_FILE"),
        ssl_cert_dir: environment.path("SSL_CERT_DIR"),
        // Upper-case HTTP_PROXY is left out on purpose: in a CGI it is a request header (httpoxy).
        http_proxy: proxy(&["http_proxy"]),
        https_proxy: proxy(&["https_proxy", "HTTPS_PROXY"]),
        all_proxy: proxy(&["all_proxy", "ALL_PROXY"]),
        no_proxy: proxy(&["no_proxy", "NO_PROXY"]),
        idle_timeout: network.idle_timeout.0,
        total_timeout: network.total_timeout.0,
        connect_timeout: network.connect_timeout.0,
        max_retries: network.max_retries,
        record: None,
        replay: None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::env::Environment;
    use crate::config::error::ConfigError;
    use crate::config::load;
    use crate::config::places::Places;
    use crate::config::settings::Settings;

    fn resolve(pairs: &[(&str, &str)], assignments: &[&str]) -> Result<Settings, ConfigError> {
        let environment = Environment::from_pairs(pairs.iter().copied());
        let places = Places {
            system_config: "/nonexistent/config.json".into(),
            managed_config: "/nonexistent/managed.json".into(),
            user_config: None,
            data_dir: Some("/data".into()),
            home: None,
        };
        let assignments =
            assignments.iter().map(|text| load::assignment(text)).collect::<Result<_, _>>()?;
        let merged =
            load::load(&environment, &places, None, Path::new("/nonexistent"), assignments);
        super::resolve(&merged, &environment, &places, Path::new("/here"))
    }

    #[test]
    fn nothing_configured_means_builtin() {
        let settings = resolve(&[], &[]).unwrap();
        assert_eq!(settings.model.provider, "builtin");
        assert_eq!(settings.model.name, "builtin");
        assert_eq!(settings.memory.path, Path::new("/data/agent.db"));
    }

    #[test]
    fn a_key_chooses_its_provider_unless_one_is_named() {
        let key = [("ANTHROPIC_API_KEY", "k")];
        assert_eq!(resolve(&key, &[]).unwrap().model.provider, "anthropic");
        let named = resolve(&key, &["model.provider=builtin"]).unwrap();
        assert_eq!(named.model.provider, "builtin");
    }

    #[test]
    fn errors_name_their_layer() {
        let error = resolve(&[("AGI_MODEL_PROVIDER", "antropic")], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable AGI_MODEL_PROVIDER: unknown provider `antropic`"
        );
        assert_eq!(error.errors[0].remedy.as_deref(), Some("did you mean `anthropic`?"));
        let error = resolve(&[], &["limits.max_turns=0"]).unwrap_err();
        assert!(error.to_string().starts_with("command line -c limits.max_turns"), "{error}");
        let error = resolve(&[], &["limits.max_tunrs=1"]).unwrap_err();
        assert_eq!(error.errors[0].remedy.as_deref(), Some("did you mean `limits.max_turns`?"));
    }

    #[test]
    fn secrets_never_show() {
        let settings = resolve(&[("OPENAI_API_KEY", "sk-canary")], &[]).unwrap();
        assert!(!format!("{settings:?}").contains("canary"));
        assert!(!serde_json::to_string(&settings).unwrap().contains("canary"));
    }
}
