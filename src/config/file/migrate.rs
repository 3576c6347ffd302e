//! Older shapes of configuration files: what became of a key from one version to the next.
//!
//! Each version's steps are data; the same steps bring a tree up to date when a file is loaded
//! (nothing is written) and rewrite its text when the person asks for it (comments and order stay).
//! A file without `config_version` has version 1. Never change a step that was released.

use serde_json::Value;

use super::edit;
use super::edit::EditError;
use crate::config::error::Diagnostic;
use crate::config::error::Rule;
use crate::config::source::Node;
use crate::config::source::Source;
use crate::config::source::node::Data;
use crate::config::source::node::Member;

/// A key that has another name, and perhaps another shape, in the next version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its parts from the root.
    pub key: &'static [&'static str],
    /// Its new last part.
    pub new: &'static str,
    /// Its value is now the member of this name of an object.
    pub wrap: Option<&'static str>,
}

impl Step {
    /// The old key, dotted.
    pub fn old_key(&self) -> String {
        self.key.join(".")
    }

    /// The new key, dotted.
    pub fn new_key(&self) -> String {
        let parent = self.key.split_last().map_or(&[][..], |(_, parent)| parent);
        [parent, &[self.new]].concat().join(".")
    }
}

/// The steps from each version to the next, version 1 first.
pub const STEPS: [&[Step]; 1] = [
    // 2: a secret says where it lies, and the environment is one of the places.
    &[Step { key: &["model", "api_key_env"], new: "api_key", wrap: Some("env") }],
];

/// The version that files have after all steps.
#[expect(clippy::cast_possible_truncation, reason = "a handful of versions")]
pub const CURRENT: u32 = STEPS.len() as u32 + 1;

/// The steps that a file of a version still has to go; none for a newer one.
fn steps_from(version: u64) -> impl Iterator<Item = &'static Step> {
    let done = usize::try_from(version).unwrap_or(usize::MAX).saturating_sub(1);
    STEPS.iter().skip(done).flat_map(|steps| steps.iter())
}

/// Brings a loaded tree up to date; everything keeps its place in the text. Gives a note for each
/// old name.
pub fn tree(tree: &mut Node, source: &Source) -> Vec<Diagnostic> {
    let mut notes = Vec::new();
    for step in steps_from(version(tree)) {
        let Some(member) = find(tree, step) else { continue };
        let place = source.place(member.name_span.start);
        step.new.clone_into(&mut member.name);
        if let Some(wrap) = step.wrap {
            let inner = std::mem::replace(&mut member.value, Node::empty());
            let span = inner.span.clone();
            let name_span = span.clone();
            let member_inside = Member { name: wrap.to_owned(), name_span, value: inner };
            member.value = Node { span, data: Data::Object(vec![member_inside]) };
        }
        let message = format!("`{}` is called `{}` today", step.old_key(), step.new_key());
        notes.push(
            Diagnostic::note(Rule::Legacy, place, message)
                .about(step.new_key())
                .with_remedy("`agi-agent config migrate` rewrites it; nothing is lost"),
        );
    }
    notes
}

/// The member of a step, unless the new name stands there as well: then the old one is a mistake.
fn find<'a>(tree: &'a mut Node, step: &Step) -> Option<&'a mut Member> {
    let (name, parent) = step.key.split_last()?;
    let mut node = tree;
    for part in parent {
        let Data::Object(members) = &mut node.data else { return None };
        node = &mut members.iter_mut().find(|member| member.name == *part)?.value;
    }
    let Data::Object(members) = &mut node.data else { return None };
    if members.iter().any(|member| member.name == step.new) {
        return None;
    }
    members.iter_mut().find(|member| member.name == *name)
}

/// The version that a tree says it has. What is no version is the check's to refuse.
fn version(tree: &Node) -> u64 {
    let Data::Object(members) = &tree.data else { return 1 };
    let said = members.iter().find(|member| member.name == "config_version");
    match said.map(|member| &member.value.data) {
        Some(Data::Number(text)) => text.parse().unwrap_or(1),
        _ => 1,
    }
}

/// A text in today's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    pub text: String,
    /// What was done, a line each; empty where the text is as it was.
    pub changes: Vec<String>,
}

/// Rewrites a text. One of a newer version is handed back as it is; the caller has refused it.
pub fn text(text: &str) -> Result<Migrated, EditError> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::of_text(std::path::Path::new(""), body.to_owned());
    let syntax = |error: Diagnostic| EditError::Syntax(error.message);
    let mut tree = source.parse().map_err(syntax)?;
    let from = version(&tree);
    let mut migrated = Migrated { text: text.to_owned(), changes: Vec::new() };
    if from >= u64::from(CURRENT) {
        return Ok(migrated);
    }
    for step in steps_from(from) {
        if find(&mut tree, step).is_some() {
            migrated.text = edit::rename(&migrated.text, step.key, step.new, step.wrap)?;
            migrated.changes.push(format!("`{}` becomes `{}`", step.old_key(), step.new_key()));
        }
    }
    migrated.text = edit::set(&migrated.text, &["config_version"], &Value::from(CURRENT))?;
    migrated.changes.push(format!("`config_version` becomes {CURRENT}"));
    Ok(migrated)
}

#[cfg(test)]
#[path = "migrate_tests.rs"]
mod tests;
