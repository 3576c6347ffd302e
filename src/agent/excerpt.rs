//! Shortening of text: the head and the tail stay, and how much is missing is said.

/// The text itself when it has at most `bound` bytes; otherwise about half of `bound` from either
/// end with a mark between. The mark comes on top of the bound.
pub(super) fn middle_cut(text: &str, bound: usize) -> String {
    if text.len() <= bound {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(bound.div_ceil(2));
    let tail = text.ceil_char_boundary(text.len() - bound / 2);
    let left_out = tail - head;
    format!("{}\n… {left_out} bytes left out …\n{}", &text[..head], &text[tail..])
}

/// The first line, cut to `bound` bytes: for summaries and log lines.
pub(super) fn first_line(text: &str, bound: usize) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    if line.len() <= bound && line.len() == text.trim().len() {
        return line.to_owned();
    }
    format!("{}…", &line[..line.floor_char_boundary(bound)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_exact_and_letters_stay_whole() {
        assert_eq!(middle_cut("short", 5), "short");
        let cut = middle_cut("abcdefghij", 4);
        assert_eq!(cut, "ab\n… 6 bytes left out …\nij");
        let umlauts = "ü".repeat(50);
        assert!(middle_cut(&umlauts, 7).ends_with('ü'));
        assert_eq!(middle_cut("ab", 0), "\n… 2 bytes left out …\n");
    }

    #[test]
    fn a_first_line_shows_that_more_follows() {
        assert_eq!(first_line("one", 10), "one");
        assert_eq!(first_line("one\ntwo", 10), "one…");
        assert_eq!(first_line("\n  wörter", 2), "w…");
    }
}
