//! The border between the languages, with a real interpreter: one per process, as in the product.
//!
//! docs/bridge.md states an outcome for each way a call can go wrong; each has its test here.
//! Tests that leave the interpreter unusable run in a process of their own (`support::alone`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod border;
mod buffers;
mod contract;
mod long;
#[path = "../support/model_dialects.rs"]
mod model_dialects;
#[path = "../support/model_server.rs"]
mod model_server;
mod remote;
mod signals;
mod spans;
mod stopping;
mod support;
