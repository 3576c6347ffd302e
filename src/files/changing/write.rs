//! Writes whole files, so that a reader or a crash sees the old contents or the new and nothing
//! between, and tells what changed. What somebody else wrote in the meantime is never overwritten.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::files::FileError;
use crate::files::read::is_binary;
use crate::files::read::is_utf16;
use crate::system::opener::Cancelled;
use crate::system::opener::Expected;
use crate::system::opener::OpenError;
use crate::system::opener::Opener;
use crate::system::opener::Version;

/// The largest file that is edited or appended to: it is held in memory, as it is replaced whole.
pub const MAX_EDIT: u64 = 64 * 1024 * 1024;

/// The largest contents that a diff is made of.
const MAX_DIFF_BYTES: usize = 1024 * 1024;

/// Lines that may differ in a diff; the work grows with their square.
const MAX_DIFF_LINES: usize = 3000;

/// How often a change is begun anew because another program changed the file meanwhile: each time one
/// of those who write at once gets through.
const MAX_ATTEMPTS: u64 = 100;

/// Before a change is begun anew.
const PAUSE: Duration = Duration::from_millis(2);

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
    cancel: &CancellationToken,
) -> Result<Change, FileError> {
    opener.check_write(path)?;
    if opener.is_absent(path)? {
        create_parent(opener, path)?;
    }
    alone(opener, path, cancel, || {
        let before = match old_contents(opener, path, append) {
            Ok(before) => before,
            Err(FileError::Open(OpenError::NotFound { .. })) => {
                return save(opener, path, &Loaded::nothing(), contents);
            }
            Err(error) => return Err(error),
        };
        match before {
            Old::Known(before) if append => {
                save(opener, path, &before, &[&before.bytes, contents].concat())
            }
            Old::Known(before) => save(opener, path, &before, contents),
            Old::Unknown(expected) => {
                opener.replace_if(path, &expected, contents, None)?;
                Ok(Change { kind: ChangeKind::Modified, diff: None })
            }
        }
    })
}

/// Creates the directory of a file, if it is missing.
pub(super) fn create_parent(opener: &Opener, path: &Path) -> Result<(), FileError> {
    match opener.resolve(path).parent() {
        Some(parent) => Ok(opener.create_dir_all(parent)?),
        None => Ok(()),
    }
}

/// Does something that reads a file and then replaces it, while no other writer of ours is at work
/// there, and once more from the beginning whenever another program was in between.
pub(super) fn alone<T>(
    opener: &Opener,
    path: &Path,
    cancel: &CancellationToken,
    change: impl Fn() -> Result<T, FileError>,
) -> Result<T, FileError> {
    for attempt in 1_u64.. {
        let turn = opener.exclusive(path, &|| cancel.is_cancelled());
        let _turn = turn.map_err(|Cancelled| FileError::Cancelled)?;
        match change() {
            Err(FileError::Open(OpenError::Changed { .. })) if attempt < MAX_ATTEMPTS => {
                if cancel.is_cancelled() {
                    return Err(FileError::Cancelled);
                }
                std::thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
    Err(FileError::Cancelled)
}

/// What was read of a file that is to be replaced.
enum Old {
    Known(Loaded),
    /// Its contents are not needed: it is large and only to be replaced, or may be written but not
    /// read.
    Unknown(Expected),
}

/// The contents of a file, and the state of it in which they were read.
pub(super) struct Loaded {
    pub(super) bytes: Vec<u8>,
    state: Expected,
}

impl Loaded {
    /// There is no file.
    pub(super) fn nothing() -> Self {
        Self { bytes: Vec::new(), state: Expected::Absent }
    }
}

fn old_contents(opener: &Opener, path: &Path, append: bool) -> Result<Old, FileError> {
    if append {
        return load(opener, path).map(Old::Known);
    }
    let file = match opener.open_read(path) {
        Ok(file) => file,
        Err(OpenError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            return Ok(Old::Unknown(Expected::Anything));
        }
        Err(error) => return Err(error.into()),
    };
    let io = |source| FileError::io(path, source);
    let state = Expected::Version(Version::of(&file).map_err(io)?);
    let mut bytes = Vec::new();
    file.take(MAX_DIFF_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() > MAX_DIFF_BYTES {
        return Ok(Old::Unknown(state));
    }
    Ok(Old::Known(Loaded { bytes, state }))
}

/// Replaces the file by `after`, unless that is what it holds; fails if it is not what it was.
pub(super) fn save(
    opener: &Opener,
    path: &Path,
    before: &Loaded,
    after: &[u8],
) -> Result<Change, FileError> {
    let kind = match before.state {
        Expected::Absent => ChangeKind::Created,
        _ if before.bytes == after => {
            return Ok(Change { kind: ChangeKind::Unchanged, diff: None });
        }
        _ => ChangeKind::Modified,
    };
    opener.replace_if(path, &before.state, after, None)?;
    Ok(Change { kind, diff: unified(path, &before.bytes, after) })
}

/// Removes the file; fails if it is not what it was.
pub(super) fn remove(opener: &Opener, path: &Path, before: &Loaded) -> Result<(), FileError> {
    let now =
        Version::of(&opener.open_read(path)?).map_err(|source| FileError::io(path, source))?;
    if before.state != Expected::Version(now) {
        return Err(OpenError::Changed { path: path.to_path_buf() }.into());
    }
    Ok(opener.remove_file(path)?)
}

/// The whole contents of a file that is to be edited.
pub(super) fn load(opener: &Opener, path: &Path) -> Result<Loaded, FileError> {
    let file = opener.open_read(path)?;
    let io = |source| FileError::io(path, source);
    // Before anything is read: who writes meanwhile is noticed.
    let state = Expected::Version(Version::of(&file).map_err(io)?);
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
    Ok(Loaded { bytes, state })
}

/// The contents of a text file that is to be edited.
pub(super) fn load_text(opener: &Opener, path: &Path) -> Result<Loaded, FileError> {
    let loaded = load(opener, path)?;
    let head = &loaded.bytes[..loaded.bytes.len().min(8 * 1024)];
    if is_utf16(head) {
        let hint = "convert it to UTF-8 first, or write it whole".to_owned();
        return Err(FileError::edit(path, "UTF-16 text is not edited in place", Some(hint)));
    }
    if is_binary(head) {
        let message = format!("binary file, {} bytes", loaded.bytes.len());
        return Err(FileError::edit(path, message, None));
    }
    Ok(loaded)
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
