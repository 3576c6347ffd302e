//! The whole table of docs/approvals.md, cell by cell, read from that very file.

use std::path::Path;

use super::*;
use crate::agent::covering::tests::places;
use crate::config::settings::ApprovalSettings;

const KNOWN: [&str; 8] = [
    "calculator",
    "file_read",
    "memory_add",
    "file_write",
    "shell",
    "python_exec",
    "kill_program",
    "web_fetch",
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
    let target =
        Target { tool, names: &names, is_path: false, cwd: Path::new("/ws"), places: places() };
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
    let document = include_str!("../../docs/approvals.md");
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
        places: places(),
    };
    let Decision::Deny { reason } =
        decide(&place, &Action { effect: Effect::Process, target, origin: None })
    else {
        panic!("expected a denial");
    };
    assert_eq!(reason, "it acts on processes outside the sandbox, and nobody can be asked");
}
