//! Cases 34 to 38: addresses, redirects and bodies that `web_fetch` must not be led by.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use super::Rows;
use super::network::PYTHON;
use crate::support::Finished;
use crate::support::TestContext;
use crate::support::binary;
use crate::support::finish;

/// What the server on this machine says; no fetch that was refused may show it.
const BODY: &str = "inner-page-8852";

/// A server on this machine: its port, and how many connections came.
struct Server {
    port: u16,
    seen: Arc<AtomicUsize>,
}

impl Server {
    fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&seen), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(stream.unwrap(), &*answer));
            }
        });
        Self { port, seen }
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&str, &mut TcpStream)) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    answer(head.split(' ').nth(1).unwrap_or_default(), &mut stream);
}

/// The client may have gone on purpose, so writing may fail.
fn send(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let head =
        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)));
}

fn fetch(context: &TestContext, url: &str, more: &[&str]) -> Finished {
    let arguments = json!({"url": url}).to_string();
    let fixed = ["tool", "run", "web_fetch", "--args", &arguments];
    context.run([&fixed[..], more].concat())
}

#[expect(clippy::too_many_lines, reason = "a list of spellings")]
#[test]
fn case_34_no_spelling_of_an_inner_address_is_fetched() {
    let server = Server::start(|_, stream| send(stream, "200 OK", BODY.as_bytes()));
    let context = TestContext::new();
    let mut rows = Rows::new("case 34");
    let port = server.port;
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "127.255.255.254",
        "0",
        "0.0.0.0",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "017700000001",
        "2130706433",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.1.1",
        "[fc00::1]",
        "[fe80::1]",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "user@127.0.0.1",
        "user:pw@127.0.0.1",
        "example.org@127.0.0.1",
        "127.0.0.1\\@example.org",
        "example.org\u{0}.127.0.0.1",
        "127.0.0.1\t",
        "ex\u{430}mple.invalid",
    ] {
        for net in [
            &[][..],
            &["--net", "all"],
            &["--net", "example.org"],
            &["--net", "*.localhost", "--net", "*.internal", "--net", "*.invalid"],
        ] {
            let finished = fetch(&context, &format!("http://{host}:{port}/"), net);
            let held = [42, 43, 45].contains(&finished.code) && !finished.stdout.contains(BODY);
            let seen = format!("{} {}", finished.code, finished.stdout);
            rows.row(format!("{host} {net:?}"), held, &seen);
        }
    }
    for url in [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://127.0.0.1/",
        "data:text/plain,x",
        "//127.0.0.1/",
        "http:///127.0.0.1/",
    ] {
        let finished = fetch(&context, url, &["--net", "all"]);
        rows.row(url, finished.code != 0, &finished.stdout);
    }
    rows.row("nobody came", server.seen() == 0, &server.seen().to_string());
    let named = fetch(&context, &format!("http://127.0.0.1:{port}/"), &["--net", "127.0.0.1"]);
    rows.row("a rule that names it opens it", named.stdout.contains(BODY), &named.stderr);
    let metadata = fetch(&context, "http://169.254.169.254/", &["--net", "169.254.169.254"]);
    rows.row("no rule opens metadata", metadata.code == 43, &metadata.stderr);
}

/// In a network of its own: a name server whose first answer is a public address (which is there, on
/// the loopback device) and whose later answers are this machine; a page on both.
const REBINDING: &str = r#"
import ctypes, fcntl, os, socket, struct, subprocess, sys, threading
program, mode = sys.argv[1], sys.argv[2]
libc = ctypes.CDLL(None, use_errno=True)
def configure(name, address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if address:
        request = struct.pack('16sH2s4s8s', name, socket.AF_INET, b'\0\0', socket.inet_aton(address), b'')
        fcntl.ioctl(s, 0x8916, request)
    fcntl.ioctl(s, 0x8914, struct.pack('16sH14s', name, 0x41, b''))
configure(b'lo', None)
configure(b'lo:1', '93.184.216.34')
with open('resolv.conf', 'w') as f:
    f.write('nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
with open('hosts', 'w') as f:
    f.write('')
for name in ('resolv.conf', 'hosts'):
    if libc.mount(os.path.abspath(name).encode(), os.path.realpath('/etc/' + name).encode(), None, 4096, None):
        raise OSError(ctypes.get_errno(), 'mount ' + name)
asked = []
def answer(data):
    end = data.index(b'\0', 12)
    kind = struct.unpack('>H', data[end + 1:end + 3])[0]
    addresses = []
    if kind == 1:
        asked.append(1)
        later = ['127.0.0.1'] if mode == 'rebind' else ['93.184.216.34', '127.0.0.1']
        addresses = ['93.184.216.34'] if mode == 'rebind' and len(asked) == 1 else later
    records = b''.join(b'\xc0\x0c\0\1\0\1\0\0\0\0\0\4' + socket.inet_aton(a) for a in addresses)
    return data[:2] + b'\x81\x80\0\1' + struct.pack('>H', len(addresses)) + b'\0\0\0\0' + data[12:end + 5] + records
def names():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('127.0.0.1', 53))
    while True:
        data, peer = s.recvfrom(512)
        s.sendto(answer(data), peer)
came = {}
def page(address):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 80))
    s.listen()
    def loop():
        while True:
            c, _ = s.accept()
            came[address] = came.get(address, 0) + 1
            c.recv(4096)
            text = b'public page' if address != '127.0.0.1' else b'inner page'
            c.sendall(b'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n' % len(text) + text)
            c.close()
    threading.Thread(target=loop, daemon=True).start()
threading.Thread(target=names, daemon=True).start()
page('127.0.0.1')
page('93.184.216.34')
run = subprocess.run([program, 'tool', 'run', 'web_fetch', '--net', sys.argv[3], '--args', '{"url": "http://rebind.example/"}'],
                     capture_output=True, text=True, timeout=30)
print(run.returncode, 'public' if 'public page' in run.stdout else '-', 'inner' if 'inner page' in run.stdout else '-',
      came.get('127.0.0.1', 0), len(asked), run.stderr.replace('\n', ' '))
"#;

fn rebinding(mode: &str, rule: &str) -> Option<String> {
    let context = TestContext::new();
    context.write("driver.py", REBINDING);
    let mut command = Command::new("unshare");
    let kind = if rustix::process::geteuid().is_root() { "-mn" } else { "-mnr" };
    command.args([kind, PYTHON, "-I", "driver.py"]).arg(binary()).args([mode, rule]);
    command.current_dir(context.work()).env("HOME", context.home());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let finished = finish(&mut command);
    // Where namespaces are refused to the test itself, this cannot be staged.
    (!finished.stderr.contains("unshare failed")).then(|| finished.stdout + &finished.stderr)
}

#[test]
fn case_35_a_name_that_changes_its_address_reaches_the_checked_one_only() {
    let runs =
        ["all", "*.example"].map(|rule| (rule, ["rebind", "both"].map(|it| rebinding(it, rule))));
    if runs.iter().flat_map(|(_, runs)| runs).any(Option::is_none) {
        return crate::support::lacking("namespaces", "case 35");
    }
    let mut rows = Rows::new("case 35");
    for (rule, [changed, both]) in runs {
        let (changed, both) = (changed.unwrap(), both.unwrap());
        rows.row(format!("rebinding {rule}"), changed.starts_with("0 public - 0 1"), &changed);
        let is_held = both.starts_with("43 - - 0");
        rows.row(format!("one of two addresses is inner {rule}"), is_held, &both);
    }
}

#[test]
fn case_36_no_redirect_leads_inside() {
    let inner = Server::start(|_, stream| send(stream, "200 OK", BODY.as_bytes()));
    let inner_port = inner.port;
    let places = [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "//169.254.169.254/".to_owned(),
        "http://[::ffff:169.254.169.254]/".to_owned(),
        "http://2852039166/".to_owned(),
        "http://metadata.google.internal/".to_owned(),
        format!("http://localhost:{inner_port}/"),
        format!("http://127.1.1.1:{inner_port}/"),
        format!("http://[::1]:{inner_port}/"),
        format!("http://user@127.0.0.1:{inner_port}/"),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "http://other.example/".to_owned(),
        "http://".to_owned(),
    ];
    let answers = places.clone();
    let server = Server::start(move |path, stream| {
        let mut parts = path.trim_start_matches('/').split('-');
        let status = parts.next().unwrap_or_default().to_owned();
        let place = &answers[parts.next().unwrap().parse::<usize>().unwrap()];
        send(stream, &format!("{status} Moved\r\nlocation: {place}"), b"");
    });
    let context = TestContext::new();
    let mut rows = Rows::new("case 36");
    for status in [301, 302, 303, 307, 308] {
        for (number, place) in places.iter().enumerate() {
            let url = format!("http://127.0.0.1:{}/{status}-{number}", server.port);
            let net = ["--net", "127.0.0.1", "--net", "all"];
            let finished = fetch(&context, &url, &net);
            let held = finished.code != 0 && !finished.stdout.contains(BODY);
            rows.row(format!("{status} {place}"), held, &format!("{}", finished.code));
        }
    }
    rows.row("nobody came", inner.seen() == 0, &inner.seen().to_string());
}

#[expect(clippy::too_many_lines, reason = "a list of answers")]
#[test]
fn case_37_bodies_and_answers_that_do_not_end_are_capped() {
    // 256 MiB of zeros in 256 KiB.
    let make = "import sys, gzip; sys.stdout.buffer.write(gzip.compress(bytes(1 << 28), 6))";
    let bomb = Command::new(PYTHON).args(["-I", "-c", make]).output().unwrap().stdout;
    assert!(bomb.len() < 1 << 20);
    let server = Server::start(move |path, stream| match path {
        "/endless" => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"));
            while stream.write_all(&[b'x'; 1 << 14]).is_ok() {}
        }
        "/ten-gigabytes" => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 10737418240\r\n\r\n";
            drop(stream.write_all(head.as_bytes()));
            while stream.write_all(&[b'x'; 1 << 14]).is_ok() {}
        }
        "/bomb" => {
            let kind = "200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip";
            send(stream, kind, &bomb);
        }
        "/headers" => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\n"));
            while stream.write_all(format!("x-y: {}\r\n", "z".repeat(1000)).as_bytes()).is_ok() {}
        }
        "/drops" => {
            drop(stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 999\r\n\r\n",
            ));
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        "/silent" => std::thread::sleep(Duration::from_mins(1)),
        "/lie" => drop(stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\nshort",
        )),
        "/nonsense" => drop(stream.write_all(b"\x00\x01\x02 this is no http\r\n\r\n")),
        _ => send(stream, "302 Found\r\nlocation: /again", b""),
    });
    let context = TestContext::new();
    let mut rows = Rows::new("case 37");
    for (path, codes) in [
        ("/endless", &[0][..]),
        ("/ten-gigabytes", &[0]),
        ("/bomb", &[0]),
        ("/headers", &[45]),
        ("/drops", &[124]),
        ("/silent", &[124, 45]),
        ("/lie", &[45]),
        ("/nonsense", &[45]),
        ("/loop", &[45]),
    ] {
        let url = format!("http://127.0.0.1:{}{path}", server.port);
        let started = Instant::now();
        let limits = ["--net", "127.0.0.1", "-c", "limits.tool_timeout=3s"];
        let finished = fetch(&context, &url, &limits);
        let held = codes.contains(&finished.code)
            && started.elapsed() < Duration::from_secs(15)
            && finished.stdout.len() < 12 << 20;
        let length = finished.stdout.len();
        let seen =
            format!("{} {length} {:?} {}", finished.code, started.elapsed(), finished.stderr);
        rows.row(path, held, &seen);
    }
    // Of all the agents above; the largest that may be asked for is 10 MiB.
    let most = largest_child() >> 10;
    rows.row(format!("{most} MiB of memory at most"), most < 120, "too much");
}

/// KiB that the largest child of this process had.
pub fn largest_child() -> i64 {
    let usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    let mut usage = usage;
    #[expect(unsafe_code, reason = "rustix has no form for it")]
    // SAFETY: the structure is written by the call, and zeroes are valid for it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    usage.ru_maxrss
}

#[test]
fn case_38_a_name_that_cannot_be_resolved_is_a_refusal() {
    let context = TestContext::new();
    let mut rows = Rows::new("case 38");
    for host in ["nowhere.invalid", "a.b.c.invalid", "xn--invalid-.invalid"] {
        for net in [&["--net", "all"][..], &["--net", host]] {
            let finished = fetch(&context, &format!("http://{host}/"), net);
            // A rule that can mean no host is found before anything is fetched.
            let held = [42, 45, 52].contains(&finished.code);
            rows.row(format!("{host} {net:?}"), held, &finished.stderr);
        }
    }
}
