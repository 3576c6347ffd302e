//! Replays what the fuzzer found worth keeping: each input once, judged as it judges.
//!
//! `tests/fuzz/README.md` says how the corpora in `tests/fixtures/fuzz` are made.

use std::path::Path;

use crate::judges;

/// The inputs of a corpus: a JSON text per line, each character a byte.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz");
    let lines = std::fs::read_to_string(folder.join(format!("{target}.jsonl"))).unwrap();
    let bytes = |line: &str| -> Vec<u8> {
        let text: String = serde_json::from_str(line).unwrap();
        text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
    };
    lines.lines().map(bytes).collect()
}

fn replay(target: &str, judge: fn(&[u8])) {
    let inputs = inputs(target);
    assert!(inputs.len() > 3, "{target} has no corpus");
    for input in inputs {
        let judged = std::panic::catch_unwind(|| judge(&input));
        assert!(judged.is_ok(), "{target}: {}", input.escape_ascii());
    }
}

#[test]
fn configurations() {
    replay("configuration", judges::configuration::judge);
}

#[test]
fn hosts() {
    replay("hosts", judges::hosts::judge);
}

#[test]
fn patches() {
    replay("patch", judges::patch::judge);
}

#[test]
fn paths() {
    replay("paths", judges::paths::judge);
}

#[test]
fn recordings() {
    replay("recording", judges::recording::judge);
}

#[test]
fn rules() {
    replay("rules", judges::rules::judge);
}

#[test]
fn shell_commands() {
    replay("shell", judges::shell::judge);
}

#[test]
fn streams() {
    replay("stream", judges::stream::judge);
}
