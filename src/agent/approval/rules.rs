//! The person's own rules, `tool(pattern)`, of `--allow`, `--ask` and `--deny`.
//!
//! Whether a path is a symbolic link is the opener's business, what a command may touch is the
//! sandbox's. Deny and ask rules match too much rather than too little, allow rules too little
//! rather than too much; docs/approvals.md says how. Commands are read by `shell` and held against
//! allow rules by `covering`.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use globset::GlobBuilder;
use globset::GlobMatcher;

use crate::config::settings::ApprovalSettings;

use super::covering;
use super::covering::Places;
use super::covering::Refused;
use super::covering::Surroundings;

/// Tools whose target is shell text.
const COMMAND_TOOLS: [&str; 1] = ["shell"];

/// The tool whose rules say which files the redirections of a command may write.
const WRITE_TOOL: &str = "file_write";

/// A deny rule is tried at every word; these separate words, quotes taken away.
const SEPARATORS: &[char] = &[
    ';', '&', '|', '<', '>', '$', '`', '(', ')', '{', '}', '[', ']', '*', '?', '!', '#', '~', '\0',
    '%', '^', '=',
];

/// Links and missing directories of one path that are followed.
const MAX_LINKS: usize = 64;

/// A rule that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    pub message: String,
    pub hint: Option<String>,
}

/// What a call is aimed at. The first name is the one that was written; the others (the same path
/// after following links, say) must satisfy an allow rule too, and any of them a deny rule.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub tool: &'a str,
    pub names: &'a [String],
    /// Whether the names are paths: then `..` is folded and relative ones are taken from `cwd`.
    pub is_path: bool,
    /// The directory of the call.
    pub cwd: &'a Path,
    /// The directory of the workspace, which relative patterns and rules for commands are about.
    pub root: &'a Path,
    /// Where the programs of a command are looked up.
    pub places: &'a Places,
}

impl Target<'_> {
    /// Whether the call's directory is another one than the workspace's.
    fn is_elsewhere(&self) -> bool {
        self.cwd != self.root
            && match (self.cwd.canonicalize(), self.root.canonicalize()) {
                (Ok(cwd), Ok(root)) => cwd != root,
                _ => true,
            }
    }
}

/// One rule, ready to match.
#[derive(Debug, Clone)]
struct Rule {
    /// As written, for reasons.
    text: String,
    tool: GlobMatcher,
    /// `None` covers every call of the tool.
    pattern: Option<String>,
}

/// All rules of a run. Deny wins over ask, and ask over allow.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    allow: Vec<Rule>,
    ask: Vec<Rule>,
    deny: Vec<Rule>,
}

/// What allow rules say of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// By these rules, as written.
    By(String),
    /// A rule comes near, and this is why it does not cover the call.
    Nearly(String),
    No,
}

impl Rules {
    /// Parses the settings. `known` are the tools' names: a rule that covers none of them is a
    /// spelling mistake, and a deny rule that silently never matches would be a hole.
    pub fn new(settings: &ApprovalSettings, known: &[&str]) -> Result<Self, RuleError> {
        let parse = |texts: &[String]| -> Result<Vec<Rule>, RuleError> {
            texts.iter().map(|text| Rule::parse(text, known)).collect()
        };
        Ok(Self {
            allow: parse(&settings.allow)?,
            ask: parse(&settings.ask)?,
            deny: parse(&settings.deny)?,
        })
    }

    /// The deny rule that covers a target, as written.
    pub fn denies(&self, target: &Target<'_>) -> Option<&str> {
        generous(&self.deny, target)
    }

    /// Whether a deny rule covers every call of a tool, whatever its arguments.
    pub fn deny_every_call(&self, tool: &str) -> bool {
        self.deny.iter().any(|rule| rule.pattern.is_none() && rule.tool.is_match(tool))
    }

    /// The ask rule that covers a target, as written.
    pub fn asks(&self, target: &Target<'_>) -> Option<&str> {
        generous(&self.ask, target)
    }

    /// Whether allow rules cover a target. The commands of one shell text may be covered by
    /// different rules.
    pub fn allows(&self, target: &Target<'_>) -> Allowed {
        let covers = |rule: &&Rule| {
            rule.covers_tool(target)
                && target.names.iter().all(|name| rule.surely_covers(name, target))
        };
        if let Some(rule) = self.allow.iter().find(covers) {
            return Allowed::By(rule.text.clone());
        }
        if !COMMAND_TOOLS.contains(&target.tool) {
            return Allowed::No;
        }
        let patterns: Vec<(&str, &str)> = self
            .allow
            .iter()
            .filter(|rule| rule.covers_tool(target))
            .filter_map(|rule| Some((rule.pattern.as_deref()?, rule.text.as_str())))
            .collect();
        let may_write = |path: &str| self.may_write(path, target);
        let [text] = target.names else { return Allowed::No };
        let surroundings = Surroundings {
            places: target.places,
            is_elsewhere: target.is_elsewhere(),
            may_write: &may_write,
        };
        match covering::cover(&patterns, text, &surroundings) {
            Ok(rules) => Allowed::By(rules),
            Err(Refused { reason }) if !patterns.is_empty() => Allowed::Nearly(reason),
            Err(_) => Allowed::No,
        }
    }

    /// Whether an allow rule of the write tool covers a file that a redirection would write, under
    /// the name that is written and under the one behind its links.
    fn may_write(&self, path: &str, target: &Target<'_>) -> bool {
        let names = names_of_file(path, target.cwd, target.root);
        let file = Target { tool: WRITE_TOOL, names: &names, is_path: true, ..*target };
        self.denies(&file).is_none()
            && self.asks(&file).is_none()
            && self.allow.iter().any(|rule| {
                rule.covers_tool(&file) && names.iter().all(|name| rule.surely_covers(name, &file))
            })
    }
}

/// The first rule that may cover one of the names.
fn generous<'a>(rules: &'a [Rule], target: &Target<'_>) -> Option<&'a str> {
    let covers = |rule: &&Rule| {
        rule.covers_tool(target) && target.names.iter().any(|name| rule.may_cover(name, target))
    };
    rules.iter().find(covers).map(|rule| rule.text.as_str())
}

impl Rule {
    fn parse(text: &str, known: &[&str]) -> Result<Self, RuleError> {
        let trimmed = text.trim();
        let (name, pattern) = match trimmed.split_once('(') {
            None => (trimmed, None),
            Some((name, rest)) => match rest.strip_suffix(')') {
                Some(pattern) => (name.trim_end(), Some(pattern)),
                None => return Err(malformed(text, "the closing `)` is missing")),
            },
        };
        if name.is_empty() {
            return Err(malformed(text, "the tool's name is missing"));
        }
        let tool = glob(name).map_err(|reason| malformed(text, &reason))?;
        if !known.iter().any(|tool_name| tool.is_match(tool_name)) {
            return Err(unknown_tool(text, name, known));
        }
        let pattern = match pattern.map(str::trim) {
            None | Some("" | "*" | "**") => None,
            Some(pattern) => {
                glob(pattern).map_err(|reason| malformed(text, &reason))?;
                Some(pattern.to_owned())
            }
        };
        Ok(Self { text: trimmed.to_owned(), tool, pattern })
    }

    fn covers_tool(&self, target: &Target<'_>) -> bool {
        self.tool.is_match(target.tool)
    }

    /// The generous reading, for deny rules.
    fn may_cover(&self, name: &str, target: &Target<'_>) -> bool {
        let Some(pattern) = &self.pattern else { return true };
        if matches(pattern, name) {
            return true;
        }
        if COMMAND_TOOLS.contains(&target.tool) {
            return command_may_match(pattern, name) || covering::may_hide(pattern, name);
        }
        target.is_path && path_matches(pattern, name, target)
    }

    /// The strict reading, for allow rules.
    fn surely_covers(&self, name: &str, target: &Target<'_>) -> bool {
        let Some(pattern) = &self.pattern else { return true };
        if COMMAND_TOOLS.contains(&target.tool) {
            // With a wildcard in it a pattern spells no command: `sort *` may be `sort -o x`.
            return pattern == name
                && !target.is_elsewhere()
                && !pattern.contains(['*', '?', '['])
                && covering::programs_are_outside(name, target.places);
        }
        // The same letters are another file in another directory.
        if pattern == name && !(target.is_path && target.is_elsewhere()) {
            return true;
        }
        if target.is_path {
            return path_matches(pattern, name, target);
        }
        matches(pattern, name)
    }
}

/// Whether any place in a command, quotes and separators taken away, begins with the pattern's
/// words. Programs are compared with and without their directory.
fn command_may_match(pattern: &str, command: &str) -> bool {
    let plain: String = command.chars().filter(|c| !matches!(c, '"' | '\'' | '\\')).collect();
    let words: Vec<&str> = plain
        .split(|c: char| c.is_whitespace() || SEPARATORS.contains(&c))
        .filter(|word| !word.is_empty())
        .collect();
    let mut pattern_words: Vec<&str> = pattern.split_whitespace().collect();
    if pattern_words.last() == Some(&"*") {
        pattern_words.pop();
    }
    (0..words.len()).any(|start| {
        words.len() - start >= pattern_words.len()
            && pattern_words.iter().zip(&words[start..]).all(|(pattern_word, word)| {
                let base = word.rsplit('/').next().unwrap_or(word);
                matches(pattern_word, word) || matches(pattern_word, base)
            })
    })
}

fn path_matches(pattern: &str, name: &str, target: &Target<'_>) -> bool {
    let path = fold(&target.cwd.join(name));
    let anchored = if pattern.starts_with(['/', '*']) {
        pattern.to_owned()
    } else {
        let root = target.root.to_string_lossy();
        format!("{}/{pattern}", globset::escape(root.trim_end_matches('/')))
    };
    matches(&anchored, &path.to_string_lossy())
}

/// A file's name as written in a directory and, where that can be told, the one behind its links. A
/// link above the workspace concerns nobody: rules are about what is below it.
pub(super) fn names_of_file(path: &str, cwd: &Path, root: &Path) -> Vec<String> {
    let mut names = vec![path.to_owned()];
    if let (Some(real), Ok(real_root)) =
        (real_name(&cwd.join(path), MAX_LINKS), root.canonicalize())
    {
        let seen_from_here = match real.strip_prefix(&real_root) {
            Ok(below) => root.join(below),
            Err(_) => real,
        };
        names.push(seen_from_here.to_string_lossy().into_owned());
    }
    names
}

/// Where a file is, or would be made: what does not exist yet will be in its directory, wherever that
/// really is, or where a link leads that leads nowhere yet.
fn real_name(file: &Path, links: usize) -> Option<PathBuf> {
    if let Ok(real) = file.canonicalize() {
        return Some(real);
    }
    let (directory, links) = (file.parent()?, links.checked_sub(1)?);
    match std::fs::read_link(file) {
        Ok(leads) => real_name(&directory.join(leads), links),
        Err(_) => Some(real_name(directory, links)?.join(file.file_name()?)),
    }
}

/// Folds `.` and `..` without asking the file system.
fn fold(path: &Path) -> PathBuf {
    let mut folded = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                folded.pop();
            }
            other => folded.push(other),
        }
    }
    folded
}

/// `*` and `**` match anything, `/` included. A pattern that does not compile was refused when the
/// rule was parsed; here it only matches itself.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    glob(pattern).is_ok_and(|glob| glob.is_match(text)) || pattern == text
}

fn glob(pattern: &str) -> Result<GlobMatcher, String> {
    GlobBuilder::new(pattern)
        .literal_separator(false)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| error.kind().to_string())
}

fn malformed(text: &str, reason: &str) -> RuleError {
    RuleError {
        message: format!("the rule `{text}` cannot be understood: {reason}"),
        hint: Some("write `tool` or `tool(pattern)`, for example `shell(git log*)`".to_owned()),
    }
}

fn unknown_tool(text: &str, name: &str, known: &[&str]) -> RuleError {
    let nearest = known
        .iter()
        .map(|tool| (strsim::jaro_winkler(name, tool), *tool))
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .filter(|(score, _)| *score > 0.7);
    RuleError {
        message: format!("the rule `{text}` names no tool: there is no `{name}`"),
        hint: Some(match nearest {
            Some((_, tool)) => format!("did you mean `{tool}`?"),
            None => "`agi-agent tool list` shows the tools".to_owned(),
        }),
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
