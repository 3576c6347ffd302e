//! Writing whole files, and what must survive a write that fails.

use std::path::Path;

use super::*;
use crate::files::tree_for_tests::Tree;

fn write(opener: &Opener, path: &Path, bytes: &[u8], append: bool) -> Result<Change, FileError> {
    super::write(opener, path, bytes, append, &CancellationToken::new())
}

#[test]
fn files_are_created_replaced_and_appended_to() {
    let tree = Tree::new(&[]);
    let path = Path::new("deep/er/f");
    let written = |contents: &str, append: bool| {
        let change = write(&tree.opener, path, contents.as_bytes(), append).unwrap();
        (change.kind, std::fs::read_to_string(tree.path().join(path)).unwrap())
    };
    assert_eq!(written("one\n", false), (ChangeKind::Created, "one\n".to_owned()));
    assert_eq!(written("one\n", false), (ChangeKind::Unchanged, "one\n".to_owned()));
    assert_eq!(written("two\n", true), (ChangeKind::Modified, "one\ntwo\n".to_owned()));
    assert_eq!(written("", true), (ChangeKind::Unchanged, "one\ntwo\n".to_owned()));
    assert_eq!(written("\u{feff}a\r\n", false), (ChangeKind::Modified, "\u{feff}a\r\n".to_owned()));
    let names: Vec<_> = std::fs::read_dir(tree.path().join("deep/er")).unwrap().collect();
    assert_eq!(names.len(), 1, "no temporary file is left: {names:?}");
}

#[test]
fn changes_are_told_as_diffs_of_a_bounded_size() {
    let tree = Tree::new(&[("f", "a\nb\n")]);
    let diff = |contents: &[u8]| write(&tree.opener, Path::new("f"), contents, false).unwrap().diff;
    assert_eq!(diff(b"a\nc\n").as_deref(), Some("--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"));
    assert_eq!(diff(b"\xff\0"), None, "not text");
    diff(b"");
    let numbers: Vec<String> = (0..20_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(diff(numbers.concat().as_bytes()), None, "too many lines differ");
    let mut changed = numbers.clone();
    changed[10_000] = "x\n".to_owned();
    assert!(diff(changed.concat().as_bytes()).unwrap().contains("-10000\n+x\n"));
    assert_eq!(diff(&vec![b'x'; 2 << 20]), None, "too large");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_mode_is_kept_and_links_inside_are_followed() {
        let tree = Tree::new(&[("script", "old")]);
        let file = tree.path().join("script");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink("script", tree.path().join("alias")).unwrap();
        write(&tree.opener, Path::new("alias"), b"new", false).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o755);
        assert!(std::fs::symlink_metadata(tree.path().join("alias")).unwrap().is_symlink());
    }

    #[test]
    fn nothing_outside_is_written_by_any_spelling() {
        let tree = Tree::new(&[("inside", "")]);
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("target");
        std::fs::write(&target, "old").unwrap();
        symlink(outside.path(), tree.path().join("dir")).unwrap();
        symlink(&target, tree.path().join("file")).unwrap();
        symlink(outside.path().join("absent"), tree.path().join("dangling")).unwrap();
        std::fs::hard_link(&target, tree.path().join("hard")).ok();
        let up = Path::new("..").join(outside.path().file_name().unwrap()).join("new");
        let proc = Path::new("/proc/self/root").join(target.strip_prefix("/").unwrap());
        let outside_paths = [target.clone(), outside.path().join("new"), up, proc];
        let inside = ["dir/target", "dir/new", "file", "dangling", "hard", ".git/hooks/pre-commit"];
        for path in
            outside_paths.iter().map(std::path::PathBuf::as_path).chain(inside.map(Path::new))
        {
            if path == Path::new("hard") && !tree.path().join("hard").exists() {
                continue;
            }
            let error = write(&tree.opener, path, b"new", false).unwrap_err();
            assert!(matches!(error, FileError::Open(_)), "{}: {error}", path.display());
        }
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
        assert!(!tree.path().join(".git").exists());
    }

    #[test]
    fn a_nul_byte_and_a_directory_are_refused_in_words() {
        let tree = Tree::new(&[("dir/x", "")]);
        let error =
            |path: &str| write(&tree.opener, Path::new(path), b"", false).unwrap_err().to_string();
        assert!(error("a\0b").contains("NUL byte"), "{}", error("a\0b"));
        assert_eq!(error("dir"), "`dir` is a directory");
    }
}
