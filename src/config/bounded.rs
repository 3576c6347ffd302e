//! Layers that bound what others ask for: an untrusted project may only narrow, and what an organisation says
//! holds for everybody.

use std::path::Path;

use serde_json::Value;

use super::error::Diagnostic;
use super::error::Rule;
use super::layer::Entry;
use super::layer::Fate;
use super::layer::Layer;
use super::layer::Merged;
use super::layer::Origin;
use super::layer::Setting;
use super::layer::fresh;
use super::layer::is_empty_list;
use super::layer::shown;
use super::table::check::Leaf;
use super::table::order;

impl Merged {
    /// Lays a value of an untrusted project over what is there: as far as it narrows. Gives the
    /// finding where it would have widened.
    pub(super) fn narrow(&mut self, leaf: Leaf, directory: &Path) -> Option<Diagnostic> {
        self.ground(&leaf);
        let origin = Origin { layer: Layer::Project, place: leaf.place.clone() };
        let current = self.get(&leaf.key);
        let met = order::meet(leaf.field.rules.order, current, &leaf.value, directory);
        let changes = met.as_ref().is_some_and(|met| Some(met) != current);
        let whole = met.as_ref() == Some(&leaf.value);
        let finding = (!whole && current != Some(&leaf.value)).then(|| ignored(&leaf, directory));
        let fate = match (changes, whole) {
            (true, true) => Fate::Wins,
            (true, false) => Fate::Joined,
            (false, true) => Fate::Holds,
            (false, false) => Fate::Ignored,
        };
        match (self.settings.get_mut(&leaf.key), met) {
            (Some(setting), met) => {
                if let (true, Some(met)) = (changes, met) {
                    let mixed = fate == Fate::Joined || leaf.field.rules.union;
                    for entry in setting.entries.iter_mut().filter(|entry| entry.fate == Fate::Wins)
                    {
                        entry.fate = if mixed { Fate::Joined } else { Fate::Overridden };
                    }
                    setting.value = met;
                    setting.origin = origin.clone();
                }
                setting.entries.push(Entry { origin, value: leaf.value, fate });
            }
            (None, Some(met)) if !is_empty_list(&met) => {
                self.settings
                    .insert(leaf.key.clone(), fresh(leaf.segments, leaf.field, met, origin));
            }
            (None, _) => {}
        }
        finding
    }

    /// Bounds what is in force by what an organisation says. Gives the finding where somebody had
    /// asked for more.
    pub(super) fn clamp(&mut self, leaf: Leaf, directory: &Path) -> Option<Diagnostic> {
        self.ground(&leaf);
        let origin = Origin { layer: Layer::Managed, place: leaf.place.clone() };
        let Some(setting) = self.settings.get_mut(&leaf.key) else {
            let value = order::meet(leaf.field.rules.order, None, &leaf.value, directory)
                .unwrap_or_else(|| leaf.value.clone());
            self.settings.insert(leaf.key.clone(), fresh(leaf.segments, leaf.field, value, origin));
            return None;
        };
        let met = order::meet(leaf.field.rules.order, Some(&setting.value), &leaf.value, directory);
        let result = met.unwrap_or_else(|| leaf.value.clone());
        if same(&result, &setting.value) {
            setting.entries.push(Entry { origin, value: leaf.value, fate: Fate::Holds });
            return None;
        }
        let widened = setting.origin.layer != Layer::BuiltIn && !leaf.field.rules.union;
        let finding = widened.then(|| clamped(&leaf, setting));
        for entry in &mut setting.entries {
            if matches!(entry.fate, Fate::Wins | Fate::Joined) && !leaf.field.rules.union {
                entry.fate = Fate::Clamped;
            }
        }
        let joined = leaf.field.rules.union && !is_empty_list(&setting.value);
        let fate = if joined { Fate::Joined } else { Fate::Wins };
        setting.value = result;
        setting.origin = origin.clone();
        setting.entries.push(Entry { origin, value: leaf.value, fate });
        finding
    }
}

/// Lists are sets here.
fn same(first: &Value, second: &Value) -> bool {
    match (first, second) {
        (Value::Array(first), Value::Array(second)) => {
            first.len() == second.len() && first.iter().all(|entry| second.contains(entry))
        }
        (first, second) => first == second,
    }
}

fn ignored(leaf: &Leaf, project: &Path) -> Diagnostic {
    let message = format!("`{}` is ignored: this project is not trusted", leaf.key);
    Diagnostic::warning(Rule::Untrusted, leaf.place.clone(), message)
        .about(&leaf.key)
        .with_remedy(remedy(project))
}

/// What makes a project's files count.
pub(super) fn remedy(project: &Path) -> String {
    format!("read the project's files, then `agi-agent trust {}`", project.display())
}

fn clamped(leaf: &Leaf, setting: &Setting) -> Diagnostic {
    let (key, bound) = (&leaf.key, shown(&leaf.field, &leaf.value));
    let message = format!("`{key}` is bounded by the organisation: {bound} ({})", leaf.place);
    Diagnostic::warning(Rule::Clamped, setting.origin.place.clone(), message)
        .about(key)
        .with_remedy("ask whoever looks after this machine")
}
