//! Patches: what `diff` writes, what models write, and what must be refused.

use std::path::Path;

use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::Patch;
use super::patched;
use crate::files::changing::write::ChangeKind;
use crate::system::opener::Opener;
use crate::system::opener::PathRules;

fn patch(before: &str, text: &str) -> Result<String, String> {
    let patch = Patch::parse(text).map_err(|error| error.to_string())?;
    let (after, _) = patched(before.as_bytes(), &patch)?;
    Ok(String::from_utf8(after).unwrap())
}

const TEN: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";

#[test]
fn several_hunks_apply() {
    let text = "--- a/x\n+++ b/x\n@@ -1,3 +1,4 @@\n 1\n-2\n+two\n+and a half\n 3\n@@ -8,3 +9,2 @@\n 8\n-9\n 10\n";
    assert_eq!(patch(TEN, text).unwrap(), "1\ntwo\nand a half\n3\n4\n5\n6\n7\n8\n10\n");
}

#[test]
fn what_models_write_applies() {
    for (name, text) in [
        ("wrong numbers", "@@ -7,3 +7,3 @@\n 1\n-2\n+two\n 3\n"),
        ("wrong counts", "@@ -1,9 +1,1 @@\n 1\n-2\n+two\n 3\n"),
        ("no numbers", "@@\n 1\n-2\n+two\n 3\n"),
        ("words for numbers", "@@ fn main() @@\n 1\n-2\n+two\n 3"),
        ("in a fence", "```diff\n--- x\n+++ x\n@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n```\n"),
        ("blank lines behind", "@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n\n\n"),
        ("a mail's end", "@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n-- \n2.39.5\n"),
        (
            "git's words",
            "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -2 +2 @@\n-2\n+two\n",
        ),
        ("white space at line ends", "@@ -1,3 +1,3 @@\n 1  \n-2\t\n+two\n 3\n"),
    ] {
        assert_eq!(patch(TEN, text).as_deref(), Ok("1\ntwo\n3\n4\n5\n6\n7\n8\n9\n10\n"), "{name}");
    }
    let blank = "@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n";
    assert_eq!(patch("a\n\nb\n", blank).unwrap(), "a\n\nc\n");
}

#[test]
fn the_nearest_place_is_taken() {
    let text = "x\ny\n".repeat(10);
    let after = patch(&text, "@@ -12,1 +12,1 @@\n-y\n+z\n").unwrap();
    assert_eq!(after.lines().position(|line| line == "z"), Some(11));
    let after = patch(&text, "@@ -13,1 +13,1 @@\n-y\n+z\n").unwrap();
    assert_eq!(
        after.lines().position(|line| line == "z"),
        Some(11),
        "of two equally near the earlier"
    );
}

#[test]
fn one_hunk_that_does_not_fit_means_nothing_is_done() {
    let text = "@@ -1,2 +1,2 @@\n 1\n-2\n+two\n@@ -5,2 +5,2 @@\n 5\n-six\n+6\n";
    assert_eq!(
        patch(TEN, text).unwrap_err(),
        "hunk 2 (line 5 of the patch) does not fit: expected `six`, found `6` at line 6"
    );
    let twice = "@@ -1,2 +1,2 @@\n 1\n-2\n+two\n@@ -1,2 +1,2 @@\n 1\n-2\n+two\n";
    assert!(
        patch(TEN, twice).unwrap_err().starts_with("hunk 2 (line 5 of the patch) does not fit")
    );
    assert_eq!(
        patch("a\nb\na\nb\n", "@@\n-b\n+c\n").unwrap_err(),
        "hunk 1 (line 1 of the patch) has no line number and fits at lines 2 and 4"
    );
    assert_eq!(
        patch("a\n", "@@ -1,2 +1,2 @@\n a\n-b\n+c\n").unwrap_err(),
        "hunk 1 (line 1 of the patch) does not fit: expected `b`, found the end of the file"
    );
}

#[test]
fn what_is_no_patch_of_one_file_is_refused() {
    for (text, expected) in [
        ("", "no hunk in the patch"),
        ("*** Begin Patch\n*** Update File: x\n", "no hunk in the patch"),
        ("@@ -1 +1 @@\n a\n", "line 1 of the patch: the hunk changes nothing"),
        (
            "--- x\n+++ x\n@@ -1 +1 @@\n-a\n+b\n--- y\n+++ y\n@@ -1 +1 @@\n-a\n+b\n",
            "line 6 of the patch: a second file begins here",
        ),
        ("rename from a\nrename to b\n", "renaming and copying are not supported"),
        ("GIT binary patch\n", "binary patches are not supported"),
        ("@@ -1,1 +1,1 @@\n-a\n+b\nrubbish\n", "line 4 of the patch: expected `@@`"),
    ] {
        let error = patch("a\n", text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn the_end_of_the_file_is_kept_as_it_is() {
    assert_eq!(
        patch("a\nb", "@@ -1,2 +1,2 @@\n a\n-b\n+c\n").unwrap(),
        "a\nc",
        "no mark, none before"
    );
    let open = "\\ No newline at end of file\n";
    let closes = format!("@@ -1,2 +1,2 @@\n a\n-b\n{open}+c\n");
    assert_eq!(patch("a\nb", &closes).unwrap(), "a\nc\n");
    let opens = format!("@@ -1,2 +1,2 @@\n a\n-b\n+c\n{open}");
    assert_eq!(patch("a\nb\n", &opens).unwrap(), "a\nc");
    assert_eq!(patch("a\nb", "@@ -2,0 +3,1 @@\n+c\n").unwrap(), "a\nb\nc\n", "lines do not join");
}

#[test]
fn crlf_and_the_byte_order_mark_are_kept() {
    let before = "\u{feff}a\r\nb\r\nc\r\n";
    let text = "@@ -1,3 +1,4 @@\n a\n-b\n+x\n+y\n c\n";
    assert_eq!(patch(before, text).unwrap(), "\u{feff}a\r\nx\r\ny\r\nc\r\n");
    let with_returns = text.replace('\n', "\r\n").replace("@@\r\n", "@@\n");
    assert_eq!(patch(before, &with_returns).unwrap(), "\u{feff}a\r\nx\r\ny\r\nc\r\n");
}

#[test]
fn files_are_created_changed_and_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let write = vec![directory.path().to_path_buf()];
    let rules = PathRules { cwd: directory.path().to_path_buf(), write, ..PathRules::default() };
    let opener = Opener::new(rules);
    let apply =
        |path: &Path, text: &str| super::apply(&opener, path, text, &CancellationToken::new());
    let path = Path::new("new/x.txt");
    let creates = "--- /dev/null\n+++ b/new/x.txt\n@@ -0,0 +1,2 @@\n+a\n+b\n";
    let done = apply(path, creates).unwrap();
    assert_eq!((done.change.kind, done.hunks), (ChangeKind::Created, vec![1]));
    assert_eq!(std::fs::read(directory.path().join(path)).unwrap(), b"a\nb\n");
    let again = apply(path, creates).unwrap_err().to_string();
    assert_eq!(again, "`new/x.txt`: the patch creates the file, but it exists");
    let other = apply(Path::new("y"), creates).unwrap_err().to_string();
    assert!(other.starts_with("the patch is for `new/x.txt`, the path is `y`"), "{other}");
    let partly = "--- a/new/x.txt\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n";
    let error = apply(path, partly).unwrap_err().to_string();
    assert!(error.ends_with("the patch deletes the file but leaves 2 bytes of it"), "{error}");
    let deletes = "--- a/new/x.txt\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n";
    assert_eq!(apply(path, deletes).unwrap().change.kind, ChangeKind::Deleted);
    assert!(!directory.path().join(path).exists());
}

proptest! {
    #[test]
    fn applies_what_diffy_makes(
        before in "([a-c]{0,2}\n){0,30}[a-c]{0,2}",
        after in "([a-c]{0,2}\n){0,30}[a-c]{0,2}",
        context in 0_usize..4,
    ) {
        let text = diffy::DiffOptions::new().set_context_len(context).create_patch(&before, &after);
        if before != after {
            prop_assert_eq!(patch(&before, &text.to_string()), Ok(after));
        }
    }

    #[test]
    fn applies_small_edits_of_larger_files(
        lines in prop::collection::vec("[a-z]{0,6}", 20..60),
        at in 0_usize..20,
        new in "[A-Z\n]{0,20}",
    ) {
        let before = lines.join("\n");
        let mut changed = lines;
        changed[at] = new;
        let after = changed.join("\n");
        let text = diffy::create_patch(&before, &after).to_string();
        if before != after {
            prop_assert_eq!(patch(&before, &text), Ok(after));
        }
    }

    #[test]
    fn survives_any_text(before in "[ab \r\n]{0,30}", text in "([-+@ \\\\][-+@ ab0-9,]{0,12}\r?\n){0,12}|\\PC{0,60}") {
        // Whatever it says, it ends, and what it refuses it says.
        if let Err(error) = patch(&before, &text) {
            prop_assert!(!error.is_empty());
        }
    }
}
