//! Which files a walk leaves out, as ripgrep does by default: `.gitignore` inside repositories,
//! `.git/info/exclude`, `.ignore`, `.rgignore`, from the file's directory upward.
//!
//! The rules themselves are matched by ripgrep's crate; the files are read here, because they too
//! must come through the opener (a `.gitignore` may be a FIFO, or a link to the database). A person's
//! global excludes file is not read: what a walk finds depends on the tree alone.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::Gitignore;
use ignore::gitignore::GitignoreBuilder;

use crate::system::opener::Entry;
use crate::system::opener::Opener;

/// Bytes of an ignore file that are looked at.
const MAX_BYTES: u64 = 1024 * 1024;

/// Files with rules, the strongest first. The last two count inside a repository only.
const SOURCES: [&str; 4] = [".rgignore", ".ignore", ".gitignore", ".git/info/exclude"];

/// Where the sources that count inside a repository only begin.
const GIT_SOURCES: usize = 2;

/// The rules of one directory and, through its parent, of all above it.
#[derive(Debug, Default)]
pub(super) struct Rules {
    parent: Option<Arc<Self>>,
    sources: [Option<Gitignore>; 4],
    has_git: bool,
    /// Whether this directory is in a repository.
    in_repository: bool,
}

impl Rules {
    /// The rules that hold in `root`, the real path of a directory: those of the directories above.
    /// What may not be read above the root counts as absent.
    pub(super) fn above(opener: &Opener, root: &Path) -> Arc<Self> {
        let parents: Vec<&Path> = root.ancestors().skip(1).collect();
        parents.iter().rev().fold(Arc::default(), |rules, directory| {
            let names = SOURCES[..3].iter().chain(&[".git"]).filter(|name| {
                // Asks for names only; what they are is for the opener to judge.
                directory.join(name).symlink_metadata().is_ok()
            });
            let names: Vec<&OsStr> = names.map(OsStr::new).collect();
            Self::with_names(opener, rules, directory, &names)
        })
    }

    /// The rules that hold for the entries of `directory`.
    pub(super) fn below(
        opener: &Opener,
        parent: Arc<Self>,
        directory: &Path,
        entries: &[Entry],
    ) -> Arc<Self> {
        let names: Vec<&OsStr> = entries
            .iter()
            .map(|entry| entry.name.as_os_str())
            .filter(|name| {
                matches!(
                    name.to_str(),
                    Some(".rgignore" | ".ignore" | ".gitignore" | ".git" | ".jj")
                )
            })
            .collect();
        Self::with_names(opener, parent, directory, &names)
    }

    fn with_names(
        opener: &Opener,
        parent: Arc<Self>,
        directory: &Path,
        names: &[&OsStr],
    ) -> Arc<Self> {
        if names.is_empty() {
            return parent;
        }
        let has = |wanted: &str| names.contains(&OsStr::new(wanted));
        let has_git = has(".git") || has(".jj");
        let sources = SOURCES.map(|source| {
            let first = source.split('/').next().unwrap_or(source);
            has(first).then(|| rules_of(opener, directory, source)).flatten()
        });
        let in_repository = has_git || parent.in_repository;
        Arc::new(Self { parent: Some(parent), sources, has_git, in_repository })
    }

    /// Whether a walk leaves out this entry: by a rule, or because it is hidden and no rule takes it
    /// back in.
    pub(super) fn leaves_out(&self, path: &Path, is_directory: bool) -> bool {
        match self.verdict(path, is_directory) {
            Match::Ignore(()) => true,
            Match::Whitelist(()) => false,
            Match::None => is_hidden(path),
        }
    }

    /// For each source the nearest directory that says anything decides; then the strongest source.
    fn verdict(&self, path: &Path, is_directory: bool) -> Match<()> {
        let mut verdicts = [Match::None, Match::None, Match::None, Match::None];
        let mut left_repository = false;
        let mut next = Some(self);
        while let Some(rules) = next {
            for (index, matcher) in rules.sources.iter().enumerate() {
                let counts = index < GIT_SOURCES || (self.in_repository && !left_repository);
                if let Some(matcher) = matcher
                    && counts
                    && verdicts[index].is_none()
                {
                    verdicts[index] = matcher.matched(path, is_directory).map(|_| ());
                }
            }
            left_repository |= rules.has_git;
            next = rules.parent.as_deref();
        }
        verdicts.into_iter().fold(Match::None, Match::or)
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The rules of one file; `None` when it is absent, may not be read, or has none. A line that cannot
/// be understood is skipped, as git does.
fn rules_of(opener: &Opener, directory: &Path, source: &str) -> Option<Gitignore> {
    let file = opener.open_read(&directory.join(source)).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut builder = GitignoreBuilder::new(directory);
    for line in text.trim_start_matches('\u{feff}').lines() {
        builder.add_line(None, line).ok();
    }
    builder.build().ok().filter(|rules| !rules.is_empty())
}
