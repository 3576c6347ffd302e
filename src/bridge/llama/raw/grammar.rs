//! A grammar in GBNF that tokens are held to.

use std::ffi::CString;
use std::ffi::c_char;
use std::ptr::NonNull;
use std::sync::Arc;

use llama_cpp_sys_2 as sys;

use super::Failure;
use super::Model;
use super::Token;
use super::guard;
use super::guarded;

/// The state of a grammar: what may come next.
#[derive(Debug)]
pub(in super::super) struct Grammar {
    pointer: NonNull<sys::llama_sampler>,
    /// The vocabulary that it reads.
    _model: Arc<Model>,
}

// SAFETY: nothing of it belongs to a thread.
unsafe impl Send for Grammar {}

impl Grammar {
    /// `triggers`: regular expressions after which it applies; none: from the start.
    pub(in super::super) fn new(
        model: &Arc<Model>,
        text: &str,
        root: &str,
        triggers: &[String],
    ) -> Result<Self, Failure> {
        super::log::clear_errors();
        let c = |text: &str| {
            CString::new(text).map_err(|_| Failure("the grammar holds a zero byte".to_owned()))
        };
        let (text, root) = (c(text)?, c(root)?);
        let triggers = triggers.iter().map(|one| c(one)).collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<*const c_char> = triggers.iter().map(|one| one.as_ptr()).collect();
        let pointer = guarded("the grammar is wrong", |error, size| {
            // SAFETY: all texts are C strings that live during the call, which copies them.
            NonNull::new(unsafe {
                guard::agi_llama_grammar(
                    model.vocabulary(),
                    text.as_ptr(),
                    root.as_ptr(),
                    pointers.as_mut_ptr(),
                    pointers.len(),
                    error,
                    size,
                )
            })
        })?;
        Ok(Self { pointer, _model: Arc::clone(model) })
    }

    /// Takes from the candidates what may not come next: their logit becomes minus infinity.
    pub(in super::super) fn apply(
        &mut self,
        candidates: &mut [sys::llama_token_data],
    ) -> Result<(), Failure> {
        super::sampler::apply(self.pointer, candidates, "the grammar cannot be applied").map(drop)
    }

    /// The token was written.
    pub(in super::super) fn accept(&mut self, token: Token) -> Result<(), Failure> {
        super::sampler::accept(self.pointer, token, "the grammar does not take the token")
    }
}

impl Drop for Grammar {
    fn drop(&mut self) {
        // SAFETY: the pointer is ours alone.
        unsafe { sys::llama_sampler_free(self.pointer.as_ptr()) }
    }
}
