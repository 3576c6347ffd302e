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
}
