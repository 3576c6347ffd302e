//! Whether allow patterns cover a shell command: each program it starts, each file it writes, each
//! variable it sets.
//!
//! Looks programs up (where they are, not what they are); runs nothing. A pattern is compared word by
//! word: a `*` that ends its last word stands for further arguments, never for more letters.

use std::path::Path;
use std::path::PathBuf;

use super::rules::matches;
use super::shell;
use super::shell::Redirection;
use super::shell::Script;
use super::shell::Word;
use super::shell::programs;
use super::shell::unwrap::Unwrapped;
use super::shell::unwrap::unwrap;

/// Programs that run the text they are given: of what is expanded in it nothing is known.
const TEXT_RUNNERS: [&str; 9] = [".", "ash", "bash", "dash", "eval", "ksh", "sh", "source", "zsh"];

/// Where programs are looked up, and which places do not count since the agent may write there.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The directories of `PATH` that children see, in order.
    pub search: Vec<PathBuf>,
    /// The workspace and other writable directories, as they are called without links.
    pub writable: Vec<PathBuf>,
}

/// Why a command is not covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub reason: String,
}

fn refused<T>(reason: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { reason: reason.into() })
}

/// Whether `patterns` (with the rules they come from) cover everything that `text` does; the rules
/// that were needed. `may_write` says whether a file may be written by a redirection.
pub fn cover(
    patterns: &[(&str, &str)],
    text: &str,
    places: &Places,
    may_write: &dyn Fn(&str) -> bool,
) -> Result<String, Refused> {
    if cfg!(not(unix)) {
        // Without a bash the `shell` tool hands the text to `cmd`, which reads it differently.
        return refused("commands are judged on Unix only");
    }
    let script = shell::parse(text).map_err(|unclear| Refused { reason: unclear.to_string() })?;
    let mut rules: Vec<&str> = Vec::new();
    for command in script.commands.iter().flat_map(unwrap) {
        let rule = rule_for(patterns, &command, places)?;
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    check_redirections(&script, may_write)?;
    let moves = |name: &str| matches!(name, "cd" | "pushd" | "popd");
    if !script.redirections.is_empty()
        && script.commands.iter().any(|command| moves(&command.words[0].text))
    {
        return refused("it changes the directory and redirects");
    }
    if let Some(name) = script.variables.iter().find(|name| !is_harmless_variable(name)) {
        return refused(format!("it sets the variable `{name}`"));
    }
    if rules.is_empty() {
        return refused("it starts no program");
    }
    Ok(rules.join("`, `"))
}

/// The rule that covers one command.
fn rule_for<'a>(
    patterns: &[(&str, &'a str)],
    command: &Unwrapped,
    places: &Places,
) -> Result<&'a str, Refused> {
    let mut nearest = None;
    for (pattern, rule) in patterns {
        let Some(fit) = fit(pattern, &command.words) else { continue };
        let reason = match fit {
            Fit::Exact if !command.more => None,
            Fit::Exact => Some("it gets further arguments".to_owned()),
            Fit::Wildcard => programs::refusal(command),
        };
        let reason = reason.or_else(|| is_inside(pattern, command, places));
        match reason {
            None => return Ok(rule),
            Some(reason) => nearest = Some(format!("`{rule}` does not cover it: {reason}")),
        }
    }
    let shown =
        || command.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    refused(nearest.unwrap_or_else(|| format!("no rule covers `{}`", shown())))
}

/// How a pattern fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Word for word.
    Exact,
    /// By a `*` or another wildcard.
    Wildcard,
}

fn fit(pattern: &str, words: &[Word]) -> Option<Fit> {
    let mut words = words.iter();
    let mut pattern_words = pattern.split_whitespace().peekable();
    let mut fit = Fit::Exact;
    while let Some(pattern_word) = pattern_words.next() {
        if pattern_words.peek().is_none() {
            if pattern_word == "*" {
                return Some(Fit::Wildcard);
            }
            if let Some(stem) = pattern_word.strip_suffix('*') {
                let word = words.next()?;
                return (word.fixed && matches(stem, &word.text)).then_some(Fit::Wildcard);
            }
        }
        let word = words.next()?;
        if !word.fixed || !matches(pattern_word, &word.text) {
            return None;
        }
        if pattern_word != word.text {
            fit = Fit::Wildcard;
        }
    }
    words.next().is_none().then_some(fit)
}

/// Why the programs of a command are not the ones a pattern means: they are found in a place that
/// the agent may write to, or nowhere.
fn is_inside(pattern: &str, command: &Unwrapped, places: &Places) -> Option<String> {
    let program = &command.words.first()?.text;
    let is_spelled = program.contains('/') && pattern.split_whitespace().next() == Some(program);
    let is_builtin = command.wrappers.is_empty() && programs::is_builtin(program);
    let looked_up = (!is_spelled && !is_builtin).then_some(program);
    command
        .wrappers
        .iter()
        .filter(|wrapper| *wrapper != "command")
        .chain(looked_up)
        .find(|name| !is_outside(name, places))
        .map(|name| format!("`{name}` is not a program outside the workspace"))
}

/// Whether the first program of that name is outside of every writable place.
fn is_outside(name: &str, places: &Places) -> bool {
    if name.contains('/') {
        return Path::new(name).is_absolute() && is_trusted(Path::new(name), places);
    }
    for directory in &places.search {
        let candidate = directory.join(name);
        if candidate.is_file() {
            return directory.is_absolute() && is_trusted(&candidate, places);
        }
    }
    false
}

/// Neither the file's name nor the file itself is in a writable place.
fn is_trusted(file: &Path, places: &Places) -> bool {
    let (Ok(real), Some(Ok(directory))) =
        (file.canonicalize(), file.parent().map(Path::canonicalize))
    else {
        return false;
    };
    !places.writable.iter().any(|place| real.starts_with(place) || directory.starts_with(place))
}

/// Whether all programs of a command that a rule spells out are outside of what the agent may write.
/// Of a command that cannot be read, the person's words are taken as they are.
pub fn programs_are_outside(text: &str, places: &Places) -> bool {
    let Ok(script) = shell::parse(text) else { return true };
    script.commands.iter().flat_map(unwrap).all(|command| {
        let spelled = command.words.first().map(|word| word.text.clone()).unwrap_or_default();
        is_inside(&spelled, &command, places).is_none()
    })
}

fn check_redirections(script: &Script, may_write: &dyn Fn(&str) -> bool) -> Result<(), Refused> {
    for redirection in &script.redirections {
        match redirection {
            Redirection::Reads(word) if word.fixed && word.text == "/dev/null" => {}
            Redirection::Reads(word) if !word.fixed || word.text.starts_with("/dev/") => {
                return refused("it reads from a place that is not plain");
            }
            Redirection::Reads(_) => {}
            Redirection::Writes(word) if word.fixed && word.text == "/dev/null" => {}
            Redirection::Writes(word)
                if word.fixed && !word.text.starts_with("/dev/") && may_write(&word.text) => {}
            Redirection::Writes(word) => {
                return refused(format!("no `file_write` rule covers writing to `{}`", word.text));
            }
        }
    }
    Ok(())
}

/// Short lower-case names mean nothing to any program, but for the proxies.
fn is_harmless_variable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.ends_with("_proxy")
}

/// Whether a command may hide a program from a deny or ask rule: it cannot be read, names a program
/// by something that is expanded, or starts the pattern's program under a wrapper or escape.
pub fn may_hide(pattern: &str, text: &str) -> bool {
    let Ok(script) = shell::parse(text) else { return true };
    script.commands.iter().flat_map(unwrap).any(|command| {
        let Some(program) = command.words.first() else { return false };
        if !program.fixed {
            return true;
        }
        let name = programs::base(&program.text);
        if TEXT_RUNNERS.contains(&name) && command.words.iter().any(|word| !word.fixed) {
            return true;
        }
        let mut by_name = command.words.clone();
        name.clone_into(&mut by_name[0].text);
        let loose = pattern.trim_end_matches(['*', ' ']);
        [pattern, loose].iter().any(|pattern| {
            fit(pattern, &command.words).is_some() || fit(pattern, &by_name).is_some()
        }) || begins(loose, &by_name)
    })
}

/// Whether a command begins with the words of a pattern, where its own are known.
fn begins(pattern: &str, words: &[Word]) -> bool {
    let mut pattern_words = pattern.split_whitespace().peekable();
    pattern_words.peek().is_some()
        && pattern_words.enumerate().all(|(place, pattern_word)| {
            words.get(place).is_some_and(|word| !word.fixed || matches(pattern_word, &word.text))
        })
}

#[cfg(test)]
#[path = "covering_tests.rs"]
pub(super) mod tests;
