//! What others wrote, as a terminal may have it: a file, a model or a command must not move the
//! cursor, rename the window or fill the clipboard of whoever looks at it.
//!
//! Only for terminals. What goes into a pipe or a file is data and stays as it is.

/// What becomes of colours (`ESC [ … m`); everything else that controls a terminal is made visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Styles {
    Kept,
    LeftOut,
    /// Shown like the rest.
    Visible,
}

/// The same text with controls written as `\u{1b}` and bytes that are no UTF-8 as `\xff`. Line ends
/// and tabs stay, of carriage returns those before a line end; all of them where colours are not shown.
pub fn for_terminal(bytes: &[u8], styles: Styles) -> Vec<u8> {
    let mut shown = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(controls) {
            let (before, from) = rest.split_at(at);
            shown.extend_from_slice(before.as_bytes());
            rest = one(from, styles, &mut shown);
        }
        shown.extend_from_slice(rest.as_bytes());
        for byte in chunk.invalid() {
            shown.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
    shown
}

/// The same for what comes in pieces, whose borders may lie within a character or a colour.
pub struct Filter {
    styles: Styles,
    held: Vec<u8>,
}

impl Filter {
    /// Longer is no colour.
    const STYLE: usize = 64;

    /// `styles` are not [`Styles::Visible`].
    pub fn new(styles: Styles) -> Self {
        Self { styles, held: Vec::new() }
    }

    /// What can be shown by now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let rest = self.held.split_off(Self::whole(&self.held));
        let whole = std::mem::replace(&mut self.held, rest);
        for_terminal(&whole, self.styles)
    }

    /// What was held back to the end.
    pub fn finish(&mut self) -> Vec<u8> {
        for_terminal(&std::mem::take(&mut self.held), self.styles)
    }

    /// Bytes before a character or a colour that has only begun.
    fn whole(bytes: &[u8]) -> usize {
        let near = bytes.len().saturating_sub(Self::STYLE);
        let escape = bytes[near..].iter().rposition(|byte| *byte == 0x1b).map(|at| near + at);
        if let Some(at) = escape {
            let begun = match &bytes[at + 1..] {
                [] => true,
                [b'[', rest @ ..] => {
                    rest.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'))
                }
                _ => false,
            };
            if begun {
                return at;
            }
        }
        // A character has four bytes at most, and its first is no continuation.
        let first = bytes.len().saturating_sub(3);
        let begun = |at: &usize| {
            let cut = std::str::from_utf8(&bytes[*at..]).err();
            cut.is_some_and(|cut| cut.valid_up_to() == 0 && cut.error_len().is_none())
        };
        (first..bytes.len()).find(begun).unwrap_or(bytes.len())
    }
}

fn controls(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// Writes the control at the beginning of `text`; gives what follows it.
fn one<'a>(text: &'a str, styles: Styles, shown: &mut Vec<u8>) -> &'a str {
    if let Some(length) = style(text).filter(|_| styles != Styles::Visible) {
        let (style, rest) = text.split_at(length);
        if styles == Styles::Kept {
            shown.extend_from_slice(style.as_bytes());
        }
        return rest;
    }
    let mut chars = text.chars();
    let control = chars.next().unwrap_or_default();
    let rest = chars.as_str();
    if control == '\r' && (rest.starts_with('\n') || styles != Styles::Visible) {
        shown.push(b'\r');
    } else {
        shown.extend_from_slice(control.escape_unicode().to_string().as_bytes());
    }
    rest
}

/// Bytes of the colour (ECMA-48: select graphic rendition) that `text` begins with.
fn style(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !matches!(c, '0'..='9' | ';' | ':'))?;
    parameters[end..].starts_with('m').then_some("\u{1b}[".len() + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], styles: Styles) -> String {
        String::from_utf8(for_terminal(bytes, styles)).unwrap()
    }

    #[test]
    fn nothing_drives_the_terminal() {
        for (given, expected) in [
            (&b"a\tb\r\nc\n"[..], "a\tb\r\nc\n"),
            (b"\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            (b"\x1b[2J\x1b[31mred", "\\u{1b}[2J\\u{1b}[31mred"),
            (b"safe\rfake", "safe\\u{d}fake"),
            ("\u{9b}2J".as_bytes(), "\\u{9b}2J"),
            (b"\x9b2J\xff", "\\x9b2J\\xff"),
            ("👩\u{200d}🚀 ä".as_bytes(), "👩\u{200d}🚀 ä"),
            (b"\x1b", "\\u{1b}"),
        ] {
            assert_eq!(shown(given, Styles::Visible), expected);
        }
    }

    #[test]
    fn colours_of_commands_stay_and_nothing_else_does() {
        let given = b"\x1b[1;38:5:1mred\x1b[0m\x1b[2K\x1b[3 q 50%\r60%\x1b[1";
        assert_eq!(
            shown(given, Styles::Kept),
            "\u{1b}[1;38:5:1mred\u{1b}[0m\\u{1b}[2K\\u{1b}[3 q 50%\r60%\\u{1b}[1"
        );
        assert_eq!(shown(given, Styles::LeftOut), "red\\u{1b}[2K\\u{1b}[3 q 50%\r60%\\u{1b}[1");
    }

    #[test]
    fn pieces_show_as_the_whole_does_wherever_they_are_cut() {
        let given =
            b"\x1b[1;38:5:1mred\x1b[0m\x1b[2K\xf0\x9f\x9a\x80 \xc3\xa4\xff\xf0\x9f 50%\r\n\x1b[1";
        for styles in [Styles::Kept, Styles::LeftOut] {
            for size in 1..given.len() {
                let mut filter = Filter::new(styles);
                let mut pieces: Vec<u8> =
                    given.chunks(size).flat_map(|piece| filter.push(piece)).collect();
                pieces.extend(filter.finish());
                assert_eq!(pieces, for_terminal(given, styles), "pieces of {size}");
            }
        }
    }

    #[test]
    fn nothing_that_is_whole_is_held_back() {
        for given in ["what is your name? ", "ä", "50%\r", "\u{1b}[31mred\u{1b}[0m", "\u{1b}]0;t"]
        {
            let held = Filter::new(Styles::Kept).push(given.as_bytes());
            assert_eq!(held, for_terminal(given.as_bytes(), Styles::Kept), "{given:?}");
        }
    }
}
