//! `--replay DIR`: answers from a recording instead of the network.
//!
//! Exchanges come in their recorded order, and each request must equal the recorded one: method,
//! path and body (as data, so the order of keys does not matter; the day, the working directory and
//! the home directory may be others). The first difference ends the run and is named, since a replay
//! that guesses would prove nothing.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use serde_json::Value;
use url::Url;

use super::client::HttpRequest;
use super::error::NetworkError;
use super::record::Exchange;
use super::record::RECORDING_VERSION;
use super::record::RecordedError;
use super::record::RecordedRequest;
use super::record::Recording;
use super::record::file_of;
use super::record::places::Places;
use super::response::Body;
use super::response::HttpResponse;
use crate::config::places::Here;

/// Characters of a differing value that are shown.
const SHOWN: usize = 80;

/// A recording and how far it has been played.
pub struct Replayer {
    exchanges: Vec<Exchange>,
    here: Places,
    next: AtomicUsize,
}

impl Replayer {
    /// Reads `0001.json`, `0002.json`, … up to the first that is missing.
    pub fn open(directory: &Path, here: &Here) -> Result<Self, NetworkError> {
        let mut exchanges = Vec::new();
        loop {
            let path = file_of(directory, exchanges.len() + 1);
            let failed = |reason: String| NetworkError::Recording {
                action: "read",
                path: path.display().to_string(),
                reason,
            };
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error)
                    if error.kind() == std::io::ErrorKind::NotFound && !exchanges.is_empty() =>
                {
                    break;
                }
                Err(error) => return Err(failed(error.to_string())),
            };
            let exchange: Exchange =
                serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
            if exchange.version != RECORDING_VERSION {
                return Err(failed(format!(
                    "version {} is not {RECORDING_VERSION}",
                    exchange.version
                )));
            }
            exchanges.push(exchange);
        }
        Ok(Self { exchanges, here: Places::new(here), next: AtomicUsize::new(0) })
    }

    pub(super) fn standing(&self) -> Recording {
        let of = self.exchanges.len();
        Recording::Played { exchanges: self.next.load(Ordering::Relaxed).min(of), of }
    }

    /// The recorded answer to the next request, if it is the recorded request.
    pub fn answer(&self, request: &HttpRequest, url: &Url) -> Result<HttpResponse, NetworkError> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let diverged =
            |difference: String| NetworkError::Diverged { exchange: index + 1, difference };
        let Some(exchange) = self.exchanges.get(index) else {
            return Err(diverged(format!("the recording ends after {}", self.exchanges.len())));
        };
        let now = RecordedRequest::of(request, url);
        let was = &exchange.request;
        if (&was.method, &was.path) != (&now.method, &now.path) {
            let difference = format!(
                "recorded `{} {}`, now `{} {}`",
                was.method, was.path, now.method, now.path
            );
            return Err(diverged(difference));
        }
        let moved = Moved { was: &exchange.places, now: self.here.before(&exchange.places) };
        if let Some(difference) = moved.first_difference(&was.body, &now.body) {
            return Err(diverged(difference));
        }
        let error = exchange.error.map(recorded_error);
        let Some(response) = &exchange.response else {
            return Err(
                error.unwrap_or_else(|| diverged("the recording holds no answer".to_owned()))
            );
        };
        let chunks: Option<VecDeque<_>> =
            response.chunks.iter().map(super::record::Chunk::bytes).collect();
        let chunks =
            chunks.ok_or_else(|| diverged("a recorded portion is not base64".to_owned()))?;
        let body = Body::recorded(chunks, error);
        Ok(HttpResponse { status: response.status, headers: response.headers.clone(), body })
    }
}

fn recorded_error(error: RecordedError) -> NetworkError {
    let (target, reason) = ("the recording".to_owned(), "as recorded".to_owned());
    match error {
        RecordedError::Unreachable => NetworkError::Unreachable { target, reason },
        RecordedError::Stalled => {
            NetworkError::Stalled { target, after: std::time::Duration::ZERO }
        }
        RecordedError::Cut | RecordedError::Other => NetworkError::Cut { target, reason },
    }
}

/// How the places of a recording are called here.
struct Moved<'a> {
    was: &'a Places,
    /// Those of here, then those of the recording: its answers may name them, and so do we from then on.
    now: Places,
}

impl Moved<'_> {
    /// Where two values differ first (as a JSON pointer) and how; `None` when they are equal.
    fn first_difference(&self, was: &Value, now: &Value) -> Option<String> {
        self.difference_at(was, now, &mut String::new())
    }

    fn difference_at(&self, was: &Value, now: &Value, path: &mut String) -> Option<String> {
        let mut below = |key: String, was: Option<&Value>, now: Option<&Value>| {
            let length = path.len();
            path.push('/');
            path.push_str(&key);
            let found = match (was, now) {
                (Some(was), Some(now)) => self.difference_at(was, now, path),
                (was, now) => Some(told(path, was, now)),
            };
            path.truncate(length);
            found
        };
        match (was, now) {
            (Value::Object(was), Value::Object(now)) => {
                let added = now.keys().filter(|key| !was.contains_key(*key));
                let mut keys = was.keys().chain(added);
                keys.find_map(|key| below(key.clone(), was.get(key), now.get(key)))
            }
            (Value::Array(was), Value::Array(now)) => (0..was.len().max(now.len()))
                .find_map(|index| below(index.to_string(), was.get(index), now.get(index))),
            _ if was == now => None,
            (Value::String(was), Value::String(now))
                if without_dates(was) == without_dates(now) =>
            {
                None
            }
            (Value::String(was), Value::String(now)) => {
                let (was, now) = (self.was.hide_in(was), self.now.hide_in(now));
                let is_same = without_dates(&was) == without_dates(&now);
                (!is_same).then(|| told(path, Some(&was.into()), Some(&now.into())))
            }
            _ => Some(told(path, Some(was), Some(now))),
        }
    }
}

/// A text with the digits of each ISO 8601 date masked: the prompt names today, and a recording
/// replays on every day.
fn without_dates(text: &str) -> String {
    const SHAPE: &[u8; 10] = b"0000-00-00";
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at + SHAPE.len() <= bytes.len() {
        let window = &bytes[at..at + SHAPE.len()];
        let date = window.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        });
        if date {
            bytes[at..at + SHAPE.len()].copy_from_slice(SHAPE);
            at += SHAPE.len();
        } else {
            at += 1;
        }
    }
    // Only ASCII digits were changed, so the text is still UTF-8.
    String::from_utf8_lossy(&bytes).into_owned()
}

fn told(path: &str, was: Option<&Value>, now: Option<&Value>) -> String {
    let (was, now) = (was.map(Value::to_string), now.map(Value::to_string));
    // Long texts are shown from shortly before the place where they part.
    let (left, right) = (was.as_deref().unwrap_or_default(), now.as_deref().unwrap_or_default());
    let common = left.chars().zip(right.chars()).take_while(|(a, b)| a == b).count();
    let skipped = if left.chars().count().max(right.chars().count()) > SHOWN {
        common.saturating_sub(20)
    } else {
        0
    };
    let cut = |text: Option<String>| match text {
        None => "nothing".to_owned(),
        Some(text) => {
            let mut shown: String = text.chars().skip(skipped).take(SHOWN).collect();
            if skipped > 0 {
                shown.insert(0, '…');
            }
            if text.chars().count() > skipped + SHOWN {
                shown.push('…');
            }
            format!("`{shown}`")
        }
    };
    let path = if path.is_empty() { "body" } else { path };
    format!("at {path}, recorded {}, now {}", cut(was), cut(now))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::Value;
    use serde_json::json;

    use super::Here;
    use super::Moved;
    use super::Places;

    fn first_difference(was: &Value, now: &Value) -> Option<String> {
        Moved { was: &Places::default(), now: Places::default() }.first_difference(was, now)
    }

    fn at(directory: &str, home: &str) -> Places {
        let (directory, home) = (Some(PathBuf::from(directory)), Some(PathBuf::from(home)));
        Places::new(&Here { directory, home })
    }

    #[test]
    fn another_directory_is_no_difference_and_everything_else_is() {
        let was = at("/home/ada/one", "/home/ada");
        let now = at("/srv/two/", "/home/eve").before(&was);
        let moved = Moved { was: &was, now };
        let same = |left: &str, right: &str| {
            moved.first_difference(&json!([left]), &json!([right])).is_none()
        };
        assert!(same("Directory: /home/ada/one\nDate", "Directory: /srv/two\nDate"));
        assert!(same(
            r#"{"command":"ls\n/home/ada/one/a.txt"}"#,
            r#"{"command":"ls\n/srv/two/a.txt"}"#
        ));
        assert!(same("in /home/ada/.x, /home/ada.", "in /home/eve/.x, /home/eve."));
        // What a recorded answer named comes back as it was.
        assert!(same("/home/ada/one/a", "/home/ada/one/a") && same("/home/ada/b", "/home/ada/b"));
        assert!(!same("/home/ada/one/a", "/srv/two/b"));
        assert!(!same("/home/ada/one/a", "/srv/three/a"));
        assert!(!same("/home/ada/one-more", "/srv/two-more"));
        assert!(!same("/home/ada/ones", "/srv/twos"));
        assert!(!same("/mnt/home/ada/one", "/mnt/srv/two"));
        assert!(!same("/home/ada/one", "/home/eve"));
        let told = moved.first_difference(&json!("/home/ada/one x"), &json!("/srv/two y")).unwrap();
        assert_eq!(told, "at body, recorded `\"{directory} x\"`, now `\"{directory} y\"`");
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let (was, now) = (r#"{"a":1,"b":[1,2]}"#, r#"{"b":[1,2],"a":1}"#);
        let parse = |text| serde_json::from_str(text).unwrap();
        assert_eq!(first_difference(&parse(was), &parse(now)), None);
    }

    #[test]
    fn another_day_is_no_difference() {
        let (was, now) = (json!(["on 2026-11-22 in ä"]), json!(["on 2027-01-02 in ä"]));
        assert_eq!(first_difference(&was, &now), None);
        assert!(first_difference(&was, &json!(["on 2026-11-2 in ä"])).is_some());
    }

    #[test]
    fn the_first_difference_is_named() {
        let was = json!({"messages": [{"role": "user", "content": "one"}], "model": "m"});
        let now = json!({"messages": [{"role": "user", "content": "two"}], "model": "n"});
        assert_eq!(
            first_difference(&was, &now).unwrap(),
            "at /messages/0/content, recorded `\"one\"`, now `\"two\"`"
        );
        assert_eq!(
            first_difference(&json!({"a": 1}), &json!({})).unwrap(),
            "at /a, recorded `1`, now nothing"
        );
        assert_eq!(
            first_difference(&json!([]), &json!([1])).unwrap(),
            "at /0, recorded nothing, now `1`"
        );
    }

    #[test]
    fn long_texts_are_shown_where_they_part() {
        let (was, now) = ("x".repeat(500) + "left", "x".repeat(500) + "right");
        let told = first_difference(&json!(was), &json!(now)).unwrap();
        assert!(told.contains("left") && told.contains("right") && told.len() < 300, "{told}");
    }
}
