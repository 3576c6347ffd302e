//! The names Rust uses on the Python side: one module, one function, the operations.
//!
//! Nothing else of `agi_agent` is called from Rust; `_entry.py` has the other end.

/// The module that holds [`HANDLE`].
pub(super) const ENTRY: &str = "agi_agent._entry";
/// `handle(op, payload, buffers) -> (answer, buffers)`.
pub(super) const HANDLE: &str = "handle";
/// The module that collects spans: a flag and a list.
pub(super) const TRACE: &str = "agi_agent._trace";
pub(super) const TRACE_ENABLED: &str = "enabled";
pub(super) const TRACE_FINISHED: &str = "finished";

/// Gives payload and buffers back: tests and measurements.
pub const ECHO: &str = "echo";
/// Which interpreter this is.
pub const HEALTH: &str = "health";
/// One whole reply of a model written in Python.
pub const CHAT: &str = "chat";
/// A provider-neutral request to an HTTP request, whose body comes as a buffer; opens a stream.
pub const ADAPTER_OPEN: &str = "adapter.open";
/// Events of the response to deltas.
pub const ADAPTER_FEED: &str = "adapter.feed";
/// The whole reply, after the last event.
pub const ADAPTER_CLOSE: &str = "adapter.close";
/// Starts to load a model and to compute vectors with it.
pub const EMBED_OPEN: &str = "embed.open";
/// Goes on after news of the job; the vectors come as a buffer.
pub const EMBED_FEED: &str = "embed.feed";
/// Forgets vectors on their way.
pub const EMBED_CLOSE: &str = "embed.close";
/// Texts to the body of a request to `/v1/embeddings`.
pub const EMBED_REQUEST: &str = "embed.request";
/// The body of its answer to a buffer of vectors.
pub const EMBED_RESPONSE: &str = "embed.response";
/// The body of an HTTP error to a kind and one line.
pub const ADAPTER_ERROR: &str = "adapter.error";
/// Begins an answer of a local model; answers with a job.
pub const LOCAL_OPEN: &str = "local.open";
/// Goes on after news of the job.
pub const LOCAL_FEED: &str = "local.feed";
/// Forgets an answer.
pub const LOCAL_CLOSE: &str = "local.close";
