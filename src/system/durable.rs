//! Makes a new name durable: a renamed file is there after a power failure once its directory is
//! synced.
//!
//! Some file systems (FUSE, network, the kernel's own) cannot sync a directory and say so; that is no
//! failure of the write. A disk that fails is.

use std::io;
use std::path::Path;

/// Syncs the directory that a file was given its name in.
#[cfg(unix)]
pub fn sync_parent(file: &Path) -> io::Result<()> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    match std::fs::File::open(parent.unwrap_or(Path::new("."))) {
        Ok(directory) => sync(&directory),
        // It may be written and entered, but not read.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Elsewhere a rename is as durable as it gets.
#[cfg(not(unix))]
pub fn sync_parent(_file: &Path) -> io::Result<()> {
    Ok(())
}

/// Syncs an open directory.
#[cfg(unix)]
pub(super) fn sync(directory: impl std::os::fd::AsFd) -> io::Result<()> {
    judged(rustix::fs::fsync(directory))
}

#[cfg(unix)]
fn judged(synced: Result<(), rustix::io::Errno>) -> io::Result<()> {
    use rustix::io::Errno;

    // Two of them are one on Linux.
    const UNABLE: [Errno; 5] =
        [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::BADF];
    match synced {
        Err(error) if UNABLE.contains(&error) => Ok(()),
        synced => Ok(synced?),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn what_cannot_be_synced_is_told_from_what_fails() {
        for unable in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP] {
            assert!(judged(Err(unable)).is_ok(), "{unable}");
        }
        for fails in [Errno::IO, Errno::NOSPC, Errno::ROFS] {
            assert!(judged(Err(fails)).is_err(), "{fails}");
        }
        assert!(sync_parent(Path::new("/no/such/directory/file")).is_err());
    }

    /// The kernel's own file systems answer as some of FUSE do.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_without_directory_sync_is_no_failure() {
        let proc = std::fs::File::open("/proc").unwrap();
        assert_eq!(rustix::fs::fsync(&proc), Err(Errno::INVAL));
        assert!(sync_parent(Path::new("/proc/file")).is_ok());
    }
}
