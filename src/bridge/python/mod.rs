//! The interpreter of this process: started once, on a thread of its own, spoken to in JSON and
//! buffers. Knows nothing of models.

pub(super) mod attached;
pub(super) mod buffer;
pub(super) mod console;
pub(super) mod console_line;
pub mod convert;
pub(super) mod error;
#[cfg(feature = "embedded")]
pub(super) mod frozen;
pub(super) mod interpreter;
pub mod names;
pub(super) mod worker;
