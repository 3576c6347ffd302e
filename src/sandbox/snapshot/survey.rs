//! Which paths below a writable root are watched, and the way to them: the same before a command and after
//! it, whoever looks.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::looks::Found;
use super::looks::Kind;
use super::tree::Directory;
use super::tree::Tree;

/// Entries of a git directory that steer git.
const STEERING: [&str; 5] = ["hooks", "config", "config.worktree", "commondir", "gitdir"];
/// Where a git directory has others: of submodules, whose names may have several parts, and of worktrees.
const GROUPS: [&str; 2] = ["modules", "worktrees"];
/// Directories of git's own in a git directory: no part of a submodule's name.
const OWN: [&str; 5] = ["hooks", "info", "objects", "modules", "worktrees"];
/// Levels below a root that are looked at: a directory this deep is watched, and not what is in it.
const DEEPEST: usize = 48;

/// What a path is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// For itself and everything below.
    Steering,
    /// For what it is; git fills it, and it may appear as a directory.
    Container,
    /// The same, and it has what steers git: a git directory, or one on the way to one.
    Repository,
}

/// What an owner needs to look into a directory.
const READABLE: u64 = 0o500;

/// Gets what stands at the watched paths, parents first.
pub(super) trait Visitor {
    /// Something stands at `path`, whose last name is one in `at`. False: nothing below it is of interest.
    fn meet(&mut self, at: &Directory, path: &Path, found: &Found, role: Role) -> bool;

    /// It could not be looked into or below what stands at `path`.
    fn failed(&mut self, path: &Path, error: io::Error);
}

/// Shows `visitor` what is watched below `root`. `repositories`: git directories that are looked at whether
/// or not the way to them is one that a submodule's directory has.
pub(super) fn survey<'a>(
    tree: &Tree,
    root: &Path,
    repositories: impl Iterator<Item = &'a Path>,
    visitor: &mut impl Visitor,
) {
    let deepest = root.components().count() + DEEPEST;
    let mut survey =
        Survey { tree, visitor, git: root.join(".git"), deepest, done: BTreeSet::new() };
    let top = match tree.walk(root, READABLE) {
        Ok(top) => top,
        Err(error) => return survey.failed(root, error),
    };
    survey.steering(&top, root, OsStr::new(".agi-agent"));
    survey.repository(&top, root, OsStr::new(".git"));
    for path in repositories {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
        if path.starts_with(root) && !survey.done.contains(path) {
            match tree.directory(parent) {
                Ok(directory) => survey.repository(&directory, parent, name),
                Err(error) => survey.failed(path, error),
            }
        }
    }
}

struct Survey<'a, V> {
    tree: &'a Tree,
    visitor: &'a mut V,
    /// The root's own repository.
    git: PathBuf,
    /// Parts of the longest path that is looked into.
    deepest: usize,
    done: BTreeSet<PathBuf>,
}

impl<V: Visitor> Survey<'_, V> {
    /// What somebody else's command has taken away meanwhile is gone, and that one's end sees to it.
    fn failed(&mut self, path: &Path, error: io::Error) {
        if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
            self.visitor.failed(path, error);
        }
    }

    /// Meets what stands under a name in `at`; the directory, if there is one to look into.
    fn meet(&mut self, at: &Directory, path: &Path, role: Role) -> Option<Directory> {
        let found = match at.find(path.file_name()?) {
            Ok(found) => found?,
            Err(error) => {
                self.failed(path.parent()?, error);
                return None;
            }
        };
        let goes_on = self.visitor.meet(at, path, &found, role);
        if !goes_on || found.kind != Kind::Directory || path.components().count() > self.deepest {
            return None;
        }
        match self.tree.enter(at, path, &found) {
            Ok(directory) => Some(directory),
            Err(error) => {
                self.failed(path, error);
                None
            }
        }
    }

    /// A name with everything below it.
    fn steering(&mut self, at: &Directory, parent: &Path, name: &OsStr) {
        let path = parent.join(name);
        let Some(directory) = self.meet(at, &path, Role::Steering) else { return };
        match directory.names() {
            Ok(names) => names.iter().for_each(|name| self.steering(&directory, &path, name)),
            Err(error) => self.failed(&path, error),
        }
    }

    fn repository(&mut self, at: &Directory, parent: &Path, name: &OsStr) {
        let path = parent.join(name);
        if let Some(directory) = self.meet(at, &path, Role::Repository) {
            self.git_directory(&directory, &path);
            self.done.insert(path);
        }
    }

    fn git_directory(&mut self, git: &Directory, path: &Path) {
        for name in STEERING {
            self.steering(git, path, OsStr::new(name));
        }
        let info = path.join("info");
        if let Some(directory) = self.meet(git, &info, Role::Container) {
            self.steering(&directory, &info, OsStr::new("attributes"));
            self.steering(&directory, &info, OsStr::new("grafts"));
        }
        let objects = path.join("objects");
        if let Some(directory) = self.meet(git, &objects, Role::Container) {
            let info = objects.join("info");
            if let Some(directory) = self.meet(&directory, &info, Role::Container) {
                self.steering(&directory, &info, OsStr::new("alternates"));
            }
        }
        for group in GROUPS {
            let group = path.join(group);
            if let Some(directory) = self.meet(git, &group, Role::Container) {
                self.group(&directory, &group, &[]);
            }
        }
        if path != self.git && matches!(git.find(OsStr::new("HEAD")), Ok(None)) {
            // `modules/a` of a submodule `a/b`.
            self.group(git, path, &OWN);
        }
    }

    /// The git directories in a directory, links not followed.
    fn group(&mut self, group: &Directory, path: &Path, without: &[&str]) {
        match group.directories() {
            Ok(names) => {
                for name in names.iter().filter(|name| !without.iter().any(|own| name == own)) {
                    self.repository(group, path, name);
                }
            }
            Err(error) => self.failed(path, error),
        }
    }
}
