//! Host rules and URLs that a model wrote: what they cover is what a slower reading says, and an
//! address that is passed as public is none of the special ones that the standard library knows.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use agi_agent::network::policy::check_address;
use agi_agent::network::policy::parse_fetch_url;
use agi_agent::protocol::HostRule;
use agi_agent::protocol::host_rule;
use agi_agent::protocol::host_rule::Covered;
use url::Host;

/// First line: a rule; second: a host; the rest: a URL.
pub fn judge(data: &[u8]) {
    let Some(text) = super::text(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (rule, host) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if let (Some(rule), Some(host)) = (HostRule::parse(rule), host_rule::host(host)) {
        for port in [443, 8443] {
            let expected = covers(&rule.to_string(), &host.to_string(), port);
            assert_eq!(rule.covers(&host, Some(port)), expected, "{rule} on {host}:{port}");
        }
        assert_eq!(HostRule::parse(&rule.to_string()), Some(rule));
    }
    let Ok(url) = parse_fetch_url(lines.next().unwrap_or_default()) else { return };
    assert!(matches!(url.scheme(), "http" | "https"), "{url}");
    assert!(url.username().is_empty() && url.password().is_none(), "{url}");
    let address = match url.host().expect("a host") {
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
        Host::Domain(name) => {
            assert!(name.parse::<IpAddr>().is_err(), "an address passes as a name: {name}");
            return;
        }
    };
    if check_address(url.host_str().unwrap_or_default(), address, Covered::ByWildcard).is_ok() {
        assert!(!is_special(address), "{address} counts as public");
    }
}

/// Label by label, from the right; of what was understood, as it is written again.
fn covers(rule: &str, host: &str, port: u16) -> bool {
    let (rule, wanted) = match rule.rsplit_once(':') {
        Some((name, digits)) if !digits.ends_with(']') => (name, digits.parse().ok()),
        _ => (rule, None),
    };
    if wanted.is_some_and(|wanted: u16| wanted != port) {
        return false;
    }
    let Some(parent) = rule.strip_prefix("*.") else { return rule == "all" || rule == host };
    let (parent, host): (Vec<&str>, Vec<&str>) =
        (parent.split('.').collect(), host.split('.').collect());
    host.len() > parent.len()
        && host[host.len() - parent.len()..] == parent[..]
        && !host[..host.len() - parent.len()].join(".").is_empty()
}

fn is_special(address: IpAddr) -> bool {
    let special = |address: Ipv4Addr| {
        address.is_loopback()
            || address.is_private()
            || address.is_link_local()
            || address.is_unspecified()
            || address.is_broadcast()
            || address.is_documentation()
            || address.is_multicast()
    };
    match address {
        IpAddr::V4(address) => special(address),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.to_ipv4().is_some_and(special)
        }
    }
}
