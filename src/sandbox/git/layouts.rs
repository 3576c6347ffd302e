//! The git repositories below a directory, found by their names: nested ones, and directories that git takes
//! for a bare one.
//!
//! Only names are looked at, and only so far down: it serves a report, and is no bound.

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

/// A directory that git takes for a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Layout {
    pub(super) directory: PathBuf,
    /// By what is in it; otherwise by a `.git`. One directory may be both.
    pub(super) is_bare: bool,
}

/// Those below `workspace`, itself included. Nearest first, so that one large directory does not use up what
/// may be looked at.
pub(super) fn find(workspace: &Path) -> BTreeSet<Layout> {
    let mut found = BTreeSet::new();
    let mut left = ENTRIES;
    let mut level = vec![workspace.to_path_buf()];
    for _ in 0..=DEPTH {
        let mut next = Vec::new();
        for directory in level {
            let is = look(&directory, &mut left, &mut next);
            for is_bare in [false, true].into_iter().filter(|is_bare| is[usize::from(*is_bare)]) {
                found.insert(Layout { directory: directory.clone(), is_bare });
            }
        }
        level = next;
    }
    found
}

/// Whether a directory has a `.git`, and whether it is a bare repository; directories in it go to `inner`.
fn look(directory: &Path, left: &mut usize, inner: &mut Vec<PathBuf>) -> [bool; 2] {
    // What cannot be read is nothing to report.
    let Ok(entries) = std::fs::read_dir(directory) else { return [false; 2] };
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
    [has_git, bare == BARE.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_12_nested_and_bare_layouts_are_found() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str| std::fs::create_dir_all(root.path().join(path)).unwrap();
        let find = || -> Vec<(PathBuf, bool)> {
            let below = |path: PathBuf| path.strip_prefix(root.path()).unwrap().to_path_buf();
            let found = super::find(root.path()).into_iter();
            found.map(|layout| (below(layout.directory), layout.is_bare)).collect()
        };
        make("plain/objects");
        assert!(find().is_empty());
        make("a/b/.git");
        make("c");
        std::fs::write(root.path().join("c/.git"), "gitdir: ../evil").unwrap();
        make("d/objects");
        make("d/refs");
        std::fs::write(root.path().join("d/HEAD"), "ref: x").unwrap();
        let three = [("a/b", false), ("c", false), ("d", true)];
        assert_eq!(find(), three.map(|(path, is_bare)| (path.into(), is_bare)));
        // The workspace itself, beside its own.
        make(".git");
        for name in BARE {
            make(name);
        }
        assert_eq!(find()[..2], [("".into(), false), ("".into(), true)]);
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
