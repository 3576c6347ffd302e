//! Lists, pipelines and simple commands; `compound` has the others.

use super::MAX_COMMANDS;
use super::MAX_DEPTH;
use super::Script;
use super::Simple;
use super::Unclear;
use super::heredoc::Document;
use super::reader::ends_word;
use super::reader::is_name;
use super::reader::is_name_start;

/// Words that mean something where a command may begin.
const RESERVED: [&str; 22] = [
    "!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for",
    "function", "if", "in", "select", "then", "time", "until", "while", "{", "}",
];

/// Reads one text; what it finds goes to `script`.
pub(super) struct Parser<'a> {
    text: Vec<char>,
    at: usize,
    depth: usize,
    pub(super) documents: Vec<Document>,
    pub(super) script: &'a mut Script,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &str, depth: usize, script: &'a mut Script) -> Self {
        Self { text: text.chars().collect(), at: 0, depth, documents: Vec::new(), script }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    pub(super) fn rest(&self) -> &[char] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    pub(super) fn skip(&mut self, characters: usize) {
        self.at += characters;
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// Skips blanks and continued lines.
    pub(super) fn skip_blanks(&mut self) -> Result<(), Unclear> {
        loop {
            match self.peek() {
                Some(' ' | '\t') => self.advance(),
                Some('\\') if self.peek_at(1) == Some('\n') => {
                    if self.awaits_document() {
                        return Err(Unclear("a line is continued before a here-document"));
                    }
                    self.at += 2;
                }
                _ => return Ok(()),
            }
        }
    }

    fn skip_comment(&mut self) {
        if self.peek() == Some('#') {
            while self.peek().is_some_and(|c| c != '\n') {
                self.advance();
            }
        }
    }

    pub(super) fn skip_lines(&mut self) -> Result<(), Unclear> {
        loop {
            self.skip_blanks()?;
            self.skip_comment();
            if self.peek() != Some('\n') {
                return Ok(());
            }
            self.line_end()?;
        }
    }

    fn line_end(&mut self) -> Result<(), Unclear> {
        self.advance();
        self.read_documents()
    }

    /// Reads something one level deeper. Documents may not cross the border.
    pub(super) fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<(), Unclear>,
    ) -> Result<(), Unclear> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Unclear("it is nested too deeply"));
        }
        if self.awaits_document() {
            return Err(Unclear("a group or substitution stands before a here-document"));
        }
        read(self)?;
        if self.awaits_document() {
            return Err(Unclear("a here-document does not end"));
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a text of its own (backquotes).
    pub(super) fn substitute(&mut self, text: &str) -> Result<(), Unclear> {
        if self.depth + 1 > MAX_DEPTH {
            return Err(Unclear("it is nested too deeply"));
        }
        Parser::new(text, self.depth + 1, self.script).whole()
    }

    /// Reads the text of a here-document.
    pub(super) fn expand(&mut self, text: &str) -> Result<(), Unclear> {
        Parser::new(text, self.depth, self.script).document()
    }

    /// A whole text.
    pub(super) fn whole(mut self) -> Result<(), Unclear> {
        self.list(&[])?;
        if self.peek().is_some() {
            return Err(Unclear("it has a syntax error"));
        }
        if self.awaits_document() {
            return Err(Unclear("a here-document does not end"));
        }
        Ok(())
    }

    /// The inside of `$(…)`, `<(…)` or `(…)`, past its end; the reader stands behind the `(`.
    pub(super) fn list_until_parenthesis(&mut self) -> Result<(), Unclear> {
        self.list(&[])?;
        if self.next() == Some(')') {
            return Ok(());
        }
        Err(Unclear("a parenthesis is not closed"))
    }

    /// Commands up to the end, a `)`, `;;` or one of `ends`. Whether there must be one is checked by
    /// the callers that need it.
    pub(super) fn list(&mut self, ends: &[&str]) -> Result<(), Unclear> {
        loop {
            self.skip_lines()?;
            if self.at_end(ends)? {
                return Ok(());
            }
            self.and_or()?;
            self.skip_blanks()?;
            self.skip_comment();
            match self.peek() {
                Some(';') if self.peek_at(1) != Some(';') => self.advance(),
                Some('&') => self.advance(),
                Some('\n') => self.line_end()?,
                _ => {}
            }
        }
    }

    pub(super) fn at_end(&self, ends: &[&str]) -> Result<bool, Unclear> {
        match self.peek() {
            None | Some(')') => return Ok(true),
            Some(';') if self.peek_at(1) == Some(';') && ends == ["esac"] => return Ok(true),
            Some(';' | '|' | '&') if self.peek_at(1) != Some('>') => {
                return Err(Unclear("it has a syntax error"));
            }
            _ => {}
        }
        Ok(self.reserved().is_some_and(|word| ends.contains(&word)))
    }

    /// The reserved word that stands here.
    pub(super) fn reserved(&self) -> Option<&'static str> {
        let rest = self.rest();
        RESERVED.into_iter().find(|word| {
            let length = word.chars().count();
            word.chars().eq(rest.iter().copied().take(length))
                && rest.get(length).is_none_or(|c| ends_word(*c))
        })
    }

    pub(super) fn take_reserved(&mut self, word: &str) -> Result<(), Unclear> {
        if self.reserved().is_none_or(|found| found != word) {
            return Err(Unclear("it has a syntax error"));
        }
        self.at += word.chars().count();
        Ok(())
    }

    fn and_or(&mut self) -> Result<(), Unclear> {
        loop {
            self.pipeline()?;
            self.skip_blanks()?;
            let doubled = self.peek() == self.peek_at(1);
            if !(doubled && matches!(self.peek(), Some('&' | '|'))) {
                return Ok(());
            }
            self.at += 2;
            self.skip_lines()?;
        }
    }

    fn pipeline(&mut self) -> Result<(), Unclear> {
        while let Some(word @ ("!" | "time")) = self.reserved() {
            self.at += word.len();
            self.skip_blanks()?;
            if word == "time" && self.peek() == Some('-') {
                return Err(Unclear("it times with an option"));
            }
        }
        loop {
            // After a `|`, `!` and `time` mean other things: a syntax error, or a program.
            self.command()?;
            self.skip_blanks()?;
            if self.peek() != Some('|') || self.peek_at(1) == Some('|') {
                return Ok(());
            }
            self.advance();
            if self.peek() == Some('&') {
                self.advance();
            }
            self.skip_lines()?;
        }
    }

    fn command(&mut self) -> Result<(), Unclear> {
        if self.peek() == Some('(') {
            if self.peek_at(1) == Some('(') {
                return Err(Unclear("it has arithmetic that is not plain"));
            }
            self.advance();
            self.nested(Self::list_until_parenthesis)?;
            return self.redirections();
        }
        match self.reserved() {
            None => return self.simple(),
            Some("{") => self.nested(|parser| {
                parser.take_reserved("{")?;
                parser.block(&["}"])?;
                parser.take_reserved("}")
            })?,
            Some("if") => self.nested(Self::branches)?,
            Some("while" | "until") => self.nested(|parser| {
                parser.skip("while".len());
                parser.block(&["do"])?;
                parser.body()
            })?,
            Some("for") => self.nested(Self::each)?,
            Some("case") => self.nested(Self::cases)?,
            Some(_) => return Err(Unclear("it has a construct that is not judged")),
        }
        self.redirections()
    }

    /// What may follow a compound command.
    fn redirections(&mut self) -> Result<(), Unclear> {
        loop {
            self.skip_blanks()?;
            if !self.redirection()? {
                break;
            }
        }
        match self.peek() {
            None | Some('\n' | ';' | '&' | '|' | ')' | '#') => Ok(()),
            _ if self.reserved().is_some() => Ok(()),
            _ => Err(Unclear("it has a syntax error")),
        }
    }

    fn simple(&mut self) -> Result<(), Unclear> {
        let mut words = Vec::new();
        let mut something = false;
        loop {
            self.skip_blanks()?;
            if self.redirection()? {
                something = true;
                continue;
            }
            match self.peek() {
                None | Some('\n' | ';' | '&' | '|' | ')' | '#') => break,
                Some('<' | '>') => words.push(self.process_substitution()?),
                Some('(') => return Err(Unclear("it has a function or a syntax error")),
                Some(_) if words.is_empty() && self.assignment()? => {}
                Some(_) => words.push(self.word()?),
            }
            something = true;
        }
        if !something {
            return Err(Unclear("it has a syntax error"));
        }
        if !words.is_empty() {
            if self.script.commands.len() >= MAX_COMMANDS {
                return Err(Unclear("it has more commands than what is judged"));
            }
            self.script.commands.push(Simple { words });
        }
        Ok(())
    }

    /// `name=value` before the program.
    fn assignment(&mut self) -> Result<bool, Unclear> {
        if !self.peek().is_some_and(is_name_start) {
            return Ok(false);
        }
        let name: String = self.rest().iter().take_while(|c| is_name(**c)).collect();
        let after = name.chars().count();
        let length = match (self.peek_at(after), self.peek_at(after + 1)) {
            (Some('='), _) => after + 1,
            (Some('+'), Some('=')) => after + 2,
            (Some('['), _) => return Err(Unclear("it may assign to an array")),
            _ => return Ok(false),
        };
        self.at += length;
        self.script.variables.push(name);
        self.word()?;
        Ok(true)
    }
}
