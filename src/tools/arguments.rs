//! Arguments of tools: one Rust type gives both the schema a model sees and the check of what it
//! writes.
//!
//! Every request carries all schemas, so they are as short as they can be said; what the schema
//! leaves out (closed objects, ranges) is still checked here, and told in words.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ToolError;

/// The JSON Schema of `T`, an object type, without what a model has no use for.
pub fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    minimise(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        // The type's own doc comment is for people who read the source.
        object.shift_remove("description");
    }
    schema
}

/// Arguments as `T`, or a sentence for the model that says what is wrong and what was expected.
pub fn parse<T: DeserializeOwned + JsonSchema>(arguments: &Value) -> Result<T, ToolError> {
    // An array would be taken for the fields in their order, which nobody promises.
    if !arguments.is_object() {
        return Err(ToolError::ForModel(format!(
            "wrong arguments: not an object; expected {}",
            shape(&schema::<T>())
        )));
    }
    T::deserialize_with_path(arguments).map_err(|(path, message)| {
        let place = if path == "." { String::new() } else { format!("`{path}`: ") };
        ToolError::ForModel(format!(
            "wrong arguments: {place}{message}; expected {}",
            shape(&schema::<T>())
        ))
    })
}

/// Deserialising that remembers which argument was wrong.
trait WithPath: Sized {
    fn deserialize_with_path(arguments: &Value) -> Result<Self, (String, String)>;
}

impl<T: DeserializeOwned> WithPath for T {
    fn deserialize_with_path(arguments: &Value) -> Result<Self, (String, String)> {
        serde_path_to_error::deserialize(arguments)
            .map_err(|error| (error.path().to_string(), error.inner().to_string()))
    }
}

/// A schema in one short line: `{path: string, limit?: integer}`.
pub fn shape(schema: &Value) -> String {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let Some(properties) = schema["properties"].as_object() else { return "{}".to_owned() };
    let fields: Vec<String> = properties
        .iter()
        .map(|(name, property)| {
            let mark = if required.contains(&name.as_str()) { "" } else { "?" };
            format!("{name}{mark}: {}", type_name(property))
        })
        .collect();
    format!("{{{}}}", fields.join(", "))
}

fn type_name(property: &Value) -> String {
    if let Some(choices) = property["enum"].as_array() {
        return choices.iter().map(Value::to_string).collect::<Vec<_>>().join("|");
    }
    match property["type"].as_str() {
        Some("array") => format!("[{}]", type_name(&property["items"])),
        Some(name) => name.to_owned(),
        None => "any".to_owned(),
    }
}

/// Takes out of a schema what costs bytes in each request and tells a model nothing.
fn minimise(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for key in ["$schema", "title", "format", "default", "minimum", "additionalProperties"]
            {
                object.shift_remove(key);
            }
            without_null(object);
            for (key, value) in object.iter_mut() {
                if key == "properties" {
                    // Names of arguments are not keywords: an argument may be called `format`.
                    if let Some(properties) = value.as_object_mut() {
                        properties.values_mut().for_each(minimise);
                    }
                } else if key != "enum" && key != "required" {
                    minimise(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(minimise),
        _ => {}
    }
}

/// An optional argument is one that is not required; that it may also be null goes without saying.
fn without_null(object: &mut serde_json::Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else { return };
    choices.retain(|choice| choice["type"] != "null");
    if let [Value::Object(only)] = choices.as_mut_slice() {
        let only = std::mem::take(only);
        object.shift_remove("anyOf");
        object.extend(only);
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::parse;
    use super::schema;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Lines,
        Count,
    }

    /// For readers of the source.
    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Args {
        path: String,
        /// First line, 1-based.
        offset: Option<u64>,
        #[serde(default)]
        all: bool,
        format: Option<Mode>,
        tags: Option<Vec<String>>,
    }

    #[test]
    fn schemas_say_no_more_than_needed() {
        assert_eq!(
            schema::<Args>(),
            json!({
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "offset": {"description": "First line, 1-based.", "type": "integer"},
                    "all": {"type": "boolean"},
                    "format": {"type": "string", "enum": ["lines", "count"]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["path"],
            })
        );
    }

    #[test]
    fn wrong_arguments_are_told_with_place_and_expectation() {
        let wrong = |value| parse::<Args>(&value).expect_err("wrong").to_string();
        let expected = "expected {path: string, offset?: integer, all?: boolean, \
                        format?: \"lines\"|\"count\", tags?: [string]}";
        assert_eq!(
            wrong(json!({"path": "a", "offset": "ten"})),
            format!(
                "wrong arguments: `offset`: invalid type: string \"ten\", expected u64; {expected}"
            )
        );
        assert_eq!(
            wrong(json!({"offset": 1})),
            format!("wrong arguments: missing field `path`; {expected}")
        );
        let unknown = wrong(json!({"path": "a", "ofset": 1}));
        assert!(unknown.contains("unknown field `ofset`"), "{unknown}");
        for other in [json!(["a", null, false, null, null]), json!("a"), json!(null)] {
            assert_eq!(wrong(other), format!("wrong arguments: not an object; {expected}"));
        }
    }

    #[test]
    fn null_means_left_out() {
        let args: Args = parse(&json!({"path": "a", "offset": null, "format": "count"})).unwrap();
        assert!(args.offset.is_none() && !args.all && args.tags.is_none());
        assert!(matches!(args.format, Some(Mode::Count)) && args.path == "a");
    }
}
