//! `Context`: what a model has read, as Python sees it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::TryLockError;
use std::time::Duration;
use std::time::Instant;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::types::PyDict;

use super::generation;
use super::generation::Plan;
use super::generation::Session;
use super::job_classes::PyGeneration;
use super::model_class::PyModel;
use super::module;
use super::module::KernelError;
use super::module::TooLargeError;
use super::raw::Context;
use super::raw::Failure;
use super::raw::Grammar;
use super::raw::Sampler;
use super::raw::Shape;
use super::raw::Token;
use super::sampling::Sampling;
use super::text::Text;
use crate::bridge::gguf;
use crate::system::memory;

/// How long a call waits for a job that was cancelled and has not noticed yet.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(2);

#[pyclass(frozen, name = "Context", module = "_agi_llama")]
pub(super) struct PyContext {
    model: Py<PyModel>,
    n_ctx: usize,
    session: Arc<Mutex<Session>>,
}

impl PyContext {
    /// The session, unless a job has it for longer than patience lasts.
    fn session(&self) -> Result<MutexGuard<'_, Session>, Failure> {
        let begun = Instant::now();
        loop {
            match self.session.try_lock() {
                Ok(session) => return Ok(session),
                Err(TryLockError::Poisoned(error)) => return Ok(error.into_inner()),
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(LOOK);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure("another job of this context still runs".to_owned()));
                }
            }
        }
    }

    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Session) -> Result<T, Failure> + Send,
    ) -> PyResult<T> {
        Ok(py.detach(|| work(&mut *self.session()?))?)
    }
}

#[pymethods]
impl PyContext {
    #[new]
    #[pyo3(signature = (
        model, *, n_ctx = 4096, n_batch = 512, n_threads = 0, kv_type = "f16", check_memory = true
    ))]
    fn new(
        py: Python<'_>,
        model: Py<PyModel>,
        n_ctx: u32,
        n_batch: u32,
        n_threads: usize,
        kv_type: &str,
        check_memory: bool,
    ) -> PyResult<Self> {
        let weights = Arc::clone(model.get().model());
        if weights.is_encoder() {
            return Err(KernelError::new_err(format!(
                "`{}` makes vectors and cannot write",
                model.get().source_text()
            )));
        }
        let trained = u32::try_from(weights.context_length()).unwrap_or(0);
        let n_ctx = if n_ctx == 0 { trained.max(512) } else { n_ctx };
        let quantised_cache = module::quantised(kv_type)?;
        if check_memory {
            check(model.get(), n_ctx, quantised_cache)?;
        }
        let shape = Shape {
            n_ctx,
            n_batch: n_batch.clamp(1, n_ctx.max(1)),
            n_seq: 1,
            n_threads: if n_threads == 0 { memory::cores() } else { n_threads.min(512) },
            quantised_cache,
            pooling: None,
        };
        let context = py.detach(|| Context::new(&weights, shape))?;
        let n_ctx = context.n_ctx();
        let session = Arc::new(Mutex::new(Session { context, tokens: Vec::new() }));
        Ok(Self { model, n_ctx, session })
    }

    #[getter]
    fn model(&self, py: Python<'_>) -> Py<PyModel> {
        self.model.clone_ref(py)
    }

    #[getter]
    fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    #[getter]
    fn tokens(&self, py: Python<'_>) -> PyResult<Vec<Token>> {
        self.with(py, |session| Ok(session.tokens.clone()))
    }

    #[getter]
    fn can_shift(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |session| Ok(session.context.can_shift()))
    }

    #[pyo3(signature = (
        prompt, *, max_tokens = 0, sampling = None, grammar = None, grammar_root = "root",
        grammar_triggers = Vec::new(), stop = Vec::new(), markup = false, keep = 0, shift = false,
        draft_tokens = 0
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn generate(
        &self,
        py: Python<'_>,
        prompt: Vec<Token>,
        max_tokens: usize,
        sampling: Option<&Bound<'_, PyDict>>,
        grammar: Option<&str>,
        grammar_root: &str,
        grammar_triggers: Vec<String>,
        stop: Vec<String>,
        markup: bool,
        keep: usize,
        shift: bool,
        draft_tokens: usize,
    ) -> PyResult<Py<PyGeneration>> {
        let model = self.model.get().model();
        self.check_prompt(&prompt)?;
        let sampling = sampling.map(settings).transpose()?.unwrap_or_default();
        sampling.check()?;
        let recent = usize::try_from(sampling.repeat_last_n).unwrap_or(0);
        let recent = &prompt[prompt.len().saturating_sub(recent)..];
        let sampler = Sampler::new(&sampling, model.vocabulary_size(), recent)?;
        let grammar = grammar
            .map(|text| Grammar::new(model, text, grammar_root, &grammar_triggers))
            .transpose()?;
        // A guess costs nothing where the memory can be cut; where it cannot, it costs everything.
        let draft_tokens = if model.is_recurrent() { 0 } else { draft_tokens };
        let plan = Plan {
            prompt,
            max_tokens: if max_tokens == 0 { usize::MAX } else { max_tokens },
            sampler,
            grammar,
            text: Text::new(stop),
            markup,
            keep,
            shift,
            draft_tokens,
        };
        self.with(py, |_| Ok(()))?;
        let session = Arc::clone(&self.session);
        PyGeneration::start(py, move |job, output| {
            let mut session = session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            generation::write(&mut session, plan, job, output);
        })
    }

    #[pyo3(signature = (start = 0))]
    fn forget(&self, py: Python<'_>, start: usize) -> PyResult<()> {
        self.with(py, |session| {
            let start = start.min(session.tokens.len());
            if start == 0 || !session.context.remove(start, None) {
                session.context.clear();
                session.tokens.clear();
            }
            session.tokens.truncate(start);
            Ok(())
        })
    }

    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let (tokens, state) =
            self.with(py, |session| Ok((session.tokens.clone(), session.context.state()?)))?;
        let mut bytes = Vec::with_capacity(8 + tokens.len() * 4 + state.len());
        bytes.extend((tokens.len() as u64).to_le_bytes());
        bytes.extend(tokens.iter().flat_map(|token| token.to_le_bytes()));
        bytes.extend(state);
        Ok(PyBytes::new(py, &bytes))
    }

    fn restore(&self, py: Python<'_>, state: &[u8]) -> PyResult<()> {
        let wrong = || Failure("the state is not one of a context".to_owned());
        let (count, rest) = state.split_first_chunk::<8>().ok_or_else(wrong)?;
        let length = usize::try_from(u64::from_le_bytes(*count)).ok();
        let length = length.and_then(|count| count.checked_mul(4)).ok_or_else(wrong)?;
        let (tokens, state) = rest.split_at_checked(length).ok_or_else(wrong)?;
        let tokens = tokens.as_chunks::<4>().0.iter().map(|bytes| Token::from_le_bytes(*bytes));
        let tokens: Vec<Token> = tokens.collect();
        self.check_tokens(&tokens)?;
        self.with(py, |session| {
            session.tokens.clear();
            session.context.restore(state)?;
            session.tokens = tokens;
            Ok(())
        })
    }
}

impl PyContext {
    fn check_prompt(&self, prompt: &[Token]) -> PyResult<()> {
        if prompt.is_empty() {
            return Err(KernelError::new_err("the prompt has no tokens"));
        }
        if prompt.len() >= self.n_ctx {
            return Err(KernelError::new_err(format!(
                "the prompt has {} tokens, the context has room for {}",
                prompt.len(),
                self.n_ctx
            )));
        }
        self.check_tokens(prompt)
    }

    fn check_tokens(&self, tokens: &[Token]) -> PyResult<()> {
        let model = self.model.get().model();
        match tokens.iter().find(|token| !model.knows(**token)) {
            Some(token) => Err(KernelError::new_err(format!("the model has no token {token}"))),
            None => Ok(()),
        }
    }
}

/// Refuses a context that would not fit, with the numbers. The weights are there already.
fn check(model: &PyModel, n_ctx: u32, quantised_cache: bool) -> PyResult<()> {
    let source = module::find(model.source_text())?;
    let Ok(header) = gguf::read(&source) else { return Ok(()) };
    let mut estimate = gguf::estimate(&header, n_ctx.into(), quantised_cache);
    estimate.total -= estimate.weights;
    match estimate.refusal() {
        Some(text) => Err(TooLargeError::new_err(format!(
            "`{}` with a context of {n_ctx} tokens: {text}",
            model.source_text()
        ))),
        None => Ok(()),
    }
}

/// `Sampling` of the stub file; an unknown name is refused.
fn settings(dict: &Bound<'_, PyDict>) -> PyResult<Sampling> {
    let mut sampling = Sampling::default();
    for (key, value) in dict {
        let key: String = key.extract()?;
        match key.as_str() {
            "temperature" => sampling.temperature = Some(value.extract()?),
            "top_k" => sampling.top_k = Some(value.extract()?),
            "top_p" => sampling.top_p = Some(value.extract()?),
            "min_p" => sampling.min_p = Some(value.extract()?),
            "typical_p" => sampling.typical_p = Some(value.extract()?),
            "seed" => sampling.seed = Some(value.extract()?),
            "repeat_penalty" => sampling.repeat_penalty = value.extract()?,
            "repeat_last_n" => sampling.repeat_last_n = value.extract()?,
            "frequency_penalty" => sampling.frequency_penalty = value.extract()?,
            "presence_penalty" => sampling.presence_penalty = value.extract()?,
            "logit_bias" => sampling.logit_bias = value.extract()?,
            _ => return Err(PyKeyError::new_err(format!("no sampling setting `{key}`"))),
        }
    }
    Ok(sampling)
}
