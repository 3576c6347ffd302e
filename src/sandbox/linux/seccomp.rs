//! The system-call filter: hand-assembled classic BPF.
//!
//! Allows by default and refuses what leads out of the other bounds: namespaces and mounts, other
//! processes' memory, kernel interfaces that Landlock does not see, and (unless the network is open)
//! every socket but Unix streams. No path is judged here: memory can change under a filter.
//!
//! There are two filters. A long one costs the kernel a third of a millisecond to install, so the launcher
//! installs what it can live with itself, once, and commands inherit it; a command adds the little that the
//! keeper before it still had to be allowed.
#![expect(unsafe_code, reason = "installing a filter is a raw system call")]

use std::io;

use libc::c_long;
use libc::sock_filter;

use super::spec::Network;

const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ERRNO: u32 = 0x0005_0000;
#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xC000_00B7;

const LOAD: u16 = 0x20;
const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
#[cfg(target_arch = "x86_64")]
const JUMP_AT_LEAST: u16 = 0x35;
const JUMP_ANY_BIT: u16 = 0x45;
const AND: u16 = 0x54;

/// `CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}`. `CLONE_NEWTIME` is only valid for `unshare`, where its
/// bit is no exit signal.
const NEW_NAMESPACES: u32 = 0x7E02_0000;

const EPERM: u32 = RET_ERRNO | libc::EPERM as u32;
const EOPNOTSUPP: u32 = RET_ERRNO | libc::EOPNOTSUPP as u32;
const ENOSYS: u32 = RET_ERRNO | libc::ENOSYS as u32;

/// Numbers that this `libc` version does not name; the same on every architecture.
const SYS_OPEN_TREE_ATTR: c_long = 467;
const SYS_SETXATTRAT: c_long = 463;
const SYS_REMOVEXATTRAT: c_long = 466;

/// Refused whatever the arguments. `mount` is refused by the filter of commands.
const REFUSED: &[c_long] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    SYS_OPEN_TREE_ATTR,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_nfsservctl,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lookup_dcookie,
];

/// Attributes of files are as good as not there: an access list on a directory would give what somebody
/// makes in it later to other users, and shows in no mode.
const ATTRIBUTES: &[c_long] = &[
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    SYS_SETXATTRAT,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SYS_REMOVEXATTRAT,
];

/// Identity changes, with the number of ids each takes: refused to root, but for 0 and -1 (`make`
/// spawns with reset ids).
const SET_IDS: &[(c_long, u32)] = &[
    (libc::SYS_setuid, 1),
    (libc::SYS_setgid, 1),
    (libc::SYS_setfsuid, 1),
    (libc::SYS_setfsgid, 1),
    (libc::SYS_setreuid, 2),
    (libc::SYS_setregid, 2),
    (libc::SYS_setresuid, 3),
    (libc::SYS_setresgid, 3),
];

/// What the filter depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter {
    pub(super) network: Network,
    pub(super) root: bool,
    /// Below version 3 Landlock does not see truncation.
    pub(super) landlock_abi: u32,
}

/// Installs a filter for this thread and what it executes. Needs `PR_SET_NO_NEW_PRIVS`.
pub(super) fn install(filter: &[sock_filter]) -> io::Result<()> {
    let length = u16::try_from(filter.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: `program` points to `length` instructions, which the kernel reads during the call.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0_u32, &raw const program)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Filter {
    /// What holds for the launcher, its keepers and every command.
    pub(super) fn shared(self) -> Vec<sock_filter> {
        let mut program = Program::new();
        program.refuse(REFUSED);
        program.refuse_as(ATTRIBUTES, EOPNOTSUPP);
        // Its flags lie in memory; callers fall back to clone.
        program.always(libc::SYS_clone3, ENOSYS);
        program.limits_of_others();
        program.ioctl();
        match self.network {
            Network::Closed => program.no_sockets(),
            Network::Proxy(_) => program.streams_only(),
            Network::Open => {}
        }
        if self.root {
            program.identities();
        }
        if self.landlock_abi < 3 {
            program.truncation();
        }
        program.end()
    }
}

/// What a command adds to it.
pub(super) fn of_commands() -> Vec<sock_filter> {
    let mut program = Program::new();
    program.always(libc::SYS_mount, EPERM);
    program.if_bits(libc::SYS_clone, 0, NEW_NAMESPACES, EPERM);
    program.end()
}

/// For a child that may do all but reach others: no sockets, and no way around the filter.
pub(super) fn without_network() -> Vec<sock_filter> {
    let mut program = Program::new();
    program.refuse(&[
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_pidfd_getfd,
        libc::SYS_ptrace,
    ]);
    program.no_sockets();
    program.end()
}

struct Program {
    instructions: Vec<sock_filter>,
}

impl Program {
    fn new() -> Self {
        let mut instructions = vec![
            statement(LOAD, 4),
            jump(JUMP_EQUAL, AUDIT_ARCH, 1, 0),
            // 32-bit system calls have other numbers: none of them exists.
            statement(RETURN, ENOSYS),
            statement(LOAD, 0),
        ];
        #[cfg(target_arch = "x86_64")]
        // The x32 numbers.
        instructions.extend([jump(JUMP_AT_LEAST, 0x4000_0000, 0, 1), statement(RETURN, ENOSYS)]);
        instructions.shrink_to_fit();
        Self { instructions }
    }

    fn end(mut self) -> Vec<sock_filter> {
        self.instructions.push(statement(RETURN, RET_ALLOW));
        self.instructions
    }

    /// Runs `body`, which returns on every way, for one system call.
    fn rule(&mut self, number: c_long, body: &[sock_filter]) {
        let (Ok(number), Ok(length)) = (u32::try_from(number), u8::try_from(body.len())) else {
            return;
        };
        self.instructions.push(jump(JUMP_EQUAL, number, 0, length));
        self.instructions.extend_from_slice(body);
    }

    /// One instruction for each, since the kernel's work grows with their number.
    fn refuse(&mut self, numbers: &[c_long]) {
        self.refuse_as(numbers, EPERM);
    }

    fn refuse_as(&mut self, numbers: &[c_long], verdict: u32) {
        let numbers: Vec<u32> = numbers.iter().filter_map(|it| u32::try_from(*it).ok()).collect();
        for some in numbers.chunks(100) {
            // Each jumps past those after it and past the jump over the verdict.
            let distances: Vec<u8> = (1..=u8::MAX).take(some.len()).collect();
            for (number, distance) in some.iter().zip(distances.into_iter().rev()) {
                self.instructions.push(jump(JUMP_EQUAL, *number, distance, 0));
            }
            self.instructions.extend([statement(JUMP, 1), statement(RETURN, verdict)]);
        }
    }

    fn always(&mut self, number: c_long, verdict: u32) {
        self.rule(number, &[statement(RETURN, verdict)]);
    }

    fn if_bits(&mut self, number: c_long, argument: u32, bits: u32, verdict: u32) {
        let body = [
            load(argument),
            jump(JUMP_ANY_BIT, bits, 0, 1),
            statement(RETURN, verdict),
            statement(RETURN, RET_ALLOW),
        ];
        self.rule(number, &body);
    }

    /// Only Unix streams: a datagram socket could write to the system's log, and `connect` reaches
    /// daemons (containers, the desktop's bus) that act for whoever asks.
    fn no_sockets(&mut self) {
        let stream = [
            load(0),
            jump(JUMP_EQUAL, libc::AF_UNIX as u32, 0, 3),
            load(1),
            statement(AND, 0xf),
            jump(JUMP_EQUAL, libc::SOCK_STREAM as u32, 1, 0),
            statement(RETURN, EPERM),
            statement(RETURN, RET_ALLOW),
        ];
        self.rule(libc::SYS_socket, &stream);
        self.no_pair_of_datagrams();
        self.always(libc::SYS_connect, EPERM);
    }

    /// In a network namespace with nothing but its loopback device: TCP, by which the proxy is reached.
    /// `connect` cannot be told apart by what it leads to, so there is no Unix socket to call it with: a
    /// pair is connected already.
    fn streams_only(&mut self) {
        let stream = [
            load(0),
            jump(JUMP_EQUAL, libc::AF_INET as u32, 1, 0),
            jump(JUMP_EQUAL, libc::AF_INET6 as u32, 0, 6),
            load(1),
            statement(AND, 0xf),
            jump(JUMP_EQUAL, libc::SOCK_STREAM as u32, 0, 3),
            load(2),
            jump(JUMP_EQUAL, 0, 2, 0),
            jump(JUMP_EQUAL, libc::IPPROTO_TCP as u32, 1, 0),
            statement(RETURN, EPERM),
            statement(RETURN, RET_ALLOW),
        ];
        self.rule(libc::SYS_socket, &stream);
        self.no_pair_of_datagrams();
    }

    fn no_pair_of_datagrams(&mut self) {
        let no_datagram = [
            load(1),
            statement(AND, 0xf),
            jump(JUMP_EQUAL, libc::SOCK_DGRAM as u32, 0, 1),
            statement(RETURN, EPERM),
            statement(RETURN, RET_ALLOW),
        ];
        self.rule(libc::SYS_socketpair, &no_datagram);
    }

    /// Terminal injection, and file-system controls that create or unprotect entries unseen: btrfs
    /// subvolumes and snapshots (0x94) but reflinks and dedupe; inode flags.
    fn ioctl(&mut self) {
        const REFUSE: u8 = 9;
        let body = [
            load(1),
            jump(JUMP_EQUAL, 0x5412, REFUSE - 1, 0),
            jump(JUMP_EQUAL, 0x541C, REFUSE - 2, 0),
            jump(JUMP_EQUAL, 0x4008_6602, REFUSE - 3, 0),
            jump(JUMP_EQUAL, 0x4004_9409, 4, 0),
            jump(JUMP_EQUAL, 0x4020_940d, 3, 0),
            jump(JUMP_EQUAL, 0xc018_9436, 2, 0),
            statement(AND, 0xff00),
            jump(JUMP_EQUAL, 0x9400, 1, 0),
            statement(RETURN, RET_ALLOW),
            statement(RETURN, EPERM),
        ];
        self.rule(libc::SYS_ioctl, &body);
    }

    fn limits_of_others(&mut self) {
        let body = [
            load(0),
            jump(JUMP_EQUAL, 0, 0, 1),
            statement(RETURN, RET_ALLOW),
            statement(RETURN, EPERM),
        ];
        self.rule(libc::SYS_prlimit64, &body);
    }

    fn identities(&mut self) {
        for (number, arguments) in SET_IDS {
            let mut body = Vec::new();
            for argument in 0..*arguments {
                body.extend([
                    load(argument),
                    jump(JUMP_EQUAL, 0, 2, 0),
                    jump(JUMP_EQUAL, u32::MAX, 1, 0),
                    statement(RETURN, EPERM),
                ]);
            }
            body.push(statement(RETURN, RET_ALLOW));
            self.rule(*number, &body);
        }
        self.always(libc::SYS_setgroups, EPERM);
    }

    /// `truncate`, and opening read-only with `O_TRUNC`, which truncates all the same.
    fn truncation(&mut self) {
        self.always(libc::SYS_truncate, EPERM);
        let opening = |argument| {
            [
                load(argument),
                statement(AND, (libc::O_TRUNC | libc::O_ACCMODE) as u32),
                jump(JUMP_EQUAL, libc::O_TRUNC as u32, 0, 1),
                statement(RETURN, EPERM),
                statement(RETURN, RET_ALLOW),
            ]
        };
        self.rule(libc::SYS_openat, &opening(2));
        #[cfg(target_arch = "x86_64")]
        self.rule(libc::SYS_open, &opening(1));
        self.always(libc::SYS_openat2, ENOSYS);
    }
}

/// The low half of an argument (both architectures are little-endian).
fn load(argument: u32) -> sock_filter {
    statement(LOAD, 16 + 8 * argument)
}

fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
#[path = "seccomp_tests.rs"]
mod tests;
