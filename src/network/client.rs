//! The client: policy first, then the connection, with connect and idle deadlines.
//!
//! It never follows redirects (a request with a key must not be carried elsewhere, and a fetch
//! checks each step), never retries, and takes proxies from the settings, not from the environment.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use tokio::time::timeout;
use url::Host;
use url::Url;

use crate::config::settings::NetworkSettings;

use super::error::NetworkError;
use super::guard::Guard;
use super::policy;
use super::proxy;
use super::record::Recorder;
use super::record::Recording;
use super::replay::Replayer;
use super::resolver::NoResolver;
use super::resolver::SystemResolver;
use super::response::Body;
use super::response::HttpResponse;
use super::tls;

/// The methods that are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// Why a request is made.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// Model traffic: recorded and replayed.
    Model,
    /// An endpoint that the person configured.
    Configured,
    /// An address on a model's word: connects to the checked addresses only, or to a proxy of the
    /// person's.
    Guarded(Guard),
}

/// One request. It has no `Debug`: headers carry keys.
pub struct HttpRequest {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub purpose: Purpose,
}

/// Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    settings: NetworkSettings,
    proxies: Vec<reqwest::Proxy>,
    /// Which proxy a target is reached through, for those that ask before they connect.
    matcher: OnceLock<Matcher>,
    traffic: Traffic,
    /// For `http://` without a secure proxy: no certificate is read.
    plain: OnceLock<Result<reqwest::Client, NetworkError>>,
    secure: OnceLock<Result<reqwest::Client, NetworkError>>,
    trust: OnceLock<Result<rustls::ClientConfig, NetworkError>>,
}

enum Traffic {
    Live,
    Recorded(Arc<Recorder>),
    Replayed(Replayer),
}

impl Client {
    /// Checks the settings and reads a recording where one is replayed; connects to nothing.
    pub fn new(settings: &NetworkSettings) -> Result<Self, NetworkError> {
        let traffic = match (&settings.replay, &settings.record) {
            (Some(path), _) => Traffic::Replayed(Replayer::open(path, &settings.here)?),
            (None, Some(path)) => {
                Traffic::Recorded(Arc::new(Recorder::create(path, &settings.here)?))
            }
            (None, None) => Traffic::Live,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                settings: settings.clone(),
                proxies: if settings.offline { Vec::new() } else { proxy::all(settings)? },
                matcher: OnceLock::new(),
                traffic,
                plain: OnceLock::new(),
                secure: OnceLock::new(),
                trust: OnceLock::new(),
            }),
        })
    }

    /// What came of recording or replaying so far; `None` where neither was asked for.
    pub fn recording(&self) -> Option<Recording> {
        match &self.shared.traffic {
            Traffic::Recorded(recorder) => Some(recorder.standing()),
            Traffic::Replayed(replayer) => Some(replayer.standing()),
            Traffic::Live => None,
        }
    }

    /// Whether model traffic comes from a recording: then no key is needed and no wait makes sense.
    pub fn replays(&self) -> bool {
        matches!(self.shared.traffic, Traffic::Replayed(_))
    }

    /// The deadlines and bounds in force.
    pub fn settings(&self) -> &NetworkSettings {
        &self.shared.settings
    }

    /// The person's proxies, by target.
    pub(super) fn proxies(&self) -> &Matcher {
        self.shared.matcher.get_or_init(|| proxy::matcher(&self.shared.settings))
    }

    /// Refuses what `--offline` forbids.
    pub fn check_policy(&self, url: &Url) -> Result<(), NetworkError> {
        if self.shared.settings.offline && !policy::is_loopback_host(url) {
            return Err(NetworkError::Offline { target: target_of(url) });
        }
        Ok(())
    }

    /// Sends a request and returns as soon as the head of the answer is there. The connect deadline
    /// bounds name, connection and TLS together; the idle deadline the wait for the head.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, NetworkError> {
        let url = parse(&request.url)?;
        if matches!(request.purpose, Purpose::Model) {
            match &self.shared.traffic {
                Traffic::Replayed(replayer) => return replayer.answer(&request, &url),
                Traffic::Recorded(recorder) => {
                    let tape = recorder.start(&request, &url);
                    return match self.exchange(request, &url, Some(tape.clone())).await {
                        Err(error) => tape.finish(Some(&error)).and(Err(error)),
                        answer => answer,
                    };
                }
                Traffic::Live => {}
            }
        }
        self.exchange(request, &url, None).await
    }

    async fn exchange(
        &self,
        request: HttpRequest,
        url: &Url,
        tape: Option<super::record::Tape>,
    ) -> Result<HttpResponse, NetworkError> {
        self.check_policy(url)?;
        let target = target_of(url);
        let (method, purpose) = (request.method, request.purpose.clone());
        let idle = self.shared.settings.idle_timeout;
        let client = match &purpose {
            Purpose::Guarded(guard) => self.guarded(url, guard).await?,
            Purpose::Model | Purpose::Configured => self.shared.pooled(url)?,
        };
        let mut outgoing = reqwest::Request::new(
            match method {
                Method::Get => reqwest::Method::GET,
                Method::Post => reqwest::Method::POST,
            },
            url.clone(),
        );
        *outgoing.headers_mut() = header_map(&request.headers)?;
        if method == Method::Post {
            *outgoing.body_mut() = Some(request.body.into());
        }
        tracing::debug!(method = method.as_str(), %target, path = url.path(), "request");
        let response = match timeout(idle, client.execute(outgoing)).await {
            Ok(sent) => sent.map_err(|error| NetworkError::from_http(&error, &target))?,
            Err(_) => return Err(NetworkError::Stalled { target, after: idle }),
        };
        let status = response.status().as_u16();
        tracing::debug!(status, %target, "answer");
        let headers = text_headers(response.headers());
        let tape = tape.map(|mut tape| {
            tape.head(status, &headers);
            tape
        });
        Ok(HttpResponse { status, headers, body: Body::live(response, target, idle, tape) })
    }

    /// A client for one fetch: it can reach the checked addresses of this host and nothing else. Where a
    /// proxy of the person's stands between, that looks the name up: what the name itself says is checked.
    async fn guarded(&self, url: &Url, guard: &Guard) -> Result<reqwest::Client, NetworkError> {
        let shared = &self.shared;
        let target = http::Uri::try_from(url.as_str()).ok();
        if target.is_some_and(|target| self.proxies().intercept(&target).is_some()) {
            guard.check_by_name(url)?;
            let secure = url.scheme() == "https" || shared.has_secure_proxy();
            let builder = shared.builder(secure)?.dns_resolver(Arc::new(SystemResolver)).gzip(true);
            let proxies = shared.proxies.iter().cloned();
            return built(proxies.fold(builder.no_proxy(), reqwest::ClientBuilder::proxy));
        }
        let limit = shared.settings.connect_timeout;
        let addresses = timeout(limit, guard.addresses(url)).await.unwrap_or_else(|_| {
            let reason = "the name is not resolved within the time-out".to_owned();
            Err(NetworkError::Unreachable { target: target_of(url), reason })
        })?;
        let builder = self.shared.builder(url.scheme() == "https")?.no_proxy().gzip(true);
        let builder = match url.host() {
            Some(Host::Domain(name)) => builder.resolve_to_addrs(name, &addresses),
            _ => builder,
        };
        built(builder.dns_resolver(Arc::new(NoResolver)))
    }
}

impl Shared {
    fn pooled(&self, url: &Url) -> Result<reqwest::Client, NetworkError> {
        let secure = url.scheme() == "https" || self.has_secure_proxy();
        let slot = if secure { &self.secure } else { &self.plain };
        slot.get_or_init(|| {
            let builder = self.builder(secure)?.dns_resolver(Arc::new(SystemResolver)).no_proxy();
            built(self.proxies.iter().cloned().fold(builder, reqwest::ClientBuilder::proxy))
        })
        .clone()
    }

    fn has_secure_proxy(&self) -> bool {
        let settings = &self.settings;
        [&settings.http_proxy, &settings.all_proxy]
            .into_iter()
            .flatten()
            .any(|proxy| proxy.trim().to_ascii_lowercase().starts_with("https:"))
    }

    fn builder(&self, secure: bool) -> Result<reqwest::ClientBuilder, NetworkError> {
        let trust = if secure {
            self.trust.get_or_init(|| tls::trust_store(&self.settings)).clone()?
        } else {
            tls::trust_nobody()?
        };
        Ok(reqwest::Client::builder()
            .tls_backend_preconfigured(trust)
            .user_agent(concat!("agi-agent/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_gzip()
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .connect_timeout(self.settings.connect_timeout))
    }
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, NetworkError> {
    builder.build().map_err(|error| NetworkError::Store { reason: error.to_string() })
}

fn parse(text: &str) -> Result<Url, NetworkError> {
    let wrong =
        |reason: String| NetworkError::Url { url: proxy::without_credentials(text), reason };
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(wrong(format!("`{other}` is not http or https"))),
    }
}

/// `host:port` for messages.
pub(super) fn target_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, NetworkError> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let wrong = |reason| NetworkError::Header { name: name.clone(), reason };
        let key = HeaderName::try_from(name).map_err(|_| wrong("this is no header's name"))?;
        // The value is not shown: it may be a key with a line break pasted into it.
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| wrong("its value holds a line break or another control character"))?;
        value.set_sensitive(matches!(key.as_str(), "authorization" | "x-api-key" | "api-key"));
        map.insert(key, value);
    }
    Ok(map)
}

fn text_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect()
}

/// Short deadlines, no proxies.
#[cfg(test)]
pub(crate) fn settings_for_tests() -> NetworkSettings {
    NetworkSettings {
        offline: false,
        ca: None,
        ssl_cert_file: None,
        ssl_cert_dir: None,
        http_proxy: None,
        https_proxy: None,
        all_proxy: None,
        no_proxy: None,
        idle_timeout: Duration::from_secs(1),
        total_timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(1),
        max_retries: 0,
        record: None,
        replay: None,
        here: crate::config::places::Here::default(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_header_that_cannot_be_sent_is_named_and_its_value_is_not() {
        let key = [("authorization".to_owned(), "Bearer canary\ncanary".to_owned())];
        let error = super::header_map(&key).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the request header `authorization` cannot be sent: \
             its value holds a line break or another control character"
        );
    }
}
