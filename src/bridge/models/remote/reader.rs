//! A response body to the events that an adapter takes.
//!
//! Servers that were asked for a stream answer with one, with a whole JSON body, or with something
//! that is neither (a proxy's login page, nothing at all). The first bytes tell, not the header
//! alone: compatible servers mislabel both.

use crate::network::NetworkError;
use crate::network::sse::SseEvent;
use crate::network::sse::SseParser;

/// Bytes of a body that is not streamed.
const MAX_BODY: usize = 64 << 20;

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the answer is an HTML page")]
    Html,
    #[error("the answer is empty")]
    Empty,
    #[error("the answer is too large: {0}")]
    TooLarge(String),
}

/// Takes a body in portions.
#[derive(Debug, Default)]
pub(super) struct Reader {
    form: Form,
    events: usize,
}

#[derive(Debug, Default)]
enum Form {
    /// Only blanks so far.
    #[default]
    Unknown,
    Stream(Box<SseParser>),
    Whole(Vec<u8>),
}

impl Reader {
    /// Takes a portion and returns the events that it completes.
    pub(super) fn take(&mut self, portion: &[u8]) -> Result<Vec<SseEvent>, Unreadable> {
        if matches!(self.form, Form::Unknown) {
            self.form = match portion.trim_ascii_start().first() {
                None => return Ok(Vec::new()),
                Some(b'<') => return Err(Unreadable::Html),
                Some(b'{' | b'[') => Form::Whole(Vec::new()),
                Some(_) => Form::Stream(Box::default()),
            };
        }
        let events = match &mut self.form {
            Form::Unknown => Vec::new(),
            Form::Stream(parser) => {
                parser.feed(portion).map_err(|error| Unreadable::TooLarge(error.to_string()))?
            }
            Form::Whole(all) if all.len() + portion.len() > MAX_BODY => {
                return Err(Unreadable::TooLarge(format!("more than {MAX_BODY} bytes")));
            }
            Form::Whole(all) => {
                all.extend_from_slice(portion);
                Vec::new()
            }
        };
        self.events += events.len();
        Ok(events)
    }

    /// The body has ended: returns what was waiting for that.
    pub(super) fn end(&mut self) -> Result<Option<SseEvent>, Unreadable> {
        let last = match std::mem::take(&mut self.form) {
            Form::Unknown => None,
            Form::Stream(parser) => {
                parser.finish().map_err(|error| Unreadable::TooLarge(error.to_string()))?
            }
            Form::Whole(all) => Some(SseEvent {
                event: "body".to_owned(),
                data: String::from_utf8_lossy(&all).into_owned(),
            }),
        };
        if last.is_none() && self.events == 0 {
            return Err(Unreadable::Empty);
        }
        Ok(last)
    }
}

/// Whether the connection was lost in the middle of a body.
pub(super) fn is_cut(error: &NetworkError) -> bool {
    matches!(error, NetworkError::Cut { .. } | NetworkError::Unreachable { .. })
}

#[cfg(test)]
mod tests {
    use super::Reader;
    use super::Unreadable;

    fn read(portions: &[&[u8]]) -> Result<Vec<(String, String)>, Unreadable> {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for portion in portions {
            events.extend(reader.take(portion)?);
        }
        events.extend(reader.end()?);
        Ok(events.into_iter().map(|event| (event.event, event.data)).collect())
    }

    fn pair(event: &str, data: &str) -> (String, String) {
        (event.to_owned(), data.to_owned())
    }

    #[test]
    fn a_stream_in_pieces() {
        let expected = vec![pair("", "a"), pair("x", "b")];
        assert_eq!(read(&[b"\n", b"da", b"ta: a\n\nevent: x\nda", b"ta: b"]), Ok(expected));
    }

    #[test]
    fn a_whole_body() {
        let expected = vec![pair("body", " {\"a\":1}")];
        assert_eq!(read(&[b"\r\n", b" {\"a\"", b":1}"]), Ok(expected));
    }

    #[test]
    fn what_is_no_answer() {
        assert_eq!(read(&[b"  <html>"]), Err(Unreadable::Html));
        assert_eq!(read(&[]), Err(Unreadable::Empty));
        assert_eq!(read(&[b"\n\n", b" "]), Err(Unreadable::Empty));
        assert_eq!(read(&[b": keep-alive\n\n"]), Err(Unreadable::Empty));
    }
}
