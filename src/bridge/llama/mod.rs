//! The numeric kernel (llama.cpp) as a built-in module of Python, `_agi_llama`.
//!
//! `python/_agi_llama.pyi` says what each call means, docs/local-models.md how the parts work
//! together. `raw` owns the pointers; `generation` and `encoding` are the loops, which run on
//! threads that never attach; the `…_class` files are what Python sees. Nothing here decides what
//! is said to a model: template, grammar and sampling come from Python.

mod context_class;
mod draft;
mod encoder_class;
mod encoding;
mod generation;
mod job_classes;
mod model_class;
mod models;
mod module;
mod raw;
mod sampling;
mod text;
mod word_pieces;

pub(super) use module::kernel;
pub(super) use module::register;
