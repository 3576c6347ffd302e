//! Reading windows of lines.

use proptest::prelude::*;

use super::*;
use crate::files::tree_for_tests::Tree;

fn read_with(tree: &Tree, offset: u64, limit: Option<u64>, max_bytes: usize) -> Text {
    let window = Window { offset, limit, max_bytes };
    read(&tree.opener, Path::new("f"), window, &CancellationToken::new()).unwrap()
}

#[test]
fn windows_of_lines() {
    let tree = Tree::new(&[("f", "1\n2\r\n3\n4")]);
    for (offset, limit, content) in [
        (1, None, "1\n2\r\n3\n4"),
        (0, Some(1), "1\n"),
        (2, Some(2), "2\r\n3\n"),
        (4, Some(9), "4"),
        (5, None, ""),
        (1, Some(0), ""),
    ] {
        let text = read_with(&tree, offset, limit, 1000);
        assert_eq!(text.content, content, "{offset} {limit:?}");
        assert_eq!((text.lines, text.size, text.truncated), (4, 8, false));
        assert_eq!(text.shown, content.lines().count() as u64);
    }
}

#[test]
fn what_is_cut_says_so() {
    let tree = Tree::new(&[("f", "one\ntwo\nthree\n")]);
    let text = read_with(&tree, 1, None, 9);
    assert_eq!((text.content.as_str(), text.truncated, text.lines), ("one\ntwo\n", true, 3));
    let text = read_with(&tree, 1, None, 8);
    assert_eq!((text.content.as_str(), text.truncated), ("one\ntwo\n", true));
    let text = read_with(&tree, 1, Some(2), 8);
    assert_eq!((text.content.as_str(), text.truncated), ("one\ntwo\n", false));
    tree.write("f", "ä".repeat(100));
    let text = read_with(&tree, 1, None, 5);
    assert_eq!((text.content.as_str(), text.truncated, text.lossy), ("ää", true, false));
}

#[test]
fn binary_utf16_and_broken_text() {
    let tree = Tree::new(&[("f", "a\0b")]);
    let text = read_with(&tree, 1, None, 100);
    assert!(text.binary && text.content.is_empty() && text.size == 3);
    tree.write("f", b"\xff\xfea\0\n\0b\0");
    let text = read_with(&tree, 1, None, 100);
    assert_eq!((text.content.as_str(), text.lines, text.binary), ("a\nb", 2, false));
    tree.write("f", b"\xef\xbb\xbfa\xff\n");
    let text = read_with(&tree, 1, None, 100);
    assert_eq!((text.content.as_str(), text.lossy), ("a\u{fffd}\n", true));
    tree.write("f", "");
    assert_eq!(read_with(&tree, 1, None, 100), Text::default());
}

#[test]
fn large_files_are_streamed() {
    let tree = Tree::new(&[]);
    let line = "0123456789abcdef\n";
    tree.write("f", line.repeat(1_000_000));
    let text = read_with(&tree, 999_999, None, 1000);
    assert_eq!((text.content, text.lines), (line.repeat(2), 1_000_000));
    let sparse = std::fs::File::create(tree.path().join("f")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    let begin = std::time::Instant::now();
    let text = read_with(&tree, 1, None, 1000);
    assert!(text.binary && text.size == 1 << 30 && begin.elapsed().as_secs() < 2);
}

#[test]
fn cancellation_ends_reading() {
    let tree = Tree::new(&[("f", "1\n")]);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let window = Window { offset: 1, limit: None, max_bytes: 10 };
    let error = read(&tree.opener, Path::new("f"), window, &cancel).unwrap_err();
    assert!(matches!(error, FileError::Cancelled));
}

proptest! {
    #[test]
    fn equals_a_slice_of_all_lines(
        text in "([a-zä]{0,5}\r?\n){0,12}[a-z]{0,3}",
        offset in 1_u64..15,
        limit in 0_u64..15,
    ) {
        let tree = Tree::new(&[("f", &text)]);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let first = usize::try_from(offset - 1).unwrap().min(lines.len());
        let last = (first + usize::try_from(limit).unwrap()).min(lines.len());
        let read = read_with(&tree, offset, Some(limit), 1000);
        prop_assert_eq!(read.content, lines[first..last].concat());
        prop_assert_eq!(read.lines, lines.len() as u64);
    }
}
