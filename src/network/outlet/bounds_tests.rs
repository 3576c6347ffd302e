//! What a hostile command may take of the proxy: time, bytes, connections; names that change; requests
//! that hold another.

use std::time::Duration;
use std::time::Instant;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio::time::timeout;

use super::BOUNDS;
use super::Bounds;
use super::tests::Proxy;
use super::tests::head;
use super::tests::rest;
use super::tests::server;
use crate::network::client::settings_for_tests;
use crate::network::resolver::staged;

async fn tunnel(proxy: &Proxy, port: u16) -> TcpStream {
    let mut stream = proxy.connect().await;
    let connect = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n");
    stream.write_all(connect.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stream
}

/// A byte now and then is not silence: the head as a whole has its time.
#[tokio::test]
async fn a_head_that_drips_is_cut_in_time() {
    let bounds = Bounds { head: Duration::from_millis(400), ..BOUNDS };
    let proxy = Proxy::bounded(&["127.0.0.1"], &settings_for_tests(), bounds);
    let mut stream = proxy.connect().await;
    let started = Instant::now();
    let line = b"GET http://127.0.0.1/ HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat(&b'x'));
    for byte in line {
        let is_written = stream.write_all(&[*byte]).await.is_ok();
        let answered = timeout(Duration::from_millis(30), stream.read_u8()).await;
        if !is_written || answered.is_ok() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(15), "it was never cut");
    }
    assert!(started.elapsed() > Duration::from_millis(300), "{:?}", started.elapsed());
}

/// A tunnel that drips is not silent, and ends with its command.
#[tokio::test]
async fn a_tunnel_that_drips_lives_as_long_as_its_command() {
    let (port, _) = server(false).await;
    let settings = crate::config::settings::NetworkSettings {
        idle_timeout: Duration::from_secs(1),
        ..settings_for_tests()
    };
    let proxy = Proxy::new(&["127.0.0.1"], &settings);
    let mut stream = tunnel(&proxy, port).await;
    for _ in 0..25 {
        stream.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
        sleep(Duration::from_millis(100)).await;
    }
    proxy.settle();
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_connection_carries_so_many_bytes_and_no_more() {
    const MOST: usize = 1 << 20;
    // Buffers that are under way when the bound is reached.
    const SLACK: usize = 256 << 10;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let arrived = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.unwrap_or(0)
    });
    let bounds = Bounds { bytes: MOST as u64, ..BOUNDS };
    let proxy = Proxy::bounded(&["127.0.0.1"], &settings_for_tests(), bounds);
    let mut stream = tunnel(&proxy, port).await;
    let mut sent = 0;
    while let Ok(Ok(())) = timeout(Duration::from_secs(5), stream.write_all(&[b'x'; 4096])).await {
        sent += 4096;
        assert!(sent < 64 << 20, "it was never cut");
    }
    let arrived = timeout(Duration::from_secs(20), arrived).await.expect("an end").unwrap();
    let arrived = usize::try_from(arrived).unwrap();
    assert!((MOST / 2..MOST + SLACK).contains(&arrived), "{arrived}");
    // The body of a plain answer counts as well.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    });
    let answer = proxy.say(&format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n")).await;
    assert!((MOST / 2..MOST + SLACK).contains(&answer.len()), "{}", answer.len());
}

#[tokio::test]
async fn one_more_than_there_is_room_for_waits_until_another_ends() {
    let (port, _) = server(false).await;
    let settings = crate::config::settings::NetworkSettings {
        idle_timeout: Duration::from_secs(30),
        ..settings_for_tests()
    };
    let bounds = Bounds { connections: 24, share: 24, ..BOUNDS };
    let proxy = Proxy::bounded(&["127.0.0.1"], &settings, bounds);
    let mut tunnels = Vec::new();
    for _ in 0..bounds.connections {
        tunnels.push(tunnel(&proxy, port).await);
    }
    let mut more = proxy.connect().await;
    let connect = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n");
    more.write_all(connect.as_bytes()).await.unwrap();
    let early = timeout(Duration::from_millis(300), more.read_u8()).await;
    assert!(early.is_err(), "it should wait");
    tunnels.pop();
    assert!(head(&mut more).await.starts_with("HTTP/1.1 200"));
    // All of them go on.
    for stream in &mut tunnels {
        stream.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
    }
}

#[tokio::test]
async fn a_command_with_all_of_its_share_leaves_the_rest_to_others() {
    let (port, _) = server(false).await;
    let settings = crate::config::settings::NetworkSettings {
        idle_timeout: Duration::from_mins(1),
        ..settings_for_tests()
    };
    let greedy = Proxy::new(&["127.0.0.1"], &settings);
    let mut tunnels = Vec::new();
    for _ in 0..BOUNDS.share {
        tunnels.push(tunnel(&greedy, port).await);
    }
    let connect = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n");
    let get = format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\n\r\n");
    for text in [&connect, &get, "nonsense\r\n\r\n"] {
        let answer = greedy.say(text).await;
        let is_nonsense = text.starts_with("nonsense");
        let expected = if is_nonsense { "HTTP/1.1 400" } else { "HTTP/1.1 503" };
        assert!(answer.starts_with(expected), "{answer}");
        assert_eq!(answer.contains("has 64 connections open"), !is_nonsense, "{answer}");
        assert_eq!(answer.contains("error=connection_limit_reached"), !is_nonsense, "{answer}");
    }
    // However many more knock: silent ones are let go at once or after a moment, and cost nobody.
    let mut silent = Vec::new();
    for _ in 0..BOUNDS.connections {
        silent.push(greedy.connect().await);
    }
    let other = greedy.way.as_ref().unwrap().admit();
    for _ in 0..4 {
        let started = Instant::now();
        let mut stream = greedy.connect_as(other).await;
        stream.write_all(connect.as_bytes()).await.unwrap();
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        tunnels.push(stream);
    }
    for stream in &mut silent {
        rest(stream).await;
    }
    // All that were there go on, and what one gives up can be had again.
    for stream in &mut tunnels {
        stream.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
    }
    drop(tunnels.remove(0));
    let started = Instant::now();
    loop {
        let mut stream = greedy.connect().await;
        stream.write_all(connect.as_bytes()).await.unwrap();
        if head(&mut stream).await.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "its place is not free again");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(greedy.settle(), [], "too many is no refusal of a host");
}

/// The name is looked up once for each connection; what it would answer next reaches nobody.
#[tokio::test]
async fn case_35_the_addresses_that_were_checked_are_the_ones_connected_to() {
    let (port, mut seen) = server(true).await;
    let rule = "rebinding.test";
    let proxy = Proxy::open(&[rule]);
    let get = format!("GET http://{rule}:{port}/ HTTP/1.1\r\nconnection: close\r\n\r\n");
    let connect = format!("CONNECT {rule}:{port} HTTP/1.1\r\n\r\n");
    staged::set(rule, &[&["127.0.0.1"], &["169.254.169.254"], &["127.0.0.1", "169.254.169.254"]]);
    let answer = proxy.say(&get).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(seen.recv().await.is_some());
    assert_eq!(staged::left(rule), 2, "it was looked up once");
    for (text, left) in [(&get, 1), (&connect, 0)] {
        let answer = proxy.say(text).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(answer.contains("metadata"), "{answer}");
        assert_eq!(staged::left(rule), left);
    }
    // Not known any more: no connection.
    assert!(proxy.say(&get).await.starts_with("HTTP/1.1 502"));
    for address in ["203.0.113.7", "224.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"] {
        staged::set(rule, &[&[address]]);
        let answer = proxy.say(&connect).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{address}: {answer}");
    }
    // By `all` and by wildcards nobody is named, and the own machine stays closed to any name.
    for wide in
        [&["all"][..], &["*.test"], &["*.elsewhere.test", "a.elsewhere.test:1", "127.0.0.1"]]
    {
        let open = Proxy::open(wide);
        for address in ["127.0.0.1", "10.0.0.1", "::1", "fe80::1", "::ffff:127.0.0.1"] {
            staged::set("a.elsewhere.test", &[&[address]]);
            let get = format!("GET http://a.elsewhere.test:{port}/ HTTP/1.1\r\n\r\n");
            let answer = open.say(&get).await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{wide:?} {address}: {answer}");
            let remedy = "which only `--net a.elsewhere.test` opens, no wildcard";
            assert!(answer.contains(remedy), "{answer}");
        }
        assert_eq!(open.settle().len(), 5);
    }
    assert!(seen.try_recv().is_err(), "nobody else came");
}

/// Each of these is one request or none, whatever a parser that is less strict would make of it.
#[tokio::test]
async fn no_request_hides_in_another() {
    let rows = [
        "content-length: 0\r\ncontent-length: 60\r\n\r\n",
        "content-length: 0, 60\r\n\r\n",
        "content-length: +60\r\n\r\n",
        "content-length: 0x3c\r\n\r\n",
        "content-length: -1\r\n\r\n",
        "content-length : 60\r\n\r\n",
        "content-length: 60\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n0;x=\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n0\n\n",
        "transfer-encoding: chunked\r\n\r\n-0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
        "connection: content-length, host\r\ncontent-length: 60\r\n\r\n",
        "x: y\r\n content-length: 60\r\n\r\n",
        "x: y\rcontent-length: 60\r\n\r\n",
        "x: y\0\r\n\r\n",
        "host: a\r\nhost: b\r\n\r\n",
        "expect: 100-continue\r\ncontent-length: 60\r\n\r\n",
        "upgrade: h2c\r\nhttp2-settings: AAAA\r\nconnection: upgrade, http2-settings\r\n\r\n",
    ];
    let rows: Vec<_> = rows.into_iter().map(|framing| tokio::spawn(one_request(framing))).collect();
    for row in rows {
        row.await.unwrap();
    }
}

async fn one_request(framing: &str) {
    let (port, mut seen) = server(true).await;
    let proxy = Proxy::open(&["127.0.0.1"]);
    let inner = format!("GET http://127.0.0.1:{port}/inner HTTP/1.1\r\n\r\n");
    // Without a length the second request is one of its own, which is as it should be.
    let request = format!("POST http://127.0.0.1:{port}/outer HTTP/1.1\r\n{framing}{inner}");
    let mut stream = proxy.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    drop(stream.shutdown().await);
    rest(&mut stream).await;
    let mut heads = Vec::new();
    while let Ok(Some(head)) = timeout(Duration::from_millis(500), seen.recv()).await {
        heads.push(head.to_ascii_lowercase());
    }
    // A connection on which nothing was said.
    heads.retain(|head| !head.is_empty());
    for head in &heads {
        let (first, _) = head.split_once("\r\n\r\n").unwrap_or_default();
        let count = |name: &str| first.matches(&format!("\r\n{name}:")).count();
        let host = format!("\r\nhost: 127.0.0.1:{port}");
        let is_plain = count("host") == 1
            && first.contains(&host)
            && count("content-length") + count("transfer-encoding") <= 1
            && !first.contains("upgrade");
        assert!(is_plain, "{framing:?}: {head:?}");
        assert!(first.starts_with("post /outer ") || first.starts_with("get /inner "), "{head}");
    }
    // What came as a body of the first did not come as a request as well.
    let is_body = heads.first().is_some_and(|head| head.contains("get http://"));
    assert!(heads.len() < 2 || !is_body, "{framing:?}: {heads:?}");
}

/// Its answer would hold what was added on the way.
#[tokio::test]
async fn trace_is_not_passed_on() {
    let (port, mut seen) = server(true).await;
    let settings = crate::config::settings::NetworkSettings {
        all_proxy: Some(format!("http://ada:pw@127.0.0.1:{port}")),
        ..settings_for_tests()
    };
    let proxy = Proxy::new(&["far.invalid"], &settings);
    let request = "TRACE http://far.invalid/ HTTP/1.1\r\nmax-forwards: 0\r\n\r\n";
    let answer = proxy.say(request).await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert!(seen.try_recv().is_err());
}

/// What a server answers is written anew as well.
#[tokio::test]
async fn an_answer_is_written_anew() {
    for (answer, expected) in [
        ("HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "HTTP/1.1 502"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "HTTP/1.1 200",
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: x-gone\r\nx-gone: 1\r\ncontent-length: 2\r\n\r\nhi",
            "HTTP/1.1 200",
        ),
        ("nonsense\r\n\r\n", "HTTP/1.1 502"),
        ("", "HTTP/1.1 502"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let proxy = Proxy::open(&["127.0.0.1"]);
        let get = format!("GET http://127.0.0.1:{port}/ HTTP/1.1\r\nconnection: close\r\n\r\n");
        let given = proxy.say(&get).await.to_ascii_lowercase();
        assert!(given.starts_with(&expected.to_ascii_lowercase()), "{answer:?}: {given:?}");
        let lengths = given.matches("content-length:").count();
        assert!(lengths + given.matches("transfer-encoding:").count() <= 1, "{given}");
        assert!(!given.contains("x-gone") && !given.contains(": 99"), "{given}");
        if expected.ends_with("200") {
            assert!(given.contains("hi"), "{given}");
        }
    }
}
