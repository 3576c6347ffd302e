//! The values that all layers share, and the ports between them.
//!
//! Everything here is plain data (serde) or a trait. Nothing here does I/O, reads the clock or the
//! environment, or knows a provider, a tool or a terminal by name.

pub mod event;
pub mod exit_code;
mod hex;
pub mod host_rule;
pub mod json_text;
pub mod message;
pub mod model;
pub mod outcome;
pub mod outlet;
pub mod port;
pub mod secrets;
pub mod tool;
pub mod usage;

pub use event::{Artefact, Event, Item, ItemBody, ItemStatus};
pub use exit_code::ExitCode;
pub use hex::hex;
pub use host_rule::HostRule;
pub use json_text::JsonText;
pub use message::{Message, Part, Role};
pub use model::{
    ModelDelta, ModelError, ModelErrorKind, ModelReply, ModelRequest, ModelStage, RungTaken,
    StopReason,
};
pub use outcome::{CallCounts, Denial, Outcome, OutcomeKind};
pub use outlet::{Outlet, RefusedHost, Traffic, Way};
pub use port::{Approver, ChatModel, Embedder, EventSink};
pub use tool::{Effect, ToolCall, ToolResult, ToolSpec};
pub use usage::Usage;
