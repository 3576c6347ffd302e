//! Who runs this process.

/// The effective user id; `None` where the system has none.
#[cfg(unix)]
pub fn effective_id() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// The effective user id; `None` where the system has none.
#[cfg(not(unix))]
pub fn effective_id() -> Option<u32> {
    None
}
