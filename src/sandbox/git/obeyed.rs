//! What git runs or goes by in a workspace and a command may write all the same: files that a configuration
//! names (`core.hooksPath` and the like), and nested repositories with all that steers them.
//!
//! People ask an agent to edit such files, so nothing is put back: what changed is told. It is a report with
//! bounds, not a protection. Nothing is written, and nothing of git is run.

#[cfg(test)]
#[path = "obeyed_tests.rs"]
mod tests;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::Path;
use std::path::PathBuf;

use super::config::Entry;
use super::directories;
use super::directories::Repository;
use super::included::Configuration;
use super::included::OnDisk;
use super::included::expanded;
use super::layouts;
use super::layouts::Layout;
use crate::sandbox::snapshot::STEERING;

/// Nested repositories of a directory whose files are looked at.
const MOST_REPOSITORIES: usize = 64;

/// Files that are looked at in all.
const MOST_FILES: usize = 1_000;

/// Bytes that are remembered of them all; of what is beyond only size and time of change are compared.
const MOST_BYTES: usize = 8 << 20;

/// Directories below one of hooks that are looked into.
const DEPTH: usize = 3;

/// Changes that are told one by one.
const MOST_TOLD: usize = 20;

/// Sections whose variables may name a program, or a file that git goes by.
const SECTIONS: [&str; 20] = [
    "alias",
    "browser",
    "core",
    "credential",
    "diff",
    "difftool",
    "filter",
    "gpg",
    "guitool",
    "hook",
    "interactive",
    "man",
    "merge",
    "mergetool",
    "pager",
    "sendemail",
    "sequence",
    "submodule",
    "trailer",
    "uploadpack",
];

/// Repositories below writable directories, and what git goes by there, as it is at one time.
#[derive(Debug, Default)]
pub struct Seen {
    layouts: BTreeSet<Layout>,
    files: BTreeMap<PathBuf, File>,
    bytes: usize,
}

/// A file, or a link, that git goes by.
#[derive(Debug, PartialEq, Eq)]
struct File {
    /// Where the repository is that goes by it.
    repository: PathBuf,
    /// The variable that names it; `None`: it belongs to the repository, which is a nested one.
    variable: Option<String>,
    looks: Looks,
}

#[derive(Debug, PartialEq, Eq)]
enum Looks {
    Link(PathBuf),
    File { mode: u32, bytes: Vec<u8> },
    Large { mode: u32, size: u64, changed: Option<std::time::SystemTime> },
}

impl Seen {
    /// Looks at what is below these real paths of directories.
    pub fn below(roots: &[PathBuf]) -> Self {
        let mut seen = Self::default();
        for root in roots {
            let layouts = layouts::find(root);
            let mut finder = Finder { seen: &mut seen, roots, repository: root };
            finder.own(root);
            for layout in layouts.iter().take(MOST_REPOSITORIES) {
                finder.repository = &layout.directory;
                finder.nested(root, layout);
            }
            seen.layouts.extend(layouts);
        }
        seen
    }

    /// What a person is told of what is other `now`.
    pub fn told(&self, now: &Self) -> Vec<String> {
        let appeared = now.layouts.difference(&self.layouts).map(|layout| {
            let bare = if layout.is_bare { "bare " } else { "" };
            let path = layout.directory.display();
            format!(
                "a {bare}git repository appeared at `{path}`: a later `git` there runs what its \
                 configuration says"
            )
        });
        // Of one that was not there, or is there no more, that is all there is to say.
        let other: BTreeSet<&Path> = self
            .layouts
            .symmetric_difference(&now.layouts)
            .map(|layout| layout.directory.as_path())
            .collect();
        let changed = self.changed(now).into_iter();
        let mut changed: Vec<String> = changed
            .filter(|(_, _, file)| !other.contains(file.repository.as_path()))
            .map(|(path, change, file)| file.told(path, change))
            .collect();
        if let Some(more) = changed.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            changed.truncate(MOST_TOLD);
            changed.push(format!("{more} more files that git goes by are not what they were"));
        }
        appeared.chain(changed).collect()
    }

    fn changed<'a>(&'a self, now: &'a Self) -> Vec<(&'a Path, &'static str, &'a File)> {
        let (before, now) = (&self.files, &now.files);
        let gone = before.iter().filter(|(path, _)| !now.contains_key(*path));
        let gone = gone.map(|(path, file)| (path.as_path(), "removed", file));
        let other = now.iter().filter_map(|(path, file)| match before.get(path) {
            None => Some((path.as_path(), "created", file)),
            Some(before) if before.looks != file.looks => Some((path.as_path(), "changed", file)),
            Some(_) => None,
        });
        gone.chain(other).collect()
    }
}

impl File {
    fn told(&self, path: &Path, change: &str) -> String {
        let (path, repository) = (path.display(), self.repository.display());
        let why = match &self.variable {
            Some(variable) => format!("git goes by it (`{variable}` of `{repository}`)"),
            None => format!("it steers git in the repository `{repository}`"),
        };
        format!("`{path}` was {change}, and {why}: look at it before your next `git` there")
    }
}

/// Looks at the files of one repository.
struct Finder<'a> {
    seen: &'a mut Seen,
    roots: &'a [PathBuf],
    repository: &'a Path,
}

impl Finder<'_> {
    /// What the repository that a root is in goes by; what is in its git directory is protected.
    fn own(&mut self, root: &Path) {
        let Some(repository) = directories::discover(root) else { return };
        self.named(&repository);
        let hooks = std::fs::read_dir(repository.common().join("hooks"));
        for hook in hooks.into_iter().flatten().flatten() {
            // A link in there may lead to a file that is not.
            if hook.file_type().is_ok_and(|kind| kind.is_symlink())
                && let Ok(real) = hook.path().canonicalize()
            {
                self.file(&real, Some("hooks"));
            }
        }
    }

    /// What steers a nested repository, and what that goes by.
    fn nested(&mut self, root: &Path, layout: &Layout) {
        let directory = &layout.directory;
        let is_own = directory == root && !layout.is_bare;
        let repository = if layout.is_bare {
            let git = directory.canonicalize().ok();
            git.map(|git| Repository { top: directory.clone(), git })
        } else {
            self.file(&directory.join(".git"), None);
            directories::named_by(directory)
        };
        let Some(repository) = repository.filter(|_| !is_own) else { return };
        self.named(&repository);
        let git = repository.git;
        if !self.is_protected(&git) {
            for name in STEERING.into_iter().chain(["info/attributes"]) {
                self.tree(&git.join(name), None, DEPTH);
            }
        }
    }

    fn is_protected(&self, git: &Path) -> bool {
        self.roots.iter().any(|root| git == root || git.starts_with(root.join(".git")))
    }

    /// Files that the configuration of a repository names.
    fn named(&mut self, repository: &Repository) {
        let configuration = Configuration::read(repository.configuration(), &OnDisk);
        for path in &configuration.files {
            self.file(path, Some("include.path"));
        }
        for entry in &configuration.entries {
            self.entry(&repository.top, entry);
        }
    }

    fn entry(&mut self, top: &Path, entry: &Entry) {
        let name = || entry.name();
        match (&*entry.section, &*entry.key) {
            // Data: it says what is left out.
            ("core", "excludesfile") => {}
            ("core", "hookspath") => {
                let Some(path) = expanded(&entry.value) else { return };
                let Ok(directory) = top.join(path).canonicalize() else { return };
                let is_above = top.starts_with(&directory);
                self.tree(&directory, Some(&name()), if is_above { 0 } else { DEPTH });
                // Those of husky run files of the same name in the directory around.
                if directory.ends_with("_")
                    && let Some(around) = directory.parent().filter(|path| !top.starts_with(path))
                {
                    self.tree(around, Some(&name()), 0);
                }
            }
            ("core", "attributesfile") => {
                if let Some(path) = expanded(&entry.value) {
                    self.file(&top.join(path), Some(&name()));
                }
            }
            (section, _) if SECTIONS.contains(&section) => {
                let is_between = |c: char| c.is_whitespace() || "'\"!;|&()<>`$=".contains(c);
                for word in entry.value.split(is_between).filter(|word| !word.is_empty()) {
                    self.file(&top.join(word), Some(&name()));
                }
            }
            _ => {}
        }
    }

    /// A file, or those in a directory. `depth`: directories in it that are looked into.
    fn tree(&mut self, path: &Path, variable: Option<&str>, depth: usize) {
        if !path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            return self.file(path, variable);
        }
        if !self.is_inside(path) {
            return;
        }
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            // What `git init` puts beside hooks, and git never runs.
            if path.extension().is_some_and(|ending| ending == "sample") {
                continue;
            }
            if is_directory && depth > 0 {
                self.tree(&path, variable, depth - 1);
            } else if !is_directory {
                self.file(&path, variable);
            }
        }
    }

    /// One file, and where it is a link what that leads to.
    fn file(&mut self, path: &Path, variable: Option<&str>) {
        if path.symlink_metadata().is_err() {
            return;
        }
        let Some(path) = real_in_parent(path).filter(|path| self.is_inside(path)) else { return };
        if self.seen.files.contains_key(&path) || self.seen.files.len() >= MOST_FILES {
            return;
        }
        let Some(looks) = self.seen.looks(&path) else { return };
        let target = matches!(looks, Looks::Link(_)).then(|| path.canonicalize().ok()).flatten();
        let variable = variable.map(str::to_owned);
        let repository = self.repository.to_path_buf();
        let file = File { repository, variable: variable.clone(), looks };
        self.seen.files.insert(path, file);
        if let Some(target) = target {
            self.file(&target, variable.as_deref());
        }
    }

    fn is_inside(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(root))
    }
}

/// A path without links but perhaps its last name.
fn real_in_parent(path: &Path) -> Option<PathBuf> {
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}

impl Seen {
    /// `None`: neither a file nor a link.
    fn looks(&mut self, path: &Path) -> Option<Looks> {
        let found = path.symlink_metadata().ok()?;
        if found.is_symlink() {
            return Some(Looks::Link(std::fs::read_link(path).ok()?));
        }
        if !found.is_file() {
            return None;
        }
        let mode = mode(&found);
        let left = MOST_BYTES.saturating_sub(self.bytes) as u64;
        let bytes = (found.len() <= left).then(|| super::read(path)).flatten();
        Some(match bytes {
            Some(bytes) => {
                self.bytes += bytes.len();
                Looks::File { mode, bytes }
            }
            None => Looks::Large { mode, size: found.len(), changed: found.modified().ok() },
        })
    }
}

#[cfg(unix)]
fn mode(found: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(found)
}

#[cfg(not(unix))]
fn mode(found: &Metadata) -> u32 {
    u32::from(found.permissions().readonly())
}
