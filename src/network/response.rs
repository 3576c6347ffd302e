//! An answer: status, headers, and a body that arrives in portions.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::timeout;

use super::error::NetworkError;
use super::record::Tape;

/// The answer's head; its body is read through [`Body::next`].
pub struct HttpResponse {
    pub status: u16,
    /// Names in lower case. Values that are not text are left out.
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

impl HttpResponse {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A body on its way. Dropping it before its end closes the connection (HTTP/1.1) or resets the
/// stream (HTTP/2); read to its end, the connection is used again.
pub struct Body {
    source: Source,
    /// Host and port, for errors.
    target: String,
    idle: Duration,
    tape: Option<Tape>,
}

enum Source {
    Live(reqwest::Response),
    /// Recorded portions, then perhaps the error that ended them.
    Recorded(VecDeque<Bytes>, Option<NetworkError>),
    Ended,
}

impl Body {
    pub(super) fn live(
        response: reqwest::Response,
        target: String,
        idle: Duration,
        tape: Option<Tape>,
    ) -> Self {
        Self { source: Source::Live(response), target, idle, tape }
    }

    pub(super) fn recorded(chunks: VecDeque<Bytes>, end: Option<NetworkError>) -> Self {
        Self {
            source: Source::Recorded(chunks, end),
            target: String::new(),
            idle: Duration::MAX,
            tape: None,
        }
    }

    /// The next portion; `None` at the end. An error ends the body. Cancel safe: a portion is
    /// either returned or still to come.
    pub async fn next(&mut self) -> Option<Result<Bytes, NetworkError>> {
        let portion = match &mut self.source {
            Source::Ended => None,
            Source::Recorded(chunks, end) => {
                chunks.pop_front().map(Ok).or_else(|| end.take().map(Err))
            }
            Source::Live(response) => match timeout(self.idle, response.chunk()).await {
                Ok(Ok(Some(bytes))) => Some(Ok(bytes)),
                Ok(Ok(None)) => None,
                Ok(Err(error)) => Some(Err(NetworkError::from_http(&error, &self.target))),
                Err(_) => Some(Err(NetworkError::Stalled {
                    target: self.target.clone(),
                    after: self.idle,
                })),
            },
        };
        match &portion {
            Some(Ok(bytes)) => {
                if let Some(tape) = &mut self.tape {
                    tape.push(bytes);
                }
            }
            Some(Err(error)) => {
                let kept = self.tape.take().map_or(Ok(()), |tape| tape.finish(Some(error)));
                self.source = Source::Ended;
                if let Err(error) = kept {
                    return Some(Err(error));
                }
            }
            None => {
                self.source = Source::Ended;
                if let Err(error) = self.tape.take().map_or(Ok(()), |tape| tape.finish(None)) {
                    return Some(Err(error));
                }
            }
        }
        portion
    }

    /// A portion that is there already, without waiting.
    pub fn ready(&mut self) -> Option<Result<Bytes, NetworkError>> {
        self.next().now_or_never().flatten()
    }

    /// Reads what little is left, so that the connection can be used again; what has not come after
    /// `wait` is given up.
    pub async fn finish(mut self, wait: Duration) -> Result<(), NetworkError> {
        let rest = async {
            // An error behind a whole answer does not matter to anybody.
            while let Some(Ok(_)) = self.next().await {}
        };
        // Either way the answer is whole: a late end only costs the connection.
        timeout(wait, rest).await.ok();
        self.tape.take().map_or(Ok(()), |tape| tape.finish(None))
    }

    /// The whole body as text (broken UTF-8 replaced), refused when larger than `limit` bytes.
    pub async fn text(mut self, limit: usize) -> Result<String, NetworkError> {
        let mut all = Vec::new();
        while let Some(portion) = self.next().await {
            let portion = portion?;
            if all.len() + portion.len() > limit {
                let target = self.target.clone();
                return Err(NetworkError::TooLarge { target, limit });
            }
            all.extend_from_slice(&portion);
        }
        Ok(String::from_utf8_lossy(&all).into_owned())
    }

    /// The beginning of the body: at most `limit` bytes, and whether there was more.
    pub async fn head(mut self, limit: usize) -> Result<(Vec<u8>, bool), NetworkError> {
        let mut all = Vec::new();
        while let Some(portion) = self.next().await {
            let portion = portion?;
            let room = limit - all.len();
            all.extend_from_slice(&portion[..portion.len().min(room)]);
            if portion.len() > room {
                return Ok((all, true));
            }
        }
        Ok((all, false))
    }
}

impl Drop for Body {
    /// What was not read to its end was still answered: a recording without it could not be replayed.
    fn drop(&mut self) {
        if let Some(Err(error)) = self.tape.take().map(|tape| tape.finish(None)) {
            tracing::warn!(%error, "an exchange is missing in the recording");
        }
    }
}
