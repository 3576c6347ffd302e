//! `agi-agent model list|test`: which models there are, and whether the configured one answers.

use std::time::Instant;

use clap::Args;
use clap::Subcommand;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::embed;
use super::embed::EmbedArgs;
use super::run::ModelArgs;
use crate::bridge::remote::Endpoint;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::wiring;
use crate::config::layer::Assignments;
use crate::config::settings::ModelSettings;
use crate::config::settings::Settings;
use crate::protocol::ChatModel;
use crate::protocol::ExitCode;
use crate::protocol::Message;
use crate::protocol::ModelRequest;
use crate::protocol::Role;
use crate::protocol::ToolSpec;

#[derive(Debug, Args)]
pub struct ModelCommandArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the models that the configured provider offers
    List(ModelArgs),
    /// Make one real round trip of each kind and say what works
    Test(ModelArgs),
    /// Turn each line of standard input into a vector
    Embed(EmbedArgs),
}

pub async fn run(
    args: ModelCommandArgs,
    context: &mut CommandContext,
) -> Result<ExitCode, CommandError> {
    match args.action {
        Action::List(model) => list(&model, context).await,
        Action::Test(model) => test(&model, context).await,
        Action::Embed(args) => embed::run(args, context).await,
    }
}

fn settings(args: &ModelArgs, context: &mut CommandContext) -> Result<Settings, CommandError> {
    let mut assignments = Assignments::new();
    args.assignments(&mut assignments)?;
    let mut settings = context.settings_with(assignments)?;
    settings.model.require_model = args.require_model;
    settings.network.record.clone_from(&args.record);
    settings.network.replay.clone_from(&args.replay);
    Ok(settings)
}

async fn list(args: &ModelArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let settings = settings(args, context)?;
    let names = match settings.model.provider.as_str() {
        "openai" | "anthropic" => {
            let client = wiring::client(&settings)?;
            let mut model = settings.model.clone();
            model.read_secrets()?;
            Endpoint::new(&model)?.list_models(&client).await?
        }
        _ => match &settings.model.route {
            Some(route) => route.rungs.iter().map(|rung| rung_line(&rung.model)).collect(),
            None => vec![settings.model.name],
        },
    };
    if context.global.json {
        context.output.json(&names)?;
    } else {
        for name in names {
            context.output.line(&name)?;
        }
    }
    Ok(ExitCode::Done)
}

/// A model of a route, as `provider/name` and where it is.
fn rung_line(model: &ModelSettings) -> String {
    let name = format!("{}/{}", model.provider, model.name);
    model.base_url.as_ref().map_or(name.clone(), |url| format!("{name}  {url}"))
}

/// What one round trip showed.
struct Probe {
    name: &'static str,
    ok: bool,
    detail: String,
    milliseconds: u128,
}

async fn test(args: &ModelArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let settings = settings(args, context)?;
    let client = wiring::client(&settings)?;
    let model = wiring::model(&settings.model, &client)?;
    let mut probes = Vec::new();
    let mut first_error = None;
    for (name, request) in requests() {
        let start = Instant::now();
        // Nobody watches the pieces.
        let (deltas, _) = mpsc::channel(1);
        let result = model.respond(&request, deltas, CancellationToken::new()).await;
        let milliseconds = start.elapsed().as_millis();
        let (ok, detail) = match result {
            Ok(reply) => judge(name, &reply.message),
            Err(error) => {
                let detail = error.message.clone();
                first_error.get_or_insert(error);
                (false, detail)
            }
        };
        probes.push(Probe { name, ok, detail, milliseconds });
    }
    show(&probes, model.as_ref(), context)?;
    match (first_error, probes.iter().all(|probe| probe.ok)) {
        (Some(error), _) => Err(error.into()),
        (None, true) => Ok(ExitCode::Done),
        (None, false) => Ok(ExitCode::TaskFailed),
    }
}

fn requests() -> [(&'static str, ModelRequest); 3] {
    let ask = |text: &str| ModelRequest {
        messages: vec![Message::text(Role::User, text)],
        max_output_tokens: Some(1024),
        ..ModelRequest::default()
    };
    let calculator = ToolSpec {
        name: "calculator".to_owned(),
        description: "Exact arithmetic.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {"expression": {"type": "string"}},
            "required": ["expression"],
        }),
    };
    let schema = json!({
        "type": "object",
        "properties": {"answer": {"type": "integer"}},
        "required": ["answer"],
        "additionalProperties": false,
    });
    [
        // With a tool at hand, since the builtin model computes with it.
        ("text", ModelRequest { tools: vec![calculator.clone()], ..ask("what is 19 + 23") }),
        (
            "tool call",
            ModelRequest {
                tools: vec![calculator.clone()],
                ..ask("what is 123456789 * 987654321")
            },
        ),
        (
            "schema",
            ModelRequest {
                tools: vec![calculator],
                output_schema: Some(schema),
                ..ask("what is 6 * 7")
            },
        ),
    ]
}

/// Whether a reply is of the kind that was asked for.
fn judge(name: &str, message: &Message) -> (bool, String) {
    let text = message.plain_text();
    let calls: Vec<&str> = message.tool_calls().map(|call| call.name.as_str()).collect();
    match name {
        "tool call" => (calls == ["calculator"], format!("calls {calls:?}")),
        "schema" => {
            let valid = serde_json::from_str::<serde_json::Value>(text.trim())
                .is_ok_and(|value| value.get("answer").is_some_and(serde_json::Value::is_i64));
            (valid || calls == ["calculator"], text.chars().take(60).collect())
        }
        _ => (!text.trim().is_empty() || !calls.is_empty(), text.chars().take(60).collect()),
    }
}

fn show(
    probes: &[Probe],
    model: &dyn ChatModel,
    context: &mut CommandContext,
) -> Result<(), CommandError> {
    let info = model.info();
    if context.global.json {
        let rows: Vec<_> = probes
            .iter()
            .map(|probe| {
                let milliseconds = u64::try_from(probe.milliseconds).unwrap_or(u64::MAX);
                json!({"probe": probe.name, "ok": probe.ok, "detail": probe.detail, "ms": milliseconds})
            })
            .collect();
        let model = format!("{}/{}", info.provider, info.name);
        context.output.json(&json!({"model": model, "probes": rows}))?;
        return Ok(());
    }
    context.output.line(&format!("{}/{}", info.provider, info.name))?;
    for probe in probes {
        let mark = if probe.ok { "ok" } else { "FAILED" };
        let (name, milliseconds, detail) = (probe.name, probe.milliseconds, &probe.detail);
        context.output.line(&format!("  {name:10} {mark:7} {milliseconds:>6} ms  {detail}"))?;
    }
    Ok(())
}
