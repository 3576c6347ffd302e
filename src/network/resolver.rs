//! Names to addresses, by the C library on a thread of its own.
//!
//! The thread is detached: a name server that never answers must not hold up the end of the
//! process, as a task of the runtime's blocking pool would. `localhost` never leaves the machine and
//! works without `/etc/hosts`, as RFC 6761 asks.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;

use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;
use tokio::sync::oneshot;

use super::policy::is_localhost;
use crate::system::name_service;

/// All addresses of a name, in the order in which they should be tried.
pub(super) async fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    if is_localhost(name) {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    #[cfg(test)]
    if name == staged::SILENT {
        return std::future::pending().await;
    }
    #[cfg(test)]
    if let Some(staged) = staged::next(name) {
        return staged;
    }
    name_service::pin();
    let (sender, receiver) = oneshot::channel();
    let name = name.to_owned();
    std::thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        let found = (name.as_str(), 0).to_socket_addrs();
        // The asker may have given up; then nobody wants the answer.
        drop(sender.send(found.map(|found| found.map(|address| address.ip()).collect())));
    })?;
    receiver.await.map_err(|_| io::Error::other("the resolver ended without an answer"))?
}

/// The ordinary resolver.
#[derive(Debug)]
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses = resolve(name.as_str()).await?;
            // Port 0: the URL's own port is put in.
            let addresses: Addrs =
                Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// Resolves nothing: for connections whose addresses were looked up and checked before.
#[derive(Debug)]
pub(super) struct NoResolver;

impl Resolve for NoResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let text = format!("`{}` was not checked", name.as_str());
        Box::pin(async move { Err(io::Error::other(text).into()) })
    }
}

/// Names that answer as a test wants them to, differently each time.
#[cfg(test)]
pub(super) mod staged {
    use std::collections::HashMap;
    use std::collections::VecDeque;
    use std::io;
    use std::net::IpAddr;
    use std::sync::Mutex;

    /// A name whose servers never answer.
    pub(in crate::network) const SILENT: &str = "silent.test";

    type Answers = HashMap<String, VecDeque<Vec<IpAddr>>>;

    static ANSWERS: Mutex<Option<Answers>> = Mutex::new(None);

    /// What a name answers, one list for each time it is asked; after the last it is not known.
    pub(in crate::network) fn set(name: &str, answers: &[&[&str]]) {
        let list = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let answers = answers.iter().map(list).collect();
        ANSWERS.lock().unwrap().get_or_insert_default().insert(name.to_owned(), answers);
    }

    /// How many answers nobody has asked for yet.
    pub(in crate::network) fn left(name: &str) -> usize {
        ANSWERS.lock().unwrap().as_ref().map_or(0, |all| all[name].len())
    }

    pub(super) fn next(name: &str) -> Option<io::Result<Vec<IpAddr>>> {
        let mut all = ANSWERS.lock().unwrap();
        let answers = all.as_mut()?.get_mut(name)?;
        Some(answers.pop_front().ok_or_else(|| io::Error::other("no such name")))
    }
}
