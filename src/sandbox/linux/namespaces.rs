//! The upper rung: own user, mount, process, IPC and network namespaces.
//!
//! An ordinary user gets them by way of a user namespace that maps only that user; root needs none. Git
//! metadata is mounted read-only inside. The launcher enters the user, a mount and the network namespace
//! once; each command gets a mount, process and IPC namespace of its own, with its own procfs.
#![expect(
    unsafe_code,
    reason = "leaving a namespace is an unsafe function of rustix; clone; raising a device"
)]

use std::ffi::CString;
use std::ffi::OsStr;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::mount::MountPropagationFlags;
use rustix::net::AddressFamily;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::process::Pid;
use rustix::thread::UnshareFlags;

use super::grants::SHARED_MEMORY;
use super::helper::Failure;
use super::spec::Spec;
use super::spec::Step;

/// Connections that wait to be accepted by the proxy.
const WAITING: i32 = 256;

/// Enters what all commands share. `network`: it stays the one of the machine.
pub(super) fn enter(network: bool) -> Result<(), Failure> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let mut flags = UnshareFlags::NEWNS;
    if !network {
        flags |= UnshareFlags::NEWNET;
    }
    if !uid.is_root() {
        flags |= UnshareFlags::NEWUSER;
    }
    // SAFETY: this process has one thread, and no descriptor table is unshared.
    unsafe { rustix::thread::unshare_unsafe(flags) }
        .map_err(|error| Failure::new(Step::Unshare, error))?;
    if !uid.is_root() {
        let map = |file: &str, text: String| {
            std::fs::write(file, text).map_err(|error| Failure::io(Step::UserMap, &error))
        };
        map("/proc/self/setgroups", "deny".to_owned())?;
        map("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        map("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    // What the person mounts later is seen inside; nothing that is mounted inside is seen outside.
    let inward = MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM;
    rustix::mount::mount_change("/", inward).map_err(|error| Failure::new(Step::Mounts, error))
}

/// Mounts directories on themselves: what is a mount point can be neither renamed nor removed, so that
/// what lies below stays where it is.
pub(super) fn pin(directories: &[Vec<u8>]) -> Result<(), Failure> {
    for directory in directories {
        let path = Path::new(OsStr::from_bytes(directory));
        match rustix::mount::mount_bind_recursive(path, path) {
            // Gone meanwhile.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(error) => return Err(Failure::new(Step::Mounts, error)),
        }
    }
    Ok(())
}

/// Opens a listening socket on the loopback device of a fresh network namespace, on every address of it,
/// and says at which port. The device is down until then.
pub(super) fn listen() -> Result<(OwnedFd, u16), Failure> {
    let failed = |error: Errno| Failure::new(Step::Loopback, error);
    let flags = SocketFlags::CLOEXEC;
    let device = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)
        .map_err(failed)?;
    raise(&device).map_err(|error| Failure::io(Step::Loopback, &error))?;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)
        .map_err(failed)?;
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    rustix::net::bind(&socket, &any).map_err(failed)?;
    rustix::net::listen(&socket, WAITING).map_err(failed)?;
    let name = rustix::net::getsockname(&socket).map_err(failed)?;
    let name = SocketAddrV4::try_from(name).map_err(failed)?;
    Ok((socket, name.port()))
}

/// Sets the loopback device up.
fn raise(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: zeroes are a valid request: no name, no flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip([b'l', b'o']) {
        // Signed on some processors, unsigned on others; the letters are the same.
        *place = libc::c_char::try_from(byte).unwrap_or_default();
    }
    let up = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = i16::try_from(up).unwrap_or_default();
    // SAFETY: the kernel reads the request during the call.
    let result =
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Mounts something empty over directories whose entries nobody is to see.
pub(super) fn hide(directories: &[Vec<u8>]) -> Result<(), Failure> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    for directory in directories {
        let path = Path::new(OsStr::from_bytes(directory));
        match rustix::mount::mount("tmpfs", path, "tmpfs", flags, c"size=4k,mode=0555") {
            // Gone meanwhile.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(error) => return Err(Failure::new(Step::Mounts, error)),
        }
    }
    Ok(())
}

/// Shared memory of POSIX (`multiprocessing`, semaphores) that is the commands' own: nobody outside sees it,
/// and it is gone with the launcher. False: this system has no place for it.
pub(super) fn share_memory(bytes: u64) -> Result<bool, Failure> {
    let options = CString::new(format!("size={bytes},mode=1777"))
        .map_err(|error| Failure::io(Step::Mounts, &error.into()))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    match rustix::mount::mount("tmpfs", SHARED_MEMORY, "tmpfs", flags, options.as_c_str()) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
        Err(error) => Err(Failure::new(Step::Mounts, error)),
    }
}

/// Forks; the child is in namespaces of its own (`own`), the first process there. `None`: in the child.
pub(super) fn fork(own: bool) -> Result<Option<Pid>, Failure> {
    let namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC;
    let flags = libc::SIGCHLD | if own { namespaces } else { 0 };
    // SAFETY: without a stack and memory flags this forks. This process has one thread, so no lock can be
    // held by another. What the C library keeps is of one thread too: the thread id it remembers is the
    // parent's in the child, which asks for it nowhere.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::c_long::from(flags),
            0 as libc::c_long,
            0 as libc::c_long,
            0 as libc::c_long,
            0 as libc::c_long,
        )
    };
    match pid {
        0 => Ok(None),
        pid => {
            let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw);
            let step = if own { Step::Unshare } else { Step::Fork };
            pid.map(Some).ok_or_else(|| Failure::io(step, &io::Error::last_os_error()))
        }
    }
}

/// Mounts what differs for one command: called in the first process of its process namespace.
pub(super) fn furnish(spec: &Spec) -> Result<(), Failure> {
    for path in &spec.read_only {
        let path = Path::new(OsStr::from_bytes(path));
        read_only(path).map_err(|error| Failure::io(Step::ReadOnlyMount, &error))?;
    }
    // A root without procfs (an empty chroot) has none inside either.
    if Path::new("/proc/self").exists() || Path::new("/proc/stat").exists() {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        rustix::mount::mount("proc", "/proc", "proc", flags, None)
            .map_err(|error| Failure::new(Step::ProcMount, error))?;
    }
    Ok(())
}

/// Mounts a file or directory on itself, read-only. Flags that the mount below has are kept: in a user
/// namespace they are locked, and asking for less is refused.
fn read_only(path: &Path) -> io::Result<()> {
    rustix::mount::mount_bind_recursive(path, path)?;
    let present = rustix::fs::statvfs(path)?.f_flag;
    let kept = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let flags = kept
        .into_iter()
        .filter(|(flag, _)| present.contains(*flag))
        .fold(MountFlags::BIND | MountFlags::RDONLY, |flags, (_, flag)| flags | flag);
    rustix::mount::mount_remount(path, flags, "")?;
    Ok(())
}
