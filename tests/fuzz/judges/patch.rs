//! Unified patches: what another program's diff says is what comes out, a patch that fails changes
//! nothing, and no text is too odd.

use std::path::Path;

use agi_agent::files::changing::patch;
use agi_agent::system::opener::Opener;
use agi_agent::system::opener::PathRules;
use tokio_util::sync::CancellationToken;

/// Stands between the parts of an input.
const BETWEEN: &str = "\n=====\n";

/// Two parts: a file and a patch. Three: a file, what it shall become, and nothing that matters.
pub fn judge(data: &[u8]) {
    let Some(text) = super::text(data) else { return };
    let mut parts = text.splitn(3, BETWEEN);
    let (Some(before), Some(second)) = (parts.next(), parts.next()) else { return };
    let is_round_trip = parts.next().is_some();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("f");
    std::fs::write(&file, before).expect("a file");
    let opener = Opener::new(PathRules {
        cwd: directory.path().to_path_buf(),
        write: vec![directory.path().to_path_buf()],
        ..PathRules::default()
    });
    if !is_round_trip {
        let applied = patch::apply(&opener, Path::new("f"), second, &CancellationToken::new());
        if applied.is_err() {
            assert_eq!(std::fs::read_to_string(&file).expect("the file"), before, "{second:?}");
        }
        return;
    }
    // Lines that end in a carriage return are the file's business, and a patch shows none of it; a file
    // with a NUL byte is binary.
    let is_odd = |text: &str| text.contains(['\r', '\0']) || text.starts_with('\u{feff}');
    if before == second || before.is_empty() || is_odd(before) || is_odd(second) {
        return;
    }
    let made = diffy::create_patch(before, second).to_string();
    let made = made.replacen("--- original", "--- f", 1).replacen("+++ modified", "+++ f", 1);
    let applied = patch::apply(&opener, Path::new("f"), &made, &CancellationToken::new());
    assert!(applied.is_ok(), "{applied:?}\n{before:?}\n{second:?}\n{made}");
    let after = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(after, second, "{before:?}\n{made}");
}
