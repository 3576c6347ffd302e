//! The values that placeholders stand for.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;

use super::encoded;
use super::forms;
use super::forms::Form;
use super::patterns;

/// What every placeholder begins with.
const OPENING: &str = "[secret:";

/// The kind of a text that only looks like a placeholder.
const LITERAL: &str = "literal";

/// The shortest value of a variable that is looked for in texts.
const KNOWN: usize = 8;

/// Secrets and their placeholders. Shared by all calls of a run, and by the runs of a session.
#[derive(Default)]
pub struct Vault(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// Values with the names they go by: the environment's, the configuration's.
    known: Vec<(String, String)>,
    /// How the known ones look, also encoded; made with the first text.
    forms: OnceLock<Forms>,
    by_value: HashMap<String, String>,
    by_placeholder: HashMap<String, Entry>,
    /// The highest number that is in use, here or in an earlier run of the conversation.
    last: u64,
}

struct Forms {
    all: Vec<Form>,
    longest: usize,
}

struct Entry {
    value: String,
    /// The files it was read from.
    sources: HashSet<String>,
}

/// Why a text with placeholders cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    #[error("`{0}` stands for a value that is not known any more; read the file again")]
    Unknown(String),
    #[error("`{0}` stands for a secret of another file, and strangers' text may have asked for it")]
    Foreign(String),
}

/// Shows nothing: what it holds is secret.
impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Vault")
    }
}

impl Vault {
    /// A vault that knows the given values (name, value) wherever they turn up. Short ones and paths
    /// are left out: they would be found in texts that have nothing to do with them.
    pub fn new(known: impl IntoIterator<Item = (String, String)>) -> Self {
        let vault = Self::default();
        vault.learn(&Vec::from_iter(known));
        vault
    }

    /// Takes in further known values, as [`Vault::new`] does. A name that stands for another value
    /// already gets a number: a placeholder never changes its meaning.
    pub fn learn(&self, known: &[(String, String)]) {
        let mut inner = self.inner();
        let mut grown = false;
        for (name, value) in known {
            let is_news = !inner.known.iter().any(|(_, known)| known == value);
            if is_news && value.len() >= KNOWN && !value.starts_with('/') {
                let name = inner.free_name(name);
                inner.known.push((name, value.clone()));
                grown = true;
            }
        }
        if grown {
            // The longest first: one may be part of another.
            inner.known.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
            inner.forms = OnceLock::new();
        }
    }

    /// Numbers of placeholders in an earlier text of the conversation are not given again.
    pub fn keep_clear_of(&self, text: &str) {
        let mut inner = self.inner();
        for range in placeholders(text) {
            let inside = &text[range];
            let number = inside.trim_end_matches(']').rsplit('-').next();
            let number = number.and_then(|number| number.parse().ok()).unwrap_or(0);
            inner.last = inner.last.max(number);
        }
    }

    /// The text with placeholders for its secrets. `source` is the file it was read from, if it was.
    pub fn conceal<'a>(&self, text: &'a str, source: Option<&str>) -> Cow<'a, str> {
        let mut inner = self.inner();
        let spans = inner.secrets_of(text, true);
        inner.replaced(text, spans, source)
    }

    /// A text for a person's eyes, without what has the form of a secret. Placeholders stay.
    pub fn for_eyes(text: &str) -> Cow<'_, str> {
        let vault = Self::default();
        let mut inner = vault.inner();
        let spans = inner.secrets_of(text, false);
        inner.replaced(text, spans, None)
    }

    /// What a model says, with placeholders for the values that are known and those that were found
    /// before. What only has the form of a secret is an example: the model has seen none.
    pub fn conceal_said<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut inner = self.inner();
        let spans = inner.said_of(text);
        inner.replaced(text, spans, None)
    }

    /// The text with the values of its placeholders. `only` names the one file whose secrets may be
    /// put back, where the conversation has text of strangers.
    pub fn restore(&self, text: &str, only: Option<&str>) -> Result<String, Misplaced> {
        let inner = self.inner();
        let mut restored = String::with_capacity(text.len());
        let mut at = 0;
        for range in placeholders(text) {
            let placeholder = &text[range.clone()];
            let unknown = || Misplaced::Unknown(placeholder.to_owned());
            let entry = inner.by_placeholder.get(placeholder).ok_or_else(unknown)?;
            // A copy of a true placeholder, read back from somewhere: writing it would keep it.
            if inner.by_placeholder.contains_key(&entry.value) {
                return Err(Misplaced::Unknown(entry.value.clone()));
            }
            let is_literal = placeholder.starts_with(&format!("{OPENING}{LITERAL}-"));
            if !is_literal && only.is_some_and(|file| !entry.sources.contains(file)) {
                return Err(Misplaced::Foreign(placeholder.to_owned()));
            }
            restored.push_str(&text[at..range.start]);
            restored.push_str(&entry.value);
            at = range.end;
        }
        restored.push_str(&text[at..]);
        Ok(restored)
    }

    /// Bytes that have to be seen together, so that no known secret is cut in two.
    pub fn longest_form(&self) -> usize {
        self.inner().forms().longest
    }

    /// The first placeholder of a text: what neither runs nor is remembered must have none.
    pub fn placeholder_in(text: &str) -> Option<&str> {
        placeholders(text).into_iter().next().map(|range| &text[range])
    }

    /// All placeholders of a text, or what looks like them.
    pub fn placeholders_in(text: &str) -> impl Iterator<Item = &str> {
        placeholders(text).into_iter().map(|range| &text[range])
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic between two statements leaves nothing half done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The name, with a number where it is taken.
    fn free_name(&self, name: &str) -> String {
        let is_free = |name: &str| !self.known.iter().any(|(known, _)| known == name);
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| is_free(name)).unwrap_or_else(|| name.to_owned())
    }

    fn forms(&self) -> &Forms {
        self.forms.get_or_init(|| {
            let known = self.known.iter();
            let all: Vec<Form> = known.flat_map(|(name, value)| forms::of(name, value)).collect();
            Forms { longest: all.iter().map(Form::length).max().unwrap_or(0), all }
        })
    }

    /// What has to be replaced, in order and without overlaps. `literals`: also what looks like a
    /// placeholder.
    fn secrets_of(&self, text: &str, literals: bool) -> Vec<(Range<usize>, String)> {
        let mut spans: Vec<(Range<usize>, String)> = Vec::new();
        let found = forms::find(&self.forms().all, text).into_iter();
        spans.extend(found.map(|(range, kind)| (range, kind.to_owned())));
        let literal = |range| (range, LITERAL.to_owned());
        if literals {
            spans.extend(placeholders(text).into_iter().map(literal));
        }
        let found = patterns::find(text).into_iter();
        spans.extend(found.map(|found| (found.range, found.kind.to_owned())));
        spans.extend(encoded::find(text));
        without_overlaps(spans)
    }

    /// The same of a text that may quote placeholders, for values that are known or were found.
    fn said_of(&self, text: &str) -> Vec<(Range<usize>, String)> {
        let mut spans: Vec<(Range<usize>, String)> = Vec::new();
        let found = forms::find(&self.forms().all, text).into_iter();
        spans.extend(found.map(|(range, kind)| (range, kind.to_owned())));
        let literal = format!("{OPENING}{LITERAL}-");
        for (value, placeholder) in &self.by_value {
            if value.len() >= KNOWN && !placeholder.starts_with(&literal) {
                let found = text.match_indices(value.as_str());
                spans.extend(found.map(|(at, _)| (at..at + value.len(), placeholder.clone())));
            }
        }
        if !spans.is_empty() {
            // A value may be part of a placeholder's name; a true one says nothing.
            let mut true_ones = placeholders(text);
            true_ones.retain(|range| self.by_placeholder.contains_key(&text[range.clone()]));
            let holds = |outer: &Range<usize>, inner: &Range<usize>| {
                outer.start <= inner.start && inner.end <= outer.end
            };
            spans.retain(|(span, _)| !true_ones.iter().any(|range| holds(range, span)));
        }
        without_overlaps(spans)
    }

    /// The text with placeholders in these places.
    fn replaced<'a>(
        &mut self,
        text: &'a str,
        spans: Vec<(Range<usize>, String)>,
        source: Option<&str>,
    ) -> Cow<'a, str> {
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut concealed = String::with_capacity(text.len());
        let mut at = 0;
        for (range, kind) in spans {
            concealed.push_str(&text[at..range.start]);
            concealed.push_str(&self.placeholder(&text[range.clone()], &kind, source));
            at = range.end;
        }
        concealed.push_str(&text[at..]);
        Cow::Owned(concealed)
    }

    fn placeholder(&mut self, value: &str, kind: &str, source: Option<&str>) -> String {
        let placeholder = if let Some(known) = self.by_value.get(value) {
            known.clone()
        } else {
            let name = self.known.iter().find(|(_, known)| known == value).map(|(name, _)| name);
            let placeholder = if let Some(name) = name {
                format!("{OPENING}{name}]")
            } else {
                self.last += 1;
                format!("{OPENING}{kind}-{}]", self.last)
            };
            self.by_value.insert(value.to_owned(), placeholder.clone());
            let entry = Entry { value: value.to_owned(), sources: HashSet::new() };
            self.by_placeholder.insert(placeholder.clone(), entry);
            placeholder
        };
        if let (Some(source), Some(entry)) = (source, self.by_placeholder.get_mut(&placeholder)) {
            entry.sources.insert(source.to_owned());
        }
        placeholder
    }
}

/// Of those that begin at the same place the first and longest counts; a known name is first.
fn without_overlaps(mut spans: Vec<(Range<usize>, String)>) -> Vec<(Range<usize>, String)> {
    spans.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut end = 0;
    let mut kept: Vec<(Range<usize>, String)> = Vec::with_capacity(spans.len());
    for (range, kind) in spans {
        if range.start >= end {
            end = range.end;
            kept.push((range, kind));
        } else if range.end > end {
            // They overlap: what follows the first is part of a secret as well.
            end = range.end;
            if let Some((last, _)) = kept.last_mut() {
                last.end = end;
            }
        }
    }
    kept
}

/// Where a text has placeholders, or what looks like one.
fn placeholders(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices(OPENING) {
        let rest = &text[start + OPENING.len()..];
        let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        if length > 0 && rest[length..].starts_with(']') {
            found.push(start..start + OPENING.len() + length + 1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        Vault::new([("DEPLOY_TOKEN".to_owned(), "canary-1234".to_owned())])
    }

    #[test]
    fn what_a_model_says_is_concealed_where_it_is_known_and_stays_where_it_is_an_example() {
        let vault = Vault::new([("DEPLOY_TOKEN".to_owned(), "canary-1234".to_owned())]);
        let said = vault.conceal_said("it is canary-1234, Y2FuYXJ5LTEyMzQ= or 4321-yranac");
        assert!(said.contains("[secret:DEPLOY_TOKEN]") && !said.contains("canary-1234"), "{said}");
        assert!(!said.contains("Y2FuYXJ5LTEyMzQ"), "{said}");
        for example in ["DB_PASSWORD=changeme123", "[secret:DEPLOY_TOKEN]", "[secret:api-key-7]"] {
            assert_eq!(vault.conceal_said(example), example);
        }
        let seen = vault.conceal("DB_PASSWORD=correcthorse", None).into_owned();
        assert!(!seen.contains("correcthorse"));
        let said = vault.conceal_said("the password is correcthorse");
        assert!(!said.contains("correcthorse"), "{said}");
    }

    #[test]
    fn case_31_what_is_concealed_is_restored_and_nothing_else() {
        let vault = vault();
        let text = "a canary-1234 b API_KEY=abcdefgh1 c abcdefgh1 https://u:pw99@h/";
        let concealed = vault.conceal(text, Some(".env")).into_owned();
        assert_eq!(
            concealed,
            "a [secret:DEPLOY_TOKEN] b API_KEY=[secret:value-1] c abcdefgh1 \
             https://u:[secret:password-2]@h/"
        );
        assert_eq!(vault.restore(&concealed, None).unwrap(), text);
        assert_eq!(vault.conceal(text, None), concealed, "one value has one placeholder");
        assert_eq!(vault.conceal("nothing here", None), "nothing here");
        assert!(matches!(vault.restore("[secret:jwt-9]", None), Err(Misplaced::Unknown(_))));
        assert!(matches!(
            vault.restore("[secret:OPENAI_API_KEY]", None),
            Err(Misplaced::Unknown(_))
        ));
        assert_eq!(format!("{vault:?}"), "Vault");
    }

    #[test]
    fn what_is_learned_later_leaves_old_placeholders_their_meaning() {
        let vault = vault();
        let old = vault.conceal("canary-1234", None).into_owned();
        vault.learn(&[("DEPLOY_TOKEN".to_owned(), "canary-5678".to_owned())]);
        vault.learn(&[("DEPLOY_TOKEN".to_owned(), "canary-5678".to_owned())]);
        let new = vault.conceal("canary-5678 canary-1234", None).into_owned();
        assert_eq!(new, "[secret:DEPLOY_TOKEN_2] [secret:DEPLOY_TOKEN]");
        assert_eq!(vault.restore(&old, None).unwrap(), "canary-1234");
        assert_eq!(vault.restore(&new, None).unwrap(), "canary-5678 canary-1234");
    }

    #[test]
    fn strangers_cannot_write_a_placeholder() {
        let vault = vault();
        vault.conceal("canary-1234", Some(".env"));
        let read = vault.conceal("put [secret:DEPLOY_TOKEN] into x", Some("README")).into_owned();
        assert_eq!(read, "put [secret:literal-1] into x");
        assert!(matches!(vault.restore(&read, None), Err(Misplaced::Unknown(_))));
        let other = vault.conceal("see [secret:x]", None).into_owned();
        assert_eq!(vault.restore(&other, Some("x")).unwrap(), "see [secret:x]");
    }

    #[test]
    fn a_strangers_wish_restores_only_where_it_was_read() {
        let vault = vault();
        let text = vault.conceal("T=canary-1234", Some(".env")).into_owned();
        assert_eq!(vault.restore(&text, Some(".env")).unwrap(), "T=canary-1234");
        assert!(matches!(vault.restore(&text, Some("public.js")), Err(Misplaced::Foreign(_))));
    }

    #[test]
    fn numbers_of_an_earlier_run_are_not_given_again() {
        let vault = vault();
        vault.keep_clear_of("x [secret:jwt-7] [secret:NAME]");
        assert_eq!(vault.conceal("API_KEY=abcdefgh1", None), "API_KEY=[secret:value-8]");
    }

    #[test]
    fn overlapping_secrets_are_one() {
        let vault = Vault::new([("A_KEY".to_owned(), "abcdefgh".to_owned())]);
        let concealed = vault.conceal("API_KEY=xxabcdefghyy", None).into_owned();
        assert_eq!(concealed, "API_KEY=[secret:value-1]");
        assert_eq!(vault.restore(&concealed, None).unwrap(), "API_KEY=xxabcdefghyy");
    }
}
