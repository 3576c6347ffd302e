//! Is a model configured, does its server answer, and is the key accepted: each model of a route on
//! its own line. No tokens are used: a server is asked for the list of its models, and of a model on this
//! machine the header is read.

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use super::finding::Finding;
use crate::bridge::models::remote::Endpoint;
use crate::cli::wiring;
use crate::config::settings::ModelSettings;
use crate::config::settings::Settings;
use crate::network::Client;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;

/// A person waits for the report.
const PATIENCE: Duration = Duration::from_secs(5);

/// A finding for each model, and what time a server of theirs has.
pub(super) async fn check(
    settings: &Settings,
    cancel: &CancellationToken,
) -> (Vec<Finding>, Option<SystemTime>) {
    let client = match patient_client(settings) {
        Ok(client) => client,
        Err(finding) => return (vec![finding], None),
    };
    let model = &settings.model;
    let models: Vec<&ModelSettings> = match &model.route {
        Some(route) => route.rungs.iter().map(|rung| &rung.model).collect(),
        None => vec![model],
    };
    let mut findings = Vec::new();
    let mut date = None;
    for model in models {
        let (finding, said) = one(model, &client, cancel).await;
        findings.push(finding);
        date = date.or(said);
    }
    (findings, date)
}

fn patient_client(settings: &Settings) -> Result<Client, Finding> {
    let mut settings = settings.clone();
    let network = &mut settings.network;
    network.connect_timeout = network.connect_timeout.min(PATIENCE);
    network.idle_timeout = network.idle_timeout.min(PATIENCE);
    wiring::client(&settings).map_err(|error| {
        let hint = error.hints.into_iter().next().unwrap_or_default();
        Finding::problem("model", format!("no connection is possible: {}", error.message), hint)
    })
}

async fn one(
    model: &ModelSettings,
    client: &Client,
    cancel: &CancellationToken,
) -> (Finding, Option<SystemTime>) {
    let name = format!("{}/{}", model.provider, model.name);
    match model.provider.as_str() {
        "builtin" if model.named => (Finding::ok("model", "builtin"), None),
        "builtin" if model.lacks_provider() => (here(model, client), None),
        "builtin" => (unconfigured(), None),
        "scripted" => (script(model), None),
        "local" | "transformers" | "custom" => (here(model, client), None),
        _ => remote(model, &name, client, cancel).await,
    }
}

fn unconfigured() -> Finding {
    Finding::note(
        "model",
        "no model is configured; the builtin one answers",
        "set OPENAI_API_KEY or ANTHROPIC_API_KEY, or `agi-agent config set model.provider …`",
    )
}

fn script(model: &ModelSettings) -> Finding {
    match &model.script {
        Some(path) if path.is_file() => {
            Finding::ok("model", format!("the script {}", path.display()))
        }
        path => {
            let path = path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            let detail = format!("there is no script `{path}`");
            Finding::problem("model", detail, "agi-agent config set model.script FILE")
        }
    }
}

/// A model that is computed on this machine: found, and its header read; nothing is loaded.
fn here(model: &ModelSettings, client: &Client) -> Finding {
    match wiring::model(model, client) {
        Ok(found) => {
            let info = found.info();
            Finding::ok("model", format!("{}/{} is here", info.provider, info.name))
        }
        Err(error) => {
            let remedy = error.hints.into_iter().next();
            let remedy = remedy.unwrap_or_else(|| "agi-agent model list".to_owned());
            Finding::problem("model", format!("{}: {}", model.provider, error.message), remedy)
        }
    }
}

async fn remote(
    model: &ModelSettings,
    name: &str,
    client: &Client,
    cancel: &CancellationToken,
) -> (Finding, Option<SystemTime>) {
    let mut model = model.clone();
    if let Err(error) = model.read_secrets(cancel) {
        let remedy = "agi-agent config explain model.api_key";
        return (Finding::problem("model", format!("{name}: {error}"), remedy), None);
    }
    let begin = Instant::now();
    let reached = match Endpoint::new(&model) {
        Ok(endpoint) => endpoint.reach(client).await,
        Err(error) => Err(error),
    };
    match reached {
        Ok(reached) => {
            let milliseconds = begin.elapsed().as_millis();
            let detail = format!("{name}: `{}` answers in {milliseconds} ms", reached.target);
            (Finding::ok("model", detail), reached.date)
        }
        Err(error) => (unreached(name, error), None),
    }
}

fn unreached(name: &str, error: ModelError) -> Finding {
    let detail = format!("{name}: {}", error.message);
    if error.kind == ModelErrorKind::NetworkForbidden {
        return Finding::note("model", detail, "leave out `--offline` to have it asked");
    }
    let remedy = error.hint.unwrap_or_else(|| "agi-agent model test".to_owned());
    Finding::problem("model", detail, remedy)
}
