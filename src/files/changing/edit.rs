//! Replaces exact text in a file.
//!
//! The text must be found exactly once, or every time on request: an edit that could mean two places
//! is refused, with the places. Only bytes of the match change: byte order mark, line ends, final
//! newline and whatever is not UTF-8 stay.

use std::path::Path;

use memchr::memmem;
use tokio_util::sync::CancellationToken;

use super::write::Change;
use super::write::alone;
use super::write::load_text;
use super::write::save;
use crate::files::FileError;
use crate::system::opener::Opener;

/// Places that are named in an error.
const MAX_PLACES: usize = 8;

/// Lines that are compared to find what the model may have meant.
const MAX_COMPARED: usize = 20_000;

/// What to replace by what.
#[derive(Debug, Clone)]
pub struct Replacement {
    pub old: String,
    pub new: String,
    /// Every occurrence; otherwise there must be exactly one.
    pub all: bool,
}

/// Replaces; says how often, and what changed.
pub fn replace(
    opener: &Opener,
    path: &Path,
    replacement: &Replacement,
    cancel: &CancellationToken,
) -> Result<(u64, Change), FileError> {
    opener.check_write(path)?;
    alone(opener, path, cancel, || {
        let before = load_text(opener, path)?;
        let (after, count) = replaced(&before.bytes, replacement)
            .map_err(|refusal| FileError::edit(path, refusal.message, refusal.hint))?;
        let change = save(opener, path, &before, &after)?;
        Ok((count, change))
    })
}

/// Why a replacement was not made.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    message: String,
    hint: Option<String>,
}

fn refusal(message: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal { message: message.into(), hint: Some(hint.into()) }
}

/// The new contents and the number of replacements.
fn replaced(text: &[u8], replacement: &Replacement) -> Result<(Vec<u8>, u64), Refusal> {
    let (old, new) = with_line_ends_of(text, replacement);
    if old.is_empty() {
        return Err(refusal(
            "the text to replace is empty",
            "to write a whole file, use file_write",
        ));
    }
    if old == new {
        return Err(Refusal { message: "old and new text are the same".to_owned(), hint: None });
    }
    let places: Vec<usize> = memmem::find_iter(text, &old).collect();
    match places.len() {
        0 => return Err(not_found(text, &old)),
        1 => {}
        count if !replacement.all => {
            let lines = lines_of(text, &places);
            return Err(refusal(
                format!("the text occurs {count} times, at lines {lines}"),
                "add lines around it until it is unique, or replace all",
            ));
        }
        _ => {}
    }
    let mut result = Vec::with_capacity(text.len());
    let mut end = 0;
    for place in &places {
        result.extend_from_slice(&text[end..*place]);
        result.extend_from_slice(&new);
        end = place + old.len();
    }
    result.extend_from_slice(&text[end..]);
    Ok((result, places.len() as u64))
}

/// Old and new text with the line ends of the file: models write `\n` whatever the file has.
fn with_line_ends_of(text: &[u8], replacement: &Replacement) -> (Vec<u8>, Vec<u8>) {
    let (old, new) = (replacement.old.as_bytes(), replacement.new.as_bytes());
    let plain = !replacement.old.contains('\r') && !replacement.new.contains('\r');
    if plain && has_crlf_only(text) && memmem::find(text, old).is_none_or(|_| new.contains(&b'\n'))
    {
        return (with_crlf(old), with_crlf(new));
    }
    (old.to_vec(), new.to_vec())
}

/// Whether the text has line ends and every one is CRLF.
pub(super) fn has_crlf_only(text: &[u8]) -> bool {
    let mut feeds = memchr::memchr_iter(b'\n', text).peekable();
    feeds.peek().is_some() && feeds.all(|feed| feed > 0 && text[feed - 1] == b'\r')
}

fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len() + 8);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(rest) => {
                result.extend_from_slice(rest);
                result.extend_from_slice(b"\r\n");
            }
            None => result.extend_from_slice(line),
        }
    }
    result
}

/// `3, 17, 40 and 5 more`.
fn lines_of(text: &[u8], places: &[usize]) -> String {
    let numbers: Vec<String> =
        places.iter().take(MAX_PLACES).map(|place| line_at(text, *place).to_string()).collect();
    let more = places.len() - numbers.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", numbers.join(", "))
}

fn line_at(text: &[u8], place: usize) -> usize {
    memchr::memchr_iter(b'\n', &text[..place]).count() + 1
}

/// Says what comes nearest: the same lines but for white space, or the most similar line.
fn not_found(text: &[u8], old: &[u8]) -> Refusal {
    let message = "the text to replace does not occur";
    let (text, old) = (String::from_utf8_lossy(text), String::from_utf8_lossy(old));
    let lines: Vec<&str> = text.lines().take(MAX_COMPARED).collect();
    let wanted: Vec<String> = old.trim().lines().map(squeezed).collect();
    let same = lines.windows(wanted.len().max(1)).position(|window| {
        window.iter().zip(&wanted).all(|(line, wanted)| squeezed(line) == *wanted)
    });
    if let Some(first) = same.filter(|_| !wanted.is_empty()) {
        let (from, to) = (first + 1, first + wanted.len());
        let place =
            if from == to { format!("line {from}") } else { format!("lines {from} to {to}") };
        return refusal(
            message,
            format!("{place} differ only in white space; read them and copy them exactly"),
        );
    }
    let Some(first) = wanted.iter().find(|line| !line.is_empty()) else {
        return Refusal { message: message.to_owned(), hint: None };
    };
    let nearest = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.len() < 400)
        .map(|(index, line)| (strsim::normalized_levenshtein(&squeezed(line), first), index))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|left, right| left.0.total_cmp(&right.0).then(right.1.cmp(&left.1)));
    Refusal {
        message: message.to_owned(),
        hint: nearest.map(|(_, index)| {
            format!("most alike is line {}: `{}`", index + 1, lines[index].trim())
        }),
    }
}

/// A line with each run of white space as one space.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
