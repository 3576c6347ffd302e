//! Words: quotes, expansions, substitutions.
//!
//! Knows nothing of lists and compound commands but that a substitution holds a list.

use super::Unclear;
use super::Word;
use super::grammar::Parser;

/// Characters that end an unquoted word.
pub(super) fn ends_word(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}

/// A word while it is read.
#[derive(Default)]
struct Draft {
    text: String,
    /// Something is expanded.
    expands: bool,
    /// It may become several words, or none.
    splits: bool,
    /// The first letter, where it is one for certain.
    first: Option<char>,
    begun: bool,
}

impl Draft {
    fn letter(&mut self, c: char) {
        if !self.begun {
            self.first = Some(c);
            self.begun = true;
        }
        self.text.push(c);
    }

    fn expansion(&mut self, splits: bool) {
        self.begun = true;
        self.expands = true;
        self.splits |= splits;
    }

    fn finish(self) -> Word {
        let starts_plainly = self.first.is_some_and(|c| c != '-');
        Word {
            operand: !self.splits && (starts_plainly || (!self.expands && self.text.is_empty())),
            fixed: !self.expands,
            text: self.text,
        }
    }
}

impl Parser<'_> {
    /// Reads one word, up to a blank or an operator. It may be empty only where it is quoted.
    pub(super) fn word(&mut self) -> Result<Word, Unclear> {
        let mut draft = Draft::default();
        let mut last = None;
        while let Some(c) = self.peek() {
            if ends_word(c) {
                if c == '(' {
                    return Err(Unclear("it has a function, an array or an extended pattern"));
                }
                if matches!(c, '<' | '>') && self.peek_at(1) == Some('(') && last.is_some() {
                    return Err(Unclear("a process substitution stands inside a word"));
                }
                break;
            }
            self.advance();
            match c {
                '\'' => self.single_quoted(&mut draft)?,
                '"' => self.double_quoted(&mut draft)?,
                '\\' => match self.next() {
                    None | Some('\n') => {
                        return Err(Unclear("a line is continued inside a word"));
                    }
                    Some(escaped) => draft.letter(escaped),
                },
                '$' => self.dollar(&mut draft, false)?,
                '`' => self.backquoted(&mut draft, false)?,
                // Names that match are not split, but the first may begin with a dash.
                '[' if last.is_none() && self.peek().is_none_or(ends_word) => draft.letter('['),
                '*' | '?' | '[' => draft.expansion(false),
                '{' if self.peek() == Some('}') => {
                    self.advance();
                    draft.letter('{');
                    draft.letter('}');
                }
                '{' => draft.expansion(true),
                '~' if matches!(last, None | Some('=' | ':')) => {
                    // A home directory: a path, whosever it is.
                    draft.letter('~');
                    draft.expansion(false);
                }
                other => draft.letter(other),
            }
            last = Some(c);
        }
        Ok(draft.finish())
    }

    /// A word that is a process substitution, `<(…)` or `>(…)`; the reader stands on `<` or `>`.
    pub(super) fn process_substitution(&mut self) -> Result<Word, Unclear> {
        self.advance();
        self.advance();
        self.nested(Self::list_until_parenthesis)?;
        if self.peek().is_some_and(|c| !ends_word(c)) {
            return Err(Unclear("a process substitution stands inside a word"));
        }
        // A path such as `/dev/fd/63`.
        Ok(Word { text: String::new(), fixed: false, operand: true })
    }

    fn single_quoted(&mut self, draft: &mut Draft) -> Result<(), Unclear> {
        draft.begun |= self.peek() == Some('\'');
        loop {
            match self.next() {
                None => return Err(Unclear("a quote is not closed")),
                Some('\'') => return Ok(()),
                Some(c) => {
                    self.refuse_line_end_before_document(c)?;
                    draft.letter(c);
                }
            }
        }
    }

    fn double_quoted(&mut self, draft: &mut Draft) -> Result<(), Unclear> {
        loop {
            match self.next() {
                None => return Err(Unclear("a quote is not closed")),
                Some('"') => return Ok(()),
                Some('\\') => match self.next() {
                    None => return Err(Unclear("a quote is not closed")),
                    Some('\n') => return Err(Unclear("a line is continued inside a word")),
                    Some(c @ ('$' | '`' | '"' | '\\')) => draft.letter(c),
                    Some(c) => {
                        draft.letter('\\');
                        draft.letter(c);
                    }
                },
                Some('$') => self.dollar(draft, true)?,
                Some('`') => self.backquoted(draft, true)?,
                Some(c) => {
                    self.refuse_line_end_before_document(c)?;
                    draft.letter(c);
                }
            }
        }
    }

    /// Bash looks for a here-document after the next line end that is not quoted; which one that is
    /// when a quoted one comes first is not worth knowing.
    fn refuse_line_end_before_document(&self, c: char) -> Result<(), Unclear> {
        if c == '\n' && self.awaits_document() {
            return Err(Unclear("a quoted line end stands before a here-document"));
        }
        Ok(())
    }

    /// What follows a `$`.
    fn dollar(&mut self, draft: &mut Draft, quoted: bool) -> Result<(), Unclear> {
        match self.peek() {
            Some('(') if self.peek_at(1) == Some('(') => {
                self.arithmetic()?;
                draft.expansion(!quoted);
            }
            Some('(') => {
                self.advance();
                self.nested(Self::list_until_parenthesis)?;
                draft.expansion(!quoted);
            }
            Some('{') => {
                self.parameter()?;
                draft.expansion(!quoted);
            }
            Some('[') => return Err(Unclear("it has arithmetic that is not plain")),
            Some('\'') if !quoted => self.escaped_text(draft)?,
            Some('"') if !quoted => return Err(Unclear("it has a translated text")),
            // Several words even in quotes.
            Some('@') => {
                self.advance();
                draft.expansion(true);
            }
            Some('*' | '#' | '?' | '$' | '!' | '-' | '0'..='9') => {
                self.advance();
                draft.expansion(!quoted);
            }
            Some(c) if is_name_start(c) => {
                while self.peek().is_some_and(is_name) {
                    self.advance();
                }
                draft.expansion(!quoted);
            }
            _ => draft.letter('$'),
        }
        Ok(())
    }

    /// `$((…))` of numbers. Names are evaluated again and again by bash, and may run commands.
    fn arithmetic(&mut self) -> Result<(), Unclear> {
        self.advance();
        self.advance();
        while matches!(self.peek(), Some('0'..='9' | ' ' | '+' | '-' | '*' | '/' | '%')) {
            self.advance();
        }
        if self.next() == Some(')') && self.next() == Some(')') {
            return Ok(());
        }
        Err(Unclear("it has arithmetic that is not plain"))
    }

    /// `${name}`, `${#name}`, and a few changes by plain letters: the others assign, look up by
    /// name or run what a variable holds.
    fn parameter(&mut self) -> Result<(), Unclear> {
        const UNCLEAR: Unclear = Unclear("it has an expansion that is not plain");
        self.advance();
        if self.peek() == Some('#') && self.peek_at(1) != Some('}') {
            self.advance();
        }
        let start = self.position();
        while self.peek().is_some_and(is_name) {
            self.advance();
        }
        if self.position() == start {
            return Err(UNCLEAR);
        }
        match self.next() {
            Some('}') => return Ok(()),
            Some(':') if self.next() == Some('-') => {}
            Some('-' | '%' | '#') => {}
            _ => return Err(UNCLEAR),
        }
        while let Some(c) = self.next() {
            match c {
                '}' => return Ok(()),
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '/' | '-' | '*' | '%' | '#' => {}
                _ => return Err(UNCLEAR),
            }
        }
        Err(UNCLEAR)
    }

    /// `$'…'`, with the escapes whose meaning nobody doubts.
    fn escaped_text(&mut self, draft: &mut Draft) -> Result<(), Unclear> {
        self.advance();
        loop {
            match self.next() {
                None => return Err(Unclear("a quote is not closed")),
                Some('\'') => return Ok(()),
                Some('\\') => match self.next() {
                    Some('n') => draft.letter('\n'),
                    Some('t') => draft.letter('\t'),
                    Some(c @ ('\\' | '\'' | '"')) => draft.letter(c),
                    _ => return Err(Unclear("it has an escape that is not plain")),
                },
                Some(c) => {
                    self.refuse_line_end_before_document(c)?;
                    draft.letter(c);
                }
            }
        }
    }

    fn backquoted(&mut self, draft: &mut Draft, quoted: bool) -> Result<(), Unclear> {
        let mut inner = String::new();
        loop {
            match self.next() {
                None => return Err(Unclear("a quote is not closed")),
                Some('`') => break,
                Some('\\') => return Err(Unclear("it has a backslash in backquotes")),
                Some(c) => inner.push(c),
            }
        }
        self.substitute(&inner)?;
        draft.expansion(!quoted);
        Ok(())
    }

    /// The text of an unquoted here-document: only `$`, backquotes and backslashes mean something.
    pub(super) fn document(mut self) -> Result<(), Unclear> {
        let mut draft = Draft::default();
        while let Some(c) = self.next() {
            match c {
                '$' => self.dollar(&mut draft, true)?,
                '`' => self.backquoted(&mut draft, true)?,
                '\\' => {
                    self.next();
                }
                _ => {}
            }
        }
        Ok(())
    }
}

pub(super) fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
