//! Opening and replacing on Windows: the real path is verified again after opening.
//!
//! `std` has no stable file identity there, so protected inodes are held by their paths alone.

use std::ffi::OsStr;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::Entry;
use super::EntryKind;
use super::error::OpenError;
use super::version::Expected;
use super::version::Version;

/// What was found at a real path.
#[derive(Debug)]
pub(super) struct Pinned {
    metadata: Metadata,
}

/// A directory whose real path was verified.
pub(super) type Directory = PathBuf;

pub(super) fn identity(_metadata: &Metadata) -> Option<(u64, u64)> {
    None
}

impl Pinned {
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        identity(&self.metadata)
    }

    pub(super) fn must_be_file(&self, path: &Path) -> Result<(), OpenError> {
        if self.metadata.is_file() {
            return Ok(());
        }
        let kind = if self.metadata.is_dir() { "a directory" } else { "a device" };
        Err(OpenError::NotAFile { path: path.to_path_buf(), kind })
    }

    pub(super) fn must_be_directory(&self, path: &Path) -> Result<(), OpenError> {
        if self.metadata.is_dir() {
            return Ok(());
        }
        Err(OpenError::NotAFile { path: path.to_path_buf(), kind: "not a directory" })
    }

    /// Not known.
    #[expect(clippy::unused_self, reason = "as on Unix")]
    pub(super) fn other_names(&self) -> u64 {
        0
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn must_have_one_name(&self, _path: &Path) -> Result<(), OpenError> {
        Ok(())
    }
}

fn verified(real: &Path) -> io::Result<()> {
    if std::fs::canonicalize(real)? == real {
        return Ok(());
    }
    Err(io::Error::other("it is reached through a link that was made just now"))
}

pub(super) fn pin(real: &Path) -> io::Result<Pinned> {
    verified(real)?;
    Ok(Pinned { metadata: std::fs::symlink_metadata(real)? })
}

pub(super) fn open_read(
    _object: &Pinned,
    real: &Path,
    _protected: impl Fn((u64, u64)) -> bool,
) -> io::Result<File> {
    let file = File::open(real)?;
    verified(real)?;
    Ok(file)
}

pub(super) fn open_directory(real: &Path) -> io::Result<Directory> {
    verified(real)?;
    Ok(real.to_path_buf())
}

/// Not known before it is tried.
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
pub(super) fn takes_names(_directory: &Directory) -> io::Result<()> {
    Ok(())
}

pub(super) fn entries(directory: &Directory, _real: &Path) -> io::Result<Vec<Entry>> {
    std::fs::read_dir(directory)?
        .map(|entry| {
            let entry = entry?;
            let kind = entry.file_type()?;
            let kind = if kind.is_file() {
                EntryKind::File
            } else if kind.is_dir() {
                EntryKind::Directory
            } else if kind.is_symlink() {
                EntryKind::Symlink
            } else {
                EntryKind::Other
            };
            Ok(Entry { name: entry.file_name(), path: entry.path(), kind })
        })
        .collect()
}

/// What a file is to become; the mode has no meaning here.
pub(super) struct New<'a> {
    pub(super) contents: &'a [u8],
    pub(super) mode: Option<u32>,
}

/// See [`super::Opener::replace_if`]. `Ok(false)`: it is not as expected, and nothing was changed.
pub(super) fn replace(
    directory: &Directory,
    name: &OsStr,
    _old: Option<&Pinned>,
    expected: &Expected,
    new: &New<'_>,
) -> io::Result<bool> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let _ = new.mode;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let temporary = directory.join(format!(".agi-agent-{}-{count}.tmp", std::process::id()));
    let mut file = File::options().write(true).create_new(true).open(&temporary)?;
    let named = file.write_all(new.contents).and_then(|()| file.sync_all()).and_then(|()| {
        let name = directory.join(name);
        if !is_as_expected(&name, expected)? {
            return Ok(false);
        }
        std::fs::rename(&temporary, name).map(|()| true)
    });
    if !matches!(named, Ok(true)) {
        // What went wrong first is what matters.
        std::fs::remove_file(&temporary).ok();
    }
    named
}

fn is_as_expected(path: &Path, expected: &Expected) -> io::Result<bool> {
    let now = match std::fs::symlink_metadata(path) {
        Ok(now) => Some(Version::of_metadata(&now)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(match expected {
        Expected::Anything => true,
        Expected::Absent => now.is_none(),
        Expected::Version(version) => now.as_ref() == Some(version),
    })
}

pub(super) fn create_directories(real: &Path) -> io::Result<()> {
    std::fs::create_dir_all(real)?;
    verified(real)
}

pub(super) fn remove_file(
    directory: &Directory,
    _real: &Path,
    name: &OsStr,
    _protected: impl Fn((u64, u64)) -> bool,
) -> io::Result<bool> {
    std::fs::remove_file(directory.join(name))?;
    Ok(true)
}

pub(super) fn sweep(_directory: &Directory) {}
