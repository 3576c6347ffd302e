//! Host rules (`--net`): which hosts a word of the person covers.
//!
//! One meaning for all that ask: approval, fetching, the proxy of commands and the layers of the
//! configuration. Pure: names are compared in their ASCII form and never resolved.

use std::fmt;

use url::Host;

/// `all`, `example.org`, `*.example.org` (the names below it), an address, each but `all` with an
/// optional `:PORT`. Without a port every port of the host is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    pattern: Pattern,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    All,
    /// The names below this one, itself not among them.
    Below(String),
    Host(Host<String>),
}

/// How far a list of rules covers a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Covered {
    No,
    /// By `all`, which names nobody.
    ByAll,
    /// By the names below another: whoever runs that zone decides where each of them leads.
    ByWildcard,
    /// By a rule with this very name or address.
    ByName,
}

impl HostRule {
    /// `None`: the text can mean no host.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "all" || text == "*" {
            return Some(Self { pattern: Pattern::All, port: None });
        }
        let (name, port) = split_port(text)?;
        let pattern = match name.strip_prefix("*.") {
            Some(parent) => match host(parent)? {
                Host::Domain(parent) => Pattern::Below(parent),
                Host::Ipv4(_) | Host::Ipv6(_) => return None,
            },
            None => Pattern::Host(host(name)?),
        };
        Some(Self { pattern, port })
    }

    /// `port`: `None` where it is not known; a rule with a port does not cover that.
    pub fn covers(&self, host: &Host<String>, port: Option<u16>) -> bool {
        let is_port = self.port.is_none() || self.port == port;
        is_port
            && match (&self.pattern, host) {
                (Pattern::All, _) => true,
                (Pattern::Below(parent), Host::Domain(name)) => name
                    .strip_suffix(parent.as_str())
                    .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
                (Pattern::Below(_), _) => false,
                (Pattern::Host(rule), host) => rule == host,
            }
    }

    /// Whether everything that `other` covers is covered.
    pub fn includes(&self, other: &Self) -> bool {
        let is_port = self.port.is_none() || self.port == other.port;
        is_port
            && match (&self.pattern, &other.pattern) {
                (Pattern::All, _) => true,
                (Pattern::Below(parent), Pattern::Below(name)) => {
                    name == parent
                        || name.strip_suffix(parent.as_str()).is_some_and(|it| it.ends_with('.'))
                }
                (_, Pattern::Host(host)) => self.covers(host, other.port),
                (_, Pattern::All) | (Pattern::Host(_), Pattern::Below(_)) => false,
            }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Pattern::All => out.write_str("all"),
            Pattern::Below(parent) => write!(out, "*.{parent}"),
            // A host of that name, not every host: the dot of the root tells them apart.
            Pattern::Host(Host::Domain(name)) if name == "all" && self.port.is_none() => {
                out.write_str("all.")
            }
            Pattern::Host(host) => write!(out, "{host}"),
        }?;
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

/// Whether a rule opens every host: commands are then not bounded at all.
pub fn opens_all(rules: &[String]) -> bool {
    let rules = rules.iter().filter_map(|text| HostRule::parse(text));
    rules.into_iter().any(|rule| rule.pattern == Pattern::All)
}

/// How far `rules` cover a host; a rule that can mean no host covers none.
pub fn covered(rules: &[String], host: &Host<String>, port: Option<u16>) -> Covered {
    let by = |rule: &HostRule| match rule.pattern {
        Pattern::All => Covered::ByAll,
        Pattern::Below(_) => Covered::ByWildcard,
        Pattern::Host(_) => Covered::ByName,
    };
    let rules = rules.iter().filter_map(|text| HostRule::parse(text));
    rules.filter(|rule| rule.covers(host, port)).map(|rule| by(&rule)).max().unwrap_or(Covered::No)
}

/// A host as somebody wrote it: lower case, ASCII, without the dot of the root; addresses in any
/// spelling are that address. `None`: no host.
pub fn host(text: &str) -> Option<Host<String>> {
    let text = text.trim_end_matches('.');
    let text = if text.contains(':') && !text.starts_with('[') {
        format!("[{text}]")
    } else {
        text.to_owned()
    };
    match Host::parse(&text).ok()? {
        // `host..` and the like: a parser that is less strict might see another name.
        Host::Domain(name) if name.ends_with('.') || name.starts_with('.') => None,
        Host::Domain(name) if name.contains("..") || name.contains('*') => None,
        host => Some(host),
    }
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`, or a bare address of version 6.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let number = |digits: &str| digits.parse::<u16>().ok().filter(|port| *port > 0);
    if let Some(inner) = text.strip_prefix('[') {
        let (address, rest) = inner.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(digits) => Some((address, Some(number(digits)?))),
            None => rest.is_empty().then_some((address, None)),
        };
    }
    match text.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Some((text, None)),
        Some((name, digits)) => Some((name, Some(number(digits)?))),
        None => Some((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::Covered;
    use super::HostRule;
    use super::covered;
    use super::host;

    fn covers(rule: &str, name: &str, port: u16) -> bool {
        covered(&[rule.to_owned()], &host(name).unwrap(), Some(port)) != Covered::No
    }

    #[test]
    fn rules_cover_names_exactly_or_below() {
        for (rule, name) in [
            ("all", "anything.example"),
            ("*", "10.0.0.1"),
            ("Example.org", "example.org."),
            ("*.example.org", "a.b.example.org"),
            ("[::1]", "::1"),
            ("::1", "[::1]"),
            ("127.0.0.1", "0x7f.1"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("example.org:8080", "example.org"),
            ("[::1]:8080", "::1"),
            ("*.example.org:8080", "a.example.org"),
        ] {
            assert!(covers(rule, name, 8080), "{rule} {name}");
        }
        for (rule, name) in [
            ("*.example.org", "example.org"),
            ("*.example.org", "evilexample.org"),
            ("*.example.org", "example.org.evil.test"),
            ("example.org", "sub.example.org"),
            ("example.org:80", "example.org"),
            ("[::1]:80", "::1"),
            // Cyrillic `а`: its ASCII form is another name.
            ("example.org", "ex\u{430}mple.org"),
            ("127.0.0.1", "::ffff:127.0.0.1"),
        ] {
            assert!(!covers(rule, name, 8080), "{rule} {name}");
        }
        let unknown = covered(&["example.org:80".to_owned()], &host("example.org").unwrap(), None);
        assert_eq!(unknown, Covered::No);
    }

    #[test]
    fn the_rule_that_says_most_counts() {
        let rules = ["all", "*.example.org", "a.example.org:80"].map(str::to_owned);
        let by =
            |count: usize, name: &str| covered(&rules[..count], &host(name).unwrap(), Some(80));
        assert_eq!(by(3, "a.example.org"), Covered::ByName);
        assert_eq!(by(2, "a.example.org"), Covered::ByWildcard);
        assert_eq!(by(3, "b.example.org"), Covered::ByWildcard);
        assert_eq!(by(3, "example.org"), Covered::ByAll);
        let other_port = covered(&rules, &host("a.example.org").unwrap(), Some(443));
        assert_eq!(other_port, Covered::ByWildcard);
    }

    #[test]
    fn what_can_mean_no_host_is_no_rule() {
        for text in [
            "",
            " ",
            "*.",
            "*.10.0.0.1",
            "a:0",
            "a:65536",
            "a:b",
            "http://a/",
            "a/b",
            "u@a",
            "a..b",
            "[::1",
            "[::1]x",
            "a b",
            ".",
            "a\0b",
            "*a.example",
            "a.*.example",
        ] {
            assert_eq!(HostRule::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_rule_includes_narrower_ones() {
        let includes = |wide: &str, narrow: &str| {
            HostRule::parse(wide).unwrap().includes(&HostRule::parse(narrow).unwrap())
        };
        for (wide, narrow) in [
            ("all", "*.example.org"),
            ("*.example.org", "*.a.example.org"),
            ("*.example.org", "a.example.org:80"),
            ("example.org", "example.org:80"),
        ] {
            assert!(includes(wide, narrow) && !includes(narrow, wide), "{wide} {narrow}");
        }
        assert!(!includes("*.example.org", "example.org"));
        assert!(!includes("*.example.org:80", "a.example.org"));
        assert!(!includes("*.a.example", "*.ba.example"));
    }

    #[test]
    fn a_host_called_all_is_one_host() {
        for (text, shown) in [("all.", "all."), ("ALL.", "all."), ("all:80", "all:80")] {
            let rule = HostRule::parse(text).unwrap();
            assert_eq!(rule.to_string(), shown);
            assert_eq!(HostRule::parse(shown), Some(rule.clone()), "{text}");
            assert!(!rule.includes(&HostRule::parse("example.org:80").unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in "(all|[*][.])?[a-z0-9.:\\[\\]-]{0,20}") {
            if let Some(rule) = HostRule::parse(&text) {
                let shown = rule.to_string();
                assert_eq!(HostRule::parse(&shown), Some(rule), "{text} {shown}");
            }
        }
    }
}
