//! Byte buffers across the border without a copy, in both directions.
//!
//! Rust's memory is lent to Python through the buffer protocol and stays alive as long as a
//! `memoryview` of it does. Python's memory, where it is large, is read by Rust as [`Bytes`] that keep the
//! exporting object alive; because an object may only be released while attached, and only the worker
//! attaches, dropping them hands the object back to the worker.

#![expect(unsafe_code, reason = "the buffer protocol is raw memory on both sides")]

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use bytes::Bytes;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;

/// Bytes up to which Python's memory is copied: to hand it back the worker has to be woken.
const COPIED: usize = 64 << 10;

/// Rust's bytes as Python sees them: an object that exports read-only memory.
#[pyclass(frozen, module = "agi_agent")]
struct LentBytes(Bytes);

#[pymethods]
impl LentBytes {
    /// Fills a view of the whole; CPython calls this for `memoryview(...)`.
    ///
    /// # Safety
    ///
    /// `view` is null or points to a `Py_buffer` to be filled, as the buffer protocol has it.
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let bytes = &slf.get().0;
        let length = ffi::Py_ssize_t::try_from(bytes.len())
            .map_err(|_| PyBufferError::new_err("buffer is larger than Python can address"))?;
        let start = bytes.as_ptr().cast_mut().cast();
        // SAFETY: `view` is CPython's. The memory is valid while `slf` lives, and the call stores a
        // reference to `slf` in the view. It is exported read-only (last but one argument), so that
        // nobody writes through the pointer whose constness is cast away.
        let status = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, length, 1, flags) };
        if status == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// A `memoryview` of Rust's bytes.
pub(super) fn lend(py: Python<'_>, bytes: Bytes) -> PyResult<Bound<'_, PyMemoryView>> {
    PyMemoryView::from(Bound::new(py, LentBytes(bytes))?.as_any())
}

/// Where dropped buffers of Python wait until the worker releases them.
pub(super) struct Returned {
    buffers: Mutex<Vec<PyBuffer<u8>>>,
    /// Makes the worker look here even when it has nothing else to do.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Returned {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { buffers: Mutex::default(), wake: Box::new(wake) }
    }

    fn give_back(&self, buffer: PyBuffer<u8>) {
        self.lock().push(buffer);
        (self.wake)();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PyBuffer<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases all that have come back. Called by the worker, attached (`_py` proves it): then
    /// dropping a view does not attach once more.
    pub(super) fn release(&self, _py: Python<'_>) {
        let buffers = std::mem::take(&mut *self.lock());
        drop(buffers);
    }
}

/// Python's memory, owned by [`Bytes`].
struct BorrowedBuffer {
    /// `None` only while being dropped.
    buffer: Option<PyBuffer<u8>>,
    returned: Arc<Returned>,
}

impl AsRef<[u8]> for BorrowedBuffer {
    fn as_ref(&self) -> &[u8] {
        let Some(memory) = self.buffer.as_ref().and_then(PyBuffer::as_slice_ptr) else {
            return &[];
        };
        // SAFETY: the exporter keeps the memory in place as long as the view is not released, which
        // happens after this value is gone. It was checked to be read-only and contiguous, and
        // `_entry.handle` promises that nobody changes it once it was returned.
        unsafe { memory.as_ref() }
    }
}

impl Drop for BorrowedBuffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.returned.give_back(buffer);
        }
    }
}

/// Python's bytes as Rust's: without a copy, but for those whose copy costs less than their way back.
pub(super) fn borrow(object: &Bound<'_, PyAny>, returned: &Arc<Returned>) -> PyResult<Bytes> {
    let buffer = PyBuffer::<u8>::get(object)?;
    if !buffer.readonly() || !buffer.is_c_contiguous() {
        return Err(PyBufferError::new_err("a buffer for Rust must be read-only and contiguous"));
    }
    if buffer.len_bytes() <= COPIED {
        return Ok(Bytes::from(buffer.to_vec(object.py())?));
    }
    let owner = BorrowedBuffer { buffer: Some(buffer), returned: Arc::clone(returned) };
    Ok(Bytes::from_owner(owner))
}
