//! Text to words: what `tokenizers` calls `BertNormalizer` and `BertPreTokenizer`, in one pass.

use unicode_normalization::char::decompose_canonical;

use super::characters::is_control;
use super::characters::is_ideograph;
use super::characters::is_mark;
use super::characters::is_punctuation;

/// What becomes of letters before words are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Folding {
    pub(in super::super) lowercase: bool,
    /// Letters are taken apart (NFD), and their marks left out.
    pub(in super::super) strip_accents: bool,
}

/// Gives each word of a text, one after the other; never an empty one.
pub(super) fn words(text: &str, folding: Folding, found: impl FnMut(&str)) {
    let mut words = Words { word: String::new(), folding, found };
    for character in text.chars() {
        if is_control(character) {
            // Left out, and what it stands between is one word.
        } else if character.is_ascii() {
            words.lower(character);
        } else if is_ideograph(character) {
            words.end();
            words.unfold(character);
            words.end();
        } else {
            words.unfold(character);
        }
    }
    words.end();
}

/// The word so far, and whom to tell.
struct Words<F> {
    word: String,
    folding: Folding,
    found: F,
}

impl<F: FnMut(&str)> Words<F> {
    /// A character as the text has it. The parts are not put into canonical order, in which almost
    /// only marks change places: the rest (of musical notes, of scripts newer than the marks that are
    /// known here) is in no vocabulary.
    fn unfold(&mut self, character: char) {
        if !self.folding.strip_accents {
            return self.lower(character);
        }
        decompose_canonical(character, |part| {
            if !is_mark(part) {
                self.lower(part);
            }
        });
    }

    fn lower(&mut self, character: char) {
        if !self.folding.lowercase {
            self.add(character);
        } else if character.is_ascii() {
            self.add(character.to_ascii_lowercase());
        } else {
            character.to_lowercase().for_each(|part| self.add(part));
        }
    }

    fn add(&mut self, character: char) {
        if character.is_whitespace() {
            self.end();
        } else if is_punctuation(character) {
            self.end();
            self.word.push(character);
            self.end();
        } else {
            self.word.push(character);
        }
    }

    fn end(&mut self) {
        if !self.word.is_empty() {
            (self.found)(&self.word);
            self.word.clear();
        }
    }
}
