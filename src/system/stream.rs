//! Places for output that are no files: devices, pipes, and the standard streams by their names.
//!
//! Opening never waits: a pipe that nobody reads would hold the process for good.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens what `path` names for writing where that is no file; `None` where it is one, or nothing.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    if let Some(stream) = standard(path) {
        return stream.map(Some);
    }
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        return device(path).map(Some);
    }
    Ok(None)
}

/// Standard output and error under their names. Opened by name, a file behind them would be written
/// from its start again.
#[cfg(unix)]
fn standard(path: &Path) -> Option<io::Result<File>> {
    use std::os::fd::AsFd;
    let stream = match path.to_str()? {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => {
            io::stdout().as_fd().try_clone_to_owned()
        }
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => {
            io::stderr().as_fd().try_clone_to_owned()
        }
        _ => return None,
    };
    Some(stream.map(File::from))
}

#[cfg(not(unix))]
fn standard(_path: &Path) -> Option<io::Result<File>> {
    None
}

#[cfg(unix)]
fn device(path: &Path) -> io::Result<File> {
    use rustix::fs::Mode;
    use rustix::fs::OFlags;
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let stream = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        rustix::io::Errno::NXIO => io::Error::other("nobody reads it"),
        error => error.into(),
    })?;
    // Somebody reads; how fast is their business.
    let flags = rustix::fs::fcntl_getfl(&stream)?;
    rustix::fs::fcntl_setfl(&stream, flags - OFlags::NONBLOCK)?;
    Ok(File::from(stream))
}

#[cfg(not(unix))]
fn device(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}
