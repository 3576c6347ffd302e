//! Git's configuration files, read as git reads them (`git-config(1)`, "Syntax").
//!
//! Values only: no file is opened, `include` is not followed, and nothing is ever written.

use std::iter::Peekable;
use std::str::Chars;

/// A variable with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Lower case, without the subsection: `filter` of `[filter "x"]`.
    pub section: String,
    /// There is a subsection.
    pub is_below: bool,
    /// Lower case.
    pub key: String,
    /// Without quotes and comments; empty where there is no `=`.
    pub value: String,
}

impl Entry {
    /// Whether the value names a file that is configuration as well.
    pub fn includes(&self) -> bool {
        matches!(&*self.section, "include" | "includeif") && self.key == "path"
    }

    /// The variable as `git-config(1)` spells it, with a star for a subsection: `filter.*.clean`.
    pub fn name(&self) -> String {
        let (section, key) = match (&*self.section, &*self.key) {
            ("core", "hookspath") => ("core", "hooksPath"),
            ("core", "attributesfile") => ("core", "attributesFile"),
            ("includeif", "path") => ("includeIf", "path"),
            other => other,
        };
        format!("{section}.{}{key}", if self.is_below { "*." } else { "" })
    }
}

/// Whether a word stands somewhere in a file, whatever its case: what lacks it need not be read.
pub fn mentions(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// The variables of a file in their order. What git would take for an error is passed over.
pub fn entries(bytes: &[u8]) -> Vec<Entry> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut rest = text.trim_start_matches('\u{feff}').chars().peekable();
    let (mut section, mut is_below) = (String::new(), false);
    let mut found = Vec::new();
    while let Some(&next) = rest.peek() {
        match next {
            '[' => (section, is_below) = header(&mut rest),
            '#' | ';' => skip_line(&mut rest),
            _ if next.is_alphabetic() => {
                let key = word(&mut rest);
                while rest.next_if(|next| matches!(next, ' ' | '\t')).is_some() {}
                let has_value = rest.next_if_eq(&'=').is_some();
                let value = if has_value { value(&mut rest) } else { String::new() };
                found.push(Entry { section: section.clone(), is_below, key, value });
            }
            _ => drop(rest.next()),
        }
    }
    found
}

fn skip_line(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|next| *next != '\n').is_some() {}
}

fn word(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || *next == '-') {
        word.extend(next.to_lowercase());
    }
    word
}

/// The section of `[section "subsection"]` or `[section.subsection]`, and whether there is the latter.
fn header(rest: &mut Peekable<Chars<'_>>) -> (String, bool) {
    rest.next();
    let section = word(rest);
    let (mut is_quoted, mut is_below) = (false, false);
    while let Some(next) = rest.next_if(|next| *next != '\n') {
        match next {
            '\\' if is_quoted => drop(rest.next()),
            '"' => is_quoted = !is_quoted,
            ']' if !is_quoted => break,
            _ => {}
        }
        is_below |= !next.is_whitespace();
    }
    (section, is_below)
}

/// The rest of a line, and of those that it is continued on.
fn value(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut value = String::new();
    // What follows the last character that counts is blank.
    let (mut length, mut is_quoted) = (0, false);
    while let Some(next) = rest.next_if(|next| *next != '\n') {
        match next {
            '"' => is_quoted = !is_quoted,
            '#' | ';' if !is_quoted => {
                skip_line(rest);
                break;
            }
            '\\' => match rest.next() {
                Some('\n') | None => {}
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(other) => value.push(other),
            },
            ' ' | '\t' if !is_quoted => {
                if !value.is_empty() {
                    value.push(next);
                }
                continue;
            }
            _ => value.push(next),
        }
        length = value.len();
    }
    value.truncate(length);
    value
}

#[cfg(test)]
mod tests {
    use super::entries;

    #[test]
    fn variables_are_what_git_makes_of_them() {
        let text = "# [no]\n[core] bare = false ; no\n\tHooksPath = \"a b\" # no\n[Include \"]\\\"x\"]\n\
                    path=../x\\\n/y  \nflag\n[filter.x]clean = a \"b  c\" d\\\\e\n";
        let found = entries(text.as_bytes());
        let found: Vec<_> = found.iter().map(|entry| (entry.name(), &*entry.value)).collect();
        let wanted = [
            ("core.bare", "false"),
            ("core.hooksPath", "a b"),
            ("include.*.path", "../x/y"),
            ("include.*.flag", ""),
            ("filter.*.clean", "a b  c d\\e"),
        ];
        assert_eq!(found, wanted.map(|(name, value)| (name.to_owned(), value)));
        for odd in ["[", "[core", "a =", "a = \\", "[x \"", "= x", "]\u{0}"] {
            assert!(entries(odd.as_bytes()).len() < 2, "{odd}");
        }
    }
}
