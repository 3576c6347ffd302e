//! The composition root: the only file that names every concrete part and puts them together.
//!
//! Starts nothing: the interpreter, connections and the database come to life on first use.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::agent::AgentParts;
use crate::agent::Conversations;
use crate::agent::Pacing;
use crate::agent::budget::Prices;
use crate::bridge::LocalModel;
use crate::bridge::Python;
use crate::bridge::PythonModel;
use crate::bridge::TransformersModel;
use crate::bridge::models::local::Custom;
use crate::bridge::models::remote::RemoteModel;
use crate::bridge::models::route::RoutedModel;
use crate::bridge::models::route::Rung;
use crate::bridge::models::scripted::ScriptedModel;
use crate::config::env::Environment;
use crate::config::models::chosen::PROVIDERS;
use crate::config::places::Places;
use crate::config::settings::Ephemeral;
use crate::config::settings::ModelPrice;
use crate::config::settings::ModelSettings;
use crate::config::settings::Settings;
use crate::memory::MemoryHandle;
use crate::network::Client;
use crate::network::HostOutlet;
use crate::protocol::ChatModel;
use crate::protocol::ExitCode;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::secrets::is_secret_name;
use crate::sandbox::NetRule;
use crate::sandbox::Policy;
use crate::sandbox::Sandbox;
use crate::system::opener::Opener;
use crate::tools::Registry;
use crate::tools::ToolContext;
use crate::tools::registry::RegistrySettings;

use super::context::CommandContext;
use super::error::CommandError;
use super::output::Output;
use super::task::interrupt::heeding_signals;

/// Without a limit of its own a call may take so long.
const NEVER: Duration = Duration::from_hours(365 * 24);

/// The network, as configured.
pub fn client(settings: &Settings) -> Result<Client, CommandError> {
    Ok(Client::new(&settings.network)?)
}

/// The configured model, whose secrets were read; nothing is started or connected to.
pub fn model(
    settings: &ModelSettings,
    client: &Client,
) -> Result<Arc<dyn ChatModel>, CommandError> {
    let model: Arc<dyn ChatModel> = match settings.provider.as_str() {
        "builtin" if settings.lacks_provider() => return Err(no_provider(&settings.name)),
        "builtin" if settings.require_model => return Err(no_model().into()),
        "builtin" => Arc::new(PythonModel::builtin(Python::shared())),
        "scripted" => {
            let path = settings.script.as_deref().ok_or_else(|| {
                CommandError::new(ExitCode::Configuration, "provider `scripted` has no script")
                    .with_hint("set `model.script`, or give `--model scripted/FILE`")
            })?;
            Arc::new(ScriptedModel::from_file(path)?)
        }
        "route" => Arc::new(route(settings, client)?),
        "local" => Arc::new(LocalModel::new(Python::shared(), settings.clone())?),
        "transformers" => Arc::new(TransformersModel::new(settings.clone())?),
        "custom" => {
            let provider = match Custom::choose(settings) {
                Custom::Transformers => "transformers",
                Custom::Local(_) => "local",
                Custom::Builtin => "builtin",
            };
            let chosen = ModelSettings { provider: provider.to_owned(), ..settings.clone() };
            return model(&chosen, client);
        }
        _ => {
            // Its secrets are read by now.
            Arc::new(RemoteModel::new(Python::shared(), client.clone(), settings.clone())?)
        }
    };
    Ok(model)
}

/// The configured model for a command that tries it by hand, with its secrets. Once per process.
pub fn tried(
    settings: &ModelSettings,
    client: &Client,
) -> Result<Arc<dyn ChatModel>, CommandError> {
    let settings = heeding_signals(|cancel| unlocked(settings, cancel))?;
    model(&settings, client)
}

/// The same settings with the secrets of every model on a server read: what lies in a file or behind a
/// command must be known before anything can be kept from the conversation.
fn unlocked(
    settings: &ModelSettings,
    cancel: &CancellationToken,
) -> Result<ModelSettings, CommandError> {
    let mut settings = settings.clone();
    if matches!(settings.provider.as_str(), "openai" | "anthropic") {
        settings.read_secrets(cancel)?;
    }
    for rung in settings.route.iter_mut().flat_map(|route| &mut route.rungs) {
        rung.model = unlocked(&rung.model, cancel)?;
    }
    Ok(settings)
}

/// The models of a route, in its order. `--require-model` leaves the builtin one out.
fn route(settings: &ModelSettings, client: &Client) -> Result<RoutedModel, CommandError> {
    let Some(route) = &settings.route else {
        return Err(CommandError::new(ExitCode::Configuration, "the route has no models"));
    };
    let mut rungs = Vec::new();
    for (place, rung) in (1..).zip(&route.rungs) {
        if rung.model.provider == "builtin" && settings.require_model {
            continue;
        }
        let model = model(&rung.model, client)?;
        rungs.push(Rung { place, model, fall_over_on: rung.fall_over_on.clone() });
    }
    RoutedModel::new(&route.name, rungs, route.rest).ok_or_else(|| no_model().into())
}

/// What the configured models cost.
fn prices(settings: &ModelSettings) -> Prices {
    match &settings.route {
        Some(route) => Prices::new(route.rungs.iter().map(|rung| price(&rung.model)).collect()),
        None => Prices::new(vec![price(settings)]),
    }
}

/// What runs here costs nothing.
fn price(settings: &ModelSettings) -> Option<ModelPrice> {
    let free = ModelPrice { input: 0.0, cached_input: None, output: 0.0 };
    let here =
        matches!(settings.provider.as_str(), "builtin" | "local" | "transformers" | "custom");
    settings.price.or(here.then_some(free))
}

fn no_provider(name: &str) -> CommandError {
    let message = format!("the model `{name}` is configured without a provider");
    CommandError::new(ExitCode::Configuration, message).with_hint(format!(
        "give `--model PROVIDER/{name}`, or set `model.provider` (AGI_MODEL_PROVIDER): one of {}",
        PROVIDERS.join(", ")
    ))
}

fn no_model() -> ModelError {
    ModelError::new(
        ModelErrorKind::Authentication,
        "no model is configured, and `--require-model` refuses the builtin one",
    )
    .with_hint("set OPENAI_API_KEY or ANTHROPIC_API_KEY, or give `--model PROVIDER/NAME`")
}

/// Somebody asked for a run that nothing was withheld from.
fn untrusted(settings: &Settings) -> CommandError {
    let projects: Vec<String> =
        settings.trust.projects.iter().map(|path| format!("`{}`", path.display())).collect();
    let ignored = settings.trust.ignored.join("`, `");
    let message = format!("{} is not trusted, and asks for `{ignored}`", projects.join(", "));
    CommandError::new(ExitCode::Untrusted, message)
        .with_hint("read the project's files, then `agi-agent trust`")
}

/// The memory, if this run has one; its files are kept from every tool.
pub fn memory(settings: &Settings, output: &Output) -> Result<Option<MemoryHandle>, CommandError> {
    if !settings.memory.enabled {
        return Ok(None);
    }
    Ok(Some(MemoryHandle::open_for_run(&settings.memory, output.warner())?))
}

/// What the agent keeps for itself: configuration, trust and data.
fn protected(settings: &Settings, places: &Places) -> Vec<PathBuf> {
    let parent = |path: &PathBuf| path.parent().map(Path::to_path_buf);
    let user = places.user_config.as_ref().and_then(parent);
    let system = parent(&places.system_config);
    let managed = parent(&places.managed_config);
    // Trust lies in the platform's own place wherever the database is.
    let trust = places.data_dir.clone();
    [settings.data_dir.clone(), trust, user, system, managed].into_iter().flatten().collect()
}

/// What a run may reach, as the sandbox and the opener take it.
pub fn policy(settings: &Settings, places: &Places, directory: &Path) -> Policy {
    let mut policy = Policy::new(&settings.sandbox, directory, protected(settings, places));
    policy.read.extend(settings.python.wheels.clone());
    policy.unmade = places.missing_home().map(Path::to_path_buf);
    policy.limits = settings.limits.command.clone();
    policy
}

/// The sandbox of a command that a person tries, as tools get it.
pub fn sandbox(
    settings: &Settings,
    places: &Places,
    directory: &Path,
) -> Result<Sandbox, CommandError> {
    Ok(sandbox_with(settings, places, directory, &client(settings)?))
}

/// The sandbox of a run: commands get out to the hosts that the policy names. Agents of one user meet in
/// their data directory, wherever the database is.
fn sandbox_with(
    settings: &Settings,
    places: &Places,
    directory: &Path,
    client: &Client,
) -> Sandbox {
    let running = places.usable_data_dir().map(|directory| directory.join("running"));
    let sandbox = Sandbox::new(policy(settings, places, directory)).with_others_in(running);
    let leaves_nothing = settings.memory.ephemeral == Some(Ephemeral::Asked);
    let sandbox = if leaves_nothing { sandbox.leaving_nothing() } else { sandbox };
    match sandbox.policy().net.clone() {
        NetRule::Hosts(rules) => {
            sandbox.with_outlet(Arc::new(HostOutlet::new(client.clone(), rules)))
        }
        NetRule::Off | NetRule::All => sandbox,
    }
}

/// What tools may use.
pub fn tool_context(
    context: &CommandContext,
    settings: &Settings,
    memory: Option<MemoryHandle>,
    client: Client,
) -> Result<ToolContext, CommandError> {
    Ok(tool_context_in(context.directory()?, &context.places, settings, memory, client))
}

/// What tools may use in a directory.
pub fn tool_context_in(
    directory: &Path,
    places: &Places,
    settings: &Settings,
    memory: Option<MemoryHandle>,
    client: Client,
) -> ToolContext {
    let directory = directory.to_path_buf();
    let sandbox = sandbox_with(settings, places, &directory, &client);
    let opener = Opener::new(sandbox.policy().path_rules());
    opener.protect(&memory.as_ref().map(MemoryHandle::protected_files).unwrap_or_default());
    ToolContext {
        opener,
        sandbox: Arc::new(sandbox),
        memory,
        http: Arc::new(client),
        cwd: directory,
        cancel: CancellationToken::new(),
        deadline: Instant::now() + NEVER,
        call_timeout: settings.limits.tool_timeout,
        session_id: String::new(),
        vault: None,
        origin: None,
        progress: None,
    }
}

/// For what a person does to files by hand (`agi-agent file`): everything is allowed but the agent's
/// own files.
pub fn person_opener(context: &mut CommandContext) -> Result<Opener, CommandError> {
    let settings = context.settings()?;
    let opener = Opener::new(crate::system::opener::PathRules {
        cwd: context.directory()?.to_path_buf(),
        full: true,
        protected: protected(&settings, &context.places),
        ..Default::default()
    });
    let files = memory(&settings, &context.output)?.as_ref().map(MemoryHandle::protected_files);
    opener.protect(&files.unwrap_or_default());
    Ok(opener)
}

/// What must not reach a model, a file or a stream: the values of the environment and the
/// configuration that are secret, with their names.
fn secrets(settings: &Settings) -> Vec<(String, String)> {
    let mut secrets = Environment::of_process().secrets();
    secrets.extend(secrets_of(&settings.model, ""));
    let rungs = settings.model.route.iter().flat_map(|route| &route.rungs);
    for (place, rung) in (1..).zip(rungs) {
        secrets.extend(secrets_of(&rung.model, &format!("RUNG_{place}_")));
    }
    secrets
}

/// Key and headers of one model. Names must differ: each stands for one value.
fn secrets_of(model: &ModelSettings, prefix: &str) -> Vec<(String, String)> {
    let key = model.api_key.as_ref().map(|key| key.expose().to_owned());
    let key = key.map(|key| (format!("{prefix}MODEL_API_KEY"), key));
    let headers = model.headers.iter().filter(|(name, _)| is_secret_name(name));
    let headers = headers.map(|(name, value)| {
        // `Bearer abc` is the word `abc`.
        let word = value.rsplit(' ').next().unwrap_or(value);
        (format!("{prefix}{}", name.to_ascii_uppercase().replace('-', "_")), word.to_owned())
    });
    key.into_iter().chain(headers).collect()
}

/// Every tool, as configured.
pub fn registry(settings: &Settings) -> Registry {
    Registry::standard(&RegistrySettings {
        web_search: settings.web_search.clone(),
        net: settings.sandbox.net.clone(),
        python: settings.python.clone(),
        memory: settings.memory.enabled,
    })
}

/// The whole agent. What its making waits for is given up when `cancel` is cancelled.
pub fn agent(
    context: &CommandContext,
    settings: &Settings,
    cancel: &CancellationToken,
) -> Result<Agent, CommandError> {
    let conversations = Conversations::default();
    let memory = memory(settings, &context.output)?;
    agent_in(context.directory()?, &context.places, settings, memory, conversations, cancel)
}

/// The whole agent, at work in a directory. Reads the model's secrets, which may take as long as their
/// commands do, or until `cancel` is cancelled.
pub fn agent_in(
    directory: &Path,
    places: &Places,
    settings: &Settings,
    memory: Option<MemoryHandle>,
    conversations: Conversations,
    cancel: &CancellationToken,
) -> Result<Agent, CommandError> {
    if settings.trust.required && !settings.trust.projects.is_empty() {
        return Err(untrusted(settings));
    }
    crate::system::process::keep_private();
    let client = client(settings)?;
    let settings = &Settings { model: unlocked(&settings.model, cancel)?, ..settings.clone() };
    let model = model(&settings.model, &client)?;
    Ok(Agent::new(AgentParts {
        model,
        registry: registry(settings),
        tools: tool_context_in(directory, places, settings, memory, client),
        approval: settings.approval.clone(),
        conversations,
        secrets: secrets(settings),
        sandbox: settings.sandbox.clone(),
        limits: settings.limits.clone(),
        max_output_tokens: settings.model.max_output_tokens,
        temperature: settings.model.temperature,
        prices: prices(&settings.model),
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        pacing: Pacing::default(),
    }))
}
