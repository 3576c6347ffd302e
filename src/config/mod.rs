//! Configuration: layers in, one immutable [`settings::Settings`] out.
//!
//! Knows nothing of the agent, tools or models beyond their settings.

pub mod settings;
