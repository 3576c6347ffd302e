//! A model server on loopback that speaks three dialects and fails on demand.
//!
//! The first part of the path is the scenario: `http://127.0.0.1:PORT/429once/v1`. It answers
//! [`TEXT`], or calls a tool where the person's text says `CALL name {json}` (as often as the
//! conversation does not hold a result yet; `CALL*3` three times in a row). Threads and plain
//! sockets: what goes over the wire is exactly what stands here.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use super::model_dialects;

/// The answer, in the pieces in which it is streamed.
pub const TEXT: [&str; 3] = ["The ", "answer ", "is 42."];

/// How long `stall` and `hang` stay silent: longer than any test waits.
const SILENCE: Duration = Duration::from_mins(2);

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Counts from 0: requests of one connection have the same number.
    pub connection: usize,
    pub at: Instant,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// The server; its threads end with the process.
pub struct ModelServer {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Seen>>>,
}

impl ModelServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        let log = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (Ok(stream), log) = (stream, Arc::clone(&shared)) else { continue };
                // A client that hangs up early is an expected event here.
                std::thread::spawn(move || serve(stream, connection, &log).ok());
            }
        });
        Self { address, log }
    }

    /// `http://127.0.0.1:PORT/SCENARIO/v1`: the base URL of either provider.
    pub fn url(&self, scenario: &str) -> String {
        format!("http://{}/{scenario}/v1", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.log.lock().expect("the log").clone()
    }
}

fn serve(stream: TcpStream, connection: usize, log: &Mutex<Vec<Seen>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut reply = Reply { stream };
    while let Some(seen) = read_request(&mut reader, connection)? {
        let scenario = seen.path.split('/').nth(1).unwrap_or_default().to_owned();
        let count = {
            let mut log = log.lock().expect("the log");
            log.push(seen.clone());
            log.iter().filter(|other| other.path == seen.path).count()
        };
        if !answer(&mut reply, &seen, &scenario, count)? {
            return reply.stream.shutdown(Shutdown::Both);
        }
    }
    Ok(())
}

fn read_request(
    reader: &mut BufReader<TcpStream>,
    connection: usize,
) -> std::io::Result<Option<Seen>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let at = Instant::now();
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().expect("a length"))];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).expect("a body in UTF-8");
    Ok(Some(Seen { method, path, headers, body, connection, at }))
}

/// Answers as the scenario says; false: the connection is cut.
fn answer(reply: &mut Reply, seen: &Seen, scenario: &str, count: usize) -> std::io::Result<bool> {
    if seen.path.contains("/models") {
        let list = json!({"object": "list", "data": [{"id": "mock-model"}, {"id": "other"}]});
        let date: &[_] = match scenario {
            "date1999" => &[("date", "Fri, 01 Jan 1999 00:00:00 GMT")],
            "list401" => return reply.status(401),
            _ => &[],
        };
        return reply.whole(200, "application/json", date, list.to_string().as_bytes());
    }
    let once = scenario.strip_suffix("once");
    let scenario = match once {
        Some(first) if count == 1 => first,
        Some(_) => "ok",
        None => scenario,
    };
    if let Ok(status) = scenario.parse::<u16>() {
        return reply.status(status);
    }
    match scenario {
        "hang" => {
            std::thread::sleep(SILENCE);
            Ok(false)
        }
        "close" => Ok(false),
        "html" => reply.whole(200, "text/html", &[], b"<html><body>proxy login</body></html>"),
        "empty" => reply.whole(200, "application/json", &[], b""),
        "redirect" => reply.whole(302, "text/plain", &[("location", "http://127.0.0.1:9/")], b""),
        "toolong" => {
            let error = json!({"type": "error", "error": {"type": "invalid_request_error",
                "code": "context_length_exceeded", "message": "prompt is too long: 9 > 8"}});
            reply.whole(400, "application/json", &[], error.to_string().as_bytes())
        }
        "noschema" if seen.body.contains("json_schema") => {
            let error = json!({"error": {"message": "response_format is not supported"}});
            reply.whole(400, "application/json", &[], error.to_string().as_bytes())
        }
        "whole" => {
            let body = model_dialects::whole(&seen.path, &seen.json());
            reply.whole(200, "application/json", &[], body.to_string().as_bytes())
        }
        _ => reply.stream(scenario, &model_dialects::stream(&seen.path, &seen.json())),
    }
}

/// The way back; each method says whether the connection stays.
struct Reply {
    stream: TcpStream,
}

impl Reply {
    fn status(&mut self, status: u16) -> std::io::Result<bool> {
        let kind = match status {
            401 => "authentication_error",
            429 => "rate_limit_error",
            _ => "api_error",
        };
        let message = format!("mock says {status}");
        let error = json!({"type": "error", "error": {"type": kind, "message": message}});
        let wait: &[(&str, &str)] = if status == 429 { &[("retry-after", "1")] } else { &[] };
        self.whole(status, "application/json", wait, error.to_string().as_bytes())
    }

    fn whole(
        &mut self,
        status: u16,
        content_type: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<bool> {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (headers, length) = (headers.concat(), body.len());
        let head = format!(
            "HTTP/1.1 {status} Mock\r\ncontent-type: {content_type}\r\n{headers}content-length: {length}\r\n\r\n"
        );
        self.stream.write_all(&[head.as_bytes(), body].concat())?;
        Ok(true)
    }

    fn stream(&mut self, scenario: &str, events: &[String]) -> std::io::Result<bool> {
        self.stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        for (at, event) in events.iter().enumerate() {
            let half = at == events.len() / 2;
            match scenario {
                "badjson" if half => self.chunk(b"data: {\"type\": \"x\", oops\n\n")?,
                "cut" if half => return Ok(false),
                "stall" if half => {
                    std::thread::sleep(SILENCE);
                    return Ok(false);
                }
                // A model that never stops, until nobody listens any more.
                "endless" if model_dialects::text_in(event).is_some() => loop {
                    let text = model_dialects::text_in(event).unwrap_or_default();
                    self.chunk(event.replace(text, &"x".repeat(1 << 20)).as_bytes())?;
                },
                // An event that never ends.
                "endlessline" if half => {
                    self.chunk(b"data: {\"")?;
                    loop {
                        self.chunk("x".repeat(1 << 14).as_bytes())?;
                    }
                }
                // The framing ends in good order, the answer does not.
                "short" if half => break,
                _ => self.chunk(event.as_bytes())?,
            }
            if scenario == "slow" {
                std::thread::sleep(Duration::from_millis(200));
            }
        }
        self.stream.write_all(b"0\r\n\r\n")?;
        Ok(true)
    }

    fn chunk(&mut self, data: &[u8]) -> std::io::Result<()> {
        let head = format!("{:x}\r\n", data.len());
        self.stream.write_all(&[head.as_bytes(), data, b"\r\n"].concat())
    }
}
