//! Landlock rulesets by raw system calls, degrading by the kernel's ABI version.
#![expect(
    unsafe_code,
    reason = "the kernel's interface has no safe form without a further library"
)]

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::fd::FromRawFd as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::spec::Network;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
const MAKE_FIFO: u64 = 1 << 10;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;
/// Rights that mean something on a file.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;
/// All rights of the first ABI version.
const FIRST: u64 = (1 << 13) - 1;

const CREATE_VERSION: u32 = 1;
const RULE_PATH_BENEATH: u32 = 1;
const RULE_NET_PORT: u32 = 2;
const CONNECT_TCP: u64 = 1 << 1;
/// Bind and connect of TCP.
const NET_TCP: u64 = 3;
const SCOPE_SIGNAL: u64 = 1 << 1;
/// Abstract Unix sockets and signals.
const SCOPED: u64 = 1 | SCOPE_SIGNAL;
/// ABI version that has scopes.
const SCOPES: u32 = 6;
/// From this ABI version on what is refused is written to the audit log, unless this flag is set.
const AUDIT: u32 = 7;
const LOG_SAME_EXEC_OFF: u32 = 1;

/// What is granted on a path and everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rights {
    /// Read and execute.
    Read = 1,
    /// Everything but devices and sockets.
    Write,
    /// The same and sockets: the private temporary directory.
    Scratch,
    /// Read and write an existing device.
    Device,
    /// List directories.
    List,
}

impl Rights {
    pub(super) fn from_number(number: u64) -> Option<Self> {
        [Self::Read, Self::Write, Self::Scratch, Self::Device, Self::List]
            .into_iter()
            .find(|rights| *rights as u64 == number)
    }

    fn bits(self) -> u64 {
        let read = EXECUTE | READ_FILE | READ_DIR;
        let make = MAKE_DIR | MAKE_REG | MAKE_FIFO | MAKE_SYM;
        let write = read | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | make | REFER;
        match self {
            Self::Read => read,
            Self::Write => write,
            Self::Scratch => write | MAKE_SOCK,
            Self::Device => READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV,
            Self::List => READ_DIR,
        }
    }
}

/// One grant; an absent path grants nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) rights: Rights,
    pub(super) path: Vec<u8>,
}

#[repr(C)]
struct RulesetAttribute {
    handled_fs: u64,
    handled_net: u64,
    scoped: u64,
}

#[repr(C)]
struct NetPort {
    allowed: u64,
    port: u64,
}

#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// The kernel's ABI version; 0 where there is no Landlock.
pub(super) fn abi() -> u32 {
    // SAFETY: with a null attribute and the version flag the call only returns a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0_usize,
            CREATE_VERSION,
        )
    };
    u32::try_from(version).unwrap_or(0)
}

/// A ruleset that can be applied any number of times. It holds the directories as they are now: what a
/// path leads to later is not granted by it.
pub(super) fn ruleset(grants: &[Grant], network: Network) -> io::Result<OwnedFd> {
    let abi = abi();
    if abi == 0 {
        return Err(io::Error::from(Errno::NOSYS));
    }
    let attribute = RulesetAttribute {
        handled_fs: handled(abi),
        handled_net: if abi >= 4 && network != Network::Open { NET_TCP } else { 0 },
        scoped: if abi >= SCOPES { SCOPED } else { 0 },
    };
    let ruleset = create(&attribute, abi)?;
    for grant in grants {
        add_to(&ruleset, grant, handled(abi))?;
    }
    if let Network::Proxy(port) = network
        && abi >= 4
    {
        let rule = NetPort { allowed: CONNECT_TCP, port: u64::from(port) };
        add_rule(&ruleset, RULE_NET_PORT, &raw const rule)?;
    }
    Ok(ruleset)
}

fn create(attribute: &RulesetAttribute, abi: u32) -> io::Result<OwnedFd> {
    // Older kernels refuse a structure that is longer than theirs.
    let size: usize = match abi {
        SCOPES.. => 24,
        4.. => 16,
        _ => 8,
    };
    // SAFETY: `attribute` is valid for `size` bytes during the call.
    let fd = unsafe {
        let attribute = std::ptr::from_ref(attribute);
        libc::syscall(libc::SYS_landlock_create_ruleset, attribute, size, 0_u32)
    };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the call above returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Puts this process, and what it starts from now on, into a domain out of which no signal goes and which
/// bounds nothing else. False: this kernel cannot.
pub(super) fn scope_signals() -> io::Result<bool> {
    let abi = abi();
    if abi < SCOPES {
        return Ok(false);
    }
    let attribute = RulesetAttribute { handled_fs: REFER, handled_net: 0, scoped: SCOPE_SIGNAL };
    let ruleset = create(&attribute, abi)?;
    // Moving into another directory is refused in every domain that does not grant it, also in one that
    // judges nothing of files.
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let rule = PathBeneath { allowed: REFER, parent: root.as_raw_fd() };
    add_rule(&ruleset, RULE_PATH_BENEATH, &raw const rule)?;
    // Signals to everything are sent on purpose; a log need not tell of each that did not get out.
    restrict_with(&ruleset, if abi >= AUDIT { LOG_SAME_EXEC_OFF } else { 0 })?;
    Ok(true)
}

/// `rule` has the layout that the kernel declares for `kind`, and is valid during the call.
fn add_rule<T>(ruleset: &OwnedFd, kind: u32, rule: *const T) -> io::Result<()> {
    // SAFETY: the kernel reads the rule during the call only.
    let result = unsafe {
        libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), kind, rule, 0_u32)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Bounds this thread, and what it executes, for ever. Needs `PR_SET_NO_NEW_PRIVS`, which the launcher set.
pub(super) fn restrict(ruleset: &OwnedFd) -> io::Result<()> {
    restrict_with(ruleset, 0)
}

fn restrict_with(ruleset: &OwnedFd, flags: u32) -> io::Result<()> {
    // SAFETY: takes two numbers.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Rights that a kernel of this ABI version judges.
fn handled(abi: u32) -> u64 {
    FIRST
        | if abi >= 2 { REFER } else { 0 }
        | if abi >= 3 { TRUNCATE } else { 0 }
        | if abi >= 5 { IOCTL_DEV } else { 0 }
}

/// Adds one grant.
pub(super) fn add(ruleset: &OwnedFd, grant: &Grant) -> io::Result<()> {
    add_to(ruleset, grant, handled(abi()))
}

fn add_to(ruleset: &OwnedFd, grant: &Grant, handled: u64) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let object = match rustix::fs::open(OsStr::from_bytes(&grant.path), flags, Mode::empty()) {
        Ok(object) => object,
        // Not there, or not ours to see: nothing to grant.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut allowed = grant.rights.bits() & handled;
    if FileType::from_raw_mode(rustix::fs::fstat(&object)?.st_mode) != FileType::Directory {
        allowed &= OF_FILES;
    }
    if allowed == 0 {
        return Ok(());
    }
    let rule = PathBeneath { allowed, parent: object.as_raw_fd() };
    add_rule(ruleset, RULE_PATH_BENEATH, &raw const rule)
}
