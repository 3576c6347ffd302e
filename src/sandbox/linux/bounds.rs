//! What bounds a command: prepared once by the launcher, applied by each command to itself just before
//! it is executed, and tested by it.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::SocketType;
use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;

use super::grants::SHARED_MEMORY;
use super::helper::Failure;
use super::landlock;
use super::landlock::Grant;
use super::landlock::Rights;
use super::namespaces;
use super::seccomp;
use super::seccomp::Filter;
use super::spec::Bounds;
use super::spec::ENFORCE;
use super::spec::HOSTS;
use super::spec::Limits;
use super::spec::NAMESPACES;
use super::spec::NETWORK;
use super::spec::Network;
use super::spec::Step;

/// Linux numbers capabilities below this.
const CAPABILITIES: u32 = 64;
/// What root keeps: files of other owners, and ending its own processes.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL);

/// Commands after which the ruleset is made anew.
const ADDITIONS: u32 = 64;
const PROCFS: &[u8] = b"/proc";
/// Self-test: an address of another machine (reserved for documentation).
const NOWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Bounds that only have to be applied.
pub(super) struct Ready {
    /// Commands get namespaces of their own.
    pub(super) namespaces: bool,
    enforced: Option<Enforced>,
    pub(super) limits: Limits,
    /// For the agent's proxy, until it is handed over.
    listener: Option<OwnedFd>,
}

struct Enforced {
    ruleset: OwnedFd,
    grants: Vec<Grant>,
    /// Commands that added their procfs to the ruleset.
    additions: u32,
    /// On top of the one that the launcher has installed for itself and all.
    filter: Vec<libc::sock_filter>,
    root: bool,
    network: Network,
    /// Self-test: the root directory must not be readable.
    tests_reading: bool,
    /// Self-test: see [`Bounds::forbidden`].
    forbidden: Vec<u8>,
}

impl Ready {
    /// Enters the namespaces that commands share and prepares the rest.
    pub(super) fn new(mut bounds: Bounds) -> Result<Self, Failure> {
        let mut network = if bounds.has(NETWORK) { Network::Open } else { Network::Closed };
        let namespaces = bounds.has(NAMESPACES);
        let mut listener = None;
        if namespaces {
            namespaces::enter(network == Network::Open)?;
            namespaces::pin(&bounds.pinned)?;
            namespaces::hide(&bounds.hidden)?;
            own_shared_memory(&mut bounds)?;
            if bounds.has(HOSTS) && network == Network::Closed {
                let (socket, port) = namespaces::listen()?;
                listener = Some(socket);
                network = Network::Proxy(port);
            }
        }
        let limits = bounds.limits;
        let enforced = bounds.has(ENFORCE).then(|| Enforced::new(bounds, network)).transpose()?;
        Ok(Self { namespaces, enforced, limits, listener })
    }

    /// Commands are bounded at all.
    pub(super) fn is_enforced(&self) -> bool {
        self.enforced.is_some()
    }

    /// The socket that the agent's proxy is to listen on; given once.
    pub(super) fn take_listener(&mut self) -> Option<OwnedFd> {
        self.listener.take()
    }

    /// To be called before each command.
    pub(super) fn renew(&mut self) -> Result<(), Failure> {
        if !self.namespaces {
            return Ok(());
        }
        self.enforced.as_mut().map_or(Ok(()), Enforced::renew)
    }

    /// Grants the command the procfs of its own process namespace: Landlock knows directories by inode,
    /// and each procfs has its own.
    pub(super) fn grant_own_procfs(&self) -> Result<(), Failure> {
        let Some(enforced) = &self.enforced else { return Ok(()) };
        let grant = Grant { rights: Rights::Read, path: PROCFS.to_vec() };
        landlock::add(&enforced.ruleset, &grant)
            .map_err(|error| Failure::io(Step::Landlock, &error))
    }

    /// Gives up capabilities, bounds files and the last system calls, and tests that all bounds hold.
    pub(super) fn enforce(&self) -> Result<(), Failure> {
        self.enforced.as_ref().map_or(Ok(()), Enforced::apply)
    }
}

/// In namespaces shared memory is writable at every level, since it is nobody else's.
fn own_shared_memory(bounds: &mut Bounds) -> Result<(), Failure> {
    let path = SHARED_MEMORY.as_bytes();
    let is_mounted = namespaces::share_memory(bounds.limits.memory)?;
    if is_mounted && !bounds.grants.iter().any(|grant| grant.path == path) {
        bounds.grants.push(Grant { rights: Rights::Write, path: path.to_vec() });
    }
    Ok(())
}

impl Enforced {
    fn new(bounds: Bounds, network: Network) -> Result<Self, Failure> {
        let root = rustix::process::geteuid().is_root();
        // The launcher keeps what it has for mounting; what it executes can have no more than this.
        narrow_bounding_set(kept(root)).map_err(|error| Failure::new(Step::Capabilities, error))?;
        let namespaces = bounds.has(NAMESPACES);
        let Bounds { mut grants, forbidden, .. } = bounds;
        grants.retain(|grant| !(namespaces && grant.path == PROCFS));
        let ruleset = ruleset(&grants, network)?;
        rustix::thread::set_no_new_privs(true)
            .map_err(|error| Failure::new(Step::Privileges, error))?;
        let shared = Filter { network, root, landlock_abi: landlock::abi() }.shared();
        seccomp::install(&shared).map_err(|error| Failure::io(Step::Seccomp, &error))?;
        Ok(Self {
            ruleset,
            tests_reading: !grants.iter().any(|grant| grant.path == b"/"),
            grants,
            additions: 0,
            filter: seccomp::of_commands(),
            root,
            network,
            forbidden,
        })
    }

    /// Makes the ruleset anew now and then, without the procfs of commands that have ended.
    fn renew(&mut self) -> Result<(), Failure> {
        self.additions += 1;
        if self.additions > ADDITIONS {
            self.ruleset = ruleset(&self.grants, self.network)?;
            self.additions = 1;
        }
        Ok(())
    }

    fn apply(&self) -> Result<(), Failure> {
        keep_capabilities(kept(self.root))
            .map_err(|error| Failure::new(Step::Capabilities, error))?;
        landlock::restrict(&self.ruleset).map_err(|error| Failure::io(Step::Landlock, &error))?;
        seccomp::install(&self.filter).map_err(|error| Failure::io(Step::Seccomp, &error))?;
        self.test()
    }

    /// Tries what must be refused, with permissions that would allow it without the bounds. A command
    /// that runs has therefore seen its own bounds hold.
    fn test(&self) -> Result<(), Failure> {
        let refused = |step: Step, result: Result<(), Errno>, wanted: Errno| match result {
            Err(error) if error == wanted => Ok(()),
            Err(error) => Err(Failure::new(step, error)),
            Ok(()) => Err(Failure { step, errno: 0 }),
        };
        if self.tests_reading {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = rustix::fs::open("/", flags, Mode::empty()).map(drop);
            refused(Step::ReadTest, root, Errno::ACCESS)?;
        }
        if !self.forbidden.is_empty() {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let path = OsStr::from_bytes(&self.forbidden);
            let file = rustix::fs::open(path, flags, Mode::RUSR).map(drop);
            refused(Step::WriteTest, file, Errno::ACCESS)?;
        }
        let socket = |family, kind| rustix::net::socket(family, kind, None);
        match self.network {
            Network::Open => {}
            Network::Closed => {
                let stream = socket(AddressFamily::INET, SocketType::STREAM).map(drop);
                refused(Step::SocketTest, stream, Errno::PERM)?;
            }
            Network::Proxy(port) => {
                let datagram = socket(AddressFamily::INET, SocketType::DGRAM).map(drop);
                refused(Step::SocketTest, datagram, Errno::PERM)?;
                let local = socket(AddressFamily::UNIX, SocketType::STREAM).map(drop);
                refused(Step::SocketTest, local, Errno::PERM)?;
                let stream = socket(AddressFamily::INET, SocketType::STREAM)
                    .map_err(|error| Failure::new(Step::RouteTest, error))?;
                let elsewhere = SocketAddrV4::new(NOWHERE, port);
                let connected = rustix::net::connect(&stream, &elsewhere);
                refused(Step::RouteTest, connected, Errno::NETUNREACH)?;
            }
        }
        let private = rustix::mount::MountPropagationFlags::PRIVATE;
        refused(Step::NamespaceTest, rustix::mount::mount_change("/", private), Errno::PERM)
    }
}

fn ruleset(grants: &[Grant], network: Network) -> Result<OwnedFd, Failure> {
    landlock::ruleset(grants, network).map_err(|error| Failure::io(Step::Landlock, &error))
}

/// Root keeps what files need; everybody else has nothing left (in a user namespace they had
/// everything).
fn kept(root: bool) -> CapabilitySet {
    if root { KEPT } else { CapabilitySet::empty() }
}

fn narrow_bounding_set(kept: CapabilitySet) -> rustix::io::Result<()> {
    if !rustix::thread::capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
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
    Ok(())
}

fn keep_capabilities(kept: CapabilitySet) -> rustix::io::Result<()> {
    let present = rustix::thread::capabilities(None)?;
    let sets = CapabilitySets {
        effective: present.effective & kept,
        permitted: present.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets)
}
