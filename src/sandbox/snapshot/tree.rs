//! A writable directory as the snapshot sees and repairs it: by descriptors, no link ever followed.
//!
//! A command of another agent may run meanwhile and swap any name. Each path is walked from a descriptor
//! of the directory itself, one name at a time; what is swapped in makes a call fail, and leads nowhere.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::RawMode;
use rustix::fs::RenameFlags;
use rustix::fs::Stat;
use rustix::io::Errno;

/// A directory below which everything is looked at and repaired.
pub(super) struct Tree {
    base: PathBuf,
    directory: OwnedFd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
    Link,
    Other,
}

/// Changes with every change of contents, mode or name; an ordinary process cannot set the last fields:
/// device, inode, mode, bytes, and the time of the last change in seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(pub(super) [u64; 6]);

/// Which directory it is, for ever: device, inode, and when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Birth(pub(super) [u64; 4]);

impl Stamp {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::cast_lossless,
        reason = "the types of these fields differ by platform; only equality matters"
    )]
    fn of(stat: &Stat) -> Self {
        Self([
            stat.st_dev as u64,
            stat.st_ino as u64,
            stat.st_mode as u64,
            stat.st_size as u64,
            stat.st_ctime as u64,
            stat.st_ctime_nsec as u64,
        ])
    }

    pub(super) fn mode(self) -> u64 {
        self.0[2]
    }
}

impl Tree {
    /// `base` is a real path that no command can replace by a link.
    pub(super) fn open(base: &Path) -> io::Result<Self> {
        let directory = rustix::fs::open(base, DIRECTORY, Mode::empty())?;
        Ok(Self { base: base.to_path_buf(), directory })
    }

    /// What stands there, and how it looks.
    pub(super) fn find(&self, path: &Path) -> Option<(Kind, Stamp)> {
        let (parent, name) = self.parent(path).ok()?;
        let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Directory,
            FileType::RegularFile => Kind::File,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        };
        Some((kind, Stamp::of(&stat)))
    }

    /// `None` where there is no directory, or the file system does not say when it was made.
    #[cfg(target_os = "linux")]
    pub(super) fn birth(&self, path: &Path) -> Option<Birth> {
        use rustix::fs::StatxFlags;
        let (parent, name) = self.parent(path).ok()?;
        let wanted = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::BTIME;
        let found = rustix::fs::statx(&parent, name, AtFlags::SYMLINK_NOFOLLOW, wanted).ok()?;
        let has_birth = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
        let is_directory =
            FileType::from_raw_mode(RawMode::from(found.stx_mode)) == FileType::Directory;
        let device = (u64::from(found.stx_dev_major) << 32) | u64::from(found.stx_dev_minor);
        let born = found.stx_btime;
        (has_birth && is_directory).then(|| {
            Birth([device, found.stx_ino, born.tv_sec.cast_unsigned(), u64::from(born.tv_nsec)])
        })
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "Linux looks")]
    pub(super) fn birth(&self, _path: &Path) -> Option<Birth> {
        None
    }

    /// A file's contents; `None` if it is longer than `most` bytes.
    pub(super) fn read(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        let (parent, name) = self.parent(path)?;
        // Whatever stands there by now: a FIFO does not block, and a device is not read.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::openat(&parent, name, flags | OFlags::CLOEXEC, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is no file any more"));
        }
        let mut bytes = Vec::new();
        std::fs::File::from(file).take(most + 1).read_to_end(&mut bytes)?;
        Ok(u64::try_from(bytes.len()).is_ok_and(|count| count <= most).then_some(bytes))
    }

    pub(super) fn target(&self, path: &Path) -> io::Result<PathBuf> {
        let (parent, name) = self.parent(path)?;
        let target = rustix::fs::readlinkat(&parent, name, Vec::new())?;
        Ok(OsStr::from_bytes(target.to_bytes()).into())
    }

    /// The names in a directory; none where there is none.
    pub(super) fn names(&self, path: &Path) -> Vec<OsString> {
        self.entries(path, |_| true)
    }

    /// The directories in a directory, links left out.
    pub(super) fn directories(&self, path: &Path) -> Vec<OsString> {
        self.entries(path, |kind| kind == FileType::Directory)
    }

    fn entries(&self, path: &Path, wanted: impl Fn(FileType) -> bool) -> Vec<OsString> {
        let Ok(directory) = self.directory(path) else { return Vec::new() };
        names_in(&directory, wanted).unwrap_or_default()
    }

    /// Removes whatever stands there, with everything in it.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        remove_at(&parent, name)
    }

    pub(super) fn make_directory(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        Ok(rustix::fs::mkdirat(&parent, name, Mode::from_bits_truncate(0o777))?)
    }

    /// A new file; fails if the name is there.
    pub(super) fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_bits_truncate(0o600);
        let file = rustix::fs::openat(&parent, name, flags | OFlags::CLOEXEC, mode)?;
        std::fs::File::from(file).write_all(bytes)
    }

    pub(super) fn make_link(&self, path: &Path, target: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        Ok(rustix::fs::symlinkat(target, &parent, name)?)
    }

    /// Gives a file or directory the permissions that it had.
    pub(super) fn set_mode(&self, path: &Path, stamp: Stamp) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let found = rustix::fs::openat(&parent, name, flags, Mode::empty())?;
        let bits = RawMode::try_from(stamp.mode() & 0o7777).map_err(io::Error::other)?;
        Ok(rustix::fs::fchmod(&found, Mode::from_raw_mode(bits))?)
    }

    /// Puts what stands at `from` to `to`; what stood there, if anything, gets its old name.
    pub(super) fn exchange(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, from_name) = self.parent(from)?;
        let (to, to_name) = self.parent(to)?;
        let rename = |flags| rustix::fs::renameat_with(&from, from_name, &to, to_name, flags);
        match rename(RenameFlags::EXCHANGE) {
            Err(Errno::NOENT) => Ok(rename(RenameFlags::NOREPLACE)?),
            result => Ok(result?),
        }
    }

    /// The directory that holds `path`, and the last name.
    fn parent<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a OsStr)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::from(Errno::INVAL));
        };
        Ok((self.directory(parent)?, name))
    }

    fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        let below = path.strip_prefix(&self.base).map_err(io::Error::other)?;
        let mut directory: Option<OwnedFd> = None;
        for name in below.components() {
            let at = directory.as_ref().unwrap_or(&self.directory);
            directory = Some(rustix::fs::openat(at, name.as_os_str(), DIRECTORY, Mode::empty())?);
        }
        match directory {
            Some(directory) => Ok(directory),
            None => Ok(rustix::io::fcntl_dupfd_cloexec(&self.directory, 0)?),
        }
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn names_in(directory: &OwnedFd, wanted: impl Fn(FileType) -> bool) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        if wanted(kind) {
            names.push(OsStr::from_bytes(name.to_bytes()).to_os_string());
        }
    }
    Ok(names)
}

fn remove_at(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let directory = match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        // A directory: Linux says so, POSIX says that it is not permitted.
        Err(Errno::ISDIR | Errno::PERM) => {
            rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())?
        }
        result => return Ok(result?),
    };
    for name in names_in(&directory, |_| true)? {
        remove_at(&directory, &name)?;
    }
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}
