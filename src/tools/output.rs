//! What a tool call gives back, and how much of it the model gets to see.
//!
//! One large output must not push the conversation out of the model's window, and a cut must never
//! look like the whole: what is left out is counted exactly.

use serde_json::Value;

use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::RefusedHost;

/// Bytes of a call's text that are kept, half of them from the end.
pub const TEXT_LIMIT: usize = 32 * 1024;

/// The result of a call that ran.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOutput {
    /// For the model; `dispatch` cuts it to [`TEXT_LIMIT`].
    pub text: String,
    /// The same result as data (docs/tools.md has each tool's shape). Bounded by the tool.
    pub data: Option<Value>,
    /// Details of the item in the event stream, where it is more than a tool call.
    pub item: Option<ItemBody>,
    /// Hosts that were asked for in vain: denials of their own.
    pub refused: Vec<RefusedHost>,
    /// The host that a command was connected to, of several the first.
    pub reached: Option<String>,
    /// How the call ended; a command that failed or timed out still has output to show.
    pub status: ItemStatus,
}

impl ToolOutput {
    /// A call that did what it was asked to, with text alone.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            data: None,
            item: None,
            refused: Vec::new(),
            reached: None,
            status: ItemStatus::Completed,
        }
    }

    /// The same with the result as data.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The same with details for the event stream.
    #[must_use]
    pub fn with_item(mut self, item: ItemBody) -> Self {
        self.item = Some(item);
        self
    }

    /// The same with another end than `Completed`.
    #[must_use]
    pub fn ended(mut self, status: ItemStatus) -> Self {
        self.status = status;
        self
    }
}

/// Cuts `text` to about `limit` bytes: head and tail at line ends where lines are short enough, and
/// a line between them that says how many bytes and lines are left out. Never splits a character.
pub fn cut(text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let head_end = head_end(&text, limit / 2);
    let tail_start = tail_start(&text, text.len() - limit / 2).max(head_end);
    let (head, rest) = text.split_at(head_end);
    let (left_out, tail) = rest.split_at(tail_start - head_end);
    let lines = left_out.bytes().filter(|byte| *byte == b'\n').count();
    let newline = if head.ends_with('\n') { "" } else { "\n" };
    format!("{head}{newline}[… {} bytes, {lines} lines left out …]\n{tail}", left_out.len())
}

/// The end of the head: after the last line end within `limit`, unless that gives most of it away.
fn head_end(text: &str, limit: usize) -> usize {
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    match text[..end].rfind('\n') {
        Some(newline) if newline + 1 >= end / 2 => newline + 1,
        _ => end,
    }
}

/// The start of the tail: after the first line end behind `from`, unless that gives most of it away.
fn tail_start(text: &str, from: usize) -> usize {
    let mut start = from;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    match text[start..].find('\n') {
        Some(newline) if newline < (text.len() - start) / 2 => start + newline + 1,
        _ => start,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::cut;

    #[test]
    fn short_text_is_left_alone() {
        assert_eq!(cut("abc\n".to_owned(), 4), "abc\n");
    }

    #[test]
    fn whole_lines_are_kept_and_the_rest_counted() {
        let lines: Vec<String> = (0..1000).map(|number| format!("line {number:03}\n")).collect();
        let text = lines.concat();
        let short = cut(text, 200);
        assert!(short.starts_with("line 000\n"), "{short}");
        assert!(short.ends_with("line 999\n"), "{short}");
        let kept = short.lines().filter(|line| line.starts_with("line ")).count();
        let bytes = (1000 - kept) * 9;
        assert!(
            short.contains(&format!("[… {bytes} bytes, {} lines left out …]", 1000 - kept)),
            "{short}"
        );
    }

    #[test]
    fn one_endless_line_keeps_both_ends() {
        let short = cut("x".repeat(10_000_000), 100);
        assert_eq!(
            short,
            format!("{0}\n[… 9999900 bytes, 0 lines left out …]\n{0}", "x".repeat(50))
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_without_being_counted(text in "(?s).{0,400}", limit in 0_usize..200) {
            let short = cut(text.clone(), limit);
            if text.len() <= limit {
                prop_assert_eq!(short, text);
            } else {
                let (head, rest) = short.split_once("[… ").expect("a mark");
                let (counts, tail) = rest.split_once(" left out …]\n").expect("its end");
                let bytes: usize = counts.split(' ').next().expect("bytes").parse().expect("a number");
                let head = if text.starts_with(head) { head } else { head.trim_end_matches('\n') };
                prop_assert!(text.starts_with(head) && text.ends_with(tail));
                prop_assert!(head.len() + bytes + tail.len() == text.len()
                    || head.len() - 1 + bytes + tail.len() == text.len());
            }
        }
    }
}
