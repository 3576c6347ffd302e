//! Tests of AGENTS.md: order, bound, and the files that must not be read.

use std::fs;

use tempfile::TempDir;

use super::*;

/// A repository with the directories `a/b`, and its real path.
fn repository() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("repo/.git")).unwrap();
    fs::create_dir_all(root.join("repo/a/b")).unwrap();
    (directory, root.join("repo"))
}

fn load_here(cwd: &Path) -> Instructions {
    load(cwd, crate::system::user::effective_id(), &[])
}

#[test]
fn files_from_the_root_down_the_nearest_last() {
    let (_guard, root) = repository();
    fs::write(root.join("AGENTS.md"), "root\n").unwrap();
    fs::write(root.join("a/b/AGENTS.md"), "\nnear").unwrap();
    fs::write(root.join("../AGENTS.md"), "outside").unwrap();
    let found = load_here(&root.join("a/b"));
    assert_eq!(found.text, "root\n\nnear");
    assert_eq!(found.files, [root.join("AGENTS.md"), root.join("a/b/AGENTS.md")]);
    assert_eq!(found.warnings, [] as [&str; 0]);
}

#[test]
fn without_a_repository_only_the_directory_itself_counts() {
    let (_guard, root) = repository();
    fs::remove_dir(root.join(".git")).unwrap();
    fs::write(root.join("AGENTS.md"), "above").unwrap();
    assert_eq!(load_here(&root.join("a")), Instructions::default());
    assert_eq!(load_here(&root).text, "above");
    assert_eq!(load_here(&root.join("gone")), Instructions::default());
}

#[test]
fn the_farthest_is_cut_and_said_to_be() {
    let (_guard, root) = repository();
    fs::write(root.join("AGENTS.md"), "ä".repeat(LIMIT)).unwrap();
    fs::write(root.join("a/AGENTS.md"), "n".repeat(LIMIT - 5)).unwrap();
    let found = load_here(&root.join("a"));
    assert_eq!(found.text, format!("ää\n\n{}", "n".repeat(LIMIT - 5)));
    assert_eq!(found.warnings.len(), 1);
    assert!(found.warnings[0].contains("was cut"), "{:?}", found.warnings);
}

#[test]
fn a_file_of_another_user_is_skipped() {
    let (_guard, root) = repository();
    fs::write(root.join("AGENTS.md"), "mine").unwrap();
    let us = crate::system::user::effective_id().unwrap();
    // As root the file would belong to root, who is always believed: give it away first.
    if us == 0 {
        std::os::unix::fs::chown(root.join("AGENTS.md"), Some(12345), None).unwrap();
    }
    let found = load(&root, Some(us + 1), &[]);
    assert_eq!(found.text, "");
    assert!(found.warnings[0].contains("belongs to another user"), "{:?}", found.warnings);
}

#[test]
fn links_out_pipes_and_protected_files_are_not_read() {
    let (_guard, root) = repository();
    fs::write(root.join("../secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", root.join("AGENTS.md")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("a/AGENTS.md"), rustix::fs::Mode::RWXU)
        .unwrap();
    fs::write(root.join("a/b/AGENTS.md"), "database").unwrap();
    let database = fs::metadata(root.join("a/b/AGENTS.md")).unwrap();
    let found = load(&root.join("a/b"), crate::system::user::effective_id(), &[database]);
    assert_eq!(found.text, "");
    assert_eq!(found.warnings.len(), 3, "{:?}", found.warnings);
    assert!(found.warnings[2].contains("link out of the repository"), "{:?}", found.warnings);
}

#[test]
fn a_link_within_the_repository_is_followed() {
    let (_guard, root) = repository();
    fs::write(root.join("CLAUDE.md"), "linked").unwrap();
    std::os::unix::fs::symlink("CLAUDE.md", root.join("AGENTS.md")).unwrap();
    assert_eq!(load_here(&root).text, "linked");
}
