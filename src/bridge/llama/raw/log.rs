//! What llama.cpp says of itself goes to our log; its last complaint is kept for the error's text.

use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::PoisonError;

use llama_cpp_sys_2 as sys;

/// The newest lines at level error, oldest first.
static ERRORS: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// A failure is told in two or three lines, the cause first.
const KEPT: usize = 4;

/// Takes the log over.
pub(super) fn install() {
    // SAFETY: the function stays valid for the whole process, and takes no user data.
    unsafe { sys::llama_log_set(Some(receive), std::ptr::null_mut()) };
}

extern "C" fn receive(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp hands over a C string that is valid during the call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let line = text.trim_end();
    if line.is_empty() {
        return;
    }
    if level == sys::GGML_LOG_LEVEL_ERROR {
        let mut errors = ERRORS.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() == KEPT {
            errors.remove(0);
        }
        errors.push(line.to_owned());
    }
    tracing::trace!(target: "agi_agent::llama", "{line}");
}

/// Forgets earlier complaints: what comes belongs to the next call.
pub(super) fn clear_errors() {
    ERRORS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The first complaint since, without the C function's name in front.
pub(super) fn last_error() -> String {
    let errors = ERRORS.lock().unwrap_or_else(PoisonError::into_inner);
    let line = errors.first().map_or("no reason was given", String::as_str);
    let line = line.split_once(": ").map_or(
        line,
        |(function, rest)| {
            if function.contains(' ') { line } else { rest }
        },
    );
    line.to_owned()
}
