//! Brings the program's writable data into memory in one call, instead of two faults for each page.
//!
//! A page of a program's data that is read first and written later is mapped, then copied, and where
//! several threads run, each copy interrupts the other processors. CPython does that with its types and
//! its runtime: a hundred pages, 5 % of the processor time of a plain run. Only for those about to start
//! it, since nobody else touches most of them, and before its thread is there, for the interrupts. Changes
//! nothing that could be seen.
#![cfg_attr(all(target_os = "linux", target_env = "gnu"), expect(unsafe_code, reason = "madvise"))]

/// Fills the program's own initialised data. Kernels before 5.14 do not know how; nothing is lost there.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn fill_own_data() {
    use rustix::mm::Advice;

    unsafe extern "C" {
        // The linker's names of the two ends. Never read: their addresses are what counts.
        static __data_start: u8;
        static _edata: u8;
    }
    let begin = &raw const __data_start;
    // Not rustix's: it looks at the vDSO as well, which is elsewhere where valgrind runs us.
    // SAFETY: looks a number up.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let into_page = begin.addr() % page;
    let start = begin.wrapping_sub(into_page).cast_mut();
    let length = (&raw const _edata).addr().saturating_sub(start.addr());
    // SAFETY: the range is the program's data segment, which stays mapped as long as the program runs;
    // a page that is brought in has the contents it would have at its first use.
    let _ = unsafe { rustix::mm::madvise(start.cast(), length, Advice::LinuxPopulateWrite) };
}

/// Other systems bring in what is used.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn fill_own_data() {}
