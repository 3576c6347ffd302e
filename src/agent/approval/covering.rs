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

/// Where a command runs, and what its redirections may do.
pub struct Surroundings<'a> {
    pub places: &'a Places,
    /// It runs in another directory than the one that rules are about.
    pub is_elsewhere: bool,
    /// Whether a file may be written by a redirection.
    pub may_write: &'a dyn Fn(&str) -> bool,
}

/// Whether `patterns` (with the rules they come from) cover everything that `text` does; the rules
/// that were needed.
pub fn cover(
    patterns: &[(&str, &str)],
    text: &str,
    surroundings: &Surroundings<'_>,
) -> Result<String, Refused> {
    if cfg!(not(unix)) {
        // Without a bash the `shell` tool hands the text to `cmd`, which reads it differently.
        return refused("commands are judged on Unix only");
    }
    let script = shell::parse(text).map_err(|unclear| Refused { reason: unclear.to_string() })?;
    let commands: Vec<Unwrapped> = script.commands.iter().flat_map(unwrap).collect();
    let mut rules: Vec<&str> = Vec::new();
    for command in &commands {
        let rule = rule_for(patterns, command, surroundings.places)?;
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    check_directory(&commands, surroundings.is_elsewhere)?;
    check_redirections(&script, &commands, surroundings.may_write)?;
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
            Fit::Wildcard => programs::refusal(command).or_else(|| real_runner(command, places)),
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

/// The file that a program's name means.
fn found(name: &str, places: &Places) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name));
    }
    places.search.iter().map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// Whether the first program of that name is outside of every writable place.
fn is_outside(name: &str, places: &Places) -> bool {
    found(name, places).is_some_and(|file| file.is_absolute() && is_trusted(&file, places))
}

/// Why a program is not covered by a wildcard: behind its name stands one that runs or writes what it
/// is told (`linux64` is `setarch`, `editor` is `vim`).
fn real_runner(command: &Unwrapped, places: &Places) -> Option<String> {
    let name = &command.words.first()?.text;
    let file = found(name, places).filter(|file| file.is_absolute())?.canonicalize().ok()?;
    let real = file.file_name()?.to_str()?;
    (programs::is_one_program(real) && programs::is_runner(real))
        .then(|| format!("`{name}` is `{real}`, which runs or writes what its arguments say"))
}

/// Rules are about commands in the directory of the workspace: `./run.sh`, `make check` and `git log`
/// are others in another one. What only reads and prints is the same everywhere.
fn check_directory(commands: &[Unwrapped], is_elsewhere: bool) -> Result<(), Refused> {
    let moves = |command: &&Unwrapped| programs::moves(name_of(command));
    let leaving = commands.iter().find(moves);
    if leaving.is_none() && !is_elsewhere {
        return Ok(());
    }
    let bound = |command: &&Unwrapped| !moves(command) && !programs::only_prints(command);
    let Some(bound) = commands.iter().find(bound) else { return Ok(()) };
    let why = leaving
        .map_or("it runs".to_owned(), |leaving| format!("after `{}` it may run", name_of(leaving)));
    refused(format!(
        "a rule for `{}` holds in the workspace's directory, and {why} in another one",
        name_of(bound)
    ))
}

fn name_of(command: &Unwrapped) -> &str {
    command.words.first().map(|word| word.text.as_str()).unwrap_or_default()
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

/// A redirection is judged by where its name leads now, so nothing beside it may change that.
fn check_redirections(
    script: &Script,
    commands: &[Unwrapped],
    may_write: &dyn Fn(&str) -> bool,
) -> Result<(), Refused> {
    for redirection in &script.redirections {
        match redirection {
            Redirection::Reads(word) if word.fixed && word.text == "/dev/null" => {}
            Redirection::Reads(word) if !word.fixed || word.text.starts_with("/dev/") => {
                return refused("it reads from a place that is not plain");
            }
            Redirection::Reads(_) => {}
            Redirection::Writes(word) if word.fixed && word.text == "/dev/null" => {}
            Redirection::Writes(word)
                if word.fixed && !word.text.starts_with("/dev/") && may_write(&word.text) =>
            {
                let keeps = |command: &&Unwrapped| {
                    programs::only_prints(command) || programs::only_reads_repository(command)
                };
                if let Some(other) = commands.iter().find(|command| !keeps(command)) {
                    return refused(format!(
                        "`{}` may change where `{}` leads, which the same command writes",
                        name_of(other),
                        word.text
                    ));
                }
            }
            Redirection::Writes(word) => {
                return refused(format!("no `file_write` rule covers writing to `{}`", word.text));
            }
        }
    }
    Ok(())
}

/// The files that the redirections of a command write, as it names them; none of one that cannot be
/// read.
pub fn written_files(text: &str) -> Vec<String> {
    let redirections = shell::parse(text).map(|script| script.redirections).unwrap_or_default();
    let written = redirections.into_iter().filter_map(|redirection| match redirection {
        Redirection::Writes(word) if word.fixed => Some(word.text),
        Redirection::Writes(_) | Redirection::Reads(_) => None,
    });
    written.collect()
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

#[cfg(test)]
#[path = "wildcard_tests.rs"]
mod wildcard_tests;
