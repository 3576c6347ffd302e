//! What commands can do besides files: sockets, privileges, other processes, resources.

use std::time::Duration;

use agi_agent::config::settings::SandboxLevel;
use agi_agent::sandbox::EndStatus;

use super::Place;
use super::is_running;
use super::mark;
use super::rungs;

/// The distribution's own: one in a home directory (pyenv) is out of a sandbox's reach.
const PYTHON: &str = "/usr/bin/python3";

/// Tries a socket of each kind in Python; prints what succeeded.
const SOCKETS: &str = r#"
import socket, os, errno
def attempt(name, make):
    try:
        make()
        print(name)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT):
            print(name, error)
def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as it:
        it.connect(address)
attempt("tcp", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
attempt("tcp6", lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
attempt("unix datagram", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
attempt("pair datagram", lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
attempt("unix path", lambda: connect(socket.AF_UNIX, os.environ["BASE"] + "/outside/socket"))
attempt("abstract", lambda: connect(socket.AF_UNIX, b"\0agi-agent-test"))
a, b = socket.socketpair()
a.send(b"x")
assert b.recv(1) == b"x"
print("done")
"#;

/// H32.
#[tokio::test]
async fn no_socket_leads_out() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        let listener =
            std::os::unix::net::UnixListener::bind(place.base().join("outside/socket")).unwrap();
        let mut command = place.command("");
        command.argv = vec![PYTHON.into(), "-I".into(), "-c".into(), SOCKETS.into()];
        let finished = place.run(command).await.unwrap();
        assert_eq!(finished.stdout.text(), "done\n", "{rung:?} {}", finished.stderr.text());
        let finished = place.sh("{ echo > /dev/tcp/127.0.0.1/22; } 2>&1").await;
        assert_ne!(finished.status.exit_code(), 0);
        drop(listener);
    }
}

/// System calls that lead out of other bounds, by number (x86-64), each with arguments that would
/// succeed or fail otherwise than by refusal.
const CALLS: &str = r#"
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
calls = {
    "io_uring_setup": (425, 8, ctypes.create_string_buffer(256)),
    "ptrace": (101, 0, 0, 0, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0),
    "unshare(user)": (272, 0x10000000),
    "unshare(mount)": (272, 0x20000),
    "setns": (308, 0, 0),
    "mount": (165, b"none", b"/tmp", b"tmpfs", 0, 0),
    "umount": (166, b"/proc", 2),
    "chroot": (161, b"."),
    "bpf": (321, 0, 0, 0),
    "perf_event_open": (298, 0, 0, -1, -1, 0),
    "keyctl": (250, 0, -3, 0),
    "add_key": (248, b"user", b"x", b"x", 1, -3),
    "userfaultfd": (323, 0),
    "open_by_handle_at": (304, -100, 0, 0),
    "fsopen": (430, b"tmpfs", 0),
    "open_tree": (428, -100, b".", 1),
    "prlimit(parent)": (302, 1, 7, 0, 0),
    "pidfd_getfd": (438, 0, 0, 0),
    "clone(user)": (56, 0x10000000 | 17, 0, 0, 0, 0),
    "sethostname": (170, b"x", 1),
    "reboot": (169, 0, 0, 0, 0),
    "syslog": (103, 3, 0, 0),
}
for name, arguments in calls.items():
    ctypes.set_errno(0)
    result = libc.syscall(*arguments)
    code = ctypes.get_errno()
    if not (result == -1 and code == errno.EPERM):
        print(name, result, errno.errorcode.get(code))
for number in (435, 0x40000000 | 41):
    ctypes.set_errno(0)
    if libc.syscall(number, 0, 0) != -1 or ctypes.get_errno() != errno.ENOSYS:
        print(number, errno.errorcode.get(ctypes.get_errno()))
print("done")
"#;

/// H45.
#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn no_system_call_leads_out() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        let mut command = place.command("");
        command.argv = vec![PYTHON.into(), "-I".into(), "-c".into(), CALLS.into()];
        let finished = place.run(command).await.unwrap();
        assert_eq!(finished.stdout.text(), "done\n", "{rung:?} {}", finished.stderr.text());
        for way in [
            "mknod n c 1 3",
            "echo 1 > /proc/sys/kernel/core_pattern",
            "mkdir /sys/fs/cgroup/agi",
            "echo $$ > /sys/fs/cgroup/cgroup.procs",
            "kill -9 $PPID && sleep 5",
        ] {
            let finished = place.sh(&format!("{{ {way}; }} 2>/dev/null")).await;
            assert_ne!(finished.status.exit_code(), 0, "{rung:?}: {way}");
        }
    }
}

/// H33: descriptors, environment and signals of the agent do not reach the command.
#[tokio::test]
async fn nothing_is_inherited() {
    let (read, write) = rustix_pipe();
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::ReadOnly, rung);
        let script = "ls /proc/self/fd | tr '\\n' ' '; env | cut -d= -f1 | sort | tr '\\n' ' '; \
                      grep -E 'SigIgn|SigBlk' /proc/self/status | cut -f2 | tr '\\n' ' '; \
                      grep NoNewPrivs /proc/self/status | cut -f2";
        let finished = place.sh(script).await;
        let text = finished.stdout.text();
        // 3 is the directory that `ls` reads.
        assert!(text.starts_with("0 1 2 3 "), "{rung:?}: {text}");
        for secret in ["CARGO", "NEXTEST", "LD_LIBRARY_PATH", "TOKEN"] {
            assert!(!text.contains(secret), "{text}");
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [.., blocked, ignored, privileges] = fields[..] else { panic!("{text}") };
        assert_eq!((blocked, privileges), ("0000000000000000", "1"));
        // 32 and 33 are the C library's own, which it ignores in what it spawns.
        let ignored = u64::from_str_radix(ignored, 16).unwrap();
        assert_eq!(ignored & 0x7fff_ffff, 0, "{text}");
    }
    drop((read, write));
}

/// Two descriptors that are not closed on exec, as a careless library leaves them.
fn rustix_pipe() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
    use std::os::fd::AsFd;
    let (read, write) = std::io::pipe().unwrap();
    let leaky = |fd: std::os::fd::BorrowedFd<'_>| rustix::io::dup(fd).unwrap();
    (leaky(read.as_fd()), leaky(write.as_fd()))
}

/// H42.
#[tokio::test]
async fn resources_end_before_the_machine_does() {
    for rung in rungs().await {
        let place = Place::new(SandboxLevel::WorkspaceWrite, rung);
        let finished = place.sh("ulimit -c; truncate -s 64G sparse; echo $?").await;
        assert!(finished.stdout.text().starts_with("0\n"), "{}", finished.stdout.text());
        assert!(!finished.stdout.text().ends_with("\n0\n"), "a file of 64 GiB was made");
        let mut command = place.command("");
        let hog = "x = bytearray(1 << 40)";
        command.argv = vec![PYTHON.into(), "-I".into(), "-c".into(), hog.into()];
        let finished = place.run(command).await.unwrap();
        assert!(finished.stderr.text().contains("MemoryError"), "{}", finished.stderr.text());
        let mark = mark();
        let mut command = place.command(
            &"b() { b MARK | b MARK & sleep 0.01; }; b MARK; sleep MARK".replace("MARK", &mark),
        );
        command.timeout = Duration::from_millis(400);
        let finished = place.run(command).await.unwrap();
        assert_eq!(finished.status, EndStatus::TimedOut);
        assert!(!is_running(&mark), "{rung:?}: the fork bomb lives");
    }
}
