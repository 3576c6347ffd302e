//! Files of the person: walking, reading, searching, counting, editing. No agent words.
//!
//! Every directory is listed and every file opened through `system::opener::Opener`, which holds
//! the policy and keeps this process away from the database. Nothing is memory-mapped: a file that
//! shrinks while it is read would end the process. All work is blocking; callers give it a thread
//! and a token, and it stops soon after the token is cancelled.

pub mod changing;
pub mod error;
pub mod finding;
pub mod read;
pub mod stats;

pub use error::FileError;

#[cfg(test)]
mod tree_for_tests;

/// Bytes that are read at a time.
const BUFFER: usize = 256 * 1024;
