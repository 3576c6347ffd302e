//! Replaces a file: a temporary one beside it, written, synced, and renamed if what has the name still
//! is what it is expected to be. Where that is has been decided before.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use rustix::fs::AtFlags;
use rustix::fs::FlockOperation;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::fs::Uid;
use rustix::io::Errno;

use super::Directory;
use super::Pinned;
use super::TEMPORARY_PREFIX;
use super::TEMPORARY_SUFFIX;
use crate::system::opener::version::Expected;
use crate::system::opener::version::Version;

/// What a file is to become.
pub(in crate::system::opener) struct New<'a> {
    pub(in crate::system::opener) contents: &'a [u8],
    pub(in crate::system::opener) mode: Option<u32>,
}

/// See [`crate::system::opener::Opener::replace_if`]. `Ok(false)`: it is not as expected, and nothing was changed.
pub(in crate::system::opener) fn replace(
    directory: &Directory,
    name: &OsStr,
    old: Option<&Pinned>,
    expected: &Expected,
    new: &New<'_>,
) -> io::Result<bool> {
    // A new file gets what the umask gives; a replacement is private until it has the old one's mode.
    let first_mode = if old.is_none() && new.mode.is_none() { 0o666 } else { 0o600 };
    let (fd, temporary) = create_temporary(directory, Mode::from_raw_mode(first_mode))?;
    let named = write_temporary(File::from(fd), old, new)
        .and_then(|()| give_name(directory, &temporary, name, expected));
    if !matches!(named, Ok(true)) {
        // What went wrong first is what matters; a name that cannot be removed now is swept later.
        let _ = rustix::fs::unlinkat(directory, temporary.as_str(), AtFlags::empty());
        return named;
    }
    crate::system::durable::sync(directory)?;
    Ok(true)
}

/// Renames, if what has the name is what is expected to have it.
fn give_name(
    directory: &Directory,
    temporary: &str,
    name: &OsStr,
    expected: &Expected,
) -> io::Result<bool> {
    match expected {
        Expected::Anything => {}
        Expected::Absent => match rename_to_new(directory, temporary, name) {
            Err(Errno::EXIST) => return Ok(false),
            // An old kernel or a file system that cannot.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                if rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                    return Ok(false);
                }
            }
            renamed => return Ok(renamed.map(|()| true)?),
        },
        Expected::Version(version) => {
            match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(now) if Version::of_stat(&now) == *version => {}
                Ok(_) | Err(Errno::NOENT) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
    rustix::fs::renameat(directory, temporary, directory, name)?;
    Ok(true)
}

/// Renames in one step to a name that nothing has.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_to_new(directory: &Directory, from: &str, to: &OsStr) -> Result<(), Errno> {
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    rustix::fs::renameat_with(directory, from, directory, to, flags)
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_to_new(_directory: &Directory, _from: &str, _to: &OsStr) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// A name can be taken although the process id is ours: in a container every agent is process 1, and
/// one that was killed leaves its file behind.
fn create_temporary(directory: &Directory, mode: Mode) -> io::Result<(OwnedFd, String)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{TEMPORARY_PREFIX}{}-{count}{TEMPORARY_SUFFIX}", std::process::id());
        match rustix::fs::openat(directory, name.as_str(), flags, mode) {
            Err(Errno::EXIST) => {}
            opened => {
                let opened = opened?;
                // Where it cannot be had, `sweep` goes by age.
                let _ = rustix::fs::flock(&opened, FlockOperation::NonBlockingLockShared);
                return Ok((opened, name));
            }
        }
    }
}

fn write_temporary(mut file: File, old: Option<&Pinned>, new: &New<'_>) -> io::Result<()> {
    file.write_all(new.contents)?;
    if let Some(old) = old {
        keep_owner(&file, &old.stat);
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "twelve bits fit into every platform's type"
    )]
    let bits = |mode: u32| Mode::from_bits_truncate((mode & 0o7777) as rustix::fs::RawMode);
    let wanted = new.mode.map(bits).or_else(|| {
        // Never carried over: set-user-id and set-group-id, as the kernel drops them on a write.
        old.map(|old| Mode::from_raw_mode(old.stat.st_mode) & Mode::from_bits_truncate(0o1777))
    });
    if let Some(wanted) = wanted {
        rustix::fs::fchmod(&file, wanted)?;
    }
    file.sync_all()
}

/// A rename gives a new inode; its owner and group stay those of the old one where that is allowed.
fn keep_owner(file: &File, old: &Stat) {
    let Ok(new) = rustix::fs::fstat(file) else {
        return;
    };
    let (uid, gid) = (Uid::from_raw(old.st_uid), Gid::from_raw(old.st_gid));
    if (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid) {
        return;
    }
    if rustix::fs::fchown(file, Some(uid), Some(gid)).is_err() {
        // Not root: at least the group, so that a shared tree stays shared. Failing that the file is
        // ours, as after any editor's save by rename.
        let _ = rustix::fs::fchown(file, None, Some(gid));
    }
}
