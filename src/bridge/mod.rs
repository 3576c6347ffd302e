//! The border to Python: the only place that knows `PyO3`.
//!
//! [`Python`] is the interpreter of this process, started by the first call on a thread that the
//! bridge owns; [`PythonModel`] is a chat model behind it. JSON text and byte buffers cross, no
//! Python object and no exception does. docs/bridge.md has the rules and what happens when they are
//! broken.
//!
//! Never attached while waiting; never called by Python for tools, memory or files.

mod attached;
mod buffer;
mod console;
mod console_line;
pub mod convert;
pub mod embedding;
mod error;
#[cfg(feature = "embedded")]
mod frozen;
pub mod gguf;
mod interpreter;
pub mod jobs;
#[cfg(feature = "local")]
mod llama;
pub mod local;
pub mod names;
mod python_model;
pub mod remote;
pub mod route;
pub mod scripted;
mod transformers;
mod worker;

pub use console::Console;
pub use error::BridgeError;
pub use error::ErrorKind;
pub use local::LocalModel;
pub use python_model::PythonModel;
pub use remote::RemoteModel;
pub use transformers::TransformersModel;
pub use worker::Answer;
pub use worker::CALL_DEADLINE;
pub use worker::GRACE;
pub use worker::Python;

/// Name of the numeric kernels that this processor runs; `None`: this build has none.
pub fn kernel() -> Option<String> {
    #[cfg(feature = "local")]
    return Some(llama::kernel());
    #[cfg(not(feature = "local"))]
    None
}
