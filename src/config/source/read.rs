//! Reads the bytes of a configuration file, once, and nothing that is not a plain file.

use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::Read;
use std::path::Path;

use crate::config::error::Diagnostic;
use crate::config::error::Place;
use crate::config::error::Rule;

/// A configuration file larger than this is a mistake (bytes).
pub const MAX_BYTES: u64 = 1 << 20;

/// Whether the last part of the path may be a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// The person's own files: dotfiles are often links.
    Followed,
    /// A project's files: a link could lead to the agent's own database, and opening and closing
    /// that would cancel SQLite's locks.
    Refused,
}

/// Who must be able to read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A file that we may not read is as good as absent (another person's home under `su`).
    Person,
    /// A file that we may not read is an error: it would bind us.
    Organisation,
}

/// The bytes of `path`; `None` where there is no such file.
pub fn read(path: &Path, links: Links, owner: Owner) -> Result<Option<Vec<u8>>, Diagnostic> {
    let looked = match links {
        Links::Followed => std::fs::metadata(path),
        Links::Refused => std::fs::symlink_metadata(path),
    };
    // Looked at before it is opened: opening a device can already do something.
    let metadata = match looked {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error, owner) => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    must_be_file(path, &metadata)?;
    let file = match open(path, links) {
        Ok(file) => file,
        Err(error) if is_absent(&error, owner) => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let opened = file.metadata().map_err(|error| unreadable(path, &error))?;
    must_be_file(path, &opened)?;
    let mut bytes = Vec::with_capacity(usize::try_from(opened.len()).unwrap_or(0) + 1);
    // One byte more than allowed: a file that grows meanwhile is found out as well.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(path));
    }
    Ok(Some(bytes))
}

fn must_be_file(path: &Path, metadata: &Metadata) -> Result<(), Diagnostic> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return if metadata.len() > MAX_BYTES { Err(too_large(path)) } else { Ok(()) };
    }
    let what = if kind.is_dir() {
        "a directory"
    } else if kind.is_symlink() {
        "a symbolic link, which a project's files must not be"
    } else {
        "a device, pipe or socket"
    };
    let message = format!("a configuration must be a regular file; this is {what}");
    Err(Diagnostic::error(Rule::NotAFile, Place::file(path, 1, 1), message)
        .with_remedy("remove it, or put a file of JSON in its place"))
}

fn too_large(path: &Path) -> Diagnostic {
    let message = format!("the file is larger than {} KiB", MAX_BYTES / 1024);
    Diagnostic::error(Rule::TooLarge, Place::file(path, 1, 1), message)
        .with_remedy("this is hardly a configuration; look at what was written there")
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(Rule::Unreadable, Place::file(path, 1, 1), format!("cannot be read: {error}"))
}

fn is_absent(error: &io::Error, owner: Owner) -> bool {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => true,
        io::ErrorKind::PermissionDenied => owner == Owner::Person,
        _ => false,
    }
}

/// Never waits for the other end of a pipe that was put there meanwhile.
#[cfg(unix)]
fn open(path: &Path, links: Links) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    if links == Links::Refused {
        flags |= libc::O_NOFOLLOW;
    }
    File::options().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path, _links: Links) -> io::Result<File> {
    File::open(path)
}
