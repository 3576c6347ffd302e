//! Takes secrets out of what a recording keeps, however JSON has written them: `\"`, `\\`, `\u0041`,
//! and all that again where JSON stands inside a JSON text.
//!
//! A backslash before a character is taken for its escape, so rather too much is masked than too little.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Map;
use serde_json::Value;

/// What stands in the place of a secret.
const MASK: &[u8] = b"***";

/// A secret as its characters, each with whether backslashes stand before it.
#[derive(Debug, Clone)]
pub(super) struct Masked(Vec<(char, bool)>);

impl Masked {
    pub(super) fn new(secret: &str) -> Self {
        let mut characters = Vec::with_capacity(secret.len());
        let mut after_backslash = false;
        for character in secret.chars() {
            if character != '\\' {
                characters.push((character, after_backslash));
            }
            after_backslash = character == '\\';
        }
        Self(characters)
    }

    /// The end of the secret where it begins at the beginning of `text`.
    fn end_in(&self, text: &[u8]) -> Option<usize> {
        let mut at = 0;
        for (character, after_backslash) in &self.0 {
            let begin = at;
            while let Some(length) = backslash(&text[at..]) {
                at += length;
            }
            if *after_backslash && at == begin {
                return None;
            }
            at = if at > begin && text[at..].starts_with(b"u") {
                // The last backslash of the run belongs to the escape.
                let (found, length) = unicode(&text[at - 1..])?;
                (found == *character).then_some(at - 1 + length)?
            } else {
                let mut buffer = [0; 4];
                let bytes = character.encode_utf8(&mut buffer).as_bytes();
                text[at..].starts_with(bytes).then_some(at + bytes.len())?
            };
        }
        (at > 0).then_some(at)
    }
}

/// The length of a backslash, which may be written as an escape itself.
fn backslash(text: &[u8]) -> Option<usize> {
    match unicode(text) {
        Some(('\\', length)) => Some(length),
        _ => text.starts_with(b"\\").then_some(1),
    }
}

/// A character written as `\uXXXX`, or as two of them, and its length.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let (first, length) = unit(text)?;
    if let Some(found) = char::from_u32(u32::from(first)) {
        return Some((found, length));
    }
    let rest = &text[length..];
    let run = rest.iter().take_while(|byte| **byte == b'\\').count();
    let (second, more) = unit(&rest[run.saturating_sub(1)..])?;
    let mut decoded = char::decode_utf16([first, second]);
    let found = decoded.next()?.ok()?;
    Some((found, length + run.saturating_sub(1) + more))
}

fn unit(text: &[u8]) -> Option<(u16, usize)> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` takes a sign as well.
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok()).flatten().map(|unit| (unit, 6))
}

/// Where a text has secrets; in order, without overlaps.
fn spans(text: &[u8], secrets: &[Masked]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = secrets.iter().filter_map(|secret| secret.end_in(&text[at..])).max();
        match end {
            Some(length) => {
                found.push(at..at + length);
                at += length;
            }
            None => at += 1,
        }
    }
    found
}

/// A body that came in portions: a secret may lie in two of them.
pub(super) fn mask_portions(portions: &mut [Vec<u8>], secrets: &[Masked]) {
    let spans = spans(&portions.concat(), secrets);
    let mut begin = 0;
    for portion in portions {
        let end = begin + portion.len();
        let mut kept = Vec::with_capacity(portion.len());
        let mut at = begin;
        for span in spans.iter().filter(|span| span.start < end && span.end > begin) {
            kept.extend_from_slice(&portion[at - begin..span.start.max(at) - begin]);
            if span.start >= begin {
                kept.extend_from_slice(MASK);
            }
            at = span.end.min(end);
        }
        kept.extend_from_slice(&portion[at - begin..]);
        *portion = kept;
        begin = end;
    }
}

/// A text without its secrets.
pub(super) fn mask_text<'a>(text: &'a str, secrets: &[Masked]) -> Cow<'a, str> {
    let mut portions = [text.as_bytes().to_vec()];
    mask_portions(&mut portions, secrets);
    let [masked] = portions;
    if masked == text.as_bytes() {
        return Cow::Borrowed(text);
    }
    // Whole characters were taken out.
    Cow::Owned(String::from_utf8_lossy(&masked).into_owned())
}

/// Data without its secrets, names of fields included.
pub(super) fn mask_value(value: Value, secrets: &[Masked]) -> Value {
    match value {
        Value::String(text) => Value::String(mask_text(&text, secrets).into_owned()),
        Value::Array(items) => {
            items.into_iter().map(|item| mask_value(item, secrets)).collect::<Vec<_>>().into()
        }
        Value::Object(fields) => {
            let masked = |(name, value): (String, Value)| {
                (mask_text(&name, secrets).into_owned(), mask_value(value, secrets))
            };
            fields.into_iter().map(masked).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "ca\"na\\ry-\u{e9}-\u{1f600}/1";

    /// Every character as JSON may write it.
    fn all_escaped(text: &str) -> String {
        let escaped: Vec<String> =
            text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        escaped.concat()
    }

    #[test]
    fn a_canary_is_found_however_json_writes_it() {
        let secrets = [Masked::new(SECRET)];
        let once = json!(SECRET).to_string();
        let twice = json!(once).to_string();
        let thrice = json!(json!({ "arguments": twice }).to_string()).to_string();
        let upper = all_escaped(SECRET).to_uppercase().replace("\\U", "\\u");
        let slash = once.replace('/', "\\/");
        let nested = json!(all_escaped(SECRET)).to_string();
        for text in [SECRET, &once, &twice, &thrice, &all_escaped(SECRET), &upper, &slash, &nested]
        {
            let masked = mask_text(text, &secrets);
            assert!(masked.contains("***"), "{text}");
            assert!(!masked.contains("na") && !masked.contains("006e"), "{text} became {masked}");
        }
        let value = json!({"a": [SECRET], SECRET: {"b": once}, "n": 1});
        let masked = mask_value(value, &secrets);
        assert_eq!(masked, json!({"a": ["***"], "***": {"b": "\"***\""}, "n": 1}));
    }

    #[test]
    fn what_is_masked_is_still_json() {
        let secrets = [Masked::new(SECRET)];
        let text = json!({"x": format!("before \\ {SECRET} \" after")}).to_string();
        let masked = mask_text(&text, &secrets);
        let value: Value = serde_json::from_str(&masked).unwrap();
        assert!(value["x"].as_str().unwrap().ends_with("*** \" after"), "{value}");
    }

    #[test]
    fn what_is_no_secret_stays() {
        let secrets = [Masked::new("canary-1234")];
        for text in
            ["canary-123", "\\u00zz canary", "\\ud83d\\u0041", "\\", "", "\\u", "u0063anary"]
        {
            assert_eq!(mask_text(text, &secrets), text);
        }
        assert_eq!(mask_text("canary-1234", &[]), "canary-1234");
        assert_eq!(mask_text("x", &[Masked::new("\\\\")]), "x");
    }

    #[test]
    fn portions_keep_their_number() {
        let text = format!("data: {} end", json!(SECRET));
        for size in 1..text.len() {
            let mut portions: Vec<Vec<u8>> = text.as_bytes().chunks(size).map(Vec::from).collect();
            let count = portions.len();
            mask_portions(&mut portions, &[Masked::new(SECRET)]);
            assert_eq!(portions.len(), count);
            assert_eq!(String::from_utf8(portions.concat()).unwrap(), "data: \"***\" end");
        }
    }
}
