//! What a command must not change although it lies where the command may write: remembered before,
//! compared and put back after.
//!
//! Git metadata that decides what a later `git` runs, and a project's `.agi-agent`, present or not.
//! Landlock cannot take these away from a granted directory, so this holds on every rung. It holds at
//! the end of a command, not while it runs. Commands of other agents may run in the same workspace:
//! nothing here follows a link ([`tree`]), and all of them go by the same memory ([`shared`]). A command
//! may have planted as much as it likes, as deep as it likes: all of it is looked at, and what cannot be
//! put back does not keep the rest from it.

#[cfg(unix)]
mod descriptors;
#[cfg(unix)]
mod footprint;
#[cfg(test)]
#[cfg(unix)]
mod hostile_tests;
mod included;
#[cfg(test)]
#[cfg(unix)]
mod included_tests;
mod kept;
#[cfg(test)]
#[cfg(unix)]
mod kept_tests;
mod looks;
mod names;
mod pointers;
#[cfg(unix)]
mod removal;
#[cfg(unix)]
mod shared;
mod states;
#[cfg(unix)]
mod stored;
mod survey;
#[cfg(test)]
#[cfg(unix)]
mod tests;
#[cfg_attr(not(unix), path = "snapshot/tree_by_path.rs")]
mod tree;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use super::error::SandboxError;
#[cfg(unix)]
pub(super) use footprint::Footprint;
pub(super) use names::STEERING;
#[cfg(unix)]
pub(super) use removal::remove_at;

use looks::Birth;
use looks::Kind;
use states::Bounds;
use states::Change;
use states::Contents;
use states::State;
use states::States;
use survey::Scope;
use tree::Tree;

/// Directories that are looked at for one that was moved away.
const MOST_DIRECTORIES: usize = 20_000;
/// How often a repair is tried while another agent's command works against it.
const TRIES: u32 = 5;
/// Paths that are named one by one; of more the directories are named that they were in.
const MOST_NAMED: usize = 200;

/// What the last snapshots saw, so that the next ones need not read it again.
#[derive(Debug, Default)]
pub(super) struct Earlier(Mutex<BTreeMap<PathBuf, Arc<States>>>);

impl Earlier {
    fn of(&self, root: &Path) -> Option<Arc<States>> {
        self.0.lock().ok()?.get(root).cloned()
    }

    fn set(&self, root: &Path, states: &Arc<States>) {
        if let Ok(mut all) = self.0.lock() {
            all.insert(root.to_path_buf(), Arc::clone(states));
        }
    }
}

/// The state of the watched paths at one time.
#[derive(Debug)]
pub(super) struct Snapshot {
    roots: Vec<Root>,
    bounds: Bounds,
}

/// A writable directory, or a git directory that lies in one.
#[derive(Debug)]
struct Root {
    path: PathBuf,
    /// It is a git directory below a writable one, and may be moved and replaced itself.
    is_apart: bool,
    states: Arc<States>,
    /// Says to other agents that a command runs here.
    #[cfg(unix)]
    place: Option<shared::Place>,
}

impl Snapshot {
    /// Remembers what is to be protected below these writable roots. `git`: git directories that are one of
    /// them, or lie in one and are not its `.git`. `places`: where agents tell each
    /// other that their commands run; without it each remembers what it sees. `exposed`: nothing else keeps
    /// the command from what is there.
    pub(super) fn take(
        roots: &[PathBuf],
        git: &[PathBuf],
        places: Option<&Path>,
        earlier: &Earlier,
        exposed: bool,
    ) -> Result<Self, SandboxError> {
        Self::take_within(roots, git, places, earlier, Bounds { exposed, ..Bounds::default() })
    }

    fn take_within(
        roots: &[PathBuf],
        git: &[PathBuf],
        places: Option<&Path>,
        earlier: &Earlier,
        bounds: Bounds,
    ) -> Result<Self, SandboxError> {
        let apart = git.iter().filter(|path| !roots.contains(path));
        let take = |path: &PathBuf| Root::take(path, roots, git, places, earlier, bounds);
        Ok(Self { roots: roots.iter().chain(apart).map(take).collect::<Result<_, _>>()?, bounds })
    }

    /// Puts back what has changed since; returns the paths that had to be. What cannot be put back does not
    /// keep the rest: the first such path is the error.
    pub(super) fn finish(self) -> Result<Vec<PathBuf>, SandboxError> {
        #[cfg(unix)]
        let alone = {
            let mut places: Vec<_> =
                self.roots.iter().filter_map(|root| root.place.as_ref()).collect();
            // Whoever has the same roots in another order takes them in this one.
            places.sort_by_key(|place| place.order());
            places.into_iter().filter_map(shared::Place::alone).collect::<Vec<_>>()
        };
        let restored = self.restore();
        #[cfg(unix)]
        {
            drop(alone);
            self.roots.into_iter().filter_map(|root| root.place).for_each(shared::Place::leave);
        }
        restored
    }

    fn restore(&self) -> Result<Vec<PathBuf>, SandboxError> {
        let mut restored = BTreeSet::new();
        let mut trouble = Trouble::default();
        for root in &self.roots {
            trouble.bear(root.restore(&self.roots, self.bounds, &mut restored));
        }
        trouble.first.map_or_else(|| Ok(named(restored)), Err)
    }
}

/// The first thing that could not be done, of several that were tried.
#[derive(Default)]
struct Trouble {
    first: Option<SandboxError>,
}

impl Trouble {
    fn bear(&mut self, result: Result<(), SandboxError>) {
        if let Err(error) = result {
            self.first.get_or_insert(error);
        }
    }

    fn bear_at(&mut self, path: &Path, result: io::Result<()>) {
        self.bear(result.map_err(|source| failed(path, source)));
    }

    fn result(self) -> Result<(), SandboxError> {
        self.first.map_or(Ok(()), Err)
    }
}

/// Each path, or where there are too many to be read each one's directory.
fn named(paths: BTreeSet<PathBuf>) -> Vec<PathBuf> {
    if paths.len() <= MOST_NAMED {
        return paths.into_iter().collect();
    }
    let parents = paths.iter().filter_map(|path| path.parent());
    let parents: BTreeSet<&Path> = parents.collect();
    parents.into_iter().take(MOST_NAMED).map(Path::to_path_buf).collect()
}

/// The outermost of the roots that `path` lies in. A command can replace a directory below it by a link.
fn outermost<'a>(path: &'a Path, roots: impl Iterator<Item = &'a Path>) -> &'a Path {
    let above = roots.filter(|root| path.starts_with(root));
    above.min_by_key(|root| root.components().count()).unwrap_or(path)
}

impl Root {
    fn take(
        path: &PathBuf,
        roots: &[PathBuf],
        git: &[PathBuf],
        places: Option<&Path>,
        earlier: &Earlier,
        bounds: Bounds,
    ) -> Result<Self, SandboxError> {
        let is_apart = !roots.contains(path);
        let see = |store: Option<&Path>| {
            let is_git = git.contains(path);
            let scope = if is_apart { Scope::Git(path) } else { Scope::Root { path, is_git } };
            let base = outermost(path, roots.iter().map(PathBuf::as_path));
            let tree = Tree::open(base).map_err(|source| unseen(base, source))?;
            let Some(tree) = tree else { return Ok(Arc::default()) };
            let (top, earlier_states) = (if is_apart { base } else { path }, earlier.of(path));
            let seen = earlier_states.as_deref();
            let states = Arc::new(states::remember(&tree, scope, top, bounds, store, seen)?);
            earlier.set(path, &states);
            Ok(states)
        };
        #[cfg(unix)]
        if let Some(places) = places {
            match shared::Place::join(places, path, is_apart, see) {
                Ok((place, states)) => {
                    return Ok(Self { path: path.clone(), is_apart, states, place: Some(place) });
                }
                Err(shared::NotJoined::Refused(error)) => return Err(error),
                Err(shared::NotJoined::Apart(error)) => tracing::warn!(
                    %error, directory = %places.display(),
                    "other agents in this workspace cannot be told that a command runs"
                ),
            }
        }
        #[cfg(not(unix))]
        let _ = places;
        Ok(Self {
            path: path.clone(),
            is_apart,
            states: see(None)?,
            #[cfg(unix)]
            place: None,
        })
    }

    fn restore(
        &self,
        all: &[Self],
        bounds: Bounds,
        restored: &mut BTreeSet<PathBuf>,
    ) -> Result<(), SandboxError> {
        let base = outermost(&self.path, all.iter().map(|root| root.path.as_path()));
        let mut tries = 0;
        loop {
            tries += 1;
            match self.repair(base, bounds, restored) {
                // Another agent's command may have changed what was just looked at.
                Err(_) if tries < TRIES => {}
                result => return result,
            }
        }
    }

    fn repair(
        &self,
        base: &Path,
        bounds: Bounds,
        restored: &mut BTreeSet<PathBuf>,
    ) -> Result<(), SandboxError> {
        let tree = Tree::open(base).map_err(|source| failed(base, source))?;
        let Some(tree) = tree else { return Ok(()) };
        let mut trouble = Trouble::default();
        let is_git = states::is_of_git_directory(&self.states, &self.path);
        let (scope, top) = if self.is_apart {
            (Scope::Git(&self.path), base)
        } else {
            (Scope::Root { path: &self.path, is_git }, self.path.as_path())
        };
        let mut change = Change::since(&self.states, &tree, scope, top, bounds);
        if !change.away().is_empty() {
            bring_back(&tree, top, &change.away(), restored, &mut trouble);
            trouble.bear_at(base, tree.close_again());
            change = Change::since(&self.states, &tree, scope, top, bounds);
        }
        if change.is_none() {
            return trouble.result();
        }
        for path in &change.planted {
            trouble.bear_at(path, tree.remove(path));
            restored.insert(path.clone());
        }
        for (path, before) in change.changed() {
            trouble.bear_at(path, put_back(&tree, top, path, before));
            restored.insert(path.to_path_buf());
        }
        for (path, source) in change.trouble {
            trouble.bear(Err(failed(&path, source)));
        }
        trouble.bear_at(base, tree.close_again());
        // Last, and deepest first: what is in a directory has to be got at.
        for (path, before) in self.states.iter().rev().filter(|(_, before)| before.is_directory()) {
            trouble.bear_at(path, tree.set_rights(path, before.stamp));
        }
        trouble.result()
    }
}

/// Directories that were moved away, with all that is in them, are moved back to where they were. What
/// stands there now takes their place, so nothing is lost.
fn bring_back(
    tree: &Tree,
    top: &Path,
    away: &[(&Path, Birth)],
    restored: &mut BTreeSet<PathBuf>,
    trouble: &mut Trouble,
) {
    let mut away = away.to_vec();
    // One at a time, parents first: what comes back may take others along, or away.
    for _ in 0..2 * away.len() {
        let Some((found, path)) = look_for(tree, top, &away) else { break };
        let moved = tree.exchange(&found, path);
        if moved.is_ok() {
            restored.insert(path.to_path_buf());
        } else {
            away.retain(|(away, _)| *away != path);
        }
        trouble.bear_at(path, moved);
    }
}

/// The first of these directories that is somewhere else below a root: where it is, and where it was.
fn look_for<'a>(
    tree: &Tree,
    root: &Path,
    wanted: &[(&'a Path, Birth)],
) -> Option<(PathBuf, &'a Path)> {
    let stands = |(path, birth): &&(&Path, Birth)| {
        tree.find(path).is_ok_and(|found| found.and_then(|found| found.birth) == Some(*birth))
    };
    let away: Vec<_> = wanted.iter().filter(|wanted| !stands(wanted)).collect();
    let mut places = vec![None; away.len()];
    let mut directories = vec![root.to_path_buf()];
    let mut next = 0;
    while !away.is_empty() && next < directories.len() && directories.len() < MOST_DIRECTORIES {
        let path = directories[next].clone();
        next += 1;
        // What cannot be looked into has been there before: a command's own directories are ours.
        let Ok(directory) = tree.directory(&path) else { continue };
        for name in directory.directories().unwrap_or_default() {
            let birth = directory.find(&name).ok().flatten().and_then(|found| found.birth);
            let path = path.join(name);
            if let Some(index) = away.iter().position(|(_, wanted)| birth == Some(*wanted)) {
                places[index] = Some(path.clone());
            }
            directories.push(path);
        }
    }
    let mut found = places.into_iter().zip(away);
    found.find_map(|(place, (path, _))| Some((place?, *path)))
}

fn put_back(tree: &Tree, root: &Path, path: &Path, before: &State) -> io::Result<()> {
    if before.is_directory()
        && matches!(tree.find(path)?, Some(found) if found.kind == Kind::Directory)
    {
        // It gets its rights when everything else is done.
        return Ok(());
    }
    make_way(tree, root, path)?;
    match &before.contents {
        Contents::Directory | Contents::Container(_) | Contents::Repository(_) => {
            tree.make_directory(path)
        }
        Contents::File(bytes) => {
            tree.write_new(path, before.stamp, |file| io::Write::write_all(file, bytes))
        }
        Contents::Copy(copy) => {
            let copy = kept::open(copy, before.stamp)?;
            tree.write_new(path, before.stamp, |file| kept::fill(file, &copy))
        }
        Contents::Link(target) => tree.make_link(path, target),
        Contents::Unkept => Err(io::Error::other("its contents were not kept")),
    }
}

/// Removes what stands at `path`, and makes everything between `root` and it a real directory again.
fn make_way(tree: &Tree, root: &Path, path: &Path) -> io::Result<()> {
    let mut between: Vec<&Path> =
        path.ancestors().skip(1).take_while(|parent| *parent != root).collect();
    between.reverse();
    for parent in between {
        match tree.find(parent)? {
            Some(found) if found.kind == Kind::Directory => continue,
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

fn failed(path: &Path, source: io::Error) -> SandboxError {
    SandboxError::Restore { path: path.display().to_string(), source }
}

fn unseen(path: &Path, source: io::Error) -> SandboxError {
    SandboxError::Unseen { path: path.display().to_string(), source }
}
