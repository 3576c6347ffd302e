//! The upper rung: own user, mount, process, IPC and network namespaces.
//!
//! An ordinary user gets them by way of a user namespace that maps only that user; root needs none. Git
//! metadata is mounted read-only inside.
#![expect(unsafe_code, reason = "leaving a namespace is an unsafe function of rustix")]

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;
use rustix::mount::MountFlags;
use rustix::mount::MountPropagationFlags;
use rustix::thread::UnshareFlags;

use super::helper::Failure;
use super::spec::NETWORK;
use super::spec::Spec;
use super::spec::Step;

/// Creates the namespaces. The process namespace holds from the next fork on.
pub(super) fn enter(spec: &Spec) -> Result<(), Failure> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let mut flags = UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC;
    if !spec.has(NETWORK) {
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
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    rustix::mount::mount_change("/", private).map_err(|error| Failure::new(Step::Mounts, error))
}

/// Mounts what differs inside: called in the first process of the process namespace.
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
