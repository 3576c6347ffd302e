//! `Job`, `Load`, `Vectors`, `Generation`: work that was started, as Python sees it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::types::PyDict;

use super::generation::Finish;
use super::generation::Output;
use super::model_class::PyModel;
use super::models;
use super::models::NotLoaded;
use super::module::KernelError;
use super::module::TooLargeError;
use super::raw::Model;
use crate::bridge::gguf::Source;
use crate::bridge::jobs::Job;

/// Longest wait that is asked of the clock.
const LONG: f64 = 1e6;

/// What a job leaves behind.
type Slot<T> = Arc<Mutex<Option<T>>>;

fn open<T>(slot: &Slot<T>) -> MutexGuard<'_, Option<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pyclass(frozen, subclass, name = "Job", module = "_agi_llama")]
pub(super) struct PyJob {
    job: Arc<Job>,
    /// Where text appears before the end.
    output: Option<Arc<Output>>,
}

impl PyJob {
    fn new(job: &Arc<Job>) -> Self {
        Self { job: Arc::clone(job), output: None }
    }

    /// Waits for the end, detached.
    fn join(&self, py: Python<'_>) {
        py.detach(|| self.job.wait(Duration::MAX, || false));
    }
}

impl Drop for PyJob {
    fn drop(&mut self) {
        if !self.job.now().done {
            self.job.cancel();
        }
    }
}

#[pymethods]
impl PyJob {
    #[getter]
    fn id(&self) -> u64 {
        self.job.id()
    }

    #[getter]
    fn done(&self) -> bool {
        self.job.now().done
    }

    #[getter]
    fn progress(&self) -> f32 {
        self.job.now().progress
    }

    fn wait(&self, py: Python<'_>, timeout: f64) -> bool {
        let timeout = Duration::from_secs_f64(timeout.clamp(0.0, LONG));
        let text = || self.output.as_ref().is_some_and(|output| !output.lock().ready.is_empty());
        py.detach(|| self.job.wait(timeout, text))
    }

    fn cancel(&self) {
        self.job.cancel();
    }
}

#[pyclass(frozen, extends = PyJob, name = "Load", module = "_agi_llama")]
pub(super) struct PyLoad {
    source: String,
    loaded: Slot<Result<Arc<Model>, NotLoaded>>,
}

impl PyLoad {
    pub(super) fn start(
        py: Python<'_>,
        source: String,
        found: Source,
        mmap: bool,
        check_memory: bool,
    ) -> PyResult<Py<Self>> {
        let job = Job::new();
        let loaded = Slot::default();
        let (result, failed) = (Arc::clone(&loaded), Arc::clone(&loaded));
        job.start(
            "kernel load",
            move |job| {
                let outcome = models::load(&found, mmap, check_memory, job);
                *open(&result) = outcome.transpose();
            },
            move |text| *open(&failed) = Some(Err(NotLoaded::Failed(super::raw::Failure(text)))),
        );
        Py::new(py, (Self { source, loaded }, PyJob::new(&job)))
    }
}

#[pymethods]
impl PyLoad {
    fn result(slf: &Bound<'_, Self>) -> PyResult<PyModel> {
        let py = slf.py();
        slf.as_super().get().join(py);
        let this = slf.get();
        match &*open(&this.loaded) {
            Some(Ok(model)) => Ok(PyModel::new(this.source.clone(), Arc::clone(model))),
            Some(Err(NotLoaded::Failed(failure))) => Err(failure.clone().into()),
            Some(Err(NotLoaded::TooLarge(text))) => {
                Err(TooLargeError::new_err(format!("`{}`: {text}", this.source)))
            }
            None => Err(cancelled("loading")),
        }
    }
}

#[pyclass(frozen, extends = PyJob, name = "Vectors", module = "_agi_llama")]
pub(super) struct PyVectors {
    vectors: Slot<Result<Vec<f32>, super::raw::Failure>>,
}

impl PyVectors {
    /// Starts `work`, which gives `None` when it was cancelled.
    pub(super) fn start(
        py: Python<'_>,
        work: impl FnOnce(&Job) -> Result<Option<Vec<f32>>, super::raw::Failure> + Send + 'static,
    ) -> PyResult<Py<Self>> {
        let job = Job::new();
        let vectors = Slot::default();
        let (result, failed) = (Arc::clone(&vectors), Arc::clone(&vectors));
        job.start(
            "kernel encode",
            move |job| *open(&result) = work(job).transpose(),
            move |text| *open(&failed) = Some(Err(super::raw::Failure(text))),
        );
        Py::new(py, (Self { vectors }, PyJob::new(&job)))
    }
}

#[pymethods]
impl PyVectors {
    fn result<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyBytes>> {
        let py = slf.py();
        slf.as_super().get().join(py);
        match &*open(&slf.get().vectors) {
            Some(Ok(vectors)) => PyBytes::new_with(py, vectors.len() * 4, |bytes| {
                for (target, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(vectors) {
                    *target = value.to_le_bytes();
                }
                Ok(())
            }),
            Some(Err(failure)) => Err(failure.clone().into()),
            None => Err(cancelled("embedding")),
        }
    }
}

#[pyclass(frozen, extends = PyJob, name = "Generation", module = "_agi_llama")]
pub(super) struct PyGeneration {
    job: Arc<Job>,
    output: Arc<Output>,
}

impl PyGeneration {
    /// Starts `work`, which writes into the output.
    pub(super) fn start(
        py: Python<'_>,
        work: impl FnOnce(&Job, &Output) + Send + 'static,
    ) -> PyResult<Py<Self>> {
        let job = Job::new();
        let output = Arc::<Output>::default();
        let (target, failed) = (Arc::clone(&output), Arc::clone(&output));
        job.start(
            "kernel generate",
            move |job| work(job, &target),
            move |text| failed.lock().failure = Some(super::raw::Failure(text)),
        );
        let base = PyJob { job: Arc::clone(&job), output: Some(Arc::clone(&output)) };
        Py::new(py, (Self { job, output }, base))
    }
}

#[pymethods]
impl PyGeneration {
    fn take(&self) -> String {
        std::mem::take(&mut self.output.lock().ready)
    }

    #[getter]
    fn finish(&self) -> PyResult<Option<&'static str>> {
        let written = self.output.lock();
        if let Some(failure) = &written.failure {
            return Err(failure.clone().into());
        }
        Ok(match written.finish {
            Some(Finish::Stop) => Some("stop"),
            Some(Finish::Length) => Some("length"),
            Some(Finish::Context) => Some("context"),
            Some(Finish::Cancelled) => Some("cancelled"),
            // The thread has not noticed yet.
            None if self.job.is_cancelled() => Some("cancelled"),
            None => None,
        })
    }

    #[getter]
    fn stop_string(&self) -> Option<String> {
        self.output.lock().stop_string.clone()
    }

    #[getter]
    fn tokens(&self) -> Vec<i32> {
        self.output.lock().tokens.clone()
    }

    #[getter]
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.output.lock().stats;
        let dict = PyDict::new(py);
        dict.set_item("prompt_tokens", stats.prompt_tokens)?;
        dict.set_item("cached_tokens", stats.cached_tokens)?;
        dict.set_item("prompt_ms", stats.prompt_ms)?;
        dict.set_item("output_tokens", stats.output_tokens)?;
        dict.set_item("output_ms", stats.output_ms)?;
        dict.set_item("drafted", stats.drafted)?;
        dict.set_item("accepted", stats.accepted)?;
        dict.set_item("shifted", stats.shifted)?;
        Ok(dict)
    }
}

fn cancelled(what: &str) -> PyErr {
    KernelError::new_err(format!("{what} was cancelled"))
}
