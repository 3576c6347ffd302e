//! Checks before a connection is made on a model's word.
//!
//! The name is resolved once, every address of it is checked, and the connection goes to exactly
//! those addresses: a name server that answers differently the second time gains nothing.

use std::net::IpAddr;
use std::net::SocketAddr;

use url::Host;
use url::Url;

use super::error::NetworkError;
use super::policy::Refusal;
use super::policy::check_address;
use super::policy::check_name;
use super::resolver;
use crate::protocol::host_rule;
use crate::protocol::host_rule::Covered;

/// The person's host rules: one value for what is fetched and for the proxy of commands.
///
/// A rule with a host's own name opens it wherever it is, but for metadata services; wildcards and
/// `all` open public addresses only.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Host patterns (`--net`).
    pub rules: Vec<String>,
}

impl Guard {
    /// Whether any rule covers the host and port of a URL.
    pub fn covers(&self, url: &Url) -> bool {
        self.covered_url(url) != Covered::No
    }

    /// How far the rules cover a host and port.
    pub(super) fn covered(&self, host: &Host<String>, port: Option<u16>) -> Covered {
        host_rule::covered(&self.rules, host, port)
    }

    fn covered_url(&self, url: &Url) -> Covered {
        let host = url.host_str().and_then(host_rule::host);
        host.map_or(Covered::No, |host| self.covered(&host, url.port_or_known_default()))
    }

    /// The addresses that may be connected to; one that is not allowed refuses the whole name.
    pub(super) async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, NetworkError> {
        let target = url.host_str().unwrap_or_default();
        let Some(host) = url.host().map(|host| host.to_owned()) else {
            let reason = "the URL names no host".to_owned();
            return Err(NetworkError::Unreachable { target: target.to_owned(), reason });
        };
        let found = Self::checked(&host, self.covered_url(url)).await?;
        // Port 0: the URL's own port is put in.
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }

    /// See [`Self::check_unresolved`].
    pub(super) fn check_by_name(&self, url: &Url) -> Result<(), NetworkError> {
        let host = url.host().map(|host| host.to_owned());
        host.map_or(Ok(()), |host| Self::check_unresolved(&host, self.covered_url(url)))
    }

    /// The addresses of a host that a rule covers so far.
    pub(super) async fn checked(
        host: &Host<String>,
        covered: Covered,
    ) -> Result<Vec<IpAddr>, NetworkError> {
        let target = host.to_string();
        let unreachable =
            |reason: String| NetworkError::Unreachable { target: target.clone(), reason };
        let found: Vec<IpAddr> = match host {
            Host::Ipv4(address) => vec![(*address).into()],
            Host::Ipv6(address) => vec![(*address).into()],
            Host::Domain(name) => resolver::resolve(name).await.map_err(|error| {
                let reason = error.to_string().to_lowercase();
                unreachable(format!("the name cannot be resolved ({reason})"))
            })?,
        };
        if found.is_empty() {
            return Err(unreachable("the name has no address".to_owned()));
        }
        for address in &found {
            check_address(&target, *address, covered)
                .map_err(|refusal| forbidden(&target, &refusal))?;
        }
        Ok(found)
    }

    /// A host that a proxy of the person's will look up: what its name or address says by itself must
    /// do, since the addresses are not seen here.
    pub(super) fn check_unresolved(
        host: &Host<String>,
        covered: Covered,
    ) -> Result<(), NetworkError> {
        let checked = match host {
            Host::Ipv4(address) => check_address(&host.to_string(), (*address).into(), covered),
            Host::Ipv6(address) => check_address(&host.to_string(), (*address).into(), covered),
            Host::Domain(name) => check_name(name, covered),
        };
        checked.map_err(|refusal| forbidden(&host.to_string(), &refusal))
    }
}

fn forbidden(target: &str, refusal: &Refusal) -> NetworkError {
    let reason = format!("may not be reached: {refusal}");
    NetworkError::Forbidden { target: target.to_owned(), reason, can_open: refusal.can_open() }
}
