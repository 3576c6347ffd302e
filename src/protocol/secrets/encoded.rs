//! Secrets that are known by their form only, where a command has encoded them: base64, hexadecimal,
//! percent escapes.
//!
//! The fixed beginning of each form has a few spellings in each encoding; where one of them stands, what
//! follows is decoded as far as the form goes. Nothing else is decoded. Encodings of encodings are out of
//! reach, and so is a beginning that a line end cuts in two.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::forms::base64_middle;
use super::patterns::FORMS;

/// What private keys begin with; they go to the end of what is encoded.
const KEYS: [&str; 6] = [
    "-----BEGIN PRIVATE KEY",
    "-----BEGIN RSA PRIVATE KEY",
    "-----BEGIN EC PRIVATE KEY",
    "-----BEGIN OPENSSH PRIVATE KEY",
    "-----BEGIN ENCRYPTED PRIVATE KEY",
    "-----BEGIN PGP PRIVATE KEY",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// With so many bytes before the secret in its group of three.
    Base64(usize),
    Hex,
    Percent,
}

/// What is looked for, decoded.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    kind: &'static str,
    prefix: &'static str,
    /// Bytes that follow at least.
    least: usize,
    belongs: fn(u8) -> bool,
}

/// One spelling of a beginning, and what it would begin.
struct Spelling {
    text: Vec<u8>,
    wanted: Wanted,
    encoding: Encoding,
}

/// Bytes of a spelling by which it is looked up: the shortest has so many.
const GRAM: usize = 3;
/// Bits of the table that says which of them cannot begin anything.
const TABLE: usize = 1 << 12;

/// All spellings by their first bytes. An automaton would take longer to make than most runs' outputs take
/// to be looked through.
struct Spellings {
    by_gram: HashMap<[u8; GRAM], Vec<Spelling>>,
    table: [u64; TABLE / 64],
}

/// A secret of a text, and what it is called with its encoding.
pub(super) type Found = (Range<usize>, String);

/// Every encoded secret of a text.
pub(super) fn find(text: &str) -> Vec<Found> {
    static SPELLINGS: OnceLock<Spellings> = OnceLock::new();
    let spellings = SPELLINGS.get_or_init(Spellings::new);
    let bytes = text.as_bytes();
    let mut found: Vec<Found> = Vec::new();
    let mut end = 0;
    for (at, gram) in bytes.windows(GRAM).enumerate() {
        // In one that was found already nothing else begins: it was decoded to its end.
        if !spellings.may_begin(gram) || at < end {
            continue;
        }
        for spelling in spellings.by_gram.get(gram).into_iter().flatten() {
            if !bytes[at..].starts_with(&spelling.text) {
                continue;
            }
            let wanted = spelling.wanted;
            let range = match spelling.encoding {
                Encoding::Base64(before) => base64(bytes, at, before, wanted),
                Encoding::Hex => escaped(bytes, at, wanted, hex_pair),
                Encoding::Percent => escaped(bytes, at, wanted, percent_triple),
            };
            if let Some(range) = range {
                end = range.end;
                found.push((range, format!("{}-{}", wanted.kind, spelling.encoding.name())));
                break;
            }
        }
    }
    found
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Base64(_) => "base64",
            Self::Hex => "hex",
            Self::Percent => "percent",
        }
    }
}

impl Spellings {
    fn new() -> Self {
        let tokens = FORMS.iter().map(|form| {
            let belongs: fn(u8) -> bool = if form.marks {
                |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
            } else {
                |byte| byte.is_ascii_alphanumeric()
            };
            Wanted { kind: form.kind, prefix: form.prefix, least: form.least, belongs }
        });
        let keys = KEYS.iter().map(|prefix| Wanted {
            kind: "private-key",
            prefix,
            least: 0,
            belongs: |_| true,
        });
        let mut made = Self { by_gram: HashMap::new(), table: [0; TABLE / 64] };
        for wanted in tokens.chain(keys) {
            let bytes = wanted.prefix.as_bytes();
            for before in 0..3 {
                // No beginning has characters in which the alphabets of base64 differ.
                let text = base64_middle(&STANDARD_NO_PAD, bytes, before);
                made.add(text.into_bytes(), wanted, Encoding::Base64(before));
            }
            for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
                let pair =
                    |byte: &u8| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]];
                made.add(bytes.iter().flat_map(pair).collect(), wanted, Encoding::Hex);
                let triple = |byte: &u8| [b'%', pair(byte)[0], pair(byte)[1]];
                made.add(bytes.iter().flat_map(triple).collect(), wanted, Encoding::Percent);
            }
        }
        made
    }

    fn add(&mut self, text: Vec<u8>, wanted: Wanted, encoding: Encoding) {
        if let Some(gram) = text.first_chunk::<GRAM>().copied() {
            let place = place(gram);
            self.table[place / 64] |= 1 << (place % 64);
            self.by_gram.entry(gram).or_default().push(Spelling { text, wanted, encoding });
        }
    }

    fn may_begin(&self, gram: &[u8]) -> bool {
        let &[first, second, third] = gram else { return false };
        let place = place([first, second, third]);
        self.table[place / 64] >> (place % 64) & 1 == 1
    }
}

/// Fibonacci hashing: the upper bits of a product with the golden ratio.
fn place(gram: [u8; GRAM]) -> usize {
    let [first, second, third] = gram;
    let number = u32::from_le_bytes([first, second, third, 0]);
    (number.wrapping_mul(0x9e37_79b1) >> 20) as usize
}

/// Of a secret whose first character without foreign bits is at `at`: all characters with bits of it.
fn base64(text: &[u8], at: usize, before: usize, wanted: Wanted) -> Option<Range<usize>> {
    // Four characters are three bytes: its first byte begins in the character `before` of its group, after
    // two bits for each byte before it.
    let start = at.checked_sub(usize::from(before > 0))?;
    let mut foreign = 2 * before;
    let (mut bits, mut count) = (0_u32, 0);
    let mut read = Reader::new(wanted);
    let mut end = start;
    for (place, byte) in text.iter().enumerate().skip(start) {
        let Some(sextet) = sextet(*byte) else {
            if matches!(byte, b'\r' | b'\n') {
                continue;
            }
            break;
        };
        bits = (bits << 6 | u32::from(sextet)) & 0xffff;
        count += 6 - std::mem::take(&mut foreign);
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            if !read.take(byte) {
                break;
            }
        }
        end = place + 1;
    }
    read.is_secret().then_some(start..end)
}

/// The same where each byte has a spelling of its own, which `one` reads: the byte and its length.
fn escaped(
    text: &[u8],
    at: usize,
    wanted: Wanted,
    one: fn(&[u8]) -> Option<(u8, usize)>,
) -> Option<Range<usize>> {
    let mut read = Reader::new(wanted);
    let mut end = at;
    while let Some((byte, length)) = one(&text[end..]) {
        if !read.take(byte) {
            break;
        }
        end += length;
        while read.length > 0 && matches!(text.get(end), Some(b'\r' | b'\n')) {
            end += 1;
        }
    }
    read.is_secret().then_some(at..end)
}

fn hex_pair(text: &[u8]) -> Option<(u8, usize)> {
    let [high, low, ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(*high)? * 16 + digit(*low)?;
    Some((u8::try_from(value).ok()?, 2))
}

/// What needs no escape may have none.
fn percent_triple(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'%', pair @ ..] => hex_pair(pair).map(|(byte, _)| (byte, 3)),
        [byte, ..] if byte.is_ascii_graphic() && !b"\"'&".contains(byte) => Some((*byte, 1)),
        _ => None,
    }
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Takes decoded bytes as long as they belong to what is wanted.
struct Reader {
    wanted: Wanted,
    length: usize,
}

impl Reader {
    fn new(wanted: Wanted) -> Self {
        Self { wanted, length: 0 }
    }

    /// False: the secret ended before this byte, or it is none.
    fn take(&mut self, byte: u8) -> bool {
        let belongs = match self.wanted.prefix.as_bytes().get(self.length) {
            Some(expected) => byte == *expected,
            None => (self.wanted.belongs)(byte),
        };
        self.length += usize::from(belongs);
        belongs
    }

    fn is_secret(&self) -> bool {
        self.length >= self.wanted.prefix.len() + self.wanted.least
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";

    fn joined(prefix: &str) -> String {
        format!("{prefix}{TOKEN}")
    }

    fn each(text: &str, one: impl Fn(u8) -> String) -> String {
        text.bytes().map(one).collect()
    }

    fn percent(text: &str) -> String {
        each(text, |byte| format!("%{byte:02X}"))
    }

    fn hex(text: &str) -> String {
        each(text, |byte| format!("{byte:02x}"))
    }

    #[test]
    fn case_31_a_secret_known_by_its_form_is_found_encoded() {
        for form in &FORMS {
            let secret = joined(form.prefix);
            for before in ["", "a", "ab", "abc", "name: ", "x="] {
                let whole = format!("{before}{secret}\nrest of it");
                for (kind, text) in [
                    ("base64", STANDARD.encode(&whole)),
                    ("base64", URL_SAFE_NO_PAD.encode(&whole)),
                    ("hex", hex(&whole)),
                    ("hex", hex(&whole).to_uppercase()),
                    ("percent", percent(&whole)),
                    ("percent", percent(&whole).to_lowercase()),
                ] {
                    let found = find(&format!("said: {text} end"));
                    let kind = format!("{}-{kind}", form.kind);
                    assert!(found.iter().any(|(_, found)| *found == kind), "{kind}: {text}");
                }
            }
        }
        for key in KEYS {
            let whole = format!("{key}-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n");
            let text = STANDARD.encode(whole.repeat(3));
            let wrapped: Vec<&str> =
                text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let found = find(&wrapped.join("\n"));
            assert_eq!(found[0].0.end, wrapped.join("\n").trim_end_matches('=').len(), "{key}");
        }
    }

    #[test]
    fn what_is_none_is_left() {
        for text in [
            STANDARD.encode("-----BEGIN CERTIFICATE-----\nMIIE"),
            STANDARD.encode("task-force of the AKIA and the ghp_short"),
            hex("ghp_short"),
            percent("sk-short"),
            "%".repeat(100),
            "Z2hw".to_owned(),
            "6768705f".to_owned(),
        ] {
            assert_eq!(find(&text), [], "{text}");
        }
    }

    proptest! {
        /// What is left around a find has at most the last bits of a byte of the secret.
        #[test]
        fn nothing_of_it_is_left(before in "[ -~]{0,9}", after in "( [ -~]{0,9})?", width in 20_usize..90) {
            let secret = joined("ghp_");
            let text = STANDARD.encode(format!("{before}{secret}{after}"));
            let found = find(&text);
            prop_assert_eq!(found.len(), 1);
            let range = found[0].0.clone();
            prop_assert!(range.start * 6 <= before.len() * 8);
            prop_assert!(range.end * 6 >= (before.len() + secret.len()) * 8);
            // Wrapped into lines it is found wherever its beginning is whole.
            let wrapped: Vec<&str> =
                text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let is_whole = range.start / width == (range.start + 6) / width;
            prop_assert!(!is_whole || find(&wrapped.join("\n")).len() == 1);
        }
    }
}
