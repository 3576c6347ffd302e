//! Mutates configurations at random and loads them: no panic, every place inside its file, no secret
//! in what is said, and what is accepted always fits the typed settings.
//!
//! A second in the ordinary suite; `AGI_FUZZ_SECONDS=600` runs longer. Not guided by coverage: the
//! compiler here is a stable one, and instrumenting this crate would mean building Python's bindings
//! and SQLite anew. The seeds are all broken files of `mutate`, so that every message is near.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use agi_agent::config::error::Diagnostic;
use agi_agent::config::error::Place;
use agi_agent::config::error::Severity;
use agi_agent::config::layer::Layer;
use agi_agent::config::load;
use agi_agent::config::project::dotenv;
use agi_agent::config::report;
use agi_agent::config::table::check::Strictness;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use super::Machine;
use super::mutate;

/// Never in any output.
const CANARY: &str = "sk-canary-of-the-fuzzer";

const GOOD: &str = r#"{
  // a comment
  "model": {"provider": "openai", "name": "é", "headers": {"X-Key": "sk-canary-of-the-fuzzer"},
            "api_key": {"command": ["pass", "show", "x"]}, "price": {"input": 1.5, "output": 3}},
  "sandbox": {"level": "workspace-write", "read": ["/usr"], "net": ["*.example.org"]},
  "limits": {"max_turns": 5, "timeout": "5m", "max_cost": 1e-3}, /* more */
  "allow": ["file_read", "shell(git *)",], "deny": [],
  "memory": {"enabled": true}, "config_version": 1,
}"#;

/// Pieces that mean something to the parser or to the table.
const PIECES: [&str; 34] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "//",
    "/*",
    "*/",
    "\n",
    "\r\n",
    "\t",
    "null",
    "true",
    "-",
    "0",
    "1e400",
    "18446744073709551616",
    "\"limits\"",
    "\"deny\"",
    "\"\\ud83d\\ude00\"",
    "\\u0000",
    "\u{feff}",
    "\u{2028}",
    "é",
    "😀",
    "\"config_version\": 9",
    "\"api_key\": \"sk-canary-of-the-fuzzer\"",
    "\"$schema\": \"x\"",
    "{\"env\": \"A\"}",
    "\"max_tunrs\": 1",
    "\0",
];

fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut SmallRng) {
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < bytes.len() => {
                let end = (at + random.random_range(1..20)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 => {
                let piece = PIECES[random.random_range(0..PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
            3 => bytes.insert(at, random.random()),
            4 => {
                let other = &seeds[random.random_range(0..seeds.len())];
                let from = random.random_range(0..=other.len());
                let to = random.random_range(from..=other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            5 => bytes.truncate(at),
            _ => {
                let piece = "[".repeat(random.random_range(1..600));
                bytes.splice(at..at, piece.into_bytes());
            }
        }
    }
    bytes.truncate(8 * 1024);
}

fn judge(bytes: &[u8], machine: &Machine) {
    let path = Path::new("c.json");
    let (leaves, findings) = match load::parse(path, bytes.to_vec(), Strictness::Lenient) {
        Ok(checked) => (checked.leaves, checked.diagnostics),
        Err(error) => (Vec::new(), vec![error]),
    };
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    for finding in &findings {
        judge_finding(finding, text);
    }
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return;
    }
    // What the table accepts, the typed settings do.
    let merged = agi_agent::config::layer::Merged::of_leaves(leaves, Layer::User);
    let (environment, places) = (machine.environment(), machine.places());
    let resolved =
        agi_agent::config::resolve::resolve(&merged, &environment, &places, Path::new("/w"));
    if let Err(error) = resolved {
        // Only what no single value shows: a provider's name, one price of two.
        let known = error.errors.iter().all(|error| {
            error.message.contains("unknown provider") || error.message.contains("needs both")
        });
        assert!(known, "{error}\n{text}");
    }
    drop(dotenv::configuration(path, bytes));
}

fn judge_finding(finding: &Diagnostic, text: &str) {
    let Place::File { line, column, .. } = finding.place else { panic!("{finding:?}") };
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(line >= 1 && line <= lines.len(), "{finding:?}\n{text}");
    assert!(column >= 1 && column <= lines[line - 1].chars().count() + 1, "{finding:?}\n{text}");
    if let Some(excerpt) = &finding.excerpt {
        assert!(excerpt.width >= 1 && excerpt.text.chars().count() <= 102, "{excerpt:?}");
        assert!(!excerpt.text.contains(char::is_control), "{excerpt:?}");
    }
    let said = format!("{}{:?}{}", finding.headline(), finding.remedy, report::as_json(finding));
    assert!(!said.contains(CANARY), "a secret is shown: {said}\n{text}");
}

#[test]
fn random_files_never_panic() {
    let seconds = std::env::var("AGI_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let seed: u64 = if seconds.is_some() { rand::random() } else { 1 };
    let mut random = SmallRng::seed_from_u64(seed);
    let mut seeds = vec![GOOD.as_bytes().to_vec()];
    for cases in [mutate::types(), mutate::typos(), mutate::syntax(), mutate::duplicates()] {
        seeds.extend(cases.into_iter().map(|case| case.bytes));
    }
    let machine = Machine::new();
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(1));
    let mut runs = 0_u64;
    while Instant::now() < end {
        for _ in 0..50 {
            let pick =
                if random.random_ratio(1, 2) { 0 } else { random.random_range(0..seeds.len()) };
            let mut bytes = seeds[pick].clone();
            mutate(&mut bytes, &seeds, &mut random);
            let before = bytes.clone();
            let judged = std::panic::catch_unwind(|| judge(&bytes, &machine));
            let text = String::from_utf8_lossy(&before);
            assert!(judged.is_ok(), "seed {seed}, run {runs}: {}", text.escape_debug());
            runs += 1;
        }
    }
    println!("{runs} files, seed {seed}");
}
