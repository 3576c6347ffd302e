//! Server-sent events: the same events however the bytes are portioned, and those of a parser that
//! was written from the standard's words alone.

use agi_agent::network::sse::SseEvent;
use agi_agent::network::sse::SseParser;

/// The first byte is the size of the portions.
pub fn judge(data: &[u8]) {
    let Some((size, stream)) = data.split_first() else { return };
    let whole = events([stream]);
    assert_eq!(events(stream.chunks(usize::from(*size).max(1))), whole, "in portions of {size}");
    assert_eq!(whole, reference(stream), "{:?}", String::from_utf8_lossy(stream));
    // A bound is kept to, whatever comes.
    let mut bounded = SseParser::with_limit(16);
    if let Ok(events) = bounded.feed(stream) {
        assert!(events.iter().all(|event| event.data.len() <= 64), "{events:?}");
    }
}

fn events<'a>(portions: impl IntoIterator<Item = &'a [u8]>) -> Vec<SseEvent> {
    let mut parser = SseParser::default();
    let mut events = Vec::new();
    for portion in portions {
        events.extend(parser.feed(portion).expect("below the bound"));
    }
    events.extend(parser.finish().expect("below the bound"));
    events
}

/// The standard's algorithm over the whole stream: decode, cut into lines, take the lines one by one.
fn reference(stream: &[u8]) -> Vec<SseEvent> {
    let text = String::from_utf8_lossy(stream).replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut events = Vec::new();
    let (mut name, mut data) = (String::new(), Vec::new());
    // The last line may lack its end; and one empty line more ends the last event.
    for line in text.split('\n').chain([""]) {
        if line.is_empty() {
            if !data.is_empty() {
                events.push(SseEvent { event: name.clone(), data: data.join("\n") });
            }
            (name, data) = (String::new(), Vec::new());
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "data" => data.push(value),
            "event" => name = value,
            _ => {}
        }
    }
    events
}
