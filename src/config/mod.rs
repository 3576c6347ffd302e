//! Configuration: layers in, one immutable [`settings::Settings`] out.
//!
//! Knows nothing of the agent, tools or models beyond their settings. `resolve::resolve` is called
//! once per process; there is no global.

pub mod env;

pub mod error;

pub mod file;

pub mod layer;

pub mod local;

pub mod places;

pub mod resolve;

pub mod schema;

pub mod settings;
