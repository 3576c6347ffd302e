//! Configuration: layers in, one immutable [`settings::Settings`] out.
//!
//! Knows nothing of the agent, tools or models beyond their settings. Everything that is known of a
//! setting stands in `schema`; `load::load` gives every value with its origin, `resolve::resolve`
//! what they mean. There is no global.

pub mod check;

pub mod command_limits;

pub mod edit;

pub mod embedding;
pub mod env;

pub mod error;

pub mod fields;

pub mod json_schema;

pub mod layer;

pub mod legacy;

pub mod load;

pub mod local;

pub mod migrate;

pub mod near;

pub mod order;

pub mod places;

pub mod project;

pub mod quantity;

pub mod report;

pub mod resolve;

pub mod route;

pub mod schema;

pub mod secret;

pub mod settings;

pub mod source;

pub mod write;
