//! One policy, two enforcers: what this process would open and what a child can open are the same, for
//! generated trees, links and operations, on every rung. And the resolver of paths alone, on paths that
//! nobody would write.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use agi_agent::config::settings::SandboxLevel;
use agi_agent::system::opener::Opener;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::Config;
use proptest::test_runner::RngSeed;
use proptest::test_runner::TestRunner;

use super::Place;
use super::is_long;
use super::rungs;

/// What stands in a generated tree under a name.
#[derive(Debug, Clone)]
enum Node {
    File,
    Directory,
    /// To a target as it is written; `$BASE` is the directory around the workspace.
    Link(String),
    /// A further name of a file inside, or of the secret outside.
    HardLink(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    List,
    Write,
}

fn name() -> impl Strategy<Value = String> {
    let usual = prop_oneof![Just("a"), Just("b"), Just("c"), Just("é")];
    let special = prop_oneof![Just(".git"), Just(".agi-agent"), Just("hooks"), Just("config")];
    prop_oneof![6 => usual, 1 => special].prop_map(str::to_owned)
}

/// Where links lead: inside, outside, up, to themselves, to nothing.
fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::collection::vec(name(), 1..3).prop_map(|parts| parts.join("/")),
        1 => Just("..".to_owned()),
        1 => Just("../..".to_owned()),
        1 => Just("$BASE/outside".to_owned()),
        1 => Just("$BASE/outside/secret".to_owned()),
        1 => Just("../outside".to_owned()),
        1 => Just("$BASE/work".to_owned()),
        1 => Just("$BASE/state".to_owned()),
        1 => Just("/etc".to_owned()),
        1 => Just("/etc/shadow".to_owned()),
        1 => Just(".".to_owned()),
    ]
}

fn nodes() -> impl Strategy<Value = Vec<(String, Node)>> {
    let node = prop_oneof![
        2 => Just(Node::File),
        3 => Just(Node::Directory),
        3 => target().prop_map(Node::Link),
        1 => name().prop_map(Node::HardLink),
        1 => Just(Node::HardLink("$BASE/outside/secret".to_owned())),
    ];
    let path = proptest::collection::vec(name(), 1..4).prop_map(|parts| parts.join("/"));
    proptest::collection::vec((path, node), 1..14)
}

fn operations() -> impl Strategy<Value = Vec<(Operation, String)>> {
    let part = prop_oneof![
        8 => name(),
        2 => Just("..".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just("outside".to_owned()),
        1 => Just("secret".to_owned()),
        1 => Just("new".to_owned()),
        1 => Just("passwd".to_owned()),
    ];
    let start = prop_oneof![4 => Just(""), 1 => Just("$BASE/"), 1 => Just("$BASE/work/")];
    let path = (start, proptest::collection::vec(part, 1..5))
        .prop_map(|(start, parts)| format!("{start}{}", parts.join("/")));
    let operation =
        prop_oneof![Just(Operation::Read), Just(Operation::List), Just(Operation::Write)];
    proptest::collection::vec((operation, path), 8..40)
}

fn build(place: &Place, nodes: &[(String, Node)]) {
    let base = place.base().to_string_lossy().into_owned();
    for (path, node) in nodes {
        let path = place.work().join(path);
        // A name may be taken, or lead through a file or link: then there is one node less.
        let real = path.parent().and_then(|parent| fs::canonicalize(parent).ok());
        if !real.is_some_and(|real| real.starts_with(place.work())) {
            continue;
        }
        drop(match node {
            Node::File => fs::File::create_new(&path).map(drop),
            Node::Directory => fs::create_dir(&path),
            Node::Link(target) => std::os::unix::fs::symlink(target.replace("$BASE", &base), &path),
            Node::HardLink(of) => {
                fs::hard_link(place.work().join(of.replace("$BASE", &base)), &path)
            }
        });
    }
}

/// What this process would do. In a directory, writing means making a file in it.
fn here(opener: &Opener, operation: Operation, path: &Path) -> bool {
    match operation {
        Operation::Read => opener.open_read(path).is_ok(),
        Operation::List => opener.read_dir(path).is_ok(),
        Operation::Write if path.is_dir() => opener.check_write(&path.join("probe")).is_ok(),
        // The same contents again.
        Operation::Write if path.is_file() => {
            fs::read(path).is_ok_and(|contents| opener.replace(path, &contents, None).is_ok())
        }
        Operation::Write => opener.check_write(path).is_ok(),
    }
}

/// What a child can do: a line per operation.
fn script(operations: &[(Operation, PathBuf)]) -> String {
    let line = |(operation, path): &(Operation, PathBuf)| {
        let path = format!("'{}'", path.display());
        let attempt = match operation {
            Operation::Read => format!("(exec < {path} && [ ! -d {path} ])"),
            Operation::List => format!("ls {path} && [ -d {path} ]"),
            Operation::Write => format!(
                "if [ -d {path} ]; then : > {path}/probe && rm {path}/probe; \
                 elif [ -e {path} ]; then : >> {path}; \
                 elif [ -L {path} ]; then made=$(readlink -f {path}) && : > {path} && rm \"$made\"; \
                 else : > {path} && rm {path}; fi"
            ),
        };
        format!("{{ {attempt}; }} >/dev/null 2>&1 && echo yes >&3 || echo no >&3\n")
    };
    let script: Vec<String> = operations.iter().map(line).collect();
    format!("exec 3>&1\n{}", script.concat())
}

/// Why the two may differ, and which of them says no; `None` where they have to agree. docs/sandbox.md
/// lists the same.
fn listed_difference(work: &Path, operation: Operation, path: &Path) -> Option<Difference> {
    let full = work.join(path);
    let ends_in_dots = path.to_string_lossy().ends_with('.');
    let has_parent = full.parent().is_some_and(Path::is_dir) && !ends_in_dots;
    // This process makes the directories that are missing.
    if !full.exists() && !has_parent {
        return Some(Difference::Any);
    }
    let is_dangling = |part: &Path| {
        fs::symlink_metadata(part).is_ok_and(|found| found.is_symlink()) && !part.exists()
    };
    if full.ancestors().any(is_dangling) {
        // A link to nothing is never written through here: its target could appear anywhere. A child
        // makes the target, where that may be written.
        return Some(Difference::StricterHere);
    }
    if operation != Operation::Write {
        return None;
    }
    let real = fs::canonicalize(&full)
        .or_else(|error| {
            let parent = full.parent().ok_or(error)?;
            Ok::<_, std::io::Error>(
                fs::canonicalize(parent)?.join(full.file_name().unwrap_or_default()),
            )
        })
        .unwrap_or_else(|_| full.clone());
    let is_special = real.strip_prefix(work).is_ok_and(|below| {
        below
            .components()
            .any(|part| [".git", ".agi-agent"].iter().any(|name| part.as_os_str() == *name))
    });
    // Of a repository everything is refused here, wherever it lies; a child may write what does not
    // steer, and what does is put back. A file with two names is refused here.
    let has_names = std::os::unix::fs::MetadataExt::nlink;
    let is_linked = fs::metadata(&full).is_ok_and(|found| found.is_file() && has_names(&found) > 1);
    (is_special || is_linked).then_some(Difference::StricterHere)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    /// This process may refuse what a child may do; never the other way round.
    StricterHere,
    Any,
}

fn generated<T>(strategy: &impl Strategy<Value = T>, seed: u64) -> T {
    let config = Config { rng_seed: RngSeed::Fixed(seed), ..Config::default() };
    strategy.new_tree(&mut TestRunner::new(config)).unwrap().current()
}

#[tokio::test]
async fn this_process_and_a_child_give_the_same_verdict() {
    let limit = Duration::from_secs(if is_long() { 600 } else { 8 });
    let (started, mut compared, mut allowed, mut differing) = (Instant::now(), 0, 0, 0);
    let first = if is_long() { u64::from(std::process::id()) << 20 } else { 1 };
    let rungs = rungs().await;
    for seed in first.. {
        if started.elapsed() > limit {
            break;
        }
        let (nodes, operations) = generated(&(nodes(), operations()), seed);
        for rung in &rungs {
            for level in [SandboxLevel::ReadOnly, SandboxLevel::WorkspaceWrite] {
                let place = Place::new(level, *rung);
                build(&place, &nodes);
                let base = place.base().to_string_lossy().into_owned();
                let operations: Vec<(Operation, PathBuf)> = operations
                    .iter()
                    .map(|(operation, path)| (*operation, path.replace("$BASE", &base).into()))
                    .collect();
                // As it is before the child runs.
                let listed: Vec<_> = operations
                    .iter()
                    .map(|(operation, path): &(Operation, PathBuf)| {
                        listed_difference(&place.work(), *operation, path)
                    })
                    .collect();
                let opener = Opener::new(place.sandbox.policy().path_rules());
                let verdict = |(operation, path): &(Operation, PathBuf)| {
                    here(&opener, *operation, &place.work().join(path))
                };
                // Before the child runs; it leaves the tree as it is.
                let here: Vec<bool> = operations.iter().map(verdict).collect();
                let there = place.sh(&script(&operations)).await.stdout.text();
                let there: Vec<&str> = there.lines().collect();
                assert_eq!(there.len(), operations.len(), "{there:?}");
                for ((((operation, path), there), here), listed) in
                    operations.iter().zip(there).zip(here).zip(listed)
                {
                    let agree = here == (there == "yes");
                    let is_stricter = listed == Some(Difference::StricterHere) && !here;
                    if listed.is_some() {
                        differing += usize::from(!agree);
                    }
                    assert!(
                        agree || is_stricter || listed == Some(Difference::Any),
                        "seed {seed} {rung:?} {level:?} {operation:?} {}: here {here}, there {there}\n{nodes:?}",
                        path.display()
                    );
                    compared += 1;
                    allowed += usize::from(here);
                }
            }
        }
    }
    println!("{compared} verdicts compared, {allowed} of them yes, {differing} differ as listed");
    assert!(compared > 100 && allowed > compared / 20);
}

/// Any text as a path: no panic, and what is allowed is inside by the system's own resolution.
#[test]
fn no_spelling_of_a_path_leads_the_resolver_outside() {
    let limit = Duration::from_secs(if is_long() { 600 } else { 4 });
    let place = Place::new(SandboxLevel::WorkspaceWrite, agi_agent::sandbox::Rung::Landlock);
    let work = place.work();
    build(&place, &generated(&nodes(), 7));
    for (link, target) in [("up", ".."), ("out", "../outside"), ("loop", "loop"), ("me", ".")] {
        std::os::unix::fs::symlink(target, work.join(link)).unwrap();
    }
    let opener = Opener::new(place.sandbox.policy().path_rules());
    let base = place.base().to_string_lossy().into_owned();
    let part = prop_oneof![
        4 => prop_oneof![Just("a"), Just("up"), Just("out"), Just("loop"), Just("me"), Just("secret")]
            .prop_map(str::to_owned),
        3 => prop_oneof![Just(".."), Just("."), Just(""), Just("~"), Just(".git"), Just(".GIT. ")]
            .prop_map(str::to_owned),
        2 => prop_oneof![Just("/proc/self/cwd"), Just("/proc/self/root"), Just("/dev/fd"), Just("$BASE")]
            .prop_map(str::to_owned),
        2 => ".{0,12}",
        1 => Just("x".repeat(300)),
    ];
    let path = proptest::collection::vec(part, 0..9).prop_map(|parts| parts.join("/"));
    let (started, mut tried, mut allowed) = (Instant::now(), 0_u32, 0_u32);
    let config = Config { rng_seed: RngSeed::Fixed(11), ..Config::default() };
    let mut runner = TestRunner::new(config);
    while started.elapsed() < limit {
        let text = path.new_tree(&mut runner).unwrap().current().replace("$BASE", &base);
        let path = Path::new(&text);
        tried += 1;
        let inside = |real: &Path| {
            real.starts_with(&work)
                || (real.starts_with("/usr")
                    || real.starts_with("/etc")
                    || real.starts_with("/proc"))
        };
        if opener.check_read(path).is_ok() {
            allowed += 1;
            let real = fs::canonicalize(work.join(path));
            assert!(real.is_ok_and(|real| inside(&real)) || !work.join(path).exists(), "{text:?}");
        }
        if opener.check_write(path).is_ok() {
            let full = work.join(path);
            let real = full.ancestors().find_map(|parent| fs::canonicalize(parent).ok()).unwrap();
            assert!(real.starts_with(&work), "{text:?} is {}", real.display());
            let lower = text.to_lowercase();
            assert!(
                !lower.split('/').any(|part| part.trim_end_matches(['.', ' ']) == ".git"),
                "{text:?}"
            );
        }
    }
    println!("{tried} paths, {allowed} of them readable");
    assert!(tried > 500 && allowed > 0);
}
