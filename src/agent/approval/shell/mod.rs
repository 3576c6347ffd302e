//! What a shell command would run, read from its text by a grammar.
//!
//! Strict on purpose: [`parse`] takes the part of bash whose meaning is certain from the text alone
//! and refuses the rest with a reason, since what is not understood is not allowed. It never runs,
//! expands or looks anything up. Other parsers of bash forgive and guess, which is right for an
//! editor and wrong here; docs/decisions.md compares them. `tests/rust/shell_fuzz.rs` holds the
//! result against what a real bash does.
//!
//! [`unwrap`] takes wrappers (`timeout 5 …`) off; [`programs`] knows which programs run or write
//! through their arguments, and `git` which of its commands do not.

mod compound;
mod git;
mod grammar;
mod heredoc;
pub mod programs;
mod reader;
mod sed;
pub mod unwrap;

#[cfg(test)]
mod tests;

use crate::system::visible::is_hidden;

use grammar::Parser;

/// Characters of the longest command that is judged.
const MAX_CHARACTERS: usize = 10_000;

/// Simple commands of the longest command that is judged.
const MAX_COMMANDS: usize = 50;

/// Substitutions, groups and loops in one another.
const MAX_DEPTH: usize = 16;

/// Why a command is not judged: one clause, in words for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unclear(pub &'static str);

/// Everything a command text would do, in the order in which it is written, however deep it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    pub commands: Vec<Simple>,
    pub redirections: Vec<Redirection>,
    /// Variables that are set, by assignments and loops.
    pub variables: Vec<String>,
}

/// One simple command: the program, then its arguments. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simple {
    pub words: Vec<Word>,
}

/// One word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// Its letters without quotes. What is expanded is left out: see `fixed`.
    pub text: String,
    /// `text` is all there is: nothing is expanded.
    pub fixed: bool,
    /// It is certainly one argument, and certainly not an option: it begins with a letter that is
    /// not `-`, and what is expanded after that is not split.
    pub operand: bool,
}

/// A redirection, with the word it is aimed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirection {
    /// A file is read.
    Reads(Word),
    /// A file is written, created or emptied.
    Writes(Word),
}

/// Reads a command.
pub fn parse(text: &str) -> Result<Script, Unclear> {
    if text.chars().count() > MAX_CHARACTERS {
        return Err(Unclear("it is longer than what is judged"));
    }
    if text.chars().any(is_refused) {
        return Err(Unclear("it has control or invisible characters"));
    }
    let mut script = Script::default();
    Parser::new(text, 0, &mut script).whole()?;
    Ok(script)
}

/// Hidden characters, and blanks other than the space and the tab: whether bash splits at those
/// depends on the locale.
fn is_refused(c: char) -> bool {
    is_hidden(c) || (c.is_whitespace() && !matches!(c, '\n' | '\t' | ' '))
}
