//! Protected files that are too large to be held in memory.

use std::path::Path;
use std::path::PathBuf;

use super::Bounds;
use super::hostile_tests::mode;
use super::hostile_tests::set_mode;
use super::hostile_tests::take_within;
use super::tests::repository;

fn copies(places: &Path) -> Vec<PathBuf> {
    let entries = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let stores =
        entries(places).into_iter().filter(|path| path.extension() == Some("kept".as_ref()));
    stores.flat_map(|store| entries(&store)).collect()
}

/// Large files are copied where agents meet, and in memory where they do not meet.
#[test]
fn large_files_come_back_whatever_was_done_to_them() {
    let (_data, data) = repository();
    for places in [Some(data.join("running")), None] {
        for attack in
            ["removed", "shortened", "in place", "longer", "a directory", "a link", "closed"]
        {
            let (_root, path) = repository();
            let hook = path.join(".git/hooks/large");
            let before: Vec<u8> = (0..3_000_001_u32).map(|number| (number % 251) as u8).collect();
            std::fs::write(&hook, &before).unwrap();
            set_mode(&hook, 0o750);
            let snapshot = take_within(&path, places.as_deref(), Bounds::default()).unwrap();
            let mut file = std::fs::File::options().write(true).open(&hook).unwrap();
            match attack {
                "shortened" => file.set_len(2_000_000).unwrap(),
                "in place" => std::io::Write::write_all(&mut file, b"evil").unwrap(),
                "longer" => file.set_len(9_000_000).unwrap(),
                "closed" => set_mode(&hook, 0o000),
                _ => std::fs::remove_file(&hook).unwrap(),
            }
            match attack {
                "a directory" => std::fs::create_dir(&hook).unwrap(),
                "a link" => std::os::unix::fs::symlink("../config", &hook).unwrap(),
                _ => {}
            }
            let meeting = places.is_some();
            assert_eq!(copies(&data.join("running")).len(), usize::from(meeting), "{attack}");
            assert_eq!(snapshot.finish().unwrap(), std::slice::from_ref(&hook), "{attack}");
            assert!(std::fs::read(&hook).unwrap() == before, "{attack}");
            assert_eq!(mode(&hook), 0o750, "{attack}");
            // The copy is for the next command, until the file is another one.
            std::fs::remove_file(&hook).unwrap();
            take_within(&path, places.as_deref(), Bounds::default()).unwrap().finish().unwrap();
            assert_eq!(copies(&data.join("running")).len(), 0, "{attack}");
        }
    }
}

/// The copy of a version is made once.
#[test]
fn a_large_file_that_stays_the_same_is_not_copied_again() {
    use std::os::unix::fs::MetadataExt as _;
    let (_data, data) = repository();
    let places = data.join("running");
    let (_root, path) = repository();
    std::fs::write(path.join(".git/config"), vec![b'x'; 2 << 20]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(3_100));
    let number = || {
        take_within(&path, Some(&places), Bounds::default()).unwrap().finish().unwrap();
        let copies = copies(&places);
        let [copy] = &copies[..] else { panic!("{copies:?}") };
        (copy.metadata().unwrap().ino(), copy.clone())
    };
    let first = number();
    assert_eq!(number(), first);
    std::fs::write(path.join(".git/config"), vec![b'y'; 2 << 20]).unwrap();
    assert_ne!(number(), first);
}

/// A second agent goes by the copies of the first one, also when that one has ended.
#[test]
fn agents_that_meet_share_copies() {
    let (_data, data) = repository();
    let places = data.join("running");
    let (_root, path) = repository();
    let config = path.join(".git/config");
    std::fs::write(&config, vec![b'x'; 2 << 20]).unwrap();
    let first = take_within(&path, Some(&places), Bounds::default()).unwrap();
    std::fs::write(&config, "evil").unwrap();
    let second = take_within(&path, Some(&places), Bounds::default()).unwrap();
    assert_eq!(first.finish().unwrap(), std::slice::from_ref(&config));
    std::fs::write(&config, "more evil").unwrap();
    assert_eq!(second.finish().unwrap(), std::slice::from_ref(&config));
    assert_eq!(std::fs::read(&config).unwrap(), vec![b'x'; 2 << 20]);
}

/// What cannot be kept is an error before a command that nothing else keeps from it, and says so.
#[test]
fn what_is_too_large_to_be_kept_is_refused_where_it_is_exposed() {
    let (_data, data) = repository();
    let places = data.join("running");
    let (_root, path) = repository();
    let huge = path.join(".git/hooks/huge");
    std::fs::File::create(&huge).unwrap().set_len(3 << 30).unwrap();
    for places in [Some(places.as_path()), None] {
        let take = |exposed| take_within(&path, places, Bounds { exposed, ..Bounds::default() });
        let error = take(true).unwrap_err();
        assert!(matches!(error, crate::sandbox::SandboxError::Unkept { .. }), "{error}");
        assert!(error.to_string().contains("hooks/huge"), "{error}");
        drop(take(false).unwrap());
        // By another name it can be written also where it is mounted read-only.
        std::fs::hard_link(&huge, path.join("second")).unwrap();
        assert!(take(false).is_err());
        std::fs::remove_file(path.join("second")).unwrap();
    }
    assert_eq!(copies(&places).len(), 0);
}
