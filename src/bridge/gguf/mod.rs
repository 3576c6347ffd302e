//! What a GGUF file says of itself, read without loading it, and where such files are: on the disk
//! or appended to our own executable.
//!
//! Pure Rust and part of every build: a model that would not fit is refused from these numbers, and
//! `model list` shows them. Only the kernel (`llama`) reads weights.

mod append;
mod appended;
mod estimate;
mod header;
mod plausible;
mod source;
mod tensor;

pub use append::Append;
pub use append::AppendError;
pub use appended::Appended;
pub use appended::appended;
pub use estimate::Estimate;
pub use estimate::estimate;
pub use header::GgufError;
pub use header::Header;
pub use header::Value;
pub use header::read;
pub use source::EMBEDDED;
pub use source::Source;
