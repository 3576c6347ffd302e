//! What bounds the command, applied by itself just before it is executed, and tested by it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::SocketType;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;

use super::helper::Failure;
use super::landlock;
use super::seccomp::Filter;
use super::spec::NETWORK;
use super::spec::Spec;
use super::spec::Step;

/// Bytes of the largest file a command may write.
const LARGEST_FILE: u64 = 16 << 30;
/// Processes of this user at one time (the kernel does not hold root to it).
const PROCESSES: u64 = 4096;
/// The out-of-memory killer takes commands before it takes the agent.
const OOM_SCORE: &str = "500";
/// Linux numbers capabilities below this.
const CAPABILITIES: u32 = 64;
/// What root keeps: files of other owners, and ending its own processes.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL);

/// Limits that hold at every level, never above those this process has.
pub(super) fn limit(spec: &Spec) -> Result<(), Failure> {
    let limits = [
        (Resource::Core, 0),
        (Resource::Fsize, LARGEST_FILE),
        (Resource::Nproc, PROCESSES),
        (Resource::Cpu, spec.cpu_seconds),
        (Resource::Data, spec.memory_bytes),
    ];
    for (resource, wanted) in limits {
        let present = rustix::process::getrlimit(resource);
        let lower = |limit: Option<u64>| Some(limit.map_or(wanted, |limit| limit.min(wanted)));
        let limit = Rlimit { current: lower(present.current), maximum: lower(present.maximum) };
        rustix::process::setrlimit(resource, limit)
            .map_err(|error| Failure::new(Step::Limits, error))?;
    }
    // Where procfs is missing or older, the killer chooses as ever.
    drop(std::fs::write("/proc/self/oom_score_adj", OOM_SCORE));
    Ok(())
}

/// Gives up privileges, bounds files, sockets and system calls, and tests that the bounds hold.
pub(super) fn enforce(spec: &Spec) -> Result<(), Failure> {
    let root = rustix::process::geteuid().is_root();
    drop_capabilities(root).map_err(|error| Failure::new(Step::Capabilities, error))?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| Failure::new(Step::Privileges, error))?;
    let network = spec.has(NETWORK);
    landlock::restrict(&spec.grants, network)
        .map_err(|error| Failure::io(Step::Landlock, &error))?;
    let filter = Filter { network, root, landlock_abi: landlock::abi() };
    filter.install().map_err(|error| Failure::io(Step::Seccomp, &error))?;
    self_test(spec, network)
}

/// Root keeps what files need; everybody else has nothing left (in a user namespace they had
/// everything).
fn drop_capabilities(root: bool) -> rustix::io::Result<()> {
    let kept = if root { KEPT } else { CapabilitySet::empty() };
    let present = rustix::thread::capabilities(None)?;
    if present.effective.contains(CapabilitySet::SETPCAP) {
        for number in 0..CAPABILITIES {
            let capability = CapabilitySet::from_bits_retain(1 << number);
            if kept.contains(capability) {
                continue;
            }
            match rustix::thread::remove_capability_from_bounding_set(capability) {
                Ok(()) => {}
                // The first number that this kernel does not know.
                Err(Errno::INVAL) => break,
                Err(error) => return Err(error),
            }
        }
    }
    let sets = CapabilitySets {
        effective: present.effective & kept,
        permitted: present.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets)
}

/// Tries what must be refused, with permissions that would allow it without the bounds. A command that
/// runs has therefore seen its own bounds hold.
fn self_test(spec: &Spec, network: bool) -> Result<(), Failure> {
    let refused = |step: Step, result: Result<(), Errno>, wanted: Errno| match result {
        Err(error) if error == wanted => Ok(()),
        Err(error) => Err(Failure::new(step, error)),
        Ok(()) => Err(Failure { step, errno: 0 }),
    };
    if !spec.grants.iter().any(|grant| grant.path == b"/") {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open("/", flags, Mode::empty()).map(drop);
        refused(Step::ReadTest, root, Errno::ACCESS)?;
    }
    if !spec.forbidden.is_empty() {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let path = OsStr::from_bytes(&spec.forbidden);
        let file = rustix::fs::open(path, flags, Mode::RUSR).map(drop);
        refused(Step::WriteTest, file, Errno::ACCESS)?;
    }
    if !network {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).map(drop);
        refused(Step::SocketTest, socket, Errno::PERM)?;
    }
    let unmounted = rustix::mount::mount_change("/", rustix::mount::MountPropagationFlags::PRIVATE);
    refused(Step::NamespaceTest, unmounted, Errno::PERM)
}
