//! Ending by a signal: what a shell that waits for us has to see; being asked to hurry; which signals are
//! not for us; and the one that must not end us.
//!
//! A loop in a shell goes on after a program that *returned* 130, and stops after one that was *killed*
//! by SIGINT. So a run that was interrupted ends by raising the signal again with its default action.
#![cfg_attr(unix, expect(unsafe_code, reason = "setting a signal's action"))]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

// Signals come to the process, so these are of the process.
static IMPATIENT: AtomicBool = AtomicBool::new(false);
static IMPATIENCE: Notify = Notify::const_new();

/// Tells whoever gives something time to end, now or later, that there is none left.
pub fn hurry() {
    IMPATIENT.store(true, Ordering::SeqCst);
    IMPATIENCE.notify_waiters();
}

/// What begins now has its time again.
pub fn be_patient() {
    IMPATIENT.store(false, Ordering::SeqCst);
}

/// Returns once [`hurry`] was called, however long ago, and nothing else has begun since.
pub async fn hurried() {
    // Hears of every call from here on, also before it is polled.
    let notified = IMPATIENCE.notified();
    if !IMPATIENT.load(Ordering::SeqCst) {
        notified.await;
    }
}

/// From now on a write beyond `ulimit -f` is an error like that of a full disk, which is told and cleaned
/// up after, and not the end of this process. A handler, unlike ignoring it, is not handed on to children.
pub fn outlive_file_size_limit() {
    #[cfg(unix)]
    {
        extern "C" fn nothing(_signal: libc::c_int) {}
        // SAFETY: a handler that does nothing may interrupt anything.
        unsafe { libc::signal(libc::SIGXFSZ, nothing as *const () as libc::sighandler_t) };
    }
}

/// Whether whoever started us had this signal ignored, as `nohup` does with SIGHUP and a shell without job
/// control with the SIGINT of what it starts in the background. It stays ignored then.
#[cfg(unix)]
pub fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call writes the present one and changes nothing.
    let status = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: the call wrote it, as it says.
    status == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// From now on the signal does what it does to a program that knows nothing of it.
#[cfg(unix)]
pub fn restore_default(signal: i32) {
    // SAFETY: sets the default action; whatever handler stood here is not needed any more.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Ends this process with `status`, at once: nothing is flushed, and no other thread is waited for.
pub fn end_now(status: i32) -> ! {
    // SAFETY: ends the process, and runs nothing of ours or of a library's.
    #[cfg(unix)]
    unsafe {
        libc::_exit(status)
    }
    #[cfg(not(unix))]
    super::process::end_with(status)
}

/// Ends this process by SIGINT (2) or SIGTERM (15), after everything has been written. Where that cannot be
/// done the process ends with 128 plus the number.
pub fn raise_default(signal: i32) -> ! {
    #[cfg(unix)]
    if let Some(named) = rustix::process::Signal::from_named_raw(signal) {
        restore_default(signal);
        // Blocked or refused: the status below says the same.
        let _ = rustix::process::kill_process(rustix::process::getpid(), named);
        // The signal is delivered to some thread before long; this one has nothing else to do.
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    super::process::end_with(128 + signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A signal may come before there is anything to end.
    #[tokio::test]
    async fn who_begins_to_wait_after_the_call_is_told_too() {
        assert!(futures_util::FutureExt::now_or_never(hurried()).is_none());
        hurry();
        hurried().await;
        be_patient();
        let waiting = hurried();
        assert!(futures_util::FutureExt::now_or_never(waiting).is_none());
    }
}
