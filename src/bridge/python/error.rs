//! The one map from exceptions to errors. No `PyErr` leaves `bridge`.
//!
//! An exception says what it is by a class attribute `kind` (`_errors.py`); the few
//! of Python itself that mean something here are told by type. Everything else is a defect of ours
//! and keeps its traceback.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::exceptions::PyMemoryError;
use pyo3::exceptions::PyRecursionError;
use pyo3::exceptions::PySystemExit;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;

/// What went wrong with a call into Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A failed model call with a name of its own.
    Model(ModelErrorKind),
    /// The interpreter could not be started; every later call fails in the same way.
    Start,
    /// An exception nobody expected: a defect of ours.
    Exception,
    /// What was sent, or what came back, is not what the other side takes.
    Payload,
    /// Recursion hit Python's limit; the interpreter goes on.
    Recursion,
    /// Python ran out of memory; the interpreter goes on.
    Memory,
    /// Python code asked to end the process; it does not.
    Exit,
    /// The deadline passed. Python was told to stop.
    Deadline,
    /// The caller went away, or `KeyboardInterrupt` was raised in Python.
    Cancelled,
    /// Python did not stop when told to: no call can be made any more in this process.
    Lost,
}

/// A failed call into Python.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BridgeError {
    pub kind: ErrorKind,
    /// One line for a person.
    pub message: String,
    /// What to do next, where Python said so.
    pub hint: Option<String>,
    /// Python's own traceback, for the log; only of exceptions that nobody expected.
    pub traceback: Option<String>,
}

impl BridgeError {
    /// An error without hint or traceback.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, traceback: None }
    }

    /// What an exception is on our side. Called while attached.
    pub(super) fn from_exception(py: Python<'_>, error: &PyErr) -> Self {
        let value = error.value(py);
        let declared = text_attribute(value, "kind").and_then(|kind| declared_kind(&kind));
        let kind = declared.unwrap_or_else(|| {
            if error.is_instance_of::<PyRecursionError>(py) {
                ErrorKind::Recursion
            } else if error.is_instance_of::<PyMemoryError>(py) {
                ErrorKind::Memory
            } else if error.is_instance_of::<PyKeyboardInterrupt>(py) {
                ErrorKind::Cancelled
            } else if error.is_instance_of::<PySystemExit>(py) {
                ErrorKind::Exit
            } else {
                ErrorKind::Exception
            }
        });
        let text = value.str().map(|text| lossy(&text)).unwrap_or_default();
        let message = if declared.is_some() {
            text
        } else {
            let class = value.get_type().name().map(|name| lossy(&name)).unwrap_or_default();
            if text.is_empty() { class } else { format!("{class}: {text}") }
        };
        let traceback = match kind {
            ErrorKind::Model(_) => None,
            _ => error.traceback(py).and_then(|traceback| traceback.format().ok()),
        };
        Self { kind, message, hint: text_attribute(value, "hint"), traceback }
    }
}

/// The kinds that exceptions may declare; an unknown word counts as not declared.
fn declared_kind(kind: &str) -> Option<ErrorKind> {
    use ModelErrorKind as M;
    Some(match kind {
        "payload" => ErrorKind::Payload,
        "authentication" => ErrorKind::Model(M::Authentication),
        "rate_limited" => ErrorKind::Model(M::RateLimited),
        "server" => ErrorKind::Model(M::Server),
        "invalid_request" => ErrorKind::Model(M::InvalidRequest),
        "context_too_long" => ErrorKind::Model(M::ContextTooLong),
        "malformed" => ErrorKind::Model(M::Malformed),
        "outside_builtin" => ErrorKind::Model(M::OutsideBuiltin),
        "configuration" => ErrorKind::Model(M::Configuration),
        "cancelled" => ErrorKind::Model(M::Cancelled),
        _ => return None,
    })
}

fn text_attribute(value: &Bound<'_, PyAny>, name: &str) -> Option<String> {
    let found = value.getattr(name).ok()?;
    Some(lossy(found.cast::<PyString>().ok()?))
}

/// Text that may hold half a surrogate pair, which UTF-8 cannot.
pub(super) fn lossy(text: &Bound<'_, PyString>) -> String {
    text.to_string_lossy().into_owned()
}

impl From<BridgeError> for ModelError {
    /// Whatever is not the provider's fault is the interpreter's, and ends the run (54).
    fn from(error: BridgeError) -> Self {
        let kind = match error.kind {
            ErrorKind::Model(kind) => kind,
            ErrorKind::Cancelled => ModelErrorKind::Cancelled,
            ErrorKind::Start
            | ErrorKind::Exception
            | ErrorKind::Payload
            | ErrorKind::Recursion
            | ErrorKind::Memory
            | ErrorKind::Exit
            | ErrorKind::Deadline
            | ErrorKind::Lost => ModelErrorKind::Interpreter,
        };
        Self { kind, message: error.message, hint: error.hint, status: None, retry_after_s: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_declared_kinds_are_the_models() {
        assert_eq!(declared_kind("malformed"), Some(ErrorKind::Model(ModelErrorKind::Malformed)));
        assert_eq!(declared_kind("exception"), None);
        let lost = ModelError::from(BridgeError::new(ErrorKind::Lost, "gone"));
        assert_eq!(lost.kind, ModelErrorKind::Interpreter);
        let outside = BridgeError::new(ErrorKind::Model(ModelErrorKind::OutsideBuiltin), "no");
        assert_eq!(ModelError::from(outside).kind, ModelErrorKind::OutsideBuiltin);
    }
}
