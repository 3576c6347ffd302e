//! Git repositories that appear in the workspace while the agent works: nested ones, and directories
//! that git takes for a bare one. A later `git` in them runs what their configuration says, so a
//! person is told.
//!
//! Only names are looked at, and only so far down: it is a report, not a bound. Nothing of git is run.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

/// Directories below the workspace that are looked into.
const DEPTH: usize = 4;

/// Entries that are looked at in all.
const ENTRIES: usize = 3_000;

/// What makes git take a directory for a repository.
const BARE: [&str; 3] = ["HEAD", "objects", "refs"];

/// Directories whose insides nobody wrote by hand, and which are large.
const SKIPPED: [&str; 3] = [".git", "node_modules", "target"];

/// The directories below `workspace` (itself included) that git takes for a repository. Nearest first,
/// so that one large directory does not use up what may be looked at.
pub(super) fn find(workspace: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut left = ENTRIES;
    let mut level = vec![workspace.to_path_buf()];
    for _ in 0..=DEPTH {
        let mut next = Vec::new();
        for directory in level {
            if look(&directory, &mut left, &mut next) {
                found.insert(directory);
            }
        }
        level = next;
    }
    found
}

/// Whether a directory is a repository; directories in it go to `inner`.
fn look(directory: &Path, left: &mut usize, inner: &mut Vec<PathBuf>) -> bool {
    // What cannot be read is nothing to report.
    let Ok(entries) = std::fs::read_dir(directory) else { return false };
    let (mut bare, mut has_git) = (0, false);
    for entry in entries.flatten() {
        if *left == 0 {
            break;
        }
        *left -= 1;
        let name = entry.file_name();
        has_git |= name == ".git";
        bare += usize::from(BARE.iter().any(|known| name == *known));
        let is_skipped = SKIPPED.iter().any(|skipped| name == *skipped);
        // Links are not followed: what they lead to is elsewhere.
        if !is_skipped && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            inner.push(entry.path());
        }
    }
    has_git || bare == BARE.len()
}

/// What a person is told of one that appeared.
pub(super) fn report(repository: &Path) -> String {
    format!(
        "a git repository appeared at `{}`: a later `git` there runs what its configuration says",
        repository.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_12_nested_and_bare_layouts_are_found() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str| std::fs::create_dir_all(root.path().join(path)).unwrap();
        make("plain/objects");
        assert!(find(root.path()).is_empty());
        make("a/b/.git");
        make("c");
        std::fs::write(root.path().join("c/.git"), "gitdir: ../evil").unwrap();
        make("d/objects");
        make("d/refs");
        std::fs::write(root.path().join("d/HEAD"), "ref: x").unwrap();
        let found: Vec<PathBuf> = find(root.path()).into_iter().collect();
        assert_eq!(found, ["a/b", "c", "d"].map(|path| root.path().join(path)));
        for name in BARE {
            make(name);
        }
        assert!(find(root.path()).contains(root.path()), "the workspace itself as a bare one");
    }

    #[test]
    fn a_large_tree_is_not_walked_to_its_end() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..ENTRIES + 100 {
            std::fs::write(root.path().join(number.to_string()), "").unwrap();
        }
        let started = std::time::Instant::now();
        find(root.path());
        assert!(started.elapsed() < std::time::Duration::from_secs(1));
    }
}
