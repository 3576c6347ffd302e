//! Tests of the real binary in a sealed environment; see tests/README.md.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod agent_events;

mod agent_exit_codes;

mod agent_signals;

#[cfg(target_os = "linux")]
mod approval;

#[cfg(target_os = "linux")]
mod attacks;

mod basics;

mod builtin;

#[cfg(target_os = "linux")]
mod conditions;

mod config_commands;

mod config_errors;

mod config_trust;

mod delivery;

mod doctor;

#[cfg(unix)]
mod endings;

#[cfg(target_os = "linux")]
mod execution;

#[cfg(target_os = "linux")]
mod exit_codes;

mod file;

#[cfg(target_os = "linux")]
mod hostile;

#[cfg(target_os = "linux")]
mod hosts;

#[cfg(target_os = "linux")]
mod hosts_share;

mod embedding;
mod local_models;

mod model_append;
mod model_list;

mod memory_commands;

mod memory_damage;

mod memory_limits;

mod memory_storm;

#[cfg(unix)]
mod memory_waits;

#[cfg(unix)]
mod no_text;

#[cfg(unix)]
mod pages;

mod provider_errors;

mod python;
mod recordings;

#[cfg(unix)]
mod python_prompt;

#[cfg(target_os = "linux")]
mod sandbox_command;

#[cfg(target_os = "linux")]
mod sandbox_wrapper;

mod routes;

#[cfg(target_os = "linux")]
mod scarce;

#[cfg(unix)]
mod session_lease;

mod serve;
mod serve_session;

#[cfg(unix)]
mod stalled_output;

#[cfg(target_os = "linux")]
mod small_things;

mod startup;

mod surroundings;

mod tool;

mod transformers;

mod writes_at_once;
