//! `--net HOST` for commands: the hosts that are named are reached through the proxy, and nothing else
//! is, on every rung and as every user; where it cannot be had, that is said.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::agent_exit_codes::run_script;
use crate::hostile::Ground;
use crate::hostile::each;
use crate::support::Finished;
use crate::support::TestContext;

const BODY: &str = "page-of-this-machine-5519";
/// The distribution's own: one in a home directory is out of a sandbox's reach.
const PYTHON: &str = "/usr/bin/python3";

/// An HTTP server on this machine that counts who came.
pub(crate) struct Server {
    port: u16,
    came: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let came = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&came);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let mut head = [0; 4096];
                    // One read has a small request whole; who only knocks gets nothing.
                    if stream.read(&mut head).unwrap_or(0) > 0 {
                        let head =
                            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close";
                        let answer =
                            format!("{head}\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
                        drop(stream.write_all(answer.as_bytes()));
                    }
                });
            }
        });
        Self { port, came }
    }

    pub(crate) fn came(&self) -> usize {
        self.came.swap(0, Ordering::SeqCst)
    }

    pub(crate) fn rule(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn sandboxed(ground: &Ground, rule: &str, script: &str) -> Finished {
    ground.run(&["sandbox", "--net", rule, "--", "/bin/bash", "-c", script])
}

/// Whether namespaces can be had in this setting.
fn has_namespaces(ground: &Ground) -> bool {
    ground.run(&["sandbox", "--explain"]).stdout.contains("namespaces")
}

#[test]
fn named_hosts_are_reached_and_others_are_refused() {
    let (server, other) = (Server::start(), Server::start());
    each("hosts that --net names", |ground, rows| {
        let (port, wrong) = (server.port, other.port);
        let rule = server.rule();
        let urllib = format!(
            "{PYTHON} -I -c \"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/').read().decode())\""
        );
        let ways = [
            ("curl", format!("curl -sS http://127.0.0.1:{port}/")),
            ("curl by CONNECT", format!("curl -sS -p http://127.0.0.1:{port}/")),
            ("urllib", urllib),
            ("wget", format!("wget -q -t 1 -T 5 -O- http://127.0.0.1:{port}/")),
            ("other spelling", format!("curl -sS http://0x7f.1:{port}/")),
        ];
        if !has_namespaces(ground) {
            for (name, way) in ways {
                let finished = sandboxed(ground, &rule, &way);
                let held = finished.code != 0
                    && !finished.stdout.contains(BODY)
                    && finished.stderr.contains("the command had no network");
                rows.row(format!("{} {name}", ground.setting), held, &finished.stderr);
            }
            let explained = ground.run(&["sandbox", "--net", &rule, "--explain"]);
            let said = explained.stdout.contains("off for commands");
            rows.row(format!("{} explained", ground.setting), said, &explained.stdout);
            let seen = server.came();
            rows.row(format!("{} nobody came", ground.setting), seen == 0, &seen.to_string());
            return;
        }
        for (name, way) in ways {
            let finished = sandboxed(ground, &rule, &way);
            let held = finished.code == 0 && finished.stdout.contains(BODY);
            rows.row(format!("{} {name}", ground.setting), held, &finished.stderr);
        }
        server.came();
        for (name, way) in [
            ("another port", format!("curl -sS -f http://127.0.0.1:{wrong}/")),
            ("by CONNECT", format!("curl -sS -p http://127.0.0.1:{wrong}/")),
            ("a name of it", format!("curl -sS -f http://localhost:{port}/")),
            ("mapped", format!("curl -sS -f 'http://[::ffff:127.0.0.1]:{port}/'")),
            ("metadata", "curl -sS -f http://169.254.169.254/".to_owned()),
            (
                "a user before it",
                format!("curl -sS -f -H 'Host: 127.0.0.1:{port}' http://127.0.0.1:{wrong}/"),
            ),
            ("no proxy", format!("curl -sS --noproxy '*' http://127.0.0.1:{port}/")),
            ("a raw connection", format!("exec 3<>/dev/tcp/127.0.0.1/{port}")),
            ("a raw datagram", format!("exec 3<>/dev/udp/127.0.0.1/{port}")),
            ("a name server", "getent ahosts example.org".to_owned()),
        ] {
            let finished = sandboxed(ground, &rule, &way);
            let held = finished.code != 0 && !finished.stdout.contains(BODY);
            rows.row(format!("{} {name}", ground.setting), held, &finished.stdout);
        }
        let seen = server.came() + other.came();
        rows.row(format!("{} nobody came", ground.setting), seen == 0, &seen.to_string());
    });
}

/// Ways around the proxy: each prints `open` where it got somewhere.
const WAYS: [(&str, &str); 14] = [
    ("straight", "s = socket.create_connection(('127.0.0.1', $PORT), 3); print('open')"),
    ("an address of the machine", "s = socket.create_connection(($HOST, $PORT), 3); print('open')"),
    (
        "elsewhere at the proxy's port",
        "s = socket.create_connection(('192.0.2.1', PROXY), 3); print('open')",
    ),
    ("udp", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM); print('open')"),
    ("udp6", "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); print('open')"),
    ("raw", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); print('open')"),
    ("netlink", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); print('open')"),
    ("multipath", "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); print('open')"),
    ("packet", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); print('open')"),
    ("vsock", "socket.socket(40, socket.SOCK_STREAM); print('open')"),
    (
        "a unix socket",
        "s = socket.socket(socket.AF_UNIX); s.connect('$BASE/outside.sock'); print('open')",
    ),
    (
        "a unix socket by a pair",
        "a, b = socket.socketpair(); b.close(); a.connect('$BASE/outside.sock'); print('open')",
    ),
    (
        "fast open",
        "s = socket.socket(); s.sendto(b'GET / HTTP/1.0\r\n\r\n', 0x20000000, ('127.0.0.1', $PORT)); \
         print('open' if s.recv(99) else '')",
    ),
    ("listening", "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print('open')"),
];

#[test]
fn nothing_leads_around_the_proxy() {
    let server = Server::start();
    each("around the proxy of --net", |ground, rows| {
        let base = ground.outside().parent().unwrap().to_string_lossy().into_owned();
        let path = ground.outside().with_file_name("outside.sock");
        let _listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        for (name, way) in WAYS {
            let way = way
                .replace("$PORT", &server.port.to_string())
                .replace("$HOST", "socket.gethostname()")
                .replace("$BASE", &base);
            let prelude = "import os, socket, urllib.parse\n\
                        PROXY = urllib.parse.urlsplit(os.environ.get('http_proxy', 'http://x:9')).port\n";
            ground.file("way.py", format!("{prelude}{way}\n"));
            let finished = sandboxed(ground, &server.rule(), &format!("{PYTHON} -I way.py"));
            let held = finished.code != 0 && !finished.stdout.contains("open");
            rows.row(format!("{} {name}", ground.setting), held, &finished.stdout);
        }
        let seen = server.came();
        rows.row(format!("{} nobody came", ground.setting), seen == 0, &seen.to_string());
    });
}

#[test]
fn git_clones_through_the_proxy() {
    let context = TestContext::new();
    let make = "git init -q -b main src && cd src && git -c user.name=a -c user.email=a@b commit -q \
                --allow-empty -m one && git update-server-info && cp -r .git ../served";
    let ready = std::process::Command::new("sh")
        .args(["-c", make])
        .current_dir(context.work())
        .env("HOME", context.home())
        .status();
    assert!(ready.unwrap().success());
    let serve = "import http.server as h\ns = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler)\n\
                 print(s.server_port, flush=True)\ns.serve_forever()";
    let mut server = std::process::Command::new(PYTHON)
        .args(["-I", "-c", serve])
        .current_dir(context.work())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(server.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let port = line.trim();
    let clone =
        format!("git clone -q http://127.0.0.1:{port}/served copy && git -C copy log --format=%s");
    let rule = format!("127.0.0.1:{port}");
    let level = ["sandbox", "--level", "workspace-write", "--net"];
    let finished = context.run([&level[..], &[&rule, "--", "/bin/sh", "-c", &clone]].concat());
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "one\n"), "{}", finished.stderr);
}

fn shell(command: &str) -> Value {
    json!({"tool_calls": [{"name": "shell", "arguments": {"command": command}}]})
}

/// A run tells by its exit code that a command was refused a host, whatever the command made of it.
#[test]
fn a_refused_host_is_a_denial_of_the_run() {
    let server = Server::start();
    let rule = server.rule();
    let fine = shell(&format!("curl -sS http://{rule}/"));
    let denied = shell("curl -sS http://denied.invalid/ || true");
    for (first, arguments, expected) in
        [(&fine, &[][..], 0), (&denied, &[], 43), (&denied, &["--expect", "true"], 0)]
    {
        let context = TestContext::new();
        let script = json!([first, {"text": "done"}]);
        let fixed = ["--output-format", "json", "--net", &rule];
        let finished = run_script(&context, &script, &[&fixed[..], arguments].concat());
        assert_eq!(finished.code, expected, "{} {}", finished.stdout, finished.stderr);
        let result: Value = serde_json::from_str(&finished.stdout).unwrap();
        let target = &result["denials"][0]["target"];
        assert_eq!(target == "denied.invalid:80", first == &denied, "{result}");
        let hint = "`--net denied.invalid:80` opens that host to commands and `web_fetch`";
        assert_eq!(result["hints"][0] == hint, expected == 43, "{result}");
    }
    assert_eq!(server.came(), 1);
}

#[test]
fn the_tools_say_what_happened_and_web_fetch_obeys_the_same_rules() {
    let (server, other) = (Server::start(), Server::start());
    let context = TestContext::new();
    let run = |tool: &str, arguments: Value| {
        let rule = server.rule();
        let arguments = arguments.to_string();
        let fixed = ["--json", "tool", "run", tool, "--args", &arguments, "--net", &rule];
        let finished = context.run(fixed);
        (finished.code, serde_json::from_str::<Value>(&finished.stdout).unwrap_or_default())
    };
    for (port, reached) in [(server.port, true), (other.port, false)] {
        let url = format!("http://127.0.0.1:{port}/");
        let (code, result) = run("shell", json!({"command": format!("curl -sSf {url}")}));
        assert_eq!(code == 0, reached, "{result}");
        assert_eq!(result["data"]["network"], "hosts", "{result}");
        assert_eq!(result["data"]["refused_hosts"][0].is_string(), !reached, "{result}");
        let (code, result) = run("web_fetch", json!({"url": url}));
        assert_eq!(code == 0, reached, "{result}");
        if !reached {
            assert_eq!(code, 43, "{result}");
        }
    }
    let (code, result) = run("shell", json!({"command": "curl -sSf http://denied.invalid/"}));
    assert_eq!(code, 43, "{result}");
    assert!(
        result["text"].as_str().unwrap().contains("`denied.invalid:80` is not among"),
        "{result}"
    );
}

/// Whoever runs a zone decides where its names lead, so a wildcard opens public addresses only: to
/// commands and to `web_fetch` alike.
#[test]
fn a_wildcard_opens_nothing_on_this_machine() {
    let server = Server::start();
    let url = format!("http://a.localhost:{}/", server.port);
    let own = format!("a.localhost:{}", server.port);
    let remedy = "`a.localhost` is 127.0.0.1, this machine, which only `--net a.localhost` opens";
    each("wildcards of --net", |ground, rows| {
        let wild = ["--net", "*.localhost", "--net", "*.localhost:80", "--net", "a.localhost:1"];
        let mut command = vec!["sandbox"];
        command.extend(wild);
        let way = format!("curl -sS {url}; curl -sS -f -p {url}");
        command.extend(["--", "/bin/bash", "-c", &way]);
        let finished = ground.run(&command);
        let is_held = finished.code != 0 && !finished.stdout.contains(BODY);
        let is_said = !has_namespaces(ground) || finished.stdout.contains(remedy);
        let seen = finished.stdout + &finished.stderr;
        rows.row(format!("{} a command", ground.setting), is_held && is_said, &seen);
        let arguments = json!({"url": url}).to_string();
        let fetch = ["tool", "run", "web_fetch", "--args", &arguments];
        let finished = ground.run(&[&fetch[..], &wild[..]].concat());
        let seen = finished.stdout + &finished.stderr;
        let is_held = finished.code == 43 && !seen.contains(BODY) && seen.contains(remedy);
        rows.row(format!("{} web_fetch", ground.setting), is_held, &seen);
        let came = server.came();
        rows.row(format!("{} nobody came", ground.setting), came == 0, &came.to_string());
        // The very name opens it, beside the wildcard.
        let finished = ground.run(&[&fetch[..], &wild[..], &["--net", &own]].concat());
        let is_open = finished.code == 0 && finished.stdout.contains(BODY);
        rows.row(format!("{} web_fetch by name", ground.setting), is_open, &finished.stderr);
        if has_namespaces(ground) {
            let finished = sandboxed(ground, &own, &format!("curl -sS {url}"));
            let is_open = finished.code == 0 && finished.stdout.contains(BODY);
            rows.row(format!("{} a command by name", ground.setting), is_open, &finished.stderr);
        }
        server.came();
    });
}

/// What a denied run is told to add is a rule that works.
#[test]
fn the_hint_of_a_denied_fetch_is_a_rule() {
    let server = Server::start();
    let call =
        |url: &str| json!({"tool_calls": [{"name": "web_fetch", "arguments": {"url": url}}]});
    let run = |url: &str, net: &[&str]| {
        let script = json!([call(url), {"text": "done"}]);
        let context = TestContext::new();
        let finished = run_script(&context, &script, &[&["--output-format", "json"], net].concat());
        let result: Value = serde_json::from_str(&finished.stdout).unwrap();
        (finished.code, result)
    };
    let url = format!("http://127.0.0.1:{}/x?q", server.port);
    let (code, result) = run(&url, &[]);
    let rule = server.rule();
    let hint = format!("`--net {rule}` opens that host to commands and `web_fetch`");
    assert_eq!((code, &result["hints"][0]), (43, &json!(hint)), "{result}");
    let (code, result) = run(&url, &["--net", &rule]);
    assert_eq!(code, 0, "{result}");
    // Nothing opens this one.
    let (code, result) = run("http://169.254.169.254/latest/", &[]);
    assert_eq!((code, result["hints"].as_array().map_or(0, Vec::len)), (43, 0), "{result}");
}

#[test]
fn rules_that_mean_no_host_are_found_at_the_start() {
    let context = TestContext::new();
    for rule in ["http://example.org/", "a b", "example.org:0", "*"] {
        let finished = context.run(["sandbox", "--net", rule, "--", "true"]);
        let expected = if rule == "*" { 0 } else { 52 };
        assert_eq!(finished.code, expected, "{rule}: {}", finished.stderr);
    }
}

/// Sixty-four commands of one launcher at a time, each through its own tunnel, and none left open.
#[test]
fn many_commands_share_the_proxy_and_leave_nothing() {
    let server = Server::start();
    let context = TestContext::new();
    let calls: Vec<Value> = (0..64)
        .map(|number| {
            let command = format!("curl -sS -p http://127.0.0.1:{}/{number}", server.port);
            json!({"name": "shell", "arguments": {"command": command}})
        })
        .collect();
    // Whoever still holds a connection to the proxy ends with its command.
    let held = format!(
        "exec 3<>/dev/tcp/${{http_proxy#http://}}; sleep 30 & curl -sS http://{}/",
        server.rule()
    );
    let script = json!([{"tool_calls": calls}, shell(&held), {"text": "done"}]);
    let started = std::time::Instant::now();
    let finished = run_script(&context, &script, &["--net", &server.rule()]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(server.came(), 65);
    assert!(started.elapsed() < Duration::from_secs(45));
}
