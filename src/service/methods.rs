//! What each method does. Runs and tool calls go on by themselves; everything else is answered in
//! the order of the requests.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::host::Host;
use super::host::Toolbox;
use super::outgoing::Outgoing;
use super::wire::Call;
use super::wire::Failure;
use super::wire::FailureKind;
use super::wire::Hello;
use super::wire::METHODS;
use super::wire::MemoryList;
use super::wire::MemorySearch;
use super::wire::PROTOCOL_VERSION;
use super::wire::ToolList;
use super::wire::ToolRan;
use super::wire::ToolRun;
use super::wire::Warning;
use crate::memory::ListQuery;
use crate::memory::MemoryError;
use crate::memory::MemoryHandle;
use crate::memory::Query;
use crate::protocol::ToolCall;
use crate::tools::dispatch;
use crate::tools::dispatch::Alone;

/// Answers a call that is over when it is answered.
pub(super) async fn answer(host: &Arc<dyn Host>, call: Call) -> Result<Value, Failure> {
    match call {
        Call::Hello(_) => value(&Hello {
            protocol: PROTOCOL_VERSION,
            version: host.version(),
            methods: METHODS.map(str::to_owned).to_vec(),
        }),
        Call::ToolList(params) => {
            let toolbox = blocking(host, move |host| host.toolbox(&params.options)).await?;
            value(&ToolList { tools: toolbox.registry.specs() })
        }
        Call::ConfigGet(params) => {
            blocking(host, move |host| host.config(params.key.as_deref())).await
        }
        call => of_memory(&host.memory()?, call).await,
    }
}

/// Does what may block where nobody waits for it.
pub(super) async fn blocking<T: Send + 'static>(
    host: &Arc<dyn Host>,
    work: impl FnOnce(&dyn Host) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let host = Arc::clone(host);
    let done = tokio::task::spawn_blocking(move || work(host.as_ref())).await;
    done.unwrap_or_else(|error| Err(Failure::new(FailureKind::Internal, error.to_string())))
}

/// Answers what is about items and sessions.
async fn of_memory(store: &MemoryHandle, call: Call) -> Result<Value, Failure> {
    match call {
        Call::MemoryAdd(item) => value(&store.add(item).await.map_err(memory)?),
        Call::MemoryGet(params) => {
            let found = store.get(params.id.clone()).await.map_err(memory)?;
            let item = found.ok_or_else(|| {
                Failure::new(FailureKind::NotFound, format!("there is no item `{}`", params.id))
            })?;
            value(&item)
        }
        Call::MemorySearch(MemorySearch { query, limit, category, tags }) => {
            let query = Query { text: query, limit, category, tags };
            let hits = store.search(query).await.map_err(memory)?;
            Ok(json!({ "items": hits }))
        }
        Call::MemoryList(MemoryList { limit, offset, category, tags }) => {
            let query = ListQuery { limit, offset, category, tags };
            let items = store.list(query).await.map_err(memory)?;
            Ok(json!({ "items": items }))
        }
        Call::MemoryDelete(params) => {
            let deleted = store.delete(params.ids).await.map_err(memory)?;
            Ok(json!({ "deleted": deleted }))
        }
        Call::MemoryStats(_) => value(&store.stats().await.map_err(memory)?),
        Call::SessionList(params) => {
            let sessions = store.session_list(params.limit).await.map_err(memory)?;
            Ok(json!({ "sessions": sessions }))
        }
        Call::SessionShow(params) => {
            value(&store.session_show(params.session).await.map_err(memory)?)
        }
        _ => Err(Failure::new(
            FailureKind::Internal,
            "the connection should have answered this itself",
        )),
    }
}

/// Runs a tool without a model; what is odd about the configuration is told first.
pub(super) async fn run_tool(
    host: &Arc<dyn Host>,
    params: ToolRun,
    cancel: CancellationToken,
    outgoing: &Outgoing,
) -> Result<Value, Failure> {
    let options = params.options;
    let toolbox = blocking(host, move |host| host.toolbox(&options)).await?;
    let Toolbox { registry, context, warnings } = toolbox;
    outgoing.warn(None, warnings);
    let context = crate::tools::ToolContext { cancel, ..context };
    let arguments = Value::Object(params.arguments).to_string();
    let call = ToolCall { id: "call".to_owned(), name: params.name, arguments };
    let outcome = match dispatch::prepare(call, &registry) {
        Err(outcome) => *outcome,
        Ok(prepared) => {
            let Alone { outcome, told } = dispatch::run_alone(prepared, &registry, &context).await;
            let warning = |message| Warning { message, hint: None };
            outgoing.warn(None, told.into_iter().map(warning).collect());
            outcome
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
