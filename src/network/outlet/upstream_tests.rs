//! The person's own proxies between the proxy of commands and the world: plain, in TLS, SOCKS 4 and 5.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::tests::Proxy;
use super::tests::head;
use crate::config::settings::NetworkSettings;
use crate::network::client::settings_for_tests;

/// What the far end says first, in the same packet as the proxy's own answer.
const BANNER: &[u8] = b"SSH-2.0-far\r\n";

type Seen = mpsc::UnboundedReceiver<String>;

/// Runs a proxy of the person's for each connection.
async fn upstream<F>(
    serve: impl Fn(tokio::net::TcpStream, mpsc::UnboundedSender<String>) -> F + Send + 'static,
) -> (u16, Seen)
where
    F: Future<Output = Option<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, sender.clone()));
        }
    });
    (port, seen)
}

async fn bytes<const N: usize>(stream: &mut (impl AsyncRead + Unpin)) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

async fn text(stream: &mut (impl AsyncRead + Unpin), length: u8) -> Option<String> {
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await.ok()?;
    String::from_utf8(bytes).ok()
}

async fn until_zero(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut all = Vec::new();
    loop {
        match bytes(stream).await? {
            [0] => return String::from_utf8(all).ok(),
            [byte] => all.push(byte),
        }
    }
}

/// The far end behind a proxy: says its banner with the proxy's answer, and sends back what it gets; to a
/// request it answers as a server.
async fn far(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), answer: &[u8]) -> Option<()> {
    stream.write_all(&[answer, BANNER].concat()).await.ok()?;
    let (mut read, mut write) = tokio::io::split(stream);
    tokio::io::copy(&mut read, &mut write).await.ok()?;
    Some(())
}

/// SOCKS 5 (RFC 1928), with a password (RFC 1929) where the client offers that.
async fn socks5(
    mut stream: tokio::net::TcpStream,
    seen: mpsc::UnboundedSender<String>,
) -> Option<()> {
    let [5, count] = bytes(&mut stream).await? else { return None };
    let methods = text(&mut stream, count).await?.into_bytes();
    let mut who = String::new();
    if methods.contains(&2) {
        stream.write_all(&[5, 2]).await.ok()?;
        let [1, length] = bytes(&mut stream).await? else { return None };
        who = text(&mut stream, length).await?;
        let [length] = bytes(&mut stream).await?;
        who = format!("{who}:{}@", text(&mut stream, length).await?);
        stream.write_all(&[1, 0]).await.ok()?;
    } else {
        stream.write_all(&[5, 0]).await.ok()?;
    }
    let [5, 1, 0, kind] = bytes(&mut stream).await? else { return None };
    let host = match kind {
        1 => std::net::Ipv4Addr::from(bytes::<4>(&mut stream).await?).to_string(),
        4 => std::net::Ipv6Addr::from(bytes::<16>(&mut stream).await?).to_string(),
        _ => {
            let [length] = bytes(&mut stream).await?;
            text(&mut stream, length).await?
        }
    };
    let port = u16::from_be_bytes(bytes(&mut stream).await?);
    seen.send(format!("{who}{host}:{port}")).ok()?;
    if host == "refused.test" {
        stream.write_all(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
        return None;
    }
    far(&mut stream, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await
}

/// SOCKS 4a.
async fn socks4(
    mut stream: tokio::net::TcpStream,
    seen: mpsc::UnboundedSender<String>,
) -> Option<()> {
    let [4, 1] = bytes(&mut stream).await? else { return None };
    let port = u16::from_be_bytes(bytes(&mut stream).await?);
    let address = std::net::Ipv4Addr::from(bytes::<4>(&mut stream).await?);
    until_zero(&mut stream).await?;
    let is_name = address.octets()[..3] == [0, 0, 0];
    let host = if is_name { until_zero(&mut stream).await? } else { address.to_string() };
    seen.send(format!("{host}:{port}")).ok()?;
    far(&mut stream, &[0, 90, 0, 0, 0, 0, 0, 0]).await
}

async fn http_proxy(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: mpsc::UnboundedSender<String>,
) -> Option<()> {
    let mut all = Vec::new();
    while !all.ends_with(b"\r\n\r\n") {
        all.extend(bytes::<1>(&mut stream).await?);
    }
    let all = String::from_utf8(all).ok()?;
    let line = all.lines().next()?.to_owned();
    let authorized = all.to_ascii_lowercase().contains("proxy-authorization: basic ywrhonb3");
    seen.send(format!("{line}{}", if authorized { " as ada" } else { "" })).ok()?;
    if line.starts_with("CONNECT refused.test") {
        stream.write_all(b"HTTP/1.1 407 No\r\nproxy-authenticate: Basic\r\n\r\n").await.ok()?;
        return None;
    }
    if line.starts_with("CONNECT") {
        return far(&mut stream, b"HTTP/1.1 200 Connected\r\nvia: x\r\n\r\n").await;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.ok()
}

fn settings(proxy: String) -> NetworkSettings {
    NetworkSettings { all_proxy: Some(proxy), ..settings_for_tests() }
}

/// A tunnel through the person's proxy works, and what the far end says first arrives.
async fn speaks_first(settings: &NetworkSettings, host: &str) {
    let proxy = Proxy::new(&[host], settings);
    let mut stream = proxy.connect().await;
    let connect = format!("CONNECT {host}:22 HTTP/1.1\r\n\r\n");
    stream.write_all(connect.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    let mut banner = [0; BANNER.len()];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut banner)).await;
    assert!(read.is_ok(), "{host}: the far end spoke first, and nobody heard it");
    assert_eq!(banner, *BANNER);
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(bytes::<5>(&mut stream).await.unwrap(), *b"hello");
}

async fn is_refused(settings: &NetworkSettings, host: &str) -> String {
    let proxy = Proxy::new(&[host], settings);
    let answer = proxy.say(&format!("CONNECT {host}:22 HTTP/1.1\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    answer
}

#[tokio::test]
async fn socks_5_gets_the_name_and_the_password() {
    let (port, mut seen) = upstream(socks5).await;
    for scheme in ["socks5", "socks5h"] {
        speaks_first(&settings(format!("{scheme}://127.0.0.1:{port}")), "far.test").await;
        assert_eq!(seen.recv().await.unwrap(), "far.test:22");
    }
    let with_password = settings(format!("socks5h://ada:p%40w@127.0.0.1:{port}"));
    speaks_first(&with_password, "far.test").await;
    assert_eq!(seen.recv().await.unwrap(), "ada:p@w@far.test:22");
    speaks_first(&settings(format!("socks5://127.0.0.1:{port}")), "[2606:4700::7]").await;
    assert_eq!(seen.recv().await.unwrap(), "2606:4700::7:22");
    is_refused(&settings(format!("socks5://127.0.0.1:{port}")), "refused.test").await;
}

#[tokio::test]
async fn socks_4_gets_the_name() {
    let (port, mut seen) = upstream(socks4).await;
    for scheme in ["socks4", "socks4a"] {
        speaks_first(&settings(format!("{scheme}://127.0.0.1:{port}")), "far.test").await;
        assert_eq!(seen.recv().await.unwrap(), "far.test:22");
    }
    // It has no addresses of version 6.
    is_refused(&settings(format!("socks4://127.0.0.1:{port}")), "[2606:4700::7]").await;
}

/// Plain requests go through SOCKS as they would go to the host.
#[tokio::test]
async fn a_plain_request_goes_through_socks() {
    let (port, mut seen) = upstream(|mut stream, seen| async move {
        let [4, 1] = bytes(&mut stream).await? else { return None };
        bytes::<6>(&mut stream).await?;
        until_zero(&mut stream).await?;
        until_zero(&mut stream).await?;
        stream.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).await.ok()?;
        http_proxy(stream, seen).await
    })
    .await;
    let proxy = Proxy::new(&["far.test"], &settings(format!("socks4a://127.0.0.1:{port}")));
    let answer = proxy.say("GET http://far.test/a?b HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hi"), "{answer}");
    assert_eq!(seen.recv().await.unwrap(), "GET /a?b HTTP/1.1");
}

#[tokio::test]
async fn an_http_proxy_connects_and_what_follows_its_answer_arrives() {
    let (port, mut seen) = upstream(http_proxy).await;
    let through = settings(format!("http://ada:pw@127.0.0.1:{port}"));
    speaks_first(&through, "far.test").await;
    assert_eq!(seen.recv().await.unwrap(), "CONNECT far.test:22 HTTP/1.1 as ada");
    speaks_first(&through, "[2606:4700::7]").await;
    assert_eq!(seen.recv().await.unwrap(), "CONNECT [2606:4700::7]:22 HTTP/1.1 as ada");
    let answer = is_refused(&through, "refused.test").await;
    assert!(!answer.contains("proxy-authenticate") && !answer.contains("pw"), "{answer}");
}

/// In TLS, to a proxy whose authority the person trusts, and to no other.
#[tokio::test]
async fn an_https_proxy_is_asked_in_tls_and_must_be_the_one() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (port, mut seen) = upstream(move |stream, seen| {
        let acceptor = acceptor.clone();
        async move { http_proxy(acceptor.accept(stream).await.ok()?, seen).await }
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("ca.pem");
    std::fs::write(&trusted, made.cert.pem()).unwrap();
    let at = |host: &str, trusted: Option<&std::path::Path>| NetworkSettings {
        // Nobody else is trusted either.
        ssl_cert_file: trusted.map(Into::into),
        ..settings(format!("https://ada:pw@{host}:{port}"))
    };
    let through = at("localhost", Some(&trusted));
    speaks_first(&through, "far.test").await;
    assert_eq!(seen.recv().await.unwrap(), "CONNECT far.test:22 HTTP/1.1 as ada");
    let proxy = Proxy::new(&["far.test"], &through);
    let answer = proxy.say("GET http://far.test/ HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(seen.recv().await.unwrap(), "GET http://far.test/ HTTP/1.1 as ada");
    // Another name than the certificate's; and a certificate of nobody that is trusted.
    is_refused(&at("127.0.0.1", Some(&trusted)), "far.test").await;
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&trusted, stranger.cert.pem()).unwrap();
    is_refused(&at("localhost", Some(&trusted)), "far.test").await;
    assert!(seen.try_recv().is_err(), "nothing was said to a proxy that is not the one");
}

#[tokio::test]
async fn a_proxy_that_speaks_nonsense_or_nothing_is_given_up() {
    let (port, _seen) = upstream(|mut stream, _| async move {
        loop {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy").await.ok()?;
        }
    })
    .await;
    let (silent, _kept) = upstream(|mut stream, _| async move {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.ok().map(drop)
    })
    .await;
    for scheme in ["http", "https", "socks5", "socks4"] {
        for port in [port, silent] {
            let through = NetworkSettings {
                // Longer than a connection may take to come about.
                idle_timeout: Duration::from_secs(20),
                ..settings(format!("{scheme}://127.0.0.1:{port}"))
            };
            let started = Instant::now();
            is_refused(&through, "far.test").await;
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "{scheme}: {:?}",
                started.elapsed()
            );
        }
    }
}
