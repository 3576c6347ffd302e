//! JSON as somebody wrote it: what becomes a number of ours and a text again may be another number
//! (`18446744073709551616`, `1.10`).

use std::borrow::Cow;

use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::ser::Error as _;
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON value in its own words, without white space between them. Serialises as that value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonText(String);

impl JsonText {
    /// `text` must be the JSON of `value`. An object that names a key twice means to one reader the
    /// first and to another the last: it becomes what `value` is.
    pub fn new(text: &str, value: &Value) -> Self {
        let (compact, keys) = compact(text);
        Self(if keys == entries(value) { compact } else { value.to_string() })
    }

    /// The value as JSON, in one line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Value> for JsonText {
    fn from(value: &Value) -> Self {
        Self(value.to_string())
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self::from(&value))
    }
}

impl JsonSchema for JsonText {
    fn schema_name() -> Cow<'static, str> {
        Value::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Value::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

/// Valid JSON without its white space, and how many keys its objects have.
fn compact(text: &str) -> (String, usize) {
    let (mut compact, mut keys) = (String::with_capacity(text.len()), 0);
    let (mut quoted, mut escaped) = (false, false);
    for letter in text.chars() {
        if quoted {
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else {
            if letter.is_ascii_whitespace() {
                continue;
            }
            quoted = letter == '"';
            keys += usize::from(letter == ':');
        }
        compact.push(letter);
    }
    (compact, keys)
}

/// How many keys the objects of a value have, at every depth.
fn entries(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.len() + object.values().map(entries).sum::<usize>(),
        Value::Array(list) => list.iter().map(entries).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(text: &str) -> String {
        JsonText::new(text, &serde_json::from_str(text).unwrap()).as_str().to_owned()
    }

    #[test]
    fn numbers_and_texts_stay_as_they_were_written() {
        assert_eq!(of("{ \"a\" : 18446744073709551616 }"), "{\"a\":18446744073709551616}");
        assert_eq!(of("[1.10,\n1e40, -0]"), "[1.10,1e40,-0]");
        assert_eq!(of(r#" {"a : \" b": "\\", "c": "x  y"} "#), r#"{"a : \" b":"\\","c":"x  y"}"#);
    }

    #[test]
    fn a_key_that_stands_twice_is_what_was_validated() {
        assert_eq!(of("{\"a\": 1, \"a\": 2}"), "{\"a\":2}");
        assert_eq!(of("[{\"a\": {\"b\": 1.0, \"b\": 1.0}}]"), "[{\"a\":{\"b\":1.0}}]");
    }

    #[test]
    fn it_serialises_as_the_value_that_it_is() {
        let text = JsonText::new("{\"n\": 1.10}", &json!({"n": 1.1}));
        assert_eq!(serde_json::to_string(&(1, &text)).unwrap(), "[1,{\"n\":1.10}]");
        assert_eq!(serde_json::to_value(&text).unwrap(), json!({"n": 1.1}));
        let back: JsonText = serde_json::from_str("{\"n\": 2}").unwrap();
        assert_eq!(back, JsonText::from(&json!({"n": 2})));
    }
}
