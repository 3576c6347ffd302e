//! From merged layers to [`Settings`]: the one place where a key gets its meaning.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::env::Environment;
use super::error::ConfigError;
use super::file;
use super::layer::Merged;
use super::layer::Origin;
use super::local;
use super::places::Places;
use super::schema::Config;
use super::schema::Span;
use super::settings::ApprovalSettings;
use super::settings::LimitSettings;
use super::settings::MemorySettings;
use super::settings::ModelSettings;
use super::settings::NetworkSettings;
use super::settings::PythonSettings;
use super::settings::SandboxSettings;
use super::settings::Secret;
use super::settings::Settings;
use super::settings::WebSearchSettings;

/// Providers that exist.
pub const PROVIDERS: [&str; 7] =
    ["openai", "anthropic", "local", "transformers", "custom", "scripted", "builtin"];

/// Resolves the merged layers; errors name the layer the value came from.
pub fn resolve(
    merged: &Merged,
    environment: &Environment,
    places: &Places,
    directory: &Path,
) -> Result<Settings, ConfigError> {
    let value = Value::Object(merged.value.clone());
    file::check(&value).map_err(|problem| {
        let key = problem.path.join(".");
        let place = merged.origins.get(&key).map_or_else(|| key.clone(), Origin::to_string);
        ConfigError { place, message: problem.message, hint: problem.hint }
    })?;
    let config: Config = serde_json::from_value(value).map_err(|error| ConfigError {
        place: "configuration".into(),
        message: error.to_string(),
        hint: None,
    })?;
    let at = |key: &str| merged.origins.get(key).map_or_else(|| key.to_owned(), Origin::to_string);
    let data_dir = config.data_dir.clone().map(|path| directory.join(path));
    let data_dir = data_dir.or_else(|| places.data_dir.clone());
    let wheels = config.python.wheels.as_ref().map(|path| directory.join(path));
    let mut model = model(&config, environment, &at, directory)?;
    model.local.complete(data_dir.as_deref(), wheels.as_deref());
    Ok(Settings {
        model,
        network: network(&config, environment, directory),
        sandbox: SandboxSettings {
            level: config.sandbox.level.unwrap_or_default(),
            add_dirs: absolute(directory, &config.sandbox.add_dirs),
            read: absolute(directory, &config.sandbox.read),
            net: config.sandbox.net.clone(),
            env: config.sandbox.env.clone(),
        },
        approval: ApprovalSettings {
            mode: config.approve.unwrap_or_default(),
            allow: config.allow.clone(),
            ask: config.ask.clone(),
            deny: config.deny.clone(),
        },
        limits: limits(&config, &at)?,
        memory: MemorySettings {
            enabled: config.memory.enabled.unwrap_or(true),
            ephemeral: data_dir.is_none(),
            path: data_dir.clone().unwrap_or_default().join("agent.db"),
        },
        web_search: WebSearchSettings { url: config.web_search.url.clone() },
        python: PythonSettings { wheels },
        stdin: config.stdin.unwrap_or_default(),
        data_dir,
    })
}

fn absolute(directory: &Path, paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().map(|path| directory.join(path)).collect()
}

fn span(value: Option<Span>, otherwise: u64) -> Duration {
    value.map_or(Duration::from_secs(otherwise), |span| span.0)
}

fn limits(config: &Config, at: &dyn Fn(&str) -> String) -> Result<LimitSettings, ConfigError> {
    let limits = &config.limits;
    if limits.max_turns == Some(0) {
        return Err(ConfigError {
            place: at("limits.max_turns"),
            message: "`limits.max_turns` must be at least 1".into(),
            hint: None,
        });
    }
    if limits.max_cost.is_some_and(|cost| !cost.is_finite() || cost < 0.0) {
        return Err(ConfigError {
            place: at("limits.max_cost"),
            message: "`limits.max_cost` must be a sum of US dollars".into(),
            hint: None,
        });
    }
    Ok(LimitSettings {
        max_turns: limits.max_turns.unwrap_or(50),
        timeout: limits.timeout.map(|span| span.0),
        max_cost: limits.max_cost,
        max_tokens: limits.max_tokens,
        tool_timeout: span(limits.tool_timeout, 120),
    })
}

fn model(
    config: &Config,
    environment: &Environment,
    at: &dyn Fn(&str) -> String,
    directory: &Path,
) -> Result<ModelSettings, ConfigError> {
    let model = &config.model;
    let provider = provider(config, environment, at)?;
    let (key_names, base_name): (&[&str], &str) = match provider.as_str() {
        "anthropic" => (&["ANTHROPIC_API_KEY"], "ANTHROPIC_BASE_URL"),
        _ => (&["OPENAI_API_KEY"], "OPENAI_BASE_URL"),
    };
    let api_key = match &model.api_key_env {
        Some(name) => environment.text(name),
        None => environment.first(key_names),
    };
    let base_url =
        model.base_url.clone().or_else(|| environment.text(base_name).map(str::to_owned));
    let default_name = match provider.as_str() {
        "anthropic" => "claude-sonnet-4-5",
        "openai" => "gpt-5.1",
        "local" | "transformers" | "custom" => local::AUTO,
        other => other,
    };
    let name = model.name.clone().unwrap_or_else(|| default_name.to_owned());
    Ok(ModelSettings {
        local: local::resolve(&model.local, &model.transformers, &name, directory),
        name,
        base_url: base_url.map(|url| url.trim_end_matches('/').to_owned()),
        api: model.api.unwrap_or_default(),
        api_key: api_key.map(Secret::new),
        context_window: model.context_window,
        max_output_tokens: model.max_output_tokens,
        temperature: model.temperature,
        reasoning_effort: model.reasoning_effort.clone(),
        script: model.script.as_ref().map(|path| directory.join(path)),
        named: at("model.provider") != "built in",
        require_model: false,
        headers: model.headers.clone().into_iter().collect(),
        price: model.price,
        provider,
    })
}

/// The configured provider. One that nobody configured follows from the keys in the environment;
/// without any, it is `builtin`.
fn provider(
    config: &Config,
    environment: &Environment,
    at: &dyn Fn(&str) -> String,
) -> Result<String, ConfigError> {
    let configured = config.model.provider.clone().filter(|_| at("model.provider") != "built in");
    let Some(provider) = configured else {
        let set = |name| environment.text(name).is_some();
        let found =
            if set("OPENAI_API_KEY") || set("OPENAI_BASE_URL") || config.model.base_url.is_some() {
                "openai"
            } else if set("ANTHROPIC_API_KEY") || set("ANTHROPIC_BASE_URL") {
                "anthropic"
            } else if config.model.script.is_some() {
                "scripted"
            } else {
                "builtin"
            };
        return Ok(found.to_owned());
    };
    if PROVIDERS.contains(&provider.as_str()) {
        return Ok(provider);
    }
    let known: Vec<String> = PROVIDERS.iter().map(ToString::to_string).collect();
    let hint = file::closest(&provider, &known).map_or_else(
        || {
            format!(
                "providers are {}; any OpenAI-compatible server is `openai` with `model.base_url`",
                known.join(", ")
            )
        },
        |near| format!("did you mean `{near}`?"),
    );
    Err(ConfigError {
        place: at("model.provider"),
        message: format!("unknown provider `{provider}`"),
        hint: Some(hint),
    })
}

fn network(config: &Config, environment: &Environment, directory: &Path) -> NetworkSettings {
    let network = &config.network;
    let proxy = |names: &[&str]| environment.first(names).map(str::to_owned);
    NetworkSettings {
        offline: network.offline.unwrap_or(false),
        ca: network.ca.as_ref().map(|path| directory.join(path)),
        ssl_cert_file: environment.path("SSL_CERT_FILE"),
        ssl_cert_dir: environment.path("SSL_CERT_DIR"),
        // Upper-case HTTP_PROXY is left out on purpose: in a CGI it is a request header (httpoxy).
        http_proxy: proxy(&["http_proxy"]),
        https_proxy: proxy(&["https_proxy", "HTTPS_PROXY"]),
        all_proxy: proxy(&["all_proxy", "ALL_PROXY"]),
        no_proxy: proxy(&["no_proxy", "NO_PROXY"]),
        idle_timeout: span(network.idle_timeout, 60),
        total_timeout: span(network.total_timeout, 600),
        connect_timeout: span(network.connect_timeout, 10),
        max_retries: network.max_retries.unwrap_or(4),
        record: None,
        replay: None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::env::Environment;
    use crate::config::error::ConfigError;
    use crate::config::layer;
    use crate::config::places::Places;
    use crate::config::settings::Settings;

    fn resolve(pairs: &[(&str, &str)], assignments: &[&str]) -> Result<Settings, ConfigError> {
        let environment = Environment::from_pairs(pairs.iter().copied());
        let places = Places {
            system_config: "/nonexistent/config.json".into(),
            user_config: None,
            data_dir: Some("/data".into()),
        };
        let assignments =
            assignments.iter().map(|text| layer::assignment(text)).collect::<Result<_, _>>()?;
        let merged =
            layer::load(&environment, &places, None, Path::new("/nonexistent"), assignments)?;
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
        assert_eq!(error.hint.as_deref(), Some("did you mean `anthropic`?"));
        let error = resolve(&[], &["limits.max_turns=0"]).unwrap_err();
        assert!(error.to_string().starts_with("command line -c limits.max_turns"), "{error}");
        let error = resolve(&[], &["limits.max_tunrs=1"]).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `limits.max_turns`?"));
    }

    #[test]
    fn secrets_never_show() {
        let settings = resolve(&[("OPENAI_API_KEY", "sk-canary")], &[]).unwrap();
        assert!(!format!("{settings:?}").contains("canary"));
        assert!(!serde_json::to_string(&settings).unwrap().contains("canary"));
    }
}
