//! Configuration files: no panic, every place inside its file, no secret in what is said, and what is
//! accepted always fits the typed settings.

use std::path::Path;

use agi_agent::config::env::Environment;
use agi_agent::config::error::Diagnostic;
use agi_agent::config::error::Place;
use agi_agent::config::error::Severity;
use agi_agent::config::layer::Layer;
use agi_agent::config::layer::Merged;
use agi_agent::config::load;
use agi_agent::config::places::Places;
use agi_agent::config::project::dotenv;
use agi_agent::config::report;
use agi_agent::config::resolve;
use agi_agent::config::table::check::Strictness;

/// Never in any output.
const CANARY: &str = "sk-canary-of-the-fuzzer";

/// Places where nothing is: the file stands alone.
fn places() -> Places {
    Places {
        system_config: "/nowhere/config.json".into(),
        managed_config: "/nowhere/managed.json".into(),
        user_config: None,
        data_dir: None,
        home: None,
    }
}

/// The whole input is a configuration file.
pub fn judge(bytes: &[u8]) {
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
    let merged = Merged::of_leaves(leaves, Layer::User);
    let environment = Environment::from_pairs([("HOME", "/home/nobody")]);
    let resolved = resolve::resolve(&merged, &environment, &places(), Path::new("/w"));
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
