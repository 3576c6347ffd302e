//! Exact replacement: what is a match, what is refused, what stays.

use std::path::Path;

use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::Replacement;
use super::replace;
use super::replaced;
use crate::files::changing::write::ChangeKind;
use crate::system::opener::Opener;
use crate::system::opener::PathRules;

fn edit(text: &[u8], old: &str, new: &str, all: bool) -> Result<(Vec<u8>, u64), String> {
    let replacement = Replacement { old: old.to_owned(), new: new.to_owned(), all };
    replaced(text, &replacement).map_err(|refusal| match refusal.hint {
        Some(hint) => format!("{}; {hint}", refusal.message),
        None => refusal.message,
    })
}

fn text_of(result: Result<(Vec<u8>, u64), String>) -> String {
    String::from_utf8_lossy(&result.unwrap().0).into_owned()
}

#[test]
fn a_unique_text_is_replaced() {
    assert_eq!(text_of(edit(b"one two three", "two", "2", false)), "one 2 three");
    assert_eq!(text_of(edit(b"a a a", "a", "bb", true)), "bb bb bb");
    assert_eq!(edit(b"aaaa", "aa", "b", true).unwrap(), (b"bb".to_vec(), 2));
    assert_eq!(text_of(edit(b"one", "one", "", false)), "");
}

#[test]
fn several_matches_are_named_by_line() {
    let error = edit(b"x\ny\nx\nx y x\n", "x", "z", false).unwrap_err();
    assert_eq!(
        error,
        "the text occurs 4 times, at lines 1, 3, 4, 4; add lines around it until it is unique, or \
         replace all"
    );
    let many = "x\n".repeat(20);
    let error = edit(many.as_bytes(), "x", "z", false).unwrap_err();
    assert!(error.contains("at lines 1, 2, 3, 4, 5, 6, 7, 8 and 12 more"), "{error}");
}

#[test]
fn what_is_nearly_there_is_shown() {
    let text = b"fn main() {\n\tlet a = 1;\n    let b  = 2;\n}\n";
    for (old, expected) in [
        ("    let a = 1;", "line 2 differ only in white space"),
        ("    let a = 1;\n    let b = 2;\n", "lines 2 to 3 differ only in white space"),
        ("let b = 3;", "most alike is line 3: `let b  = 2;`"),
    ] {
        let error = edit(text, old, "x", false).unwrap_err();
        assert!(error.contains(expected), "{old}: {error}");
    }
    assert_eq!(
        edit(text, "something else", "x", false).unwrap_err(),
        "the text to replace does not occur"
    );
}

#[test]
fn edits_that_mean_nothing_are_refused() {
    assert!(edit(b"abc", "", "x", false).unwrap_err().contains("is empty"));
    assert!(edit(b"abc", "b", "b", false).unwrap_err().contains("are the same"));
}

#[test]
fn line_ends_of_the_file_are_kept() {
    let text = b"\xef\xbb\xbfone\r\ntwo\r\nthree";
    assert_eq!(
        edit(text, "one\ntwo", "1\n2", false).unwrap().0,
        b"\xef\xbb\xbf1\r\n2\r\nthree".to_vec()
    );
    assert_eq!(
        edit(text, "two", "2\n2", false).unwrap().0,
        b"\xef\xbb\xbfone\r\n2\r\n2\r\nthree".to_vec()
    );
    assert_eq!(edit(b"a\r\nb\n", "b", "x\ny", false).unwrap().0, b"a\r\nx\ny\n".to_vec());
}

#[test]
fn bytes_that_are_not_text_survive() {
    assert_eq!(edit(b"\xff\xfea b\x80", "b", "c", false).unwrap().0, b"\xff\xfea c\x80".to_vec());
}

#[test]
fn a_file_is_replaced_and_the_change_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.txt");
    std::fs::write(&file, "one\ntwo\n").unwrap();
    let write = vec![directory.path().to_path_buf()];
    let rules = PathRules { cwd: directory.path().to_path_buf(), write, ..PathRules::default() };
    let opener = Opener::new(rules);
    let edit = |old: &str| {
        let replacement = Replacement { old: old.to_owned(), new: "2".to_owned(), all: false };
        replace(&opener, Path::new("a.txt"), &replacement, &CancellationToken::new())
    };
    let (count, change) = edit("two").unwrap();
    assert_eq!((count, change.kind), (1, ChangeKind::Modified));
    assert_eq!(
        change.diff.as_deref(),
        Some("--- a.txt\n+++ a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n")
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"one\n2\n");
    std::fs::write(&file, b"a\0b two").unwrap();
    assert_eq!(edit("two").unwrap_err().to_string(), "`a.txt`: binary file, 7 bytes");
    std::fs::write(&file, b"\xff\xfet\0w\0o\0").unwrap();
    assert_eq!(edit("two").unwrap_err().to_string(), "`a.txt`: UTF-16 text is not edited in place");
}

proptest! {
    #[test]
    fn equals_the_replacement_of_the_standard_library(
        text in "[ab\n]{0,60}",
        old in "[ab\n]{1,4}",
        new in "[abc\n]{0,4}",
    ) {
        let count = text.matches(&old).count();
        match edit(text.as_bytes(), &old, &new, true) {
            Ok((after, replacements)) => {
                prop_assert_eq!(String::from_utf8(after).unwrap(), text.replace(&old, &new));
                prop_assert_eq!(replacements, count as u64);
            }
            Err(error) => prop_assert!(count == 0 || old == new, "{}", error),
        }
    }
}
