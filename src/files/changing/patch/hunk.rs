//! A unified diff as text and as hunks. Knows nothing of files.

use crate::files::FileError;

/// What a line of a hunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Context,
    Removed,
    Added,
}

/// One of the two texts of a hunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

/// A patch of one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Patch {
    /// The file's name in the header, without `a/` and `b/`.
    pub(super) name: Option<String>,
    /// `--- /dev/null`.
    pub(super) creates: bool,
    /// `+++ /dev/null`.
    pub(super) deletes: bool,
    pub(super) hunks: Vec<Hunk>,
}

/// One `@@` and what follows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hunk {
    /// Line of the patch, 1-based.
    pub(super) line: usize,
    /// First line and count of the old text as the header says.
    old: Option<(usize, usize)>,
    new_count: usize,
    /// Without line feeds.
    pub(super) lines: Vec<(Kind, String)>,
    /// `\ No newline at end of file` behind the last old, the last new line.
    pub(super) old_open: bool,
    pub(super) new_open: bool,
}

impl Hunk {
    /// Index of the first old line, 0-based; of an insertion, where it goes.
    pub(super) fn old_index(&self) -> Option<usize> {
        let (start, _) = self.old?;
        let inserts_only = self.side(Side::Old).next().is_none();
        Some(if inserts_only { start } else { start.saturating_sub(1) })
    }

    /// The lines of the old or the new text.
    pub(super) fn side(&self, side: Side) -> impl Iterator<Item = &str> {
        let other = if side == Side::Old { Kind::Added } else { Kind::Removed };
        self.lines.iter().filter(move |(kind, _)| *kind != other).map(|(_, text)| text.as_str())
    }

    /// Whether the body has as many lines as the header says.
    fn is_complete(&self) -> bool {
        self.old.is_some_and(|(_, count)| {
            self.side(Side::Old).count() >= count && self.side(Side::New).count() >= self.new_count
        })
    }

    fn push(&mut self, kind: Kind, text: &str) {
        self.lines.push((kind, text.to_owned()));
    }

    /// Takes `\ No newline at end of file`: it is about the line before it.
    fn mark_open(&mut self) {
        match self.lines.last() {
            Some((Kind::Context, _)) => (self.old_open, self.new_open) = (true, true),
            Some((Kind::Removed, _)) => self.old_open = true,
            Some((Kind::Added, _)) => self.new_open = true,
            None => {}
        }
    }
}

impl Patch {
    /// Reads a patch; an error names the line of the patch.
    pub(super) fn parse(text: &str) -> Result<Self, FileError> {
        let lines: Vec<&str> = text.split('\n').collect();
        let mut patch = Self::default();
        let mut at = 0;
        while at < lines.len() {
            let line = lines[at];
            if line.trim_end() == "--" && !patch.hunks.is_empty() {
                // The signature of a patch that came by mail.
                break;
            }
            if line.starts_with("@@") {
                at = patch.take_hunk(&lines, at)?;
            } else if is_header(&lines, at) {
                if patch.name.is_some() || !patch.hunks.is_empty() {
                    return Err(wrong(at, "a second file begins here; one call patches one file"));
                }
                patch.take_header(line, lines[at + 1]);
                at += 2;
            } else if line.starts_with("rename ") || line.starts_with("copy ") {
                return Err(wrong(at, "renaming and copying are not supported"));
            } else if line.starts_with("Binary files ") || line.starts_with("GIT binary patch") {
                return Err(wrong(at, "binary patches are not supported"));
            } else if patch.hunks.is_empty() || is_blank(line) || line.starts_with("diff ") {
                at += 1;
            } else {
                return Err(wrong(at, &format!("expected `@@`, ` `, `+` or `-`, found `{line}`")));
            }
        }
        if patch.hunks.is_empty() {
            return Err(FileError::patch(
                "no hunk in the patch: expected a unified diff with `@@ -1,3 +1,4 @@` lines",
            ));
        }
        Ok(patch)
    }

    /// Whether lines of the patch end in CRLF (it was made of such a file).
    pub(super) fn has_carriage_returns(&self) -> bool {
        self.hunks.iter().any(|hunk| hunk.lines.iter().any(|(_, text)| text.ends_with('\r')))
    }

    fn take_header(&mut self, old: &str, new: &str) {
        let (old, new) = (header_name(old), header_name(new));
        self.creates = old == "/dev/null";
        self.deletes = new == "/dev/null";
        let name = if self.deletes { old } else { new };
        let name = name.strip_prefix("a/").or_else(|| name.strip_prefix("b/")).unwrap_or(name);
        self.name = Some(name.to_owned());
    }

    /// Reads the hunk whose `@@` is at this line and returns the line behind it.
    fn take_hunk(&mut self, lines: &[&str], start: usize) -> Result<usize, FileError> {
        let mut hunk = Hunk { line: start + 1, ..Hunk::default() };
        if let Some((old, new_count)) = ranges(lines[start]) {
            (hunk.old, hunk.new_count) = (Some(old), new_count);
        }
        let mut at = start + 1;
        while at < lines.len() {
            let line = lines[at];
            let complete = hunk.is_complete();
            match line.as_bytes().first() {
                Some(b'@') if line.starts_with("@@") => break,
                Some(b'-') if (complete || hunk.old.is_none()) && is_header(lines, at) => break,
                Some(b'-') if complete && line.trim_end() == "--" => break,
                Some(b' ') => hunk.push(Kind::Context, &line[1..]),
                Some(b'-') => hunk.push(Kind::Removed, &line[1..]),
                Some(b'+') => hunk.push(Kind::Added, &line[1..]),
                Some(b'\\') => hunk.mark_open(),
                None if !complete && at + 1 < lines.len() => hunk.push(Kind::Context, ""),
                Some(b'\r') if !complete && line == "\r" => hunk.push(Kind::Context, "\r"),
                _ => break,
            }
            at += 1;
        }
        self.finish(hunk)?;
        Ok(at)
    }

    fn finish(&mut self, mut hunk: Hunk) -> Result<(), FileError> {
        // Empty lines behind the last hunk are the end of the message, not context.
        let said = hunk.old.map_or(0, |(_, count)| count);
        while hunk.side(Side::Old).count() > said
            && hunk
                .lines
                .last()
                .is_some_and(|(kind, text)| *kind == Kind::Context && text.is_empty())
        {
            hunk.lines.pop();
        }
        if hunk.lines.iter().all(|(kind, _)| *kind == Kind::Context) {
            return Err(wrong(hunk.line - 1, "the hunk changes nothing"));
        }
        self.hunks.push(hunk);
        Ok(())
    }
}

fn wrong(index: usize, message: &str) -> FileError {
    FileError::patch(format!("line {} of the patch: {message}", index + 1))
}

fn is_header(lines: &[&str], at: usize) -> bool {
    lines[at].starts_with("--- ") && lines.get(at + 1).is_some_and(|next| next.starts_with("+++ "))
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with("```")
}

/// The path of `--- a/path<TAB>date`.
fn header_name(line: &str) -> &str {
    line[4..].split('\t').next().unwrap_or_default().trim().trim_matches('"')
}

/// `@@ -12,3 +12,4 @@` as ((12, 3), 4); a count that is left out is 1.
fn ranges(line: &str) -> Option<((usize, usize), usize)> {
    let mut words = line.strip_prefix("@@")?.split_whitespace();
    let mut range = |sign: char| {
        let word = words.next()?.strip_prefix(sign)?;
        let (start, count) = word.split_once(',').unwrap_or((word, "1"));
        Some((start.parse().ok()?, count.parse().ok()?))
    };
    let old = range('-')?;
    let (_, new_count): (usize, usize) = range('+')?;
    Some((old, new_count))
}
