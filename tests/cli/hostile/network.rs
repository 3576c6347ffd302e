//! Cases 32 and 33: no connection leads out of a sandbox, and nothing is inherited by it.

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixListener;

use super::each;

/// The distribution's own: one in a home directory is out of a sandbox's reach.
pub const PYTHON: &str = "/usr/bin/python3";

/// Each prints `open` where it got somewhere. `$PORT` is a listener on this machine.
const WAYS: [(&str, &str); 21] = [
    ("tcp", "socket.create_connection(('127.0.0.1', $PORT)); print('open')"),
    ("tcp socket", "socket.socket(socket.AF_INET, socket.SOCK_STREAM); print('open')"),
    ("tcp6", "socket.socket(socket.AF_INET6, socket.SOCK_STREAM); print('open')"),
    ("udp", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM); print('open')"),
    ("udp6", "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); print('open')"),
    ("raw", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); print('open')"),
    ("icmp", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1); print('open')"),
    ("packet", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); print('open')"),
    ("netlink", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); print('open')"),
    ("vsock", "socket.socket(40, socket.SOCK_STREAM); print('open')"),
    ("bluetooth", "socket.socket(31, socket.SOCK_RAW, 1); print('open')"),
    ("alg", "socket.socket(38, socket.SOCK_SEQPACKET, 0); print('open')"),
    (
        "unix path",
        "s = socket.socket(socket.AF_UNIX); s.connect('$BASE/outside.sock'); print('open')",
    ),
    (
        "abstract",
        "s = socket.socket(socket.AF_UNIX); s.connect(b'\\0agi-agent-hostile-$PORT'); print('open')",
    ),
    ("unix datagram", "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); print('open')"),
    ("unix packets", "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); print('open')"),
    ("pair of datagrams", "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); print('open')"),
    (
        "docker",
        "s = socket.socket(socket.AF_UNIX); s.connect('/var/run/docker.sock'); print('open')",
    ),
    ("name service", "print('open', socket.getaddrinfo('example.org', 80))"),
    (
        "io_uring",
        "print('open' if ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(256)) >= 0 else '')",
    ),
    (
        "sendto without a connection",
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', $PORT)); print('open')",
    ),
];

#[test]
fn case_32_nothing_is_connected_to_while_the_network_is_off() {
    each("case 32", |ground, rows| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let _path = UnixListener::bind(ground.outside().with_file_name("outside.sock")).unwrap();
        let name = format!("agi-agent-hostile-{port}");
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let _abstract = UnixListener::bind_addr(&address).unwrap();
        let base = ground.outside().parent().unwrap().to_string_lossy().into_owned();
        for (name, way) in WAYS {
            let way = way.replace("$PORT", &port).replace("$BASE", &base);
            ground.file("way.py", format!("import socket, ctypes\n{way}\n"));
            let finished = ground.sh(&format!("{PYTHON} -I way.py"));
            let held = !finished.stdout.contains("open");
            rows.row(format!("{} {name}", ground.setting), held, &finished.stdout);
        }
        for way in [
            format!("exec 3<>/dev/tcp/127.0.0.1/{port}"),
            format!("exec 3<>/dev/udp/127.0.0.1/{port}"),
            format!("curl -s -m 5 http://127.0.0.1:{port}"),
            format!("wget -q -T 5 -t 1 -O- http://127.0.0.1:{port}"),
            "getent ahosts example.org".to_owned(),
            "ssh -o ConnectTimeout=3 127.0.0.1 true".to_owned(),
        ] {
            let finished = ground.sh(&way);
            rows.row(format!("{} {way}", ground.setting), finished.code != 0, &finished.stdout);
        }
        let seen = listener.accept().is_err();
        rows.row(format!("{} nobody came", ground.setting), seen, "a connection was made");
        // That the listener can be reached at all is what makes the rows above mean something.
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
        let arguments =
            ["sandbox", "--level", "read-only", "--net", "all", "--", "bash", "-c", &script];
        let finished = ground.run(&arguments);
        let open = finished.code == 0 && listener.accept().is_ok();
        rows.row(format!("{} `--net all` opens it", ground.setting), open, &finished.stderr);
    });
}

#[test]
fn case_33_no_descriptor_variable_or_blocked_signal_is_inherited() {
    each("case 33", |ground, rows| {
        // Left open without close-on-exec, as a careless parent does: a listener, a pipe, a file.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let file = std::fs::File::open(ground.outside().join("secret")).unwrap();
        let leaks = [
            rustix::io::dup(&listener).unwrap(),
            rustix::io::dup(&reader).unwrap(),
            rustix::io::dup(&writer).unwrap(),
            rustix::io::dup(&file).unwrap(),
        ];
        let highest = leaks.iter().map(AsRawFd::as_raw_fd).max().unwrap();
        let list = ground.sh("for f in /proc/self/fd/*; do echo ${f##*/}; done; ls -l /proc/$$/fd");
        let numbers: Vec<&str> = list.stdout.lines().take_while(|line| line.len() < 4).collect();
        // 3 is the directory that the shell reads the names from.
        let held = numbers.iter().all(|number| ["0", "1", "2", "3", "255"].contains(number));
        rows.row(format!("{} descriptors", ground.setting), held, &list.stdout);
        for number in 3..=highest {
            let finished = ground.sh(&format!("cat <&{number}"));
            let held = finished.code != 0 && !finished.stdout.contains(super::SECRET);
            rows.row(format!("{} descriptor {number}", ground.setting), held, &finished.stdout);
        }
        drop(leaks);
        let mut command = ground.command(&["sandbox", "--", "env"]);
        for name in ["AWS_SECRET_ACCESS_KEY", "LD_PRELOAD", "GIT_SSH_COMMAND", "BASH_ENV", "OTHER"]
        {
            command.env(name, "canary-value-51");
        }
        let finished = crate::support::finish(&mut command);
        let held = finished.code == 0 && !finished.stdout.contains("canary-value-51");
        rows.row(format!("{} variables", ground.setting), held, &finished.stdout);
        let script = "grep -E 'SigBlk|SigIgn|NoNewPrivs|CapEff|CapBnd|Seccomp:' /proc/self/status";
        let finished = ground.sh(script);
        let field = |name: &str| {
            let line = finished.stdout.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split('\t').nth(1)).unwrap_or_default().to_owned()
        };
        let number = |name: &str| u64::from_str_radix(&field(name), 16).unwrap_or(u64::MAX);
        // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL: what root keeps; 32 and 33 are the C library's.
        for (name, held) in [
            ("SigBlk", number("SigBlk") == 0),
            ("SigIgn", number("SigIgn").trailing_zeros() >= 31),
            ("CapEff", number("CapEff") & !0b11_1011 == 0),
            ("NoNewPrivs", field("NoNewPrivs") == "1"),
            ("Seccomp", field("Seccomp") == "2"),
        ] {
            rows.row(format!("{} {name}", ground.setting), held, &finished.stdout);
        }
    });
}
