//! What the program tells about its own work.
//!
//! Takes part in no decision: a run with metrics switched off behaves the same.

mod concealing;

pub mod trace;
