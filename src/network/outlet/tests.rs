//! The proxy itself, spoken to as hostile programs speak: decisions, framing, bounds and ends.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Bounds;
use super::HostOutlet;
use crate::config::settings::NetworkSettings;
use crate::network::Client;
use crate::network::client::settings_for_tests;
use crate::protocol::Outlet;
use crate::protocol::RefusedHost;
use crate::protocol::Way;

const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy and one command that uses it.
pub(super) struct Proxy {
    pub(super) way: Option<Box<dyn Way>>,
    command: Ipv4Addr,
    port: u16,
}

impl Proxy {
    pub(super) fn new(rules: &[&str], settings: &NetworkSettings) -> Self {
        Self::bounded(rules, settings, super::BOUNDS)
    }

    pub(super) fn bounded(rules: &[&str], settings: &NetworkSettings, bounds: Bounds) -> Self {
        let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let outlet = HostOutlet::bounded(Client::new(settings).unwrap(), rules, bounds);
        let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = outlet.serve(listener.into()).unwrap();
        Self { command: way.admit(), way: Some(way), port }
    }

    pub(super) fn open(rules: &[&str]) -> Self {
        Self::new(rules, &settings_for_tests())
    }

    pub(super) async fn connect(&self) -> TcpStream {
        self.connect_as(self.command).await
    }

    /// As another command than the first.
    pub(super) async fn connect_as(&self, command: Ipv4Addr) -> TcpStream {
        TcpStream::connect((command, self.port)).await.unwrap()
    }

    /// What comes back for these bytes until the connection is closed.
    pub(super) async fn say(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }

    pub(super) fn settle(&self) -> Vec<RefusedHost> {
        self.way.as_ref().unwrap().settle(self.command).refused
    }
}

pub(super) async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // Cut off is an end, too.
    timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("an end in time").ok();
    String::from_utf8_lossy(&all).into_owned()
}

pub(super) async fn head(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    while !all.ends_with(b"\r\n\r\n") {
        match timeout(PATIENCE, stream.read_u8()).await.expect("a head in time") {
            Ok(byte) => all.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// A server that sends back what it gets, and the heads that came to it when `is_http`.
pub(super) async fn server(is_http: bool) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            tokio::spawn(async move {
                if is_http {
                    let mut seen = head(&mut stream).await;
                    let mut more = [0; 1 << 12];
                    // What belongs to the request comes at once.
                    let body = timeout(Duration::from_millis(200), stream.read(&mut more)).await;
                    seen +=
                        &String::from_utf8_lossy(&more[..body.map_or(0, |read| read.unwrap_or(0))]);
                    sender.send(seen).ok();
                    let answer =
                        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nproxy-authenticate: x\r\n\r\nhi";
                    stream.write_all(answer.as_bytes()).await.ok();
                } else {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await.ok();
                    write.write_all(b"bye").await.ok();
                }
            });
        }
    });
    (port, receiver)
}

#[tokio::test]
async fn only_hosts_that_a_rule_names_are_reached() {
    let (port, mut seen) = server(true).await;
    let proxy = Proxy::open(&[&format!("127.0.0.1:{port}"), "*.example.invalid"]);
    let get = |host: &str| {
        format!("GET http://{host}/x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
    };
    let answer = proxy.say(&get(&format!("127.0.0.1:{port}"))).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hi"), "{answer}");
    assert!(!answer.contains("proxy-authenticate"), "{answer}");
    assert!(seen.recv().await.unwrap().starts_with("GET /x HTTP/1.1\r\n"));
    let other = port ^ 1;
    for host in [
        format!("127.0.0.1:{other}"),
        format!("127.0.0.2:{port}"),
        format!("localhost:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("0:{port}"),
        "example.invalid".to_owned(),
        "evilexample.invalid".to_owned(),
        "169.254.169.254".to_owned(),
    ] {
        let answer = proxy.say(&get(&host)).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{host}: {answer}");
        assert!(answer.contains("--net"), "{host}: {answer}");
        let host = if host.contains("]:") || host.matches(':').count() == 1 {
            host
        } else {
            host + ":443"
        };
        let answer = proxy.say(&format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{host}: {answer}");
    }
    // A name that a rule covers and nobody knows: no refusal, it just cannot be reached.
    let answer = proxy.say(&get("a.example.invalid")).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(seen.try_recv().is_err(), "nothing else came");
    let refused = proxy.settle();
    assert!(refused.iter().any(|it| it.host == format!("localhost:{port}")), "{refused:?}");
    assert!(refused.iter().all(|it| it.host != "a.example.invalid:80"), "{refused:?}");
}

#[tokio::test]
async fn requests_that_mean_no_host_or_two_are_refused() {
    let (port, mut seen) = server(true).await;
    let proxy = Proxy::open(&[&format!("127.0.0.1:{port}"), "allowed.invalid"]);
    for line in [
        "GET / HTTP/1.1".to_owned(),
        format!("GET https://127.0.0.1:{port}/ HTTP/1.1"),
        format!("GET ftp://127.0.0.1:{port}/ HTTP/1.1"),
        format!("GET http://u@127.0.0.1:{port}/ HTTP/1.1"),
        format!("GET http://allowed.invalid:80@127.0.0.1:{port}/ HTTP/1.1"),
        format!("GET http://127.0.0.1:{port}\\@allowed.invalid/ HTTP/1.1"),
        "GET http://allowed.invalid:0/ HTTP/1.1".to_owned(),
        "GET http://allowed.invalid:99999/ HTTP/1.1".to_owned(),
        "GET http://allowed%2einvalid/ HTTP/1.1".to_owned(),
        "GET http:// HTTP/1.1".to_owned(),
        "CONNECT 127.0.0.1 HTTP/1.1".to_owned(),
        "CONNECT u@allowed.invalid:443 HTTP/1.1".to_owned(),
        "CONNECT http://allowed.invalid:443/ HTTP/1.1".to_owned(),
        "CONNECT allowed..invalid:443 HTTP/1.1".to_owned(),
        "CONNECT al\0.allowed.invalid:443 HTTP/1.1".to_owned(),
        "GET\thttp://allowed.invalid/ HTTP/1.1".to_owned(),
        "GET http://[::1%25lo]/ HTTP/1.1".to_owned(),
        "GET http://[fe80::1%lo]/ HTTP/1.1".to_owned(),
        format!("CONNECT 127.0.0.1:{port}/x HTTP/1.1"),
        format!("CONNECT 127.0.0.1:{port}?x HTTP/1.1"),
        "CONNECT 127.0.0.1:0 HTTP/1.1".to_owned(),
        "CONNECT :443 HTTP/1.1".to_owned(),
        "CONNECT [::1:443 HTTP/1.1".to_owned(),
        "CONNECT [::1%25lo]:443 HTTP/1.1".to_owned(),
        format!("GET http://127.0.0.1:{port} allowed.invalid/ HTTP/1.1"),
        "* http://allowed.invalid/ HTTP/9.9".to_owned(),
        "PRI * HTTP/2.0".to_owned(),
        "OPTIONS * HTTP/1.1".to_owned(),
        "nonsense".to_owned(),
    ] {
        let answer = proxy.say(&format!("{line}\r\nhost: allowed.invalid\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{line}: {answer}");
    }
    let long = "x".repeat(200_000);
    let answer =
        proxy.say(&format!("GET http://allowed.invalid/ HTTP/1.1\r\nx: {long}\r\n\r\n")).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(seen.try_recv().is_err(), "nobody came");
}

#[tokio::test]
async fn a_request_is_written_anew() {
    let (port, mut seen) = server(true).await;
    let proxy = Proxy::open(&["127.0.0.1"]);
    let smuggled = "GET http://127.0.0.1/inner HTTP/1.1\r\n\r\n";
    let request = format!(
        "POST http://127.0.0.1:{port}/a HTTP/1.1\r\nHost: other.example\r\nContent-Length: 4\r\n\
         Transfer-Encoding: chunked\r\nProxy-Authorization: Basic eDp5\r\nTE: trailers\r\n\
         Connection: close, X-Mine\r\nX-Mine: 1\r\nUpgrade: h2c\r\nX-Kept: 1\r\n\r\n\
         5\r\nhello\r\n0\r\n\r\n{smuggled}"
    );
    let answer = proxy.say(&request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let head = seen.recv().await.unwrap().to_ascii_lowercase();
    assert!(head.contains(&format!("\r\nhost: 127.0.0.1:{port}\r\n")), "{head}");
    assert!(head.contains("x-kept: 1") && head.contains("transfer-encoding: chunked"), "{head}");
    for gone in ["other.example", "content-length", "eDp5", "x-mine", "upgrade", "inner"] {
        assert!(!head.contains(&gone.to_ascii_lowercase()), "{gone} in {head}");
    }
    assert!(seen.try_recv().is_err(), "one request became one");
}

#[tokio::test]
async fn sixty_four_tunnels_at_a_time_and_half_closed_ones() {
    let (port, _) = server(false).await;
    let proxy = Arc::new(Proxy::open(&["127.0.0.1"]));
    let tunnels: Vec<_> = (0..64_u32)
        .map(|number| {
            let proxy = Arc::clone(&proxy);
            tokio::spawn(async move {
                let mut stream = proxy.connect().await;
                let connect = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\nearly{number}");
                stream.write_all(connect.as_bytes()).await.unwrap();
                assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
                stream.write_all(&vec![b'x'; 100_000]).await.unwrap();
                stream.shutdown().await.unwrap();
                let back = rest(&mut stream).await;
                assert_eq!(back.len(), 100_000 + format!("early{number}bye").len());
                assert!(back.ends_with("bye"));
            })
        })
        .collect();
    for tunnel in tunnels {
        tunnel.await.unwrap();
    }
}

#[tokio::test]
async fn what_a_command_has_open_ends_with_it_and_the_listener_with_the_last() {
    let (port, _) = server(false).await;
    let mut proxy = Proxy::open(&["127.0.0.1"]);
    let other = proxy.way.as_ref().unwrap().admit();
    assert_ne!(other, proxy.command);
    let connect = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n");
    let mut streams = Vec::new();
    for address in [proxy.command, other] {
        let mut stream = TcpStream::connect((address, proxy.port)).await.unwrap();
        stream.write_all(connect.as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
        streams.push(stream);
    }
    assert_eq!(proxy.settle(), []);
    assert_eq!(rest(&mut streams[0]).await, "", "its tunnel is closed");
    streams[1].write_all(b"a").await.unwrap();
    assert_eq!(streams[1].read_u8().await.unwrap(), b'a', "the other one goes on");
    assert_eq!(proxy.say(&connect).await, "", "nobody is served at an address that is given back");
    drop(proxy.way.take());
    assert_eq!(rest(&mut streams[1]).await, "");
    tokio::task::yield_now().await;
    let again = TcpStream::connect((other, proxy.port)).await;
    assert!(again.is_err(), "nothing listens any more");
}

#[tokio::test]
async fn silence_is_cut() {
    let (port, _) = server(false).await;
    let settings =
        NetworkSettings { idle_timeout: Duration::from_millis(200), ..settings_for_tests() };
    let proxy = Proxy::new(&["127.0.0.1"], &settings);
    for text in ["", "GET http://127", &format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n")] {
        let started = std::time::Instant::now();
        proxy.say(text).await;
        assert!(started.elapsed() < Duration::from_secs(10), "{text:?}");
    }
}

#[tokio::test]
async fn offline_means_this_machine_only() {
    let (port, _) = server(true).await;
    let settings = NetworkSettings { offline: true, ..settings_for_tests() };
    let proxy = Proxy::new(&["127.0.0.1", "example.invalid"], &settings);
    let get = |host: &str| format!("GET http://{host}/ HTTP/1.1\r\nconnection: close\r\n\r\n");
    assert!(proxy.say(&get(&format!("127.0.0.1:{port}"))).await.starts_with("HTTP/1.1 200"));
    let answer = proxy.say(&get("example.invalid")).await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("--offline"), "{answer}");
}

#[tokio::test]
async fn a_proxy_of_the_persons_is_asked_and_told_who_it_is() {
    let (port, mut seen) = server(true).await;
    let settings = NetworkSettings {
        all_proxy: Some(format!("http://ada:pw@127.0.0.1:{port}")),
        no_proxy: Some("direct.invalid".to_owned()),
        ..settings_for_tests()
    };
    let proxy = Proxy::new(&["far.invalid", "direct.invalid", "*.corp", "10.0.0.1"], &settings);
    let answer =
        proxy.say("GET http://far.invalid/p?q HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let plain = seen.recv().await.unwrap();
    assert!(plain.starts_with("GET http://far.invalid/p?q HTTP/1.1\r\n"), "{plain}");
    assert!(plain.contains("proxy-authorization: Basic YWRhOnB3"), "{plain}");
    let mut stream = proxy.connect().await;
    stream.write_all(b"CONNECT far.invalid:443 HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    let tunnel = seen.recv().await.unwrap();
    assert!(tunnel.starts_with("CONNECT far.invalid:443 HTTP/1.1\r\n"), "{tunnel}");
    assert!(
        tunnel.to_ascii_lowercase().contains("proxy-authorization: basic ywrhonb3"),
        "{tunnel}"
    );
    let direct = proxy.say("GET http://direct.invalid/ HTTP/1.1\r\n\r\n").await;
    assert!(direct.starts_with("HTTP/1.1 502"), "{direct}");
    assert!(seen.try_recv().is_err());
}
