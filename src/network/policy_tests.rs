//! The hostile spellings of addresses, one by one.

use std::net::IpAddr;

use url::Host;

use super::AddressClass;
use super::Covered;
use super::Refusal;
use super::can_open;
use super::check_address;
use super::check_name;
use super::classify;
use super::is_loopback_host;
use super::parse_fetch_url;

fn class(text: &str) -> AddressClass {
    classify(text.parse().unwrap())
}

#[expect(clippy::too_many_lines, reason = "a list of addresses")]
#[test]
fn addresses_of_each_class() {
    for public in [
        "1.1.1.1",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ] {
        assert_eq!(class(public), AddressClass::Public, "{public}");
    }
    for own in [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "0.1.2.3",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
    ] {
        assert_eq!(class(own), AddressClass::Loopback, "{own}");
    }
    for inner in [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.0.1",
        "100.64.0.1",
        "fd12::1",
        "fc00::1",
        "fe80::1",
        "fec0::1",
        "::ffff:10.1.2.3",
        "2002:c0a8:101::1",
    ] {
        assert_eq!(class(inner), AddressClass::Internal, "{inner}");
    }
    for metadata in [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "64:ff9b::a9fe:a9fe",
    ] {
        assert_eq!(class(metadata), AddressClass::Metadata, "{metadata}");
    }
    for reserved in [
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "203.0.113.9",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "100::1",
        "64:ff9b:1::1",
    ] {
        assert_eq!(class(reserved), AddressClass::Reserved, "{reserved}");
    }
}

#[test]
fn odd_spellings_of_this_machine_are_the_same_address() {
    for text in [
        "http://127.0.0.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://１２７.0.0.1/",
    ] {
        let url = parse_fetch_url(text).unwrap();
        let Some(Host::Ipv4(address)) = url.host() else { panic!("{text}: {url}") };
        assert!(check_address("x", address.into(), Covered::ByAll).is_err(), "{text}");
        assert!(is_loopback_host(&url), "{text}");
    }
    let url = parse_fetch_url("http://[::ffff:7f00:1]/").unwrap();
    assert!(is_loopback_host(&url));
    assert!(is_loopback_host(&parse_fetch_url("http://localhost.:80/").unwrap()));
    assert!(!is_loopback_host(&parse_fetch_url("http://localhost.example.org/").unwrap()));
}

#[test]
fn urls_that_are_refused_before_any_look_up() {
    let cases = [
        "ftp://example.org/",
        "file:///etc/passwd",
        "example.org",
        "http://",
        "http://a\0.b/",
        "http://a b/",
        "http://a.b\\c/",
        "http://exa\u{ad}mple.org\n/",
        "javascript:alert(1)",
    ];
    for text in cases {
        assert!(matches!(parse_fetch_url(text), Err(Refusal::NotHttp(_))), "{text:?}");
    }
    assert_eq!(parse_fetch_url("http://user@example.org/"), Err(Refusal::Credentials));
    assert_eq!(parse_fetch_url("http://example.org:pw@evil.org/"), Err(Refusal::Credentials));
    for text in ["http://metadata.google.internal/", "http://METADATA.google.internal./x"] {
        assert!(matches!(parse_fetch_url(text), Err(Refusal::MetadataName(_))), "{text}");
    }
}

#[test]
fn only_the_hosts_own_name_opens_the_own_network_and_nothing_opens_metadata() {
    let check = |host: &str, address: &str, covered: Covered| {
        check_address(host, address.parse::<IpAddr>().unwrap(), covered)
    };
    for (host, address) in [
        ("localhost", "127.0.0.1"),
        ("nas", "192.168.1.4"),
        ("[::ffff:10.0.0.1]", "::ffff:10.0.0.1"),
        ("x", "fe80::1"),
        ("x", "64:ff9b::7f00:1"),
    ] {
        assert_eq!(check(host, address, Covered::ByName), Ok(()));
        for covered in [Covered::No, Covered::ByAll, Covered::ByWildcard] {
            let refusal = check(host, address, covered).unwrap_err();
            let remedy = format!("which only `--net {host}` opens, no wildcard");
            assert!(refusal.can_open() && refusal.to_string().ends_with(&remedy), "{refusal}");
        }
    }
    for address in ["169.254.169.254", "::ffff:169.254.169.254", "224.0.0.1"] {
        for covered in [Covered::No, Covered::ByAll, Covered::ByWildcard, Covered::ByName] {
            let refusal = check("x", address, covered).unwrap_err();
            let is_final = refusal.to_string().ends_with(", which no rule opens");
            assert!(is_final && !refusal.can_open(), "{refusal}");
        }
        assert!(check("x", "1.1.1.1", Covered::ByWildcard).is_ok());
    }
    let refusal = check("evil.example", "10.0.0.1", Covered::ByWildcard).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "`evil.example` is 10.0.0.1, an address of a private network, \
         which only `--net evil.example` opens, no wildcard"
    );
}

#[test]
fn what_a_host_says_by_itself_tells_whether_a_rule_can_open_it() {
    for (host, expected) in [
        ("nas.lan", true),
        ("10.0.0.1", true),
        ("[::1]", true),
        ("169.254.169.254", false),
        ("[::ffff:169.254.169.254]", false),
        ("224.0.0.1", false),
        ("metadata.google.internal", false),
    ] {
        assert_eq!(can_open(&Host::parse(host).unwrap()), expected, "{host}");
    }
}

#[test]
fn names_of_private_networks_are_opened_by_themselves_only() {
    for name in ["git.corp", "nas", "a.localhost", "x.internal."] {
        assert_eq!(check_name(name, Covered::ByName), Ok(()), "{name}");
        for covered in [Covered::ByAll, Covered::ByWildcard] {
            let refusal = check_name(name, covered).unwrap_err();
            assert!(refusal.can_open(), "{refusal}");
        }
    }
    assert_eq!(check_name("git.example.org", Covered::ByWildcard), Ok(()));
    assert!(check_name("metadata.google.internal", Covered::ByName).is_err());
}
