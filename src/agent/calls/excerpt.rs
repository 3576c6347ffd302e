//! One line that stands for a text: for digests and for what a person is shown.

/// The first line, cut to `bound` characters; an ellipsis shows that more follows.
pub(in crate::agent) fn first_line(text: &str, bound: usize) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    let head: String = line.chars().take(bound).collect();
    if head.len() == text.trim().len() { head } else { format!("{head}…") }
}

#[cfg(test)]
mod tests {
    use super::first_line;

    #[test]
    fn a_first_line_shows_that_more_follows() {
        assert_eq!(first_line("one", 10), "one");
        assert_eq!(first_line("one\ntwo", 10), "one…");
        assert_eq!(first_line("\n  wörter", 2), "wö…");
    }
}
