//! From a host that a command asks for to a connection: the rules, the addresses, and the person's own
//! proxy where one stands between.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use http::HeaderValue;
use http::Uri;
use hyper_util::client::legacy::connect::proxy::SocksV4;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;
use url::Host;

use crate::protocol::host_rule;
use crate::protocol::host_rule::Covered;

use super::super::client::Client;
use super::super::error::NetworkError;
use super::super::guard::Guard;
use super::super::policy;
use super::super::resolver;
use super::super::tls;
use super::Bounds;

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Host<String>,
    pub(super) port: u16,
}

impl Target {
    /// From the authority of a request; without a port the one that the scheme means. `None`: it can
    /// mean no host, or means one that others might read differently.
    pub(super) fn of(authority: &http::uri::Authority, usual: Option<u16>) -> Option<Self> {
        let text = authority.as_str();
        if text.contains(|c: char| c == '@' || c == '\\' || c == '%' || !c.is_ascii_graphic()) {
            return None;
        }
        let port = match text.strip_prefix(authority.host())?.strip_prefix(':') {
            Some(digits) => digits.parse().ok().filter(|port| *port > 0)?,
            None => usual?,
        };
        Some(Self { host: host_rule::host(authority.host())?, port })
    }

    /// `host:port`, as URLs and messages have it.
    pub(super) fn text(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// A connection, whatever it leads over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(super) type Connection = Box<dyn Stream>;

/// Where plain requests go.
pub(super) enum Reached {
    Host(Connection),
    /// The person's own proxy: it wants the whole URL, and perhaps to know who asks.
    Proxy(Connection, Option<HeaderValue>),
}

/// The rules and the way.
pub(super) struct Road {
    pub(super) guard: Guard,
    pub(super) idle: Duration,
    pub(super) bounds: Bounds,
    client: Client,
    trust: OnceLock<Result<TlsConnector, NetworkError>>,
}

/// Without the settings: a proxy's URL may hold a password.
impl fmt::Debug for Road {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Road").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Road {
    pub(super) fn new(client: Client, rules: Vec<String>, bounds: Bounds) -> Self {
        let idle = client.settings().idle_timeout;
        Self { guard: Guard { rules }, idle, bounds, client, trust: OnceLock::new() }
    }

    /// Whether the host may be asked for at all. Looks nothing up.
    pub(super) fn check(&self, target: &Target) -> Result<Covered, NetworkError> {
        if self.client.settings().offline && !policy::is_loopback(&target.host) {
            return Err(NetworkError::Offline { target: target.text() });
        }
        match self.covered(target) {
            Covered::No => Err(NetworkError::Forbidden {
                target: target.text(),
                reason: "is not among the hosts that `--net` names".to_owned(),
                can_open: policy::can_open(&target.host),
            }),
            covered => Ok(covered),
        }
    }

    /// How far the rules cover it.
    pub(super) fn covered(&self, target: &Target) -> Covered {
        self.guard.covered(&target.host, Some(target.port))
    }

    /// The addresses at which a host that is looked up here may be connected to.
    pub(super) async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, NetworkError> {
        let addresses = Guard::checked(&target.host, self.check(target)?);
        let addresses = self.in_time(&target.text(), addresses).await?;
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, target.port)).collect())
    }

    /// A connection to the host itself, through a proxy of the person's where one is set.
    pub(super) async fn tunnel(
        self: &Arc<Self>,
        target: &Target,
    ) -> Result<Connection, NetworkError> {
        let covered = self.check(target)?;
        match self.proxy_for("https", target) {
            Some(proxy) => {
                Guard::check_unresolved(&target.host, covered)?;
                self.through(&proxy, target).await
            }
            None => self.straight(target).await,
        }
    }

    /// A connection over which `http://` requests for the host are sent.
    pub(super) async fn plain(self: &Arc<Self>, target: &Target) -> Result<Reached, NetworkError> {
        let covered = self.check(target)?;
        let Some(proxy) = self.proxy_for("http", target) else {
            return self.straight(target).await.map(Reached::Host);
        };
        Guard::check_unresolved(&target.host, covered)?;
        if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) {
            return self.through(&proxy, target).await.map(Reached::Host);
        }
        let stream = self.to_proxy(proxy.uri().clone()).await?;
        Ok(Reached::Proxy(stream, proxy.basic_auth().cloned()))
    }

    fn proxy_for(&self, scheme: &str, target: &Target) -> Option<Intercept> {
        let uri = Uri::try_from(format!("{scheme}://{}/", target.text())).ok()?;
        self.client.proxies().intercept(&uri)
    }

    async fn straight(&self, target: &Target) -> Result<Connection, NetworkError> {
        let addresses = self.addresses(target).await?;
        Ok(Box::new(self.first_of(&addresses, &target.text()).await?))
    }

    /// Has a proxy of the person's make the connection, and look the name up.
    async fn through(
        self: &Arc<Self>,
        proxy: &Intercept,
        to: &Target,
    ) -> Result<Connection, NetworkError> {
        let target = to.text();
        let failed = |reason: String| NetworkError::Unreachable { target: target.clone(), reason };
        let uri = Uri::try_from(format!("https://{target}/"))
            .map_err(|error| failed(error.to_string()))?;
        let connector = ToProxy(Arc::clone(self));
        let at = proxy.uri().clone();
        let connecting = async {
            let connected = match at.scheme_str() {
                Some("http" | "https") => {
                    let mut tunnel = Tunnel::new(at, connector);
                    if let Some(who) = proxy.basic_auth() {
                        tunnel = tunnel.with_auth(who.clone());
                    }
                    tunnel.call(uri).await.map_err(|error| error.to_string())
                }
                Some("socks4" | "socks4a") => {
                    let mut socks = SocksV4::new(at, connector);
                    socks.call(uri).await.map_err(|error| error.to_string())
                }
                _ => {
                    let mut socks = SocksV5::new(at, connector);
                    if let Some((user, password)) = proxy.raw_auth() {
                        socks = socks.with_auth(user.to_owned(), password.to_owned());
                    }
                    socks.call(uri).await.map_err(|error| error.to_string())
                }
            };
            connected.map_err(|reason| failed(format!("the proxy does not connect ({reason})")))
        };
        let stream = self.in_time(&target, connecting).await?;
        Ok(stream.into_inner().0)
    }

    /// A connection to a proxy of the person's, in TLS where it is an `https://` one.
    async fn to_proxy(&self, at: Uri) -> Result<Connection, NetworkError> {
        let host = at.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let usual = match at.scheme_str() {
            Some("https") => 443,
            Some("http") => 80,
            _ => 1080,
        };
        let port = at.port_u16().unwrap_or(usual);
        let target = format!("{host}:{port}");
        let failed = |error: io::Error| NetworkError::Unreachable {
            target: target.clone(),
            reason: error.to_string(),
        };
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => resolver::resolve(&host).await.map_err(failed)?,
        };
        let addresses: Vec<SocketAddr> =
            addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        let stream = self.first_of(&addresses, &target).await?;
        if at.scheme_str() != Some("https") {
            return Ok(Box::new(stream));
        }
        let trust = self.trust.get_or_init(|| tls::for_proxies(self.client.settings())).clone()?;
        let name = ServerName::try_from(host)
            .map_err(|error| failed(io::Error::other(error.to_string())))?;
        Ok(Box::new(trust.connect(name, stream).await.map_err(failed)?))
    }

    /// The first address that answers; each gets its share of the time.
    async fn first_of(
        &self,
        addresses: &[SocketAddr],
        target: &str,
    ) -> Result<TcpStream, NetworkError> {
        let share = self.client.settings().connect_timeout
            / u32::try_from(addresses.len().max(1)).unwrap_or(1);
        let mut reason = "the name has no address".to_owned();
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Whoever asked decides how to fill packets.
                    stream.set_nodelay(true).ok();
                    return Ok(stream);
                }
                Ok(Err(error)) => reason = error.kind().to_string(),
                Err(_) => "no connection within the time-out".clone_into(&mut reason),
            }
        }
        Err(NetworkError::Unreachable { target: target.to_owned(), reason })
    }

    async fn in_time<T>(
        &self,
        target: &str,
        work: impl Future<Output = Result<T, NetworkError>>,
    ) -> Result<T, NetworkError> {
        timeout(self.client.settings().connect_timeout, work).await.unwrap_or_else(|_| {
            let reason = "no connection within the time-out".to_owned();
            Err(NetworkError::Unreachable { target: target.to_owned(), reason })
        })
    }
}

/// Connects to the proxy itself, for what then asks it for a connection.
#[derive(Clone)]
struct ToProxy(Arc<Road>);

impl Service<Uri> for ToProxy {
    type Response = TokioIo<Sips>;
    type Error = NetworkError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Sips>, NetworkError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), NetworkError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, at: Uri) -> Self::Future {
        let road = Arc::clone(&self.0);
        Box::pin(async move { road.to_proxy(at).await.map(|stream| TokioIo::new(Sips(stream))) })
    }
}

/// A connection that is read byte by byte: whoever asks a proxy for a connection through it reads no
/// further than the proxy's answer. What follows in the same packet is what the far end says first (as
/// SSH does), and a buffer that is dropped with the handshake would lose it.
struct Sips(Connection);

impl AsyncRead for Sips {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut byte = [0];
        let mut sip = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut sip))?;
        buffer.put_slice(sip.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sips {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
