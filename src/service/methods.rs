//! What each method does. Runs and tool calls go on by themselves; everything else is answered in
//! the order of the requests.

use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::connection::Outgoing;
use super::host::Host;
use super::host::Toolbox;
use super::wire::Call;
use super::wire::Failure;
use super::wire::FailureKind;
use super::wire::Hello;
use super::wire::METHODS;
use super::wire::PROTOCOL_VERSION;
use super::wire::ToolList;
use super::wire::ToolRan;
use super::wire::ToolRun;
use crate::memory::ListQuery;
use crate::memory::MemoryError;
use crate::memory::Query;
use crate::protocol::ToolCall;
use crate::tools::dispatch;

/// Answers a call that is over when it is answered.
pub(super) async fn answer(host: &dyn Host, call: Call) -> Result<Value, Failure> {
    match call {
        Call::Hello(_) => value(&Hello {
            protocol: PROTOCOL_VERSION,
            version: host.version(),
            methods: METHODS.map(str::to_owned).to_vec(),
        }),
        Call::ToolList(params) => {
            value(&ToolList { tools: host.toolbox(&params.options)?.registry.specs() })
        }
        Call::ConfigGet(params) => host.config(params.key.as_deref()),
        Call::MemoryAdd(item) => value(&host.memory()?.add(item).await.map_err(memory)?),
        Call::MemoryGet(params) => {
            let found = host.memory()?.get(params.id.clone()).await.map_err(memory)?;
            let item = found.ok_or_else(|| {
                Failure::new(FailureKind::NotFound, format!("there is no item `{}`", params.id))
            })?;
            value(&item)
        }
        Call::MemorySearch(params) => {
            let query = Query {
                text: params.query,
                limit: params.limit,
                category: params.category,
                tags: params.tags,
            };
            let hits = host.memory()?.search(query).await.map_err(memory)?;
            Ok(json!({ "items": hits }))
        }
        Call::MemoryList(params) => {
            let query = ListQuery {
                limit: params.limit,
                offset: params.offset,
                category: params.category,
                tags: params.tags,
            };
            let items = host.memory()?.list(query).await.map_err(memory)?;
            Ok(json!({ "items": items }))
        }
        Call::MemoryDelete(params) => {
            let deleted = host.memory()?.delete(params.ids).await.map_err(memory)?;
            Ok(json!({ "deleted": deleted }))
        }
        Call::MemoryStats(_) => value(&host.memory()?.stats().await.map_err(memory)?),
        Call::SessionList(params) => {
            let sessions = host.memory()?.session_list(params.limit).await.map_err(memory)?;
            Ok(json!({ "sessions": sessions }))
        }
        Call::SessionShow(params) => {
            value(&host.memory()?.session_show(params.session).await.map_err(memory)?)
        }
        Call::RunStart(_)
        | Call::RunCancel(_)
        | Call::ApprovalRespond(_)
        | Call::ToolRun(_)
        | Call::Shutdown(_) => Err(Failure::new(
            FailureKind::Internal,
            "the connection should have answered this itself",
        )),
    }
}

/// Runs a tool without a model; what is odd about the configuration is told first.
pub(super) async fn run_tool(
    host: &dyn Host,
    params: ToolRun,
    cancel: CancellationToken,
    outgoing: &Outgoing,
) -> Result<Value, Failure> {
    let Toolbox { registry, context, warnings } = host.toolbox(&params.options)?;
    outgoing.warn(None, warnings);
    let context = crate::tools::ToolContext { cancel, ..context };
    let arguments = Value::Object(params.arguments).to_string();
    let call = ToolCall { id: "call".to_owned(), name: params.name, arguments };
    let outcome = match dispatch::prepare(call, &registry) {
        Err(outcome) => *outcome,
        Ok(prepared) => {
            let calls = vec![prepared.approve()];
            let mut outcomes = dispatch::run_all(calls, &registry, &context, &|_| {}).await;
            outcomes.pop().ok_or_else(|| Failure::new(FailureKind::Internal, "no outcome"))?
        }
    };
    value(&ToolRan {
        status: outcome.status,
        result: outcome.result,
        duration_ms: u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX),
    })
}

fn memory(error: MemoryError) -> Failure {
    let kind = match error {
        MemoryError::NotFound { .. } => FailureKind::NotFound,
        MemoryError::Invalid(_) => FailureKind::InvalidParams,
        _ => FailureKind::Memory,
    };
    let hint = error.hint();
    let failure = Failure::new(kind, error.to_string());
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// A result as JSON.
pub(super) fn value(result: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(result)
        .map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))
}
