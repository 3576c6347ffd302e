//! Case 45: more privileges, other processes, the kernel's interfaces.

use super::each;
use super::network::PYTHON;

/// System calls that lead out of other bounds, by number (x86-64), each with arguments that would
/// succeed or fail otherwise than by refusal. Prints one line per call that was not refused.
const CALLS: &str = r#"
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
parent = os.getppid()
calls = {
    "io_uring_setup": (425, 8, ctypes.create_string_buffer(256)),
    "io_uring_enter": (426, 0, 0, 0, 0, 0),
    "ptrace(traceme)": (101, 0, 0, 0, 0),
    "ptrace(attach to the parent)": (101, 16, parent, 0, 0),
    "process_vm_readv": (310, parent, 0, 0, 0, 0, 0),
    "process_vm_writev": (311, parent, 0, 0, 0, 0, 0),
    "pidfd_getfd": (438, 0, 0, 0),
    "kcmp": (312, parent, parent, 0, 0, 0),
    "unshare(user)": (272, 0x10000000),
    "unshare(mount)": (272, 0x20000),
    "unshare(files)": (272, 0x400),
    "setns": (308, 0, 0),
    "clone(user)": (56, 0x10000000 | 17, 0, 0, 0, 0),
    "clone(pid)": (56, 0x20000000 | 17, 0, 0, 0, 0),
    "mount": (165, b"none", b"/tmp", b"tmpfs", 0, 0),
    "umount": (166, b"/proc", 2),
    "pivot_root": (155, b".", b"."),
    "chroot": (161, b"."),
    "fsopen": (430, b"tmpfs", 0),
    "open_tree": (428, -100, b".", 1),
    "move_mount": (429, -1, b"", -1, b"", 0),
    "mount_setattr": (442, -100, b"/", 0, 0, 0),
    "bpf": (321, 0, 0, 0),
    "perf_event_open": (298, 0, 0, -1, -1, 0),
    "userfaultfd": (323, 0),
    "keyctl": (250, 0, -3, 0),
    "add_key": (248, b"user", b"x", b"x", 1, -3),
    "request_key": (249, b"user", b"x", 0, -3),
    "open_by_handle_at": (304, -100, 0, 0),
    "fanotify_init": (300, 0, 0),
    "init_module": (175, 0, 0, 0),
    "finit_module": (313, 0, 0, 0),
    "delete_module": (176, b"x", 0),
    "kexec_load": (246, 0, 0, 0, 0),
    "reboot": (169, 0, 0, 0, 0),
    "swapon": (167, b"x", 0),
    "acct": (163, 0),
    "quotactl": (179, 0, 0, 0, 0),
    "syslog": (103, 3, 0, 0),
    "settimeofday": (164, ctypes.create_string_buffer(16), 0),
    "clock_settime": (227, 0, ctypes.create_string_buffer(16)),
    "sethostname": (170, b"x", 1),
    "setdomainname": (171, b"x", 1),
    "iopl": (172, 3),
    "ioperm": (173, 0, 1, 1),
    "modify_ldt": (154, 0, 0, 0),
    "vhangup": (153,),
    "prlimit(parent)": (302, parent, 7, 0, 0),
}
for name, arguments in calls.items():
    ctypes.set_errno(0)
    result = libc.syscall(*arguments)
    code = ctypes.get_errno()
    print(name, "held" if result == -1 and code == errno.EPERM else errno.errorcode.get(code, result))
for name, number in (("clone3", 435), ("x32 socket", 0x40000000 | 41)):
    ctypes.set_errno(0)
    result = libc.syscall(number, 0, 0)
    code = ctypes.get_errno()
    print(name, "held" if result == -1 and code == errno.ENOSYS else errno.errorcode.get(code, result))
import fcntl
for name, request in (("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541C), ("btrfs subvolume", 0x5000940E),
                      ("btrfs snapshot", 0x50009401), ("inode flags", 0x40086602)):
    try:
        fcntl.ioctl(os.open(".", os.O_RDONLY), request, b"\0" * 8)
        print(name, "open")
    except OSError as error:
        print(name, "held" if error.errno == errno.EPERM else errno.errorcode[error.errno])
"#;

#[cfg(target_arch = "x86_64")]
#[test]
fn case_45_no_system_call_leads_out() {
    each("case 45, system calls", |ground, rows| {
        ground.file("calls.py", CALLS);
        let finished = ground.sh(&format!("{PYTHON} -I calls.py"));
        for line in finished.stdout.lines() {
            let (name, verdict) = line.rsplit_once(' ').unwrap();
            rows.row(format!("{} {name}", ground.setting), verdict == "held", verdict);
        }
        let all = finished.stdout.lines().count() == 55;
        let count = finished.stdout.lines().count();
        rows.row(format!("{} {count} calls", ground.setting), all, &finished.stderr);
    });
}

#[test]
fn case_45_nothing_gives_more_privileges_or_reaches_the_kernel() {
    each("case 45", |ground, rows| {
        for way in [
            "mknod device c 1 3",
            "mknod disk b 8 0",
            "echo x > /proc/sys/kernel/core_pattern",
            "echo 1 > /proc/sys/kernel/sysrq",
            "echo x > /proc/sysrq-trigger",
            "mkdir /sys/fs/cgroup/agi-hostile",
            "echo $$ > /sys/fs/cgroup/cgroup.procs",
            "echo 0 > /proc/$PPID/oom_score_adj",
            "echo -1000 > /proc/self/oom_score_adj",
            "kill -9 $PPID && sleep 5",
            "kill -STOP $PPID && sleep 5",
            "cat /proc/$PPID/environ",
            "head -c1 /proc/$PPID/mem",
            "ls -l /proc/$PPID/fd",
            "cat /proc/1/environ",
            "cat /dev/mem",
            "cat /dev/kmsg",
            "dmesg",
            "unshare -U true",
            "unshare -r mount -t tmpfs x /mnt",
            "nsenter -t 1 -m true",
            "mount -t tmpfs x /mnt",
            "umount /proc",
            "chroot / true",
            "su -c true nobody < /dev/null",
            "sudo -n true",
            "setpriv --reuid 1000 true",
            "swapoff -a",
            "hostname evil",
            "date -s @0",
            "cat /etc/shadow",
            "cat /etc/ssh/ssh_host_ed25519_key",
            "gdb -p $PPID -batch",
            "strace -p $PPID",
        ] {
            let finished = ground.sh(&format!("{{ {way}; }} 2>&1"));
            rows.row(format!("{} {way}", ground.setting), finished.code != 0, &finished.stdout);
        }
        // A set-user-id program gives nothing: for root by way of an ordinary user's copy.
        let program = ground.work().join("id");
        std::fs::copy("/usr/bin/id", &program).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o6755);
        let mut command = ground.command(&["sandbox", "--level", "read-only", "--", "./id", "-u"]);
        if rustix::process::geteuid().is_root() {
            let owner = if ground.setting.ordinary { 0 } else { 65534 };
            std::os::unix::fs::chown(&program, Some(owner), Some(owner)).unwrap();
        }
        std::fs::set_permissions(&program, mode).unwrap();
        let finished = crate::support::finish(&mut command);
        let own = if ground.setting.ordinary { 65534 } else { rustix::process::geteuid().as_raw() };
        let held = finished.stdout.trim() == own.to_string();
        rows.row(format!("{} set-user-id", ground.setting), held, &finished.stdout);
    });
}
