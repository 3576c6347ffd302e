//! Characters that change how a text looks without showing themselves: terminal controls, direction
//! marks, invisible letters.
//!
//! Whoever shows text of strangers to a person or a model passes it through [`visible`].

use std::borrow::Cow;
use std::path::Path;

/// Whether a character is a control, or invisible, or turns the direction of what follows. The line
/// end, the tab and the space are none of these.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' | ' '..='~' => false,
        c if c.is_control() => true,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{2028}' | '\u{2029}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' => true,
        c => matches!(
            u32::from(c),
            0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfff0..=0xfffb
                | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff
        ),
    }
}

/// The same text with hidden characters written as `\u{1b}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Paths as values of a JSON document, which is text: what is no UTF-8 in them is replaced. serde has no
/// representation for such paths, and `json!` panics at them.
pub fn path_texts<'a, P: AsRef<Path> + 'a>(
    paths: impl IntoIterator<Item = &'a P>,
) -> Vec<Cow<'a, str>> {
    paths.into_iter().map(|path| path.as_ref().to_string_lossy()).collect()
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_hides_is_shown_and_the_rest_is_left() {
        assert_eq!(visible("plain\tÄ 漢 🙂\n"), "plain\tÄ 漢 🙂\n");
        assert_eq!(visible("a\u{1b}[2Jb\r"), "a\\u{1b}[2Jb\\u{d}");
        assert_eq!(visible("x\u{202e}y\u{200b}\u{e0041}"), "x\\u{202e}y\\u{200b}\\u{e0041}");
    }
}
