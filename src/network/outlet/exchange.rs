//! One connection of a command to the proxy: its requests, forwarded or refused, or the tunnel that it
//! becomes.
//!
//! Requests are taken apart and written anew by the HTTP library, so what a command writes between the
//! lines (two lengths, a length and chunks, a `Host` that is not the URL's) reaches nobody. The host that
//! counts is the one of the request's target.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Uri;
use http::header;
use http_body_util::Either;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpStream;

use crate::protocol::RefusedHost;
use crate::protocol::host_rule::Covered;

use super::super::error::NetworkError;
use super::News;
use super::meter::Meter;
use super::meter::Metered;
use super::road::Connection;
use super::road::Reached;
use super::road::Road;
use super::road::Target;

/// Bytes of a request's head.
const HEAD: usize = 64 << 10;
/// Bytes on the way in each direction of a tunnel.
const BUFFER: usize = 32 << 10;

/// Headers that are about one connection only (RFC 9110, 7.6.1), and what is written anew.
const HOP: [HeaderName; 11] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

/// How long somebody who is turned away may take to ask and to listen.
const TURNING_AWAY: Duration = Duration::from_secs(2);

type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// A tunnel that begins when the answer to `CONNECT` has gone out.
type Begun = (OnUpgrade, Connection);

/// Serves one connection to its end, which comes at the latest when nothing passes any more.
pub(super) async fn serve(stream: TcpStream, road: Arc<Road>, tell: &(dyn Fn(News) + Send + Sync)) {
    let meter = Meter::new(road.bounds.bytes);
    let idle = road.idle;
    let stream = Metered { stream, meter: meter.clone() };
    tokio::select! {
        () = meter.silent(idle) => tracing::debug!("a connection of a command was cut"),
        () = carry(stream, road, tell) => {}
    }
}

async fn carry(stream: Metered<TcpStream>, road: Arc<Road>, tell: &(dyn Fn(News) + Send + Sync)) {
    let begun: Mutex<Option<Begun>> = Mutex::new(None);
    let head = road.bounds.head;
    let desk = Desk { road, tell, begun: &begun };
    let service = service_fn(|request| desk.answer(request));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(HEAD);
    let served = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of a command ended early");
    }
    let begun = begun.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((upgrade, mut far)) = begun
        && let Ok(near) = upgrade.await
    {
        let mut near = TokioIo::new(near);
        let copied =
            tokio::io::copy_bidirectional_with_sizes(&mut near, &mut far, BUFFER, BUFFER).await;
        if let Err(error) = copied {
            tracing::debug!(%error, "a tunnel of a command ended early");
        }
    }
}

/// Answers what comes over a connection of a command that has as many as it may have.
pub(super) async fn turn_away(stream: TcpStream, share: usize) {
    let service = service_fn(move |_request| async move {
        let text = format!(
            "this command has {share} connections open, as many as one command may have; \
             close some, or ask for fewer at a time"
        );
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Ok::<Answer, Infallible>(plain(status, "connection_limit_reached", &text))
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.max_buf_size(HEAD);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    let outcome = tokio::time::timeout(TURNING_AWAY, served).await;
    tracing::debug!(?outcome, "a command asked for more connections than its share");
}

/// Where the requests of one connection are answered.
struct Desk<'a> {
    road: Arc<Road>,
    tell: &'a (dyn Fn(News) + Send + Sync),
    begun: &'a Mutex<Option<Begun>>,
}

impl Desk<'_> {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let answered = match *request.method() {
            Method::CONNECT => self.tunnel(request).await,
            // Its answer is the request as it arrived: a proxy's would hold the person's password for it.
            Method::TRACE => {
                let text = "TRACE is not passed on";
                Err(Box::new(plain(StatusCode::METHOD_NOT_ALLOWED, "http_request_denied", text)))
            }
            _ => self.forward(request).await,
        };
        Ok(answered.unwrap_or_else(|answer| *answer))
    }

    async fn tunnel(&self, mut request: Request<Incoming>) -> Result<Answer, Box<Answer>> {
        let is_bare = request.uri().scheme().is_none();
        let target =
            request.uri().authority().filter(|_| is_bare).and_then(|it| Target::of(it, None));
        let target = target.ok_or_else(|| bad("CONNECT needs HOST:PORT"))?;
        let far = self.road.tunnel(&target).await.map_err(|error| self.failed(&target, &error))?;
        (self.tell)(News::Reached(target.text()));
        let begun = (hyper::upgrade::on(&mut request), far);
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
        Ok(Response::new(Either::Right(Full::default())))
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Result<Answer, Box<Answer>> {
        let is_http = request.uri().scheme_str() == Some("http");
        let target =
            request.uri().authority().filter(|_| is_http).and_then(|it| Target::of(it, Some(80)));
        let target = target.ok_or_else(|| bad("this is a proxy for http:// URLs and CONNECT"))?;
        let failed = |error: NetworkError| self.failed(&target, &error);
        let reached = self.road.plain(&target).await.map_err(failed)?;
        (self.tell)(News::Reached(target.text()));
        clean(request.headers_mut());
        let host = if target.port == 80 { target.host.to_string() } else { target.text() };
        let host = HeaderValue::try_from(host).map_err(|_| bad("the host is no host"))?;
        request.headers_mut().insert(header::HOST, host);
        let stream = match reached {
            Reached::Host(stream) => {
                *request.uri_mut() = within(request.uri());
                stream
            }
            Reached::Proxy(stream, who) => {
                if let Some(who) = who {
                    request.headers_mut().insert(header::PROXY_AUTHORIZATION, who);
                }
                stream
            }
        };
        *request.version_mut() = http::Version::HTTP_11;
        let response = send(stream, request).await.map_err(|reason| {
            let error = NetworkError::Cut { target: target.text(), reason };
            self.failed(&target, &error)
        })?;
        Ok(response.map(Either::Left))
    }

    /// The answer to what could not be done; what must not be done is told to whoever runs the command.
    fn failed(&self, target: &Target, error: &NetworkError) -> Box<Answer> {
        let (reason, hint, can_open) = match error {
            NetworkError::Forbidden { reason, can_open, .. } => {
                (reason.clone(), self.open(target, *can_open), *can_open)
            }
            NetworkError::Offline { .. } => {
                (error.to_string(), "leave out --offline".to_owned(), false)
            }
            _ => return Box::new(plain(StatusCode::BAD_GATEWAY, "failed", &error.to_string())),
        };
        let host = target.text();
        let text = format!("`{host}` {reason}\n{hint}");
        (self.tell)(News::Refused(RefusedHost { host, reason, can_open }));
        Box::new(plain(StatusCode::FORBIDDEN, "http_request_denied", &text))
    }

    /// What is open, and what would open this host where its refusal does not say so.
    fn open(&self, target: &Target, can_open: bool) -> String {
        let rules = format!("open to commands: {}", self.road.guard.rules.join(", "));
        if can_open && self.road.covered(target) == Covered::No {
            format!("{rules}; the person can open it with `--net {}`", target.host)
        } else {
            rules
        }
    }
}

/// Sends a request over a connection of its own.
async fn send(
    stream: Connection,
    request: Request<Incoming>,
) -> Result<Response<Incoming>, String> {
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // Ends with the answer's body, or when either of the bodies is let go.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a server that a command talks to ended early");
        }
    });
    let mut response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err("it changes the protocol, which nobody asked for".to_owned());
    }
    clean(response.headers_mut());
    Ok(response)
}

/// What is left of a URL for the host itself.
fn within(uri: &Uri) -> Uri {
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    Uri::try_from(path).unwrap_or_else(|_| Uri::from_static("/"))
}

/// Takes out what is about one connection only, and what `Connection` names as such.
fn clean(headers: &mut HeaderMap) {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        // Of two lengths the chunks count, and only they are passed on.
        headers.remove(header::CONTENT_LENGTH);
    }
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        // Without it the end of a body would be somewhere else.
        .filter(|name| name != header::CONTENT_LENGTH && name != header::HOST)
        .collect();
    for name in named.iter().chain(&HOP) {
        headers.remove(name);
    }
}

fn bad(reason: &str) -> Box<Answer> {
    Box::new(plain(StatusCode::BAD_REQUEST, "http_request_error", reason))
}

/// An answer of our own, marked as such (RFC 9209).
fn plain(status: StatusCode, error: &str, text: &str) -> Answer {
    let mut answer =
        Response::new(Either::Right(Full::from(format!("agi-agent sandbox: {text}\n"))));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Ok(value) = HeaderValue::try_from(format!("agi-agent; error={error}")) {
        headers.insert(HeaderName::from_static("proxy-status"), value);
    }
    answer
}
