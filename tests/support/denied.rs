//! A process tree in which namespaces and mounts are refused, as a container's usual filter does, and
//! one without Landlock, as an older kernel: so that each rung of the sandbox can be tested here.

#![allow(dead_code, reason = "each test program uses its own part")]
#![expect(unsafe_code, reason = "a filter is installed by raw system calls between fork and exec")]

use std::os::unix::process::CommandExt;
use std::process::Command;

const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
/// `CLONE_NEW*` but the time namespace, whose bit `clone` uses otherwise.
const NEW_NAMESPACES: u32 = 0x7E02_0000;

/// What a system call answers instead of doing anything.
struct Refusal {
    number: libc::c_long,
    error: i32,
}

/// Namespaces and mounts fail with EPERM, `clone3` does not exist (its flags cannot be seen).
pub fn namespaces(command: &mut Command) {
    let mut program = start();
    for number in [libc::SYS_unshare, libc::SYS_setns, libc::SYS_mount, libc::SYS_pivot_root] {
        program.extend(refuse(&Refusal { number, error: libc::EPERM }));
    }
    program.extend(refuse(&Refusal { number: libc::SYS_clone3, error: libc::ENOSYS }));
    program.extend([
        jump(JUMP_EQUAL, word(libc::SYS_clone), 0, 4),
        statement(LOAD, 16),
        jump(JUMP_ANY_BIT, NEW_NAMESPACES, 0, 1),
        statement(RETURN, ERRNO | libc::EPERM.cast_unsigned()),
        statement(RETURN, ALLOW),
    ]);
    install(command, program);
}

/// Landlock does not exist.
pub fn landlock(command: &mut Command) {
    let mut program = start();
    let number = libc::SYS_landlock_create_ruleset;
    program.extend(refuse(&Refusal { number, error: libc::ENOSYS }));
    install(command, program);
}

/// No procfs is mounted, as in an empty chroot. Only root can stage it.
pub fn procfs(command: &mut Command) {
    // SAFETY: between fork and exec three system calls are made, with constants.
    unsafe {
        command.pre_exec(|| {
            let nothing = std::ptr::null();
            let private = libc::MS_REC | libc::MS_PRIVATE;
            if libc::unshare(libc::CLONE_NEWNS) != 0
                || libc::mount(nothing, c"/".as_ptr(), nothing, private, nothing.cast()) != 0
                || libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH) != 0
            {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// No further thread or process can be had.
pub fn threads(command: &mut Command) {
    let mut program = start();
    for number in [libc::SYS_clone3, libc::SYS_clone] {
        program.extend(refuse(&Refusal { number, error: libc::EAGAIN }));
    }
    install(command, program);
}

/// No further process can be had: what a shell sees at the user's limit.
pub fn processes(command: &mut Command) {
    let mut program = start();
    for number in [libc::SYS_clone3, libc::SYS_clone, libc::SYS_vfork, libc::SYS_fork] {
        // A new thread (`CLONE_THREAD`) is let through where it can be told; `clone3` is not.
        program.extend(if number == libc::SYS_clone {
            vec![
                jump(JUMP_EQUAL, word(number), 0, 4),
                statement(LOAD, 16),
                jump(JUMP_ANY_BIT, libc::CLONE_THREAD.cast_unsigned(), 1, 0),
                statement(RETURN, ERRNO | libc::EAGAIN.cast_unsigned()),
                statement(RETURN, ALLOW),
            ]
        } else {
            let error = if number == libc::SYS_clone3 { libc::ENOSYS } else { libc::EAGAIN };
            refuse(&Refusal { number, error }).to_vec()
        });
    }
    install(command, program);
}

fn start() -> Vec<libc::sock_filter> {
    vec![statement(LOAD, 0)]
}

fn refuse(refusal: &Refusal) -> [libc::sock_filter; 2] {
    [
        jump(JUMP_EQUAL, word(refusal.number), 0, 1),
        statement(RETURN, ERRNO | refusal.error.cast_unsigned()),
    ]
}

/// Numbers of system calls are small.
fn word(number: libc::c_long) -> u32 {
    u32::try_from(number).unwrap()
}

fn statement(code: u16, value: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k: value }
}

fn jump(code: u16, value: u32, yes: u8, no: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt: yes, jf: no, k: value }
}

/// The filter holds for the command and everything that it starts.
fn install(command: &mut Command, mut program: Vec<libc::sock_filter>) {
    program.push(statement(RETURN, ALLOW));
    // SAFETY: between fork and exec two system calls are made on memory that was allocated before.
    unsafe {
        command.pre_exec(move || {
            let filter = libc::sock_fprog {
                len: u16::try_from(program.len()).unwrap_or(0),
                filter: program.as_mut_ptr(),
            };
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                || libc::syscall(libc::SYS_seccomp, 1, 0, &raw const filter) != 0
            {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
}
