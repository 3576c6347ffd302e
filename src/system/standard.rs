//! The standard streams as files: whether standard output was open when the process began, and places
//! for output that are named like files and are none.
//!
//! Rust's runtime opens `/dev/null` in the place of a standard stream that is closed, so that no file
//! opened later gets its number. What is written there afterwards is lost without an error, and a run
//! would end 0 although nobody has its answer. So this looks before the runtime does.
//!
//! Opening never waits: a pipe that nobody reads would hold the process for good.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "runs before main"))]

use std::fs::File;
use std::io;
use std::path::Path;
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
