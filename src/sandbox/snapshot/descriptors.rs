//! What the snapshot does by a descriptor of a directory and one name in it. No link is followed anywhere,
//! and no right to read is needed to change permissions.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::RawMode;
use rustix::fs::Stat;
use rustix::fs::Uid;
#[cfg(target_os = "linux")]
use rustix::io::Errno;

use super::looks::Found;
use super::looks::Kind;
use super::looks::Stamp;

/// A directory, not through a link. Linux: a descriptor that only stands for it, which takes no right to
/// list it.
pub(super) const DIRECTORY: OFlags =
    ACCESS.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

#[cfg(target_os = "linux")]
const ACCESS: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const ACCESS: OFlags = OFlags::RDONLY;

/// What stands under a name; `NOENT`: nothing.
pub(super) fn look_at(at: impl AsFd, name: &OsStr) -> rustix::io::Result<Found> {
    #[cfg(target_os = "linux")]
    match rustix::fs::statx(&at, name, AtFlags::SYMLINK_NOFOLLOW, STATX) {
        // Hidden by a container's filter.
        Err(Errno::NOSYS | Errno::PERM) => {}
        found => return Ok(of_statx(&found?)),
    }
    Ok(of_stat(&rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?))
}

/// How something open looks.
pub(super) fn look_at_open(object: impl AsFd) -> rustix::io::Result<Found> {
    #[cfg(target_os = "linux")]
    match rustix::fs::statx(&object, c"", AtFlags::EMPTY_PATH, STATX) {
        Err(Errno::NOSYS | Errno::PERM) => {}
        found => return Ok(of_statx(&found?)),
    }
    Ok(of_stat(&rustix::fs::fstat(object)?))
}

#[cfg(target_os = "linux")]
const STATX: rustix::fs::StatxFlags =
    rustix::fs::StatxFlags::BASIC_STATS.union(rustix::fs::StatxFlags::BTIME);

#[cfg(target_os = "linux")]
fn of_statx(found: &rustix::fs::Statx) -> Found {
    use super::looks::Birth;
    use rustix::fs::StatxFlags;
    let device = (u64::from(found.stx_dev_major) << 32) | u64::from(found.stx_dev_minor);
    let kind = kind(RawMode::from(found.stx_mode));
    let has_birth = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    let (changed, born) = (found.stx_ctime, found.stx_btime);
    Found {
        kind,
        has_other_names: kind == Kind::File && found.stx_nlink > 1,
        stamp: Stamp([
            device,
            found.stx_ino,
            u64::from(found.stx_mode),
            found.stx_size,
            changed.tv_sec.cast_unsigned(),
            u64::from(changed.tv_nsec),
            u64::from(found.stx_uid),
            u64::from(found.stx_gid),
        ]),
        birth: (has_birth && kind == Kind::Directory).then(|| {
            Birth([device, found.stx_ino, born.tv_sec.cast_unsigned(), u64::from(born.tv_nsec)])
        }),
    }
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    reason = "the types of these fields differ by platform; only equality matters"
)]
fn of_stat(stat: &Stat) -> Found {
    let stamp = Stamp([
        stat.st_dev as u64,
        stat.st_ino as u64,
        stat.st_mode as u64,
        stat.st_size as u64,
        stat.st_ctime as u64,
        stat.st_ctime_nsec as u64,
        stat.st_uid as u64,
        stat.st_gid as u64,
    ]);
    let kind = kind(stat.st_mode);
    let has_other_names = kind == Kind::File && stat.st_nlink > 1;
    Found { kind, stamp, birth: None, has_other_names }
}

fn kind(mode: RawMode) -> Kind {
    match FileType::from_raw_mode(mode) {
        FileType::Directory => Kind::Directory,
        FileType::RegularFile => Kind::File,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

/// The directory at a path below another one.
#[cfg(target_os = "linux")]
pub(super) fn descend(at: BorrowedFd<'_>, below: &Path) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(at, below, DIRECTORY, Mode::empty(), resolve) {
        // Before Linux 5.6, or hidden by a container's filter.
        Err(Errno::NOSYS | Errno::PERM) => descend_by_name(at, below),
        // A link is as good as nothing: it is watched itself.
        Err(Errno::LOOP) => Err(Errno::NOTDIR),
        opened => opened,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn descend(at: BorrowedFd<'_>, below: &Path) -> rustix::io::Result<OwnedFd> {
    descend_by_name(at, below)
}

fn descend_by_name(at: BorrowedFd<'_>, below: &Path) -> rustix::io::Result<OwnedFd> {
    let mut directory = rustix::io::fcntl_dupfd_cloexec(at, 0)?;
    for name in below.components() {
        directory = rustix::fs::openat(&directory, name.as_os_str(), DIRECTORY, Mode::empty())?;
    }
    Ok(directory)
}

/// The bits of a mode that can be set.
pub(super) fn permissions(mode: u64) -> Mode {
    Mode::from_raw_mode(RawMode::try_from(mode & 0o7777).unwrap_or_default())
}

/// Sets a directory's permissions.
#[cfg(target_os = "linux")]
pub(super) fn set_mode(directory: BorrowedFd<'_>, mode: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    // The kernel takes no descriptor that only stands for something, but the way to it; and this one is no
    // link that leads elsewhere.
    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
    match rustix::fs::chmod(path.as_str(), permissions(mode)) {
        // No procfs (an empty chroot): then it has to be readable.
        Err(Errno::NOENT | Errno::NOTDIR) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let readable = rustix::fs::openat(directory, c".", flags, Mode::empty())?;
            Ok(rustix::fs::fchmod(readable, permissions(mode))?)
        }
        set => Ok(set?),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn set_mode(directory: BorrowedFd<'_>, mode: u64) -> io::Result<()> {
    Ok(rustix::fs::fchmod(directory, permissions(mode))?)
}

/// Gives something back to its owner and group, where that is allowed: who is not root can only give it to
/// groups of their own. Then it is ours, and its contents and permissions are what they were.
pub(super) fn give_back(object: impl AsFd, before: Stamp) {
    let [_, owner, group] = before.rights();
    let (Ok(owner), Ok(group)) = (u32::try_from(owner), u32::try_from(group)) else { return };
    let (owner, group) = (Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)));
    if change_owner(&object, owner, group).is_err() {
        // Not even that: what matters has been put back.
        let _ = change_owner(&object, None, group);
    }
}

#[cfg(target_os = "linux")]
fn change_owner(
    object: impl AsFd,
    owner: Option<Uid>,
    group: Option<Gid>,
) -> rustix::io::Result<()> {
    rustix::fs::chownat(object, c"", owner, group, AtFlags::EMPTY_PATH)
}

#[cfg(not(target_os = "linux"))]
fn change_owner(
    object: impl AsFd,
    owner: Option<Uid>,
    group: Option<Gid>,
) -> rustix::io::Result<()> {
    rustix::fs::fchown(object, owner, group)
}
