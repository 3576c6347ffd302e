//! Takes wrappers off: `timeout 5 nice env git log` runs `git log`, and that is what is judged.
//!
//! A wrapper with an option that is not listed here stays on, and is judged as the program it is:
//! all of them are among [`super::programs`] that no pattern covers.

use super::Simple;
use super::Word;
use super::programs;

/// Wrappers in one another.
const MAX_WRAPPERS: usize = 8;

/// What a simple command comes down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwrapped {
    pub words: Vec<Word>,
    /// The programs that were taken off; they run too.
    pub wrappers: Vec<String>,
    /// Further arguments follow that nobody knows (`xargs`, `find -exec`).
    pub more: bool,
}

/// The commands that a simple command runs: itself without its wrappers, and for `find -exec` also
/// what it executes.
pub fn unwrap(command: &Simple) -> Vec<Unwrapped> {
    let mut found = Vec::new();
    let mut words = command.words.as_slice();
    let mut more = false;
    let mut wrappers = Vec::new();
    for _ in 0..MAX_WRAPPERS {
        let Some((inner, adds)) = inside(words) else { break };
        wrappers.extend(words.first().map(|word| word.text.clone()));
        words = inner;
        more |= adds;
    }
    if words.first().is_some_and(|word| word.fixed && programs::base(&word.text) == "find") {
        found.extend(executed_by_find(words));
    }
    found.push(Unwrapped { words: words.to_vec(), wrappers, more });
    found
}

/// The command inside a wrapper, and whether the wrapper adds arguments.
fn inside(words: &[Word]) -> Option<(&[Word], bool)> {
    let program = words.first().filter(|word| word.fixed)?;
    let rest = &words[1..];
    let skip = match program.text.as_str() {
        "nohup" | "setsid" => options(rest, &[], &["-w", "--wait"], 0)?,
        "nice" => options(rest, &["-n"], &[], 0)?,
        "ionice" => options(rest, &["-c", "-n"], &["-t"], 0)?,
        "stdbuf" => options(rest, &["-i", "-o", "-e"], &["-oL", "-eL", "-o0", "-e0", "-i0"], 0)?,
        "timeout" => {
            let known = ["-v", "--foreground", "--preserve-status", "--verbose"];
            options(rest, &["-k", "-s"], &known, 1)?
        }
        // `env NAME=value` is not taken off: what a variable does to a program is not known.
        "env" => options(rest, &[], &["-i", "--ignore-environment"], 0)?,
        "command" => options(rest, &[], &[], 0)?,
        "xargs" => {
            let known = ["-0", "-r", "-t", "--null", "--no-run-if-empty"];
            let skip = options(rest, &["-n", "-P", "-L", "-d"], &known, 0)?;
            return inner(rest, skip).map(|words| (words, true));
        }
        _ => return None,
    };
    inner(rest, skip).map(|words| (words, false))
}

fn inner(rest: &[Word], skip: usize) -> Option<&[Word]> {
    let inner = rest.get(skip..)?;
    let program = inner.first()?;
    (program.fixed && program.operand && !program.text.contains('=')).then_some(inner)
}

/// How many words are options and `operands`; `None` where one is not known.
fn options(words: &[Word], with_value: &[&str], alone: &[&str], operands: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| !word.operand) {
        if !word.fixed {
            return None;
        }
        if word.text == "--" {
            at += 1;
            break;
        }
        if with_value.contains(&word.text.as_str()) {
            words.get(at + 1).filter(|value| value.fixed && value.operand)?;
            at += 2;
        } else if alone.contains(&word.text.as_str()) {
            at += 1;
        } else {
            return None;
        }
    }
    words.get(at..at + operands)?.iter().all(|word| word.fixed && word.operand).then_some(())?;
    Some(at + operands)
}

/// The commands of `-exec … ;`. One whose end is not found takes all that follows.
fn executed_by_find(words: &[Word]) -> Vec<Unwrapped> {
    let mut found = Vec::new();
    let mut rest = words;
    while let Some(start) =
        rest.iter().position(|word| programs::FIND_RUNS.contains(&word.text.as_str()))
    {
        let after = &rest[start + 1..];
        let end =
            after.iter().position(|word| word.fixed && matches!(word.text.as_str(), ";" | "+"));
        let inner = &after[..end.unwrap_or(after.len())];
        if !inner.is_empty() {
            let mut command = Simple { words: inner.to_vec() };
            for word in &mut command.words {
                if word.text.contains("{}") {
                    // A path that begins as the starting point does, which may be a dash.
                    word.fixed = false;
                    word.operand = false;
                }
            }
            found.extend(
                unwrap(&command).into_iter().map(|inner| Unwrapped { more: true, ..inner }),
            );
        }
        rest = &after[end.unwrap_or(after.len())..];
    }
    found
}
