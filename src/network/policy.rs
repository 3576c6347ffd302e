//! Which hosts and addresses may be connected to: pure functions over names and addresses.
//!
//! Two rules use them: `--offline` (nothing but loopback), and fetching for a model (no address of
//! the own machine, the own network or a cloud's metadata service, however it is spelled).

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use url::Host;
use url::Url;

use crate::protocol::host_rule::Covered;

/// Names of metadata services.
const METADATA: [&str; 5] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
];
/// Ends of names that are never public (RFC 6762, RFC 8375, ICANN's `internal`, and habits).
const PRIVATE: [&str; 8] =
    ["local", "internal", "home.arpa", "lan", "home", "corp", "intranet", "private"];

/// What an address is, as far as reaching it on somebody else's word is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    Public,
    Loopback,
    /// The cloud's metadata service: hands out credentials to whoever asks.
    Metadata,
    /// Private, link-local, carrier-grade NAT, unique local.
    Internal,
    /// Multicast, broadcast, documentation, benchmarks, tunnels: nothing a fetch could mean.
    Reserved,
}

/// Classifies an address; IPv4 addresses inside IPv6 ones (mapped, compatible, 6to4, NAT64) count
/// as what they carry. Sources: the IANA special-purpose address registries (RFC 6890).
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    match address.octets() {
        // Amazon, Google, Azure; Alibaba; Azure's wire server; Oracle.
        [169, 254, 169, 254] | [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => {
            AddressClass::Metadata
        }
        // 0.0.0.0/8 reaches the own machine on Linux.
        [127 | 0, ..] => AddressClass::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [169, 254, ..] | [100, 64..=127, ..] => {
            AddressClass::Internal
        }
        [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => AddressClass::Reserved,
        _ => AddressClass::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        classify_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => AddressClass::Loopback,
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] => AddressClass::Metadata,
        // Mapped, compatible, translated (SIIT), NAT64.
        [0, 0, 0, 0, 0 | 0xffff, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            embedded(high, low)
        }
        [0x2002, high, low, ..] => embedded(high, low),
        [0xfc00..=0xfdff | 0xfe80..=0xfeff, ..] => AddressClass::Internal,
        // Local NAT64, discard, Teredo and its siblings, documentation.
        [0x64, 0xff9b, 1, ..]
        | [0x100, ..]
        | [0x2001, 0..=0x1ff | 0xdb8, ..]
        | [0x3fff, 0..=0xfff, ..] => AddressClass::Reserved,
        [0x2000..=0x3fff, ..] => AddressClass::Public,
        _ => AddressClass::Reserved,
    }
}

/// Whether the host can only mean this machine: a loopback literal, or a name that RFC 6761 keeps
/// for it. (Other names that happen to resolve to loopback do not count: asking for them already
/// talks to a name server.)
pub fn is_loopback_host(url: &Url) -> bool {
    url.host().is_some_and(|host| is_loopback(&host))
}

/// The same for a host alone.
pub fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => {
            address.is_loopback()
                || address.to_ipv4_mapped().is_some_and(|inner| inner.is_loopback())
        }
        Host::Domain(name) => is_localhost(name.as_ref()),
    }
}

/// `localhost` and names below it, with or without the dot of the root.
pub fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Why a URL must not be fetched for a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("`{0}` is not an absolute http or https URL")]
    NotHttp(String),
    #[error("the URL carries a user name or password")]
    Credentials,
    #[error("`{0}` is the name of a cloud's metadata service")]
    MetadataName(String),
    #[error(
        "`{0}` is a name of this machine or of a private network, which only `--net {0}` opens, \
         no wildcard"
    )]
    PrivateName(String),
    #[error("`{host}` is {address}, {what}, which {}", opened_by(.host, *.can_open))]
    Address {
        host: String,
        address: IpAddr,
        what: &'static str,
        /// By a rule with the host's own name.
        can_open: bool,
    },
}

impl Refusal {
    /// Whether a rule with the host's own name would open it.
    pub fn can_open(&self) -> bool {
        matches!(self, Self::PrivateName(_) | Self::Address { can_open: true, .. })
    }
}

fn opened_by(host: &str, can_open: bool) -> String {
    if can_open {
        format!("only `--net {host}` opens, no wildcard")
    } else {
        "no rule opens".to_owned()
    }
}

/// Parses a URL that a model wrote, as strictly as browsers' parsers allow.
pub fn parse_fetch_url(text: &str) -> Result<Url, Refusal> {
    let strange =
        |character: char| character.is_control() || character.is_whitespace() || character == '\\';
    let refused = || Refusal::NotHttp(text.escape_debug().take(200).collect());
    if text.contains(strange) {
        return Err(refused());
    }
    let url = Url::parse(text).map_err(|_| refused())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(refused());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::Credentials);
    }
    if let Some(Host::Domain(name)) = url.host() {
        check_metadata(name)?;
    }
    Ok(url)
}

fn check_metadata(name: &str) -> Result<(), Refusal> {
    let name = name.trim_end_matches('.');
    if METADATA.contains(&name) {
        return Err(Refusal::MetadataName(name.to_owned()));
    }
    Ok(())
}

/// Checks a name whose addresses somebody else will look up (a proxy): names that mean a metadata
/// service never pass, names of private networks only where a rule has the name itself.
pub fn check_name(name: &str, covered: Covered) -> Result<(), Refusal> {
    check_metadata(name)?;
    let name = name.trim_end_matches('.');
    let is_private = is_localhost(name)
        || !name.contains('.')
        || PRIVATE.iter().any(|end| name.strip_suffix(end).is_some_and(|it| it.ends_with('.')));
    if is_private && covered != Covered::ByName {
        return Err(Refusal::PrivateName(name.to_owned()));
    }
    Ok(())
}

/// Checks one address of a host that would be connected to. The own machine and network are open where
/// a rule of the person has this very name or address; wildcards and `all` open public addresses only,
/// and metadata services are open to nobody.
pub fn check_address(host: &str, address: IpAddr, covered: Covered) -> Result<(), Refusal> {
    let (what, can_open) = match classify(address) {
        AddressClass::Public => return Ok(()),
        AddressClass::Metadata => ("a cloud's metadata service", false),
        AddressClass::Loopback => ("this machine", true),
        AddressClass::Internal => ("an address of a private network", true),
        AddressClass::Reserved => ("a reserved address", false),
    };
    if can_open && covered == Covered::ByName {
        return Ok(());
    }
    Err(Refusal::Address { host: host.to_owned(), address, what, can_open })
}

/// Whether a rule with the host's own name can open it, as far as the host says by itself.
pub fn can_open<S: AsRef<str>>(host: &Host<S>) -> bool {
    let by_name = |address| check_address("", address, Covered::ByName).is_ok();
    match host {
        Host::Ipv4(address) => by_name((*address).into()),
        Host::Ipv6(address) => by_name((*address).into()),
        Host::Domain(name) => check_metadata(name.as_ref()).is_ok(),
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
