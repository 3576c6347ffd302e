//! What one command may take of the proxy that all share: a part of its connections, and no more.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;

use serde_json::Value;
use serde_json::json;

use crate::agent_exit_codes::run_script;
use crate::hostile::PYTHON;
use crate::support::TestContext;

/// Holds every connection that it is let have, and says how many, until another command gets a page, for
/// which something has to be left.
const GREEDY: &str = r"
import os, socket, sys
address, port = os.environ['http_proxy'].removeprefix('http://').split(':')
rule, held, refused = sys.argv[1], [], []
while len(refused) < 3 and len(held) < 300:
    s = socket.create_connection((address, int(port)), 10)
    s.settimeout(30)
    s.sendall(f'CONNECT {rule} HTTP/1.1\r\n\r\n'.encode())
    answer = s.recv(65536).decode()
    (held if answer.startswith('HTTP/1.1 200') else refused).append((s, answer))
print(len(held), 'held', *(answer for _, answer in refused), flush=True)
held[0][0].sendall(b'GET /full HTTP/1.1\r\n\r\n')
held[0][0].recv(1)
";

/// A server that answers `/full` when somebody else has asked for `/done`, and that only after `/full`.
fn waiting() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let full: Arc<Mutex<Option<TcpStream>>> = Arc::default();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let full = Arc::clone(&full);
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut head = [0; 4096];
                let length = stream.read(&mut head).unwrap_or(0);
                if head[..length].starts_with(b"GET /full") {
                    *full.lock().unwrap() = Some(stream);
                } else if head[..length].starts_with(b"GET /done") {
                    let is_full = full.lock().unwrap().take().is_some();
                    let status = if is_full { "200 OK" } else { "404 Not Yet" };
                    let head = format!("HTTP/1.1 {status}\r\nconnection: close");
                    let answer = format!("{head}\r\ncontent-length: 4\r\n\r\nleft");
                    drop(stream.write_all(answer.as_bytes()));
                }
            });
        }
    });
    port
}

#[test]
fn a_command_that_takes_all_connections_leaves_some_to_another() {
    let rule = format!("127.0.0.1:{}", waiting());
    let context = TestContext::new();
    context.write("greedy.py", GREEDY);
    let greedy = format!("{PYTHON} -I greedy.py {rule}");
    let modest = format!(
        "while :; do curl -sSf -m 20 http://{rule}/done && exit 0; [ $? = 22 ] || exit 1; sleep 0.1; done"
    );
    let calls: Vec<Value> = [&greedy, &modest]
        .into_iter()
        .map(|command| json!({"name": "shell", "arguments": {"command": command, "timeout": 60}}))
        .collect();
    let script = json!([{"tool_calls": calls}, {"text": "done"}]);
    let fixed = ["--output-format", "jsonl", "--net", &rule];
    let finished = run_script(&context, &script, &fixed);
    assert_eq!(finished.code, 0, "{} {}", finished.stdout, finished.stderr);
    let told = &finished.stdout;
    assert!(told.contains("64 held HTTP/1.1 503"), "{told}");
    assert!(told.contains("has 64 connections open, as many as one command may have"), "{told}");
    assert!(told.contains("left"), "{told}");
}
