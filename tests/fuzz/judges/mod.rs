//! What must hold of any input, one file per parser or verdict, each with a reference of its own.
//!
//! Compiled twice: by the fuzzer (`tests/fuzz/targets`), which makes the inputs, and by the test
//! program `rust`, which replays the kept ones. A judge panics where something does not hold; it uses
//! nothing of the program but what it judges.

pub mod configuration;

pub mod hosts;

pub mod patch;

pub mod paths;

pub mod recording;

pub mod rules;

pub mod shell;

pub mod stream;

/// The text of an input that is text.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
