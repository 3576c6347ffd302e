//! Keeps name look-ups of the static binary inside the binary.
//!
//! glibc reads `/etc/nsswitch.conf` and loads a shared module for each service named there; in a
//! static program that would bring a second, foreign libc into the process, which crashes or worse.
//! `files` and `dns` are built in, so the static binary is held to those. A dynamic binary keeps
//! the machine's own configuration.

#![cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "glibc's switch for look-ups has no safe form")
)]

/// Call this before the first look-up of a host or user; further calls cost nothing.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn pin() {
    use std::ffi::CStr;
    use std::ffi::c_char;
    use std::ffi::c_int;
    use std::sync::Once;

    unsafe extern "C" {
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }
    const SERVICES: [(&CStr, &CStr); 6] = [
        (c"hosts", c"files dns"),
        (c"networks", c"files"),
        (c"services", c"files"),
        (c"protocols", c"files"),
        (c"passwd", c"files"),
        (c"group", c"files"),
    ];
    static PINNED: Once = Once::new();
    PINNED.call_once(|| {
        // SAFETY: reads a number that the kernel put next to the environment; no memory is touched.
        let interpreter = unsafe { libc::getauxval(libc::AT_BASE) };
        if interpreter != 0 {
            return;
        }
        for (database, services) in SERVICES {
            // SAFETY: both are NUL-terminated and static, and glibc copies them. It takes its own
            // lock against look-ups of other threads.
            let failed = unsafe { __nss_configure_lookup(database.as_ptr(), services.as_ptr()) };
            if failed != 0 {
                tracing::warn!(
                    ?database,
                    "name look-ups could not be held to the built-in services"
                );
            }
        }
    });
}

/// Other systems resolve names by the system's own library.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn pin() {}
