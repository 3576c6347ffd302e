//! How one token is chosen among all: bias, penalties, cuts, temperature, draw.

use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use super::Failure;
use super::THREW;
use super::Token;
use super::guard;
use super::guarded;
use crate::bridge::llama::sampling::Sampling;

/// The seed that stands for a different one each time.
const RANDOM: u32 = u32::MAX;

/// A chain of samplers and its state (random numbers, what was written).
#[derive(Debug)]
pub(in super::super) struct Sampler(NonNull<sys::llama_sampler>);

// SAFETY: nothing of it belongs to a thread.
unsafe impl Send for Sampler {}

impl Sampler {
    /// The chain for these settings; `recent`: the end of the prompt, which penalties look at.
    pub(in super::super) fn new(
        settings: &Sampling,
        vocabulary_size: i32,
        recent: &[Token],
    ) -> Result<Self, Failure> {
        // SAFETY: makes an empty chain out of plain values.
        let chain = unsafe {
            sys::llama_sampler_chain_init(sys::llama_sampler_chain_params { no_perf: true })
        };
        let chain = Self(NonNull::new(chain).ok_or_else(out_of_memory)?);
        if !settings.logit_bias.is_empty() {
            let biases: Vec<_> = settings
                .logit_bias
                .iter()
                .map(|(&token, &bias)| sys::llama_logit_bias { token, bias })
                .collect();
            let count = i32::try_from(biases.len()).map_err(|error| Failure(error.to_string()))?;
            // SAFETY: the list is copied by the call.
            chain.add(unsafe {
                sys::llama_sampler_init_logit_bias(vocabulary_size, count, biases.as_ptr())
            })?;
        }
        if settings.penalises() {
            // SAFETY: plain values; checked when the settings were read.
            let penalties = unsafe {
                sys::llama_sampler_init_penalties(
                    vocabulary_size,
                    settings.repeat_last_n,
                    settings.repeat_penalty,
                    settings.frequency_penalty,
                    settings.presence_penalty,
                )
            };
            let pointer = NonNull::new(penalties).ok_or_else(out_of_memory)?;
            chain.add(penalties)?;
            for token in recent {
                accept(pointer, *token, "the prompt cannot be penalised")?;
            }
        }
        chain.add_cuts(settings)?;
        Ok(chain)
    }

    fn add_cuts(&self, settings: &Sampling) -> Result<(), Failure> {
        let Some(temperature) = settings.temperature.filter(|value| *value > 0.0) else {
            // SAFETY: has no conditions.
            return self.add(unsafe { sys::llama_sampler_init_greedy() });
        };
        // SAFETY: plain values, checked when the settings were read.
        unsafe {
            if let Some(k) = settings.top_k.filter(|k| *k > 0) {
                self.add(sys::llama_sampler_init_top_k(k))?;
            }
            if let Some(p) = settings.typical_p.filter(|p| *p < 1.0) {
                self.add(sys::llama_sampler_init_typical(p, 1))?;
            }
            if let Some(p) = settings.top_p.filter(|p| *p < 1.0) {
                self.add(sys::llama_sampler_init_top_p(p, 1))?;
            }
            if let Some(p) = settings.min_p.filter(|p| *p > 0.0) {
                self.add(sys::llama_sampler_init_min_p(p, 1))?;
            }
            self.add(sys::llama_sampler_init_temp(temperature))?;
            self.add(sys::llama_sampler_init_dist(settings.seed.unwrap_or(RANDOM)))
        }
    }

    /// The chain takes a sampler over.
    fn add(&self, sampler: *mut sys::llama_sampler) -> Result<(), Failure> {
        if sampler.is_null() {
            return Err(out_of_memory());
        }
        // SAFETY: both are valid; the chain owns the sampler from here on.
        unsafe { sys::llama_sampler_chain_add(self.0.as_ptr(), sampler) };
        Ok(())
    }

    /// The chosen token. Candidates are reordered.
    pub(in super::super) fn choose(
        &mut self,
        candidates: &mut [sys::llama_token_data],
    ) -> Result<Token, Failure> {
        apply(self.0, candidates, "no token can be chosen")?
            .ok_or_else(|| Failure("no token could be chosen".to_owned()))
    }

    /// The token was written.
    pub(in super::super) fn accept(&mut self, token: Token) -> Result<(), Failure> {
        accept(self.0, token, "the sampler does not take the token")
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        // SAFETY: the chain is ours alone, and owns its parts.
        unsafe { sys::llama_sampler_free(self.0.as_ptr()) }
    }
}

/// Applies a sampler; gives the token that it selected, where it selects.
pub(super) fn apply(
    sampler: NonNull<sys::llama_sampler>,
    candidates: &mut [sys::llama_token_data],
    what: &str,
) -> Result<Option<Token>, Failure> {
    let mut array = sys::llama_token_data_array {
        data: candidates.as_mut_ptr(),
        size: candidates.len(),
        selected: -1,
        sorted: false,
    };
    guarded(what, |error, size| {
        // SAFETY: the array describes `candidates`; samplers reorder and shorten within it.
        let status =
            unsafe { guard::agi_llama_apply(sampler.as_ptr(), &raw mut array, error, size) };
        (status != THREW).then_some(())
    })?;
    let selected = usize::try_from(array.selected).ok().filter(|index| *index < array.size);
    Ok(selected.map(|index| candidates[index].id))
}

pub(super) fn accept(
    sampler: NonNull<sys::llama_sampler>,
    token: Token,
    what: &str,
) -> Result<(), Failure> {
    guarded(what, |error, size| {
        // SAFETY: the sampler is valid.
        let status = unsafe { guard::agi_llama_accept(sampler.as_ptr(), token, error, size) };
        (status != THREW).then_some(())
    })
}

fn out_of_memory() -> Failure {
    Failure("no memory for a sampler".to_owned())
}
