//! The agent: prompt, model, tool calls, results, until an answer, a limit or a failure.
//!
//! Everything here is values and decisions; the world is reached through ports only (the model,
//! the tools, the sandbox, memory, a sink for events, a person who approves). Prints nothing, reads
//! no environment, opens no connection, and knows no provider by name.

pub mod approval;
pub mod budget;
pub mod cancel;
pub mod compact;
pub mod events;
mod excerpt;
pub mod guard;
pub mod instructions;
pub mod rules;
pub mod schema_repair;
pub mod state;
