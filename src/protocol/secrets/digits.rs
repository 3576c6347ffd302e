//! Hexadecimal digits of a text in a row, whatever stands between them: blanks, colons, line ends, `0x`, the
//! offsets and letters of a dump (`xxd`, `hexdump -C`, `od -tx1`), JSON's `\u00`.
//!
//! Each reading goes through the text once. Only what is found is of interest: much is not meant as digits.

use std::ops::Range;

use memchr::memmem::Finder;

/// Digits in a row and where they stand.
#[derive(Default)]
pub(super) struct Digits {
    /// In lower-case letters; a blank between rows.
    row: Vec<u8>,
    /// Where each group begins: in the row, and in the text.
    groups: Vec<(usize, usize)>,
    /// Ends of groups in the text, in the same order.
    ends: Vec<usize>,
}

/// Groups of an offset that stands before each line of a dump.
const OFFSET: Range<usize> = 6..17;
/// Digits of a group in a dump.
const GROUP: Range<usize> = 2..17;

impl Digits {
    /// Groups of digits that only other characters than letters and digits divide.
    pub(super) fn spaced(text: &str) -> Self {
        let mut digits = Self::default();
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(start) = bytes[at..].iter().position(u8::is_ascii_alphanumeric) {
            let start = at + start;
            let length = bytes[start..].iter().position(|byte| !byte.is_ascii_alphanumeric());
            let end = length.map_or(bytes.len(), |length| start + length);
            let word = &bytes[start..end];
            let from = match word {
                [b'0', b'x' | b'X', ..] => 2,
                [b'x' | b'X', ..] => 1,
                [b'u', b'0', b'0', _, _] => 3,
                _ => 0,
            };
            if is_group(&word[from..]) {
                digits.push(&word[from..], start..end);
            } else {
                digits.part();
            }
            at = end;
        }
        digits
    }

    /// The groups of lines that begin with an offset; each group stands for its whole line.
    pub(super) fn dumped(text: &str) -> Self {
        let mut digits = Self::default();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let place = at..at + line.trim_end_matches(['\r', '\n']).len();
            at += line.len();
            let words = line.trim_start();
            let length = words.bytes().take_while(u8::is_ascii_hexdigit).count();
            let (offset, rest) = words.split_at(length);
            let is_colon = rest.starts_with(':');
            if !OFFSET.contains(&offset.len()) || !(is_colon || rest.starts_with([' ', '\t'])) {
                digits.part();
                continue;
            }
            // `xxd` puts two blanks before the letters; others draw a frame around them.
            let rest = rest.trim_start_matches(':').trim_start();
            let rest = rest
                .split_once("  ")
                .map_or(rest, |(groups, _)| if is_colon { groups } else { rest });
            for group in rest.split_ascii_whitespace() {
                if !is_group(group.as_bytes()) || !GROUP.contains(&group.len()) {
                    break;
                }
                digits.push(group.as_bytes(), place.clone());
            }
        }
        digits
    }

    fn push(&mut self, group: &[u8], place: Range<usize>) {
        self.groups.push((self.row.len(), place.start));
        self.ends.push(place.end);
        self.row.extend(group.iter().map(u8::to_ascii_lowercase));
    }

    /// What comes does not belong to what was.
    fn part(&mut self) {
        if self.row.last().is_some_and(|last| *last != b' ') {
            self.row.push(b' ');
        }
    }

    /// The places of the text that hold these digits.
    pub(super) fn find(&self, digits: &Finder<'_>) -> Vec<Range<usize>> {
        let group = |at: usize| self.groups.partition_point(|(start, _)| *start <= at) - 1;
        let place = |at: usize| {
            let (first, last) = (group(at), group(at + digits.needle().len() - 1));
            self.groups[first].1..self.ends[last]
        };
        digits.find_iter(&self.row).map(place).collect()
    }
}

/// Whole bytes in digits.
fn is_group(word: &[u8]) -> bool {
    !word.is_empty() && word.len().is_multiple_of(2) && word.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::hex;

    const VALUE: &str = "Zq8canaryVALUE01x9KtPw77";

    fn found(digits: &Digits) -> Vec<Range<usize>> {
        digits.find(&Finder::new(hex(VALUE.as_bytes()).as_bytes()))
    }

    /// As `xxd` and `hexdump -C` print it.
    fn dump(value: &[u8], xxd: bool) -> String {
        let mut text = String::new();
        for (line, bytes) in value.chunks(16).enumerate() {
            let letters = String::from_utf8_lossy(bytes);
            let groups: Vec<String> = bytes.chunks(if xxd { 2 } else { 1 }).map(hex).collect();
            let (first, second) = groups.split_at(groups.len().min(8));
            let (first, second) = (first.join(" "), second.join(" "));
            let offset = line * 16;
            let line = if xxd {
                format!("{offset:08x}: {first:39}  {letters}\n")
            } else {
                format!("{offset:08x}  {first:23}  {second:23}  |{letters}|\n")
            };
            text.push_str(&line);
        }
        text
    }

    #[test]
    fn digits_are_found_however_they_are_spread() {
        let each = |one: &dyn Fn(u8) -> String| VALUE.bytes().map(one).collect::<String>();
        for text in [
            each(&|byte| format!(" {byte:02x}")),
            each(&|byte| format!("{byte:02X}:")),
            each(&|byte| format!("\\x{byte:02x}")),
            each(&|byte| format!("0x{byte:02x},\n")),
            each(&|byte| format!("\\u{byte:04x}")),
            each(&|byte| format!("\\u00{byte:02X}")),
        ] {
            let whole = format!("it is {text} now");
            let found = found(&Digits::spaced(&whole));
            assert_eq!(found.len(), 1, "{whole}");
            let left = [&whole[..found[0].start], &whole[found[0].end..]].concat();
            assert!(!left.contains("5a") && !left.contains("37"), "{left}");
        }
        for text in ["5a71 and 3863616e", "5a 71 38 6", "deadbeef", ""] {
            assert!(
                found(&Digits::spaced(text)).is_empty() && found(&Digits::dumped(text)).is_empty()
            );
        }
    }

    proptest! {
        /// Of a dump nothing of the value is left, wherever in a line it begins.
        #[test]
        fn the_lines_of_a_dump_go_whole(before in "[ -~]{0,40}", after in "[ -~]{0,40}", xxd: bool) {
            let text = dump(format!("{before}{VALUE}{after}").as_bytes(), xxd);
            let found = found(&Digits::dumped(&text));
            prop_assert!(!found.is_empty(), "{text}");
            let (first, last) = (before.len() / 16, (before.len() + VALUE.len() - 1) / 16);
            let lines: Vec<&str> = text.lines().collect();
            prop_assert_eq!(&text[found[0].clone()], lines[first..=last].join("\n"));
        }
    }
}
