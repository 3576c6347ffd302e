//! Who runs this process, and what the system lets them write.

use std::io;
use std::path::Path;

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

/// Whether this user may write a file, or make something in a directory; also where the file system
/// itself is read-only. Changes nothing.
#[cfg(unix)]
pub fn may_write(path: &Path) -> io::Result<()> {
    use rustix::fs::Access;
    use rustix::fs::AtFlags;
    let search = if path.is_dir() { Access::EXEC_OK } else { Access::empty() };
    let wanted = Access::WRITE_OK | search;
    Ok(rustix::fs::accessat(rustix::fs::CWD, path, wanted, AtFlags::EACCESS)?)
}

/// Known by trying only.
#[cfg(not(unix))]
pub fn may_write(path: &Path) -> io::Result<()> {
    path.metadata().map(drop)
}
