//! Changes the text of a configuration file and nothing else in it: comments, order and layout stay.
//!
//! Pure: text in, text out. Every change is checked before it is handed back, so that a file is
//! either changed as asked or not at all. Knows neither settings nor files.

use jsonc_parser::CollectOptions;
use jsonc_parser::CommentCollectionStrategy;
use jsonc_parser::ast;
use jsonc_parser::common::Range;
use jsonc_parser::common::Ranged;
use jsonc_parser::cst::CstInputValue;
use jsonc_parser::cst::CstNode;
use jsonc_parser::cst::CstObject;
use jsonc_parser::cst::CstObjectProp;
use jsonc_parser::cst::CstRootNode;
use jsonc_parser::parse_to_ast;
use jsonc_parser::tokens::Token;
use serde_json::Map;
use serde_json::Value;

use crate::config::source::SYNTAX;

/// Some editors put it there; it is kept.
const MARK: char = '\u{feff}';

/// Why a text is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("the file is not JSON with comments: {0}")]
    Syntax(String),
    #[error("`{0}` holds something else in this file")]
    NotAnObject(String),
    #[error("the file is written in a way in which `{0}` cannot be changed alone")]
    Entangled(String),
}

/// The text with `value` at a key (its parts from the root). Objects on the way are made.
pub fn set(text: &str, key: &[&str], value: &Value) -> Result<String, EditError> {
    let change = |text: &str| {
        let root = parse(text)?;
        let object = root.object_value_or_create().ok_or_else(|| wrong_shape(&[]))?;
        let (name, parent) = last(key)?;
        let object = descend(&object, parent, true)?.ok_or_else(|| wrong_shape(parent))?;
        match object.get(name) {
            Some(property) => property.set_value(input(value)),
            None => drop(object.append(name, input(value))),
        }
        Ok(root.to_string())
    };
    apply(text, key, &change, &|whole| put(whole, key, value))
}

/// The text without a key; `None` where it is not there. A comment on the line of what goes goes
/// along, one above it stays.
pub fn unset(text: &str, key: &[&str]) -> Result<Option<String>, EditError> {
    if at(&value_of(text)?, key).is_none() {
        return Ok(None);
    }
    let change = |text: &str| {
        let root = parse(text)?;
        if let Some(property) = find(&root, key)? {
            property.remove();
        }
        Ok(root.to_string())
    };
    apply(text, key, &change, &|whole| drop(take(whole, key))).map(Some)
}

/// The text with another name for a key, in its place, and its value put into an object of one
/// member where `wrap` names it.
pub fn rename(
    text: &str,
    key: &[&str],
    new: &str,
    wrap: Option<&str>,
) -> Result<String, EditError> {
    let change = |text: &str| {
        let parsed = parse_to_ast(text, &CollectOptions::default(), &SYNTAX);
        let tree = parsed.map_err(|error| syntax(&error))?.value;
        let Some((name, value)) = tree.as_ref().and_then(|tree| spans(tree, key)) else {
            return Ok(text.to_owned());
        };
        let (before, between) = (&text[..name.start], &text[name.end..value.start]);
        let (inside, behind) = (&text[value.start..value.end], &text[value.end..]);
        let name = Value::from(new);
        Ok(match wrap {
            Some(wrap) => {
                let wrap = Value::from(wrap);
                format!("{before}{name}{between}{{ {wrap}: {inside} }}{behind}")
            }
            None => format!("{before}{name}{between}{inside}{behind}"),
        })
    };
    apply(text, key, &change, &|whole| renamed(whole, key, new, wrap))
}

/// Where a key's last name and its value stand.
fn spans(tree: &ast::Value<'_>, key: &[&str]) -> Option<(Range, Range)> {
    let (first, rest) = key.split_first()?;
    let object = tree.as_object()?;
    let property = object.properties.iter().find(|property| property.name.as_str() == *first)?;
    if rest.is_empty() {
        return Some((property.name.range(), property.value.range()));
    }
    spans(&property.value, rest)
}

/// The same as [`rename`] on a value: the key keeps its place in the order.
pub fn renamed(whole: &mut Value, key: &[&str], new: &str, wrap: Option<&str>) {
    let Ok((name, parent)) = last(key) else { return };
    let Some(Value::Object(object)) = at_mut(whole, parent) else { return };
    let members = std::mem::take(object).into_iter().map(|(member, value)| {
        if member != name {
            return (member, value);
        }
        let value = match wrap {
            Some(wrap) => Value::Object(Map::from_iter([(wrap.to_owned(), value)])),
            None => value,
        };
        (new.to_owned(), value)
    });
    *object = members.collect();
}

/// The comments of a text, in order.
pub fn comments(text: &str) -> Vec<String> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let collect = CollectOptions { comments: CommentCollectionStrategy::AsTokens, tokens: true };
    let Ok(parsed) = parse_to_ast(text, &collect, &SYNTAX) else { return Vec::new() };
    let tokens = parsed.tokens.into_iter().flatten();
    let comments = tokens
        .filter(|token| matches!(token.token, Token::CommentLine(_) | Token::CommentBlock(_)));
    comments.map(|token| token.text(text).trim_end().to_owned()).collect()
}

/// Changes the text with `change` and hands the text back if that did exactly what `meant` does to
/// the value, and no comment but those of the key itself is gone.
fn apply(
    text: &str,
    key: &[&str],
    change: &dyn Fn(&str) -> Result<String, EditError>,
    meant: &dyn Fn(&mut Value),
) -> Result<String, EditError> {
    let mark = if text.starts_with(MARK) { MARK.to_string() } else { String::new() };
    let body = text.strip_prefix(MARK).unwrap_or(text);
    let mut expected = value_of(body)?;
    let own = find(&parse(body)?, key).ok().flatten().map(|property| own_comments(&property));
    let changed = change(body)?;
    meant(&mut expected);
    let mut lost = comments(body);
    for comment in comments(&changed) {
        if let Some(place) = lost.iter().position(|other| *other == comment) {
            lost.remove(place);
        }
    }
    let own = own.unwrap_or_default();
    let kept = lost.iter().all(|comment| own.contains(comment));
    if !kept || value_of(&changed).ok() != Some(expected) {
        return Err(EditError::Entangled(key.join(".")));
    }
    Ok(format!("{mark}{changed}"))
}

/// Comments inside a property, and on its line: they speak of what is replaced or removed.
fn own_comments(property: &CstObjectProp) -> Vec<String> {
    let on_line = |node: &CstNode| node.is_trivia() && !node.is_newline() || node.is_comma();
    let before = property.previous_siblings().take_while(on_line);
    let beside = before.chain(property.next_siblings().take_while(on_line));
    let beside = beside.filter(CstNode::is_comment).map(|node| node.to_string());
    let beside = beside.map(|comment| comment.trim_end().to_owned());
    beside.chain(comments(&format!("{{{property}\n}}"))).collect()
}

fn value_of(text: &str) -> Result<Value, EditError> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let parsed = parse_to_ast(text, &CollectOptions::default(), &SYNTAX);
    let value = parsed.map_err(|error| syntax(&error))?.value;
    Ok(value.map_or_else(|| Value::Object(Map::new()), Value::from))
}

fn parse(text: &str) -> Result<CstRootNode, EditError> {
    CstRootNode::parse(text, &SYNTAX).map_err(|error| syntax(&error))
}

fn syntax(error: &jsonc_parser::errors::ParseError) -> EditError {
    EditError::Syntax(error.to_string().to_lowercase())
}

fn wrong_shape(key: &[&str]) -> EditError {
    EditError::NotAnObject(if key.is_empty() { "the whole".to_owned() } else { key.join(".") })
}

/// The last part of a key and what stands before it.
fn last<'a, 'b>(key: &'a [&'b str]) -> Result<(&'b str, &'a [&'b str]), EditError> {
    key.split_last().map(|(name, parent)| (*name, parent)).ok_or_else(|| wrong_shape(&[]))
}

/// The object at a key; `None` where it is not there and is not to be made.
fn descend(from: &CstObject, key: &[&str], make: bool) -> Result<Option<CstObject>, EditError> {
    let mut object = from.clone();
    for (depth, name) in key.iter().enumerate() {
        let property = match object.get(name) {
            Some(property) => property,
            None if make => object.append(name, CstInputValue::Object(Vec::new())),
            None => return Ok(None),
        };
        let inner = property.object_value();
        object = inner.ok_or_else(|| wrong_shape(&key[..=depth]))?;
    }
    Ok(Some(object))
}

fn find(root: &CstRootNode, key: &[&str]) -> Result<Option<CstObjectProp>, EditError> {
    let (name, parent) = last(key)?;
    let Some(object) = root.object_value() else { return Ok(None) };
    Ok(descend(&object, parent, false)?.and_then(|object| object.get(name)))
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(list) => CstInputValue::Array(list.iter().map(input).collect()),
        Value::Object(object) => CstInputValue::Object(
            object.iter().map(|(name, value)| (name.clone(), input(value))).collect(),
        ),
    }
}

fn at<'a>(value: &'a Value, key: &[&str]) -> Option<&'a Value> {
    key.iter().try_fold(value, |value, name| value.get(name))
}

fn at_mut<'a>(value: &'a mut Value, key: &[&str]) -> Option<&'a mut Value> {
    key.iter().try_fold(value, |value, name| value.get_mut(name))
}

fn put(whole: &mut Value, key: &[&str], value: &Value) {
    let mut place = whole;
    for name in key {
        let Value::Object(object) = place else { return };
        place = object.entry((*name).to_owned()).or_insert_with(|| Value::Object(Map::new()));
    }
    place.clone_from(value);
}

fn take(whole: &mut Value, key: &[&str]) -> Option<Value> {
    let (name, parent) = last(key).ok()?;
    at_mut(whole, parent)?.as_object_mut()?.shift_remove(name)
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
