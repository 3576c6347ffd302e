//! The lists that the sandbox is held to, number by number: no number without a test, and a page that
//! says which tests those are. A test carries its number in its name (`case_07_…`, `t05_…`).

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::docs::hold;
use crate::tree::Source;
use crate::tree::sources;

/// Cases of the hostile list, and execution tests.
const CASES: u32 = 50;
const EXECUTION: u32 = 18;

type Found = BTreeMap<u32, Vec<String>>;

/// Test functions whose names begin with `prefix` and a number.
fn numbered(prefix: &str, files: &[Source]) -> Found {
    let mut found = Found::new();
    for source in files {
        for line in source.text.lines() {
            let line = line.trim_start();
            let line = line.strip_prefix("async ").unwrap_or(line);
            let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next())
            else {
                continue;
            };
            for part in name.split("_and_") {
                let Some(rest) = part.strip_prefix(prefix) else { continue };
                let number = rest.split('_').next().and_then(|digits| digits.parse().ok());
                if let Some(number) = number {
                    found.entry(number).or_default().push(format!("`{}::{name}`", source.path));
                }
            }
        }
    }
    found
}

fn table(page: &mut String, found: &Found, count: u32) {
    page.push_str("| number | tests |\n|---|---|\n");
    for number in 1..=count {
        writeln!(page, "| {number} | {} |", found[&number].join(", ")).unwrap();
    }
}

#[test]
fn every_number_of_the_lists_has_a_test() {
    let mut files = sources("tests", "rs");
    files.extend(sources("src", "rs"));
    let (cases, execution) = (numbered("case_", &files), numbered("t", &files));
    let missing = |found: &Found, count| -> Vec<u32> {
        (1..=count).filter(|number| !found.contains_key(number)).collect()
    };
    let (cases_missing, execution_missing) =
        (missing(&cases, CASES), missing(&execution, EXECUTION));
    assert!(
        cases_missing.is_empty() && execution_missing.is_empty(),
        "without a test: cases {cases_missing:?}, T {execution_missing:?}"
    );
    let mut page = String::from(
        "# Reference: hostile cases and execution tests by number\n\nGenerated from the names of the \
         tests; `AGI_UPDATE_CONTRACTS=1 cargo test --test rust` rewrites it. What a case is stands in \
         the head of its test; each prints how many rows it had. [sandbox.md](../sandbox.md) explains \
         the sandbox, [attacks.md](../attacks.md) the attacks and what happens when a defence is \
         off.\n\n## Hostile cases\n\n",
    );
    table(&mut page, &cases, CASES);
    page.push_str("\n## Execution tests\n\n");
    table(&mut page, &execution, EXECUTION);
    hold("reference/cases.md", &page);
}
