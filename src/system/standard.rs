//! Whether standard output was open when the process began.
//!
//! Rust's runtime opens `/dev/null` in the place of a standard stream that is closed, so that no file
//! opened later gets its number. What is written there afterwards is lost without an error, and a run
//! would end 0 although nobody has its answer. So this looks before the runtime does.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "runs before main"))]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// Written once, before there is a second thread.
static OUTPUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// True where whoever started us closed standard output (`>&-`). Known on Linux only.
pub fn output_was_closed() -> bool {
    OUTPUT_WAS_CLOSED.load(Ordering::Relaxed)
}

#[cfg(target_os = "linux")]
extern "C" fn look() {
    // SAFETY: asks for the flags of a number; one that is not open is an error and nothing else.
    let closed = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1;
    OUTPUT_WAS_CLOSED.store(closed, Ordering::Relaxed);
}

// SAFETY: the loader calls what stands in this section once, before `main`, as a C function; `look`
// needs nothing of Rust's runtime.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;
