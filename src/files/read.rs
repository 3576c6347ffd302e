//! Reads a window of lines of a text file, however large the file is.
//!
//! UTF-8, and UTF-16 with a byte order mark. A file with NUL bytes at its beginning is binary and
//! gives no text. Bytes that are not UTF-8 become `�`: what is read here is for looking at; edits
//! work on the bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use encoding_rs_io::DecodeReaderBytesBuilder;
use tokio_util::sync::CancellationToken;

use super::BUFFER;
use super::FileError;
use crate::system::opener::Opener;

/// Bytes at the beginning of a file by which it is judged to be text or not.
const PROBE: usize = 8 * 1024;

/// Which lines, and how many bytes of them at most.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// First line, 1-based.
    pub offset: u64,
    /// Lines; `None`: to the end.
    pub limit: Option<u64>,
    /// Bytes of text. Whole lines are kept, unless the first alone is longer.
    pub max_bytes: usize,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The lines with their line ends, as UTF-8 without a byte order mark.
    pub content: String,
    /// Bytes of the file.
    pub size: u64,
    /// Lines of the file, an unterminated last one included.
    pub lines: u64,
    /// Lines in `content`, a cut one included.
    pub shown: u64,
    /// The window had more than `max_bytes`.
    pub truncated: bool,
    /// The file is binary; there is no content and lines were not counted.
    pub binary: bool,
    /// Some bytes were not UTF-8.
    pub lossy: bool,
}

/// Reads a window into memory.
pub fn read(
    opener: &Opener,
    path: &Path,
    window: Window,
    cancel: &CancellationToken,
) -> Result<Text, FileError> {
    let mut taken = Taken { window, bytes: Vec::new(), full: false };
    let facts = stream(opener, path, window, cancel, &mut |piece| {
        taken.take(piece);
        Ok(())
    })?;
    Ok(taken.into_text(&facts))
}

/// What is known of a file after it passed by.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Bytes of the file.
    pub size: u64,
    /// Lines of the file, an unterminated last one included.
    pub lines: u64,
    /// Nothing was given and lines were not counted.
    pub binary: bool,
}

/// Gives the lines of a window piece by piece, whatever their size, as UTF-8 where the file says
/// what it is, as they are otherwise. `max_bytes` of the window does not count here. An error of
/// `emit` ends the reading.
pub fn stream(
    opener: &Opener,
    path: &Path,
    window: Window,
    cancel: &CancellationToken,
    emit: &mut dyn FnMut(&[u8]) -> Result<(), FileError>,
) -> Result<Facts, FileError> {
    let io = |source| FileError::io(path, source);
    let file = opener.open_read(path)?;
    let size = file.metadata().map_err(io)?.len();
    let (head, rest) = probe(file).map_err(io)?;
    if is_binary(&head) {
        return Ok(Facts { size, lines: 0, binary: true });
    }
    let mut reader = DecodeReaderBytesBuilder::new()
        .bom_override(true)
        .utf8_passthru(true)
        .strip_bom(true)
        .build(head.as_slice().chain(rest));
    let mut lines = Lines::new(window);
    let mut buffer = vec![0; BUFFER];
    loop {
        if cancel.is_cancelled() {
            return Err(FileError::Cancelled);
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                let part = lines.part(&buffer[..read]);
                if !part.is_empty() {
                    emit(part)?;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(io(source)),
        }
    }
    Ok(Facts { size, lines: lines.total(), binary: false })
}

fn probe(mut file: File) -> std::io::Result<(Vec<u8>, File)> {
    let mut head = Vec::with_capacity(PROBE);
    file.by_ref().take(PROBE as u64).read_to_end(&mut head)?;
    Ok((head, file))
}

/// Text has no NUL bytes, unless it is UTF-16, which says so.
pub(super) fn is_binary(head: &[u8]) -> bool {
    !is_utf16(head) && memchr::memchr(0, head).is_some()
}

pub(super) fn is_utf16(head: &[u8]) -> bool {
    head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff])
}

/// Counts lines and picks those of the window while everything passes by.
struct Lines {
    first: u64,
    end: u64,
    /// Line feeds so far.
    feeds: u64,
    /// The last byte was a line feed, or there was none yet.
    at_line_start: bool,
}

impl Lines {
    fn new(window: Window) -> Self {
        let first = window.offset.max(1) - 1;
        let end = window.limit.map_or(u64::MAX, |limit| first.saturating_add(limit));
        Self { first, end, feeds: 0, at_line_start: true }
    }

    /// The part of a piece that belongs to the window.
    fn part<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        self.at_line_start = piece.last() == Some(&b'\n');
        let start = self.skip_to(piece, 0, self.first);
        let end = self.skip_to(piece, start, self.end);
        self.feeds += memchr::memchr_iter(b'\n', &piece[end..]).count() as u64;
        &piece[start..end]
    }

    /// Where in the piece, from `at` on, line number `line` (from 0) begins.
    fn skip_to(&mut self, piece: &[u8], at: usize, line: u64) -> usize {
        let missing = line.saturating_sub(self.feeds);
        if missing == 0 {
            return at;
        }
        let mut found = 0;
        for feed in memchr::memchr_iter(b'\n', &piece[at..]) {
            found += 1;
            if found == missing {
                self.feeds += found;
                return at + feed + 1;
            }
        }
        self.feeds += found;
        piece.len()
    }

    fn total(&self) -> u64 {
        self.feeds + u64::from(!self.at_line_start)
    }
}

/// Collects a window up to its limit of bytes.
struct Taken {
    window: Window,
    bytes: Vec<u8>,
    full: bool,
}

impl Taken {
    fn take(&mut self, piece: &[u8]) {
        let room = self.window.max_bytes - self.bytes.len();
        self.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        self.full |= piece.len() > room;
    }

    fn into_text(mut self, facts: &Facts) -> Text {
        let &Facts { size, lines, binary } = facts;
        let mut text = Text { size, lines, binary, truncated: self.full, ..Text::default() };
        if self.full
            && let Some(feed) = memchr::memrchr(b'\n', &self.bytes)
        {
            self.bytes.truncate(feed + 1);
        }
        // A character that the limit cut is not a fault of the file.
        if self.full
            && let Err(error) = std::str::from_utf8(&self.bytes)
            && error.error_len().is_none()
        {
            self.bytes.truncate(error.valid_up_to());
        }
        text.content = String::from_utf8(self.bytes).unwrap_or_else(|error| {
            text.lossy = true;
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        });
        text.shown = text.content.lines().count() as u64;
        text
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
