//! The port by which commands get out of their sandbox: to the hosts that the person named, and by way
//! of a proxy in this process only.

use std::fmt;
#[cfg(unix)]
use std::io;
use std::net::Ipv4Addr;
#[cfg(unix)]
use std::os::fd::OwnedFd;

/// A host that a command asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedHost {
    /// `host:port`.
    pub host: String,
    /// One line.
    pub reason: String,
    /// Whether `--net` with this host opens it.
    pub can_open: bool,
}

/// What came of one command's way out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Each host once.
    pub refused: Vec<RefusedHost>,
    /// The first host (`host:port`) it was connected to: from then on it may have that host's text.
    pub reached: Option<String>,
}

/// Lets commands out.
pub trait Outlet: fmt::Debug + Send + Sync {
    /// Serves what connects to a listening socket, which a sandbox has opened where only its commands
    /// are, until the result is dropped. Must be called within the runtime.
    #[cfg(unix)]
    fn serve(&self, listener: OwnedFd) -> io::Result<Box<dyn Way>>;
}

/// A proxy at work. Commands are told apart by the loopback address at which each finds it.
pub trait Way: fmt::Debug + Send + Sync {
    /// The address for one more command.
    fn admit(&self) -> Ipv4Addr;

    /// Ends every connection of a command that is over, and says what came of them.
    fn settle(&self, address: Ipv4Addr) -> Traffic;
}
