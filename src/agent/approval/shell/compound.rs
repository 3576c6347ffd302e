//! Compound commands: conditions, loops, cases.

use super::Unclear;
use super::grammar::Parser;
use super::reader::ends_word;
use super::reader::is_name;
use super::reader::is_name_start;

impl Parser<'_> {
    /// A list with at least one command.
    pub(super) fn block(&mut self, ends: &[&str]) -> Result<(), Unclear> {
        self.skip_lines()?;
        if self.at_end(ends)? {
            return Err(Unclear("it has a syntax error"));
        }
        self.list(ends)
    }

    pub(super) fn body(&mut self) -> Result<(), Unclear> {
        self.take_reserved("do")?;
        self.block(&["done"])?;
        self.take_reserved("done")
    }

    pub(super) fn branches(&mut self) -> Result<(), Unclear> {
        self.take_reserved("if")?;
        loop {
            self.block(&["then"])?;
            self.take_reserved("then")?;
            self.block(&["elif", "else", "fi"])?;
            if self.reserved() != Some("elif") {
                break;
            }
            self.take_reserved("elif")?;
        }
        if self.reserved() == Some("else") {
            self.take_reserved("else")?;
            self.block(&["fi"])?;
        }
        self.take_reserved("fi")
    }

    pub(super) fn each(&mut self) -> Result<(), Unclear> {
        self.take_reserved("for")?;
        self.skip_blanks()?;
        let name: String = self.rest().iter().take_while(|c| is_name(**c)).collect();
        self.skip(name.chars().count());
        if !name.starts_with(is_name_start) || !self.peek().is_some_and(ends_word) {
            return Err(Unclear("it has a loop that is not plain"));
        }
        self.script.variables.push(name);
        self.skip_lines()?;
        if self.reserved() == Some("in") {
            self.take_reserved("in")?;
            self.skip_blanks()?;
            while self.peek().is_some_and(|c| !ends_word(c) && c != '#') {
                self.word()?;
                self.skip_blanks()?;
            }
        }
        if self.peek() == Some(';') {
            self.advance();
        }
        self.skip_lines()?;
        self.body()
    }

    pub(super) fn cases(&mut self) -> Result<(), Unclear> {
        self.take_reserved("case")?;
        self.skip_blanks()?;
        self.word()?;
        self.skip_lines()?;
        self.take_reserved("in")?;
        loop {
            self.skip_lines()?;
            if self.reserved() == Some("esac") {
                return self.take_reserved("esac");
            }
            self.patterns()?;
            self.list(&["esac"])?;
            if self.peek() == Some(';') {
                // `;;` and `;;&`; the list ended at it.
                self.skip(2);
                if self.peek() == Some('&') {
                    self.advance();
                }
            } else if self.reserved() != Some("esac") {
                return Err(Unclear("it has a syntax error"));
            }
        }
    }

    fn patterns(&mut self) -> Result<(), Unclear> {
        if self.peek() == Some('(') {
            self.advance();
        }
        loop {
            self.skip_blanks()?;
            if self.peek().is_none_or(ends_word) {
                return Err(Unclear("it has a syntax error"));
            }
            self.word()?;
            self.skip_blanks()?;
            match self.next() {
                Some('|') => {}
                Some(')') => return Ok(()),
                _ => return Err(Unclear("it has a syntax error")),
            }
        }
    }
}
