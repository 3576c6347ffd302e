//! Searches files for a pattern, with ripgrep's crates: Unicode regular expressions or literal text,
//! UTF-8 and UTF-16 with a byte order mark, binary files left out.
//!
//! Counts are always of everything searched; lines are kept up to a limit, in order of path and line,
//! whatever order threads found them in.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use grep_matcher::Matcher;
use grep_regex::RegexMatcher;
use grep_regex::RegexMatcherBuilder;
use grep_searcher::BinaryDetection;
use grep_searcher::Searcher;
use grep_searcher::SearcherBuilder;
use grep_searcher::Sink;
use grep_searcher::SinkContext;
use grep_searcher::SinkMatch;
use tokio_util::sync::CancellationToken;

use super::name::NameGlob;
use super::walk::Found;
use super::walk::Problems;
use super::walk::Walk;
use super::walk::walk;
use crate::files::FileError;
use crate::system::opener::EntryKind;
use crate::system::opener::Opener;

/// The longest line that can be searched, in bytes; a file with a longer one is a problem.
const MAX_LINE: usize = 128 * 1024 * 1024;

/// Bytes of a line that are kept, around its first match.
const SHOWN_LINE: usize = 500;

/// What to look for and where.
#[derive(Debug, Clone)]
pub struct Search {
    pub pattern: String,
    /// The pattern is plain text.
    pub literal: bool,
    pub ignore_case: bool,
    pub walk: Walk,
    /// Only files that this matches.
    pub glob: Option<NameGlob>,
    /// Lines before and after each match.
    pub context: usize,
    /// Lines (files, where `lines` is false) that are kept.
    pub limit: usize,
    /// Whether lines are wanted at all, or only counts.
    pub lines: bool,
}

/// A line that matches, or stands near one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// 1-based.
    pub number: u64,
    /// Without its line end; cut to a window around the first match when it is very long.
    pub text: String,
    /// False: context.
    pub is_match: bool,
}

/// A file with matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMatches {
    pub path: PathBuf,
    /// Matching lines.
    pub count: u64,
    /// What is kept of them, with context, in order.
    pub lines: Vec<Line>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchResult {
    /// In order of path.
    pub files: Vec<FileMatches>,
    /// Matching lines in all files.
    pub total_lines: u64,
    /// Matches in all files; a line can have several.
    pub total_matches: u64,
    pub files_with_matches: u64,
    pub files_searched: u64,
    /// Files that are binary, and so not counted as searched.
    pub files_binary: u64,
    /// There is more than is kept.
    pub truncated: bool,
    pub problems: Problems,
}

/// Searches.
pub fn search(
    opener: &Opener,
    search: &Search,
    cancel: &CancellationToken,
) -> Result<SearchResult, FileError> {
    let matcher = matcher(search)?;
    let found = Collected::new(search.limit);
    let visitor = || {
        let (mut searcher, found, matcher) = (searcher(search), &found, &matcher);
        let visit = move |file: &Found| {
            if file.kind != EntryKind::File
                || search.glob.as_ref().is_some_and(|glob| !glob.matches(name_of(file)))
            {
                return Ok(());
            }
            let result = search_file(opener, &mut searcher, matcher, file, search, cancel)?;
            found.add(result, search.lines);
            Ok(())
        };
        Box::new(visit) as Box<dyn FnMut(&Found) -> Result<(), FileError> + '_>
    };
    let problems = walk(opener, &search.walk, cancel, &visitor)?;
    Ok(found.into_result(problems))
}

/// What a glob is matched against: the path below the root; of a root that is a file, its name.
pub(in crate::files) fn name_of(file: &Found) -> &Path {
    if file.relative.as_os_str().is_empty() { &file.shown } else { &file.relative }
}

fn matcher(search: &Search) -> Result<RegexMatcher, FileError> {
    let built = RegexMatcherBuilder::new()
        .case_insensitive(search.ignore_case)
        .fixed_strings(search.literal)
        .line_terminator(Some(b'\n'))
        .build(&search.pattern);
    built.map_err(|error| FileError::Pattern {
        message: format!("invalid regular expression: {error}"),
        hint: Some("to search for the text as it stands, make it literal".to_owned()),
    })
}

fn searcher(search: &Search) -> Searcher {
    SearcherBuilder::new()
        .line_number(true)
        .before_context(search.context)
        .after_context(search.context)
        .heap_limit(Some(MAX_LINE))
        .binary_detection(BinaryDetection::quit(0))
        .build()
}

/// What one file gave.
struct Searched {
    file: FileMatches,
    matches: u64,
    binary: bool,
}

fn search_file(
    opener: &Opener,
    searcher: &mut Searcher,
    matcher: &RegexMatcher,
    found: &Found,
    search: &Search,
    cancel: &CancellationToken,
) -> Result<Searched, FileError> {
    let file = opener.open_read(&found.path)?;
    let mut sink = LineSink {
        matcher,
        keep: if search.lines { search.limit } else { 0 },
        cancel,
        file: FileMatches { path: found.shown.clone(), count: 0, lines: Vec::new() },
        matches: 0,
        binary: false,
    };
    searcher
        .search_file(matcher, &file, &mut sink)
        .map_err(|source| FileError::io(&found.shown, source))?;
    Ok(Searched { file: sink.file, matches: sink.matches, binary: sink.binary })
}

/// Takes the lines of one file.
struct LineSink<'a> {
    matcher: &'a RegexMatcher,
    /// Lines to keep; more of one file are never shown.
    keep: usize,
    cancel: &'a CancellationToken,
    file: FileMatches,
    matches: u64,
    binary: bool,
}

impl LineSink<'_> {
    fn push(&mut self, number: Option<u64>, bytes: &[u8], matched: Option<(usize, usize)>) {
        let text = shown_line(bytes, matched);
        let number = number.unwrap_or_default();
        self.file.lines.push(Line { number, text, is_match: matched.is_some() });
    }
}

impl Sink for LineSink<'_> {
    type Error = std::io::Error;

    fn matched(
        &mut self,
        _searcher: &Searcher,
        found: &SinkMatch<'_>,
    ) -> Result<bool, std::io::Error> {
        let mut line = found.bytes();
        if let [rest @ .., b'\n'] = line {
            line = rest;
        }
        let mut first = None;
        let mut count = 0;
        self.matcher
            .find_iter(line, |matched| {
                first.get_or_insert((matched.start(), matched.end()));
                count += 1;
                true
            })
            .map_err(std::io::Error::other)?;
        self.matches += count;
        self.file.count += 1;
        if self.file.count <= self.keep as u64 {
            self.push(found.line_number(), line, Some(first.unwrap_or((0, 0))));
        }
        Ok(!self.cancel.is_cancelled())
    }

    fn context(
        &mut self,
        _searcher: &Searcher,
        context: &SinkContext<'_>,
    ) -> Result<bool, std::io::Error> {
        if self.file.count <= self.keep as u64 && self.keep > 0 {
            self.push(context.line_number(), context.bytes(), None);
        }
        Ok(!self.cancel.is_cancelled())
    }

    fn binary_data(&mut self, _searcher: &Searcher, _at: u64) -> Result<bool, std::io::Error> {
        self.binary = true;
        Ok(false)
    }
}

/// A line without its end; of a very long one the part around the first match.
fn shown_line(bytes: &[u8], matched: Option<(usize, usize)>) -> String {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() <= SHOWN_LINE {
        return String::from_utf8_lossy(line).into_owned();
    }
    let (start, end) = matched.unwrap_or((0, 0));
    let room = SHOWN_LINE.saturating_sub(end.saturating_sub(start));
    let from = start.saturating_sub(room / 2).min(line.len() - SHOWN_LINE);
    let part = &line[from..from + SHOWN_LINE];
    let (before, after) = (from, line.len() - from - SHOWN_LINE);
    let note = |bytes: usize| {
        if bytes > 0 { format!("[… {bytes} bytes …]") } else { String::new() }
    };
    format!("{}{}{}", note(before), String::from_utf8_lossy(part), note(after))
}

/// What all threads found: counts of everything, and the first files in order of path.
struct Collected {
    limit: usize,
    searched: AtomicU64,
    binary: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    files: std::collections::BTreeMap<PathBuf, FileMatches>,
    /// Weight of `files`: matching lines that are kept, or files.
    weight: usize,
    lines: u64,
    matches: u64,
    with_matches: u64,
    truncated: bool,
}

impl Collected {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            searched: AtomicU64::new(0),
            binary: AtomicU64::new(0),
            kept: Mutex::default(),
        }
    }

    fn add(&self, searched: Searched, lines: bool) {
        if searched.binary {
            self.binary.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.searched.fetch_add(1, Ordering::Relaxed);
        if searched.file.count == 0 {
            return;
        }
        let weigh = |file: &FileMatches| if lines { matching(file) } else { 1 };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.lines += searched.file.count;
        kept.matches += searched.matches;
        kept.with_matches += 1;
        kept.weight += weigh(&searched.file);
        kept.files.insert(searched.file.path.clone(), searched.file);
        // The last file goes when all before it fill the limit by themselves.
        while let Some(last) = kept.files.last_entry() {
            let weight = weigh(last.get());
            if kept.weight - weight < self.limit {
                break;
            }
            kept.files.pop_last();
            kept.weight -= weight;
            kept.truncated = true;
        }
    }

    fn into_result(self, problems: Problems) -> SearchResult {
        let kept = self.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut left = self.limit;
        let mut truncated = kept.truncated;
        let files = kept.files.into_values().map(|mut file| {
            let have = matching(&file);
            if have > left {
                cut_lines(&mut file.lines, left);
            }
            truncated |= !file.lines.is_empty() && (matching(&file) as u64) < file.count;
            left = left.saturating_sub(have);
            file
        });
        SearchResult {
            files: files.collect(),
            total_lines: kept.lines,
            total_matches: kept.matches,
            files_with_matches: kept.with_matches,
            files_searched: self.searched.into_inner(),
            files_binary: self.binary.into_inner(),
            truncated,
            problems,
        }
    }
}

fn matching(file: &FileMatches) -> usize {
    file.lines.iter().filter(|line| line.is_match).count()
}

/// Keeps the first `limit` matching lines and the context before them.
fn cut_lines(lines: &mut Vec<Line>, limit: usize) {
    let mut matches = 0;
    let end = lines.iter().position(|line| {
        matches += usize::from(line.is_match);
        matches > limit
    });
    if let Some(end) = end {
        lines.truncate(end);
        while lines.last().is_some_and(|line| !line.is_match) {
            lines.pop();
        }
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
