//! What the worker does while attached: call `_entry.handle` and nothing else.
//!
//! Every Python object this process holds is in here or in `buffer`.

#![expect(clippy::disallowed_methods, reason = "this is the place that attaches")]

use std::sync::Arc;

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::types::PyModule;
use pyo3::types::PyString;

use super::buffer;
use super::buffer::Returned;
use super::error;
use super::error::BridgeError;
use super::error::ErrorKind;
use super::interpreter;
use super::names;
use super::worker::Answer;

/// The Python side as the worker holds it.
pub(super) struct Attached {
    handle: Py<PyAny>,
    trace: Py<PyModule>,
    spans: Py<PyList>,
    returned: Arc<Returned>,
}

impl Attached {
    /// Starts the interpreter on this thread and imports the entry.
    pub(super) fn start(returned: Arc<Returned>) -> Result<Self, BridgeError> {
        let span = tracing::debug_span!("python start");
        let _entered = span.enter();
        interpreter::start_for_bridge().map_err(|reason| {
            BridgeError::new(
                ErrorKind::Start,
                format!("the python interpreter cannot be started: {reason}"),
            )
        })?;
        Python::attach(|py| {
            Self::import(py, returned).map_err(|failure| {
                let cause = BridgeError::from_exception(py, &failure);
                let message = format!("`{}` cannot be imported: {}", names::ENTRY, cause.message);
                BridgeError { kind: ErrorKind::Start, message, ..cause }
            })
        })
    }

    fn import(py: Python<'_>, returned: Arc<Returned>) -> PyResult<Self> {
        let handle = py.import(names::ENTRY)?.getattr(names::HANDLE)?.unbind();
        let trace = py.import(names::TRACE)?;
        let spans = trace.getattr(names::TRACE_FINISHED)?.cast_into::<PyList>()?.unbind();
        Ok(Self { handle, trace: trace.unbind(), spans, returned })
    }

    /// Attaches, carries out one operation, detaches.
    pub(super) fn handle(
        &self,
        op: &str,
        payload: &str,
        buffers: Vec<Bytes>,
    ) -> Result<Answer, BridgeError> {
        Python::attach(|py| {
            self.returned.release(py);
            let traced = tracing::enabled!(target: "agi_agent::python", tracing::Level::DEBUG);
            let result = self
                .set_tracing(py, traced)
                .and_then(|()| self.call(py, op, payload, buffers))
                .map_err(|failure| BridgeError::from_exception(py, &failure));
            if traced {
                self.report_spans(py);
            }
            if let Err(BridgeError { message, traceback: Some(traceback), .. }) = &result {
                tracing::debug!(target: "agi_agent::python", op, message, traceback, "exception");
            }
            result
        })
    }

    fn call(
        &self,
        py: Python<'_>,
        op: &str,
        payload: &str,
        buffers: Vec<Bytes>,
    ) -> PyResult<Answer> {
        let lent = PyList::empty(py);
        for bytes in buffers {
            lent.append(buffer::lend(py, bytes)?)?;
        }
        let result = self.handle.bind(py).call1((op, payload, lent))?;
        let (json, exported): (Bound<'_, PyString>, Bound<'_, PyList>) = result.extract()?;
        let buffers = exported
            .iter()
            .map(|object| buffer::borrow(&object, &self.returned))
            .collect::<PyResult<_>>()?;
        Ok(Answer { json: error::lossy(&json), buffers })
    }

    /// Follows the level of our own subscriber; an attribute is written only on change.
    fn set_tracing(&self, py: Python<'_>, wanted: bool) -> PyResult<()> {
        let trace = self.trace.bind(py);
        if trace.getattr(names::TRACE_ENABLED)?.is_truthy()? != wanted {
            trace.setattr(names::TRACE_ENABLED, wanted)?;
        }
        Ok(())
    }

    /// What Python measured, as events of ours.
    fn report_spans(&self, py: Python<'_>) {
        let spans = self.spans.bind(py);
        for entry in spans.iter() {
            if let Ok((name, start_ns, duration_ns)) = entry.extract::<(String, u64, u64)>() {
                tracing::debug!(target: "agi_agent::python", name, start_ns, duration_us = duration_ns / 1000, "span");
            }
        }
        if let Err(failure) = spans.del_slice(0, spans.len()) {
            tracing::debug!(target: "agi_agent::python", error = %failure, "spans cannot be cleared");
        }
    }

    /// Attaches and releases the buffers that Rust has dropped.
    pub(super) fn release_returned(&self) {
        Python::attach(|py| self.returned.release(py));
    }
}
