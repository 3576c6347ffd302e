//! The line of a file that an error is about, made fit for a terminal and for a log.
//!
//! Must not show a secret: the parts of a line that look like one are masked whether or not the
//! setting is known, since it is the mistyped setting that ends up here.

use std::ops::Range;

use super::Source;
use crate::config::error::Excerpt;
use crate::config::secret::MASK;
use crate::config::table::schema;
use crate::protocol::secrets::has_beginning_of_secret;
use crate::protocol::secrets::sounds_secret;

/// Characters of a line that are shown.
const WIDTH: usize = 100;

/// Settings that hold secrets although their names do not say so.
const HOLDERS: [&str; 2] = ["cookie", "headers"];

fn holds_secrets(text: &str) -> bool {
    sounds_secret(text) || HOLDERS.iter().any(|word| text.contains(word))
}

/// The line at the start of `span`, with the part of `span` on it marked.
pub(super) fn excerpt(source: &Source, span: Range<usize>) -> Excerpt {
    let (line, column) = source.position(span.start);
    let text = source.line(line);
    let marked = source.text.get(span).unwrap_or_default();
    let width = marked.lines().next().unwrap_or_default().chars().count();
    let (shown, start, width) = masked(text, column - 1, width);
    cut(&shown, start, width)
}

/// Replaces what could be a secret; the mark moves along.
fn masked(line: &str, start: usize, width: usize) -> (Vec<char>, usize, usize) {
    let letters: Vec<char> = line.chars().collect();
    let mut hidden = vec![false; letters.len()];
    hide_values(&letters, &mut hidden);
    hide_words(&letters, &mut hidden);
    let mut shown: Vec<char> = Vec::with_capacity(letters.len());
    // Where each letter went; one more for the end.
    let mut moved = Vec::with_capacity(letters.len() + 1);
    for (at, letter) in letters.iter().enumerate() {
        moved.push(shown.len());
        if !hidden[at] {
            shown.push(*letter);
        } else if at == 0 || !hidden[at - 1] {
            shown.extend(MASK.chars());
        }
    }
    moved.push(shown.len());
    let place = |at: usize| moved.get(at).copied().unwrap_or(shown.len());
    let (start, end) = (place(start), place(start + width));
    (shown, start, end.saturating_sub(start))
}

/// Hides the text values behind keys that sound secret.
fn hide_values(letters: &[char], hidden: &mut [bool]) {
    // The value of this key, and of all keys of this object.
    let (mut secret, mut group) = (false, false);
    let mut at = 0;
    while at < letters.len() {
        if letters[at] == '}' {
            (secret, group) = (false, false);
        }
        if letters[at] != '"' {
            at += 1;
            continue;
        }
        let close = closing_quote(letters, at);
        let is_key = letters[close + 1..].iter().find(|c| !c.is_whitespace()) == Some(&':');
        if is_key {
            let name: String = letters[at..=close].iter().collect::<String>().to_lowercase();
            group |= name.contains("headers");
            secret = group || holds_secrets(&name);
        } else if secret {
            let end = if letters[close] == '"' { close } else { close + 1 };
            hidden[(at + 1).min(end)..end].fill(true);
        }
        at = close + 1;
    }
}

/// Hides long words that are no names of ours, where the line sounds secret at all or they begin as
/// tokens do: with a quote missing, nothing tells a key from a value.
fn hide_words(letters: &[char], hidden: &mut [bool]) {
    let line: String = letters.iter().collect::<String>().to_lowercase();
    let sounds_secret = holds_secrets(&line);
    let is_part = |letter: &char| letter.is_alphanumeric() || "_-+/=.~".contains(*letter);
    let mut at = 0;
    while at < letters.len() {
        let length = letters[at..].iter().take_while(|letter| is_part(letter)).count();
        let word: String = letters[at..at + length].iter().collect();
        let ours = word.len() < 8 || schema::is_word(&word);
        if (sounds_secret && !ours) || begins_as_tokens_do(&word) {
            hidden[at..at + length].fill(true);
        }
        at += length.max(1);
    }
}

/// Index of the quote that ends the text that begins at `open`, or of the last letter.
fn closing_quote(letters: &[char], open: usize) -> usize {
    let mut at = open + 1;
    while at < letters.len() {
        match letters[at] {
            '\\' => at += 1,
            '"' => return at,
            _ => {}
        }
        at += 1;
    }
    letters.len() - 1
}

/// Whether a word has the beginning of a well-known token, and is long enough to be more than that.
pub(in crate::config) fn begins_as_tokens_do(word: &str) -> bool {
    word.len() >= 12 && has_beginning_of_secret(word)
}

/// A window of the line around the mark; control characters become visible.
fn cut(letters: &[char], start: usize, width: usize) -> Excerpt {
    let from = if start + 20 > WIDTH { start.saturating_sub(WIDTH / 2) } else { 0 };
    let to = letters.len().min(from + WIDTH);
    let lead = if from > 0 { "…" } else { "" };
    let tail = if to < letters.len() { "…" } else { "" };
    let body: String = letters[from.min(to)..to]
        .iter()
        .map(|letter| match letter {
            '\t' => ' ',
            letter if letter.is_control() => '\u{fffd}',
            letter => *letter,
        })
        .collect();
    let start = start - from.min(start) + lead.chars().count();
    let room = (lead.chars().count() + (to - from.min(to))).saturating_sub(start);
    Excerpt { text: format!("{lead}{body}{tail}"), start, width: width.clamp(1, room.max(1)) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Source;

    fn shown(text: &str, part: &str) -> (String, String) {
        let source = Source::of_text(Path::new("c"), text.to_owned());
        let at = text.find(part).unwrap();
        let excerpt = super::excerpt(&source, at..at + part.len());
        let marked = excerpt.text.chars().skip(excerpt.start).take(excerpt.width).collect();
        (excerpt.text, marked)
    }

    #[test]
    fn the_part_is_marked_on_its_line() {
        let (text, marked) = shown("{\n\t\"limits\": {\"max_tunrs\": 3}\n}", "\"max_tunrs\"");
        assert_eq!(
            (text.as_str(), marked.as_str()),
            (" \"limits\": {\"max_tunrs\": 3}", "\"max_tunrs\"")
        );
    }

    #[test]
    fn secrets_are_masked_and_the_mark_stays_where_it_belongs() {
        let line = r#"{"api_key": "sk-canary-canary", "x": 1}"#;
        let (text, marked) = shown(line, "\"x\"");
        assert_eq!((text.as_str(), marked.as_str()), (r#"{"api_key": "***", "x": 1}"#, "\"x\""));
        let (text, _) = shown(r#"{"headers": {"a": "canary", "b": "canary"}, "x": 1}"#, "\"x\"");
        assert!(!text.contains("canary"), "{text}");
        let (text, _) = shown(r#"{"modle": "ghp_canarycanary"}"#, "\"modle\"");
        assert!(!text.contains("canary"), "{text}");
        let (text, marked) = shown(line, "\"sk-canary-canary\"");
        assert!(!text.contains("canary") && marked.starts_with("\"*"), "{text} {marked}");
        let (text, _) =
            shown(r#"{"model"", "headers": {"X": "canary-words"}, "max_turns": 1}"#, "\"\"");
        assert!(!text.contains("canary") && text.contains("max_turns"), "{text}");
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let line = format!(
            "{{\"a\": \"{}\", \"here\": 1, \"b\": \"{}\"}}",
            "x".repeat(400),
            "y".repeat(400)
        );
        let (text, marked) = shown(&line, "\"here\"");
        assert!(text.chars().count() < 110);
        assert_eq!(marked, "\"here\"");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(?s).{0,300}", from in 0usize..300, length in 0usize..40) {
            let source = Source::of_text(Path::new("c"), text);
            drop(super::excerpt(&source, from..from + length));
        }
    }
}
