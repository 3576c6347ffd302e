//! Counts lines, words, bytes and characters, and hashes, in one pass.
//!
//! The counts are those of `wc` in the C.UTF-8 locale: lines are line feeds (`-l`), bytes `-c`,
//! characters `-m` (bytes that are not UTF-8 are none), words `-w`: runs of anything printable
//! between white space, where no-break spaces count as white space and control characters neither
//! begin nor end a word.

use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use sha2::Digest;
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use super::BUFFER;
use super::FileError;
use crate::files::finding::first::First;
use crate::files::finding::name::NameGlob;
use crate::files::finding::search::name_of;
use crate::files::finding::walk::Found;
use crate::files::finding::walk::Problems;
use crate::files::finding::walk::Visitor;
use crate::files::finding::walk::Walk;
use crate::files::finding::walk::walk;
use crate::protocol::hex;
use crate::system::opener::EntryKind;
use crate::system::opener::Opener;

/// What is in a file, or in many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub lines: u64,
    pub words: u64,
    pub bytes: u64,
    pub chars: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.words += other.words;
        self.bytes += other.bytes;
        self.chars += other.chars;
    }
}

/// One file's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCounts {
    /// As a person would write it.
    pub path: PathBuf,
    pub counts: Counts,
    /// Lower-case hexadecimal, where it was asked for.
    pub sha256: Option<String>,
}

/// What to count.
#[derive(Debug, Clone)]
pub struct Stats {
    pub walk: Walk,
    pub name: Option<NameGlob>,
    pub sha256: bool,
    /// Files that are kept one by one; the total is of all.
    pub limit: usize,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsResult {
    /// In order of path.
    pub files: Vec<FileCounts>,
    pub total_files: u64,
    pub total: Counts,
    pub problems: Problems,
}

impl StatsResult {
    /// Adds another root's counts behind these.
    pub fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        self.total_files += other.total_files;
        self.total.add(&other.total);
        self.problems.first.extend(other.problems.first);
        self.problems.total += other.problems.total;
    }
}

/// Counts a file, or every file of a tree.
pub fn stats(
    opener: &Opener,
    stats: &Stats,
    cancel: &CancellationToken,
) -> Result<StatsResult, FileError> {
    let kept = Mutex::new((First::new(stats.limit), Counts::default()));
    let visitor = || {
        let kept = &kept;
        let mut buffer = vec![0; BUFFER];
        Box::new(move |found: &Found| {
            if found.kind != EntryKind::File
                || stats.name.as_ref().is_some_and(|name| !name.matches(name_of(found)))
            {
                return Ok(());
            }
            let file = count_file(opener, found, stats.sha256, &mut buffer, cancel)?;
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.1.add(&file.counts);
            kept.0.add(file.path.clone(), file);
            Ok(())
        }) as Visitor<'_>
    };
    let problems = walk(opener, &stats.walk, cancel, &visitor)?;
    let (first, total) = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    let total_files = first.total();
    Ok(StatsResult { files: first.into_values(), total_files, total, problems })
}

fn count_file(
    opener: &Opener,
    found: &Found,
    sha256: bool,
    buffer: &mut [u8],
    cancel: &CancellationToken,
) -> Result<FileCounts, FileError> {
    let file = opener.open_read(&found.path)?;
    let (counts, sha256) = count(file, &found.shown, sha256, buffer, cancel)?;
    Ok(FileCounts { path: found.shown.clone(), counts, sha256 })
}

/// Counts what a reader gives. `path` is for errors only.
fn count(
    mut reader: impl Read,
    path: &Path,
    sha256: bool,
    buffer: &mut [u8],
    cancel: &CancellationToken,
) -> Result<(Counts, Option<String>), FileError> {
    let mut counter = Counter::default();
    let mut hash = sha256.then(Sha256::new);
    // Bytes of a character that the last read cut in two.
    let mut kept = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(FileError::Cancelled);
        }
        let read = match reader.read(&mut buffer[kept..]) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(FileError::io(path, source)),
        };
        if let Some(hash) = &mut hash {
            hash.update(&buffer[kept..kept + read]);
        }
        counter.counts.bytes += read as u64;
        let filled = kept + read;
        let used = counter.take(&buffer[..filled], read == 0);
        if read == 0 {
            break;
        }
        buffer.copy_within(used..filled, 0);
        kept = filled - used;
    }
    let sha256 = hash.map(|hash| hex(&hash.finalize()));
    Ok((counter.counts, sha256))
}

/// Bytes that are looked at together: plain ASCII text needs no decision per byte, and the compiler
/// turns such a block into vector instructions (five times as fast as a table).
const BLOCK: usize = 64;

/// What a character means for words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Word,
    /// Neither begins nor ends a word.
    Control,
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte.wrapping_sub(b'\t') < 5
}

/// ASCII, and white space if it is a control character.
fn is_plain(byte: u8) -> bool {
    (32..127).contains(&byte) || is_space(byte)
}

fn class(next: char) -> Class {
    match next {
        '\u{85}' => Class::Control,
        '\u{2060}' => Class::Space,
        _ if next.is_whitespace() => Class::Space,
        _ if next.is_control() => Class::Control,
        _ => Class::Word,
    }
}

#[derive(Default)]
struct Counter {
    counts: Counts,
    in_word: bool,
}

impl Counter {
    /// Counts a piece and says how many bytes it used: all but a character cut at the end, unless
    /// this is the end of the file.
    fn take(&mut self, bytes: &[u8], at_end: bool) -> usize {
        let mut used = 0;
        for chunk in bytes.utf8_chunks() {
            self.take_text(chunk.valid());
            used += chunk.valid().len();
            let invalid = chunk.invalid();
            let cut = used + invalid.len() == bytes.len() && may_go_on(invalid);
            if cut && !at_end {
                return used;
            }
            // Not a character: it neither counts nor begins nor ends a word.
            used += invalid.len();
        }
        used
    }

    fn take_text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.counts.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        let mut at = 0;
        while at < bytes.len() {
            if let Some(block) = bytes[at..].first_chunk::<BLOCK>()
                && block.iter().fold(true, |all, byte| all & is_plain(*byte))
            {
                self.take_plain(block);
                at += BLOCK;
                continue;
            }
            let end = (at + BLOCK).min(bytes.len());
            for next in text[at..].chars() {
                self.step(class(next));
                at += next.len_utf8();
                if at >= end {
                    break;
                }
            }
        }
    }

    fn take_plain(&mut self, block: &[u8; BLOCK]) {
        let mut begun = u8::from(!self.in_word & !is_space(block[0]));
        for pair in block.windows(2) {
            begun += u8::from(is_space(pair[0]) & !is_space(pair[1]));
        }
        self.counts.words += u64::from(begun);
        self.counts.chars += BLOCK as u64;
        self.in_word = !is_space(block[BLOCK - 1]);
    }

    fn step(&mut self, class: Class) {
        self.counts.chars += 1;
        match class {
            Class::Space => self.in_word = false,
            Class::Word => {
                self.counts.words += u64::from(!self.in_word);
                self.in_word = true;
            }
            Class::Control => {}
        }
    }
}

/// Whether these bytes are the beginning of a character.
fn may_go_on(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => false,
        Err(error) => error.error_len().is_none(),
    }
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
