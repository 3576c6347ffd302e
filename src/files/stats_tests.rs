//! Counting: by hand, in pieces, and against the machine's own `wc`.

use proptest::prelude::*;

use super::*;
use crate::files::tree_for_tests::Tree;

fn counted(bytes: &[u8], piece: usize) -> Counts {
    let mut buffer = vec![0; piece];
    let cancel = CancellationToken::new();
    count(bytes, Path::new("x"), false, &mut buffer, &cancel).unwrap().0
}

#[test]
fn counts_by_hand() {
    for (text, lines, words, chars) in [
        (&b""[..], 0, 0, 0),
        (b"one two\nthree", 1, 3, 13),
        (b" \t a\r\n\x0b\x0c b ", 1, 2, 11),
        ("käse\u{a0}ist gut\n".as_bytes(), 1, 3, 13),
        ("a\u{2003}b\u{3000}c\u{200b}d".as_bytes(), 0, 3, 7),
        (b"a\x01b \x01 \x7f", 0, 1, 7),
        (b"\xff\xfe a \x80", 0, 1, 3),
        (b"a\xe4\xb8", 0, 1, 1),
    ] {
        let counts = counted(text, 64);
        let expected = Counts { lines, words, chars, bytes: text.len() as u64 };
        assert_eq!(counts, expected, "{}", text.escape_ascii());
    }
}

#[test]
fn trees_are_counted_and_hashed() {
    let tree = Tree::new(&[("a.txt", "one\n"), ("b/c.txt", "two words\n"), ("b/d.rs", "x")]);
    let options = Stats {
        walk: Walk { root: ".".into(), hidden: false },
        name: Some(NameGlob::new("*.txt").unwrap()),
        sha256: true,
        limit: 1,
    };
    let result = stats(&tree.opener, &options, &CancellationToken::new()).unwrap();
    assert_eq!(result.total_files, 2);
    assert_eq!(result.total, Counts { lines: 2, words: 3, bytes: 14, chars: 14 });
    assert_eq!(result.files.len(), 1);
    assert_eq!(result.files[0].path, Path::new("a.txt"));
    assert_eq!(
        result.files[0].sha256.as_deref(),
        Some("2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806")
    );
}

/// What the `wc` of this machine says, where it is GNU's and new enough to know Unicode.
#[cfg(target_os = "linux")]
fn wc(bytes: &[u8]) -> Option<Counts> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let output = std::process::Command::new("wc")
        .args(["-l", "-w", "-m", "-c"])
        .arg(file.path())
        .env("LC_ALL", "C.UTF-8")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
    let mut next = || numbers.next();
    Some(Counts { lines: next()?, words: next()?, chars: next()?, bytes: next()? })
}

#[cfg(target_os = "linux")]
#[test]
fn the_reference_answers() {
    let expected = Counts { lines: 1, words: 2, chars: 5, bytes: 6 };
    assert_eq!(wc("ab ä\n".as_bytes()), Some(expected));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[cfg(target_os = "linux")]
    #[test]
    fn equals_wc(bytes in prop::collection::vec(
        prop_oneof![
            4 => prop::sample::select(&b"ab \n\t\r\x0b\x01\x7f"[..]).prop_map(|byte| vec![byte]),
            1 => "[ a-z]{40,90}".prop_map(String::into_bytes),
            2 => prop::sample::select(vec!["ä", "字", "\u{a0}", "\u{2003}", "\u{3000}", "😀"])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::sample::select(&b"\xff\x80\xc3\xe4\xf0"[..]).prop_map(|byte| vec![byte]),
        ], 0..300).prop_map(|pieces| pieces.concat()),
        piece in 8_usize..400)
    {
        if let Some(expected) = wc(&bytes) {
            prop_assert_eq!(counted(&bytes, piece), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn pieces_make_no_difference(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "\\PC{0,40}",
        piece in 8_usize..20,
    ) {
        let bytes = [bytes.as_slice(), text.as_bytes()].concat();
        prop_assert_eq!(counted(&bytes, piece), counted(&bytes, 4096));
    }
}
