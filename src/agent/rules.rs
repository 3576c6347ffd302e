//! The person's own rules, `tool(pattern)`, of `--allow` and `--deny`.
//!
//! Pure text matching: whether a path is a symbolic link is the opener's business, what a command
//! may touch is the sandbox's. Deny rules match too much rather than too little, allow rules too
//! little rather than too much; docs/approvals.md says how. Matching of commands is a stand-in
//! until a shell grammar is parsed: an allow pattern never covers a command with a metacharacter.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use globset::GlobBuilder;
use globset::GlobMatcher;

use crate::config::settings::ApprovalSettings;

/// Tools whose target is shell text.
const COMMAND_TOOLS: [&str; 1] = ["shell"];

/// With one of these in it a command is more than a program and its arguments.
const METACHARACTERS: &[char] = &[
    ';', '&', '|', '<', '>', '$', '`', '(', ')', '{', '}', '[', ']', '*', '?', '!', '#', '~', '"',
    '\'', '\\', '\n', '\r', '\0', '%', '^', '=',
];

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
    pub cwd: &'a Path,
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

/// All rules of a run. Deny wins over allow.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
}

impl Rules {
    /// Parses the settings. `known` are the tools' names: a rule that covers none of them is a
    /// spelling mistake, and a deny rule that silently never matches would be a hole.
    pub fn new(settings: &ApprovalSettings, known: &[&str]) -> Result<Self, RuleError> {
        let parse = |texts: &[String]| -> Result<Vec<Rule>, RuleError> {
            texts.iter().map(|text| Rule::parse(text, known)).collect()
        };
        Ok(Self { allow: parse(&settings.allow)?, deny: parse(&settings.deny)? })
    }

    /// The deny rule that covers a target, as written.
    pub fn denies(&self, target: &Target<'_>) -> Option<&str> {
        let covers = |rule: &&Rule| {
            rule.covers_tool(target) && target.names.iter().any(|name| rule.may_cover(name, target))
        };
        self.deny.iter().find(covers).map(|rule| rule.text.as_str())
    }

    /// The allow rule that covers a target, as written.
    pub fn allows(&self, target: &Target<'_>) -> Option<&str> {
        let covers = |rule: &&Rule| {
            rule.covers_tool(target)
                && target.names.iter().all(|name| rule.surely_covers(name, target))
        };
        self.allow.iter().find(covers).map(|rule| rule.text.as_str())
    }
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
        let tool = glob(name, false).map_err(|reason| malformed(text, &reason))?;
        if !known.iter().any(|tool_name| tool.is_match(tool_name)) {
            return Err(unknown_tool(text, name, known));
        }
        let pattern = match pattern.map(str::trim) {
            None | Some("" | "*" | "**") => None,
            Some(pattern) => {
                glob(pattern, false).map_err(|reason| malformed(text, &reason))?;
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
            return command_may_match(pattern, name);
        }
        target.is_path && path_matches(pattern, name, target.cwd)
    }

    /// The strict reading, for allow rules.
    fn surely_covers(&self, name: &str, target: &Target<'_>) -> bool {
        let Some(pattern) = &self.pattern else { return true };
        if pattern == name {
            return true;
        }
        if COMMAND_TOOLS.contains(&target.tool) {
            return command_surely_matches(pattern, name);
        }
        if target.is_path {
            return path_matches(pattern, name, target.cwd);
        }
        matches(pattern, name)
    }
}

/// Words of a plain command against words of a pattern. A `*` that ends the pattern's last word
/// stands for further arguments, not for more letters: `git log*` covers `git log -3` and not
/// `git logout`.
fn command_surely_matches(pattern: &str, command: &str) -> bool {
    if command.contains(METACHARACTERS) {
        return false;
    }
    let mut words = command.split_whitespace();
    let mut pattern_words = pattern.split_whitespace().peekable();
    while let Some(pattern_word) = pattern_words.next() {
        let is_last = pattern_words.peek().is_none();
        if is_last && pattern_word == "*" {
            return true;
        }
        let Some(word) = words.next() else { return false };
        if is_last && let Some(stem) = pattern_word.strip_suffix('*') {
            return matches(stem, word);
        }
        if !matches(pattern_word, word) {
            return false;
        }
    }
    words.next().is_none()
}

/// Whether any place in a command, quotes and separators taken away, begins with the pattern's
/// words. Programs are compared with and without their directory.
fn command_may_match(pattern: &str, command: &str) -> bool {
    let plain: String = command.chars().filter(|c| !matches!(c, '"' | '\'' | '\\')).collect();
    let words: Vec<&str> = plain
        .split(|c: char| c.is_whitespace() || METACHARACTERS.contains(&c))
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

fn path_matches(pattern: &str, name: &str, cwd: &Path) -> bool {
    let target = fold(&cwd.join(name));
    let anchored = if pattern.starts_with(['/', '*']) {
        pattern.to_owned()
    } else {
        let cwd = cwd.to_string_lossy();
        format!("{}/{pattern}", globset::escape(cwd.trim_end_matches('/')))
    };
    matches(&anchored, &target.to_string_lossy())
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
fn matches(pattern: &str, text: &str) -> bool {
    glob(pattern, false).is_ok_and(|glob| glob.is_match(text)) || pattern == text
}

fn glob(pattern: &str, literal_separator: bool) -> Result<GlobMatcher, String> {
    GlobBuilder::new(pattern)
        .literal_separator(literal_separator)
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
