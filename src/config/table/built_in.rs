//! The lowest layer: what holds where nobody says anything, taken from the table of settings.
//!
//! Made setting by setting, because most commands never look at a setting that nobody gave.

use serde_json::Value;

use super::check::Leaf;
use super::fields::Field;
use super::fields::Kind;
use super::fields::Rules;
use super::schema::Config;
use crate::config::error::Place;

/// What is built in for a setting; `None` where it has no default.
pub(in crate::config) fn leaf(segments: &[String], field: Field) -> Option<Leaf> {
    let value = field.built_in();
    // The names of a map are the person's: nothing is built in for one of them.
    if matches!(value, Value::Null | Value::Object(_)) {
        return None;
    }
    let (key, segments) = (segments.join("."), segments.to_vec());
    Some(Leaf { key, segments, field, value, place: Place::BuiltIn })
}

/// All that is built in.
pub(in crate::config) fn leaves() -> Vec<Leaf> {
    let mut all = Vec::new();
    collect(Config::FIELDS, false, &mut Vec::new(), &mut all);
    all
}

/// `power`: of the group that the fields stand in.
fn collect(fields: &[Field], power: bool, key: &mut Vec<String>, into: &mut Vec<Leaf>) {
    for field in fields {
        let power = field.rules.power || power;
        key.push(field.name.to_owned());
        match field.kind {
            Kind::Object(inner) => collect(inner, power, key, into),
            _ => into.extend(leaf(key, Field { rules: Rules { power, ..field.rules }, ..*field })),
        }
        key.pop();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::config::layer::Merged;
    use crate::config::table::schema::Config;

    fn without_nulls(value: &mut Value) {
        if let Value::Object(map) = value {
            map.values_mut().for_each(without_nulls);
            let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
            map.retain(|_, value| !value.is_null() && !is_empty(value));
        }
    }

    #[test]
    fn the_table_and_the_structs_have_the_same_defaults() {
        let mut structs = serde_json::to_value(Config::default()).unwrap();
        without_nulls(&mut structs);
        let table = Merged::default().complete();
        assert_eq!(Value::Object(table.value()), structs);
        assert!(table.settings.len() > 20, "{}", table.settings.len());
    }
}
