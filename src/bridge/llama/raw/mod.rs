//! llama.cpp as Rust values: who owns what, what may be called when, errors as text.
//!
//! The only place with pointers of llama.cpp. Calls that may throw go through `guard.cpp`; what
//! llama.cpp would end the process for (an assertion) is checked here before the call.

#![expect(unsafe_code, reason = "llama.cpp is a C interface")]

mod context;
mod grammar;
mod log;
mod model;
mod sampler;
mod threads;
mod vocabulary;

use std::ffi::CStr;
use std::ffi::c_char;
use std::sync::Once;

use llama_cpp_sys_2 as sys;

pub(super) use context::Context;
pub(super) use context::Decoded;
pub(super) use context::Pooling;
pub(super) use context::Shape;
pub(super) use grammar::Grammar;
pub(super) use model::Loading;
pub(super) use model::Model;
pub(super) use sampler::Sampler;

/// A token of a vocabulary.
pub(super) type Token = i32;

/// What the kernel refused or failed at: one line.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failure(pub(super) String);

/// What a guarded call gives that threw.
const THREW: i32 = i32::MIN;
/// Room for an exception's text.
const ROOM: usize = 512;

mod guard {
    use std::ffi::c_char;

    use llama_cpp_sys_2 as sys;

    unsafe extern "C" {
        pub(super) fn agi_llama_begin();
        pub(super) fn agi_kernel_name() -> *const c_char;
        pub(super) fn agi_kernel_limit(name: *const c_char) -> i32;
        pub(super) fn agi_llama_decode(
            context: *mut sys::llama_context,
            batch: sys::llama_batch,
            error: *mut c_char,
            size: usize,
        ) -> i32;
        pub(super) fn agi_llama_tokenize(
            vocabulary: *const sys::llama_vocab,
            text: *const c_char,
            length: i32,
            tokens: *mut i32,
            room: i32,
            special: bool,
            markup: bool,
            error: *mut c_char,
            size: usize,
        ) -> i32;
        pub(super) fn agi_llama_grammar(
            vocabulary: *const sys::llama_vocab,
            grammar: *const c_char,
            root: *const c_char,
            triggers: *mut *const c_char,
            count: usize,
            error: *mut c_char,
            size: usize,
        ) -> *mut sys::llama_sampler;
        pub(super) fn agi_llama_apply(
            sampler: *mut sys::llama_sampler,
            candidates: *mut sys::llama_token_data_array,
            error: *mut c_char,
            size: usize,
        ) -> i32;
        pub(super) fn agi_llama_accept(
            sampler: *mut sys::llama_sampler,
            token: i32,
            error: *mut c_char,
            size: usize,
        ) -> i32;
        pub(super) fn agi_llama_state_get(
            context: *mut sys::llama_context,
            out: *mut u8,
            room: usize,
            error: *mut c_char,
            size: usize,
        ) -> usize;
    }
}

/// Calls with room for an exception's text; the call gives `None` when it threw.
fn guarded<T>(
    what: &str,
    call: impl FnOnce(*mut c_char, usize) -> Option<T>,
) -> Result<T, Failure> {
    let mut text = [0u8; ROOM];
    call(text.as_mut_ptr().cast(), ROOM).ok_or_else(|| {
        let text = CStr::from_bytes_until_nul(&text).map(CStr::to_string_lossy);
        let text = text.unwrap_or_default();
        let reason = if text.is_empty() { log::last_error() } else { text.into_owned() };
        Failure(format!("{what}: {reason}"))
    })
}

/// Starts llama.cpp, once per process.
fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // SAFETY: both have no conditions, and run once, before everything else of llama.cpp.
        unsafe { guard::agi_llama_begin() };
        log::install();
        // SAFETY: as above.
        unsafe { sys::llama_backend_init() };
    });
}

/// Name of the kernels that run on this processor. Starts nothing.
pub(super) fn kernel() -> String {
    // SAFETY: gives a static C string.
    unsafe { CStr::from_ptr(guard::agi_kernel_name()) }.to_string_lossy().into_owned()
}

/// Takes no faster kernels than those of this name. Before the first model is loaded.
pub(super) fn limit_kernel(name: &CStr) -> bool {
    // SAFETY: reads the text, and writes a number that only the first load reads.
    unsafe { guard::agi_kernel_limit(name.as_ptr()) != 0 }
}

/// Version of llama.cpp and what its kernels were compiled for.
pub(super) fn facts() -> (String, String) {
    start();
    // SAFETY: both give static C strings; the second fills its buffer at each call, and calls are
    // made while attached to the interpreter only, one at a time.
    let (version, features) = unsafe {
        (CStr::from_ptr(sys::llama_version()), CStr::from_ptr(sys::llama_print_system_info()))
    };
    (version.to_string_lossy().into_owned(), features.to_string_lossy().into_owned())
}
