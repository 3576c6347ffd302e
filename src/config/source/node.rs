//! A JSON tree in which everything knows its place in the text, made from a file or from a value.

use std::ops::Range;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

/// A value and the bytes it stands in (`0..0` where it does not come from a text).
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub span: Range<usize>,
    pub data: Data,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    Null,
    Boolean(bool),
    /// As it was written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub name: String,
    pub name_span: Range<usize>,
    pub value: Node,
}

impl Node {
    pub fn empty() -> Self {
        Self { span: 0..0, data: Data::Object(Vec::new()) }
    }

    pub(super) fn of_ast(tree: &ast::Value<'_>) -> Self {
        let data = match tree {
            ast::Value::NullKeyword(_) => Data::Null,
            ast::Value::BooleanLit(literal) => Data::Boolean(literal.value),
            ast::Value::NumberLit(literal) => Data::Number(literal.value.to_owned()),
            ast::Value::StringLit(literal) => Data::Text(literal.value.clone().into_owned()),
            ast::Value::Array(list) => Data::List(list.elements.iter().map(Self::of_ast).collect()),
            ast::Value::Object(object) => Data::Object(
                object
                    .properties
                    .iter()
                    .map(|member| Member {
                        name: member.name.as_str().to_owned(),
                        name_span: span(&member.name),
                        value: Self::of_ast(&member.value),
                    })
                    .collect(),
            ),
        };
        Self { span: span(tree), data }
    }

    /// A value that comes from no text.
    pub fn of_value(value: &Value) -> Self {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(value) => Data::Boolean(*value),
            Value::Number(number) => Data::Number(number.to_string()),
            Value::String(text) => Data::Text(text.clone()),
            Value::Array(list) => Data::List(list.iter().map(Self::of_value).collect()),
            Value::Object(object) => Data::Object(
                object
                    .iter()
                    .map(|(name, value)| Member {
                        name: name.clone(),
                        name_span: 0..0,
                        value: Self::of_value(value),
                    })
                    .collect(),
            ),
        };
        Self { span: 0..0, data }
    }

    /// The plain value; a number that JSON cannot hold becomes null.
    pub fn to_value(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Boolean(value) => Value::Bool(*value),
            Data::Number(text) => text.parse::<Number>().map_or(Value::Null, Value::Number),
            Data::Text(text) => Value::from(text.clone()),
            Data::List(list) => list.iter().map(Self::to_value).collect(),
            Data::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|member| (member.name.clone(), member.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// What it is, in words.
    pub fn words(&self) -> String {
        match &self.data {
            Data::Null => "`null`".into(),
            Data::Boolean(value) => format!("`{value}`"),
            Data::Number(text) => format!("the number {text}"),
            Data::Text(text) if super::excerpt::begins_as_tokens_do(text) => "a text".into(),
            Data::Text(text) if text.chars().count() <= 40 => format!("the text `{text}`"),
            Data::Text(_) => "a long text".into(),
            Data::List(_) => "a list".into(),
            Data::Object(_) => "an object".into(),
        }
    }
}

fn span(node: &impl Ranged) -> Range<usize> {
    let range = node.range();
    range.start..range.end
}
