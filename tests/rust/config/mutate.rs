//! Makes broken configurations out of good ones, and says where each is broken.
//!
//! The place is found by a mark in the text, not by the code under test.

use agi_agent::config::error::Rule;
use agi_agent::config::table::fields::Field;
use agi_agent::config::table::fields::Kind;
use agi_agent::config::table::schema;

/// Stands before the broken part, and is taken out.
const MARK: char = '\u{2588}';

/// One broken file, and what must be said about it.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) rule: Rule,
    /// Part of the reason.
    pub(super) says: String,
}

impl Broken {
    /// From text with a mark.
    pub(super) fn of(
        name: impl Into<String>,
        text: &str,
        rule: Rule,
        says: impl Into<String>,
    ) -> Self {
        let at = text.find(MARK).expect("a mark");
        let line = text[..at].matches('\n').count() + 1;
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            name: name.into(),
            bytes: text.replace(MARK, "").into_bytes(),
            line,
            column: text[start..at].chars().count() + 1,
            rule,
            says: says.into(),
        }
    }
}

/// A good configuration with one more member, nested as its key says.
fn with(key: &str, value: &str) -> String {
    let parts: Vec<&str> = key.split('.').collect();
    let (last, groups) = parts.split_last().unwrap();
    let open: Vec<String> = groups.iter().map(|group| format!("  \"{group}\": {{\n")).collect();
    let open = open.concat();
    let close = "  }\n".repeat(groups.len());
    // Settings before and behind it, unless they would be the same group.
    let before = if groups.first() == Some(&"web_search") {
        ""
    } else {
        "  \"web_search\": {\"url\": \"http://é/\"},\n"
    };
    let behind = if groups.first() == Some(&"learning") {
        ""
    } else {
        ",\n  \"learning\": {\"enabled\": true}"
    };
    let body = format!("{open}  \"{last}\": {value}\n{close}");
    format!("{{\n  // why\n{before}{}{behind}\n}}\n", body.trim_end())
}

/// Concrete keys: maps get a name.
fn keys() -> Vec<(String, Field)> {
    let mut keys: Vec<_> =
        schema::keys().into_iter().map(|(key, field)| (key.replace('*', "x"), field)).collect();
    keys.retain(|(key, _)| key != "config_version");
    keys
}

fn fits(kind: Kind, value: &str) -> bool {
    match kind {
        Kind::Boolean => value == "true",
        Kind::Integer { .. } | Kind::Number | Kind::Span | Kind::Size => value == "1",
        Kind::Text | Kind::Path => value == "\"words\"",
        Kind::List(_) => value == "[]",
        Kind::Map(_) | Kind::Object(_) => value == "{}",
        Kind::Choice(_) => false,
        Kind::Secret { plain } => plain && value == "\"words\"",
    }
}

/// Every setting with values of other types.
pub(super) fn types() -> Vec<Broken> {
    let mut all = Vec::new();
    for (key, field) in keys() {
        let kind = match field.kind {
            Kind::Map(inner) => *inner,
            kind => kind,
        };
        for value in ["true", "1", "\"words\"", "[]", "{}", "null"] {
            if fits(kind, value) {
                continue;
            }
            let rule = match (kind, value) {
                (Kind::Choice(_) | Kind::Span | Kind::Size, "\"words\"") => Rule::OutOfRange,
                (Kind::Secret { .. }, "\"words\"") => Rule::PlainSecret,
                _ => Rule::WrongType,
            };
            let says = match rule {
                Rule::PlainSecret => "is a secret".to_owned(),
                _ => format!("`{key}` must be "),
            };
            let text = with(&key, &format!("{MARK}{value}"));
            all.push(Broken::of(format!("type {key} {value}"), &text, rule, says));
        }
    }
    all
}

/// Entries of lists.
pub(super) fn entries() -> Vec<Broken> {
    keys()
        .into_iter()
        .filter(|(_, field)| matches!(field.kind, Kind::List(_)))
        .map(|(key, _)| {
            let text = with(&key, &format!("[\"a\", {MARK}7, \"b\"]"));
            Broken::of(format!("entry {key}"), &text, Rule::WrongType, "entry 2 must be ")
        })
        .collect()
}

/// Numbers and words that are of the right type and wrong.
pub(super) fn ranges() -> Vec<Broken> {
    [
        ("limits.max_turns", "0"),
        ("limits.max_turns", "-1"),
        ("limits.max_turns", "4294967296"),
        ("limits.max_turns", "99999999999999999999999"),
        ("limits.max_cost", "-0.5"),
        ("limits.max_cost", "1e999"),
        ("limits.timeout", "\"5 parsecs\""),
        ("limits.timeout", "-3"),
        ("limits.timeout", "\"\""),
        ("model.temperature", "2.5"),
        ("model.temperature", "-1"),
        ("model.context_window", "0"),
        ("model.local.sampling.top_p", "1.5"),
        ("model.local.models.q.sampling.min_p", "-0.1"),
        ("sandbox.level", "\"none\""),
        ("approve", "\"yes\""),
        ("stdin", "\"always\""),
        ("data_dir", "\"\""),
        ("model.name", "\"a\\u0000b\""),
        ("network.max_retries", "-2"),
    ]
    .into_iter()
    .map(|(key, value)| {
        let text = with(key, &format!("{MARK}{value}"));
        Broken::of(
            format!("range {key} {value}"),
            &text,
            Rule::OutOfRange,
            format!("`{key}` must be "),
        )
    })
    .collect()
}

/// Each name that grants or limits power, mistyped in three ways.
pub(super) fn typos() -> Vec<Broken> {
    let mut all = Vec::new();
    for (key, field) in keys() {
        let persons_own = ["model.headers", "model.routes"].iter().any(|map| key.starts_with(map));
        if !schema::has_power(&key) || persons_own {
            continue;
        }
        let (group, name) = key.rsplit_once('.').map_or(("", key.as_str()), |(g, n)| (g, n));
        let swapped = {
            let mut letters: Vec<char> = name.chars().collect();
            if letters.len() > 2 {
                letters.swap(1, 2);
            }
            letters.into_iter().collect::<String>()
        };
        for typo in [format!("{name}x"), name[..name.len() - 1].to_owned(), swapped] {
            let known = keys().iter().any(|(other, _)| other.ends_with(&format!("{group}.{typo}")));
            if typo == name || known {
                continue;
            }
            let full = if group.is_empty() { typo } else { format!("{group}.{typo}") };
            let good = match field.kind {
                Kind::List(_) => "[]",
                _ => "1",
            };
            let text = with(&full, good);
            let last = full.rsplit('.').next().unwrap();
            let text = text.replacen(
                &format!("\"{last}\": {good}"),
                &format!("{MARK}\"{last}\": {good}"),
                1,
            );
            let says = format!("unknown setting `{full}`");
            all.push(Broken::of(format!("typo {full}"), &text, Rule::UnknownKey, says));
        }
    }
    all
}

/// Keys that stand twice.
pub(super) fn duplicates() -> Vec<Broken> {
    let groups = ["model", "network", "sandbox", "limits", "memory", "learning", "python", "trust"];
    let mut all: Vec<Broken> = groups
        .iter()
        .map(|group| {
            let text = format!(
                "{{\n  \"{group}\": {{}},\n  \"stdin\": \"auto\",\n  {MARK}\"{group}\": {{}}\n}}"
            );
            Broken::of(
                format!("twice {group}"),
                &text,
                Rule::DuplicateKey,
                "stands here twice, first in line 2",
            )
        })
        .collect();
    for (text, says) in [
        ("{\"limits\": {\"max_turns\": 1, █\"max_turns\": 1}}", "`limits.max_turns`"),
        ("{\"deny\": [],\n\n█\"\\u0064eny\": []}", "`deny`"),
        ("{\"model\": {\"headers\": {\"A\": \"1\", █\"A\": \"2\"}}}", "`model.headers.A`"),
    ] {
        all.push(Broken::of(format!("twice {says}"), text, Rule::DuplicateKey, says));
    }
    all
}

/// What is no JSON with comments.
pub(super) fn syntax() -> Vec<Broken> {
    let table = [
        ("no brace", "█{\n  \"stdin\": \"auto\"\n", "unterminated object"),
        ("no bracket", "{\n  \"deny\": [\"a\"\n█}\n", "unexpected close brace"),
        ("no bracket at the end", "{\"deny\": █[\"a\",\n", "unterminated array"),
        ("no comma", "{\n  \"stdin\": \"auto\"█\n  \"approve\": \"ask\"\n}", "expected comma"),
        ("no comma in a list", "{\"deny\": [\"a\"█ \"b\"]}", "expected comma"),
        ("no colon", "{\"stdin\" █\"auto\"}", "expected colon"),
        ("no value", "{\"stdin\": █}", "unexpected close brace"),
        ("no value before a comma", "{\"stdin\":█, \"x\": 1}", "unexpected comma"),
        ("two commas", "{\"deny\": [\"a\",█, \"b\"]}", "unexpected comma"),
        ("comma first", "{█, \"stdin\": \"auto\"}", "unexpected token"),
        ("bare key", "{\n█stdin: \"auto\"}", "expected string"),
        ("bare word", "{\"stdin\": █auto}", "unexpected word"),
        ("single quotes", "{█'stdin': \"auto\"}", "single-quoted"),
        ("no end quote", "{\n  \"stdin\": █\"auto,\n  \"x\": \"y\"\n}", "does not end in its line"),
        ("no end quote at all", "{\"stdin\": █\"auto}", "unterminated string"),
        ("raw tab", "{\"stdin\": █\"a\tb\"}", "control character"),
        ("bad escape", "{\"data_dir\": \"█\\dir\"}", "invalid escape"),
        ("bad unicode escape", "{\"data_dir\": \"█\\u12G4\"}", "hex digits"),
        ("open comment", "{\"stdin\": \"auto\"} █/* never", "unterminated comment"),
        ("hex", "{\"limits\": {\"max_turns\": █0x10}}", "hexadecimal"),
        ("plus", "{\"limits\": {\"max_turns\": █+1}}", "unary plus"),
        ("leading zero", "{\"limits\": {\"max_turns\": 0█1}}", "expected comma"),
        ("bare point", "{\"limits\": {\"max_cost\": █.5}}", "decimal point"),
        ("NaN", "{\"limits\": {\"max_cost\": █NaN}}", "unexpected word"),
        ("two values", "{\"stdin\": \"auto\"}\n█{}", "more than one"),
        ("brace behind", "{\"stdin\": \"auto\"}█}", "more than one"),
        ("TOML", "[█limits]\nmax_turns = 3\n", "unexpected word"),
        ("YAML", "█limits:\n  max_turns: 3\n", "unexpected word"),
        ("a list", "█[1]", "must be an object"),
        ("a text", "█\"stdin\"", "must be an object"),
        ("a number", "\n\n █42", "must be an object"),
    ];
    table
        .into_iter()
        .map(|(name, text, says)| {
            let rule = if says.starts_with("must be") { Rule::WrongType } else { Rule::Syntax };
            Broken::of(format!("syntax {name}"), text, rule, says)
        })
        .collect()
}

/// Bytes that are no UTF-8 text, at every few places of a good file.
pub(super) fn encodings() -> Vec<Broken> {
    let good = "{\n  // é\n  \"model\": {\"name\": \"ñ\"},\n  \"stdin\": \"auto\"\n}\n";
    let mut all = Vec::new();
    for bad in [&b"\xff"[..], b"\xc3", b"\xe9", b"\xf0\x9f", b"\xed\xa0\x80"] {
        for (at, _) in good.char_indices().step_by(7) {
            let text = format!("{}{MARK}{}", &good[..at], &good[at..]);
            let mut broken =
                Broken::of(format!("bytes {bad:x?} at {at}"), &text, Rule::Encoding, "not UTF-8");
            broken.bytes.splice(at..at, bad.iter().copied());
            all.push(broken);
        }
    }
    for (name, mark) in [("UTF-16LE", b"\xff\xfe"), ("UTF-16BE", b"\xfe\xff")] {
        let mut broken = Broken::of(name, "█", Rule::Encoding, "UTF-16");
        broken.bytes = [&mark[..], b"{\0}\0"].concat();
        all.push(broken);
    }
    all
}

/// The same mistakes with Windows line ends, a byte order mark, and wide characters on the line.
pub(super) fn disguised(cases: &[Broken]) -> Vec<Broken> {
    let mut all = Vec::new();
    for case in cases {
        let mut marked = case.clone();
        marked.name = format!("{} with a mark", case.name);
        marked.bytes.splice(0..0, *b"\xef\xbb\xbf");
        all.push(marked);
        let Ok(text) = std::str::from_utf8(&case.bytes) else { continue };
        let mut windows = case.clone();
        windows.name = format!("{} with CRLF", case.name);
        windows.bytes = text.replace('\n', "\r\n").into_bytes();
        all.push(windows);
        let mut wide = case.clone();
        wide.name = format!("{} behind wide characters", case.name);
        wide.bytes = [b"/* \xf0\x9f\x98\x80\xc3\xa9 */".as_slice(), &case.bytes].concat();
        wide.column += if case.line == 1 { 8 } else { 0 };
        all.push(wide);
    }
    all
}
