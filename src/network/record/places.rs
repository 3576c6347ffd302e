//! Directories that a request names: a recording replays in another working directory, and at another
//! person's, since the prompt, calls and results name them as text.
//!
//! Answers are replayed as they were. Who asks for a file by its recorded path does not find it elsewhere,
//! and the replay ends there with the difference.

use std::borrow::Cow;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::config::places::Here;

/// Paths, each with what stands for it where texts are compared; the longest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Places(Vec<(String, Place)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    Directory,
    Home,
}

impl Place {
    fn sign(self) -> &'static str {
        match self {
            Self::Directory => "{directory}",
            Self::Home => "{home}",
        }
    }
}

impl Places {
    pub(in crate::network) fn new(here: &Here) -> Self {
        let text = |path: &Option<PathBuf>| {
            let text = path.as_deref().and_then(Path::to_str)?.trim_end_matches('/');
            // Of the root directory every path is a part.
            (!text.is_empty()).then(|| text.to_owned())
        };
        let directory = text(&here.directory).map(|path| (path, Place::Directory));
        let home = text(&here.home).map(|path| (path, Place::Home));
        Self(directory.into_iter().chain(home).collect()).sorted()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that the body of a request names: more of this machine a recording need not tell.
    pub(super) fn named_in(&self, body: &[u8]) -> Self {
        let is_named = |path: &str| memchr::memmem::find(body, path.as_bytes()).is_some();
        Self(self.0.iter().filter(|(path, _)| is_named(path)).cloned().collect())
    }

    /// These and the others; of a path that is in both, what it means here.
    pub(in crate::network) fn before(&self, others: &Self) -> Self {
        let is_new = |path: &str| !self.0.iter().any(|(known, _)| known == path);
        let others = others.0.iter().filter(|(path, _)| is_new(path));
        Self(self.0.iter().chain(others).cloned().collect()).sorted()
    }

    fn sorted(mut self) -> Self {
        self.0.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        self
    }

    /// The text with a sign in the place of each path.
    pub(in crate::network) fn hide_in(&self, text: &str) -> String {
        let mut hidden = Cow::Borrowed(text);
        for (path, place) in &self.0 {
            // What a file that somebody wrote calls a place may be none.
            if path.len() > 1 && Path::new(path).is_absolute() && hidden.contains(path.as_str()) {
                hidden = Cow::Owned(replaced(&hidden, path, place.sign()));
            }
        }
        hidden.into_owned()
    }
}

fn replaced(text: &str, path: &str, sign: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for (start, _) in text.match_indices(path) {
        let end = start + path.len();
        if start >= at && begins(&text[..start]) && ends(&text[end..]) {
            result.push_str(&text[at..start]);
            result.push_str(sign);
            at = end;
        }
    }
    result.push_str(&text[at..]);
    result
}

/// Whether a path may begin behind this text: it is not the rest of a longer one. The letter of an escape
/// (`\\n` in JSON inside JSON) belongs to none.
fn begins(before: &str) -> bool {
    let mut last = before.chars().rev();
    match (last.next(), last.next()) {
        (Some('n' | 'r' | 't'), Some('\\')) | (None, _) => true,
        (Some(character), _) => !is_of_name(character) && character != '.',
    }
}

/// Whether a path may end before this text: its last name does not go on.
fn ends(after: &str) -> bool {
    !after.strip_prefix('.').unwrap_or(after).starts_with(is_of_name)
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-')
}
