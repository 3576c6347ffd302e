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

/// Reads.
pub fn read(
    opener: &Opener,
    path: &Path,
    window: Window,
    cancel: &CancellationToken,
) -> Result<Text, FileError> {
    let file = opener.open_read(path)?;
    let size = file.metadata().map_err(|source| FileError::io(path, source))?.len();
    let mut text = Text { size, ..Text::default() };
    let (head, rest) = probe(file).map_err(|source| FileError::io(path, source))?;
    if is_binary(&head) {
        text.binary = true;
        return Ok(text);
    }
    let mut reader = DecodeReaderBytesBuilder::new()
        .bom_override(true)
        .utf8_passthru(true)
        .strip_bom(true)
        .build(head.as_slice().chain(rest));
    let mut taken = Taken::new(window);
    let mut buffer = vec![0; BUFFER];
    loop {
        if cancel.is_cancelled() {
            return Err(FileError::Cancelled);
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => taken.take(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(FileError::io(path, source)),
        }
    }
    taken.finish(&mut text);
    Ok(text)
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

/// Collects the window while everything passes by.
struct Taken {
    window: Window,
    bytes: Vec<u8>,
    /// Line feeds so far.
    feeds: u64,
    /// The last byte was a line feed, or there was none yet.
    at_line_start: bool,
    full: bool,
}

impl Taken {
    fn new(window: Window) -> Self {
        Self { window, bytes: Vec::new(), feeds: 0, at_line_start: true, full: false }
    }

    fn take(&mut self, piece: &[u8]) {
        let first = self.window.offset.max(1) - 1;
        let end = self.window.limit.map_or(u64::MAX, |limit| first.saturating_add(limit));
        self.at_line_start = piece.last() == Some(&b'\n');
        let mut rest = piece;
        while !rest.is_empty() {
            if self.full || self.feeds >= end {
                self.feeds += memchr::memchr_iter(b'\n', rest).count() as u64;
                return;
            }
            let feed = memchr::memchr(b'\n', rest);
            let (line, after) = rest.split_at(feed.map_or(rest.len(), |feed| feed + 1));
            if self.feeds >= first {
                let room = self.window.max_bytes.saturating_sub(self.bytes.len());
                self.bytes.extend_from_slice(&line[..line.len().min(room)]);
                self.full = line.len() > room;
            }
            self.feeds += u64::from(feed.is_some());
            rest = after;
        }
    }

    fn finish(mut self, text: &mut Text) {
        if self.full
            && let Some(feed) = memchr::memrchr(b'\n', &self.bytes)
        {
            self.bytes.truncate(feed + 1);
        }
        text.truncated = self.full;
        text.lines = self.feeds + u64::from(!self.at_line_start);
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
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
