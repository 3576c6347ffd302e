//! Chat models behind the one interface: on servers, in Python, in this file, in a child, on a route,
//! and from a script.

pub mod local;
pub(super) mod python_model;
pub mod remote;
pub mod route;
pub mod scripted;
pub(super) mod transformers;
