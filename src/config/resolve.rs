//! From merged layers to [`Settings`]: where keys get their meaning; those of models in [`super::models::chosen`].

use std::borrow::Cow;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use super::env::Environment;
use super::error::ConfigError;
use super::error::Diagnostic;
use super::error::Rule;
use super::layer::Merged;
use super::models::chosen::Resolver;
use super::places::Here;
use super::places::Places;
use super::settings::ApprovalSettings;
use super::settings::CommandLimits;
use super::settings::Ephemeral;
use super::settings::LimitSettings;
use super::settings::LogSettings;
use super::settings::MemorySettings;
use super::settings::NetworkSettings;
use super::settings::PythonSettings;
use super::settings::SandboxSettings;
use super::settings::Settings;
use super::settings::TrustSettings;
use super::settings::WebSearchSettings;
use super::settings::Withheld;
use super::table::schema::Config;

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
            Diagnostic::error(Rule::WrongType, merged.place(&key), error.into_inner().to_string())
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
        here: Here::default(),
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
