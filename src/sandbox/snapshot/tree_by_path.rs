//! A writable directory as the snapshot sees and repairs it, where there are no descriptors to walk by.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

/// A directory below which everything is looked at and repaired.
pub(super) struct Tree;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
    Link,
    Other,
}

/// Length and time of the last change of the contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(u64, Option<SystemTime>);

/// Nothing here says which directory one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Birth {}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.len(), metadata.modified().ok())
    }

    #[expect(clippy::unused_self, reason = "there are no permission bits here")]
    pub(super) fn mode(self) -> u64 {
        0
    }
}

#[expect(clippy::unused_self, reason = "the other form of this has a descriptor")]
impl Tree {
    pub(super) fn open(base: &Path) -> io::Result<Self> {
        std::fs::metadata(base).map(|_| Self)
    }

    /// What stands there, and how it looks.
    pub(super) fn find(&self, path: &Path) -> Option<(Kind, Stamp)> {
        let found = std::fs::symlink_metadata(path).ok()?;
        let kind = match found.file_type() {
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_symlink() => Kind::Link,
            kind if kind.is_file() => Kind::File,
            _ => Kind::Other,
        };
        Some((kind, Stamp::of(&found)))
    }

    pub(super) fn birth(&self, _path: &Path) -> Option<Birth> {
        None
    }

    /// A file's contents; `None` if it is longer than `most` bytes.
    pub(super) fn read(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
        Ok(u64::try_from(bytes.len()).is_ok_and(|count| count <= most).then_some(bytes))
    }

    pub(super) fn target(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::read_link(path)
    }

    /// The names in a directory; none where there is none.
    pub(super) fn names(&self, path: &Path) -> Vec<OsString> {
        self.entries(path, |_| true)
    }

    /// The directories in a directory, links left out.
    pub(super) fn directories(&self, path: &Path) -> Vec<OsString> {
        self.entries(path, |kind| kind == Kind::Directory)
    }

    fn entries(&self, path: &Path, wanted: impl Fn(Kind) -> bool) -> Vec<OsString> {
        // Not through a link: it would be about something else.
        if !matches!(self.find(path), Some((Kind::Directory, _))) {
            return Vec::new();
        }
        let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.file_name());
        names
            .filter(|name| self.find(&path.join(name)).is_some_and(|(kind, _)| wanted(kind)))
            .collect()
    }

    /// Removes whatever stands there, with everything in it.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        if std::fs::symlink_metadata(path)?.is_dir() {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        }
    }

    pub(super) fn make_directory(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    /// A new file; fails if the name is there.
    pub(super) fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        std::fs::File::options().write(true).create_new(true).open(path)?.write_all(bytes)
    }

    pub(super) fn make_link(&self, _path: &Path, _target: &Path) -> io::Result<()> {
        Err(io::Error::other("links are not restored here"))
    }

    /// There are no permission bits here.
    #[expect(clippy::unnecessary_wraps, reason = "the other form of this may fail")]
    pub(super) fn set_mode(&self, _path: &Path, _stamp: Stamp) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn exchange(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }
}
