//! Words against the reference's (`tests/fixtures/embedding/tokens.jsonl`, which
//! `release/bench/embedding_tokens.py` writes with the `tokenizers` wheel), pieces against a small
//! vocabulary. The tokens of the fixture are tried with the model itself, by tests/cli.

use super::*;

const UNCASED: Folding = Folding { lowercase: true, strip_accents: true };

fn all_words(text: &str, folding: Folding) -> Vec<String> {
    let mut all = Vec::new();
    words::words(text, folding, |word| all.push(word.to_owned()));
    all
}

fn pieces(vocabulary: &[&str]) -> WordPieces {
    let kind = |text: &str| match text {
        "<name>" => Kind::Name,
        _ if text.starts_with('[') => Kind::Control,
        _ => Kind::Piece,
    };
    let tokens = (0..).zip(vocabulary).map(|(token, text)| (token, *text, kind(text)));
    WordPieces::new(tokens, 100, UNCASED)
}

fn tokens(pieces: &WordPieces, text: &str, markup: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    pieces.tokenize(text, markup, &mut tokens);
    tokens
}

#[test]
fn words_are_those_of_the_reference() {
    let rows = include_str!("../../../../tests/fixtures/embedding/tokens.jsonl").lines();
    let mut tried = 0;
    for row in rows {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let text = row["text"].as_str().unwrap();
        let expected: Vec<&str> = row["words"].as_str().unwrap().split_terminator(' ').collect();
        assert_eq!(all_words(text, UNCASED), expected, "{text:?}");
        tried += 1;
    }
    assert!(tried >= 300, "{tried}");
}

#[test]
fn a_model_with_case_keeps_it() {
    let folding = Folding { lowercase: false, strip_accents: false };
    assert_eq!(all_words("Ångström \u{1e9}한", folding), ["Ångström", "\u{1e9}한"]);
    let folding = Folding { lowercase: true, strip_accents: false };
    assert_eq!(all_words("ÅNGSTRÖM", folding), ["ångström"]);
}

#[test]
fn the_longest_piece_is_taken_first() {
    let pieces = pieces(&["▁un", "▁una", "able", "ffable", "▁u", "▁é", "한", "▁"]);
    assert_eq!(tokens(&pieces, "UABLE UNAFFABLE \u{e9}", false), [4, 2, 1, 3, 100]);
    assert_eq!(tokens(&pieces, "unable", false), [100], "and never given back: `una`, no `ble`");
    assert_eq!(tokens(&pieces, "able unx", false), [100, 100], "no part of it is kept");
    assert!(tokens(&pieces, " ", false).is_empty());
    assert_eq!(tokens(&pieces, "▁", false), [100]);
}

#[test]
fn words_of_more_than_a_hundred_letters_are_unknown() {
    let pieces = pieces(&["▁é", "▁x", "x", "ж"]);
    assert_eq!(tokens(&pieces, &"x".repeat(100), false).len(), 100);
    assert_eq!(tokens(&pieces, &"x".repeat(101), false), [100]);
    let letters = format!("x{}", "ж".repeat(99));
    assert_eq!(tokens(&pieces, &letters, false).len(), 100, "letters, not bytes");
}

#[test]
fn names_of_tokens_are_text_unless_markup_is_wanted() {
    let pieces = pieces(&["[MASK]", "▁a", "▁[", "▁]", "▁mask", "<name>", "[MASK]]"]);
    assert_eq!(tokens(&pieces, "a[MASK]a", false), [1, 2, 4, 3, 1]);
    assert_eq!(tokens(&pieces, "a[MASK]a", true), [1, 0, 1]);
    assert_eq!(tokens(&pieces, "[MASK]]", true), [6], "the longest");
    assert_eq!(tokens(&pieces, "a<name>a", false), [1, 5, 1]);
}

proptest::proptest! {
    #[test]
    fn any_text_has_tokens_and_none_of_its_words_is_lost(text in ".{0,200}") {
        let pieces = pieces(&["▁a", "b"]);
        let found = tokens(&pieces, &text, false);
        let words = all_words(&text, UNCASED);
        proptest::prop_assert!(found.len() >= words.len());
        proptest::prop_assert!(words.iter().all(|word| !word.is_empty()));
        // What was normalised once stays as it is.
        for word in &words {
            proptest::prop_assert_eq!(&all_words(word, UNCASED), &vec![word.clone()]);
        }
    }
}
