//! Searching: against a naive reference, in odd encodings, within limits.

use proptest::prelude::*;

use super::*;
use crate::files::tree_for_tests::Tree;

fn options(pattern: &str) -> Search {
    Search {
        pattern: pattern.to_owned(),
        literal: false,
        ignore_case: false,
        walk: Walk { root: ".".into(), hidden: false },
        glob: None,
        context: 0,
        limit: 100,
        lines: true,
    }
}

fn run(tree: &Tree, search: &Search) -> SearchResult {
    super::search(&tree.opener, search, &CancellationToken::new()).unwrap()
}

/// `path:line:text` of matches, `path-line-text` of context.
fn lines(result: &SearchResult) -> Vec<String> {
    let line = |file: &FileMatches, line: &Line| {
        let mark = if line.is_match { ':' } else { '-' };
        format!("{}{mark}{}{mark}{}", file.path.display(), line.number, line.text)
    };
    result.files.iter().flat_map(|file| file.lines.iter().map(|l| line(file, l))).collect()
}

#[test]
fn lines_come_in_order_with_all_counts() {
    let tree = Tree::new(&[
        ("b.txt", "foo bar foo\nnothing\nfoo"),
        ("a/z.txt", "x\r\nfoo\r\n"),
        ("a.txt", "foo\n"),
        ("none.txt", "bar\n"),
    ]);
    let result = run(&tree, &options("foo"));
    assert_eq!(
        lines(&result),
        ["a/z.txt:2:foo", "a.txt:1:foo", "b.txt:1:foo bar foo", "b.txt:3:foo"]
    );
    assert_eq!((result.total_lines, result.total_matches), (4, 5));
    assert_eq!((result.files_with_matches, result.files_searched), (3, 4));
    assert!(!result.truncated);
    let counts = run(&tree, &Search { lines: false, ..options("foo") });
    let files: Vec<(String, u64)> =
        counts.files.iter().map(|file| (file.path.display().to_string(), file.count)).collect();
    assert_eq!(files, [("a/z.txt".into(), 1), ("a.txt".into(), 1), ("b.txt".into(), 2)]);
    assert!(lines(&counts).is_empty());
}

#[test]
fn limits_cut_what_is_shown_and_nothing_else() {
    let tree = Tree::new(&[("a", "x\nx\n"), ("b", "x\nx\nx\n"), ("c", "x\n")]);
    for (limit, expected) in [
        (1, vec!["a:1:x"]),
        (2, vec!["a:1:x", "a:2:x"]),
        (3, vec!["a:1:x", "a:2:x", "b:1:x"]),
        (5, vec!["a:1:x", "a:2:x", "b:1:x", "b:2:x", "b:3:x"]),
        (6, vec!["a:1:x", "a:2:x", "b:1:x", "b:2:x", "b:3:x", "c:1:x"]),
    ] {
        let result = run(&tree, &Search { limit, ..options("x") });
        assert_eq!(lines(&result), expected, "{limit}");
        assert_eq!((result.total_lines, result.files_with_matches), (6, 3));
        assert_eq!(result.truncated, limit < 6, "{limit}");
    }
    let files = run(&tree, &Search { limit: 2, lines: false, ..options("x") });
    assert_eq!((files.files.len(), files.truncated), (2, true));
}

#[test]
fn context_stands_around_matches() {
    let tree = Tree::new(&[("a", "1\n2\nx\n4\n5\n6\nx\n8\n")]);
    let result = run(&tree, &Search { context: 1, ..options("x") });
    assert_eq!(lines(&result), ["a-2-2", "a:3:x", "a-4-4", "a-6-6", "a:7:x", "a-8-8"]);
    let result = run(&tree, &Search { context: 2, limit: 1, ..options("x") });
    assert_eq!(lines(&result)[..3], ["a-1-1", "a-2-2", "a:3:x"]);
    assert!(result.truncated && !lines(&result).contains(&"a:7:x".to_owned()));
}

#[test]
fn patterns_can_be_literal_and_blind_to_case() {
    let tree = Tree::new(&[("a", "a.b(c\naxb\nÄ.B\nä.b\n")]);
    assert_eq!(lines(&run(&tree, &options("a.b"))), ["a:1:a.b(c", "a:2:axb"]);
    let literal = Search { literal: true, ..options("a.b(") };
    assert_eq!(lines(&run(&tree, &literal)), ["a:1:a.b(c"]);
    let blind = Search { ignore_case: true, literal: true, ..options("ä.b") };
    assert_eq!(lines(&run(&tree, &blind)), ["a:3:Ä.B", "a:4:ä.b"]);
    let glob = Search { glob: Some(NameGlob::new("*.rs").unwrap()), ..options("a") };
    assert_eq!(run(&tree, &glob).files_searched, 0);
}

#[test]
fn a_wrong_pattern_is_explained() {
    let tree = Tree::new(&[]);
    let error =
        super::search(&tree.opener, &options("a(b"), &CancellationToken::new()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("invalid regular expression: "), "{text}");
    assert!(text.contains("unclosed group"), "{text}");
    assert!(error.hint().unwrap().contains("literal"));
}

#[test]
fn encodings_with_a_mark_are_text_and_binary_files_are_left_out() {
    let tree = Tree::new(&[("utf8", "\u{feff}straße\n"), ("binary", "straße\0\n")]);
    let utf16 = |text: &str| -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    tree.write("utf16", utf16("eine straße\r\n"));
    tree.write("latin1", b"stra\xdfe\n");
    let result = run(&tree, &options("straße"));
    assert_eq!(lines(&result), ["utf16:1:eine straße", "utf8:1:straße"]);
    assert_eq!((result.files_searched, result.files_binary), (3, 1));
    assert_eq!(
        lines(&run(&tree, &options("stra"))),
        ["latin1:1:stra\u{fffd}e", "utf16:1:eine straße", "utf8:1:straße"]
    );
}

#[test]
fn a_line_of_ten_megabytes_shows_its_match() {
    let tree = Tree::new(&[]);
    let mut line = vec![b'x'; 10_000_000];
    line[5_000_000] = b'y';
    tree.write("long", &line);
    let result = run(&tree, &options("y"));
    let text = &result.files[0].lines[0].text;
    assert!(
        text.starts_with("[… 4999751 bytes …]xxx") && text.ends_with("x[… 4999749 bytes …]"),
        "{text}"
    );
    assert!(text.contains("xyx") && text.len() < 600);
    assert_eq!(run(&tree, &options("x")).total_matches, 9_999_999);
}

#[test]
fn a_sparse_gigabyte_is_binary_at_once() {
    let tree = Tree::new(&[]);
    let file = std::fs::File::create(tree.path().join("sparse")).unwrap();
    file.set_len(1 << 30).unwrap();
    let begin = std::time::Instant::now();
    let result = run(&tree, &options("x"));
    assert_eq!((result.files_searched, result.files_binary), (0, 1));
    assert!(begin.elapsed().as_secs() < 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn equals_a_naive_search(
        files in prop::collection::vec("([abA ]{0,6}\n){0,6}[abA ]{0,3}", 1..5),
        pattern in "[ab ]{1,3}",
        ignore_case in any::<bool>(),
    ) {
        let tree = Tree::new(&[]);
        let fold = |text: &str| if ignore_case { text.to_lowercase() } else { text.to_owned() };
        let mut expected = Vec::new();
        for (index, text) in files.iter().enumerate() {
            tree.write(&format!("f{index}"), text);
            for (number, line) in text.lines().enumerate() {
                if fold(line).contains(&pattern) {
                    expected.push(format!("f{index}:{}:{line}", number + 1));
                }
            }
        }
        let matches: usize = files.iter().flat_map(|text| text.lines())
            .map(|line| fold(line).matches(&pattern).count()).sum();
        let result = run(&tree, &Search { ignore_case, literal: true, ..options(&pattern) });
        prop_assert_eq!(lines(&result), expected);
        prop_assert_eq!(result.total_matches, matches as u64);
        prop_assert_eq!(result.files_searched, files.len() as u64);
    }
}
