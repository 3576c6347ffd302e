//! `agi-agent`: an AI agent in one file.
//!
//! The way of the data:
//!
//! ```text
//! argv > cli/args > config layers > Settings > cli/wiring > Agent
//!    memory.recall > agent/context > ModelRequest > agent/turn <----------- agent/state
//!                                                   |     ^ events              ^ results
//!                              ChatModel (protocol) v     |                     |
//!               bridge/python/worker == attached ==> agi_agent (Python: ML only)|
//!                                                   |                           |
//!                             ToolCall > agent/approval > tools/dispatch > files | sandbox | memory
//!    at the end: memory.remember, metrics, Outcome > cli/output > exit code
//! ```
//!
//! Modules stand in layer order; imports only go down (tests/rust/layering.rs reads every
//! `use crate::`).

pub mod cli;

pub mod service;

pub mod agent;

pub mod tools;

pub mod bridge;

pub mod files;

pub mod sandbox;

pub mod network;

pub mod memory;

pub mod config;

pub mod metrics;

pub mod protocol;

pub mod system;
