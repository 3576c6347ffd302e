//! What is remembered of the watched paths, and what has become of them.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::SandboxError;
use super::included;
use super::included::Places;
use super::kept;
use super::looks::Birth;
use super::looks::Found;
use super::looks::Kind;
use super::looks::Stamp;
use super::names;
use super::pointers;
use super::survey::Role;
use super::survey::Scope;
use super::survey::Visitor;
use super::survey::survey;
use super::survey::survey_single;
use super::tree::Directory;
use super::tree::Tree;
use super::unseen;
use crate::system::clock;

/// Bounds of what is kept for a repair. They bound memory, never what is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of the largest file whose contents are kept.
    pub(super) file: u64,
    /// Bytes that are kept of all files together. Beyond it, and of larger files, copies are made where there
    /// is a place for them; otherwise this is the only bound.
    pub(super) all: u64,
    /// Bytes of all copies. What is not kept is known by its stamp: a change of it is an error, not a repair.
    pub(super) copies: u64,
    /// Nothing but this holds protected files: what cannot be kept is an error before the command.
    pub(super) exposed: bool,
    /// Git directories that may appear below `modules` and `worktrees` during one command.
    pub(super) new_repositories: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            file: 1 << 20,
            all: 64 << 20,
            copies: 1 << 30,
            exposed: false,
            new_repositories: 10_000,
        }
    }
}

/// Bytes of a `HEAD` that is kept; git writes some fifty.
const LONGEST_HEAD: u64 = 4 << 10;

pub(super) type States = BTreeMap<PathBuf, State>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) stamp: Stamp,
    /// Every change after it was remembered shows in the stamp. Otherwise contents are compared.
    pub(super) settled: bool,
    pub(super) contents: Contents,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Contents {
    /// Everything in it is watched.
    Directory,
    /// Only watched for what it is. When it was made, where the file system says so: another directory may
    /// get its number later.
    Container(Option<Birth>),
    /// A container with what steers git.
    Repository(Option<Birth>),
    File(Arc<[u8]>),
    /// A file whose contents are in this copy.
    Copy(PathBuf),
    Link(PathBuf),
    /// Too large to keep, or no regular file, or not ours to look at.
    Unkept,
}

impl State {
    pub(super) fn is_directory(&self) -> bool {
        matches!(
            self.contents,
            Contents::Directory | Contents::Container(_) | Contents::Repository(_)
        )
    }

    /// Which directory it is, where that matters: git's own hold more than what is remembered.
    pub(super) fn birth(&self) -> Option<Birth> {
        match self.contents {
            Contents::Container(birth) | Contents::Repository(birth) => birth,
            _ => None,
        }
    }

    /// Whether what is found now, under a name in `at`, is what was remembered.
    fn is_still(&self, at: &Directory, path: &Path, found: &Found) -> bool {
        if self.settled && self.stamp == found.stamp {
            return true;
        }
        let name = path.file_name().unwrap_or_default();
        let has_rights = self.stamp.rights() == found.stamp.rights();
        match (&self.contents, found.kind) {
            (Contents::Unkept, _) => self.stamp == found.stamp,
            (Contents::File(bytes), Kind::File) => {
                let size = bytes.len() as u64;
                has_rights
                    && found.stamp.size() == size
                    && matches!(at.read(name, size), Ok(Some(now)) if *now == **bytes)
            }
            (Contents::Copy(copy), Kind::File) => {
                let is_same = || at.file(name).and_then(|file| kept::is_same(copy, &file));
                has_rights && found.stamp.size() == self.stamp.size() && is_same().unwrap_or(false)
            }
            (Contents::Link(target), Kind::Link) => at.target(name).is_ok_and(|now| now == *target),
            // A directory's stamp changes with its entries, which are compared themselves.
            (_, Kind::Directory) => has_rights && self.is_directory(),
            _ => false,
        }
    }
}

/// What stands at the watched paths in `scope`; `top`: below which `.git` files are watched. `earlier`: what was remembered before; contents need not
/// be read again where the stamps say that they are the same. `store`: where copies may be made.
pub(super) fn remember(
    tree: &Tree,
    scope: Scope<'_>,
    top: &Path,
    bounds: Bounds,
    store: Option<&Path>,
    earlier: Option<&States>,
) -> Result<States, SandboxError> {
    let mut memory = Memory {
        states: States::new(),
        earlier,
        store,
        bounds,
        now: clock::now().unix_timestamp(),
        trouble: None,
    };
    survey(tree, scope, std::iter::empty(), &mut memory);
    let pointers = pointers::of(&memory.states, top);
    survey_single(tree, &pointers, Role::Pointer, &mut memory);
    // What is included may include more, and a link leads on.
    let mut known = Places::default();
    loop {
        let places = included::of(&memory.states, top);
        let (files, ways) = places.beyond(&known);
        if files.is_empty() && ways.is_empty() {
            break;
        }
        survey_single(tree, ways, Role::Way, &mut memory);
        survey_single(tree, files, Role::Pointer, &mut memory);
        known = places;
    }
    match memory.trouble {
        Some(trouble) => Err(trouble),
        None => Ok(memory.states),
    }
}

/// Whether a writable directory was a git directory itself when this was remembered of it.
pub(super) fn is_of_git_directory(states: &States, root: &Path) -> bool {
    ["objects", "commondir"].iter().any(|name| states.contains_key(&root.join(name)))
}

struct Memory<'a> {
    states: States,
    earlier: Option<&'a States>,
    store: Option<&'a Path>,
    bounds: Bounds,
    now: i64,
    trouble: Option<SandboxError>,
}

impl Visitor for Memory<'_> {
    fn meet(&mut self, at: &Directory, path: &Path, found: &Found, role: Role) -> bool {
        let is_head = || found.stamp.size() <= LONGEST_HEAD && names::has_head(at);
        let is_none = role == Role::Way && found.kind != Kind::Link;
        if is_none || role == Role::Head && !is_head() {
            return false;
        }
        let contents = match (found.kind, role) {
            // A repository of its own in place of a `.git` file.
            (Kind::Directory, Role::Head | Role::Pointer | Role::Way) => return false,
            (Kind::Directory, Role::Steering) => Contents::Directory,
            (Kind::Directory, Role::Container) => Contents::Container(found.birth),
            (Kind::Directory, Role::Repository) => Contents::Repository(found.birth),
            (Kind::Link, _) => {
                let target = at.target(path.file_name().unwrap_or_default());
                target.map_or(Contents::Unkept, Contents::Link)
            }
            (Kind::File, _) => self.file(at, path, found),
            (Kind::Other, _) => Contents::Unkept,
        };
        let settled = found.stamp.is_settled(self.now);
        self.states.insert(path.to_path_buf(), State { stamp: found.stamp, settled, contents });
        true
    }

    fn was_steering(&self, _: &Path) -> Option<bool> {
        None
    }

    fn failed(&mut self, path: &Path, error: io::Error) {
        match self.states.get_mut(path) {
            // Somebody else's: a command cannot change it without a new stamp either.
            Some(state) if error.kind() == io::ErrorKind::PermissionDenied => {
                state.contents = Contents::Unkept;
            }
            _ => {
                self.trouble.get_or_insert_with(|| unseen(path, error));
            }
        }
    }
}

impl Memory<'_> {
    fn file(&mut self, at: &Directory, path: &Path, found: &Found) -> Contents {
        let most = if self.store.is_some() { self.bounds.file } else { u64::MAX };
        let most = most.min(self.bounds.all);
        if found.stamp.size() > most {
            return self.copy(at, path, found);
        }
        let is_same = |state: &&State| state.settled && state.stamp == found.stamp;
        let earlier = self.earlier.and_then(|earlier| earlier.get(path)).filter(is_same);
        let bytes = match earlier.map(|state| &state.contents) {
            Some(Contents::File(bytes)) => Arc::clone(bytes),
            _ => match at.read(path.file_name().unwrap_or_default(), most) {
                Ok(Some(bytes)) => bytes.into(),
                _ => return Contents::Unkept,
            },
        };
        self.bounds.all = self.bounds.all.saturating_sub(bytes.len() as u64);
        Contents::File(bytes)
    }

    /// A file that is not to be held in memory.
    fn copy(&mut self, at: &Directory, path: &Path, found: &Found) -> Contents {
        let size = found.stamp.size();
        let copied = match self.store {
            Some(store) if size <= self.bounds.copies => {
                let settled = found.stamp.is_settled(self.now);
                let file = at.file(path.file_name().unwrap_or_default());
                file.and_then(|file| kept::keep(store, path, &file, found.stamp, settled))
            }
            _ => Err(io::ErrorKind::FileTooLarge.into()),
        };
        match copied {
            Ok(copy) => {
                self.bounds.copies -= size;
                return Contents::Copy(copy);
            }
            // Somebody else's.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            // Where it is mounted read-only, it can be written by another name only.
            Err(source) if self.bounds.exposed || found.has_other_names => {
                let path = path.display().to_string();
                self.trouble.get_or_insert(SandboxError::Unkept { path, size, source });
            }
            Err(_) => {}
        }
        Contents::Unkept
    }
}

/// What has become of remembered paths.
pub(super) struct Change<'a> {
    known: &'a States,
    bounds: Bounds,
    /// Remembered paths that are what they were.
    same: HashSet<&'a Path>,
    /// Where which directory stands now.
    births: HashSet<(&'a Path, Birth)>,
    /// What was not there, with everything below it; in the order in which it was met.
    pub(super) planted: Vec<PathBuf>,
    new_repositories: usize,
    /// What could not be looked at.
    pub(super) trouble: Vec<(PathBuf, io::Error)>,
}

impl<'a> Change<'a> {
    /// Compares what is in `scope` with what was remembered.
    pub(super) fn since(
        known: &'a States,
        tree: &Tree,
        scope: Scope<'_>,
        top: &Path,
        bounds: Bounds,
    ) -> Self {
        let mut change = Self {
            known,
            bounds,
            same: HashSet::new(),
            births: HashSet::new(),
            planted: Vec::new(),
            new_repositories: 0,
            trouble: Vec::new(),
        };
        let repositories = known.iter().filter_map(|(path, state)| {
            matches!(state.contents, Contents::Repository(_)).then_some(path.as_path())
        });
        survey(tree, scope, repositories, &mut change);
        survey_single(tree, &pointers::of(known, top), Role::Pointer, &mut change);
        let places = included::of(known, top);
        survey_single(tree, &places.ways, Role::Way, &mut change);
        survey_single(tree, &places.files, Role::Pointer, &mut change);
        change
    }

    /// Remembered paths where something else stands, or nothing; parents first.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&'a Path, &'a State)> {
        let known = self.known.iter().map(|(path, state)| (path.as_path(), state));
        known.filter(|(path, _)| !self.same.contains(path))
    }

    /// Directories of git's that do not stand where they stood, parents first.
    pub(super) fn away(&self) -> Vec<(&'a Path, Birth)> {
        let born =
            self.known.iter().filter_map(|(path, state)| Some((path.as_path(), state.birth()?)));
        born.filter(|born| !self.births.contains(born)).collect()
    }

    /// Nothing was changed, and all of it could be looked at.
    pub(super) fn is_none(&self) -> bool {
        self.planted.is_empty() && self.trouble.is_empty() && self.same.len() == self.known.len()
    }
}

impl Visitor for Change<'_> {
    fn meet(&mut self, at: &Directory, path: &Path, found: &Found, role: Role) -> bool {
        let Some((known_path, before)) = self.known.get_key_value(path) else {
            if role == Role::Head || role == Role::Way && found.kind != Kind::Link {
                return false;
            }
            // A new repository may stay, without what steers it; a `.git` file or link may not.
            let may_appear = role != Role::Steering && found.kind == Kind::Directory;
            if may_appear && role == Role::Pointer {
                return false;
            }
            if role == Role::Repository {
                self.new_repositories += 1;
            }
            if may_appear && self.new_repositories <= self.bounds.new_repositories {
                return true;
            }
            // It is removed whole: nothing in it has to be looked at.
            self.planted.push(path.to_path_buf());
            return false;
        };
        let is_head = || role == Role::Head && names::has_head(at);
        if before.is_still(at, path, found) || is_head() {
            self.same.insert(known_path);
        }
        if let Some(birth) = found.birth {
            self.births.insert((known_path, birth));
        }
        before.is_directory()
    }

    fn was_steering(&self, path: &Path) -> Option<bool> {
        Some(self.known.get(path)?.contents == Contents::Directory)
    }

    fn failed(&mut self, path: &Path, error: io::Error) {
        self.trouble.push((path.to_path_buf(), error));
    }
}

/// Whether two memories of a path are of the same.
#[cfg(unix)]
pub(super) fn is_same(before: &State, now: &State) -> bool {
    if before.settled && before.stamp == now.stamp {
        return true;
    }
    match (&before.contents, &now.contents) {
        (Contents::Unkept, _) | (_, Contents::Unkept) => before.stamp == now.stamp,
        (Contents::Link(before), Contents::Link(now)) => before == now,
        (Contents::Copy(old), Contents::Copy(new)) => {
            let is_same = || kept::is_same(old, &std::fs::File::open(new)?);
            let has_rights = before.stamp.rights() == now.stamp.rights();
            has_rights && (old == new || is_same().unwrap_or(false))
        }
        (Contents::File(old), Contents::File(new)) => {
            old == new && before.stamp.rights() == now.stamp.rights()
        }
        _ => {
            before.is_directory()
                && now.is_directory()
                && before.stamp.rights() == now.stamp.rights()
        }
    }
}
