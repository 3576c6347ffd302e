//! Imports only go down, and some crates have one home each. design.md and ARCHITECTURE.md draw the
//! layers; this reads every line of `src` and holds it to them.

use crate::tree::sources;

/// Height of each module; a module may use only lower ones. Equal heights never see each other.
const LAYERS: [(&str, u8); 15] = [
    ("main", 9),
    ("cli", 8),
    ("service", 7),
    ("agent", 6),
    ("tools", 5),
    ("bridge", 5),
    ("memory", 4),
    ("files", 4),
    ("sandbox", 4),
    ("network", 4),
    ("config", 3),
    ("metrics", 3),
    ("protocol", 1),
    ("system", 1),
    ("lib", 0),
];

/// What may stand only in some places.
const HOMES: [(&str, &[&str]); 9] = [
    ("pyo3", &["src/bridge/"]),
    ("rusqlite", &["src/memory/"]),
    ("clap", &["src/cli/"]),
    ("reqwest", &["src/network/"]),
    ("TcpStream", &["src/network/", "src/service/"]),
    ("TcpListener", &["src/network/", "src/service/"]),
    ("std::env::var", &["src/config/env.rs"]),
    ("SystemTime::now", &["src/system/clock.rs"]),
    ("stdout()", &["src/cli/output.rs", "src/system/terminal.rs", "src/system/standard.rs"]),
];

fn height(module: &str) -> u8 {
    LAYERS
        .iter()
        .find(|(name, _)| *name == module)
        .unwrap_or_else(|| panic!("module `{module}` has no layer; add it to layering.rs"))
        .1
}

#[test]
fn imports_only_go_down() {
    let mut wrong = Vec::new();
    for source in sources("src", "rs") {
        let from = source.module().to_owned();
        for (number, line) in source.code() {
            for (at, _) in line.match_indices("crate::") {
                let rest = &line[at + "crate::".len()..];
                let to: String =
                    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if to.is_empty() || to == from || !LAYERS.iter().any(|(name, _)| *name == to) {
                    continue;
                }
                if height(&to) >= height(&from) {
                    wrong.push(format!("{}:{number}: {from} uses {to}", source.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that do not go down:\n{}", wrong.join("\n"));
}

#[test]
fn crates_and_calls_stay_in_their_homes() {
    let mut wrong = Vec::new();
    for source in sources("src", "rs") {
        for (number, line) in source.code() {
            for (word, homes) in HOMES {
                let here = homes.iter().any(|home| source.path.starts_with(home));
                if !here && mentions(line, word) {
                    wrong.push(format!("{}:{number}: {word} belongs to {homes:?}", source.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "out of their homes:\n{}", wrong.join("\n"));
}

/// True where `word` stands in the line and is not the end of a longer name.
fn mentions(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}
