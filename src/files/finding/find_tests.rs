//! Finding by name, size and age.

use std::time::Duration;
use std::time::SystemTime;

use time::macros::datetime;

use super::*;
use crate::files::tree_for_tests::Tree;

fn all() -> Find {
    Find {
        walk: Walk { root: ".".into(), hidden: false },
        name: None,
        kind: None,
        min_size: None,
        max_size: None,
        newer_than: None,
        older_than: None,
        sort: SortBy::Name,
        descending: false,
        limit: 100,
    }
}

fn names(tree: &Tree, find: &Find) -> Vec<String> {
    let result = super::find(&tree.opener, find, &CancellationToken::new()).unwrap();
    result.entries.iter().map(|entry| entry.path.display().to_string()).collect()
}

fn tree() -> Tree {
    let tree = Tree::new(&[("a.rs", "1"), ("b.txt", "22"), ("src/c.rs", "333"), ("src/d", "")]);
    let epoch = SystemTime::UNIX_EPOCH;
    for (path, days) in [("a.rs", 10), ("b.txt", 20), ("src/c.rs", 30), ("src/d", 30)] {
        let file = std::fs::File::options().append(true).open(tree.path().join(path)).unwrap();
        file.set_modified(epoch + Duration::from_secs(days * 86_400)).unwrap();
    }
    tree
}

#[test]
fn conditions_hold_together() {
    let tree = tree();
    assert_eq!(names(&tree, &all()), ["a.rs", "b.txt", "src", "src/c.rs", "src/d"]);
    let files = Find { kind: Some(EntryKind::File), ..all() };
    assert_eq!(names(&tree, &files), ["a.rs", "b.txt", "src/c.rs", "src/d"]);
    let directories = Find { kind: Some(EntryKind::Directory), ..all() };
    assert_eq!(names(&tree, &directories), ["src"]);
    let rust = Find { name: Some(NameGlob::new("*.rs").unwrap()), min_size: Some(2), ..all() };
    assert_eq!(names(&tree, &rust), ["src/c.rs"]);
    assert_eq!(names(&tree, &Find { max_size: Some(1), ..all() }), ["a.rs", "src/d"]);
}

#[test]
fn age_counts_from_the_moment_given() {
    let tree = tree();
    let now = datetime!(1970-02-10 0:00 UTC);
    let at = |text: &str| crate::files::finding::age::moment(text, now).unwrap();
    let files = Find { kind: Some(EntryKind::File), ..all() };
    let newer = Find { newer_than: Some(at("20d")), ..files.clone() };
    assert_eq!(names(&tree, &newer), ["b.txt", "src/c.rs", "src/d"]);
    let older = Find { older_than: Some(at("20d")), ..files.clone() };
    assert_eq!(names(&tree, &older), ["a.rs"], "exactly twenty days is not older");
    let between = Find { newer_than: Some(at("25d")), older_than: Some(at("1970-01-25")), ..files };
    assert_eq!(names(&tree, &between), ["b.txt"]);
}

#[test]
fn order_and_limit() {
    let tree = tree();
    let files = Find { kind: Some(EntryKind::File), ..all() };
    let sorted =
        |sort, descending, limit| names(&tree, &Find { sort, descending, limit, ..files.clone() });
    assert_eq!(sorted(SortBy::Name, true, 9), ["src/d", "src/c.rs", "b.txt", "a.rs"]);
    assert_eq!(sorted(SortBy::Size, false, 9), ["src/d", "a.rs", "b.txt", "src/c.rs"]);
    assert_eq!(sorted(SortBy::Size, true, 2), ["src/c.rs", "b.txt"]);
    assert_eq!(sorted(SortBy::Modified, true, 9), ["src/c.rs", "src/d", "b.txt", "a.rs"]);
    let result =
        super::find(&tree.opener, &Find { limit: 1, ..files }, &CancellationToken::new()).unwrap();
    assert_eq!((result.entries.len(), result.total, result.total_size), (1, 4, 6));
}
