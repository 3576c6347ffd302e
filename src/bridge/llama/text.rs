//! Bytes of tokens to text that may be shown: whole characters, nothing of a stop string.

/// Assembles the text of a generation.
#[derive(Debug, Default)]
pub(super) struct Text {
    stops: Vec<String>,
    /// Bytes that do not make a whole character yet.
    bytes: Vec<u8>,
    /// Characters that may turn out to begin a stop string.
    held: String,
}

impl Text {
    /// Empty stop strings mean nothing.
    pub(super) fn new(stops: Vec<String>) -> Self {
        let stops = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
        Self { stops, ..Self::default() }
    }

    /// Adds bytes; appends what may be shown to `out`. Gives the stop string that was reached: the
    /// text ends before it, and nothing more may be added.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut String) -> Option<String> {
        self.bytes.extend_from_slice(bytes);
        self.decode(false);
        let found = self
            .stops
            .iter()
            .filter_map(|stop| Some((self.held.find(stop)?, stop)))
            .min_by_key(|(place, stop)| (*place, std::cmp::Reverse(stop.len())));
        if let Some((place, stop)) = found {
            let stop = stop.clone();
            out.push_str(&self.held[..place]);
            self.held.clear();
            return Some(stop);
        }
        let keep = self.longest_beginning();
        out.push_str(&self.held[..self.held.len() - keep]);
        self.held.drain(..self.held.len() - keep);
        None
    }

    /// Whether these bytes could come next: they make whole characters or begin one. The kernel's
    /// grammar takes overlong forms, too, which no reader of JSON does.
    pub(super) fn takes(&self, bytes: &[u8]) -> bool {
        let whole = [self.bytes.as_slice(), bytes].concat();
        std::str::from_utf8(&whole).map_or_else(|error| error.error_len().is_none(), |_| true)
    }

    /// The end: nothing is held back any more.
    pub(super) fn finish(&mut self, out: &mut String) {
        self.decode(true);
        out.push_str(&self.held);
        self.held.clear();
    }

    /// Moves whole characters from `bytes` to `held`; what can never be one becomes U+FFFD.
    fn decode(&mut self, end: bool) {
        let mut done = 0;
        while done < self.bytes.len() {
            match std::str::from_utf8(&self.bytes[done..]) {
                Ok(text) => {
                    self.held.push_str(text);
                    done = self.bytes.len();
                }
                Err(error) => {
                    let valid = done + error.valid_up_to();
                    self.held.push_str(&String::from_utf8_lossy(&self.bytes[done..valid]));
                    done = valid;
                    match error.error_len() {
                        Some(length) => {
                            self.held.push(char::REPLACEMENT_CHARACTER);
                            done += length;
                        }
                        None if end => {
                            self.held.push(char::REPLACEMENT_CHARACTER);
                            done = self.bytes.len();
                        }
                        // The rest of the character comes with the next token.
                        None => break,
                    }
                }
            }
        }
        self.bytes.drain(..done);
    }

    /// Bytes at the end of `held` that begin a stop string.
    fn longest_beginning(&self) -> usize {
        let begins = |stop: &String| {
            (1..stop.len())
                .rev()
                .filter(|length| stop.is_char_boundary(*length))
                .find(|length| self.held.ends_with(&stop[..*length]))
        };
        self.stops.iter().filter_map(begins).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_become_text_is_taken() {
        let mut text = Text::default();
        assert!(text.takes("\u{e9}a".as_bytes()));
        assert!(text.takes(b"\xe0"));
        assert!(!text.takes(b"\xe0\x81"), "overlong");
        assert!(!text.takes(b"\xed\xa0"), "half a surrogate pair");
        text.push(b"\xe0", &mut String::new());
        assert!(!text.takes(b"\x81"));
        assert!(!text.takes(b"a"));
        assert!(text.takes(b"\xa4\x85"));
    }

    /// Feeds pieces; gives what was shown after each, and the stop string.
    fn feed(stops: &[&str], pieces: &[&[u8]]) -> (Vec<String>, Option<String>) {
        let mut text = Text::new(stops.iter().map(ToString::to_string).collect());
        let mut shown = Vec::new();
        for piece in pieces {
            let mut out = String::new();
            let stop = text.push(piece, &mut out);
            shown.push(out);
            if stop.is_some() {
                return (shown, stop);
            }
        }
        let mut out = String::new();
        text.finish(&mut out);
        shown.push(out);
        (shown, None)
    }

    #[test]
    fn characters_are_shown_whole() {
        let (shown, _) = feed(&[], &[b"a\xc3", b"\xa4", b"\xf0\x9f", b"\x98\x80!"]);
        assert_eq!(shown, ["a", "ä", "", "😀!", ""]);
    }

    #[test]
    fn broken_bytes_are_replaced_and_pass() {
        let (shown, _) = feed(&[], &[b"a\xff", b"b\xc3"]);
        assert_eq!(shown, ["a\u{fffd}", "b", "\u{fffd}"]);
    }

    #[test]
    fn a_stop_string_across_tokens_is_never_shown() {
        let (shown, stop) = feed(&["</end>"], &[b"one <", b"/e", b"nd> two"]);
        assert_eq!(shown, ["one ", "", ""]);
        assert_eq!(stop.as_deref(), Some("</end>"));
    }

    #[test]
    fn what_only_looked_like_a_stop_string_is_shown() {
        let (shown, stop) = feed(&["</end>"], &[b"x </e", b"m>"]);
        assert_eq!(shown, ["x ", "</em>", ""]);
        assert_eq!(stop, None);
    }

    #[test]
    fn the_first_place_wins_and_then_the_longest() {
        assert_eq!(feed(&["b", "ab", "abc"], &[b"xabc"]).1.as_deref(), Some("abc"));
        assert_eq!(feed(&["c", "b"], &[b"abc"]).1.as_deref(), Some("b"));
    }

    #[test]
    fn the_end_shows_what_was_held() {
        assert_eq!(feed(&["abc"], &[b"ab"]).0, ["", "ab"]);
    }
}
