//! Redirections and here-documents.

use super::Redirection;
use super::Unclear;
use super::grammar::Parser;
use super::reader::ends_word;

/// A here-document that was announced; its text comes after the line.
pub(super) struct Document {
    delimiter: String,
    /// Leading tabs are taken off (`<<-`).
    strip: bool,
    /// Nothing in it is expanded.
    quoted: bool,
}

impl Parser<'_> {
    /// A redirection where one stands here (with its number); false where none does.
    pub(super) fn redirection(&mut self) -> Result<bool, Unclear> {
        let digits = self.rest().iter().take_while(|c| c.is_ascii_digit()).count();
        match (self.peek_at(digits), self.peek_at(digits + 1)) {
            (Some('<' | '>'), Some('(')) if digits > 0 => {
                return Err(Unclear("a process substitution stands inside a word"));
            }
            (Some('<' | '>'), Some('(')) => return Ok(false),
            (Some('<' | '>'), _) => {}
            (Some('&'), Some('>')) if digits == 0 => {}
            _ => return Ok(false),
        }
        let number: String = self.rest()[..digits].iter().collect();
        if !matches!(number.as_str(), "" | "0" | "1" | "2") {
            return Err(Unclear("it redirects a descriptor other than 0, 1 and 2"));
        }
        self.skip(digits);
        self.operator()?;
        Ok(true)
    }

    fn operator(&mut self) -> Result<(), Unclear> {
        let ahead: String = self.rest().iter().take(3).collect();
        if ahead == "<<<" {
            self.skip(3);
            self.skip_blanks()?;
            self.target()?;
        } else if ahead.starts_with("<<") {
            let strip = ahead == "<<-";
            self.skip(if strip { 3 } else { 2 });
            self.announce(strip)?;
        } else if ahead.starts_with("<&") || ahead.starts_with(">&") {
            self.skip(2);
            self.duplicate(ahead.starts_with('>'))?;
        } else if ahead.starts_with("<>") {
            self.skip(2);
            self.writes()?;
        } else if ahead.starts_with('<') {
            self.skip(1);
            self.skip_blanks()?;
            let target = self.target()?;
            self.script.redirections.push(Redirection::Reads(target));
        } else {
            let length = match ahead.as_str() {
                "&>>" => 3,
                _ if ahead.starts_with("&>") => 2,
                _ if ahead.starts_with(">>") || ahead.starts_with(">|") => 2,
                _ => 1,
            };
            self.skip(length);
            self.writes()?;
        }
        Ok(())
    }

    fn writes(&mut self) -> Result<(), Unclear> {
        self.skip_blanks()?;
        let target = self.target()?;
        self.script.redirections.push(Redirection::Writes(target));
        Ok(())
    }

    fn target(&mut self) -> Result<super::Word, Unclear> {
        if matches!(self.peek(), Some('<' | '>')) && self.peek_at(1) == Some('(') {
            return self.process_substitution();
        }
        if self.peek().is_none_or(ends_word) {
            return Err(Unclear("a redirection has no target"));
        }
        self.word()
    }

    /// `>&2`, `2>&-`; `>&file` writes a file.
    fn duplicate(&mut self, writes: bool) -> Result<(), Unclear> {
        let word: String = self.rest().iter().take_while(|c| !ends_word(**c)).collect();
        match word.as_str() {
            "0" | "1" | "2" | "-" => {
                self.advance();
                Ok(())
            }
            _ if writes && !word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                self.writes()
            }
            _ => Err(Unclear("it redirects a descriptor other than 0, 1 and 2")),
        }
    }

    fn announce(&mut self, strip: bool) -> Result<(), Unclear> {
        self.skip_blanks()?;
        let raw: String = self.rest().iter().take_while(|c| !ends_word(**c)).collect();
        self.skip(raw.chars().count());
        let unquoted = ['\'', '"']
            .into_iter()
            .find_map(|quote| raw.strip_prefix(quote).and_then(|raw| raw.strip_suffix(quote)));
        let delimiter = unquoted.or_else(|| raw.strip_prefix('\\')).unwrap_or(&raw);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if delimiter.is_empty() || !delimiter.chars().all(plain) {
            return Err(Unclear("a here-document has a delimiter that is not plain"));
        }
        let quoted = delimiter.len() != raw.len();
        self.documents.push(Document { delimiter: delimiter.to_owned(), strip, quoted });
        Ok(())
    }

    pub(super) fn awaits_document(&self) -> bool {
        !self.documents.is_empty()
    }

    /// Reads the announced documents; the reader stands behind a line end.
    pub(super) fn read_documents(&mut self) -> Result<(), Unclear> {
        for document in std::mem::take(&mut self.documents) {
            let mut body = String::new();
            loop {
                let Some(line) = self.line() else {
                    return Err(Unclear("a here-document does not end"));
                };
                let bare = if document.strip { line.trim_start_matches('\t') } else { &line };
                if bare == document.delimiter {
                    break;
                }
                if !document.quoted && line.ends_with('\\') {
                    return Err(Unclear("a line of a here-document is continued"));
                }
                body.push_str(bare);
                body.push('\n');
            }
            if !document.quoted {
                self.expand(&body)?;
            }
        }
        Ok(())
    }

    /// The rest of the line, past its end; `None` at the end of the text. The last line needs no
    /// line end.
    fn line(&mut self) -> Option<String> {
        self.peek()?;
        let line: String = self.rest().iter().take_while(|c| **c != '\n').collect();
        self.skip(line.chars().count());
        self.next();
        Some(line)
    }
}
