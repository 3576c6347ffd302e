//! This program's own file. The kernel's link names it; where no procfs is mounted, the name it was
//! executed under does, if the file there begins as the memory of this process does.
//!
//! That beginning holds the build's identifier: another program, or another build of this one, that
//! has been put in our place is never taken for us. Copies of one build are not told apart.

use std::io;
use std::path::Path;
use std::path::PathBuf;

/// What the kernel knows our file by, whatever became of its name.
#[cfg(target_os = "linux")]
const LINK: &str = "/proc/self/exe";

/// What helps whoever gets an error of this module.
pub const HINT: &str = "mount /proc, or start the program by its path";

/// Where this file is, as a person would name it.
///
/// # Errors
/// No procfs is mounted, and what the program was started as is not its file (any more).
pub fn path() -> io::Result<PathBuf> {
    #[cfg(target_os = "linux")]
    if !has_link() {
        return unlinked::path();
    }
    std::env::current_exe()
}

/// A path under which the very file that runs can be opened and started, also where it was replaced
/// or deleted since (not without procfs).
///
/// # Errors
/// As [`path`].
pub fn to_open() -> io::Result<PathBuf> {
    #[cfg(target_os = "linux")]
    if has_link() {
        return Ok(PathBuf::from(LINK));
    }
    path()
}

/// Has to be told before the process goes elsewhere: what it was executed as may be relative to here.
pub fn leaves(directory: &Path) {
    #[cfg(target_os = "linux")]
    unlinked::leaves(directory);
    #[cfg(not(target_os = "linux"))]
    let _ = directory;
}

#[cfg(target_os = "linux")]
fn has_link() -> bool {
    std::fs::symlink_metadata(LINK).is_ok()
}

/// Without procfs.
#[cfg(target_os = "linux")]
mod unlinked {
    use std::ffi::CStr;
    use std::ffi::OsStr;
    use std::fs::File;
    use std::io;
    use std::io::Read;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::path::PathBuf;
    use std::sync::OnceLock;

    /// Bytes that are compared; pages are at least as large everywhere.
    const PAGE: usize = 4096;

    static STARTED_IN: OnceLock<PathBuf> = OnceLock::new();

    pub(super) fn leaves(directory: &Path) {
        // Who goes on from there has been told of the first one.
        drop(STARTED_IN.set(directory.to_path_buf()));
    }

    pub(super) fn path() -> io::Result<PathBuf> {
        let executed = executed().unwrap_or_default();
        let called = std::env::args_os().next().filter(|name| name.as_bytes().contains(&b'/'));
        let start = STARTED_IN.get().cloned().or_else(|| std::env::current_dir().ok());
        let start = start.unwrap_or_default();
        let called = called.as_deref();
        first_own([executed].into_iter().chain(called).map(|name| start.join(name))).ok_or_else(
            || {
                let name = Path::new(executed).display();
                let reason =
                    format!("/proc is not mounted, and `{name}` is not the file that runs");
                io::Error::new(io::ErrorKind::NotFound, reason)
            },
        )
    }

    pub(super) fn first_own(mut candidates: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
        candidates.find(|path| is_own(path).unwrap_or(false))
    }

    fn is_own(path: &Path) -> io::Result<bool> {
        // Opening something else than a file may block.
        if !std::fs::metadata(path)?.is_file() {
            return Ok(false);
        }
        let mut beginning = [0; PAGE];
        File::open(path)?.read_exact(&mut beginning)?;
        Ok(image().is_some_and(|image| *image == beginning))
    }

    /// The path by which the kernel was asked to execute this file.
    fn executed() -> Option<&'static OsStr> {
        // SAFETY: looks a number up.
        let address = usize::try_from(unsafe { libc::getauxval(libc::AT_EXECFN) }).ok()?;
        let name = std::ptr::with_exposed_provenance::<libc::c_char>(address);
        // SAFETY: the kernel wrote a C string above the first stack, where nobody changes it.
        (address != 0).then(|| OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()))
    }

    /// The first page of this program as the kernel mapped it: the ELF header, the program headers,
    /// the build's identifier. `None` where the kernel does not say where it is.
    fn image() -> Option<&'static [u8; PAGE]> {
        // SAFETY: looks a number up.
        let headers = usize::try_from(unsafe { libc::getauxval(libc::AT_PHDR) }).ok()?;
        let start = std::ptr::with_exposed_provenance::<[u8; PAGE]>(headers & !(PAGE - 1));
        // SAFETY: the program headers lie in a page that the kernel mapped from our file, readable,
        // not writable, for as long as the process lives; pages are whole multiples of `PAGE`.
        (headers != 0).then(|| unsafe { &*start })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::PathBuf;

    use super::unlinked;

    #[test]
    fn the_file_that_runs_is_known_by_how_it_begins() {
        let ours = std::env::current_exe().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let named = directory.path().join("agi-agent");
        // The same header with another identifier: another build in our place.
        let mut other = std::fs::read(&ours).unwrap();
        other.truncate(8192);
        std::fs::write(directory.path().join("cut"), &other).unwrap();
        let build = other.windows(4).position(|four| four == b"GNU\0").unwrap();
        other[build + 48] ^= 1;
        std::fs::write(&named, &other).unwrap();
        let strangers = [
            named,
            PathBuf::from("/bin/sh"),
            PathBuf::from("/dev/zero"),
            directory.path().to_path_buf(),
            directory.path().join("none"),
        ];
        assert_eq!(unlinked::first_own(strangers.clone().into_iter()), None);
        let all = strangers.into_iter().chain([ours.clone()]);
        assert_eq!(unlinked::first_own(all), Some(ours));
        assert!(unlinked::first_own([directory.path().join("cut")].into_iter()).is_some());
    }

    #[test]
    fn the_name_of_the_start_leads_to_it() {
        let ours = std::env::current_exe().unwrap();
        assert_eq!(unlinked::path().unwrap().canonicalize().unwrap(), ours.canonicalize().unwrap());
    }
}
