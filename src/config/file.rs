//! Reads one configuration file: JSON with comments, every error at its line and column.
//!
//! Knows the shape (`schema`) but neither layers nor meaning.

use std::path::Path;

use jsonc_parser::CollectOptions;
use jsonc_parser::ParseOptions;
use jsonc_parser::ast::Value as Node;
use jsonc_parser::common::Ranged;
use jsonc_parser::parse_to_ast;
use serde_json::Value;

use super::error::ConfigError;
use super::schema::Config;

/// A configuration file larger than this is a mistake (bytes).
const MAX_BYTES: u64 = 1 << 20;

/// JSON with comments and trailing commas, nothing looser.
const SYNTAX: ParseOptions = ParseOptions {
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

/// Reads and checks `path`; `None` where there is no such file.
pub fn read(path: &Path) -> Result<Option<Value>, ConfigError> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(ConfigError::unreadable(path, &error)),
    };
    if !metadata.is_file() {
        return Err(ConfigError::file(path, 1, 1, "is not a regular file"));
    }
    if metadata.len() > MAX_BYTES {
        return Err(ConfigError::file(path, 1, 1, format!("is larger than {MAX_BYTES} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|error| ConfigError::unreadable(path, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let (line, column) = position(&String::from_utf8_lossy(&error.as_bytes()[..valid]), valid);
        ConfigError::file(path, line, column, "is not UTF-8 text")
    })?;
    parse(path, text.strip_prefix('\u{feff}').unwrap_or(&text)).map(Some)
}

/// Parses and checks `text` as the content of `path`.
pub fn parse(path: &Path, text: &str) -> Result<Value, ConfigError> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &SYNTAX).map_err(|error| {
        let message = error.kind().to_string().to_lowercase();
        ConfigError::file(path, error.line_display(), error.column_display(), message)
    })?;
    let Some(tree) = parsed.value else { return Ok(Value::Object(serde_json::Map::new())) };
    if let Some((name, offset)) = duplicate_key(&tree) {
        let (line, column) = position(text, offset);
        return Err(ConfigError::file(
            path,
            line,
            column,
            format!("key `{name}` stands here twice"),
        ));
    }
    let value = Value::from(tree.clone());
    check(&value).map_err(|problem| {
        let offset = find(&tree, &problem.path, problem.at_key).unwrap_or(0);
        let (line, column) = position(text, offset);
        ConfigError::file(path, line, column, problem.message).with_hint(problem.hint)
    })?;
    Ok(value)
}

/// What does not fit the schema, and where in the value.
pub(super) struct Problem {
    /// Keys and indices from the root.
    pub(super) path: Vec<String>,
    /// The key itself is the trouble, not its value.
    at_key: bool,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Checks a value against the shape of a configuration.
pub(super) fn check(value: &Value) -> Result<(), Problem> {
    let Err(error) = serde_path_to_error::deserialize::<_, Config>(value) else { return Ok(()) };
    let path: Vec<String> = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
            serde_path_to_error::Segment::Map { key } => Some(key.clone()),
            _ => None,
        })
        .collect();
    let text = error.inner().to_string();
    let dotted = path.join(".");
    Err(match unknown_field(&text) {
        Some((name, known)) => Problem {
            hint: closest(&name, &known).map(|near| {
                let parent = path.iter().take(path.len().saturating_sub(1)).cloned();
                let full: Vec<String> = parent.chain([near]).collect();
                format!("did you mean `{}`?", full.join("."))
            }),
            message: format!("unknown setting `{dotted}`"),
            at_key: true,
            path,
        },
        None => Problem { message: format!("`{dotted}`: {text}"), hint: None, at_key: false, path },
    })
}

/// Takes serde's words apart: the unknown name and those it expected.
fn unknown_field(text: &str) -> Option<(String, Vec<String>)> {
    let rest = text.strip_prefix("unknown field `")?;
    let (name, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name.to_owned(), known))
}

/// The known name that a typing error is nearest to.
pub fn closest(name: &str, known: &[String]) -> Option<String> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate.clone())
}

/// Line and column, both from 1, of a byte offset; columns count characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

/// Byte offset of the value (or its key) at `path`.
fn find(node: &Node<'_>, path: &[String], at_key: bool) -> Option<usize> {
    let Some((first, rest)) = path.split_first() else { return Some(node.range().start) };
    match node {
        Node::Object(object) => {
            let property = object.properties.iter().find(|p| p.name.as_str() == first)?;
            if rest.is_empty() && at_key {
                Some(property.range.start)
            } else {
                find(&property.value, rest, at_key)
            }
        }
        Node::Array(array) => find(array.elements.get(first.parse::<usize>().ok()?)?, rest, at_key),
        _ => Some(node.range().start),
    }
}

fn duplicate_key(node: &Node<'_>) -> Option<(String, usize)> {
    match node {
        Node::Object(object) => {
            let mut seen = std::collections::BTreeSet::new();
            for property in &object.properties {
                if !seen.insert(property.name.as_str().to_owned()) {
                    return Some((property.name.as_str().to_owned(), property.range.start));
                }
                if let Some(found) = duplicate_key(&property.value) {
                    return Some(found);
                }
            }
            None
        }
        Node::Array(array) => array.elements.iter().find_map(duplicate_key),
        _ => None,
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    // A parent that we may not enter (another person's home under `su`) holds no file of ours.
    matches!(
        error.kind(),
        std::io::ErrorKind::NotFound
            | std::io::ErrorKind::NotADirectory
            | std::io::ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::parse;

    fn error(text: &str) -> (String, Option<String>) {
        let error = parse(Path::new("c.json"), text).unwrap_err();
        (error.to_string(), error.hint)
    }

    #[test]
    fn comments_and_trailing_commas_are_welcome() {
        let value =
            parse(Path::new("c.json"), "{ // why\n \"limits\": {\"max_turns\": 3,}, }").unwrap();
        assert_eq!(value["limits"]["max_turns"], 3);
        assert!(parse(Path::new("c.json"), "").unwrap().as_object().unwrap().is_empty());
    }

    #[test]
    fn a_mistyped_key_is_named_with_its_place() {
        let (text, hint) = error("{\n  \"limits\": {\"max_tunrs\": 3}\n}");
        assert_eq!(text, "c.json:2:14: unknown setting `limits.max_tunrs`");
        assert_eq!(hint.as_deref(), Some("did you mean `limits.max_turns`?"));
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        let (text, _) = error("{\"limits\": {\n\"max_turns\": \"x\"}}");
        assert!(text.starts_with("c.json:2:14: `limits.max_turns`: invalid type"), "{text}");
    }

    #[test]
    fn syntax_errors_and_duplicates_have_a_place() {
        assert!(error("{\"a\": }").0.starts_with("c.json:1:7: "), "{}", error("{\"a\": }").0);
        assert_eq!(
            error("{\"deny\": [],\n \"deny\": []}").0,
            "c.json:2:2: key `deny` stands here twice"
        );
        assert!(error("{'a': 1}").0.starts_with("c.json:1:2: "));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            drop(parse(Path::new("c.json"), &text));
        }
    }
}
