//! What is put back, what is left alone, and where a repair must not be led.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use super::Earlier;
use super::Snapshot;

pub(super) fn take(path: &PathBuf) -> Snapshot {
    Snapshot::take(std::slice::from_ref(path), &[], None, &Earlier::default(), false).unwrap()
}

pub(super) fn repository() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    for directory in [".git/hooks", ".git/info", ".git/objects", ".git/modules/m/hooks", "src"] {
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

pub(super) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn what_git_itself_does_is_left_alone() {
    let (_root, path) = repository();
    let snapshot = take(&path);
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
    let snapshot = take(&path);
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
    assert_eq!(restored.len(), 7, "{restored:?}");
    assert_eq!(text(&git.join("config")), ".git/config");
    assert_eq!(text(&git.join("hooks/pre-push")), ".git/hooks/pre-push");
    let mode = std::fs::symlink_metadata(git.join("hooks/pre-push")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert_eq!(text(&git.join("modules/m/config")), ".git/modules/m/config");
    for gone in [".git/hooks/post-commit", ".git/commondir", ".git/info/attributes", ".agi-agent"] {
        assert!(!path.join(gone).exists(), "{gone}");
    }
    assert_eq!(snapshot.restore().unwrap(), Vec::<PathBuf>::new());
}

#[test]
fn a_moved_or_replaced_git_directory_is_no_way_round() {
    let (_root, path) = repository();
    let snapshot = take(&path);
    std::fs::rename(path.join(".git"), path.join("moved")).unwrap();
    std::fs::write(path.join(".git"), "gitdir: evil").unwrap();
    assert!(!snapshot.restore().unwrap().is_empty());
    assert_eq!(text(&path.join(".git/config")), ".git/config");

    let (_root, path) = repository();
    let snapshot = take(&path);
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
    let snapshot = take(&path);
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
    let snapshot = take(&path);
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

#[test]
fn a_directory_that_was_moved_away_comes_back_whole() {
    for replace in ["nothing", "a directory", "a file", "a link", "an exchange"] {
        let (_root, path) = repository();
        let git = path.join(".git");
        std::fs::write(git.join("HEAD"), "ref: refs/heads/mine").unwrap();
        let snapshot = take(&path);
        std::fs::create_dir_all(path.join("a/b")).unwrap();
        std::fs::rename(git.join("objects"), path.join("o")).unwrap();
        std::fs::rename(&git, path.join("a/b/moved")).unwrap();
        std::fs::write(path.join("a/b/moved/config"), "evil").unwrap();
        match replace {
            "a directory" => std::fs::create_dir_all(git.join("hooks")).unwrap(),
            "a file" => std::fs::write(&git, "gitdir: a/b/moved").unwrap(),
            "a link" => std::os::unix::fs::symlink("a/b/moved", &git).unwrap(),
            _ => {}
        }
        let restored = snapshot.restore().unwrap();
        assert!(restored.contains(&git) && restored.contains(&git.join("objects")), "{restored:?}");
        assert_eq!(text(&git.join("HEAD")), "ref: refs/heads/mine", "{replace}");
        assert_eq!(text(&git.join("config")), ".git/config", "{replace}");
        assert!(!path.join("o").exists() || replace == "a directory", "{replace}");
        // What stood there is not lost.
        let stood = std::fs::symlink_metadata(path.join("a/b/moved")).is_ok();
        assert_eq!(stood, ["a directory", "a file", "a link"].contains(&replace), "{replace}");
        assert_eq!(snapshot.restore().unwrap(), Vec::<PathBuf>::new(), "{replace}");
    }
}

/// The number of a directory that was removed may be another one's: that one stays where it is.
#[test]
fn a_directory_with_an_old_number_is_not_taken_for_the_one_that_is_gone() {
    let (_root, path) = repository();
    let snapshot = take(&path);
    std::fs::remove_dir_all(path.join(".git")).unwrap();
    for number in 0..50 {
        std::fs::create_dir(path.join(format!("d{number}"))).unwrap();
        std::fs::write(path.join(format!("d{number}/mine")), "mine").unwrap();
    }
    snapshot.restore().unwrap();
    assert!((0..50).all(|number| path.join(format!("d{number}/mine")).exists()));
    assert_eq!(text(&path.join(".git/config")), ".git/config");
}

/// A second agent begins while the first one's command has changed something: both go by what was there
/// before, whoever ends first.
#[test]
fn agents_that_meet_go_by_what_the_first_one_saw() {
    for first_ends_first in [true, false] {
        let (_data, data) = repository();
        let places = data.join("running");
        let (_root, path) = repository();
        let roots = std::slice::from_ref(&path);
        let first = Snapshot::take(roots, &[], Some(&places), &Earlier::default(), false).unwrap();
        std::fs::write(path.join(".git/hooks/evil"), "evil").unwrap();
        std::fs::write(path.join(".git/config"), "evil").unwrap();
        let second = Snapshot::take(roots, &[], Some(&places), &Earlier::default(), false).unwrap();
        let (one, other) = if first_ends_first { (first, second) } else { (second, first) };
        assert_eq!(one.finish().unwrap().len(), 2);
        assert_eq!(other.finish().unwrap().len(), 0);
        assert!(!path.join(".git/hooks/evil").exists());
        assert_eq!(text(&path.join(".git/config")), ".git/config");
        // The last one leaves nothing but the lock, and the next one looks for itself.
        assert_eq!(std::fs::read_dir(&places).unwrap().count(), 1);
        std::fs::write(path.join(".git/config"), "mine").unwrap();
        let next = Snapshot::take(roots, &[], Some(&places), &Earlier::default(), false).unwrap();
        assert_eq!(next.finish().unwrap().len(), 0);
        assert_eq!(text(&path.join(".git/config")), "mine");
    }
}

/// While another agent's command swaps names, a repair writes and removes inside or not at all.
#[test]
fn a_repair_that_is_worked_against_does_not_lead_outside() {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering;
    let (_outside_root, outside) = repository();
    std::fs::create_dir(outside.join("hooks")).unwrap();
    std::fs::write(outside.join("hooks/evil"), "theirs").unwrap();
    let (_root, path) = repository();
    let snapshot = take(&path);
    let hooks = path.join(".git/hooks");
    let (is_over, swaps) = (AtomicBool::new(false), std::sync::atomic::AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // Each of these may fail: the repair is at work as well.
                drop(std::fs::create_dir(&hooks));
                drop(std::fs::write(hooks.join("evil"), "evil"));
                drop(std::fs::rename(&hooks, path.join("old")));
                drop(std::os::unix::fs::symlink(outside.join("hooks"), &hooks));
                std::thread::yield_now();
                drop(std::fs::remove_file(&hooks));
                drop(std::fs::remove_dir_all(path.join("old")));
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let started = std::time::Instant::now();
        while started.elapsed() < std::time::Duration::from_millis(700) {
            // It may not succeed as long as somebody works against it.
            drop(snapshot.restore());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(swaps.load(Ordering::Relaxed) > 20, "nobody worked against it");
    assert_eq!(text(&outside.join("hooks/evil")), "theirs");
    let names = std::fs::read_dir(outside.join("hooks")).unwrap().count();
    assert_eq!(names, 1, "the repair wrote outside");
    snapshot.restore().unwrap();
    assert_eq!(text(&hooks.join("pre-push")), ".git/hooks/pre-push");
    assert!(!hooks.join("evil").exists());
}
