//! Server-sent events: bytes in any portions to whole events.
//!
//! Follows the HTML standard's grammar (CR, LF and CRLF, comments, several `data` lines, a byte
//! order mark) with one leniency: an event that the end of the stream leaves without its blank
//! line counts, since some compatible servers end so. Knows nothing of any provider.

use serde::Deserialize;
use serde::Serialize;

/// One event. `event` is empty where the stream names none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SseEvent {
    pub event: String,
    pub data: String,
}

/// A line or an event outgrew the bound: the peer is broken or hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {limit} bytes")]
pub struct TooLarge {
    pub limit: usize,
}

/// Bytes that one event, or one line, may have.
pub const MAX_EVENT: usize = 16 << 20;

/// The parser: keeps what is incomplete between two portions.
#[derive(Debug)]
pub struct SseParser {
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    /// The last byte was CR: an LF right behind it belongs to the same line end.
    after_cr: bool,
    at_start: bool,
    limit: usize,
}

impl Default for SseParser {
    fn default() -> Self {
        Self::with_limit(MAX_EVENT)
    }
}

impl SseParser {
    /// A parser for events of at most `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            name: String::new(),
            data: String::new(),
            has_data: false,
            after_cr: false,
            at_start: true,
            limit,
        }
    }

    /// Takes a portion and returns the events that it completes, in order.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<Vec<SseEvent>, TooLarge> {
        let mut events = Vec::new();
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\r', b'\n', bytes) else {
                self.grow(bytes)?;
                break;
            };
            self.grow(&bytes[..end])?;
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            events.extend(self.end_line()?);
        }
        Ok(events)
    }

    /// The stream has ended: returns the event that lacks only its blank line, if there is one.
    pub fn finish(mut self) -> Result<Option<SseEvent>, TooLarge> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        Ok(self.dispatch())
    }

    fn grow(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.line.len() + bytes.len() + self.data.len() > self.limit {
            return Err(TooLarge { limit: self.limit });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<SseEvent>, TooLarge> {
        let mut raw = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.at_start) && raw.starts_with(b"\xef\xbb\xbf") {
            raw.drain(..3);
        }
        if raw.is_empty() {
            self.line = raw;
            return Ok(self.dispatch());
        }
        let text = String::from_utf8_lossy(&raw);
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.has_data = true;
                if self.data.len() > self.limit {
                    return Err(TooLarge { limit: self.limit });
                }
            }
            "event" => value.clone_into(&mut self.name),
            // `id`, `retry`, comments (an empty field name) and whatever comes later.
            _ => {}
        }
        drop(text);
        raw.clear();
        self.line = raw;
        Ok(None)
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let event = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.has_data).then_some(SseEvent { event, data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::proptest;

    use super::SseEvent;
    use super::SseParser;

    fn parse<'a>(portions: impl IntoIterator<Item = &'a [u8]>) -> Vec<SseEvent> {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        for portion in portions {
            events.extend(parser.feed(portion).unwrap());
        }
        events.extend(parser.finish().unwrap());
        events
    }

    fn event(name: &str, data: &str) -> SseEvent {
        SseEvent { event: name.to_owned(), data: data.to_owned() }
    }

    const STREAM: &[u8] =
        "\u{feff}: hello\r\nevent: delta\r\ndata: {\"a\":\r\ndata:1}\r\n\r\nid: 7\rdata: \
        zwei\r\rretry: 5\n\nevent: lonely\n\ndata\n\ndata: grün\n\ndata: [DONE]"
            .as_bytes();

    fn expected() -> Vec<SseEvent> {
        let all = [("delta", "{\"a\":\n1}"), ("", "zwei"), ("", ""), ("", "grün"), ("", "[DONE]")];
        all.iter().map(|(name, data)| event(name, data)).collect()
    }

    #[test]
    fn the_grammar_of_the_standard() {
        assert_eq!(parse([STREAM]), expected());
    }

    #[test]
    fn split_at_every_byte() {
        for at in 0..STREAM.len() {
            let (left, right) = STREAM.split_at(at);
            assert_eq!(parse([left, right]), expected(), "split at {at}");
        }
        assert_eq!(parse(STREAM.chunks(1)), expected());
    }

    #[test]
    fn an_endless_line_and_an_endless_event_are_refused() {
        let mut parser = SseParser::with_limit(100);
        assert!((0..20).any(|_| parser.feed(b"data: 123456").is_err()));
        let mut parser = SseParser::with_limit(100);
        assert!((0..20).any(|_| parser.feed(b"data: 123456\n").is_err()));
        let mut parser = SseParser::with_limit(100);
        assert!((0..1000).all(|_| parser.feed(b": ping\n\n").unwrap().is_empty()));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_portions(bytes in vec(any::<u8>(), 0..300), size in 1_usize..40) {
            assert_eq!(parse(bytes.chunks(size)), parse([bytes.as_slice()]));
        }

        #[test]
        fn data_survives(data in "[^\r\n\u{feff}]{0,40}", size in 1_usize..9) {
            let stream = format!("event: x\ndata: {data}\n\n");
            assert_eq!(parse(stream.as_bytes().chunks(size)), [event("x", &data)]);
        }
    }
}
