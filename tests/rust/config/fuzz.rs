//! Mutates configurations at random for `judges::configuration`.
//!
//! A second in the ordinary suite; `AGI_FUZZ_SECONDS=600` runs longer. Not guided by coverage: that is
//! `tests/fuzz`. The seeds are all broken files of `mutate`, so that every message is near.

use std::time::Duration;
use std::time::Instant;

use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use super::mutate;
use crate::judges::configuration::judge;

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

#[test]
fn random_files_never_panic() {
    let seconds = std::env::var("AGI_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let seed: u64 = if seconds.is_some() { rand::random() } else { 1 };
    let mut random = SmallRng::seed_from_u64(seed);
    let mut seeds = vec![GOOD.as_bytes().to_vec()];
    for cases in [mutate::types(), mutate::typos(), mutate::syntax(), mutate::duplicates()] {
        seeds.extend(cases.into_iter().map(|case| case.bytes));
    }
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(1));
    let mut runs = 0_u64;
    while Instant::now() < end {
        for _ in 0..50 {
            let pick =
                if random.random_ratio(1, 2) { 0 } else { random.random_range(0..seeds.len()) };
            let mut bytes = seeds[pick].clone();
            mutate(&mut bytes, &seeds, &mut random);
            let before = bytes.clone();
            let judged = std::panic::catch_unwind(|| judge(&bytes));
            let text = String::from_utf8_lossy(&before);
            assert!(judged.is_ok(), "seed {seed}, run {runs}: {}", text.escape_debug());
            runs += 1;
        }
    }
    println!("{runs} files, seed {seed}");
}
