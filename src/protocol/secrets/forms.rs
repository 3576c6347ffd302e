//! The forms in which a known secret turns up when a command has encoded, reversed or wrapped it.
//!
//! Only what can be computed from the value beforehand is looked for: base64 at each of its three
//! alignments, hexadecimal (also spaced, grouped and dumped: [`Digits`]), percent and JSON escapes,
//! backwards, and any of these broken into lines. What a program encrypts or compresses is out of reach.

use std::ops::Range;

use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem::Finder;

use super::digits::Digits;
use crate::protocol::hex;

/// Characters of base64 next to the certain ones that hold a few bits of the secret as well.
const EDGE: usize = 3;

/// One form of one secret.
pub(super) struct Form {
    /// What its placeholders are called: the secret's name, and how it was encoded.
    pub(super) kind: String,
    finder: Finder<'static>,
    is_base64: bool,
    /// Digits that are also found with something between them.
    is_digits: bool,
}

/// All forms of a value; its own is the first.
pub(super) fn of(name: &str, value: &str) -> Vec<Form> {
    let mut texts = vec![(name.to_owned(), value.to_owned())];
    let mut add = |how: &str, text: String| {
        if !texts.iter().any(|(_, known)| *known == text) {
            texts.push((format!("{name}-{how}"), text));
        }
    };
    add("hex", hex(value.as_bytes()));
    add("hex", hex(value.as_bytes()).to_uppercase());
    add("percent", percent(value, |byte| format!("%{byte:02X}")));
    add("percent", percent(value, |byte| format!("%{byte:02x}")));
    add("percent", bytes(value, |byte| format!("%{byte:02X}")));
    add("json", escaped(value));
    add("reversed", value.chars().rev().collect());
    for alignment in 0..3 {
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            add("base64", base64_middle(&engine, value.as_bytes(), alignment));
        }
    }
    let digits = hex(value.as_bytes());
    let form = |(kind, text): (String, String)| Form {
        is_base64: kind.ends_with("-base64"),
        is_digits: kind.ends_with("-hex") && text == digits,
        finder: Finder::new(text.as_bytes()).into_owned(),
        kind,
    };
    texts.into_iter().map(form).collect()
}

/// Where a text has any of the forms.
pub(super) fn find<'a>(forms: &'a [Form], text: &str) -> Vec<(Range<usize>, &'a str)> {
    let mut found = Vec::new();
    for form in forms {
        for start in form.finder.find_iter(text.as_bytes()) {
            found.push((form.widened(text, start..start + form.length()), form.kind.as_str()));
        }
    }
    if text.contains('\n') {
        let joined = Joined::new(text);
        for form in forms {
            for start in form.finder.find_iter(joined.text.as_bytes()) {
                let range = joined.place(start)..joined.place(start + form.length() - 1) + 1;
                if range.len() > form.length() {
                    found.push((form.widened(text, range), form.kind.as_str()));
                }
            }
        }
    }
    if forms.iter().any(|form| form.is_digits) {
        for digits in [Digits::spaced(text), Digits::dumped(text)] {
            for form in forms.iter().filter(|form| form.is_digits) {
                let places = digits.find(&form.finder).into_iter();
                found.extend(places.map(|range| (range, form.kind.as_str())));
            }
        }
    }
    found
}

impl Form {
    pub(super) fn length(&self) -> usize {
        self.finder.needle().len()
    }

    fn widened(&self, text: &str, range: Range<usize>) -> Range<usize> {
        if !self.is_base64 {
            return range;
        }
        let belongs = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
        let before = text.as_bytes()[..range.start].iter().rev().take(EDGE);
        let after = text.as_bytes()[range.end..].iter().take(EDGE);
        let (before, after) =
            (before.take_while(belongs).count(), after.take_while(belongs).count());
        range.start - before..range.end + after
    }
}

/// The characters that hold nothing but the value, where so many bytes stand before it in their group.
pub(super) fn base64_middle(engine: &impl base64::Engine, value: &[u8], before: usize) -> String {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(value);
    let text = engine.encode(&bytes);
    let uncertain_end = usize::from(!bytes.len().is_multiple_of(3));
    let uncertain_start = if before == 0 { 0 } else { before + 1 };
    text[uncertain_start..text.len() - uncertain_end].to_owned()
}

fn bytes(value: &str, form: impl Fn(u8) -> String) -> String {
    value.bytes().map(form).collect()
}

fn percent(value: &str, form: impl Fn(u8) -> String) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    bytes(value, |byte| if plain(byte) { char::from(byte).to_string() } else { form(byte) })
}

fn escaped(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A text without its line ends.
struct Joined {
    text: String,
    /// Where each line begins: here, and in the text with line ends.
    lines: Vec<(usize, usize)>,
}

impl Joined {
    fn new(text: &str) -> Self {
        let mut joined = Self { text: String::with_capacity(text.len()), lines: Vec::new() };
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            joined.lines.push((joined.text.len(), at));
            joined.text.push_str(line.trim_end_matches(['\r', '\n']));
            at += line.len();
        }
        joined
    }

    /// The place in the text with line ends.
    fn place(&self, at: usize) -> usize {
        let line = self.lines.partition_point(|(start, _)| *start <= at).saturating_sub(1);
        // Empty lines begin where the one behind them does, which holds the place.
        self.lines.get(line).map_or(at, |(start, original)| original + (at - start))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::find;
    use super::of;

    proptest! {
        #[test]
        fn base64_is_found_wherever_the_value_stands(
            value in "[ -~]{8,40}", before in "[ -~]{0,9}", after in "[ -~]{0,9}", width in 5_usize..80,
        ) {
            let forms = of("T", &value);
            let text = STANDARD.encode(format!("{before}{value}{after}"));
            let found = find(&forms, &text);
            prop_assert!(!found.is_empty(), "{text}");
            // What is left around the widest find gives at most a byte of the value away.
            let widest = found.iter().map(|(range, _)| range.len()).max().unwrap_or(0);
            prop_assert!(widest * 3 / 4 + 1 >= value.len(), "{found:?} of {text}");
            let wrapped: Vec<&str> =
                text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
            prop_assert!(!find(&forms, &wrapped.join("\n")).is_empty());
        }
    }

    #[test]
    fn each_form_is_found_whole_and_named() {
        let forms = of("T", "canary \"1/2\"");
        for (text, kind) in [
            ("x canary \"1/2\" y", "T"),
            ("63616e6172792022312f3222", "T-hex"),
            ("63616E6172792022312F3222", "T-hex"),
            ("canary%20%221%2F2%22", "T-percent"),
            ("canary%20%221%2f2%22", "T-percent"),
            ("\"2/1\" yranac", "T-reversed"),
            ("canary \\\"1/2\\\"", "T-json"),
            ("Y2FuYXJ5ICIxLzIi", "T-base64"),
            ("cana\nry \"1\r\n/2\"", "T"),
            ("63616e\n617279\n2022312f3222", "T-hex"),
        ] {
            let found = find(&forms, text);
            assert!(found.iter().any(|(_, found)| *found == kind), "{text}: {found:?}");
        }
        assert!(find(&forms, "canary 12 Y2FuYXJ5 63616e\n").is_empty());
    }
}
