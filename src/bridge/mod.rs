//! The border to Python: the only place that knows `PyO3`.
//!
//! [`Python`] is the interpreter of this process, started by the first call on a thread that the
//! bridge owns; [`PythonModel`] is a chat model behind it. JSON text and byte buffers cross, no
//! Python object and no exception does. docs/bridge.md has the rules and what happens when they are
//! broken.
//!
//! Never attached while waiting; never called by Python for tools, memory or files.

pub mod embedding;
pub mod gguf;
pub mod jobs;
#[cfg(feature = "local")]
mod llama;
pub mod models;
pub mod python;

pub use self::models::local::LocalModel;
pub use self::models::python_model::PythonModel;
pub use self::models::remote::RemoteModel;
pub use self::models::transformers::TransformersModel;
pub use self::python::console::Console;
pub use self::python::console::PYTHON_MARK;
pub use self::python::error::BridgeError;
pub use self::python::error::ErrorKind;
pub use self::python::worker::Answer;
pub use self::python::worker::CALL_DEADLINE;
pub use self::python::worker::GRACE;
pub use self::python::worker::Python;

/// Name of the numeric kernels that this processor runs; `None`: this build has none.
pub fn kernel() -> Option<String> {
    #[cfg(feature = "local")]
    return Some(llama::kernel());
    #[cfg(not(feature = "local"))]
    None
}
