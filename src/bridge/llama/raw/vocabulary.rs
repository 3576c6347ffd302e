//! Text to tokens and back.

use std::ffi::CStr;

use llama_cpp_sys_2 as sys;

use super::super::word_pieces::Folding;
use super::super::word_pieces::Kind;
use super::super::word_pieces::WordPieces;
use super::Failure;
use super::Model;
use super::THREW;
use super::Token;
use super::guard;
use super::guarded;

/// Longest text that is tokenised; the C interface counts in 32 bits.
const MAX_TEXT: usize = 1 << 28;
/// What stands for unknown words where the file does not say (`BERT`'s own number of it).
const UNKNOWN: Token = 100;

impl Model {
    /// Text to tokens. `special`: with what the model wants around a text; `markup`: names of
    /// control tokens become those tokens.
    pub(in super::super) fn tokenize(
        &self,
        text: &[u8],
        special: bool,
        markup: bool,
    ) -> Result<Vec<Token>, Failure> {
        if text.len() > MAX_TEXT {
            return Err(Failure(format!("a text of {} bytes is too long to tokenize", text.len())));
        }
        match self.word_pieces() {
            Some(pieces) => self.tokenize_words(pieces, text, special, markup),
            None => self.tokenize_by_kernel(text, special, markup),
        }
    }

    /// The vocabulary, where it is one of words; made when it is first asked for.
    fn word_pieces(&self) -> Option<&WordPieces> {
        // SAFETY: reads a number of a valid vocabulary.
        let kind = unsafe { sys::llama_vocab_type(self.vocabulary()) };
        (kind == sys::LLAMA_VOCAB_TYPE_WPM).then(|| {
            self.pieces.get_or_init(|| {
                let said = |key: &str| self.text_of(&format!("tokenizer.ggml.{key}"));
                let lowercase = said("normalizer.lowercase").is_none_or(|text| text == "true");
                let accents = said("normalizer.strip_accents");
                let strip_accents = accents.map_or(lowercase, |text| text == "true");
                let unknown = said("unknown_token_id").and_then(|text| text.parse().ok());
                let tokens = (0..self.vocabulary_size()).filter_map(|token| self.entry(token));
                let folding = Folding { lowercase, strip_accents };
                WordPieces::new(tokens, unknown.unwrap_or(UNKNOWN), folding)
            })
        })
    }

    /// A token, how the file spells it and what it is for; only tokens of the vocabulary.
    fn entry(&self, token: Token) -> Option<(Token, &str, Kind)> {
        if !self.knows(token) {
            return None;
        }
        // SAFETY: the token is of this vocabulary, whose texts are C strings that live as long as
        // the model and never change.
        let (text, attributes) = unsafe {
            let text = sys::llama_vocab_get_text(self.vocabulary(), token);
            if text.is_null() {
                return None;
            }
            (CStr::from_ptr(text), sys::llama_vocab_get_attr(self.vocabulary(), token))
        };
        let kind = if attributes & sys::LLAMA_TOKEN_ATTR_USER_DEFINED != 0 {
            Kind::Name
        } else if attributes & (sys::LLAMA_TOKEN_ATTR_CONTROL | sys::LLAMA_TOKEN_ATTR_UNKNOWN) != 0
        {
            Kind::Control
        } else {
            Kind::Piece
        };
        Some((token, text.to_str().ok()?, kind))
    }

    fn tokenize_words(
        &self,
        pieces: &WordPieces,
        text: &[u8],
        special: bool,
        markup: bool,
    ) -> Result<Vec<Token>, Failure> {
        // What is no text becomes U+FFFD, which is left out.
        let text = String::from_utf8_lossy(text);
        let mut tokens = Vec::with_capacity(text.len() / 4 + 2);
        if !special {
            pieces.tokenize(&text, markup, &mut tokens);
            return Ok(tokens);
        }
        // SAFETY: reads numbers of a valid vocabulary.
        let around = unsafe {
            [sys::llama_vocab_bos(self.vocabulary()), sys::llama_vocab_sep(self.vocabulary())]
        };
        if !around.iter().all(|token| self.knows(*token)) {
            return Err(Failure("the vocabulary has no `[CLS]` or no `[SEP]`".to_owned()));
        }
        tokens.push(around[0]);
        pieces.tokenize(&text, markup, &mut tokens);
        tokens.push(around[1]);
        Ok(tokens)
    }

    fn tokenize_by_kernel(
        &self,
        text: &[u8],
        special: bool,
        markup: bool,
    ) -> Result<Vec<Token>, Failure> {
        let length = i32::try_from(text.len()).map_err(|error| Failure(error.to_string()))?;
        let mut tokens: Vec<Token> = vec![0; text.len() / 2 + 16];
        loop {
            let room = i32::try_from(tokens.len()).map_err(|error| Failure(error.to_string()))?;
            let count = guarded("the text cannot be tokenized", |error, size| {
                // SAFETY: text and tokens are valid for the lengths that are passed.
                let count = unsafe {
                    guard::agi_llama_tokenize(
                        self.vocabulary(),
                        text.as_ptr().cast(),
                        length,
                        tokens.as_mut_ptr(),
                        room,
                        special,
                        markup,
                        error,
                        size,
                    )
                };
                (count != THREW).then_some(count)
            })?;
            if let Ok(count) = usize::try_from(count) {
                tokens.truncate(count);
                return Ok(tokens);
            }
            // Too small; the negative number is what it takes.
            tokens.resize(count.unsigned_abs() as usize, 0);
        }
    }

    /// The bytes of a token, appended; `markup`: control tokens as text too.
    pub(in super::super) fn piece(&self, token: Token, markup: bool, out: &mut Vec<u8>) {
        if !self.knows(token) {
            return;
        }
        let mut room = 64;
        loop {
            let start = out.len();
            out.resize(start + room, 0);
            // SAFETY: the token is of this vocabulary, and `out` has `room` bytes from `start` on.
            let count = unsafe {
                sys::llama_token_to_piece(
                    self.vocabulary(),
                    token,
                    out[start..].as_mut_ptr().cast(),
                    i32::try_from(room).unwrap_or(i32::MAX),
                    0,
                    markup,
                )
            };
            if let Ok(count) = usize::try_from(count) {
                out.truncate(start + count);
                return;
            }
            out.truncate(start);
            room = count.unsigned_abs() as usize;
        }
    }
}
