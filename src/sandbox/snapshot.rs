//! What a command must not change although it lies where the command may write: remembered before,
//! compared and put back after.
//!
//! Git metadata that decides what a later `git` runs, and a project's `.agi-agent`, present or not.
//! Landlock cannot take these away from a granted directory, so this holds on every rung. It holds at
//! the end of a command, not while it runs. Commands of other agents may run in the same workspace:
//! nothing here follows a link ([`tree`]), and all of them go by the same memory ([`shared`]).

#[cfg_attr(not(unix), path = "snapshot/tree_by_path.rs")]
mod tree;

#[cfg(unix)]
mod shared;
#[cfg(unix)]
mod stored;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::error::SandboxError;
use tree::Birth;
use tree::Kind;
use tree::Stamp;
use tree::Tree;

/// Entries of `.git` (and of each submodule's and worktree's directory in it) that steer git.
const STEERING: [&str; 8] = [
    "hooks",
    "config",
    "config.worktree",
    "commondir",
    "gitdir",
    "info/attributes",
    "info/grafts",
    "objects/info/alternates",
];
/// Directories on the way to those: only watched for what they are, since git fills them.
const CONTAINERS: [&str; 5] = ["info", "objects", "objects/info", "modules", "worktrees"];
/// Larger files are remembered by their stamp only; a change of them is an error, not a repair.
const LARGEST: u64 = 1 << 20;
/// Entries below one watched directory.
const MOST_ENTRIES: usize = 10_000;
/// Directories that are looked at for one that was moved away.
const MOST_DIRECTORIES: usize = 20_000;
/// How often a repair is tried while another agent's command works against it.
const TRIES: u32 = 5;

type States = BTreeMap<PathBuf, State>;

/// The state of the watched paths at one time.
#[derive(Debug)]
pub(super) struct Snapshot {
    roots: Vec<Root>,
}

/// A writable directory.
#[derive(Debug)]
struct Root {
    path: PathBuf,
    states: States,
    /// Says to other agents that a command runs here.
    #[cfg(unix)]
    place: Option<shared::Place>,
}

/// A path below a writable root that is watched.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Watched {
    path: PathBuf,
    /// Its entries are not watched, and it may appear as a directory.
    is_container: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    stamp: Stamp,
    contents: Contents,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Contents {
    /// When it was made, where the file system says so: another directory may get its number later.
    Directory(Option<Birth>),
    File(Vec<u8>),
    Link(PathBuf),
    /// Too large to keep, or no regular file.
    Unkept,
}

impl Snapshot {
    /// Remembers what is to be protected below these writable roots. `places`: where agents tell each
    /// other that their commands run; without it each remembers what it sees.
    pub(super) fn take(roots: &[PathBuf], places: Option<&Path>) -> Self {
        let roots = roots.iter().map(|path| Root::take(path, roots, places)).collect();
        Self { roots }
    }

    /// Puts back what has changed since; returns the paths that had to be.
    pub(super) fn restore(&self) -> Result<Vec<PathBuf>, SandboxError> {
        let mut restored = Vec::new();
        for root in &self.roots {
            #[cfg(unix)]
            let _alone = root.place.as_ref().map(shared::Place::lock);
            restored.extend(root.restore(&self.roots)?);
        }
        restored.sort();
        restored.dedup();
        Ok(restored)
    }
}

/// The outermost of the roots that `path` lies in. A command can replace a directory below it by a link.
fn outermost<'a>(path: &'a Path, roots: impl Iterator<Item = &'a Path>) -> &'a Path {
    let above = roots.filter(|root| path.starts_with(root));
    above.min_by_key(|root| root.components().count()).unwrap_or(path)
}

impl Root {
    #[cfg(unix)]
    fn take(path: &Path, roots: &[PathBuf], places: Option<&Path>) -> Self {
        let see = || {
            let base = outermost(path, roots.iter().map(PathBuf::as_path));
            Tree::open(base).map(|tree| states_of(&tree, path, None)).unwrap_or_default()
        };
        if let Some(places) = places {
            match shared::Place::join(places, path, see) {
                Ok((place, states)) => {
                    return Self { path: path.to_path_buf(), states, place: Some(place) };
                }
                Err(error) => tracing::warn!(
                    %error, directory = %places.display(),
                    "other agents in this workspace cannot be told that a command runs"
                ),
            }
        }
        Self { path: path.to_path_buf(), states: see(), place: None }
    }

    #[cfg(not(unix))]
    fn take(path: &Path, roots: &[PathBuf], _places: Option<&Path>) -> Self {
        let base = outermost(path, roots.iter().map(PathBuf::as_path));
        let states = Tree::open(base).map(|tree| states_of(&tree, path, None)).unwrap_or_default();
        Self { path: path.to_path_buf(), states }
    }

    fn restore(&self, all: &[Self]) -> Result<Vec<PathBuf>, SandboxError> {
        let base = outermost(&self.path, all.iter().map(|root| root.path.as_path()));
        let mut restored = Vec::new();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.repair(base, &mut restored) {
                // Another agent's command may have changed what was just looked at.
                Err(_) if tries < TRIES => {}
                result => return result.map(|()| restored),
            }
        }
    }

    fn repair(&self, base: &Path, restored: &mut Vec<PathBuf>) -> Result<(), SandboxError> {
        let Ok(tree) = Tree::open(base) else { return Ok(()) };
        restored.extend(self.bring_back(&tree)?);
        let watched = watched(&tree, &self.path);
        let now = states_of(&tree, &self.path, Some(&self.states));
        // Deepest first: a directory that appeared is removed after its entries.
        for (path, state) in now.iter().rev() {
            let may_appear = matches!(state.contents, Contents::Directory(_))
                && watched.iter().any(|entry| entry.is_container && entry.path == *path);
            if !self.states.contains_key(path) && !may_appear {
                tree.remove(path).map_err(|source| failed(path, source))?;
                restored.push(path.clone());
            }
        }
        // Parents come before their entries.
        for (path, before) in &self.states {
            if !now.get(path).is_some_and(|after| is_same(before, after)) {
                put_back(&tree, &self.path, path, before).map_err(|source| failed(path, source))?;
                restored.push(path.clone());
            }
        }
        Ok(())
    }

    /// A directory that was moved away, with all that is in it, is moved back to where it was. What
    /// stands there now takes its place, so nothing is lost.
    fn bring_back(&self, tree: &Tree) -> Result<Vec<PathBuf>, SandboxError> {
        let mut restored = Vec::new();
        loop {
            let is_away = |(path, birth): &(&Path, Birth)| tree.birth(path) != Some(*birth);
            let away: Vec<_> = self.containers().filter(is_away).collect();
            // One at a time: what comes back may take others along.
            let Some((found, path)) = look_for(tree, &self.path, &away) else { break };
            tree.exchange(&found, path).map_err(|source| failed(path, source))?;
            restored.push(path.to_path_buf());
            if restored.len() > MOST_ENTRIES {
                break;
            }
        }
        Ok(restored)
    }

    /// The directories of git, which hold more than what is remembered, parents first.
    fn containers(&self) -> impl Iterator<Item = (&Path, Birth)> {
        let git = self.path.join(".git");
        self.states.iter().filter_map(move |(path, state)| match state.contents {
            Contents::Directory(Some(birth))
                if *path == git || CONTAINERS.iter().any(|name| path.ends_with(name)) =>
            {
                Some((path.as_path(), birth))
            }
            _ => None,
        })
    }
}

/// The first of these directories that is somewhere else below a root: where it is, and where it was.
fn look_for<'a>(
    tree: &Tree,
    root: &Path,
    away: &[(&'a Path, Birth)],
) -> Option<(PathBuf, &'a Path)> {
    let mut found = vec![None; away.len()];
    let mut directories = vec![root.to_path_buf()];
    let mut next = 0;
    while !away.is_empty() && next < directories.len() && directories.len() < MOST_DIRECTORIES {
        let directory = directories[next].clone();
        next += 1;
        for name in tree.directories(&directory) {
            let path = directory.join(name);
            let birth = tree.birth(&path);
            if let Some(index) = away.iter().position(|(_, wanted)| birth == Some(*wanted)) {
                found[index] = Some(path.clone());
            }
            directories.push(path);
        }
    }
    let (index, path) =
        found.into_iter().enumerate().find_map(|(index, path)| Some((index, path?)))?;
    Some((path, away[index].0))
}

fn put_back(tree: &Tree, root: &Path, path: &Path, before: &State) -> io::Result<()> {
    make_way(tree, root, path)?;
    match &before.contents {
        Contents::Directory(_) => tree.make_directory(path)?,
        Contents::File(bytes) => tree.write_new(path, bytes)?,
        Contents::Link(target) => return tree.make_link(path, target),
        Contents::Unkept => return Err(io::Error::other("it was too large to be kept")),
    }
    tree.set_mode(path, before.stamp)
}

/// Removes what stands at `path`, and makes everything between `root` and it a real directory again.
fn make_way(tree: &Tree, root: &Path, path: &Path) -> io::Result<()> {
    let mut between: Vec<&Path> =
        path.ancestors().skip(1).take_while(|parent| *parent != root).collect();
    between.reverse();
    for parent in between {
        match tree.find(parent) {
            Some((Kind::Directory, _)) => continue,
            Some(_) => tree.remove(parent)?,
            None => {}
        }
        tree.make_directory(parent)?;
    }
    match tree.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn watched(tree: &Tree, root: &Path) -> Vec<Watched> {
    let mut list = Vec::new();
    let mut watch = |path: PathBuf, is_container| list.push(Watched { path, is_container });
    watch(root.join(".agi-agent"), false);
    let git = root.join(".git");
    // A new repository may stay, without what steers it; a `.git` file or link may not.
    watch(git.clone(), true);
    for directory in git_directories(tree, &git) {
        for name in CONTAINERS {
            watch(directory.join(name), true);
        }
        for name in STEERING {
            watch(directory.join(name), false);
        }
    }
    list
}

/// `.git` and the git directories inside it, links not followed.
fn git_directories(tree: &Tree, git: &Path) -> Vec<PathBuf> {
    let mut found = vec![git.to_path_buf()];
    let mut next = 0;
    while next < found.len() && found.len() < MOST_ENTRIES {
        for group in ["modules", "worktrees"] {
            let group = found[next].join(group);
            found.extend(tree.directories(&group).into_iter().map(|name| group.join(name)));
        }
        next += 1;
    }
    found
}

/// Contents are read only where `known` has no equal stamp.
fn states_of(tree: &Tree, root: &Path, known: Option<&States>) -> States {
    let mut states = States::new();
    for entry in watched(tree, root) {
        let depth = if entry.is_container { 0 } else { usize::MAX };
        collect(tree, &entry.path, depth, &mut states, known);
    }
    states
}

/// Notes a path and what is below it. Beyond a link nothing is there: the link itself is watched.
fn collect(tree: &Tree, path: &Path, depth: usize, states: &mut States, known: Option<&States>) {
    let Some((kind, stamp)) = tree.find(path) else { return };
    let unchanged = known.and_then(|known| known.get(path)).filter(|state| state.stamp == stamp);
    let contents = match unchanged {
        Some(state) => state.contents.clone(),
        None => contents_of(tree, path, kind),
    };
    let is_directory = matches!(contents, Contents::Directory(_));
    states.insert(path.to_path_buf(), State { stamp, contents });
    if !is_directory || depth == 0 || states.len() >= MOST_ENTRIES {
        return;
    }
    for name in tree.names(path) {
        collect(tree, &path.join(name), depth - 1, states, known);
    }
}

fn contents_of(tree: &Tree, path: &Path, kind: Kind) -> Contents {
    match kind {
        Kind::Directory => Contents::Directory(tree.birth(path)),
        Kind::Link => tree.target(path).map_or(Contents::Unkept, Contents::Link),
        Kind::File => match tree.read(path, LARGEST) {
            Ok(Some(bytes)) => Contents::File(bytes),
            _ => Contents::Unkept,
        },
        Kind::Other => Contents::Unkept,
    }
}

fn is_same(before: &State, after: &State) -> bool {
    match (&before.contents, &after.contents) {
        // A directory's stamp changes with its entries, which are compared themselves.
        (Contents::Directory(_), Contents::Directory(_)) => true,
        (Contents::Unkept, _) | (_, Contents::Unkept) => before.stamp == after.stamp,
        (before_contents, after_contents) => {
            before.stamp == after.stamp
                || (before_contents == after_contents && before.stamp.mode() == after.stamp.mode())
        }
    }
}

fn failed(path: &Path, source: io::Error) -> SandboxError {
    SandboxError::Restore { path: path.display().to_string(), source }
}
