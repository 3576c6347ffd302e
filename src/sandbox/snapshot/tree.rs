//! A writable directory as the snapshot sees and repairs it: by descriptors, no link ever followed.
//!
//! A command of another agent may run meanwhile and swap any name. Every path is walked from a descriptor
//! of the directory itself; what is swapped in makes a call fail, and leads nowhere. A directory whose
//! permissions keep its owner out is opened up for as long as it is worked on: a command can take the right
//! to read from what it has changed.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::RenameFlags;
use rustix::io::Errno;

use super::descriptors::DIRECTORY;
use super::descriptors::descend;
use super::descriptors::give_back;
use super::descriptors::look_at;
use super::descriptors::look_at_open;
use super::descriptors::permissions;
use super::descriptors::set_mode;
use super::looks::Found;
use super::looks::Kind;
use super::looks::Stamp;
use super::removal::remove_at;
use crate::system::listing::each_entry;

/// What the owner needs to look into a directory: to list it, and to get at what is in it.
const OPEN: u64 = 0o500;
/// And to change it.
const WRITABLE: u64 = 0o700;

/// A directory below which everything is looked at and repaired.
pub(super) struct Tree {
    base: PathBuf,
    directory: Directory,
    /// Directories that were opened up, in this order, and what they looked like before.
    opened_up: RefCell<Vec<(PathBuf, Stamp)>>,
}

/// A directory to look into. Its descriptor only stands for it, where the system has such.
pub(super) struct Directory(OwnedFd);

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Directory {
    /// What stands under a name, and how it looks.
    pub(super) fn find(&self, name: &OsStr) -> io::Result<Option<Found>> {
        match look_at(self, name) {
            Err(Errno::NOENT) => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    /// The names in it.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        self.entries(|_| true)
    }

    /// The directories in it, links left out.
    pub(super) fn directories(&self) -> io::Result<Vec<OsString>> {
        self.entries(|kind| kind == FileType::Directory)
    }

    fn entries(&self, wanted: impl Fn(FileType) -> bool) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        each_entry(self, |name, kind| {
            if wanted(kind) {
                names.push(OsStr::from_bytes(name.to_bytes()).to_os_string());
            }
            Ok(())
        })?;
        Ok(names)
    }

    /// A file to read.
    pub(super) fn file(&self, name: &OsStr) -> io::Result<File> {
        Ok(self.regular(name)?.0)
    }

    /// A file and its length.
    fn regular(&self, name: &OsStr) -> io::Result<(File, u64)> {
        // Whatever stands there by now: a FIFO does not block, and a device is not read.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::openat(self, name, flags | OFlags::CLOEXEC, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is no file any more"));
        }
        Ok((file.into(), u64::try_from(stat.st_size).unwrap_or(0)))
    }

    /// A file's contents; `None` if it is longer than `most` bytes.
    pub(super) fn read(&self, name: &OsStr, most: u64) -> io::Result<Option<Vec<u8>>> {
        let (file, size) = self.regular(name)?;
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(most)).unwrap_or(0) + 1);
        file.take(most + 1).read_to_end(&mut bytes)?;
        Ok(u64::try_from(bytes.len()).is_ok_and(|count| count <= most).then_some(bytes))
    }

    /// What a link holds.
    pub(super) fn target(&self, name: &OsStr) -> io::Result<PathBuf> {
        let target = rustix::fs::readlinkat(self, name, Vec::new())?;
        Ok(OsStr::from_bytes(target.to_bytes()).into())
    }

    fn open(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(self, name, DIRECTORY, Mode::empty())?))
    }

    /// How it looks itself.
    fn itself(&self) -> io::Result<Found> {
        Ok(look_at_open(self)?)
    }

    fn again(&self) -> io::Result<Self> {
        Ok(Self(rustix::io::fcntl_dupfd_cloexec(self, 0)?))
    }

    fn set_mode(&self, mode: u64) -> io::Result<()> {
        set_mode(self.as_fd(), mode)
    }
}

impl Tree {
    /// `base` is a real path that no command can replace by a link. `None`: no directory is there.
    pub(super) fn open(base: &Path) -> io::Result<Option<Self>> {
        let directory = match rustix::fs::open(base, DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            opened => Directory(opened?),
        };
        let tree = Self { base: base.to_path_buf(), directory, opened_up: RefCell::default() };
        tree.open_up(&tree.directory, base, OPEN)?;
        Ok(Some(tree))
    }

    /// What stands at a path, and how it looks.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<Found>> {
        match self.in_parent(path, Directory::find) {
            Err(error) if is_absent(&error) => Ok(None),
            found => found,
        }
    }

    /// The directory at a path; what lies on the way is opened up where it has to be.
    pub(super) fn directory(&self, path: &Path) -> io::Result<Directory> {
        let below = path.strip_prefix(&self.base).map_err(io::Error::other)?;
        match descend(self.directory.as_fd(), below) {
            Err(Errno::ACCESS) => self.walk(path, OPEN),
            opened => Ok(Directory(opened?)),
        }
    }

    /// A directory in another one, as it was found at `path`.
    pub(super) fn enter(
        &self,
        at: &Directory,
        path: &Path,
        found: &Found,
    ) -> io::Result<Directory> {
        let directory = at.open(path.file_name().unwrap_or_default())?;
        if is_closed(found.stamp, OPEN) {
            self.open_up(&directory, path, OPEN)?;
        }
        Ok(directory)
    }

    /// Removes whatever stands there, with everything in it.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.in_parent(path, |parent, name| remove_at(parent.as_fd(), name))
    }

    /// A new directory, for its owner alone until it gets its rights.
    pub(super) fn make_directory(&self, path: &Path) -> io::Result<()> {
        self.in_parent(path, |parent, name| {
            Ok(rustix::fs::mkdirat(parent, name, Mode::from_bits_truncate(0o700))?)
        })
    }

    /// A new file that `write` writes, with the owner and the permissions that it had; fails if the name is
    /// there.
    pub(super) fn write_new(
        &self,
        path: &Path,
        before: Stamp,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_bits_truncate(0o600);
        let mut file = self.in_parent(path, |parent, name| {
            let file = rustix::fs::openat(parent, name, flags | OFlags::CLOEXEC, mode)?;
            Ok(File::from(file))
        })?;
        write(&mut file)?;
        give_back(&file, before);
        Ok(rustix::fs::fchmod(&file, permissions(before.mode()))?)
    }

    pub(super) fn make_link(&self, path: &Path, target: &Path) -> io::Result<()> {
        self.in_parent(path, |parent, name| Ok(rustix::fs::symlinkat(target, parent, name)?))
    }

    /// Gives a directory the owner and the permissions that it had. The right to read it is not needed.
    pub(super) fn set_rights(&self, path: &Path, before: Stamp) -> io::Result<()> {
        let directory = self.in_parent(path, Directory::open)?;
        self.opened_up.borrow_mut().retain(|(opened, _)| opened != path);
        let now = directory.itself()?.stamp;
        if now.rights() == before.rights() {
            return Ok(());
        }
        give_back(&directory, before);
        directory.set_mode(before.mode())
    }

    /// Puts what stands at `from` to `to`; what stood there, if anything, gets its old name.
    pub(super) fn exchange<'a>(&self, from: &'a Path, to: &'a Path) -> io::Result<()> {
        let parent = |path: &Path| self.walk(path.parent().unwrap_or(path), WRITABLE);
        let (from_parent, to_parent) = (parent(from)?, parent(to)?);
        let name = |path: &'a Path| path.file_name().unwrap_or_default();
        let (from_name, to_name) = (name(from), name(to));
        let rename =
            |flags| rustix::fs::renameat_with(&from_parent, from_name, &to_parent, to_name, flags);
        let attempt = || match rename(RenameFlags::EXCHANGE) {
            Err(Errno::NOENT) => rename(RenameFlags::NOREPLACE),
            result => result,
        };
        match attempt() {
            Err(Errno::ACCESS) => {}
            result => return Ok(result?),
        }
        // To move a directory its own `..` has to be written.
        for path in [from, to] {
            if self.find(path)?.is_some_and(|found| found.kind == Kind::Directory) {
                self.walk(path, WRITABLE)?;
            }
        }
        Ok(attempt()?)
    }

    /// Gives the directories that were opened up the permissions that they had.
    pub(super) fn close_again(&self) -> io::Result<()> {
        let mut result = Ok(());
        loop {
            // Deepest first; nothing is borrowed while a directory on the way is opened up once more.
            let Some((path, before)) = self.opened_up.borrow_mut().pop() else { return result };
            let closed = self.itself_at(&path).and_then(|directory| {
                let is_it = directory.itself()?.stamp.is_of_same_object(before);
                if is_it { directory.set_mode(before.mode()) } else { Ok(()) }
            });
            if let Err(error) = closed
                && !is_absent(&error)
            {
                result = Err(error);
            }
        }
    }

    fn itself_at(&self, path: &Path) -> io::Result<Directory> {
        if path == self.base {
            self.directory.again()
        } else {
            self.in_parent(path, Directory::open)
        }
    }

    /// Does something in the directory that holds `path`, with the last name. Where permissions are in the
    /// way they are put out of it.
    fn in_parent<T>(
        &self,
        path: &Path,
        work: impl Fn(&Directory, &OsStr) -> io::Result<T>,
    ) -> io::Result<T> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::from(Errno::INVAL));
        };
        match self.directory(parent).and_then(|parent| work(&parent, name)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                work(&self.walk(parent, WRITABLE)?, name)
            }
            result => result,
        }
    }

    /// The directory at a path, one name at a time: each directory of ours on the way has at least these
    /// permissions afterwards.
    pub(super) fn walk(&self, path: &Path, wanted: u64) -> io::Result<Directory> {
        let below = path.strip_prefix(&self.base).map_err(io::Error::other)?;
        let mut at = self.base.clone();
        let mut directory = self.directory.again()?;
        self.open_up(&directory, &at, wanted)?;
        for name in below.components() {
            at.push(name);
            directory = directory.open(name.as_os_str())?;
            self.open_up(&directory, &at, wanted)?;
        }
        Ok(directory)
    }

    /// Somebody else's directory stays as it is: whoever cannot look into it cannot change it either.
    fn open_up(&self, directory: &Directory, path: &Path, wanted: u64) -> io::Result<()> {
        let now = directory.itself()?.stamp;
        if is_closed(now, wanted) {
            directory.set_mode(now.mode() | wanted)?;
            self.opened_up.borrow_mut().push((path.to_path_buf(), now));
        }
        Ok(())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Err(error) = self.close_again() {
            tracing::warn!(
                %error, base = %self.base.display(),
                "a directory that was opened up keeps the right to be read"
            );
        }
    }
}

/// Whether it is a directory of ours that permissions keep us out of.
fn is_closed(stamp: Stamp, wanted: u64) -> bool {
    let [mode, owner, _] = stamp.rights();
    mode & wanted != wanted && owner == u64::from(rustix::process::geteuid().as_raw())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
