//! The network client against real sockets: whom it trusts, and which way it goes.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use agi_agent::config::settings::NetworkSettings;
use agi_agent::network::Client;
use agi_agent::network::HttpRequest;
use agi_agent::network::Method;
use agi_agent::network::NetworkError;
use agi_agent::network::Purpose;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

fn settings() -> NetworkSettings {
    NetworkSettings {
        offline: false,
        ca: None,
        // The machine's own store must not decide a test.
        ssl_cert_file: Some(fixture("server.pem")),
        ssl_cert_dir: None,
        http_proxy: None,
        https_proxy: None,
        all_proxy: None,
        no_proxy: None,
        idle_timeout: Duration::from_secs(5),
        total_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(5),
        max_retries: 0,
        record: None,
        replay: None,
        here: agi_agent::config::places::Here::default(),
    }
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

fn get(settings: &NetworkSettings, url: &str) -> Result<String, NetworkError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let request = HttpRequest {
            method: Method::Get,
            url: url.to_owned(),
            headers: Vec::new(),
            body: bytes::Bytes::new(),
            purpose: Purpose::Configured,
        };
        let response = Client::new(settings)?.send(request).await?;
        assert_eq!(response.status, 200);
        response.body.text(1000).await
    })
}

/// Reads a request's head; its first line.
fn read_head(stream: &mut impl Read) -> std::io::Result<String> {
    let mut lines = BufReader::with_capacity(1, stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    Ok(first)
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";

/// A server with the certificate of the fixtures; its port.
fn tls_server() -> u16 {
    let chain = CertificateDer::pem_file_iter(fixture("server.pem")).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            // A client that does not trust us ends the handshake.
            if read_head(&mut stream).is_ok() {
                stream.write_all(ANSWER).ok();
                stream.conn.send_close_notify();
                stream.flush().ok();
            }
        }
    });
    port
}

#[test]
fn an_unknown_authority_is_not_trusted() {
    let port = tls_server();
    // A store with some certificate, but not with the authority's.
    let place = tempfile::tempdir().unwrap();
    let empty =
        NetworkSettings { ssl_cert_file: Some(place.path().join("none.pem")), ..settings() };
    let error = get(&empty, &format!("https://localhost:{port}/")).unwrap_err();
    assert!(
        matches!(&error, NetworkError::Store { reason } if reason.contains("none.pem")),
        "{error}"
    );
    let other = NetworkSettings { ssl_cert_file: Some(fixture("other.pem")), ..settings() };
    let error = get(&other, &format!("https://localhost:{port}/")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot trust `localhost:{port}`: its certificate was issued by nobody we know")
    );
    assert!(error.hint().unwrap().contains("--ca"));
}

#[test]
fn an_authority_of_the_person_is_trusted() {
    let port = tls_server();
    let url = format!("https://localhost:{port}/");
    let added = NetworkSettings {
        ssl_cert_file: Some(fixture("other.pem")),
        ca: Some(fixture("ca.pem")),
        ..settings()
    };
    assert_eq!(get(&added, &url).unwrap(), "hello");
    let replaced = NetworkSettings { ssl_cert_file: Some(fixture("ca.pem")), ..settings() };
    assert_eq!(get(&replaced, &url).unwrap(), "hello");
    let directory = tempfile::tempdir().unwrap();
    // The form of OpenSSL's directories: names by hash.
    std::fs::copy(fixture("ca.pem"), directory.path().join("0a1b2c3d.0")).unwrap();
    let directory = Some(directory.path().to_owned());
    let by_directory =
        NetworkSettings { ssl_cert_file: None, ssl_cert_dir: directory, ..settings() };
    assert_eq!(get(&by_directory, &url).unwrap(), "hello");
}

#[test]
fn a_certificate_for_another_name_is_not_trusted() {
    let port = tls_server();
    let trusted = NetworkSettings { ssl_cert_file: Some(fixture("ca.pem")), ..settings() };
    let error = get(&trusted, &format!("https://[::ffff:127.0.0.1]:{port}/")).unwrap_err();
    assert!(error.to_string().contains("for another name"), "{error}");
}

#[test]
fn a_plain_server_behind_https_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").ok();
        }
    });
    let trusted = NetworkSettings { ssl_cert_file: Some(fixture("ca.pem")), ..settings() };
    let error = get(&trusted, &format!("https://localhost:{port}/")).unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

#[test]
fn plain_http_reads_no_certificates() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            read_head(&mut stream).unwrap();
            stream.write_all(ANSWER).unwrap();
        }
    });
    // Were the store read, its absence would be an error.
    let broken = NetworkSettings { ca: Some(PathBuf::from("/nonexistent/ca.pem")), ..settings() };
    assert_eq!(get(&broken, &format!("http://localhost:{port}/")).unwrap(), "hello");
    let error = get(&broken, &format!("https://localhost:{port}/")).unwrap_err();
    assert!(matches!(error, NetworkError::Store { .. }), "{error}");
}

/// A proxy that notes first lines, answers plain requests itself and leads tunnels to `inside`.
fn proxy(inside: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:pw@127.0.0.1:{}", listener.local_addr().unwrap().port());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let first = read_head(&mut stream).unwrap();
            let tunnel = first.starts_with("CONNECT ");
            noted.lock().unwrap().push(first);
            if tunnel {
                stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
                let target = TcpStream::connect(("127.0.0.1", inside)).unwrap();
                let (mut from, mut to) = (stream.try_clone().unwrap(), target.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to).ok());
                std::thread::spawn(move || std::io::copy(&mut &target, &mut &stream).ok());
            } else {
                stream.write_all(ANSWER).unwrap();
            }
        }
    });
    (url, seen)
}

#[test]
fn proxies_of_the_settings_are_used() {
    let (url, seen) = proxy(tls_server());
    let direct = NetworkSettings { ssl_cert_file: Some(fixture("ca.pem")), ..settings() };
    let proxied = NetworkSettings {
        http_proxy: Some(url.clone()),
        https_proxy: Some(url.clone()),
        ..direct.clone()
    };
    assert_eq!(get(&proxied, "http://model.example/v1?x=1").unwrap(), "hello");
    assert_eq!(get(&proxied, "https://model.example/v1").unwrap(), "hello");
    let all = NetworkSettings { all_proxy: Some(url), ..direct };
    assert_eq!(get(&all, "https://model.example/").unwrap(), "hello");
    let lines = [
        "GET http://model.example/v1?x=1 HTTP/1.1",
        "CONNECT model.example:443 HTTP/1.1",
        "CONNECT model.example:443 HTTP/1.1",
    ];
    assert_eq!(*seen.lock().unwrap(), lines);
}

#[test]
fn a_proxy_without_a_scheme_is_an_http_proxy() {
    let (url, seen) = proxy(tls_server());
    let bare = url.trim_start_matches("http://").to_owned();
    let proxied = NetworkSettings { http_proxy: Some(bare), ..settings() };
    assert_eq!(get(&proxied, "http://model.example/").unwrap(), "hello");
    assert_eq!(*seen.lock().unwrap(), ["GET http://model.example/ HTTP/1.1"]);
}

#[test]
fn this_machine_and_exceptions_are_reached_directly() {
    let port = tls_server();
    let (url, seen) = proxy(port);
    let trusted = NetworkSettings {
        ssl_cert_file: Some(fixture("ca.pem")),
        all_proxy: Some(url),
        no_proxy: Some("::ffff:127.0.0.1".to_owned()),
        ..settings()
    };
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(get(&trusted, &format!("https://{host}:{port}/")).unwrap(), "hello");
    }
    // Reached, since it shows a certificate, which is for other names.
    let error = get(&trusted, &format!("https://[::ffff:127.0.0.1]:{port}/")).unwrap_err();
    assert!(matches!(error, NetworkError::Certificate { .. }), "{error}");
    let offline = NetworkSettings { offline: true, ..trusted };
    let error = get(&offline, "http://model.example/").unwrap_err();
    assert!(matches!(error, NetworkError::Offline { .. }), "{error}");
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn a_proxy_that_cannot_be_one_is_told_without_its_password() {
    for text in ["ftp://u:pw@proxy.example", "http://u:pw@", "http://u:pw@a b:1", "u:pw@host:port"]
    {
        let wrong = NetworkSettings { all_proxy: Some(text.to_owned()), ..settings() };
        let error = get(&wrong, "http://model.example/").unwrap_err();
        assert!(matches!(error, NetworkError::Proxy { .. }), "{text}: {error}");
        assert!(!error.to_string().contains("pw"), "{text}: {error}");
    }
}
