//! Checks before a connection is made on a model's word.
//!
//! The name is resolved once, every address of it is checked, and the connection goes to exactly
//! those addresses: a name server that answers differently the second time gains nothing.

use std::net::IpAddr;
use std::net::SocketAddr;

use url::Host;
use url::Url;

use super::error::NetworkError;
use super::policy::check_address;
use super::policy::rule_covers;
use super::resolver;

/// The person's host rules, as far as they lift the ban on the own machine and network.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Host patterns (`--net`). `all` allows every public host but names none.
    pub rules: Vec<String>,
}

impl Guard {
    /// Whether a rule other than `all` covers the host.
    pub fn names(&self, host: &str) -> bool {
        self.rules.iter().any(|rule| rule != "all" && rule_covers(rule, host))
    }

    /// Whether any rule covers the host.
    pub fn covers(&self, host: &str) -> bool {
        self.rules.iter().any(|rule| rule_covers(rule, host))
    }

    /// The addresses that may be connected to; one that is not allowed refuses the whole name.
    pub(super) async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, NetworkError> {
        let host = url.host_str().unwrap_or_default();
        let found: Vec<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            Some(Host::Domain(name)) => resolver::resolve(name).await.map_err(|error| {
                let reason =
                    format!("the name cannot be resolved ({})", error.to_string().to_lowercase());
                NetworkError::Unreachable { target: host.to_owned(), reason }
            })?,
            None => Vec::new(),
        };
        if found.is_empty() {
            let reason = "the name has no address".to_owned();
            return Err(NetworkError::Unreachable { target: host.to_owned(), reason });
        }
        let named = self.names(host);
        for address in &found {
            check_address(host, *address, named).map_err(|refusal| NetworkError::Forbidden {
                target: host.to_owned(),
                reason: format!("may not be fetched: {refusal}"),
            })?;
        }
        // Port 0: the URL's own port is put in.
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }
}
