//! The way of commands to the hosts that the policy names: a socket that the launcher has opened in its
//! network namespace, given to the agent, whose proxy listens on it from outside.

use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::net::SocketAddrV4;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendAncillaryMessage;
use rustix::net::SendFlags;
use tokio::io::Interest;

use crate::protocol::Outlet;
use crate::protocol::Traffic;
use crate::protocol::Way;
use crate::system::process;

use super::spec;
use super::spec::Spec;

/// What programs look for; those in capital letters and the others, since few know both.
const VARIABLES: [&str; 6] =
    ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Launcher: gives the socket away, or says that there is none.
pub(super) fn hand_over(control: &OwnedFd, listener: Option<&OwnedFd>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = listener.map(|listener| [listener.as_fd()]);
    if let Some(descriptors) = &descriptors {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let byte = [spec::LISTENER];
    rustix::net::sendmsg(control, &[IoSlice::new(&byte)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Agent: a proxy at work for the commands of one launcher.
#[derive(Debug)]
pub(super) struct Gate {
    way: Arc<dyn Way>,
    port: u16,
}

impl Gate {
    /// Waits for the socket of a launcher and has it served. `None`: the launcher has none, and will say
    /// why when it is asked for a command.
    pub(super) async fn open(socket: &OwnedFd, outlet: &dyn Outlet) -> io::Result<Option<Self>> {
        let socket = process::watched(socket.try_clone()?)?;
        let received = socket.async_io(Interest::READABLE, |socket| Ok(receive(socket)?)).await?;
        let Some(listener) = received else { return Ok(None) };
        let port = SocketAddrV4::try_from(rustix::net::getsockname(&listener)?)?.port();
        Ok(Some(Self { way: Arc::from(outlet.serve(listener)?), port }))
    }

    /// Lets one more command through.
    pub(super) fn pass(&self) -> Passage {
        let address = self.way.admit();
        Passage { way: Arc::clone(&self.way), address, port: self.port, settled: false }
    }
}

fn receive(socket: &OwnedFd) -> rustix::io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [io::IoSliceMut::new(&mut byte)];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    match rustix::net::recvmsg(socket, &mut buffers, &mut ancillary, flags) {
        Ok(_) | Err(Errno::CONNRESET) => {}
        Err(error) => return Err(error),
    }
    Ok(ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(list) => list.last(),
        _ => None,
    }))
}

/// One command's way out; closed when this is dropped.
#[derive(Debug)]
pub(super) struct Passage {
    way: Arc<dyn Way>,
    address: Ipv4Addr,
    port: u16,
    settled: bool,
}

impl Passage {
    /// The same command, told of the proxy in place of whatever it would have been told.
    pub(super) fn told(&self, spec: &Spec) -> Spec {
        let mut spec = spec.clone();
        // Nothing is reached without it, this machine neither. Node has to be told to look.
        let others = [("no_proxy", ""), ("NO_PROXY", ""), ("NODE_USE_ENV_PROXY", "1")];
        spec.env.retain(|entry| {
            let name = entry.split(|byte| *byte == b'=').next().unwrap_or_default();
            let mut names = VARIABLES.iter().chain(others.iter().map(|(name, _)| name));
            !names.any(|own| own.as_bytes() == name)
        });
        let proxy = format!("http://{}:{}", self.address, self.port);
        let own = VARIABLES.iter().map(|name| (*name, proxy.as_str())).chain(others);
        spec.env.extend(own.map(|(name, value)| format!("{name}={value}").into_bytes()));
        spec
    }

    /// Ends what is still connected; the command is over.
    pub(super) fn settle(mut self) -> Traffic {
        self.settled = true;
        self.way.settle(self.address)
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if !self.settled {
            self.way.settle(self.address);
        }
    }
}
