//! Text to tokens of a vocabulary of words (`bert`), as the reference (`tokenizers`) does it.
//!
//! llama.cpp has a tokenizer for these that is right for most of Latin, Greek and Cyrillic only: it
//! takes Hangul apart into its first letters, leaves out the vowel signs of Indian scripts, and has
//! no longest word. A vector of other tokens is one of another text, so that this is done here.
//! Knows nothing of llama.cpp: `raw` hands the vocabulary over.

mod characters;
mod words;

use std::collections::HashMap;

use super::raw::Token;
pub(super) use words::Folding;

/// Longer words are unknown as a whole (`max_input_chars_per_word`).
const LONGEST_WORD: usize = 100;
/// What tokens that begin a word begin with in a GGUF; others continue one (`##` elsewhere).
const BEGINNING: char = '\u{2581}';

/// What a token of the vocabulary is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Piece,
    /// Found in a text wherever its name is (`user_defined`).
    Name,
    /// Found only where the caller wants markup (`[MASK]`).
    Control,
}

/// The vocabulary, as it is looked up.
#[derive(Debug)]
pub(super) struct WordPieces {
    beginnings: HashMap<Box<str>, Token>,
    continuations: HashMap<Box<str>, Token>,
    names: Vec<(Box<str>, Token, Kind)>,
    /// Bytes of the longest piece.
    longest: usize,
    unknown: Token,
    folding: Folding,
}

impl WordPieces {
    /// From the vocabulary in its order, as the GGUF spells it. Of two alike the last one counts.
    pub(super) fn new<'a>(
        vocabulary: impl Iterator<Item = (Token, &'a str, Kind)>,
        unknown: Token,
        folding: Folding,
    ) -> Self {
        let room = vocabulary.size_hint().1.unwrap_or(0);
        let mut pieces = Self {
            beginnings: HashMap::with_capacity(room),
            continuations: HashMap::new(),
            names: Vec::new(),
            longest: 0,
            unknown,
            folding,
        };
        for (token, text, kind) in vocabulary {
            if kind != Kind::Piece {
                pieces.names.push((text.into(), token, kind));
                continue;
            }
            let (place, piece) = match text.strip_prefix(BEGINNING) {
                Some(piece) => (&mut pieces.beginnings, piece),
                None => (&mut pieces.continuations, text),
            };
            pieces.longest = pieces.longest.max(piece.len());
            place.insert(piece.into(), token);
        }
        // An empty one would match everywhere and lead nowhere.
        pieces.names.retain(|(name, ..)| !name.is_empty());
        pieces
    }

    /// Appends the tokens of a text, without what stands around it. `markup`: names of control
    /// tokens become those tokens.
    pub(super) fn tokenize(&self, mut text: &str, markup: bool, tokens: &mut Vec<Token>) {
        let wanted = |kind| kind == Kind::Name || markup && kind == Kind::Control;
        let names = || self.names.iter().filter(|(_, _, kind)| wanted(*kind));
        let next = |text: &str| {
            let places = names().filter_map(|name| Some((text.find(&*name.0)?, name)));
            places.min_by_key(|(place, name)| (*place, std::cmp::Reverse(name.0.len())))
        };
        while let Some((place, (name, token, _))) = next(text) {
            self.words(&text[..place], tokens);
            tokens.push(*token);
            text = &text[place + name.len()..];
        }
        self.words(text, tokens);
    }

    fn words(&self, text: &str, tokens: &mut Vec<Token>) {
        words::words(text, self.folding, |word| {
            let before = tokens.len();
            if self.pieces(word, tokens).is_none() {
                tokens.truncate(before);
                tokens.push(self.unknown);
            }
        });
    }

    /// The longest piece, then the longest of the rest, and so on; `None`: there is none, or the
    /// word is too long.
    fn pieces(&self, word: &str, tokens: &mut Vec<Token>) -> Option<()> {
        if word.len() > LONGEST_WORD && word.chars().count() > LONGEST_WORD {
            return None;
        }
        let mut pieces = &self.beginnings;
        let mut rest = word;
        while !rest.is_empty() {
            let mut end = rest.floor_char_boundary(self.longest);
            let token = loop {
                if end == 0 {
                    return None;
                }
                match pieces.get(&rest[..end]) {
                    Some(token) => break *token,
                    None => end = rest.floor_char_boundary(end - 1),
                }
            };
            tokens.push(token);
            rest = &rest[end..];
            pieces = &self.continuations;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
