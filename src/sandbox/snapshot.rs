//! What a command must not change although it lies where the command may write: remembered before,
//! compared and put back after.
//!
//! Git metadata that decides what a later `git` runs, and a project's `.agi-agent`, present or not.
//! Landlock cannot take these away from a granted directory, so this holds on every rung. It holds at
//! the end of a command, not while it runs.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::error::SandboxError;

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

/// The state of the watched paths at one time.
#[derive(Debug)]
pub(super) struct Snapshot {
    roots: Vec<PathBuf>,
    states: BTreeMap<PathBuf, State>,
}

/// A path below a writable root that is watched.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Watched {
    path: PathBuf,
    root: PathBuf,
    /// Its entries are not watched, and it may appear as a directory.
    is_container: bool,
}

#[derive(Debug, Clone)]
struct State {
    stamp: Stamp,
    contents: Contents,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Contents {
    Directory,
    File(Vec<u8>),
    Link(PathBuf),
    /// Too large to keep, or no regular file.
    Unkept,
}

/// Changes with every change of contents, mode or name; an ordinary process cannot set the last field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    #[cfg(unix)]
    fields: (u64, u64, u32, u64, i64, i64),
    #[cfg(not(unix))]
    fields: (u64, Option<std::time::SystemTime>),
}

impl Stamp {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let fields = (
            metadata.dev(),
            metadata.ino(),
            metadata.mode(),
            metadata.size(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        );
        Self { fields }
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        Self { fields: (metadata.len(), metadata.modified().ok()) }
    }
}

impl Snapshot {
    /// Remembers what is to be protected below these writable roots.
    pub(super) fn take(roots: &[PathBuf]) -> Self {
        Self { states: states_of(&watched(roots), None), roots: roots.to_vec() }
    }

    /// Puts back what has changed since; returns the paths that had to be.
    pub(super) fn restore(&self) -> Result<Vec<PathBuf>, SandboxError> {
        let watched = watched(&self.roots);
        let now = states_of(&watched, Some(&self.states));
        let mut restored = Vec::new();
        // Deepest first: a directory that appeared is removed after its entries.
        for (path, state) in now.iter().rev() {
            let may_appear = state.contents == Contents::Directory
                && watched.iter().any(|entry| entry.is_container && entry.path == *path);
            if !self.states.contains_key(path) && !may_appear {
                remove(path).map_err(|source| failed(path, source))?;
                restored.push(path.clone());
            }
        }
        // Parents come before their entries.
        for (path, before) in &self.states {
            if !now.get(path).is_some_and(|after| is_same(before, after)) {
                self.put_back(path, before).map_err(|source| failed(path, source))?;
                restored.push(path.clone());
            }
        }
        restored.sort();
        Ok(restored)
    }

    /// The command's processes are gone, so nothing can swap a name here any more.
    fn put_back(&self, path: &Path, before: &State) -> io::Result<()> {
        for root in self.roots.iter().filter(|root| path.starts_with(root)) {
            make_way(root, path)?;
        }
        match &before.contents {
            Contents::Directory => std::fs::create_dir(path)?,
            Contents::File(bytes) => {
                let mut file = std::fs::File::options().write(true).create_new(true).open(path)?;
                io::Write::write_all(&mut file, bytes)?;
            }
            #[cfg(unix)]
            Contents::Link(target) => return std::os::unix::fs::symlink(target, path),
            #[cfg(not(unix))]
            Contents::Link(_) => return Err(io::Error::other("links are not restored here")),
            Contents::Unkept => return Err(io::Error::other("it was too large to be kept")),
        }
        #[cfg(unix)]
        {
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode(before) & 0o7777);
            std::fs::set_permissions(path, permissions)?;
        }
        Ok(())
    }
}

fn watched(roots: &[PathBuf]) -> Vec<Watched> {
    let mut list = Vec::new();
    for root in roots {
        let mut watch = |path: PathBuf, is_container| {
            list.push(Watched { path, root: root.clone(), is_container });
        };
        watch(root.join(".agi-agent"), false);
        let git = root.join(".git");
        // A new repository may stay, without what steers it; a `.git` file or link may not.
        watch(git.clone(), true);
        for directory in git_directories(&git) {
            for name in CONTAINERS {
                watch(directory.join(name), true);
            }
            for name in STEERING {
                watch(directory.join(name), false);
            }
        }
    }
    list
}

fn states_of(
    watched: &[Watched],
    known: Option<&BTreeMap<PathBuf, State>>,
) -> BTreeMap<PathBuf, State> {
    let mut states = BTreeMap::new();
    for entry in watched {
        // Through a link the path would be about something else; the link itself is watched.
        if is_way_clear(&entry.root, &entry.path) {
            let depth = if entry.is_container { 0 } else { usize::MAX };
            collect(&entry.path, depth, &mut states, known);
        }
    }
    states
}

/// Whether every directory between a root and a path below it is one.
fn is_way_clear(root: &Path, path: &Path) -> bool {
    path.ancestors().skip(1).take_while(|parent| *parent != root).all(is_directory)
}

fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// `.git` and the git directories inside it, links not followed.
fn git_directories(git: &Path) -> Vec<PathBuf> {
    let mut found = vec![git.to_path_buf()];
    let mut next = 0;
    while next < found.len() && found.len() < MOST_ENTRIES {
        for group in ["modules", "worktrees"] {
            let group = found[next].join(group);
            if !is_directory(&found[next]) || !is_directory(&group) {
                continue;
            }
            let Ok(entries) = std::fs::read_dir(group) else { continue };
            let entries =
                entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            found.extend(entries.map(|entry| entry.path()));
        }
        next += 1;
    }
    found
}

/// Notes a path and what is below it. Contents are read only where `known` has no equal stamp.
fn collect(
    path: &Path,
    depth: usize,
    states: &mut BTreeMap<PathBuf, State>,
    known: Option<&BTreeMap<PathBuf, State>>,
) {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return };
    let stamp = Stamp::of(&metadata);
    let unchanged = known.and_then(|known| known.get(path)).filter(|state| state.stamp == stamp);
    let contents = match unchanged {
        Some(state) => state.contents.clone(),
        None => contents_of(path, &metadata),
    };
    let is_directory = contents == Contents::Directory;
    states.insert(path.to_path_buf(), State { stamp, contents });
    if !is_directory || depth == 0 || states.len() >= MOST_ENTRIES {
        return;
    }
    let Ok(entries) = std::fs::read_dir(path) else { return };
    entries.flatten().for_each(|entry| collect(&entry.path(), depth - 1, states, known));
}

fn contents_of(path: &Path, metadata: &Metadata) -> Contents {
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Contents::Directory;
    }
    if kind.is_symlink() {
        return std::fs::read_link(path).map_or(Contents::Unkept, Contents::Link);
    }
    if !kind.is_file() || metadata.len() > LARGEST {
        return Contents::Unkept;
    }
    std::fs::read(path).map_or(Contents::Unkept, Contents::File)
}

fn is_same(before: &State, after: &State) -> bool {
    match (&before.contents, &after.contents) {
        // A directory's stamp changes with its entries, which are compared themselves.
        (Contents::Directory, Contents::Directory) => true,
        (Contents::Unkept, _) | (_, Contents::Unkept) => before.stamp == after.stamp,
        (before_contents, after_contents) => {
            before.stamp == after.stamp
                || (before_contents == after_contents && mode(before) == mode(after))
        }
    }
}

#[cfg(unix)]
fn mode(state: &State) -> u32 {
    state.stamp.fields.2
}

#[cfg(not(unix))]
fn mode(_state: &State) -> u32 {
    0
}

/// Removes what stands at `path`, and makes everything between `root` and it a real directory again.
fn make_way(root: &Path, path: &Path) -> io::Result<()> {
    let mut between: Vec<&Path> =
        path.ancestors().skip(1).take_while(|parent| *parent != root).collect();
    between.reverse();
    for parent in between {
        match std::fs::symlink_metadata(parent) {
            Ok(metadata) if metadata.is_dir() => continue,
            Ok(_) => std::fs::remove_file(parent)?,
            Err(_) => {}
        }
        std::fs::create_dir(parent)?;
    }
    match remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if std::fs::symlink_metadata(path)?.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    }
}

fn failed(path: &Path, source: io::Error) -> SandboxError {
    SandboxError::Restore { path: path.display().to_string(), source }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::path::PathBuf;

    use super::Snapshot;

    fn repository() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().canonicalize().unwrap();
        for directory in [".git/hooks", ".git/info", ".git/objects", ".git/modules/m/hooks", "src"]
        {
            std::fs::create_dir_all(path.join(directory)).unwrap();
        }
        for file in [".git/config", ".git/hooks/pre-push", ".git/modules/m/config", ".git/HEAD"] {
            std::fs::write(path.join(file), file).unwrap();
        }
        std::fs::set_permissions(
            path.join(".git/hooks/pre-push"),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        (root, path)
    }

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn what_git_itself_does_is_left_alone() {
        let (_root, path) = repository();
        let snapshot = Snapshot::take(std::slice::from_ref(&path));
        std::fs::write(path.join(".git/HEAD"), "ref: refs/heads/x").unwrap();
        std::fs::write(path.join(".git/index"), "x").unwrap();
        std::fs::write(path.join(".git/objects/x"), "x").unwrap();
        std::fs::write(path.join("src/x"), "x").unwrap();
        assert_eq!(snapshot.restore().unwrap(), Vec::<PathBuf>::new());
        assert!(path.join(".git/index").exists());
    }

    #[test]
    fn everything_that_steers_is_put_back() {
        let (_root, path) = repository();
        let git = path.join(".git");
        let snapshot = Snapshot::take(std::slice::from_ref(&path));
        std::fs::write(git.join("config"), "[core] fsmonitor = evil").unwrap();
        std::fs::write(git.join("hooks/post-commit"), "evil").unwrap();
        std::fs::remove_file(git.join("hooks/pre-push")).unwrap();
        std::os::unix::fs::symlink("/bin/sh", git.join("hooks/pre-push")).unwrap();
        std::fs::write(git.join("commondir"), "/evil").unwrap();
        std::fs::write(git.join("info/attributes"), "* filter=evil").unwrap();
        std::fs::write(git.join("modules/m/config"), "evil").unwrap();
        std::fs::create_dir(path.join(".agi-agent")).unwrap();
        std::fs::write(path.join(".agi-agent/config.json"), "{}").unwrap();
        let restored = snapshot.restore().unwrap();
        assert_eq!(restored.len(), 8, "{restored:?}");
        assert_eq!(text(&git.join("config")), ".git/config");
        assert_eq!(text(&git.join("hooks/pre-push")), ".git/hooks/pre-push");
        let mode =
            std::fs::symlink_metadata(git.join("hooks/pre-push")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        assert_eq!(text(&git.join("modules/m/config")), ".git/modules/m/config");
        for gone in
            [".git/hooks/post-commit", ".git/commondir", ".git/info/attributes", ".agi-agent"]
        {
            assert!(!path.join(gone).exists(), "{gone}");
        }
        assert_eq!(snapshot.restore().unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_moved_or_replaced_git_directory_is_no_way_round() {
        let (_root, path) = repository();
        let snapshot = Snapshot::take(std::slice::from_ref(&path));
        std::fs::rename(path.join(".git"), path.join("moved")).unwrap();
        std::fs::write(path.join(".git"), "gitdir: evil").unwrap();
        assert!(!snapshot.restore().unwrap().is_empty());
        assert_eq!(text(&path.join(".git/config")), ".git/config");

        let (_root, path) = repository();
        let snapshot = Snapshot::take(std::slice::from_ref(&path));
        std::fs::rename(path.join(".git/hooks"), path.join("hooks")).unwrap();
        std::os::unix::fs::symlink("../hooks", path.join(".git/hooks")).unwrap();
        std::fs::write(path.join("hooks/evil"), "x").unwrap();
        snapshot.restore().unwrap();
        assert!(!std::fs::symlink_metadata(path.join(".git/hooks")).unwrap().is_symlink());
        assert!(!path.join(".git/hooks/evil").exists());
        assert_eq!(text(&path.join(".git/hooks/pre-push")), ".git/hooks/pre-push");
    }

    /// Putting back must not become a way to write or delete outside.
    #[test]
    fn a_link_does_not_lead_the_repair_outside() {
        let (_outside_root, outside) = repository();
        std::fs::write(outside.join(".git/info/attributes"), "theirs").unwrap();
        let (_root, path) = repository();
        let snapshot = Snapshot::take(std::slice::from_ref(&path));
        std::fs::remove_dir_all(path.join(".git")).unwrap();
        std::fs::write(outside.join(".git/config"), "theirs").unwrap();
        std::os::unix::fs::symlink(outside.join(".git"), path.join(".git")).unwrap();
        snapshot.restore().unwrap();
        assert_eq!(text(&outside.join(".git/config")), "theirs");
        assert_eq!(text(&path.join(".git/config")), ".git/config");
        std::fs::remove_dir_all(path.join(".git/info")).unwrap();
        std::os::unix::fs::symlink(outside.join(".git/info"), path.join(".git/info")).unwrap();
        snapshot.restore().unwrap();
        assert_eq!(text(&outside.join(".git/info/attributes")), "theirs");
        assert!(!std::fs::symlink_metadata(path.join(".git/info")).unwrap().is_symlink());
    }

    #[test]
    fn a_new_repository_stays_without_what_steers_it_and_a_new_git_file_goes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().to_path_buf();
        let snapshot = Snapshot::take(std::slice::from_ref(&path));
        std::fs::create_dir_all(path.join(".git/hooks")).unwrap();
        std::fs::write(path.join(".git/HEAD"), "ref: refs/heads/main").unwrap();
        std::fs::write(path.join(".git/hooks/pre-commit"), "evil").unwrap();
        snapshot.restore().unwrap();
        assert!(path.join(".git/HEAD").exists() && !path.join(".git/hooks").exists());
        std::fs::remove_dir_all(path.join(".git")).unwrap();
        std::fs::write(path.join(".git"), "gitdir: /evil").unwrap();
        assert_eq!(snapshot.restore().unwrap(), [path.join(".git")]);
        assert!(!path.join(".git").exists());
    }
}
