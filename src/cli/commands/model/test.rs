//! `agi-agent model test`: real round trips through the configured model (text, tool call, schema),
//! whatever its provider.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::settings;
use crate::cli::commands::run::ModelArgs;
use crate::cli::context::CommandContext;
use crate::cli::error::CommandError;
use crate::cli::task::deliver;
use crate::cli::wiring;
use crate::protocol::ChatModel;
use crate::protocol::ExitCode;
use crate::protocol::Message;
use crate::protocol::ModelRequest;
use crate::protocol::Role;
use crate::protocol::ToolSpec;
use crate::protocol::Usage;

/// What one round trip showed.
struct Probe {
    name: &'static str,
    ok: bool,
    detail: String,
    milliseconds: u128,
    usage: Usage,
}

pub async fn run(args: &ModelArgs, context: &mut CommandContext) -> Result<ExitCode, CommandError> {
    let settings = settings(args, context)?;
    let client = wiring::client(&settings)?;
    let model = wiring::tried(&settings.model, &client)?;
    let mut probes = Vec::new();
    let mut first_error = None;
    for (name, request) in requests() {
        let start = Instant::now();
        // Nobody watches the pieces.
        let (deltas, _) = mpsc::channel(1);
        let result = model.respond(&request, deltas, CancellationToken::new()).await;
        let milliseconds = start.elapsed().as_millis();
        let mut usage = Usage::default();
        let (ok, detail) = match result {
            Ok(reply) => {
                usage = reply.usage;
                judge(name, &reply.message)
            }
            Err(error) => {
                let detail = error.message.clone();
                first_error.get_or_insert(error);
                (false, detail)
            }
        };
        probes.push(Probe { name, ok, detail, milliseconds, usage });
    }
    show(&probes, model.as_ref(), context)?;
    let all = probes.iter().all(|probe| probe.ok);
    let code = if all { ExitCode::Done } else { ExitCode::TaskFailed };
    deliver::tell_of_recording(client.recording(), code, &mut context.output);
    first_error.map_or(Ok(code), |error| Err(error.into()))
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
        ("text", ModelRequest { tools: Arc::from([calculator.clone()]), ..ask("what is 19 + 23") }),
        (
            "tool call",
            ModelRequest {
                tools: Arc::from([calculator.clone()]),
                ..ask("what is 123456789 * 987654321")
            },
        ),
        (
            "schema",
            ModelRequest {
                tools: Arc::from([calculator]),
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
    let called = !calls.is_empty() && calls.iter().all(|name| *name == "calculator");
    match name {
        "tool call" => (called, format!("calls {calls:?}")),
        "schema" => {
            let valid = serde_json::from_str::<serde_json::Value>(text.trim())
                .is_ok_and(|value| value.get("answer").is_some_and(serde_json::Value::is_i64));
            (valid || called, text.chars().take(60).collect())
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
                json!({
                    "probe": probe.name,
                    "ok": probe.ok,
                    "detail": probe.detail,
                    "ms": milliseconds,
                    "input_tokens": probe.usage.input_tokens,
                    "output_tokens": probe.usage.output_tokens,
                })
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
        let (read, written) = (probe.usage.input_tokens, probe.usage.output_tokens);
        context.output.line(&format!(
            "  {name:10} {mark:7} {milliseconds:>6} ms  {read:>6} read {written:>5} written  {detail}"
        ))?;
    }
    Ok(())
}
