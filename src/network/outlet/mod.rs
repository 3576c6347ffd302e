//! The proxy of commands: the only way out of a sandbox whose policy names hosts.
//!
//! It listens where only the commands of one sandbox are (their network namespace), decides by the
//! rules that `web_fetch` obeys, and connects to the addresses it has checked. Everything is bounded:
//! connections at once (of all commands, and each command's share of them), heads, bytes, silence. It
//! reads nothing of what passes through a tunnel, adds no credentials of the person's but those for a
//! proxy of theirs, and keeps nothing.

mod exchange;
mod meter;
mod road;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::task::JoinSet;

use crate::protocol::Outlet;
use crate::protocol::RefusedHost;
use crate::protocol::Traffic;
use crate::protocol::Way;

use super::client::Client;
use road::Road;

/// What connections of commands may take.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Of all commands of a sandbox at one time; further ones wait to be accepted.
    connections: usize,
    /// Of one command at one time; further ones are answered with 503. Package managers open up to 50.
    share: usize,
    /// Bytes that one of them may carry, both directions together.
    bytes: u64,
    /// How long the head of a request may take to arrive.
    head: Duration,
}

/// As many bytes as the largest file that a command may write, and as many again.
const BOUNDS: Bounds =
    Bounds { connections: 256, share: 64, bytes: 16 << 30, head: Duration::from_secs(30) };
/// Connections of one command that are told that there are too many; more are closed without a word.
const TURNED_AWAY: usize = 8;
/// Hosts that are remembered as refused to one command.
const REFUSALS: usize = 32;
/// After an error of accepting (no descriptors are left).
const PAUSE: Duration = Duration::from_millis(50);
/// Addresses for commands: 127.0.0.1 and what follows it.
const ADDRESSES: u32 = 0x00ff_fff0;

/// Proxies by the person's settings and host rules. Starts nothing by itself.
#[derive(Debug)]
pub struct HostOutlet {
    road: Arc<Road>,
}

impl HostOutlet {
    /// `rules`: the hosts that commands may reach.
    pub fn new(client: Client, rules: Vec<String>) -> Self {
        Self::bounded(client, rules, BOUNDS)
    }

    fn bounded(client: Client, rules: Vec<String>, bounds: Bounds) -> Self {
        Self { road: Arc::new(Road::new(client, rules, bounds)) }
    }
}

impl Outlet for HostOutlet {
    #[cfg(unix)]
    fn serve(&self, listener: std::os::fd::OwnedFd) -> io::Result<Box<dyn Way>> {
        let listener = std::net::TcpListener::from(listener);
        listener.set_nonblocking(true)?;
        Ok(Box::new(Open::start(TcpListener::from_std(listener)?, Arc::clone(&self.road))))
    }
}

/// A listener that is served. Dropped, it and all connections are closed.
#[derive(Debug)]
struct Open {
    commands: Arc<Commands>,
    accepting: AbortHandle,
}

impl Open {
    fn start(listener: TcpListener, road: Arc<Road>) -> Self {
        let commands = Arc::new(Commands::default());
        let accepting = tokio::spawn(accept(listener, road, Arc::clone(&commands))).abort_handle();
        Self { commands, accepting }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.accepting.abort();
        self.commands.lock().present.clear();
    }
}

impl Way for Open {
    fn admit(&self) -> Ipv4Addr {
        let mut commands = self.commands.lock();
        loop {
            commands.last = commands.last % ADDRESSES + 1;
            let address = Ipv4Addr::from(0x7f00_0000 | commands.last);
            if let std::collections::hash_map::Entry::Vacant(place) =
                commands.present.entry(address)
            {
                place.insert(Command::default());
                return address;
            }
        }
    }

    fn settle(&self, address: Ipv4Addr) -> Traffic {
        let ended = self.commands.lock().present.remove(&address);
        ended.map(|command| command.traffic).unwrap_or_default()
    }
}

/// The commands that are under way.
#[derive(Debug, Default)]
struct Commands(Mutex<Present>);

#[derive(Debug, Default)]
struct Present {
    last: u32,
    present: HashMap<Ipv4Addr, Command>,
}

#[derive(Debug, Default)]
struct Command {
    /// Aborted when this is dropped.
    connections: JoinSet<()>,
    turned_away: JoinSet<()>,
    traffic: Traffic,
}

impl Command {
    fn has_room(&mut self, share: usize) -> bool {
        while self.connections.try_join_next().is_some() {}
        self.connections.len() < share
    }

    /// Costs no place of another command, and little of anything however often it happens.
    fn turn_away(&mut self, stream: TcpStream, share: usize) {
        while self.turned_away.try_join_next().is_some() {}
        if self.turned_away.len() < TURNED_AWAY {
            self.turned_away.spawn(exchange::turn_away(stream, share));
        }
    }
}

/// What one connection has to tell of its command.
enum News {
    Refused(RefusedHost),
    /// A host (`host:port`) is connected; told before any byte of it is passed on.
    Reached(String),
}

impl Commands {
    /// Held for single steps only.
    fn lock(&self) -> MutexGuard<'_, Present> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, command: Ipv4Addr, news: News) {
        let mut present = self.lock();
        let Some(command) = present.present.get_mut(&command) else { return };
        let Traffic { refused, reached } = &mut command.traffic;
        match news {
            News::Reached(host) => {
                reached.get_or_insert(host);
            }
            News::Refused(host) if refused.len() < REFUSALS && !refused.contains(&host) => {
                refused.push(host);
            }
            News::Refused(_) => {}
        }
    }
}

async fn accept(listener: TcpListener, road: Arc<Road>, commands: Arc<Commands>) {
    let room = Arc::new(Semaphore::new(road.bounds.connections));
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let (stream, address) = match listener.accept().await.and_then(|(it, _)| with_address(it)) {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection of a command was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (road, all) = (Arc::clone(&road), Arc::clone(&commands));
        let mut present = commands.lock();
        // A command that is over: nobody is left at the other end.
        let Some(command) = present.present.get_mut(&address) else { continue };
        if !command.has_room(road.bounds.share) {
            command.turn_away(stream, road.bounds.share);
            continue;
        }
        command.connections.spawn(async move {
            exchange::serve(stream, road, &move |news| all.note(address, news)).await;
            drop(place);
        });
    }
}

/// The address at which the command has found us says which command it is.
fn with_address(stream: TcpStream) -> io::Result<(TcpStream, Ipv4Addr)> {
    stream.set_nodelay(true)?;
    match stream.local_addr()?.ip() {
        IpAddr::V4(address) => Ok((stream, address)),
        IpAddr::V6(_) => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;

#[cfg(test)]
#[cfg(unix)]
mod bounds_tests;

#[cfg(test)]
#[cfg(unix)]
mod upstream_tests;

#[cfg(test)]
mod agreement_tests;
