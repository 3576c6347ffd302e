//! One configuration file: its bytes, its text, its tree, the place of everything in it.
//!
//! Knows neither settings nor layers; `check` does. A file is read once, so that what is hashed is
//! what is parsed.

pub mod excerpt;
pub mod node;
mod read;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use jsonc_parser::CollectOptions;
use jsonc_parser::ParseOptions;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::parse_to_ast;

use super::error::Diagnostic;
use super::error::Place;
use super::error::Rule;
pub use node::Node;
pub use read::Links;
pub use read::Owner;
pub use read::read;

/// JSON with comments and trailing commas, nothing looser.
pub(super) const SYNTAX: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The text of a file, with its lines.
#[derive(Debug, Clone)]
pub struct Source {
    pub path: Arc<Path>,
    /// Without a byte order mark.
    pub text: String,
    /// Byte offset of the start of each line.
    lines: Vec<usize>,
}

impl Source {
    /// Takes the bytes of a file; what is not UTF-8 is an error at its place.
    pub fn new(path: &Path, bytes: Vec<u8>) -> Result<Self, Diagnostic> {
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            let message = "the file is UTF-16 text, not UTF-8";
            return Err(Diagnostic::error(Rule::Encoding, Place::file(path, 1, 1), message)
                .with_remedy("save it as UTF-8"));
        }
        let (bytes, broken) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(valid))
            }
        };
        let marked = bytes.strip_prefix('\u{feff}').map(str::to_owned);
        let shift = if marked.is_some() { '\u{feff}'.len_utf8() } else { 0 };
        let source = Self::of_text(path, marked.unwrap_or(bytes));
        match broken {
            None => Ok(source),
            Some(offset) => {
                let at = offset - shift;
                let mut error =
                    source.diagnostic(Rule::Encoding, at..at, "the file is not UTF-8 text");
                error.remedy = Some("save it as UTF-8".into());
                Err(error)
            }
        }
    }

    /// Text that is a file's content.
    pub fn of_text(path: &Path, text: String) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(starts.map(|(at, _)| at + 1)).collect();
        Self { path: path.into(), text, lines }
    }

    /// Line and column, both from 1, of a byte offset; columns count characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line, self.text[start..offset].chars().count() + 1)
    }

    /// The place of a byte offset.
    pub fn place(&self, offset: usize) -> Place {
        let (line, column) = self.position(offset);
        Place::File { path: Arc::clone(&self.path), line, column }
    }

    /// The text of a line, counted from 1, without its end.
    pub fn line(&self, number: usize) -> &str {
        let start = self.lines.get(number.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let end = self.lines.get(number).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    /// An error about a part of the text.
    pub fn diagnostic(
        &self,
        rule: Rule,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Diagnostic {
        let mut error = Diagnostic::error(rule, self.place(span.start), message);
        error.excerpt = Some(excerpt::excerpt(self, span));
        error
    }

    /// The tree of the text; an empty file is an empty object.
    pub fn parse(&self) -> Result<Node, Diagnostic> {
        let parsed = parse_to_ast(&self.text, &CollectOptions::default(), &SYNTAX);
        let broken = broken_text(&self.text);
        let (kind, range) = match (&parsed, broken) {
            // A quote that is missing is missed in its own line, not where the next one stands.
            (Ok(_), Some(text)) => return Err(self.control_character(text)),
            (Err(error), Some(text)) if text.start <= error.range().start => {
                return Err(self.control_character(text));
            }
            (Ok(result), None) => {
                return Ok(result.value.as_ref().map_or_else(Node::empty, Node::of_ast));
            }
            (Err(error), _) => (error.kind(), error.range()),
        };
        let rest = self.text.get(range.start..).unwrap_or_default();
        let word = rest.starts_with(|letter: char| letter.is_alphabetic());
        let (message, remedy) = match kind {
            ParseErrorKind::UnexpectedToken if word => {
                ("unexpected word".to_owned(), Some("write text in double quotes"))
            }
            kind => syntax_words(kind),
        };
        // What is missing is missing before the end, not behind it.
        let span = if range.start >= self.text.len() { self.end() } else { range.start..range.end };
        let mut found = self.diagnostic(Rule::Syntax, span, message);
        found.remedy = remedy.map(str::to_owned);
        Err(found)
    }

    fn control_character(&self, text: Range<usize>) -> Diagnostic {
        let line_ends = self.text[text.end..].starts_with(['\n', '\r']);
        let (message, remedy) = if line_ends {
            ("text does not end in its line", "close it with `\"`; a line break is written `\\n`")
        } else {
            ("text holds a control character", "write it as `\\t` or `\\u0001`")
        };
        self.diagnostic(Rule::Syntax, text, message).with_remedy(remedy)
    }

    /// Behind the last character that says something.
    fn end(&self) -> Range<usize> {
        let end = self.text.trim_end().len();
        end..end
    }
}

/// The first text in which a control character stands, from its quote to that character; the parser
/// takes these, JSON does not.
fn broken_text(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'/')) => at += memchr::memchr(b'\n', &bytes[at..])?,
            (b'/', Some(b'*')) => at += text.get(at + 2..)?.find("*/")? + 4,
            (b'"', _) => {
                let start = at;
                at += 1;
                while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                    if bytes[at] < b' ' {
                        return Some(start..at);
                    }
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    None
}

fn syntax_words(kind: &ParseErrorKind) -> (String, Option<&'static str>) {
    let remedy = match kind {
        ParseErrorKind::SingleQuotedStringsNotAllowed | ParseErrorKind::UnexpectedWord => {
            "write text in double quotes"
        }
        ParseErrorKind::ExpectedStringObjectProperty => "write keys in double quotes",
        ParseErrorKind::ExpectedComma => "put a comma between the two",
        ParseErrorKind::UnterminatedObject => "close it with `}`",
        ParseErrorKind::UnterminatedArray => "close it with `]`",
        ParseErrorKind::UnterminatedCommentBlock => "close it with `*/`",
        ParseErrorKind::ExpectedColonAfterObjectKey => "write `\"key\": value`",
        ParseErrorKind::MultipleRootJsonValues => "a file holds one object",
        ParseErrorKind::String(_) => "text ends with `\"`; a backslash is written `\\\\`",
        ParseErrorKind::NestingDepthExceeded => "no setting is so deep inside",
        _ => return (lower(&kind.to_string()), None),
    };
    (lower(&kind.to_string()), Some(remedy))
}

/// As our messages are written: lower case at the start, no period.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_lowercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Source;

    #[test]
    fn positions_count_characters_from_one() {
        let source = Source::of_text(Path::new("c"), "aé\r\n\n  x".to_owned());
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(3), (1, 3));
        assert_eq!(source.position(5), (2, 1));
        assert_eq!(source.position(8), (3, 3));
        assert_eq!(source.position(900), (3, 4));
        assert_eq!((source.line(1), source.line(2), source.line(3)), ("aé", "", "  x"));
    }

    #[test]
    fn a_broken_byte_has_its_place_and_a_mark_does_not_count() {
        let error = Source::new(Path::new("c"), b"\xef\xbb\xbf{\n \xff}".to_vec()).unwrap_err();
        assert_eq!(error.place.to_string(), "c:2:2");
        assert!(Source::new(Path::new("c"), b"\xff\xfe{\0".to_vec()).is_err());
        let marked = Source::new(Path::new("c"), b"\xef\xbb\xbf{}".to_vec()).unwrap();
        assert_eq!(marked.text, "{}");
    }

    #[test]
    fn a_missing_quote_is_missed_in_its_own_line() {
        let broken = |text: &str| {
            let error = Source::of_text(Path::new("c"), text.to_owned()).parse().unwrap_err();
            format!("{}: {}", error.place, error.message)
        };
        assert_eq!(broken("{\n\"a\": \"x,\n\"b\": 1}"), "c:2:6: text does not end in its line");
        assert_eq!(broken("{\"a\": \"x\ty\"}"), "c:1:7: text holds a control character");
        // What is wrong before it comes first.
        assert_eq!(broken("{\"a\" 1, \"b\": \"x\n\"}").split(':').nth(2), Some("6"));
        let fine = "{// \"\n\"a\": /* \" \n */ \"\\\"\"}";
        assert!(Source::of_text(Path::new("c"), fine.to_owned()).parse().is_ok());
    }

    #[test]
    fn what_is_missing_at_the_end_is_shown_before_it() {
        let error =
            Source::of_text(Path::new("c"), "{\"a\":\n\n\n".to_owned()).parse().unwrap_err();
        assert_eq!(error.place.to_string(), "c:1:6");
    }
}
