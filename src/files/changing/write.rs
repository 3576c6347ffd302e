//! Writes whole files, so that a reader or a crash sees the old contents or the new and nothing
//! between, and tells what changed.

use std::io::Read;
use std::path::Path;

use crate::files::FileError;
use crate::files::read::is_binary;
use crate::files::read::is_utf16;
use crate::system::opener::OpenError;
use crate::system::opener::Opener;

/// The largest file that is edited or appended to: it is held in memory, as it is replaced whole.
pub const MAX_EDIT: u64 = 64 * 1024 * 1024;

/// The largest contents that a diff is made of.
const MAX_DIFF_BYTES: usize = 1024 * 1024;

/// Lines that may differ in a diff; the work grows with their square.
const MAX_DIFF_LINES: usize = 3000;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub kind: ChangeKind,
    /// Unified, of text of a reasonable size.
    pub diff: Option<String>,
}

/// What happened in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Created,
    Modified,
    Deleted,
    /// The new contents are the old ones; nothing was written.
    Unchanged,
}

impl ChangeKind {
    /// The word of events and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Writes `contents`, replacing what was there or appending to it. Directories that are missing are
/// created; the mode of an existing file is kept.
pub fn write(
    opener: &Opener,
    path: &Path,
    contents: &[u8],
    append: bool,
) -> Result<Change, FileError> {
    opener.check_write(path)?;
    let before = match old_contents(opener, path, append) {
        Ok(before) => Some(before),
        Err(FileError::Open(OpenError::NotFound { .. })) => None,
        Err(error) => return Err(error),
    };
    if before.is_none()
        && let Some(parent) = opener.resolve(path).parent()
    {
        opener.create_dir_all(parent)?;
    }
    match before {
        None => save(opener, path, None, contents),
        Some(Some(mut before)) if append => {
            let length = before.len();
            before.extend_from_slice(contents);
            save(opener, path, Some(&before[..length]), &before)
        }
        Some(Some(before)) => save(opener, path, Some(&before), contents),
        Some(None) => {
            opener.replace(path, contents, None)?;
            Ok(Change { kind: ChangeKind::Modified, diff: None })
        }
    }
}

/// What is in the file now; `None` where that is not needed: it is large and only to be replaced, or
/// may be written but not read.
fn old_contents(opener: &Opener, path: &Path, append: bool) -> Result<Option<Vec<u8>>, FileError> {
    if append {
        return load(opener, path).map(Some);
    }
    let file = match opener.open_read(path) {
        Ok(file) => file,
        Err(OpenError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(MAX_DIFF_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| FileError::io(path, source))?;
    Ok((bytes.len() <= MAX_DIFF_BYTES).then_some(bytes))
}

/// Replaces the file by `after`, unless that is what it holds.
pub(super) fn save(
    opener: &Opener,
    path: &Path,
    before: Option<&[u8]>,
    after: &[u8],
) -> Result<Change, FileError> {
    let kind = match before {
        None => ChangeKind::Created,
        Some(before) if before == after => {
            return Ok(Change { kind: ChangeKind::Unchanged, diff: None });
        }
        Some(_) => ChangeKind::Modified,
    };
    opener.replace(path, after, None)?;
    Ok(Change { kind, diff: unified(path, before.unwrap_or_default(), after) })
}

/// The whole contents of a file that is to be edited.
pub(super) fn load(opener: &Opener, path: &Path) -> Result<Vec<u8>, FileError> {
    let file = opener.open_read(path)?;
    let io = |source| FileError::io(path, source);
    let size = file.metadata().map_err(io)?.len();
    let mut bytes = Vec::new();
    // The size is what the file says; what it gives may be more.
    if size <= MAX_EDIT {
        file.take(MAX_EDIT + 1).read_to_end(&mut bytes).map_err(io)?;
    }
    if size > MAX_EDIT || bytes.len() as u64 > MAX_EDIT {
        let size = size.max(bytes.len() as u64);
        return Err(FileError::TooLarge { path: path.to_path_buf(), size, limit: MAX_EDIT });
    }
    Ok(bytes)
}

/// The contents of a text file that is to be edited.
pub(super) fn load_text(opener: &Opener, path: &Path) -> Result<Vec<u8>, FileError> {
    let bytes = load(opener, path)?;
    let head = &bytes[..bytes.len().min(8 * 1024)];
    if is_utf16(head) {
        let hint = "convert it to UTF-8 first, or write it whole".to_owned();
        return Err(FileError::edit(path, "UTF-16 text is not edited in place", Some(hint)));
    }
    if is_binary(head) {
        let message = format!("binary file, {} bytes", bytes.len());
        return Err(FileError::edit(path, message, None));
    }
    Ok(bytes)
}

/// A unified diff; `None` when there is nothing to show or it would cost too much.
pub(super) fn unified(path: &Path, before: &[u8], after: &[u8]) -> Option<String> {
    if before == after || before.len().max(after.len()) > MAX_DIFF_BYTES {
        return None;
    }
    let (before, after) = (std::str::from_utf8(before).ok()?, std::str::from_utf8(after).ok()?);
    if lines_that_differ(before, after) > MAX_DIFF_LINES {
        return None;
    }
    let name = crate::files::finding::name::shown(path);
    let difference = diffy::DiffOptions::new()
        .set_original_filename(name.clone())
        .set_modified_filename(name)
        .create_patch(before, after);
    Some(difference.to_string())
}

/// Lines of both sides without the equal ones at the beginning and the end.
fn lines_that_differ(before: &str, after: &str) -> usize {
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.lines().collect(), after.lines().collect());
    let first = before.iter().zip(&after).take_while(|(left, right)| left == right).count();
    let (before, after) = (&before[first..], &after[first..]);
    let last = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take_while(|(left, right)| left == right)
        .count();
    before.len() + after.len() - 2 * last
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
