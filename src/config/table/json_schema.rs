//! The settings as a JSON Schema, for editors and for `contracts/config.schema.json`, and as rows of
//! the reference page. Costs milliseconds: only for who asks, never at start.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::fields::Field;
use super::fields::Kind;
use super::fields::Order;
use super::schema;
use super::schema::Config;
use crate::config::env;

/// The schema of a configuration file.
pub fn json_schema() -> Value {
    let mut root = schemars::schema_for!(Config).to_value();
    without_null(&mut root);
    let mut definitions = root.get_mut("$defs").map(Value::take).unwrap_or_default();
    bounds(&mut root, &mut definitions, Config::FIELDS);
    if let Some(properties) = root.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("$schema".into(), json!({"type": "string"}));
    }
    if let Value::Object(root) = &mut root {
        root.insert("$defs".into(), definitions);
    }
    root
}

/// A file leaves a key out instead of writing `null`.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("default").is_some_and(|default| default.is_null() || default.is_object()) {
                map.remove("default");
            }
            let only = map
                .get("type")
                .and_then(Value::as_array)
                .and_then(|types| types.iter().find(|name| *name != "null").cloned());
            if let Some(only) = only {
                map.insert("type".into(), only);
            }
            let variants = map.get("anyOf").and_then(Value::as_array).cloned().unwrap_or_default();
            if let [real, null] = &variants[..]
                && null == &json!({"type": "null"})
                && let Value::Object(real) = real
            {
                map.remove("anyOf");
                map.extend(real.clone());
            }
            map.values_mut().for_each(without_null);
        }
        Value::Array(list) => list.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// Writes the bounds of numbers into the schema of an object.
fn bounds(object: &mut Value, definitions: &mut Value, fields: &[Field]) {
    for field in fields {
        let Some(property) =
            object["properties"].get_mut(field.name).and_then(Value::as_object_mut)
        else {
            continue;
        };
        if let Kind::Object(inner) = field.kind {
            let name = property.get("$ref").and_then(Value::as_str).unwrap_or_default();
            let name = name.rsplit('/').next().unwrap_or_default().to_owned();
            if let Some(mut definition) = definitions.get_mut(&name).map(Value::take) {
                bounds(&mut definition, definitions, inner);
                definitions[&name] = definition;
            }
        }
        bound(property, "minimum", field.rules.min);
        bound(property, "maximum", field.rules.max);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "bounds are small whole numbers")]
fn bound(property: &mut Map<String, Value>, name: &str, value: f64) {
    if value.is_finite() {
        property.insert(name.into(), json!(value as i64));
    }
}

/// One row of the reference page.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Row {
    pub key: String,
    /// In words.
    pub kind: String,
    /// As JSON; `None`: nothing.
    pub default: Option<Value>,
    pub doc: &'static str,
    pub variable: Option<String>,
    /// How a project that is not trusted, and an organisation, may narrow it.
    pub narrows: Option<&'static str>,
    /// A mistyped name beside it is an error.
    pub power: bool,
}

/// Every setting, in the order of the documentation.
pub fn rows() -> Vec<Row> {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    schema::keys()
        .into_iter()
        .map(|(key, field)| {
            let plain = key.trim_end_matches(".*");
            let default = plain
                .split('.')
                .try_fold(&defaults, |value, part| value.get(part))
                .filter(|value| !value.is_null() && !value.as_object().is_some_and(Map::is_empty));
            Row {
                kind: field.kind.words(),
                default: default.cloned(),
                doc: field.doc(),
                variable: env::variables()
                    .into_iter()
                    .find(|variable| variable.key == key)
                    .map(|variable| variable.name),
                narrows: narrows(field.rules.order),
                power: schema::has_power(plain),
                key,
            }
        })
        .collect()
}

fn narrows(order: Order) -> Option<&'static str> {
    match order {
        Order::None => None,
        Order::Lower => Some("lower"),
        Order::Words(_) => Some("to a narrower word"),
        Order::True => Some("to true"),
        Order::False => Some("to false"),
        Order::Fewer(_) => Some("fewer entries"),
        Order::More => Some("more entries"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::json_schema;
    use crate::config::table::fields::Field;
    use crate::config::table::fields::Kind;
    use crate::config::table::schema::Config;

    /// The table and the typed structs come from the same lines; their kinds must agree too.
    #[test]
    fn the_table_is_what_the_types_say() {
        let schema = json_schema();
        check(&schema, &schema, Config::FIELDS, "");
    }

    fn check(schema: &Value, root: &Value, fields: &[Field], prefix: &str) {
        let properties = schema["properties"].as_object().unwrap();
        for field in fields {
            let key = format!("{prefix}{}", field.name);
            let mut property = &properties[field.name];
            if let Some(reference) = property["$ref"].as_str() {
                property = &root["$defs"][reference.rsplit('/').next().unwrap()];
            }
            match field.kind {
                Kind::Object(inner) => check(property, root, inner, &format!("{key}.")),
                Kind::Choice(words) => {
                    let mut found: Vec<&str> = Vec::new();
                    for variant in property["oneOf"].as_array().into_iter().flatten() {
                        found.extend(variant["const"].as_str());
                        found.extend(
                            variant["enum"]
                                .as_array()
                                .into_iter()
                                .flatten()
                                .filter_map(Value::as_str),
                        );
                    }
                    found.extend(
                        property["enum"].as_array().into_iter().flatten().filter_map(Value::as_str),
                    );
                    found.sort_unstable();
                    let mut words = words.to_vec();
                    words.sort_unstable();
                    assert_eq!(found, words, "{key}");
                }
                kind => {
                    let expected = match kind {
                        Kind::Boolean => "boolean",
                        Kind::Integer { .. } => "integer",
                        Kind::Number => "number",
                        Kind::Text | Kind::Path | Kind::Span | Kind::Size => "string",
                        Kind::List(_) => "array",
                        Kind::Map(_) => "object",
                        _ => continue,
                    };
                    assert_eq!(property["type"], expected, "{key}");
                }
            }
        }
    }
}
