//! Configuration under another name is put back like `.git/config`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

use super::tests::repository;
use super::tests::take;
use super::tests::text;

const NONE: [PathBuf; 0] = [];

/// A repository whose configuration includes `conf/a`, which includes `b` beside it and `missing`.
fn including() -> (tempfile::TempDir, PathBuf) {
    let (root, path) = repository();
    fs::write(path.join(".git/config"), "[include]\n\tpath = ../conf/a\n").unwrap();
    fs::create_dir(path.join("conf")).unwrap();
    fs::write(path.join("conf/a"), "[include] path = b\npath = ../missing").unwrap();
    fs::write(path.join("conf/b"), "[core] hooksPath = x").unwrap();
    fs::write(path.join("conf/other"), "mine").unwrap();
    (root, path)
}

fn evil(path: &Path) {
    fs::write(path, "[core] fsmonitor = evil").unwrap();
}

#[test]
fn included_files_are_put_back_and_nothing_beside_them() {
    let (_root, path) = including();
    let snapshot = take(&path);
    for name in ["conf/a", "conf/b", "missing", "conf/other", "conf/new"] {
        evil(&path.join(name));
    }
    let restored = snapshot.restore().unwrap();
    assert_eq!(restored, ["conf/a", "conf/b", "missing"].map(|name| path.join(name)));
    assert_eq!(text(&path.join("conf/a")), "[include] path = b\npath = ../missing");
    assert_eq!(text(&path.join("conf/b")), "[core] hooksPath = x");
    assert!(!path.join("missing").exists());
    assert!(text(&path.join("conf/other")).contains("evil") && path.join("conf/new").exists());
    assert_eq!(snapshot.restore().unwrap(), NONE);
}

#[test]
fn a_directory_on_the_way_is_no_way_round() {
    for replace in ["removed", "a link", "a directory", "a file"] {
        let (_root, path) = including();
        let snapshot = take(&path);
        let conf = path.join("conf");
        fs::rename(&conf, path.join("old")).unwrap();
        match replace {
            "a link" => symlink("old", &conf).unwrap(),
            "a directory" => fs::create_dir(&conf).unwrap(),
            "a file" => fs::write(&conf, "x").unwrap(),
            _ => {}
        }
        if conf.is_dir() {
            evil(&conf.join("a"));
        }
        snapshot.restore().unwrap();
        assert!(!conf.is_symlink(), "{replace}");
        assert!(text(&conf.join("a")).starts_with("[include]"), "{replace}");
        assert_eq!(text(&conf.join("b")), "[core] hooksPath = x", "{replace}");
    }
}

#[test]
fn links_that_were_there_stay_and_what_they_lead_to_is_watched() {
    let (_root, path) = including();
    let (conf, real) = (path.join("conf"), path.join("real"));
    fs::rename(&conf, &real).unwrap();
    fs::rename(real.join("a"), path.join("c")).unwrap();
    symlink("real", &conf).unwrap();
    symlink("../c", real.join("a")).unwrap();
    let snapshot = take(&path);
    assert_eq!(snapshot.restore().unwrap(), NONE);
    evil(&real.join("b"));
    evil(&path.join("c"));
    fs::remove_file(&conf).unwrap();
    fs::create_dir(&conf).unwrap();
    evil(&conf.join("a"));
    snapshot.restore().unwrap();
    assert_eq!(fs::read_link(&conf).unwrap(), Path::new("real"));
    assert_eq!(fs::read_link(real.join("a")).unwrap(), Path::new("../c"));
    assert!(text(&path.join("c")).starts_with("[include]"));
    assert_eq!(text(&real.join("b")), "[core] hooksPath = x");
}

#[test]
fn directories_and_what_is_missing_may_be_made_on_the_way() {
    let (_root, path) = repository();
    fs::write(path.join(".git/config"), "[include] path = ../a/b/c\npath = ../d").unwrap();
    fs::create_dir(path.join("d")).unwrap();
    let snapshot = take(&path);
    fs::create_dir_all(path.join("a/b")).unwrap();
    fs::write(path.join("a/b/other"), "mine").unwrap();
    fs::write(path.join("d/mine"), "mine").unwrap();
    assert_eq!(snapshot.restore().unwrap(), NONE);
    fs::create_dir(path.join("a/b/c")).unwrap();
    assert_eq!(snapshot.restore().unwrap(), NONE, "no file is no configuration");
    fs::remove_dir(path.join("a/b/c")).unwrap();
    evil(&path.join("a/b/c"));
    assert_eq!(snapshot.restore().unwrap(), [path.join("a/b/c")]);
    assert!(path.join("a/b/other").exists() && path.join("d/mine").exists());
}

#[test]
fn the_configuration_of_a_submodule_includes_as_well() {
    let (_root, path) = repository();
    fs::write(path.join(".git/modules/m/config"), "[include] path = ../../../inc").unwrap();
    fs::write(path.join("inc"), "mine").unwrap();
    let snapshot = take(&path);
    evil(&path.join("inc"));
    assert_eq!(snapshot.restore().unwrap(), [path.join("inc")]);
}
