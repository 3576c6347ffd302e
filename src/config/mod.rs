//! Configuration: layers in, one immutable [`settings::Settings`] out.
//!
//! Knows nothing of the agent, tools or models beyond their settings. Everything that is known of a
//! setting stands in `table`; `load::load` gives every value with its origin, `resolve::resolve`
//! what they mean. There is no global.

mod bounded;
pub mod command_limits;
pub mod env;
pub mod error;
pub mod file;
pub mod layer;
pub mod legacy;
pub mod load;
pub mod models;
pub mod places;
pub mod project;
pub mod report;
pub mod resolve;
pub mod secret;
pub mod settings;
pub mod source;
pub mod table;
