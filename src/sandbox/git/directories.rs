//! Where git keeps what belongs to writable directories, where that is not `.git` in one of them: found by
//! git's own rules (`setup_git_directory_gently_1` and `get_common_dir` in its `setup.c`).
//!
//! Nothing of git is run, and nothing is written. Nested repositories are none of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use super::config;
use super::included::Configuration;
use super::included::OnDisk;

/// Directories above a root in which `.git` is looked for.
const MOST_ABOVE: usize = 64;

/// The git directories of these real paths that lie below one of them, or are one, and that nobody finds
/// as a directory `.git` in one: `--separate-git-dir`, a link, `commondir`, a bare repository.
pub(in crate::sandbox) fn of(roots: &[PathBuf]) -> Vec<PathBuf> {
    let is_inside_one = |path: &Path| {
        let of_root = |root: &&PathBuf| path != root.as_path() && path.starts_with(root);
        // What else is in a root that is a git directory is found from there.
        roots.iter().filter(of_root).any(|root| is_git_directory(root))
    };
    let is_found_anyway =
        |path: &Path| roots.iter().any(|root| path.starts_with(root.join(".git")));
    let mut found = Vec::new();
    for root in roots {
        let Some(Repository { git, .. }) = discover(root) else { continue };
        let common = common_of(&git);
        for path in std::iter::once(git).chain(common) {
            let is_writable = roots.iter().any(|root| path.starts_with(root));
            if is_writable
                && !found.contains(&path)
                && !is_found_anyway(&path)
                && !is_inside_one(&path)
            {
                found.push(path);
            }
        }
    }
    found
}

/// What git works with.
pub(super) struct Repository {
    /// Where it was found: where its files are checked out, or a bare one itself.
    pub(super) top: PathBuf,
    /// The real path of its git directory.
    pub(super) git: PathBuf,
}

impl Repository {
    /// The git directory that has the configuration and the hooks: another one where this is a worktree's.
    pub(super) fn common(&self) -> PathBuf {
        common_of(&self.git).unwrap_or_else(|| self.git.clone())
    }

    /// Its configuration files, as far as they are there.
    pub(super) fn configuration(&self) -> impl Iterator<Item = (PathBuf, Arc<[u8]>)> + use<> {
        let files = [self.common().join("config"), self.git.join("config.worktree")];
        files.into_iter().filter_map(|path| {
            let bytes = super::read(&path)?;
            Some((path, bytes.into()))
        })
    }
}

/// Files below these real paths that the configuration of a repository includes in which one of them lies.
pub(in crate::sandbox) fn included_below(roots: &[PathBuf]) -> BTreeSet<PathBuf> {
    let configurations = roots.iter().filter_map(|root| discover(root));
    let configurations: Vec<_> = configurations
        .flat_map(|repository| repository.configuration())
        .filter(|(_, bytes)| config::mentions(bytes, b"include"))
        .collect();
    let mut files = Configuration::read(configurations, &OnDisk).files;
    files.retain(|path| roots.iter().any(|root| path.starts_with(root)));
    files
}

/// What a git that is started in a directory works with.
pub(super) fn discover(directory: &Path) -> Option<Repository> {
    for directory in directory.ancestors().take(MOST_ABOVE) {
        if directory.join(".git").is_file() {
            // One that leads nowhere is the end of git.
            return named_by(directory);
        }
        let found = named_by(directory).or_else(|| itself(directory));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The repository that a directory's `.git` is, or leads to.
pub(super) fn named_by(directory: &Path) -> Option<Repository> {
    let path = directory.join(".git");
    let git = if path.is_file() {
        target(directory, ".git", "gitdir:")
    } else {
        path.canonicalize().ok()
    };
    let git = git.filter(|path| is_git_directory(path))?;
    Some(Repository { top: directory.to_path_buf(), git })
}

fn itself(directory: &Path) -> Option<Repository> {
    let path = directory.to_path_buf();
    is_git_directory(directory).then(|| Repository { top: path.clone(), git: path })
}

fn common_of(git: &Path) -> Option<PathBuf> {
    target(git, "commondir", "")
}

/// Whether git may take it for one; links are followed, as git does.
fn is_git_directory(path: &Path) -> bool {
    let has = |name: &str| path.join(name).is_dir();
    let head = path.join("HEAD");
    head.symlink_metadata().is_ok()
        && ((has("objects") && has("refs")) || path.join("commondir").is_file())
}

/// The real path that a file in a directory names, behind a word.
fn target(directory: &Path, name: &str, word: &str) -> Option<PathBuf> {
    let bytes = super::read(&directory.join(name))?;
    let text = bytes.strip_prefix(word.as_bytes())?;
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'))?;
    directory.join(path_of(text.get(..=end)?)).canonicalize().ok()
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::path::PathBuf;

    use super::of;

    fn make(git: &Path) {
        for name in ["objects", "refs"] {
            std::fs::create_dir_all(git.join(name)).unwrap();
        }
        std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    }

    fn ground() -> (tempfile::TempDir, PathBuf) {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().canonicalize().unwrap();
        for name in ["work/sub", "other"] {
            std::fs::create_dir_all(path.join(name)).unwrap();
        }
        (base, path)
    }

    #[test]
    fn what_is_included_is_found_where_it_may_be_written() {
        let (_base, path) = ground();
        let (work, other) = (path.join("work"), path.join("other"));
        make(&work.join(".git"));
        let config = format!("[include] path = ../conf\npath = {}/x\n", other.display());
        std::fs::write(work.join(".git/config"), config).unwrap();
        let found =
            |roots: &[PathBuf]| super::included_below(roots).into_iter().collect::<Vec<_>>();
        assert_eq!(found(std::slice::from_ref(&work)), [work.join("conf")]);
        assert_eq!(found(&[work.join("sub")]), [""; 0].map(PathBuf::from));
        assert_eq!(found(&[work.clone(), other.clone()]), [other.join("x"), work.join("conf")]);
    }

    #[test]
    fn an_ordinary_repository_has_none_elsewhere() {
        let (_base, path) = ground();
        assert_eq!(of(&[path.join("work")]), [""; 0].map(PathBuf::from));
        make(&path.join("work/.git"));
        assert_eq!(of(&[path.join("work")]), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn files_and_links_are_followed_where_they_lead_to_something_writable() {
        let (_base, path) = ground();
        let (work, other) = (path.join("work"), path.join("other"));
        for target in ["gitdir: meta", "gitdir: sub/../meta\n", "gitdir: ../work/meta\r\n"] {
            make(&work.join("meta"));
            std::fs::write(work.join(".git"), target).unwrap();
            assert_eq!(of(std::slice::from_ref(&work)), [work.join("meta")], "{target}");
            assert_eq!(of(&[work.join("sub")]), [""; 0].map(PathBuf::from), "not writable");
        }
        std::fs::write(work.join(".git"), "gitdir: sub").unwrap();
        assert_eq!(of(std::slice::from_ref(&work)), [""; 0].map(PathBuf::from), "no git directory");
        std::fs::remove_file(work.join(".git")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("meta", work.join(".git")).unwrap();
            assert_eq!(of(std::slice::from_ref(&work)), [work.join("meta")]);
        }
        drop(other);
    }

    #[test]
    fn a_linked_worktree_has_two_and_a_root_may_be_one() {
        let (_base, path) = ground();
        let (work, other) = (path.join("work"), path.join("other"));
        let own = other.join("bare/worktrees/w");
        make(&other.join("bare"));
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("HEAD"), "x").unwrap();
        std::fs::write(own.join("commondir"), "../..\n").unwrap();
        std::fs::write(work.join(".git"), format!("gitdir: {}\n", own.display())).unwrap();
        let both = [work.clone(), other.clone()];
        assert_eq!(of(&both), [own, other.join("bare")]);
        // Of the root that is one all else is known.
        assert_eq!(of(&[work, other.join("bare")]), [other.join("bare")]);
    }
}
