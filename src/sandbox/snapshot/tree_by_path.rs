//! A writable directory as the snapshot sees and repairs it, where there are no descriptors to walk by and
//! no permission bits: paths are looked up anew each time.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use super::looks::Found;
use super::looks::Kind;
use super::looks::Stamp;

/// A directory below which everything is looked at and repaired.
pub(super) struct Tree;

/// A directory to look into.
pub(super) struct Directory(PathBuf);

impl Directory {
    /// What stands under a name, and how it looks.
    pub(super) fn find(&self, name: &OsStr) -> io::Result<Option<Found>> {
        look_at(&self.0.join(name))
    }

    /// The names in it.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// The directories in it, links left out.
    pub(super) fn directories(&self) -> io::Result<Vec<OsString>> {
        let mut names = self.names()?;
        let is_directory = |name: &OsString| {
            let found = self.find(name).ok().flatten();
            found.is_some_and(|found| found.kind == Kind::Directory)
        };
        names.retain(is_directory);
        Ok(names)
    }

    /// A file to read.
    pub(super) fn file(&self, name: &OsStr) -> io::Result<File> {
        File::open(self.0.join(name))
    }

    /// A file's contents; `None` if it is longer than `most` bytes.
    pub(super) fn read(&self, name: &OsStr, most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.file(name)?.take(most + 1).read_to_end(&mut bytes)?;
        Ok(u64::try_from(bytes.len()).is_ok_and(|count| count <= most).then_some(bytes))
    }

    /// What a link holds.
    pub(super) fn target(&self, name: &OsStr) -> io::Result<PathBuf> {
        std::fs::read_link(self.0.join(name))
    }
}

#[expect(clippy::unused_self, reason = "the other form of this has a descriptor")]
impl Tree {
    /// `None`: no directory is there.
    pub(super) fn open(base: &Path) -> io::Result<Option<Self>> {
        let found = look_at(base)?;
        Ok(found.is_some_and(|found| found.kind == Kind::Directory).then_some(Self))
    }

    /// What stands at a path, and how it looks.
    pub(super) fn find(&self, path: &Path) -> io::Result<Option<Found>> {
        look_at(path)
    }

    /// The directory at a path.
    pub(super) fn directory(&self, path: &Path) -> io::Result<Directory> {
        // Not through a link: it would be about something else.
        match look_at(path)? {
            Some(Found { kind: Kind::Directory, .. }) => Ok(Directory(path.to_path_buf())),
            _ => Err(io::Error::from(io::ErrorKind::NotADirectory)),
        }
    }

    /// The same; there are no permission bits here.
    pub(super) fn walk(&self, path: &Path, _wanted: u64) -> io::Result<Directory> {
        self.directory(path)
    }

    /// A directory in another one, as it was found at `path`.
    #[expect(clippy::unnecessary_wraps, reason = "the other form of this may fail")]
    pub(super) fn enter(&self, _: &Directory, path: &Path, _: &Found) -> io::Result<Directory> {
        Ok(Directory(path.to_path_buf()))
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

    /// A new file that `write` writes; fails if the name is there.
    pub(super) fn write_new(
        &self,
        path: &Path,
        _: Stamp,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        write(&mut File::options().write(true).create_new(true).open(path)?)
    }

    pub(super) fn make_link(&self, _path: &Path, _target: &Path) -> io::Result<()> {
        Err(io::Error::other("links are not restored here"))
    }

    /// There are no permission bits here.
    #[expect(clippy::unnecessary_wraps, reason = "the other form of this may fail")]
    pub(super) fn set_rights(&self, _path: &Path, _before: Stamp) -> io::Result<()> {
        Ok(())
    }

    /// Nothing was opened up.
    #[expect(clippy::unnecessary_wraps, reason = "the other form of this may fail")]
    pub(super) fn close_again(&self) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn exchange(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }
}

fn look_at(path: &Path) -> io::Result<Option<Found>> {
    match std::fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found_as(&found))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Length and time of the last change of the contents are all there is to tell by.
fn found_as(found: &Metadata) -> Found {
    let kind = match found.file_type() {
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_symlink() => Kind::Link,
        kind if kind.is_file() => Kind::File,
        _ => Kind::Other,
    };
    let changed = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let changed = changed.unwrap_or_default();
    let (seconds, nanoseconds) = (changed.as_secs(), u64::from(changed.subsec_nanos()));
    let stamp = Stamp([0, 0, 0, found.len(), seconds, nanoseconds, 0, 0]);
    Found { kind, stamp, birth: None, has_other_names: false }
}
