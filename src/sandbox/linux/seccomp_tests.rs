//! What the filters say of every number, and of the arguments that decide.

use libc::c_long;
use libc::sock_filter;

use super::AUDIT_ARCH;
use super::ENOSYS;
use super::EPERM;
use super::Filter;
use super::RET_ALLOW;

/// What the kernel would say: the few instructions that are used here.
fn verdict(filter: &[sock_filter], arch: u32, number: u32, arguments: [u32; 3]) -> u32 {
    let (mut at, mut value) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = filter[at];
        let branch = |holds: bool| usize::from(if holds { jt } else { jf });
        at += 1 + match code {
            super::LOAD => {
                value = match k {
                    0 => number,
                    4 => arch,
                    offset => arguments[usize::try_from((offset - 16) / 8).unwrap()],
                };
                0
            }
            super::AND => {
                value &= k;
                0
            }
            super::JUMP => usize::try_from(k).unwrap(),
            super::JUMP_EQUAL => branch(value == k),
            super::JUMP_ANY_BIT => branch(value & k != 0),
            super::RETURN => return k,
            // `JUMP_AT_LEAST`, which not every architecture has.
            0x35 => branch(value >= k),
            code => panic!("{code:#x}"),
        };
    }
}

fn of_number(filter: &[sock_filter], number: c_long) -> u32 {
    verdict(filter, AUDIT_ARCH, u32::try_from(number).unwrap(), [0; 3])
}

#[test]
fn exactly_what_is_listed_is_refused() {
    use super::Network::Closed;
    use super::Network::Open;
    use super::Network::Proxy;
    for (network, root, landlock_abi) in
        [(Closed, true, 7), (Open, false, 7), (Proxy(80), false, 7), (Closed, true, 1)]
    {
        let filter = Filter { network, root, landlock_abi }.shared();
        for number in 0..500 {
            let expected = match number {
                _ if super::REFUSED.contains(&number) => EPERM,
                _ if super::ATTRIBUTES.contains(&number) => super::EOPNOTSUPP,
                libc::SYS_clone3 => ENOSYS,
                libc::SYS_openat2 if landlock_abi < 3 => ENOSYS,
                libc::SYS_truncate if landlock_abi < 3 => EPERM,
                // No Unix stream.
                libc::SYS_socket if network != Open => EPERM,
                libc::SYS_connect if network == Closed => EPERM,
                libc::SYS_setgroups if root => EPERM,
                _ => RET_ALLOW,
            };
            assert_eq!(of_number(&filter, number), expected, "{number}");
        }
        assert_eq!(verdict(&filter, AUDIT_ARCH ^ 1, 0, [0; 3]), ENOSYS, "another architecture");
    }
    let offline = super::without_network();
    for (number, expected) in [
        (libc::SYS_io_uring_setup, EPERM),
        (libc::SYS_connect, EPERM),
        (libc::SYS_ioctl, RET_ALLOW),
        (libc::SYS_clone3, RET_ALLOW),
    ] {
        assert_eq!(of_number(&offline, number), expected, "{number}");
    }
    assert_eq!(of_number(&super::of_commands(), libc::SYS_mount), EPERM);
    assert_eq!(of_number(&super::of_commands(), libc::SYS_umount2), RET_ALLOW);
}

#[test]
fn arguments_decide_where_they_must() {
    let with = |network| Filter { network, root: true, landlock_abi: 7 }.shared();
    let (shared, proxied) = (with(super::Network::Closed), with(super::Network::Proxy(80)));
    let own = super::of_commands();
    let unix = libc::AF_UNIX.cast_unsigned();
    let (inet, inet6) = (libc::AF_INET.cast_unsigned(), libc::AF_INET6.cast_unsigned());
    let (stream, datagram) = (libc::SOCK_STREAM.cast_unsigned(), libc::SOCK_DGRAM.cast_unsigned());
    for (filter, number, arguments, expected) in [
        (&own, libc::SYS_clone, [libc::CLONE_NEWUSER.cast_unsigned(), 0, 0], EPERM),
        (&own, libc::SYS_clone, [libc::SIGCHLD.cast_unsigned(), 0, 0], RET_ALLOW),
        (&shared, libc::SYS_socket, [unix, stream | 0x80000, 0], RET_ALLOW),
        (&shared, libc::SYS_socket, [unix, datagram, 0], EPERM),
        (&shared, libc::SYS_socket, [libc::AF_INET.cast_unsigned(), stream, 0], EPERM),
        (&shared, libc::SYS_socketpair, [unix, datagram, 0], EPERM),
        (&shared, libc::SYS_socketpair, [unix, stream, 0], RET_ALLOW),
        (&proxied, libc::SYS_socket, [unix, stream, 0], EPERM),
        (&proxied, libc::SYS_socket, [inet, stream | 0x80000, 0], RET_ALLOW),
        (&proxied, libc::SYS_socket, [inet, stream, 6], RET_ALLOW),
        (&proxied, libc::SYS_socket, [inet6, stream, 6], RET_ALLOW),
        // Multipath and SCTP.
        (&proxied, libc::SYS_socket, [inet, stream, 262], EPERM),
        (&proxied, libc::SYS_socket, [inet6, stream, 132], EPERM),
        (&proxied, libc::SYS_socket, [inet, datagram, 0], EPERM),
        (&proxied, libc::SYS_socket, [inet6, 3, 58], EPERM),
        (&proxied, libc::SYS_socket, [16, 3, 0], EPERM),
        (&proxied, libc::SYS_socket, [40, stream, 0], EPERM),
        (&proxied, libc::SYS_socketpair, [unix, datagram, 0], EPERM),
        (&proxied, libc::SYS_socketpair, [unix, stream, 0], RET_ALLOW),
        (&shared, libc::SYS_prlimit64, [1, 0, 0], EPERM),
        (&shared, libc::SYS_ioctl, [0, 0x5412, 0], EPERM),
        (&shared, libc::SYS_ioctl, [0, 0x5413, 0], RET_ALLOW),
        (&shared, libc::SYS_ioctl, [0, 0x5000_940e, 0], EPERM),
        (&shared, libc::SYS_ioctl, [0, 0x4004_9409, 0], RET_ALLOW),
        (&shared, libc::SYS_setresuid, [0, u32::MAX, 0], RET_ALLOW),
        (&shared, libc::SYS_setresuid, [0, 0, 1], EPERM),
    ] {
        let number = u32::try_from(number).unwrap();
        assert_eq!(verdict(filter, AUDIT_ARCH, number, arguments), expected, "{number}");
    }
}
