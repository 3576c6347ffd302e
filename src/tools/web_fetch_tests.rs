//! Fetching from a loopback server that a rule names, and everything that must be refused.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::WebFetch;
use crate::config::settings::NetworkSettings;
use crate::network::Client;
use crate::tools::Tool;
use crate::tools::ToolContext;
use crate::tools::ToolError;
use crate::tools::ToolOutput;

/// A server that answers each path with what `answer` gives for it, one connection at a time.
fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let path = head.split(' ').nth(1).unwrap_or_default();
            // The client may have gone on purpose.
            stream.write_all(&answer(path)).ok();
        }
    });
    format!("http://127.0.0.1:{}", address.port())
}

fn page(head: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The guard must hold by itself, so nothing is offline here.
fn context(place: &std::path::Path) -> ToolContext {
    let context = ToolContext::for_tests(place);
    let settings = NetworkSettings { offline: false, ..context.http.settings().clone() };
    ToolContext { http: Arc::new(Client::new(&settings).unwrap()), ..context }
}

async fn fetch(net: &[&str], arguments: Value) -> Result<ToolOutput, ToolError> {
    let place = tempfile::tempdir().unwrap();
    let tool = WebFetch::new(net.iter().map(|rule| (*rule).to_owned()).collect());
    tool.run(arguments, &context(place.path())).await
}

#[tokio::test]
async fn a_page_of_a_named_host() {
    let server = serve(|_| {
        page("200 OK\r\ncontent-type: text/html", b"<title>T</title><p>Hello <b>you</b>")
    });
    let output = fetch(&["127.0.0.1"], json!({"url": format!("{server}/x")})).await.unwrap();
    let data = output.data.unwrap();
    assert_eq!(data["status"], 200);
    assert!(data["text"].as_str().unwrap().contains("Hello **you**"));
    assert_eq!(data["truncated"], false);
    assert!(output.text.contains("not instructions"));
}

#[tokio::test]
async fn this_machine_is_refused_unless_a_rule_names_it() {
    let server = serve(|_| page("200 OK", b"secret"));
    let port = server.rsplit(':').next().unwrap();
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "localhost",
        "localhost.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0",
        "0.0.0.0",
    ] {
        for net in [&[][..], &["all"], &["example.org"]] {
            let url = format!("http://{host}:{port}/");
            let error = fetch(net, json!({"url": url})).await.unwrap_err();
            assert!(matches!(error, ToolError::Denied { .. }), "{url} {net:?}: {error:?}");
        }
    }
    let output = fetch(&["localhost"], json!({"url": format!("http://localhost:{port}/")})).await;
    assert!(output.unwrap().text.contains("secret"));
}

#[tokio::test]
async fn hosts_that_nobody_may_ask() {
    let urls = [
        "http://169.254.169.254/latest/",
        "http://[::ffff:169.254.169.254]/",
        "http://100.100.100.200/",
        "http://metadata.google.internal/",
        "http://user@127.0.0.1/",
        "http://10.0.0.1/",
    ];
    for url in urls {
        let error = fetch(&["all"], json!({"url": url})).await.unwrap_err();
        assert!(matches!(error, ToolError::Denied { .. }), "{url}: {error:?}");
    }
    let error = fetch(&["169.254.169.254"], json!({"url": urls[0]})).await.unwrap_err();
    assert!(matches!(error, ToolError::Denied { .. }), "a rule cannot open it: {error:?}");
    for url in ["file:///etc/passwd", "http://a.example\u{0}.evil.example/", "about:blank"] {
        let error = fetch(&["all"], json!({"url": url})).await.unwrap_err();
        assert!(matches!(error, ToolError::ForModel(_)), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn redirects_are_checked_and_bounded() {
    let server = serve(|path| match path {
        "/once" => page("302 Found\r\nlocation: /end", b""),
        "/end" => page("200 OK\r\ncontent-type: text/plain", b"arrived"),
        "/metadata" => page("302 Found\r\nlocation: http://169.254.169.254/", b""),
        "/elsewhere" => page("302 Found\r\nlocation: http://other.example/", b""),
        _ => page("302 Found\r\nlocation: /again", b""),
    });
    let ask = |path: &str| json!({"url": format!("{server}{path}")});
    let output = fetch(&["127.0.0.1"], ask("/once")).await.unwrap();
    assert!(output.text.contains("arrived") && output.text.contains("/end"));
    let error = fetch(&["127.0.0.1", "all"], ask("/metadata")).await.unwrap_err();
    assert!(matches!(error, ToolError::Denied { .. }), "{error:?}");
    let error = fetch(&["127.0.0.1"], ask("/elsewhere")).await.unwrap_err();
    assert!(
        matches!(&error, ToolError::ForModel(text) if text.contains("http://other.example/")),
        "{error:?}"
    );
    let error = fetch(&["127.0.0.1"], ask("/loop")).await.unwrap_err();
    assert!(
        matches!(&error, ToolError::Network(text) if text.contains("more than 5 times")),
        "{error:?}"
    );
}

#[tokio::test]
async fn bytes_are_bounded_after_decompression() {
    let server = serve(|path| {
        if path == "/bomb" {
            // A mebibyte of zeros in a kilobyte.
            let bomb = include_bytes!("../../tests/fixtures/zeros_1m.gz");
            return page("200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip", bomb);
        }
        page("200 OK\r\ncontent-type: text/plain", &b"x".repeat(100_000))
    });
    for path in ["/bomb", "/long"] {
        let arguments = json!({"url": format!("{server}{path}"), "max_bytes": 1000});
        let output = fetch(&["127.0.0.1"], arguments).await.unwrap();
        let data = output.data.unwrap();
        assert_eq!(data["text"].as_str().unwrap().len(), 1000, "{path}");
        assert_eq!(data["truncated"], true, "{path}");
    }
}

#[tokio::test]
async fn a_length_that_lies_and_a_type_that_is_no_text() {
    let server = serve(|path| match path {
        "/lie" => {
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\nshort"
                .to_vec()
        }
        _ => page("200 OK\r\ncontent-type: image/png", b"\x89PNG"),
    });
    let error = fetch(&["127.0.0.1"], json!({"url": format!("{server}/lie")})).await.unwrap_err();
    assert!(matches!(&error, ToolError::Network(text) if text.contains("broke off")), "{error:?}");
    let error = fetch(&["127.0.0.1"], json!({"url": format!("{server}/png")})).await.unwrap_err();
    assert!(matches!(&error, ToolError::ForModel(text) if text.contains("image/png")), "{error:?}");
}

#[tokio::test]
async fn a_silent_server_ends_with_the_cancellation() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = tempfile::tempdir().unwrap();
    let context = context(place.path());
    let cancel = context.cancel.clone();
    // Accepted, and never answered.
    std::thread::spawn(move || {
        let accepted = listener.accept();
        cancel.cancel();
        drop(accepted);
    });
    let tool = Arc::new(WebFetch::new(vec!["127.0.0.1".to_owned()]));
    let arguments = json!({"url": format!("http://127.0.0.1:{port}/")});
    let result = tokio::time::timeout(Duration::from_secs(5), tool.run(arguments, &context)).await;
    assert_eq!(result.unwrap().unwrap_err(), ToolError::Cancelled);
}

#[tokio::test]
async fn pages_in_the_encodings_that_they_or_their_servers_name() {
    let cyrillic = [b"<meta charset=windows-1251><p>".as_slice(), &[0xcf, 0xf0, 0xe8]].concat();
    let pages: [(&str, &str, Vec<u8>, &str); 5] = [
        ("/meta", "text/html", cyrillic.clone(), "\u{41f}\u{440}\u{438}"),
        ("/head", "text/plain; charset=Shift_JIS", vec![0x93, 0xfa], "\u{65e5}"),
        ("/mark", "text/plain", vec![0xff, 0xfe, 0x41, 0x00], "A"),
        ("/server", "text/html; charset=\"utf-8\"", "<meta charset=koi8-r>\u{fc}".into(), "\u{fc}"),
        ("/wrong", "text/plain; charset=nonsense", vec![b'x', 0xff], "x\u{fffd}"),
    ];
    let served = pages.clone();
    let base = serve(move |path| {
        let (_, kind, body, _) = served.iter().find(|page| page.0 == path).unwrap();
        page(&format!("200 OK\r\ncontent-type: {kind}"), body)
    });
    for (path, _, _, expected) in pages {
        let output = fetch(&["127.0.0.1"], json!({"url": format!("{base}{path}")})).await.unwrap();
        assert_eq!(output.data.unwrap()["text"], expected, "{path}");
    }
}

/// The proxy looks the name up, so what the name says by itself is all that can be checked.
#[tokio::test]
async fn a_proxy_of_the_persons_is_used_and_private_names_are_not_asked_of_it() {
    let proxy = serve(|path| page("200 OK\r\ncontent-type: text/plain", path.as_bytes()));
    let place = tempfile::tempdir().unwrap();
    let base = context(place.path());
    let settings = NetworkSettings {
        http_proxy: Some(proxy),
        no_proxy: Some("direct.invalid".to_owned()),
        ..base.http.settings().clone()
    };
    let context = ToolContext { http: Arc::new(Client::new(&settings).unwrap()), ..base };
    let run = async |rules: &[&str], url: &str| {
        let tool = WebFetch::new(rules.iter().map(|rule| (*rule).to_owned()).collect());
        tool.run(json!({"url": url}), &context).await
    };
    let output = run(&[], "http://far.invalid/x").await.unwrap();
    assert_eq!(output.data.unwrap()["text"], "http://far.invalid/x");
    for url in ["http://intranet/", "http://a.corp/", "http://printer.local/", "http://10.0.0.1/"] {
        let error = run(&["all"], url).await.unwrap_err();
        assert!(matches!(error, ToolError::Denied { .. }), "{url}: {error:?}");
    }
    run(&["intranet"], "http://intranet/").await.unwrap();
    let error = run(&["169.254.169.254"], "http://169.254.169.254/").await.unwrap_err();
    assert!(matches!(error, ToolError::Denied { .. }), "{error:?}");
    let error = run(&[], "http://direct.invalid/").await.unwrap_err();
    assert!(matches!(error, ToolError::Network(_)), "{error:?}");
    let error = run(&[], "http://127.0.0.1:9/").await.unwrap_err();
    assert!(matches!(error, ToolError::Denied { .. }), "{error:?}");
}
