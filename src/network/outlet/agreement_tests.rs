//! One list of rules, two enforcers: what is fetched for a model and what the proxy of commands connects to
//! are the same hosts at the same addresses, and both are what a slower reading of the rules says.

use proptest::prelude::*;
use url::Host;
use url::Url;

use super::BOUNDS;
use super::road::Road;
use super::road::Target;
use crate::network::Client;
use crate::network::Guard;
use crate::network::HttpRequest;
use crate::network::Method;
use crate::network::NetworkError;
use crate::network::Purpose;
use crate::network::client::settings_for_tests;
use crate::network::resolver::staged;

/// Names of this test alone.
const NAMES: [&str; 5] =
    ["agree.test", "a.agree.test", "b.a.agree.test", "xagree.test", "a.agree.test.evil.test"];
const PORTS: [u16; 2] = [80, 8443];

/// Whom an address can be opened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpenedBy {
    AnyRule,
    ItsOwn,
    Nothing,
}

const ADDRESSES: [(&str, OpenedBy); 16] = [
    ("8.8.8.8", OpenedBy::AnyRule),
    ("2606:4700::1111", OpenedBy::AnyRule),
    ("::ffff:8.8.8.8", OpenedBy::AnyRule),
    ("127.0.0.1", OpenedBy::ItsOwn),
    ("::1", OpenedBy::ItsOwn),
    ("10.0.0.1", OpenedBy::ItsOwn),
    ("169.254.7.7", OpenedBy::ItsOwn),
    ("fe80::1", OpenedBy::ItsOwn),
    ("fd12::1", OpenedBy::ItsOwn),
    ("::ffff:127.0.0.1", OpenedBy::ItsOwn),
    ("64:ff9b::7f00:1", OpenedBy::ItsOwn),
    ("2002:c0a8:101::1", OpenedBy::ItsOwn),
    ("169.254.169.254", OpenedBy::Nothing),
    ("::ffff:a9fe:a9fe", OpenedBy::Nothing),
    ("fd00:ec2::254", OpenedBy::Nothing),
    ("224.0.0.1", OpenedBy::Nothing),
];

#[derive(Debug, Clone)]
enum Rule {
    All,
    Below(&'static str, Option<u16>),
    Host(String, Option<u16>),
}

impl Rule {
    fn text(&self) -> String {
        let (name, port) = match self {
            Self::All => return "all".to_owned(),
            Self::Below(name, port) => (format!("*.{name}"), port),
            Self::Host(host, port) => (host.clone(), port),
        };
        port.map_or(name.clone(), |port| format!("{name}:{port}"))
    }

    /// Whether the rule covers a host, and whether by its own name.
    fn covers(&self, asked: &str, at: u16) -> (bool, bool) {
        let is_port = |port: &Option<u16>| port.is_none_or(|port| port == at);
        match self {
            Self::All => (true, false),
            Self::Below(name, port) => {
                (is_port(port) && asked.ends_with(&format!(".{name}")), false)
            }
            Self::Host(host, port) => {
                let covers = is_port(port) && host.eq_ignore_ascii_case(asked);
                (covers, covers)
            }
        }
    }
}

fn host() -> impl Strategy<Value = String> {
    let literal = proptest::sample::select(&ADDRESSES[..]).prop_map(|(text, _)| {
        let address: std::net::IpAddr = text.parse().unwrap();
        match address {
            std::net::IpAddr::V4(address) => Host::<String>::Ipv4(address).to_string(),
            std::net::IpAddr::V6(address) => Host::<String>::Ipv6(address).to_string(),
        }
    });
    prop_oneof![
        3 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned),
        1 => literal,
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let port = || proptest::option::weighted(0.3, proptest::sample::select(&PORTS[..]));
    prop_oneof![
        1 => Just(Rule::All),
        3 => (proptest::sample::select(&["test", "agree.test", "a.agree.test"][..]), port())
            .prop_map(|(name, port)| Rule::Below(name, port)),
        3 => (host(), port()).prop_map(|(host, port)| Rule::Host(host, port)),
    ]
}

/// What the two say: of addresses that are looked up here, and of a name that another proxy looks up.
fn verdicts(rules: Vec<String>, host: &str, port: u16, answers: &[&str]) -> [(bool, bool); 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let guard = Guard { rules: rules.clone() };
    let road = Road::new(Client::new(&settings_for_tests()).unwrap(), rules, BOUNDS);
    let url = Url::parse(&format!("http://{host}:{port}/")).unwrap();
    let target = Target { host: crate::protocol::host_rule::host(host).unwrap(), port };
    staged::set(host, &[answers, answers]);
    runtime.block_on(async {
        // Approval asks for the first half of it before anything is fetched.
        let fetched = guard.covers(&url) && guard.addresses(&url).await.is_ok();
        let passed = road.addresses(&target).await.is_ok();
        let fetched_unseen = guard.covers(&url) && guard.check_by_name(&url).is_ok();
        let covered = road.check(&target);
        let passed_unseen =
            covered.and_then(|covered| Guard::check_unresolved(&target.host, covered)).is_ok();
        [(fetched, passed), (fetched_unseen, passed_unseen)]
    })
}

/// A name server that never answers takes no longer than the connect deadline, from either.
#[tokio::test]
async fn both_give_up_a_name_that_is_never_resolved() {
    let rules = vec![staged::SILENT.to_owned()];
    let client = Client::new(&settings_for_tests()).unwrap();
    let request = HttpRequest {
        method: Method::Get,
        url: format!("http://{}/", staged::SILENT),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        purpose: Purpose::Guarded(Guard { rules: rules.clone() }),
    };
    let road = Road::new(client.clone(), rules, BOUNDS);
    let target = Target { host: Host::Domain(staged::SILENT.to_owned()), port: 80 };
    let both = async { (client.send(request).await.err(), road.addresses(&target).await.err()) };
    let patience = std::time::Duration::from_secs(10);
    let (fetched, passed) = tokio::time::timeout(patience, both).await.expect("an end");
    for error in [fetched, passed] {
        assert!(matches!(error, Some(NetworkError::Unreachable { .. })), "{error:?}");
    }
}

proptest! {
    #[test]
    fn both_enforcers_open_what_the_rules_say(
        rules in proptest::collection::vec(rule(), 0..4),
        asked in host(),
        port in proptest::sample::select(&PORTS[..]),
        found in proptest::collection::vec(proptest::sample::select(&ADDRESSES[..]), 1..3),
    ) {
        let is_name = NAMES.contains(&asked.as_str());
        let own = || ADDRESSES.iter().find(|(text, _)| asked.trim_matches(['[', ']']) == *text
            || text.parse::<std::net::IpAddr>() == asked.trim_matches(['[', ']']).parse());
        let classes: Vec<OpenedBy> =
            if is_name { found.iter().map(|(_, class)| *class).collect() } else { vec![own().unwrap().1] };
        let covers: Vec<(bool, bool)> = rules.iter().map(|rule| rule.covers(&asked, port)).collect();
        let is_covered = covers.iter().any(|(covers, _)| *covers);
        let is_named = covers.iter().any(|(_, by_name)| *by_name);
        let is_open = |class: &OpenedBy| match class {
            OpenedBy::AnyRule => is_covered,
            OpenedBy::ItsOwn => is_named,
            OpenedBy::Nothing => false,
        };
        let texts: Vec<String> = rules.iter().map(Rule::text).collect();
        let answers: Vec<&str> = found.iter().map(|(text, _)| *text).collect();
        let [seen, unseen] = verdicts(texts, &asked, port, &answers);
        let expected = classes.iter().all(is_open);
        prop_assert_eq!(seen, (expected, expected));
        // Nobody here sees where a public name leads.
        let expected = if is_name { is_covered } else { expected };
        prop_assert_eq!(unseen, (expected, expected));
    }
}
