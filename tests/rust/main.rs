//! Tests of the tree itself and of modules together; see tests/README.md.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail"
)]

mod cases;

mod config;

mod contracts;

#[cfg(unix)]
mod corpus;

mod docs;

/// What the fuzzer judges by (`tests/fuzz`).
#[cfg(unix)]
#[path = "../fuzz/judges/mod.rs"]
mod judges;

mod layering;

mod network;

mod reference;

#[cfg(target_os = "linux")]
mod sandbox;

#[cfg(unix)]
mod shell_fuzz;

mod tidy;

mod tree;
