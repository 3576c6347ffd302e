//! `--record DIR`: one JSON file per exchange with a model, in order.
//!
//! A file holds what was asked and what came back, in the portions in which it came. Headers that
//! could identify or authorise anybody are not written: of the request none at all, of the response
//! the few that a replay needs; where a body repeats a secret of the request's headers, it is masked.
//! Files are readable by their owner only.

mod masking;
pub(super) mod places;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use self::masking::Masked;
use self::places::Places;
use super::client::HttpRequest;
use super::error::NetworkError;
use crate::config::places::Here;
use crate::protocol::secrets::is_secret_name;

/// Version of the files.
pub const RECORDING_VERSION: u32 = 1;

/// Response headers that are kept.
const KEPT_HEADERS: [&str; 5] =
    ["content-type", "date", "retry-after", "retry-after-ms", "x-should-retry"];

/// One file of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    pub version: u32,
    pub request: RecordedRequest,
    /// Directories that the request names.
    #[serde(default, skip_serializing_if = "Places::is_empty")]
    pub places: Places,
    /// Absent when nothing was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<RecordedResponse>,
    /// What ended the exchange before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RecordedError>,
}

/// What was asked. The host is left out, so that a recording can be replayed against any base URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedRequest {
    pub method: String,
    pub path: String,
    /// The body as data; a text that is not JSON is kept as a string; null when there is none.
    pub body: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The body in the portions in which it arrived.
    pub chunks: Vec<Chunk>,
}

/// A portion: as text where it is UTF-8, so that people can read recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chunk {
    Text(String),
    Base64(String),
}

/// How an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedError {
    Unreachable,
    Stalled,
    Cut,
    Other,
}

impl Chunk {
    fn new(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(
            |_| Self::Base64(STANDARD.encode(bytes)),
            |text| Self::Text(text.to_owned()),
        )
    }

    /// The bytes again; `None` when somebody has edited the base64 to pieces.
    pub fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
            Self::Base64(text) => STANDARD.decode(text).ok().map(Bytes::from),
        }
    }
}

impl RecordedRequest {
    /// The part of a request that a recording keeps and a replay compares.
    pub fn of(request: &HttpRequest, url: &Url) -> Self {
        let secrets = secrets_of(&request.headers);
        let body = match serde_json::from_slice(&request.body) {
            Ok(value) => value,
            Err(_) if request.body.is_empty() => Value::Null,
            Err(_) => Value::String(String::from_utf8_lossy(&request.body).into_owned()),
        };
        Self {
            method: request.method.as_str().to_owned(),
            path: masking::mask_text(url.path(), &secrets).into_owned(),
            body: masking::mask_value(body, &secrets),
        }
    }
}

/// How much of a recording was written or used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recording {
    Written {
        directory: PathBuf,
        exchanges: usize,
    },
    /// So many exchanges of all that there are.
    Played {
        exchanges: usize,
        of: usize,
    },
}

/// Writes a recording.
pub struct Recorder {
    directory: PathBuf,
    here: Places,
    next: AtomicUsize,
}

impl Recorder {
    /// Makes the directory. One that already holds a recording is refused: two runs in one
    /// recording could not be told apart.
    pub fn create(directory: &Path, here: &Here) -> Result<Self, NetworkError> {
        let failed = |reason: String| failed(directory, reason);
        std::fs::create_dir_all(directory).map_err(|error| failed(error.to_string()))?;
        if file_of(directory, 1).exists() {
            return Err(failed("the directory already holds one".to_owned()));
        }
        let here = Places::new(here);
        Ok(Self { directory: directory.to_owned(), here, next: AtomicUsize::new(1) })
    }

    pub(super) fn standing(&self) -> Recording {
        let exchanges = self.next.load(Ordering::Relaxed) - 1;
        Recording::Written { directory: self.directory.clone(), exchanges }
    }

    pub(super) fn start(&self, request: &HttpRequest, url: &Url) -> Tape {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Tape {
            path: file_of(&self.directory, number),
            secrets: secrets_of(&request.headers),
            places: self.here.named_in(&request.body),
            request: RecordedRequest::of(request, url),
            response: None,
            portions: Vec::new(),
        }
    }
}

/// The file of the exchange with this number, counted from 1.
pub(super) fn file_of(directory: &Path, number: usize) -> PathBuf {
    directory.join(format!("{number:04}.json"))
}

fn failed(path: &Path, reason: String) -> NetworkError {
    NetworkError::Recording { action: "write", path: path.display().to_string(), reason }
}

/// What must not be found in a recording even where a body repeats it: the values of headers that
/// authorise, without the word for their scheme.
fn secrets_of(headers: &[(String, String)]) -> Vec<Masked> {
    let authorises = |name: &str| {
        is_secret_name(name) || ["authorization", "proxy-authorization", "cookie"].contains(&name)
    };
    headers
        .iter()
        .filter(|(name, _)| authorises(&name.to_ascii_lowercase()))
        .filter_map(|(_, value)| value.split_whitespace().last())
        .filter(|value| value.len() >= 8)
        .map(Masked::new)
        .collect()
}

/// One exchange while it runs.
#[derive(Clone)]
pub(super) struct Tape {
    path: PathBuf,
    secrets: Vec<Masked>,
    places: Places,
    request: RecordedRequest,
    response: Option<RecordedResponse>,
    /// The response's body as it came.
    portions: Vec<Vec<u8>>,
}

impl Tape {
    pub(super) fn head(&mut self, status: u16, headers: &[(String, String)]) {
        let kept = headers
            .iter()
            .filter(|(name, _)| KEPT_HEADERS.contains(&name.as_str()))
            .map(|(name, value)| {
                (name.clone(), masking::mask_text(value, &self.secrets).into_owned())
            })
            .collect();
        self.response = Some(RecordedResponse { status, headers: kept, chunks: Vec::new() });
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.response.is_some() {
            self.portions.push(bytes.to_vec());
        }
    }

    /// Writes the file.
    pub(super) fn finish(self, error: Option<&NetworkError>) -> Result<(), NetworkError> {
        let Self { path, secrets, places, request, mut response, mut portions } = self;
        let error = error.map(|error| match error {
            NetworkError::Unreachable { .. } => RecordedError::Unreachable,
            NetworkError::Stalled { .. } => RecordedError::Stalled,
            NetworkError::Cut { .. } => RecordedError::Cut,
            _ => RecordedError::Other,
        });
        masking::mask_portions(&mut portions, &secrets);
        if let Some(response) = &mut response {
            response.chunks = portions.iter().map(|portion| Chunk::new(portion)).collect();
        }
        let exchange = Exchange { version: RECORDING_VERSION, request, places, response, error };
        let mut text = serde_json::to_string_pretty(&exchange)
            .map_err(|error| failed(&path, error.to_string()))?;
        text.push('\n');
        write_private(&path, text.as_bytes()).map_err(|error| failed(&path, error.to_string()))
    }
}

fn write_private(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::client::Method;
    use crate::network::client::Purpose;

    /// What a provider says of a key that it does not know, in portions that end anywhere.
    #[test]
    fn no_canary_gets_into_a_recording() {
        let canary = "ca\"na\\ry-\u{e9}-1234";
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(directory.path(), &Here::default()).unwrap();
        let quoted = serde_json::json!({ "error": format!("unknown key {canary}") }).to_string();
        let ascii = quoted.replace('\u{e9}', "\\u00e9");
        let body = serde_json::json!({ "messages": [&quoted, canary], canary: 1 }).to_string();
        let request = HttpRequest {
            method: Method::Post,
            url: String::new(),
            headers: vec![("X-Gateway-Token".to_owned(), format!("Token {canary}"))],
            body: body.into(),
            purpose: Purpose::Model,
        };
        let url = Url::parse("http://h/v1/x").unwrap();
        let mut tape = recorder.start(&request, &url);
        tape.head(401, &[("content-type".to_owned(), "application/json".to_owned())]);
        for portion in format!("{quoted}\n{ascii}\n").as_bytes().chunks(7) {
            tape.push(portion);
        }
        tape.finish(None).unwrap();
        let text = std::fs::read_to_string(file_of(directory.path(), 1)).unwrap();
        assert!(!text.contains("ca\\") && !text.contains("1234"), "{text}");
        let exchange: Exchange = serde_json::from_str(&text).unwrap();
        let chunks = exchange.response.unwrap().chunks;
        let answer: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes().unwrap()).collect();
        let line = "{\"error\":\"unknown key ***\"}\n";
        assert_eq!(String::from_utf8(answer).unwrap(), [line, line].concat());
        // A replay compares what is left of it.
        assert_eq!(exchange.request, RecordedRequest::of(&request, &url));
    }
}
