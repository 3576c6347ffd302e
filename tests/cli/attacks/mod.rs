//! The attacks that the sandbox was designed against, one by one: each against the real binary in a
//! fresh workspace, on each rung, as root and as an ordinary user.
//!
//! A program in C (`program/`, compiled by the system's `cc`) does what a shell cannot. What an attack
//! prints is only half of its verdict: the other half is the state of what is protected afterwards.

mod table;

mod two_agents;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::hostile::Ground;
use crate::hostile::Setting;
use crate::hostile::settings;
use crate::support::lacking;
use table::Attack;
use table::Verdict;

const HEADER: &str = "attack.h";

const SOURCES: [(&str, &str); 6] = [
    (HEADER, include_str!("program/attack.h")),
    ("main.c", include_str!("program/main.c")),
    ("files.c", include_str!("program/files.c")),
    ("objects.c", include_str!("program/objects.c")),
    ("processes.c", include_str!("program/processes.c")),
    ("kernel.c", include_str!("program/kernel.c")),
];

/// What became of an attack.
enum Outcome {
    Denied(String),
    Restored,
    /// Restored as far as it steers something.
    Steering,
    /// It means nothing on this machine.
    NotHere,
    Escaped(String),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denied(reason) => write!(formatter, "denied by {reason}"),
            Self::Restored => formatter.write_str("restored"),
            Self::Steering => formatter.write_str("restored as far as it steers"),
            Self::NotHere => formatter.write_str("without meaning here"),
            Self::Escaped(seen) => write!(formatter, "ESCAPED: {seen}"),
        }
    }
}

/// What is protected, by path: contents, target of a link, permissions.
type State = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// The program, compiled; `None` where there is no compiler, which was said.
fn program(test: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    let place = tempfile::tempdir().unwrap();
    for (name, text) in SOURCES {
        fs::write(place.path().join(name), text).unwrap();
    }
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-o", "attack"]).current_dir(place.path()).arg("-pthread");
    compiler.args(SOURCES.iter().map(|(name, _)| name).filter(|name| **name != HEADER));
    match compiler.output() {
        Err(_) => {
            lacking("a C compiler", test);
            None
        }
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let path = place.path().join("attack");
            Some((place, path))
        }
    }
}

/// A repository without hooks, and a second name of its configuration, as a person may have made it.
fn prepare(ground: &Ground, program: &Path) {
    let work = ground.work();
    fs::remove_dir_all(&work).unwrap();
    for directory in ["objects", "refs/heads", "info"] {
        fs::create_dir_all(work.join(".git").join(directory)).unwrap();
    }
    fs::write(work.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(work.join(".git/config"), "[core]\n\tbare = false\n").unwrap();
    fs::hard_link(work.join(".git/config"), work.join("outer-hardlink")).unwrap();
    fs::copy(program, work.join("attack")).unwrap();
}

fn state(ground: &Ground) -> State {
    let mut state = State::new();
    for name in [".git", ".agi-agent", "../outside"] {
        note(&ground.work().join(name), &mut state);
    }
    state
}

fn note(path: &Path, state: &mut State) {
    let Ok(found) = fs::symlink_metadata(path) else { return };
    let contents = if found.is_symlink() {
        fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
    } else if found.is_file() {
        fs::read(path).unwrap()
    } else {
        Vec::new()
    };
    state.insert(path.to_path_buf(), (found.permissions().mode(), contents));
    for entry in found.is_dir().then(|| fs::read_dir(path).unwrap()).into_iter().flatten() {
        note(&entry.unwrap().path(), state);
    }
}

/// The part of it that decides what somebody runs later, or that lies outside.
fn steering<'a>(ground: &Ground, state: &'a State) -> Vec<(&'a PathBuf, &'a (u32, Vec<u8>))> {
    let git = ground.work().join(".git");
    let names = ["config", "config.worktree", "hooks", "commondir", "info/attributes", "modules"];
    let steers = |path: &Path| {
        !path.starts_with(&git) || names.iter().any(|name| path.starts_with(git.join(name)))
    };
    state.iter().filter(|(path, _)| steers(path)).collect()
}

/// This process, its parent, and so on.
fn processes() -> Vec<String> {
    let mut pids = vec![std::process::id().to_string()];
    while pids.len() < 6 {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", pids[pids.len() - 1])) else {
            break;
        };
        let above = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        match above {
            Some(pid) if pid != "0" => pids.push(pid.to_owned()),
            _ => break,
        }
    }
    pids
}

/// How often a race is tried.
fn rounds() -> &'static str {
    let is_long = std::env::var_os("AGI_TEST_LONG").is_some();
    if is_long { "ATTACK_ROUNDS=100000" } else { "ATTACK_ROUNDS=20000" }
}

fn attempt(ground: &Ground, program: &Path, attack: &Attack) -> Outcome {
    prepare(ground, program);
    let before = state(ground);
    let level = ["sandbox", "--level", "workspace-write", "--timeout", "30", "--"];
    let finished = if attack.name.contains(' ') {
        let script = format!(
            "mkdir prep; if {{ {}; }} >&2; then echo reached; else echo refused; fi",
            attack.name
        );
        ground.run(&[&level[..], &["bash", "-c", &script]].concat())
    } else {
        let outside = ground.outside();
        let pids = processes();
        let mut words = vec!["env", rounds(), "./attack", attack.name, outside.to_str().unwrap()];
        words.extend(pids.iter().map(String::as_str));
        ground.run(&[&level[..], &words].concat())
    };
    let said = finished.stdout.lines().next().unwrap_or_default().to_owned();
    let was_told = finished.stderr.contains("put back");
    let now = state(ground);
    if now != before && was_told && steering(ground, &now) == steering(ground, &before) {
        return Outcome::Steering;
    }
    if now != before {
        let differs = |(path, value): &(&PathBuf, &_)| before.get(*path) != Some(*value);
        let new: Vec<_> = now.iter().filter(differs).map(|(path, _)| path).collect();
        let gone: Vec<_> = before.keys().filter(|path| !now.contains_key(*path)).collect();
        return Outcome::Escaped(format!("{said}: {new:?} {gone:?} {}", finished.stderr));
    }
    match said.split_once(' ').unwrap_or((&said, "")) {
        ("not-here", _) => Outcome::NotHere,
        ("reached" | "refused", _) if was_told => Outcome::Restored,
        ("refused", reason) => Outcome::Denied(reason.to_owned()),
        _ => Outcome::Escaped(format!("{} {said}: {}", finished.code, finished.stderr)),
    }
}

/// How many attacks ended in which way.
#[derive(Default)]
struct Tally {
    denied: usize,
    restored: usize,
    steering: usize,
    /// Denied where only restoring is asked for.
    stricter: usize,
    not_here: Vec<String>,
    failed: Vec<String>,
}

impl Tally {
    fn add(&mut self, setting: Setting, attack: &Attack, expected: Verdict, outcome: Outcome) {
        let what = format!("{} {}", attack.number, attack.name);
        match (expected, outcome) {
            (_, Outcome::NotHere) => self.not_here.push(what),
            (Verdict::Denied, Outcome::Denied(_)) => self.denied += 1,
            (Verdict::By(wanted), Outcome::Denied(reason)) if reason == wanted => self.denied += 1,
            (Verdict::Restored, Outcome::Restored) => self.restored += 1,
            (Verdict::Steering, Outcome::Steering) => self.steering += 1,
            (Verdict::Restored, Outcome::Denied(_)) => self.stricter += 1,
            (_, outcome) => {
                self.failed.push(format!("{setting} {what}: must be {expected:?}, was {outcome}"));
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "counts are part of what a suite shows")]
fn all_of(test: &str, attacks: &[Attack]) {
    let Some((_place, program)) = program(test) else { return };
    let mut failed = Vec::new();
    for setting in settings() {
        let ground = Ground::new(setting);
        let _listener =
            std::os::unix::net::UnixListener::bind(ground.outside().with_file_name("outside.sock"))
                .unwrap();
        let is_upper = ground.rung() == "namespaces";
        if !is_upper && !setting.contained {
            lacking("namespaces", test);
        }
        assert!(!(is_upper && setting.contained), "the filter of this test has no effect");
        let mut tally = Tally::default();
        for attack in attacks {
            let expected = if is_upper { attack.namespaces } else { attack.landlock };
            let outcome = attempt(&ground, &program, attack);
            tally.add(setting, attack, expected, outcome);
        }
        println!(
            "{test} {setting}: {} attacks, {} denied, {} restored, {} restored as far as it steers, \
             {} denied where restoring was enough, {} without meaning here {:?}, {} escaped",
            attacks.len(),
            tally.denied,
            tally.restored,
            tally.steering,
            tally.stricter,
            tally.not_here.len(),
            tally.not_here,
            tally.failed.len()
        );
        failed.extend(tally.failed);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn attacks_on_names() {
    all_of("attacks on names", &table::FILES);
}

#[test]
fn attacks_on_the_kernel() {
    all_of("attacks on the kernel", &table::KERNEL);
}

#[test]
fn attacks_on_processes() {
    all_of("attacks on processes", &table::PROCESSES);
}

#[test]
fn attacks_by_races() {
    all_of("attacks by races", &table::RACES);
}

#[test]
fn attacks_that_stay() {
    all_of("attacks that stay", &table::OWN);
}

#[test]
fn no_attack_is_missing() {
    let lists = [&table::FILES[..], &table::KERNEL, &table::PROCESSES, &table::RACES, &table::OWN];
    let mut numbers: Vec<u32> =
        lists.iter().flat_map(|list| list.iter()).map(|attack| attack.number).collect();
    numbers.sort_unstable();
    let expected: Vec<u32> = (1..=u32::try_from(numbers.len()).unwrap()).collect();
    assert_eq!(numbers, expected);
    assert!(numbers.len() > 105);
}
