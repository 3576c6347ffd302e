//! Writers at the same time: who waits, for how long, and what is noticed of those who do not ask.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use super::Cancelled;
use crate::system::opener::Expected;
use crate::system::opener::OpenError;
use crate::system::opener::Opener;
use crate::system::opener::PathRules;
use crate::system::opener::Version;

fn opener(directory: &Path) -> Opener {
    Opener::new(PathRules {
        cwd: directory.to_path_buf(),
        write: vec![directory.to_path_buf()],
        ..PathRules::default()
    })
}

#[test]
fn one_thread_at_a_time_by_whatever_name() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    std::fs::create_dir(root.join("d")).unwrap();
    std::os::unix::fs::symlink("d", root.join("link")).unwrap();
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for path in ["d/a", "link/a", "d/b", "d/../d/c"].repeat(4) {
            scope.spawn(|| {
                let turn = opener(root).exclusive(Path::new(path), &|| false).unwrap();
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(2));
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(turn);
            });
        }
    });
    assert_eq!(most.into_inner(), 1);
    let _held = opener(root).exclusive(Path::new("d/a"), &|| false).unwrap();
    // Another directory is another matter.
    opener(root).exclusive(Path::new("a"), &|| false).unwrap();
}

#[test]
fn who_is_told_to_stop_waits_for_nobody() {
    let root = tempfile::tempdir().unwrap();
    let opener = opener(root.path());
    let path = Path::new("a");
    let held = opener.exclusive(path, &|| false).unwrap();
    assert_eq!(opener.exclusive(path, &|| true).unwrap_err(), Cancelled, "a thread's");
    drop(held);
    let kept = File::open(root.path()).unwrap();
    kept.lock().unwrap();
    assert_eq!(opener.exclusive(path, &|| true).unwrap_err(), Cancelled, "a process's");
}

#[test]
fn who_keeps_a_directory_locked_is_waited_for_once() {
    let root = tempfile::tempdir().unwrap();
    let opener = opener(root.path());
    let wait = || {
        let start = Instant::now();
        drop(opener.exclusive(Path::new("a"), &|| false).unwrap());
        start.elapsed()
    };
    let kept = File::open(root.path()).unwrap();
    kept.lock_shared().unwrap();
    assert!(wait() >= super::QUIET);
    assert!(wait() < super::QUIET, "not a second time");
    drop(kept);
    wait();
    assert!(File::open(root.path()).unwrap().try_lock().is_ok(), "nothing stays locked");
}

#[test]
fn a_lock_that_is_given_back_is_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let opener = opener(root.path());
    let kept = File::open(root.path()).unwrap();
    kept.lock().unwrap();
    let is_free = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(60));
            is_free.store(true, Ordering::SeqCst);
            drop(kept);
        });
        let _turn = opener.exclusive(Path::new("a"), &|| false).unwrap();
        assert!(is_free.load(Ordering::SeqCst));
    });
}

#[test]
fn what_is_no_longer_what_was_read_is_not_replaced() {
    let root = tempfile::tempdir().unwrap();
    let opener = opener(root.path());
    let (path, file) = (Path::new("a"), root.path().join("a"));
    let refused = |expected: &Expected, by: &str| {
        let before = std::fs::read(&file).ok();
        let error = opener.replace_if(path, expected, b"mine", None).unwrap_err();
        assert!(matches!(error, OpenError::Changed { .. }), "{by}: {error}");
        assert_eq!(std::fs::read(&file).ok(), before, "{by}");
    };
    let state = || Expected::Version(Version::of(&File::open(&file).unwrap()).unwrap());
    opener.replace_if(path, &Expected::Absent, b"first", None).unwrap();
    refused(&Expected::Absent, "somebody made it");
    let seen = state();
    std::fs::write(root.path().join("other"), "FIRST").unwrap();
    std::fs::rename(root.path().join("other"), &file).unwrap();
    refused(&seen, "another file of the same length");
    let seen = state();
    std::fs::write(&file, "longer than before").unwrap();
    refused(&seen, "written in place");
    let seen = state();
    std::fs::remove_file(&file).unwrap();
    refused(&seen, "removed");
    std::os::unix::fs::symlink("b", &file).unwrap();
    std::fs::write(root.path().join("b"), "b").unwrap();
    refused(&Expected::Absent, "a link now");
    opener.replace_if(path, &Expected::Anything, b"mine", None).unwrap();
    let names = std::fs::read_dir(root.path()).unwrap().count();
    assert_eq!(names, 2, "no temporary file is left");
}
