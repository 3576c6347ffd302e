//! Lists of objects (the models of a route): each is one value, checked member by member.

use serde_json::Map;
use serde_json::Value;

use super::Leaf;
use super::Walk;
use crate::config::error::Severity;
use crate::config::layer;
use crate::config::source::Node;
use crate::config::table::fields::Field;
use crate::config::table::fields::Kind;

impl Leaf {
    /// Whether a part of the value is a secret that is written down.
    pub fn holds_plain_secret(&self) -> bool {
        layer::masked(self.field.kind, &self.value) != self.value
    }
}

impl Walk<'_> {
    /// A list of objects is one value; what is wrong inside is found at its place.
    pub(super) fn objects(
        &mut self,
        node: &Node,
        list: &[Node],
        fields: &'static [Field],
        field: Field,
        key: &mut Vec<String>,
    ) {
        let (leaves, found) = (self.checked.leaves.len(), self.checked.diagnostics.len());
        let mut values = Vec::with_capacity(list.len());
        for (index, item) in list.iter().enumerate() {
            key.push((index + 1).to_string());
            self.value(item, Field { kind: Kind::Object(fields), ..field }, key);
            let inside = self.checked.leaves.split_off(leaves);
            values.push(object_of(inside, key.len()));
            key.pop();
        }
        let found = &self.checked.diagnostics[found..];
        if found.iter().any(|found| found.severity == Severity::Error) {
            return;
        }
        self.checked.leaves.push(Leaf {
            key: key.join("."),
            segments: key.clone(),
            field,
            value: Value::Array(values),
            place: self.place(&node.span),
        });
    }
}

/// The object that leaves make up, their keys taken from part `depth` on.
fn object_of(leaves: Vec<Leaf>, depth: usize) -> Value {
    let mut root = Value::Object(Map::new());
    for leaf in leaves {
        let mut place = &mut root;
        for part in &leaf.segments[depth..] {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[part.as_str()];
        }
        *place = leaf.value;
    }
    root
}
