//! Models in the configuration: routes, local ones, and those that turn texts into vectors.

pub mod chosen;
pub mod embedding;
pub mod local;
pub mod route;
