//! A model's working memory: batches in, logits or vectors out.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use llama_cpp_sys_2 as sys;

use super::Failure;
use super::Model;
use super::THREW;
use super::Token;
use super::guard;
use super::guarded;
use super::log;
use super::threads::Threads;

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Pooling {
    /// As the file says.
    Model,
    Mean,
    Cls,
    Last,
}

/// Those that give one vector of the model's length for each text. `RANK` gives one score or some,
/// `NONE` a vector for each token.
const WHOLE_VECTORS: [sys::llama_pooling_type; 3] =
    [sys::LLAMA_POOLING_TYPE_MEAN, sys::LLAMA_POOLING_TYPE_CLS, sys::LLAMA_POOLING_TYPE_LAST];

/// Sizes of a context.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Shape {
    /// Tokens.
    pub(in super::super) n_ctx: u32,
    /// Tokens that are computed at once.
    pub(in super::super) n_batch: u32,
    /// Texts that are computed at once.
    pub(in super::super) n_seq: u32,
    pub(in super::super) n_threads: usize,
    /// Keys and values in 8 bits.
    pub(in super::super) quantised_cache: bool,
    /// Vectors instead of logits.
    pub(in super::super) pooling: Option<Pooling>,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Decoded {
    Done,
    /// The cancel flag was set meanwhile.
    Aborted,
    /// There is no room in the context.
    Full,
}

/// A context and what it needs to live.
#[derive(Debug)]
pub(in super::super) struct Context {
    pointer: NonNull<sys::llama_context>,
    batch: sys::llama_batch,
    room: usize,
    shape: Shape,
    /// Read by the kernel between two operations; boxed, so that it stays where it is.
    cancel: Box<Slot>,
    // Dropped after the context, which uses both.
    _threads: Option<Threads>,
    model: Arc<Model>,
}

// SAFETY: used by one thread at a time (all methods that compute take `&mut self`); nothing of it
// belongs to the thread that made it.
unsafe impl Send for Context {}

/// The flag of whom the context computes for now.
type Slot = Mutex<Option<Arc<AtomicBool>>>;

extern "C" fn cancelled(slot: *mut c_void) -> bool {
    // SAFETY: the slot of a `Context`, which outlives every computation it starts.
    let slot = unsafe { &*slot.cast_const().cast::<Slot>() };
    let flag = slot.lock().unwrap_or_else(PoisonError::into_inner);
    flag.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

impl Context {
    pub(in super::super) fn new(model: &Arc<Model>, shape: Shape) -> Result<Self, Failure> {
        log::clear_errors();
        let cancel = Box::<Slot>::default();
        let parameters = parameters(shape, &cancel)?;
        // SAFETY: the model is valid and kept alive by the `Arc` below.
        let pointer = unsafe { sys::llama_init_from_model(model.pointer(), parameters) };
        let pointer = NonNull::new(pointer)
            .ok_or_else(|| Failure(format!("no context can be made: {}", log::last_error())))?;
        let room = i32::try_from(shape.n_batch).map_err(|error| Failure(error.to_string()))?;
        let threads = Threads::attach(pointer, shape.n_threads);
        // SAFETY: plain numbers; each token of a batch belongs to one sequence.
        let batch = unsafe { sys::llama_batch_init(room, 0, 1) };
        let room = shape.n_batch as usize;
        let model = Arc::clone(model);
        Ok(Self { pointer, batch, room, shape, cancel, _threads: threads, model })
    }

    pub(in super::super) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Tokens that it has room for.
    pub(in super::super) fn n_ctx(&self) -> usize {
        // SAFETY: reads a number of a valid context.
        unsafe { sys::llama_n_ctx(self.pointer.as_ptr()) as usize }
    }

    pub(in super::super) fn shape(&self) -> Shape {
        self.shape
    }

    /// From now on, setting `flag` stops the computation between two operations.
    pub(in super::super) fn heed(&self, flag: Arc<AtomicBool>) {
        *self.cancel.lock().unwrap_or_else(PoisonError::into_inner) = Some(flag);
    }

    /// Empties the batch.
    pub(in super::super) fn begin(&mut self) {
        self.batch.n_tokens = 0;
    }

    /// Adds a token to the batch; `output`: its logits (or vector) are wanted.
    pub(in super::super) fn add(
        &mut self,
        token: Token,
        position: usize,
        sequence: i32,
        output: bool,
    ) -> Result<(), Failure> {
        if !self.model.knows(token) {
            return Err(Failure(format!("the model has no token {token}")));
        }
        let index = usize::try_from(self.batch.n_tokens).unwrap_or(self.room);
        let position = i32::try_from(position).map_err(|error| Failure(error.to_string()))?;
        if index >= self.room {
            return Err(Failure(format!("more than {} tokens at once", self.room)));
        }
        // SAFETY: the arrays were made with `room` entries, and `index` is below that.
        unsafe {
            self.batch.token.add(index).write(token);
            self.batch.pos.add(index).write(position);
            self.batch.n_seq_id.add(index).write(1);
            self.batch.seq_id.add(index).read().write(sequence);
            self.batch.logits.add(index).write(i8::from(output));
        }
        self.batch.n_tokens += 1;
        Ok(())
    }

    /// Computes the batch.
    pub(in super::super) fn decode(&mut self) -> Result<Decoded, Failure> {
        if self.batch.n_tokens == 0 {
            return Err(Failure("an empty batch cannot be computed".to_owned()));
        }
        log::clear_errors();
        let status = guarded("the model cannot compute", |error, size| {
            // SAFETY: the batch is filled up to `n_tokens`, and `self` is borrowed exclusively.
            let status =
                unsafe { guard::agi_llama_decode(self.pointer.as_ptr(), self.batch, error, size) };
            (status != THREW).then_some(status)
        })?;
        match status {
            0 => Ok(Decoded::Done),
            1 => Ok(Decoded::Full),
            2 => Ok(Decoded::Aborted),
            _ => Err(Failure(format!("the model cannot compute: {}", log::last_error()))),
        }
    }

    /// Every token with its logit after the batch's token number `index`, into `out`.
    pub(in super::super) fn candidates(
        &self,
        index: usize,
        out: &mut Vec<sys::llama_token_data>,
    ) -> Result<(), Failure> {
        let count = self.model.vocabulary_size();
        let index = i32::try_from(index).map_err(|error| Failure(error.to_string()))?;
        // SAFETY: gives null, or as many floats as the vocabulary has tokens, valid until the next
        // computation; they are copied here.
        let logits = unsafe {
            let logits = sys::llama_get_logits_ith(self.pointer.as_ptr(), index);
            if logits.is_null() {
                return Err(Failure(format!("no logits for token {index} of the batch")));
            }
            std::slice::from_raw_parts(logits, usize::try_from(count).unwrap_or(0))
        };
        out.clear();
        out.extend((0..count).zip(logits).map(|(id, &logit)| sys::llama_token_data {
            id,
            logit,
            p: 0.0,
        }));
        Ok(())
    }

    /// The vector of a sequence of the last batch, as computed (not normalised).
    pub(in super::super) fn vector(&self, sequence: i32) -> Result<&[f32], Failure> {
        let length = usize::try_from(self.model.embedding_length()).unwrap_or(0);
        // SAFETY: reads a number of a valid context.
        let pooling = unsafe { sys::llama_pooling_type(self.pointer.as_ptr()) };
        if !WHOLE_VECTORS.contains(&pooling) {
            return Err(Failure("the model makes no vectors of texts".to_owned()));
        }
        // SAFETY: gives null or, with these ways of pooling, `n_embd_out` floats (`length`), valid
        // until the next computation, which needs `&mut self`.
        unsafe {
            let vector = sys::llama_get_embeddings_seq(self.pointer.as_ptr(), sequence);
            if vector.is_null() {
                return Err(Failure("the model makes no vectors of texts".to_owned()));
            }
            Ok(std::slice::from_raw_parts(vector, length))
        }
    }

    fn memory(&self) -> Option<sys::llama_memory_t> {
        // SAFETY: gives null for models without memory (bert).
        let memory = unsafe { sys::llama_get_memory(self.pointer.as_ptr()) };
        (!memory.is_null()).then_some(memory)
    }

    /// Forgets everything.
    pub(in super::super) fn clear(&mut self) {
        if let Some(memory) = self.memory() {
            // SAFETY: valid, and borrowed exclusively; `true` clears the data as well.
            unsafe { sys::llama_memory_clear(memory, true) };
        }
    }

    /// Drops positions `start..end` of the first sequence; false: this kind of memory cannot.
    pub(in super::super) fn remove(&mut self, start: usize, end: Option<usize>) -> bool {
        let Some(memory) = self.memory() else { return false };
        let Ok(start) = i32::try_from(start) else { return false };
        let end = end.map_or(-1, |end| i32::try_from(end).unwrap_or(i32::MAX));
        // SAFETY: valid, and borrowed exclusively.
        unsafe { sys::llama_memory_seq_rm(memory, 0, start, end) }
    }

    /// Whether positions can be renumbered.
    pub(in super::super) fn can_shift(&self) -> bool {
        // SAFETY: reads a fact of a valid memory.
        let can = |memory| unsafe { sys::llama_memory_can_shift(memory) };
        !self.model.has_only_windows() && self.memory().is_some_and(can)
    }

    /// Moves all positions from `start` on down by `by`. Only where [`Self::can_shift`].
    pub(in super::super) fn shift_down(&mut self, start: usize, by: usize) {
        let (Some(memory), Ok(start), Ok(by)) =
            (self.memory(), i32::try_from(start), i32::try_from(by))
        else {
            return;
        };
        if self.can_shift() {
            // SAFETY: valid, and borrowed exclusively; it was asked whether it can.
            unsafe { sys::llama_memory_seq_add(memory, 0, start, -1, -by) };
        }
    }

    /// All of it as bytes.
    pub(in super::super) fn state(&mut self) -> Result<Vec<u8>, Failure> {
        // SAFETY: computes a size.
        let size = unsafe { sys::llama_state_get_size(self.pointer.as_ptr()) };
        let mut state = vec![0; size];
        let written = guarded("the state cannot be kept", |error, room| {
            // SAFETY: `state` has `size` bytes.
            let written = unsafe {
                guard::agi_llama_state_get(
                    self.pointer.as_ptr(),
                    state.as_mut_ptr(),
                    size,
                    error,
                    room,
                )
            };
            (written != 0).then_some(written)
        })?;
        state.truncate(written);
        Ok(state)
    }

    /// Takes bytes of [`Self::state`] back; llama.cpp checks them.
    pub(in super::super) fn restore(&mut self, state: &[u8]) -> Result<(), Failure> {
        log::clear_errors();
        // SAFETY: the slice is valid; what does not fit is refused, and gives 0.
        let read = unsafe {
            sys::llama_state_set_data(self.pointer.as_ptr(), state.as_ptr(), state.len())
        };
        if read == 0 {
            self.clear();
            return Err(Failure(format!("the state cannot be restored: {}", log::last_error())));
        }
        Ok(())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: both are ours alone; the threads and the model that the context uses are fields,
        // dropped after this.
        unsafe {
            sys::llama_batch_free(self.batch);
            sys::llama_free(self.pointer.as_ptr());
        }
    }
}

fn parameters(shape: Shape, cancel: &Slot) -> Result<sys::llama_context_params, Failure> {
    let threads = i32::try_from(shape.n_threads).map_err(|error| Failure(error.to_string()))?;
    // SAFETY: gives a plain value.
    let mut parameters = unsafe { sys::llama_context_default_params() };
    parameters.n_ctx = shape.n_ctx;
    parameters.n_batch = shape.n_batch;
    parameters.n_ubatch = shape.n_batch;
    parameters.n_seq_max = shape.n_seq;
    parameters.n_threads = threads;
    parameters.n_threads_batch = threads;
    parameters.no_perf = true;
    // The whole of a sliding window's cache, so that a prompt can be kept up to any place.
    parameters.swa_full = true;
    parameters.kv_unified = true;
    parameters.abort_callback = Some(cancelled);
    parameters.abort_callback_data = (&raw const *cancel).cast_mut().cast();
    if shape.quantised_cache {
        parameters.type_k = sys::GGML_TYPE_Q8_0;
        parameters.type_v = sys::GGML_TYPE_Q8_0;
    }
    if let Some(pooling) = shape.pooling {
        parameters.embeddings = true;
        parameters.pooling_type = match pooling {
            Pooling::Model => sys::LLAMA_POOLING_TYPE_UNSPECIFIED,
            Pooling::Mean => sys::LLAMA_POOLING_TYPE_MEAN,
            Pooling::Cls => sys::LLAMA_POOLING_TYPE_CLS,
            Pooling::Last => sys::LLAMA_POOLING_TYPE_LAST,
        };
    }
    Ok(parameters)
}
