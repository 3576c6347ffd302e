//! Which paths below a writable root are watched, and the way to them: the same before a command and after
//! it, whoever looks.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::looks::Found;
use super::looks::Kind;
use super::names;
use super::tree::Directory;
use super::tree::Tree;

/// Levels below a root that are looked at: a directory this deep is watched, and not what is in it. None may
/// appear there.
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
    /// Anything that git takes for a `HEAD`: without one it looks for a repository elsewhere.
    Head,
    /// A `.git` file that leads to a git directory, or a file that a configuration includes.
    Pointer,
    /// On the way to one: as a link it would lead to another.
    Way,
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// A writable directory; `is_git`: it is a git directory itself.
    Root { path: &'a Path, is_git: bool },
    /// A git directory that lies somewhere in one.
    Git(&'a Path),
}

impl<'a> Scope<'a> {
    pub(super) fn path(self) -> &'a Path {
        match self {
            Self::Root { path, .. } | Self::Git(path) => path,
        }
    }
}

/// Where git directories may be below a directory that may be one itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Below {
    /// `modules`: everywhere, whatever it is itself.
    Everywhere,
    /// `modules/a` of a submodule `a/b`: everywhere, unless it is one.
    UnlessItIsOne,
    /// Only where a git directory has others.
    InModules,
    /// The same; without a repository in it git would go on to the directory around it.
    Outermost,
}

/// What an owner needs to look into a directory.
const READABLE: u64 = 0o500;

/// Gets what stands at the watched paths, parents first.
pub(super) trait Visitor {
    /// Something stands at `path`, whose last name is one in `at`. False: nothing below it is of interest.
    fn meet(&mut self, at: &Directory, path: &Path, found: &Found, role: Role) -> bool;

    /// Whether everything below `path` was watched before a command, where that is known.
    fn was_steering(&self, path: &Path) -> Option<bool>;

    /// It could not be looked into or below what stands at `path`.
    fn failed(&mut self, path: &Path, error: io::Error);
}

/// Shows `visitor` what is watched in `scope`. `repositories`: git directories that are looked at whether
/// or not the way to them is one that a submodule's directory has.
pub(super) fn survey<'a>(
    tree: &Tree,
    scope: Scope<'_>,
    repositories: impl Iterator<Item = &'a Path>,
    visitor: &mut impl Visitor,
) {
    let root = scope.path();
    let deepest = root.components().count() + DEEPEST;
    let mut survey = Survey { tree, visitor, deepest, done: BTreeSet::new() };
    match scope {
        Scope::Root { is_git, .. } => {
            let top = match tree.walk(root, READABLE) {
                Ok(top) => top,
                Err(error) => return survey.failed(root, error),
            };
            survey.steering(&top, root, OsStr::new(".agi-agent"));
            survey.repository(&top, root, OsStr::new(".git"), Below::Outermost);
            if is_git {
                survey.settings(&top, root, true);
            }
        }
        Scope::Git(_) => {
            let (Some(parent), Some(name)) = (root.parent(), root.file_name()) else { return };
            match tree.walk(parent, READABLE) {
                Ok(directory) => survey.repository(&directory, parent, name, Below::Outermost),
                Err(error) => survey.failed(root, error),
            }
        }
    }
    for path in repositories {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
        if path.starts_with(root) && !survey.done.contains(path) {
            match tree.directory(parent) {
                Ok(directory) => {
                    survey.repository(&directory, parent, name, Below::UnlessItIsOne);
                }
                Err(error) => survey.failed(path, error),
            }
        }
    }
}

/// Shows `visitor` what stands at these paths, wherever they are.
pub(super) fn survey_single<'a>(
    tree: &Tree,
    paths: impl IntoIterator<Item = &'a PathBuf>,
    role: Role,
    visitor: &mut impl Visitor,
) {
    for path in paths {
        let deepest = path.components().count();
        let mut survey = Survey { tree, visitor, deepest, done: BTreeSet::new() };
        match tree.directory(path.parent().unwrap_or(path)) {
            Ok(directory) => drop(survey.meet(&directory, path, role)),
            Err(error) => survey.failed(path, error),
        }
    }
}

struct Survey<'a, V> {
    tree: &'a Tree,
    visitor: &'a mut V,
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
        let is_deepest = path.components().count() > self.deepest;
        // What would not be looked into may not appear.
        let role = if is_deepest { Role::Steering } else { role };
        let goes_on = self.visitor.meet(at, path, &found, role);
        if !goes_on || found.kind != Kind::Directory || is_deepest {
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

    /// A git directory, or a directory in which there may be some, as submodules are named.
    fn repository(&mut self, at: &Directory, parent: &Path, name: &OsStr, below: Below) {
        let path = parent.join(name);
        let Some(directory) = self.meet(at, &path, Role::Repository) else { return };
        self.done.insert(path.clone());
        let is_git = matches!(below, Below::InModules | Below::Outermost)
            || names::is_git_directory(&directory);
        self.settings(&directory, &path, is_git);
        if below == Below::Outermost {
            self.meet(&directory, &path.join("HEAD"), Role::Head);
            self.meet(&directory, &path.join("refs"), Role::Container);
        }
        if below == Below::Everywhere || !is_git {
            // Any names: `hooks`, `a/info`, `objects/config`.
            self.group(&directory, &path, Below::UnlessItIsOne);
        }
        if name.eq_ignore_ascii_case("hooks") {
            // Whoever makes its parent a git directory makes these that one's hooks.
            for hook in names::HOOKS {
                self.steering(&directory, &path, OsStr::new(hook));
            }
        }
    }

    /// What steers git in a directory. `is_git`: it is a git directory; otherwise what stands under these
    /// names may be a submodule's.
    fn settings(&mut self, git: &Directory, path: &Path, is_git: bool) {
        for name in names::STEERING {
            let below = path.join(name);
            // What a command makes of the directory around it is not what decides.
            let is_steering = self.visitor.was_steering(&below).unwrap_or(is_git);
            if is_steering || !is_directory(git, OsStr::new(name)) {
                self.steering(git, path, OsStr::new(name));
            } else if is_git {
                self.repository(git, path, OsStr::new(name), Below::UnlessItIsOne);
            }
        }
        let info = path.join("info");
        if let Some(directory) = self.meet(git, &info, Role::Container) {
            self.steering(&directory, &info, OsStr::new("attributes"));
            self.steering(&directory, &info, OsStr::new("grafts"));
        }
        let rebase = path.join("rebase-merge");
        if let Some(directory) = self.meet(git, &rebase, Role::Container)
            && names::rebase_runs_programs(&directory)
        {
            self.steering(&directory, &rebase, OsStr::new(names::REBASE));
        }
        let objects = path.join("objects");
        if let Some(directory) = self.meet(git, &objects, Role::Container) {
            let info = objects.join("info");
            if let Some(directory) = self.meet(&directory, &info, Role::Container) {
                self.steering(&directory, &info, OsStr::new("alternates"));
            }
        }
        if is_git {
            // Itself as well: a submodule may have the name `.`.
            self.repository(git, path, OsStr::new("modules"), Below::Everywhere);
            let worktrees = path.join("worktrees");
            if let Some(directory) = self.meet(git, &worktrees, Role::Container) {
                self.group(&directory, &worktrees, Below::InModules);
            }
        }
    }

    /// The git directories in a directory, links not followed.
    fn group(&mut self, group: &Directory, path: &Path, below: Below) {
        let names = match group.directories() {
            Ok(names) => names,
            Err(error) => return self.failed(path, error),
        };
        for name in names {
            if self.visitor.was_steering(&path.join(&name)) != Some(true) {
                self.repository(group, path, &name, below);
            }
        }
    }
}

fn is_directory(at: &Directory, name: &OsStr) -> bool {
    matches!(at.find(name), Ok(Some(found)) if found.kind == Kind::Directory)
}
