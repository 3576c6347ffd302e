//! A project's `.env`: only our own variables count, and only once the project is trusted.
//!
//! `HOME`, `PATH`, `LD_PRELOAD`, `GIT_…` and everything else in it is never looked at: it belongs to
//! other programs, and through them it would run code.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::env::Environment;
use crate::config::env::PROVIDER_VARIABLES;
use crate::config::error::Place;
use crate::config::table::check::Checked;

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Counts from 1.
    pub number: usize,
    pub name: String,
    pub value: String,
}

/// Whether any line sets a variable of ours.
pub fn concerns_us(bytes: &[u8]) -> bool {
    !lines(bytes).is_empty()
}

/// The assignments of our own variables. Bytes that are not UTF-8 belong to other programs' lines.
pub fn lines(bytes: &[u8]) -> Vec<Line> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    text.lines().enumerate().filter_map(|(index, line)| assignment(index + 1, line)).collect()
}

fn assignment(number: usize, line: &str) -> Option<Line> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let ours = name.starts_with("AGI_") || PROVIDER_VARIABLES.contains(&name);
    let value = unquote(value.trim());
    (ours && !value.is_empty()).then(|| Line { number, name: name.to_owned(), value })
}

/// Quotes as shells have them, without any expansion; unquoted text ends at ` #`.
fn unquote(text: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(rest) = text.strip_prefix(quote)
            && let Some((inner, _)) = rest.split_once(quote)
        {
            return inner.to_owned();
        }
    }
    text.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

/// The settings of a trusted file, with their lines, and the variables that providers have.
pub fn configuration(path: &Path, bytes: &[u8]) -> (Checked, BTreeMap<String, String>) {
    let lines = lines(bytes);
    let pairs = lines
        .iter()
        .filter(|line| !PROVIDER_VARIABLES.contains(&line.name.as_str()))
        .map(|line| (line.name.as_str(), line.value.as_str()));
    let mut checked = Environment::from_pairs(pairs).configuration();
    let at = |place: &Place| match place {
        Place::Variable(name) => lines
            .iter()
            .rfind(|line| line.name == *name)
            .map_or_else(|| place.clone(), |line| Place::file(path, line.number, 1)),
        other => other.clone(),
    };
    for leaf in &mut checked.leaves {
        leaf.place = at(&leaf.place);
    }
    for found in &mut checked.diagnostics {
        found.place = at(&found.place);
    }
    let environment = lines.iter().map(|line| (line.name.clone(), line.value.clone())).collect();
    (checked, environment)
}

#[cfg(test)]
mod tests {
    use super::concerns_us;
    use super::lines;

    #[test]
    fn only_our_own_variables_are_seen() {
        let text = b"HOME=/evil\nLD_PRELOAD=x\nGIT_SSH_COMMAND=y\n# AGI_APPROVE=auto\nPATH=.\n";
        assert!(!concerns_us(text));
    }

    #[test]
    fn quotes_and_comments_are_as_in_shells() {
        let found = lines(
            b"export AGI_APPROVE = \"auto\" # why\nOPENAI_BASE_URL=http://x #y\nAGI_TIMEOUT=\n",
        );
        let pairs: Vec<_> = found
            .iter()
            .map(|line| (line.number, line.name.as_str(), line.value.as_str()))
            .collect();
        assert_eq!(pairs, [(1, "AGI_APPROVE", "auto"), (2, "OPENAI_BASE_URL", "http://x")]);
    }
}
