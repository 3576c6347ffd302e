//! Pinning and opening on Unix (replacing is in `replacing`): always relative to a pinned directory or by a real path
//! that is walked without following links.

mod replacing;

use std::ffi::OsStr;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Component;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::FlockOperation;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::io::Errno;

use super::Entry;
use super::EntryKind;
use super::error::OpenError;
use crate::system::listing::each_entry;

pub(super) use replacing::New;
pub(super) use replacing::replace;

/// Entries looked at when left-over temporary files are swept.
const SWEEP_ENTRIES: usize = 10_000;
/// A temporary file is left over when it is older than this (seconds) and its writer is gone.
const SWEEP_AGE: i64 = 600;
const TEMPORARY_PREFIX: &str = ".agi-agent-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// An object of the file system that was looked at without being opened.
#[derive(Debug)]
pub(super) struct Pinned {
    /// `O_PATH`; only Linux has it, elsewhere the object is compared again after opening.
    #[cfg(target_os = "linux")]
    fd: OwnedFd,
    stat: Stat,
}

/// An open directory.
pub(super) type Directory = OwnedFd;

#[expect(clippy::unnecessary_wraps, reason = "Windows has none")]
pub(super) fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    Some((metadata.dev(), metadata.ino()))
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    reason = "the types of these fields differ by platform"
)]
fn identity_of(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

impl Pinned {
    #[expect(clippy::unnecessary_wraps, reason = "Windows has none")]
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        Some(identity_of(&self.stat))
    }

    pub(super) fn must_be_file(&self, path: &Path) -> Result<(), OpenError> {
        let kind = match self.kind() {
            FileType::RegularFile => return Ok(()),
            FileType::Directory => "a directory",
            FileType::Fifo => "a FIFO",
            FileType::Socket => "a socket",
            FileType::Symlink => "a symbolic link",
            _ => "a device",
        };
        Err(OpenError::NotAFile { path: path.to_path_buf(), kind })
    }

    pub(super) fn must_be_directory(&self, path: &Path) -> Result<(), OpenError> {
        match self.kind() {
            FileType::Directory => Ok(()),
            _ => Err(OpenError::NotAFile { path: path.to_path_buf(), kind: "not a directory" }),
        }
    }

    pub(super) fn must_have_one_name(&self, path: &Path) -> Result<(), OpenError> {
        if self.stat.st_nlink <= 1 {
            return Ok(());
        }
        let source = io::Error::other(format!(
            "it has {} hard links, and another of its names may be outside of what may be written",
            self.stat.st_nlink
        ));
        Err(OpenError::io(path, source))
    }

    /// Of a directory none: there the count is of something else.
    #[allow(clippy::useless_conversion, reason = "the type of the field differs by platform")]
    pub(super) fn other_names(&self) -> u64 {
        match self.kind() {
            FileType::RegularFile => u64::from(self.stat.st_nlink).saturating_sub(1),
            _ => 0,
        }
    }

    fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }
}

/// Opens a real path without following any link in it.
#[cfg(target_os = "linux")]
fn open_real(real: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(rustix::fs::CWD, real, flags, Mode::empty(), resolve) {
        // Before Linux 5.6, or hidden by a container's filter.
        Err(Errno::NOSYS | Errno::PERM) => open_and_verify(real, flags),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_real(real: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    open_and_verify(real, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW)
}

/// Opens by path, then makes sure that the path still is a real one and leads to what was opened.
fn open_and_verify(real: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let fd = rustix::fs::open(real, flags, Mode::empty())?;
    let opened = rustix::fs::fstat(&fd)?;
    let now = rustix::fs::lstat(real)?;
    if std::fs::canonicalize(real)? != real || identity_of(&opened) != identity_of(&now) {
        return Err(io::Error::from(Errno::LOOP));
    }
    Ok(fd)
}

#[cfg(target_os = "linux")]
pub(super) fn pin(real: &Path) -> io::Result<Pinned> {
    let fd = open_real(real, OFlags::PATH)?;
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        return Err(io::Error::from(Errno::LOOP));
    }
    Ok(Pinned { fd, stat })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn pin(real: &Path) -> io::Result<Pinned> {
    let stat = rustix::fs::lstat(real)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
        || std::fs::canonicalize(real)? != real
    {
        return Err(io::Error::from(Errno::LOOP));
    }
    Ok(Pinned { stat })
}

/// Opens the pinned object itself.
#[cfg(target_os = "linux")]
pub(super) fn open_read(
    object: &Pinned,
    real: &Path,
    is_protected: impl Fn((u64, u64)) -> bool,
) -> io::Result<File> {
    use std::os::fd::AsRawFd as _;
    let link = format!("/proc/self/fd/{}", object.fd.as_raw_fd());
    match rustix::fs::open(
        link.as_str(),
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY,
        Mode::empty(),
    ) {
        // No procfs (an empty chroot): by path, and compared.
        Err(Errno::NOENT | Errno::NOTDIR) => open_and_compare(object, real, is_protected),
        other => Ok(File::from(other?)),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open_read(
    object: &Pinned,
    real: &Path,
    is_protected: impl Fn((u64, u64)) -> bool,
) -> io::Result<File> {
    open_and_compare(object, real, is_protected)
}

fn open_and_compare(
    object: &Pinned,
    real: &Path,
    is_protected: impl Fn((u64, u64)) -> bool,
) -> io::Result<File> {
    let fd = open_real(real, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    let identity = identity_of(&rustix::fs::fstat(&fd)?);
    if identity == identity_of(&object.stat) {
        return Ok(File::from(fd));
    }
    if is_protected(identity) {
        // Somebody put the database here between check and opening. To close it would cancel SQLite's
        // locks, so this descriptor stays open for good.
        std::mem::forget(fd);
    }
    Err(io::Error::other("it was replaced while it was being opened"))
}

pub(super) fn open_directory(real: &Path) -> io::Result<Directory> {
    open_real(real, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Whether this process may create files in a directory; `faccessat` knows of read-only mounts too.
pub(super) fn takes_names(directory: &Directory) -> io::Result<()> {
    let wanted = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    Ok(rustix::fs::accessat(directory, ".", wanted, AtFlags::EACCESS)?)
}

pub(super) fn entries(directory: &Directory, real: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    each_entry(directory, |name, kind| {
        let kind = match kind {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Directory,
            FileType::Symlink => EntryKind::Symlink,
            _ => EntryKind::Other,
        };
        let name = OsStr::from_bytes(name.to_bytes());
        entries.push(Entry { name: name.to_os_string(), path: real.join(name), kind });
        Ok(())
    })?;
    Ok(entries)
}

pub(super) fn create_directories(real: &Path) -> io::Result<()> {
    let mut directory = open_real(Path::new("/"), OFlags::RDONLY | OFlags::DIRECTORY)?;
    // From the deepest directory that exists, so that parents need not be readable.
    let mut made = Path::new("/");
    for ancestor in real.ancestors().skip(1) {
        if let Ok(found) = open_directory(ancestor) {
            directory = found;
            made = ancestor;
            break;
        }
    }
    let rest = real.strip_prefix(made).map_err(io::Error::other)?;
    for part in rest.components() {
        let Component::Normal(name) = part else {
            return Err(io::Error::from(Errno::INVAL));
        };
        match rustix::fs::mkdirat(&directory, name, Mode::from_bits_truncate(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        directory = rustix::fs::openat(&directory, name, flags, Mode::empty())?;
    }
    Ok(())
}

/// Removes an entry that is no directory. `Ok(false)`: it is a protected inode.
pub(super) fn remove_file(
    directory: &Directory,
    _real: &Path,
    name: &OsStr,
    is_protected: impl Fn((u64, u64)) -> bool,
) -> io::Result<bool> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if is_protected(identity_of(&stat)) {
        return Ok(false);
    }
    rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
    Ok(true)
}

/// Removes temporary files of agents that were killed while writing here. Failures are ignored: the
/// next write into this directory tries again.
pub(super) fn sweep(directory: &Directory) {
    let Ok(dir) = rustix::fs::Dir::read_from(directory) else {
        return;
    };
    for entry in dir.take(SWEEP_ENTRIES).flatten() {
        let name = entry.file_name();
        if writer_of_temporary(name.to_bytes()).is_some_and(|pid| !is_alive(pid))
            && is_old(directory, name)
            && !is_held(directory, name)
        {
            let _ = rustix::fs::unlinkat(directory, name, AtFlags::empty());
        }
    }
}

fn writer_of_temporary(name: &[u8]) -> Option<i32> {
    let name = std::str::from_utf8(name).ok()?;
    let middle = name.strip_prefix(TEMPORARY_PREFIX)?.strip_suffix(TEMPORARY_SUFFIX)?;
    let (pid, count) = middle.split_once('-')?;
    count.parse::<u64>().ok()?;
    pid.parse().ok()
}

fn is_alive(pid: i32) -> bool {
    match rustix::process::Pid::from_raw(pid) {
        Some(pid) => rustix::process::test_kill_process(pid) != Err(Errno::SRCH),
        None => false,
    }
}

/// Whether somebody is writing to it: then it is no left-over, however far the clock has jumped.
fn is_held(directory: &Directory, name: &std::ffi::CStr) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(directory, name, flags, Mode::empty()) else { return true };
    let exclusive = FlockOperation::NonBlockingLockExclusive;
    rustix::fs::flock(file, exclusive) == Err(Errno::WOULDBLOCK)
}

/// A writer may live in another process namespace, where its id says nothing: age decides too.
fn is_old(directory: &Directory, name: &std::ffi::CStr) -> bool {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec;
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| now.saturating_sub(stat.st_mtime) > SWEEP_AGE)
}
