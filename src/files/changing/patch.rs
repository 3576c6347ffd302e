//! Applies a unified diff to one file: all hunks or none.
//!
//! Patches come from models as often as from `diff`, so what a reader would forgive is forgiven:
//! wrong line numbers (the nearest place that fits is taken), wrong counts in `@@`, missing headers,
//! an empty line for an empty context line, white space at line ends. Context must fit all the same:
//! nothing is guessed. Byte order mark, CRLF and the final newline of the file are kept.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::edit::has_crlf_only;
use super::write;
use super::write::Change;
use super::write::ChangeKind;
use super::write::Loaded;
use super::write::alone;
use super::write::create_parent;
use super::write::load_text;
use super::write::remove;
use super::write::save;
use crate::files::FileError;
use crate::system::opener::OpenError;
use crate::system::opener::Opener;

mod hunk;

use hunk::Hunk;
use hunk::Patch;
use hunk::Side;

/// What a patch did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patched {
    /// For each hunk the line (1-based, of the new file) at which it was applied.
    pub hunks: Vec<u64>,
    pub change: Change,
}

/// Applies a patch of one file.
pub fn apply(
    opener: &Opener,
    path: &Path,
    text: &str,
    cancel: &CancellationToken,
) -> Result<Patched, FileError> {
    let unified = Patch::parse(text)?;
    if let Some(name) = &unified.name
        && Path::new(name).file_name() != path.file_name()
    {
        return Err(FileError::patch(format!(
            "the patch is for `{name}`, the path is `{}`; one call patches one file",
            path.display()
        )));
    }
    opener.check_write(path)?;
    if !unified.creates {
        return alone(opener, path, cancel, || change(opener, path, &unified));
    }
    let (after, hunks) =
        patched(b"", &unified).map_err(|message| FileError::edit(path, message, None))?;
    if opener.is_absent(path)? {
        create_parent(opener, path)?;
    }
    let change = alone(opener, path, cancel, || create(opener, path, &after))?;
    Ok(Patched { hunks, change })
}

fn change(opener: &Opener, path: &Path, unified: &Patch) -> Result<Patched, FileError> {
    let before = load_text(opener, path)?;
    let (after, hunks) = patched(&before.bytes, unified)
        .map_err(|message| FileError::edit(path, message, Some(hint())))?;
    if !unified.deletes {
        return Ok(Patched { hunks, change: save(opener, path, &before, &after)? });
    }
    if !after.is_empty() {
        let message = format!("the patch deletes the file but leaves {} bytes of it", after.len());
        return Err(FileError::edit(path, message, None));
    }
    remove(opener, path, &before)?;
    let diff = write::unified(path, &before.bytes, &after);
    Ok(Patched { hunks, change: Change { kind: ChangeKind::Deleted, diff } })
}

fn hint() -> String {
    "nothing was changed; read the file again and copy the context exactly".to_owned()
}

fn create(opener: &Opener, path: &Path, after: &[u8]) -> Result<Change, FileError> {
    match opener.open_read(path) {
        Err(OpenError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
        Ok(_) => {
            let message = "the patch creates the file, but it exists";
            return Err(FileError::edit(path, message, None));
        }
    }
    save(opener, path, &Loaded::nothing(), after)
}

/// The contents after all hunks, and the line at which each was applied.
fn patched(before: &[u8], patch: &Patch) -> Result<(Vec<u8>, Vec<u64>), String> {
    let mark: &[u8] = if before.starts_with(b"\xef\xbb\xbf") { b"\xef\xbb\xbf" } else { b"" };
    let body = &before[mark.len()..];
    let crlf = has_crlf_only(body) && !patch.has_carriage_returns();
    let lines: Vec<&[u8]> = body.split_inclusive(|byte| *byte == b'\n').collect();
    let mut result = mark.to_vec();
    let mut places = Vec::new();
    // Line of the old file from which on nothing is used yet, and how far places were off so far.
    let mut next = 0;
    let mut offset = 0_i64;
    let mut new_line = 1_u64;
    for (index, hunk) in patch.hunks.iter().enumerate() {
        let old: Vec<Vec<u8>> = hunk.side(Side::Old).map(|line| line_of(line, crlf)).collect();
        let start = find(&lines, next, &old, hunk, offset)
            .map_err(|why| format!("hunk {} (line {} of the patch) {why}", index + 1, hunk.line))?;
        if let Some(expected) = hunk.old_index() {
            offset = signed(start) - signed(expected);
        }
        result.extend_from_slice(&lines[next..start].concat());
        new_line += (start - next) as u64;
        places.push(new_line);
        let end = start + old.len();
        let added = new_lines(&lines[start..end], hunk, crlf, end == lines.len());
        ensure_line_end(&mut result, mark.len(), &added, crlf);
        new_line += added.len() as u64;
        result.extend_from_slice(&added.concat());
        next = end;
    }
    if next < lines.len() {
        ensure_line_end(&mut result, mark.len(), &lines[next..], crlf);
    }
    result.extend_from_slice(&lines[next..].concat());
    Ok((result, places))
}

fn signed(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

/// Lines never join: text that follows one without a line end gives it one.
fn ensure_line_end(result: &mut Vec<u8>, mark: usize, following: &[impl AsRef<[u8]>], crlf: bool) {
    let open = result.len() > mark && !result.ends_with(b"\n");
    if open && !following.is_empty() {
        result.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
    }
}

fn line_of(line: &str, crlf: bool) -> Vec<u8> {
    let mut bytes = line.as_bytes().to_vec();
    if crlf {
        bytes.push(b'\r');
    }
    bytes
}

/// What replaces `old` (lines of the file): its own lines where the patch has context, the patch's
/// where it adds.
fn new_lines(old: &[&[u8]], hunk: &Hunk, crlf: bool, at_end: bool) -> Vec<Vec<u8>> {
    let mut kept = old.iter();
    let mut result: Vec<Vec<u8>> = Vec::new();
    for (kind, text) in &hunk.lines {
        match kind {
            hunk::Kind::Context => result.extend(kept.next().map(|line| line.to_vec())),
            hunk::Kind::Removed => {
                kept.next();
            }
            hunk::Kind::Added => {
                let mut line = line_of(text, crlf);
                line.push(b'\n');
                result.push(line);
            }
        }
    }
    // Only the last line of a file can be without a line end.
    let count = result.len();
    for line in result.iter_mut().take(count.saturating_sub(1)) {
        if !line.ends_with(b"\n") {
            line.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        }
    }
    let was_open = old.last().is_some_and(|line| !line.ends_with(b"\n"));
    let stays_open = at_end && was_open && !hunk.old_open;
    if let Some(last) = result.last_mut() {
        if hunk.new_open || stays_open {
            let bare = last.strip_suffix(b"\n").unwrap_or(last);
            let bare = if crlf { bare.strip_suffix(b"\r").unwrap_or(bare) } else { bare };
            *last = bare.to_vec();
        } else if !last.ends_with(b"\n") && hunk.old_open {
            last.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        }
    }
    result
}

/// The index of the first line that the hunk replaces.
fn find(
    lines: &[&[u8]],
    from: usize,
    old: &[Vec<u8>],
    hunk: &Hunk,
    offset: i64,
) -> Result<usize, String> {
    let Some(last) = lines.len().checked_sub(old.len()).filter(|last| *last >= from) else {
        return Err(mismatch(lines, from, old));
    };
    let expected = hunk.old_index().map(|index| {
        usize::try_from(signed(index).saturating_add(offset)).unwrap_or(0).clamp(from, last)
    });
    if old.is_empty() {
        let nowhere = "has no context and no line number, so its place is unknown";
        let only = lines.is_empty().then_some(0);
        return expected.or(only).ok_or_else(|| nowhere.to_owned());
    }
    for same in [is_same, is_alike] {
        let fits = |start: &usize| {
            let window = &lines[*start..*start + old.len()];
            window.iter().zip(old).all(|(line, wanted)| same(line, wanted))
        };
        let found = match expected {
            Some(expected) => nearest(expected, from, last, fits),
            None => only(from, last, fits)?,
        };
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(mismatch(lines, expected.unwrap_or(from), old))
}

fn is_same(line: &[u8], wanted: &[u8]) -> bool {
    line.strip_suffix(b"\n").unwrap_or(line) == wanted
}

/// The same but for white space at the end.
fn is_alike(line: &[u8], wanted: &[u8]) -> bool {
    line.trim_ascii_end() == wanted.trim_ascii_end()
}

/// The one place that fits; several are an error, since nothing says which.
fn only(from: usize, last: usize, fits: impl Fn(&usize) -> bool) -> Result<Option<usize>, String> {
    let mut all = (from..=last).filter(fits);
    let first = all.next();
    if let (Some(first), Some(second)) = (first, all.next()) {
        let (first, second) = (first + 1, second + 1);
        return Err(format!("has no line number and fits at lines {first} and {second}"));
    }
    Ok(first)
}

/// The place nearest to `expected` that fits; of two equally near the earlier.
fn nearest(
    expected: usize,
    from: usize,
    last: usize,
    fits: impl Fn(&usize) -> bool,
) -> Option<usize> {
    let farthest = (expected - from).max(last - expected);
    (0..=farthest)
        .flat_map(|distance| [expected.checked_sub(distance), expected.checked_add(distance)])
        .flatten()
        .filter(|place| (from..=last).contains(place))
        .find(fits)
}

/// Names the first line that differs at the expected place.
fn mismatch(lines: &[&[u8]], start: usize, old: &[Vec<u8>]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned();
    for (index, wanted) in old.iter().enumerate() {
        let Some(line) = lines.get(start + index) else {
            return format!("does not fit: expected `{}`, found the end of the file", text(wanted));
        };
        if line.trim_ascii_end() != wanted.trim_ascii_end() {
            return format!(
                "does not fit: expected `{}`, found `{}` at line {}",
                text(wanted),
                text(line),
                start + index + 1
            );
        }
    }
    "does not fit".to_owned()
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
