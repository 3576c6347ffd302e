//! `Encoder`: texts to vectors, as Python sees it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::encoding;
use super::job_classes::PyVectors;
use super::model_class::PyModel;
use super::raw::Context;
use super::raw::Failure;
use super::raw::Pooling;
use super::raw::Shape;

#[pyclass(frozen, name = "Encoder", module = "_agi_llama")]
pub(super) struct PyEncoder {
    model: Py<PyModel>,
    /// One job at a time; a second one waits for the first on its own thread.
    context: Arc<Mutex<Context>>,
    max_tokens: usize,
    dimension: i32,
}

#[pymethods]
impl PyEncoder {
    #[new]
    #[pyo3(signature = (model, *, pooling = "model", n_threads = 1, max_tokens = 0))]
    fn new(
        py: Python<'_>,
        model: Py<PyModel>,
        pooling: &str,
        n_threads: usize,
        max_tokens: usize,
    ) -> PyResult<Self> {
        let weights = Arc::clone(model.get().model());
        let trained = usize::try_from(weights.context_length()).unwrap_or(0);
        let most = if max_tokens == 0 { encoding::MAX_TOKENS } else { max_tokens };
        let most = if trained == 0 { most } else { most.min(trained) }.max(8);
        let shape = Shape {
            n_ctx: sequence_room(most),
            n_batch: sequence_room(most),
            n_seq: encoding::SEQUENCES,
            n_threads: n_threads.clamp(1, 512),
            quantised_cache: false,
            pooling: Some(pooling_of(pooling, model.get())?),
        };
        let dimension = weights.embedding_length();
        let context = py.detach(|| Context::new(&weights, shape))?;
        Ok(Self { model, context: Arc::new(Mutex::new(context)), max_tokens: most, dimension })
    }

    #[getter]
    fn model(&self, py: Python<'_>) -> Py<PyModel> {
        self.model.clone_ref(py)
    }

    #[getter]
    fn dimension(&self) -> i32 {
        self.dimension
    }

    fn encode(&self, py: Python<'_>, texts: Vec<String>) -> PyResult<Py<PyVectors>> {
        let context = Arc::clone(&self.context);
        let max_tokens = self.max_tokens;
        PyVectors::start(py, move |job| {
            let mut context = context.lock().unwrap_or_else(PoisonError::into_inner);
            encoding::encode(&mut context, &texts, max_tokens, job)
        })
    }
}

/// Tokens of a computation that holds at least one text of the greatest length.
fn sequence_room(most: usize) -> u32 {
    u32::try_from(most.max(encoding::BATCH)).unwrap_or(u32::MAX)
}

fn pooling_of(name: &str, model: &PyModel) -> PyResult<Pooling> {
    match name {
        "model" if model.model().ranks() => Err(Failure(format!(
            "the model `{}` gives texts a score and no vector (`pooling_type` is 4, rank)",
            model.source_text()
        ))
        .into()),
        "model" if model.model().says_pooling() => Ok(Pooling::Model),
        "model" | "mean" => Ok(Pooling::Mean),
        "cls" => Ok(Pooling::Cls),
        "last" => Ok(Pooling::Last),
        _ => Err(PyValueError::new_err(format!(
            "`pooling` is `model`, `mean`, `cls` or `last`, not `{name}`"
        ))),
    }
}
