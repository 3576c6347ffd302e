//! Weights and vocabulary: loading, and what can be asked of them.

use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::c_char;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::OnceLock;

use llama_cpp_sys_2 as sys;

use super::super::word_pieces::WordPieces;
use super::Failure;
use super::Token;
use super::log;
use crate::bridge::gguf::Source;

/// Told how far loading is; gives whether to go on.
pub(in super::super) trait Loading: Sync {
    fn at(&self, part: f32) -> bool;
}

/// A loaded model. Never changes, so that threads share it.
#[derive(Debug)]
pub(in super::super) struct Model {
    pointer: NonNull<sys::llama_model>,
    vocabulary: NonNull<sys::llama_vocab>,
    /// See [`Model::tokenize`].
    pub(super) pieces: OnceLock<WordPieces>,
}

// SAFETY: llama.cpp only reads a model after loading; contexts of several threads share one.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

extern "C" fn progress<L: Loading>(part: f32, loading: *mut c_void) -> bool {
    // SAFETY: `Model::load` passed a pointer to an `L` that outlives the call it made.
    let loading = unsafe { &*loading.cast_const().cast::<L>() };
    loading.at(part)
}

impl Model {
    /// Loads, which may take minutes. `repack`: weights are copied into the order that the kernels
    /// like best, where there is one.
    pub(in super::super) fn load<L: Loading>(
        source: &Source,
        mmap: bool,
        repack: bool,
        loading: &L,
    ) -> Result<Self, Failure> {
        super::start();
        log::clear_errors();
        // SAFETY: gives a plain value.
        let mut parameters = unsafe { sys::llama_model_default_params() };
        parameters.load_mode =
            if mmap { sys::LLAMA_LOAD_MODE_MMAP } else { sys::LLAMA_LOAD_MODE_NONE };
        parameters.use_extra_bufts = repack;
        parameters.progress_callback = Some(progress::<L>);
        parameters.progress_callback_user_data = (&raw const *loading).cast_mut().cast();
        let pointer = match source {
            Source::File(path) => {
                let path = CString::new(path.as_os_str().as_encoded_bytes())
                    .map_err(|_| Failure("the model's path holds a zero byte".to_owned()))?;
                // SAFETY: path and parameters are valid during the call, which keeps neither.
                unsafe { sys::llama_model_load_from_file(path.as_ptr(), parameters) }
            }
            Source::Part { path, offset, .. } => load_part(path, *offset, parameters)?,
        };
        let pointer = NonNull::new(pointer).ok_or_else(|| {
            Failure(format!(
                "model `{}` cannot be loaded: {}",
                source.path().display(),
                log::last_error()
            ))
        })?;
        // SAFETY: the model is valid; its vocabulary lives as long.
        let vocabulary = unsafe { sys::llama_model_get_vocab(pointer.as_ptr()) };
        match NonNull::new(vocabulary.cast_mut()) {
            Some(vocabulary) => Ok(Self { pointer, vocabulary, pieces: OnceLock::new() }),
            None => Err(Failure("the model has no vocabulary".to_owned())),
        }
    }

    pub(super) fn pointer(&self) -> *mut sys::llama_model {
        self.pointer.as_ptr()
    }

    pub(super) fn vocabulary(&self) -> *const sys::llama_vocab {
        self.vocabulary.as_ptr()
    }

    pub(in super::super) fn context_length(&self) -> i32 {
        // SAFETY: reads a number of a valid model, as in all functions below.
        unsafe { sys::llama_model_n_ctx_train(self.pointer()) }
    }

    pub(in super::super) fn embedding_length(&self) -> i32 {
        // SAFETY: see above.
        unsafe { sys::llama_model_n_embd_out(self.pointer()) }
    }

    pub(in super::super) fn vocabulary_size(&self) -> i32 {
        // SAFETY: see above.
        unsafe { sys::llama_vocab_n_tokens(self.vocabulary()) }
    }

    pub(in super::super) fn parameters(&self) -> u64 {
        // SAFETY: see above.
        unsafe { sys::llama_model_n_params(self.pointer()) }
    }

    pub(in super::super) fn size(&self) -> u64 {
        // SAFETY: see above.
        unsafe { sys::llama_model_size(self.pointer()) }
    }

    /// Whether it only reads (bert): no text can be generated.
    pub(in super::super) fn is_encoder(&self) -> bool {
        self.text_of("general.architecture").is_some_and(|name| name.contains("bert"))
            // SAFETY: see above.
            || unsafe { !sys::llama_model_has_decoder(self.pointer()) }
    }

    /// Whether the file says how vectors of tokens become one of the text.
    pub(in super::super) fn says_pooling(&self) -> bool {
        self.pooling_type().is_some()
    }

    /// Whether it was made to put texts into an order: it gives scores.
    pub(in super::super) fn ranks(&self) -> bool {
        self.pooling_type() == Some(sys::LLAMA_POOLING_TYPE_RANK)
    }

    fn pooling_type(&self) -> Option<sys::llama_pooling_type> {
        let architecture = self.text_of("general.architecture").unwrap_or_default();
        self.text_of(&format!("{architecture}.pooling_type"))?.parse().ok()
    }

    /// Whether its memory cannot be cut at any place.
    pub(in super::super) fn is_recurrent(&self) -> bool {
        // SAFETY: see above.
        unsafe {
            sys::llama_model_is_recurrent(self.pointer())
                || sys::llama_model_is_hybrid(self.pointer())
        }
    }

    /// Whether every block may look at a window only. llama.cpp ends the process when the cache of
    /// such a model is shifted: it looks for blocks without a window, of which there is one in six
    /// at least where a model has both.
    pub(super) fn has_only_windows(&self) -> bool {
        // SAFETY: see above.
        unsafe {
            sys::llama_model_n_swa(self.pointer()) > 0
                && sys::llama_model_n_layer(self.pointer()) < 6
        }
    }

    pub(in super::super) fn adds_bos(&self) -> bool {
        // SAFETY: see above.
        unsafe { sys::llama_vocab_get_add_bos(self.vocabulary()) }
    }

    pub(in super::super) fn is_end(&self, token: Token) -> bool {
        // SAFETY: see above; the token is one of the vocabulary.
        self.knows(token) && unsafe { sys::llama_vocab_is_eog(self.vocabulary(), token) }
    }

    /// Whether the number is a token of this model: with others, llama.cpp ends the process.
    pub(in super::super) fn knows(&self, token: Token) -> bool {
        (0..self.vocabulary_size()).contains(&token)
    }

    /// Names and numbers of the tokens with a meaning of their own.
    pub(in super::super) fn special_tokens(&self) -> Vec<(&'static str, Token)> {
        type Get = unsafe extern "C" fn(*const sys::llama_vocab) -> Token;
        const NAMES: [(&str, Get); 9] = [
            ("bos", sys::llama_vocab_bos),
            ("eos", sys::llama_vocab_eos),
            ("eot", sys::llama_vocab_eot),
            ("sep", sys::llama_vocab_sep),
            ("nl", sys::llama_vocab_nl),
            ("pad", sys::llama_vocab_pad),
            ("mask", sys::llama_vocab_mask),
            ("fim_prefix", sys::llama_vocab_fim_pre),
            ("fim_suffix", sys::llama_vocab_fim_suf),
        ];
        NAMES
            .into_iter()
            // SAFETY: reads a number of a valid vocabulary.
            .map(|(name, get)| (name, unsafe { get(self.vocabulary()) }))
            .filter(|(_, token)| self.knows(*token))
            .collect()
    }

    /// The template of the file, or its variant of that name.
    pub(in super::super) fn chat_template(&self, name: Option<&CStr>) -> Option<String> {
        let name = name.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: gives null or text that lives as long as the model; copied at once.
        unsafe {
            let text = sys::llama_model_chat_template(self.pointer(), name);
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }

    pub(in super::super) fn description(&self) -> String {
        // SAFETY: writes at most `size` bytes into `out`, as `sized_text` promises.
        sized_text(|out, size| unsafe { sys::llama_model_desc(self.pointer(), out, size) })
            .unwrap_or_default()
    }

    /// A scalar key of the file, as text.
    pub(super) fn text_of(&self, key: &str) -> Option<String> {
        let key = CString::new(key).ok()?;
        // SAFETY: as above; the key is a C string.
        sized_text(|out, size| unsafe {
            sys::llama_model_meta_val_str(self.pointer(), key.as_ptr(), out, size)
        })
    }

    /// Scalar keys of the file, as text.
    pub(in super::super) fn metadata(&self) -> Vec<(String, String)> {
        // SAFETY: reads a number.
        let count = unsafe { sys::llama_model_meta_count(self.pointer()) };
        (0..count)
            .filter_map(|index| {
                // SAFETY: the index is in range; writing as above.
                let key = sized_text(|out, size| unsafe {
                    sys::llama_model_meta_key_by_index(self.pointer(), index, out, size)
                })?;
                // SAFETY: as above.
                let value = sized_text(|out, size| unsafe {
                    sys::llama_model_meta_val_str_by_index(self.pointer(), index, out, size)
                })?;
                Some((key, value))
            })
            .collect()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: nobody else has the pointer: contexts keep the model alive by an `Arc`.
        unsafe { sys::llama_model_free(self.pointer()) }
    }
}

/// Loads from within a file: the stream's position is where the GGUF begins.
#[cfg(unix)]
fn load_part(
    path: &std::path::Path,
    offset: u64,
    parameters: sys::llama_model_params,
) -> Result<*mut sys::llama_model, Failure> {
    use std::os::fd::IntoRawFd;
    let failed =
        |error: std::io::Error| Failure(format!("`{}` cannot be read: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(failed)?;
    let offset = libc::off_t::try_from(offset).map_err(|error| Failure(error.to_string()))?;
    let descriptor = file.into_raw_fd();
    // SAFETY: the descriptor is ours; the stream takes it over and is closed here, after loading,
    // which keeps a mapping and not the stream.
    unsafe {
        let stream = libc::fdopen(descriptor, c"rb".as_ptr());
        if stream.is_null() {
            let error = std::io::Error::last_os_error();
            libc::close(descriptor);
            return Err(failed(error));
        }
        let model = if libc::fseeko(stream, offset, libc::SEEK_SET) == 0 {
            Ok(sys::llama_model_load_from_file_ptr(stream.cast(), parameters))
        } else {
            Err(failed(std::io::Error::last_os_error()))
        };
        libc::fclose(stream);
        model
    }
}

#[cfg(not(unix))]
fn load_part(
    path: &std::path::Path,
    _: u64,
    _: sys::llama_model_params,
) -> Result<*mut sys::llama_model, Failure> {
    Err(Failure(format!("models within `{}` cannot be loaded on this system", path.display())))
}

/// Calls a function that writes C text of a length it returns, with enough room.
fn sized_text(call: impl Fn(*mut c_char, usize) -> i32) -> Option<String> {
    let mut text = vec![0u8; 256];
    for _ in 0..2 {
        let length = usize::try_from(call(text.as_mut_ptr().cast(), text.len())).ok()?;
        if length < text.len() {
            text.truncate(length);
            return Some(String::from_utf8_lossy(&text).into_owned());
        }
        text.resize(length + 1, 0);
    }
    None
}
