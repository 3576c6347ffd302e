//! The whole table of docs/approvals.md, cell by cell, read from that very file.

use std::path::Path;

use super::*;
use crate::agent::approval::covering::tests::places;
use crate::config::settings::ApprovalSettings;

const KNOWN: [&str; 10] = [
    "calculator",
    "file_read",
    "memory_add",
    "file_write",
    "shell",
    "python_exec",
    "kill_program",
    "web_fetch",
    "memory_search",
    "web_search",
];

fn situation(level: SandboxLevel, mode: ApproveMode, can_ask: bool) -> Situation {
    Situation {
        level,
        mode,
        can_ask,
        net: Vec::new(),
        rules: Rules::default(),
        places: places().clone(),
    }
}

fn rules(allow: &[&str], deny: &[&str]) -> Rules {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let settings = ApprovalSettings {
        withheld: crate::config::settings::Withheld::default(),
        mode: ApproveMode::Ask,
        allow: owned(allow),
        deny: owned(deny),
        ..ApprovalSettings::default()
    };
    Rules::new(&settings, &KNOWN).unwrap()
}

fn word(situation: &Situation, effect: Effect, tool: &str, name: &str) -> &'static str {
    let names = [name.to_owned()];
    let target = Target {
        tool,
        names: &names,
        is_path: false,
        cwd: Path::new("/ws"),
        root: Path::new("/ws"),
        places: places(),
    };
    match decide(situation, &Action { effect, target, origin: None }) {
        Decision::Allow { .. } => "allow",
        Decision::Ask { .. } => "ask",
        Decision::Deny { .. } => "deny",
    }
}

/// A row of the table: its first words and the tool and target that stand for it.
const ROWS: [(&str, Effect, &str, &str); 7] = [
    ("computes (`calculator`)", Effect::Pure, "calculator", "1+1"),
    ("reads (`file_*`, `memory_search`)", Effect::Read, "file_read", "a"),
    ("remembers (`memory_add`)", Effect::Remember, "memory_add", "a"),
    ("writes files (`file_write`, `file_edit`)", Effect::Write, "file_write", "a"),
    ("runs in the sandbox (`shell`, `python_exec`)", Effect::Process, "shell", "ls"),
    ("touches other processes (`kill_program`)", Effect::Process, "kill_program", "x"),
    ("connects (`web_fetch`, `web_search`)", Effect::Network, "web_fetch", "https://a.example/"),
];

const LEVELS: [SandboxLevel; 3] =
    [SandboxLevel::ReadOnly, SandboxLevel::WorkspaceWrite, SandboxLevel::DangerFullAccess];

/// The columns: approve mode and whether somebody can be asked.
const COLUMNS: [(ApproveMode, bool); 6] = [
    (ApproveMode::Ask, true),
    (ApproveMode::Ask, false),
    (ApproveMode::Deny, true),
    (ApproveMode::Deny, false),
    (ApproveMode::Auto, true),
    (ApproveMode::Auto, false),
];

#[test]
fn every_cell_of_the_documented_table_holds() {
    let document = include_str!("../../../docs/approvals.md");
    let mut cells = 0;
    for (title, effect, tool, name) in ROWS {
        for level in LEVELS {
            let start = format!("| {title} | `{}` |", level.as_str());
            let line = document
                .lines()
                .find(|line| line.starts_with(&start))
                .unwrap_or_else(|| panic!("no row `{start}` in docs/approvals.md"));
            let documented: Vec<&str> =
                line[start.len()..].split('|').map(str::trim).filter(|c| !c.is_empty()).collect();
            assert_eq!(documented.len(), COLUMNS.len(), "{line}");
            for ((mode, can_ask), expected) in COLUMNS.into_iter().zip(documented) {
                let decided = word(&situation(level, mode, can_ask), effect, tool, name);
                assert_eq!(decided, expected, "{title} {level:?} {mode:?} can_ask={can_ask}");
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 126);
}

/// Old risk categories: the tool that stands for one, and what it does.
const CATEGORIES: [(&str, &str, Effect, &str); 6] = [
    ("data_access", "memory_search", Effect::Read, "a"),
    ("file_operations", "file_write", Effect::Write, "a"),
    ("code_execution", "python_exec", Effect::Process, "1"),
    ("system_modification", "kill_program", Effect::Process, "x"),
    ("network_access", "web_fetch", Effect::Network, "https://a.example/"),
    ("external_communication", "web_search", Effect::Network, "https://a.example/"),
];

#[test]
fn the_old_safety_levels_mean_what_their_table_says() {
    let document = include_str!("../../../docs/approvals.md");
    let mut cells = 0;
    for (category, tool, effect, name) in CATEGORIES {
        for level in [SandboxLevel::WorkspaceWrite, SandboxLevel::DangerFullAccess] {
            let start = format!("| `{category}` | `{tool}` | `{}` |", level.as_str());
            let line = document.lines().find(|line| line.starts_with(&start)).unwrap();
            let documented = line[start.len()..].split('|').map(str::trim);
            for (word_of_old, expected) in
                ["low", "medium", "high", "critical"].iter().zip(documented)
            {
                let mode = crate::config::legacy::safety_level(word_of_old).unwrap();
                let mode = serde_json::from_value(mode).unwrap();
                let decided = word(&situation(level, mode, true), effect, tool, name);
                assert_eq!(decided, expected, "{category} {level:?} {word_of_old}");
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 48);
}

#[test]
fn with_strangers_text_nothing_above_reading_runs_by_itself() {
    let rows = [
        (Effect::Pure, "calculator", "1", "allow"),
        (Effect::Read, "file_read", "a", "allow"),
        (Effect::Remember, "memory_add", "a", "deny"),
        (Effect::Write, "file_write", "a", "deny"),
        (Effect::Process, "shell", "ls", "deny"),
        (Effect::Process, "kill_program", "x", "deny"),
        (Effect::Network, "web_fetch", "https://other.example/", "deny"),
        (Effect::Network, "web_fetch", "https://docs.example/", "allow"),
    ];
    for level in [SandboxLevel::WorkspaceWrite, SandboxLevel::DangerFullAccess] {
        for (effect, tool, name, expected) in rows {
            let mut place = situation(level, ApproveMode::Auto, false);
            place.net = vec!["docs.example".to_owned(), "all".to_owned()];
            let names = [name.to_owned()];
            let (cwd, places) = (Path::new("/ws"), places());
            let target = Target { tool, names: &names, is_path: false, cwd, root: cwd, places };
            let action = Action { effect, target, origin: Some("https://a.example/") };
            let decided = |place: &Situation| match decide(place, &action) {
                Decision::Allow { .. } => "allow",
                Decision::Ask { .. } => "ask",
                Decision::Deny { .. } => "deny",
            };
            assert_eq!(decided(&place), expected, "{tool} {name} {level:?}");
            place.rules = rules(&[tool], &[]);
            assert_eq!(decided(&place), "allow", "an explicit rule holds: {tool} {level:?}");
        }
    }
    // A command that can only read is reading, unless it could send what it reads.
    let names = ["ls".to_owned()];
    let target = Target {
        tool: "shell",
        names: &names,
        is_path: false,
        cwd: Path::new("/ws"),
        root: Path::new("/ws"),
        places: places(),
    };
    let action = Action { effect: Effect::Process, target, origin: Some("a page") };
    let mut place = situation(SandboxLevel::ReadOnly, ApproveMode::Ask, false);
    assert!(matches!(decide(&place, &action), Decision::Allow { .. }));
    place.net = vec!["all".to_owned()];
    assert!(matches!(decide(&place, &action), Decision::Deny { .. }));
}

#[test]
fn an_ask_rule_wins_over_allow_rules_bounds_and_auto() {
    for (can_ask, expected) in [(true, "ask"), (false, "deny")] {
        for level in LEVELS {
            let mut place = situation(level, ApproveMode::Auto, can_ask);
            let settings = ApprovalSettings {
                allow: vec!["shell".to_owned()],
                ask: vec!["shell(rm *)".to_owned()],
                ..ApprovalSettings::default()
            };
            place.rules = Rules::new(&settings, &KNOWN).unwrap();
            assert_eq!(word(&place, Effect::Process, "shell", "ls; rm x"), expected);
            assert_eq!(word(&place, Effect::Process, "shell", "ls"), "allow");
        }
    }
}

#[test]
fn a_deny_rule_wins_over_everything() {
    let mut place = situation(SandboxLevel::DangerFullAccess, ApproveMode::Auto, true);
    place.rules = rules(&["shell", "file_read"], &["shell(rm*)", "file_read"]);
    assert_eq!(word(&place, Effect::Process, "shell", "ls && rm x"), "deny");
    assert_eq!(word(&place, Effect::Process, "shell", "ls"), "allow");
    assert_eq!(word(&place, Effect::Read, "file_read", "a"), "deny");
}

#[test]
fn an_allow_rule_answers_what_would_be_asked_or_denied_by_mode() {
    for mode in [ApproveMode::Ask, ApproveMode::Deny, ApproveMode::Auto] {
        let mut place = situation(SandboxLevel::WorkspaceWrite, mode, false);
        place.rules = rules(&["kill_program(sleep)", "web_fetch(https://docs.example/*)"], &[]);
        assert_eq!(word(&place, Effect::Process, "kill_program", "sleep"), "allow");
        assert_eq!(word(&place, Effect::Process, "kill_program", "sshd"), "deny");
        assert_eq!(word(&place, Effect::Network, "web_fetch", "https://docs.example/a"), "allow");
        assert_eq!(word(&place, Effect::Network, "web_fetch", "https://evil.example/a"), "deny");
    }
}

#[test]
fn an_allow_rule_does_not_lift_the_level() {
    let mut place = situation(SandboxLevel::ReadOnly, ApproveMode::Auto, true);
    place.rules = rules(&["file_write"], &[]);
    assert_eq!(word(&place, Effect::Write, "file_write", "a"), "deny");
}

#[test]
fn net_opens_hosts_and_nothing_that_looks_like_them() {
    let mut place = situation(SandboxLevel::ReadOnly, ApproveMode::Deny, false);
    place.net = vec!["docs.example".to_owned(), "*.wiki.example".to_owned()];
    let open = |url: &str| word(&place, Effect::Network, "web_fetch", url) == "allow";
    for url in ["https://docs.example/x", "https://DOCS.example:8443/", "http://en.wiki.example/"] {
        assert!(open(url), "{url}");
    }
    for url in [
        "https://docs.example.evil.test/",
        "https://evil-docs.example/",
        "https://wiki.example/",
        "https://x@evil.test/docs.example",
        "https://docs.example@evil.test/",
        "evilwiki.example",
        "https://docs.example\\.evil.test/",
    ] {
        assert!(!open(url), "{url}");
    }
    place.net = vec!["all".to_owned()];
    assert_eq!(word(&place, Effect::Network, "web_fetch", "https://any.test/"), "allow");
}

#[test]
fn a_tool_without_an_address_may_say_so_itself() {
    let place = situation(SandboxLevel::ReadOnly, ApproveMode::Deny, false);
    assert_eq!(word(&place, Effect::Network, "web_fetch", ""), "allow");
}

#[test]
fn every_denial_says_why() {
    let place = situation(SandboxLevel::WorkspaceWrite, ApproveMode::Ask, false);
    let names = ["x".to_owned()];
    let target = Target {
        tool: "kill_program",
        names: &names,
        is_path: false,
        cwd: Path::new("/ws"),
        root: Path::new("/ws"),
        places: places(),
    };
    let Decision::Deny { reason } =
        decide(&place, &Action { effect: Effect::Process, target, origin: None })
    else {
        panic!("expected a denial");
    };
    assert_eq!(reason, "it acts on processes outside the sandbox, and nobody can be asked");
}
