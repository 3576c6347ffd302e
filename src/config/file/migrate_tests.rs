//! Golden files of every version, and: a migrated file means what the old one meant, comments kept.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::error::Severity;
use crate::config::load;
use crate::config::table::check::Strictness;
use crate::config::table::schema::VERSION;

/// What a text sets, by key, and how many names are unknown.
fn meaning(text: &str) -> (Vec<(String, Value)>, usize) {
    let bytes = text.as_bytes().to_vec();
    let checked = load::parse(Path::new("c.json"), bytes, Strictness::Lenient).unwrap();
    let unknown = checked.diagnostics.iter().filter(|found| found.rule == Rule::UnknownKey).count();
    let leaves = checked.leaves.into_iter().filter(|leaf| leaf.key != "config_version");
    let mut set: Vec<_> = leaves.map(|leaf| (leaf.key, leaf.value)).collect();
    set.sort_by(|left, right| left.0.cmp(&right.0));
    (set, unknown)
}

#[test]
fn the_schema_has_the_version_of_the_last_step() {
    assert_eq!(VERSION, CURRENT);
}

#[test]
fn golden_files_of_each_version() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    for from in 1..CURRENT {
        let old = std::fs::read_to_string(folder.join(format!("v{from}.json"))).unwrap();
        let new = std::fs::read_to_string(folder.join(format!("v{from}-migrated.json"))).unwrap();
        let migrated = text(&old).unwrap();
        assert_eq!(migrated.text, new, "version {from}");
        assert_eq!(meaning(&old), meaning(&new), "version {from}");
        assert_eq!(edit::comments(&old), edit::comments(&new), "version {from}");
    }
}

#[test]
fn a_file_of_today_and_one_of_tomorrow_are_left() {
    for version in [CURRENT, CURRENT + 1] {
        let file =
            format!("{{\"config_version\": {version}, \"model\": {{\"api_key_env\": \"A\"}}}}");
        let migrated = text(&file).unwrap();
        assert_eq!((migrated.text, migrated.changes.len()), (file, 0));
    }
}

#[test]
fn both_names_at_once_are_a_mistake_and_stay() {
    let both = r#"{"model": {"api_key_env": "A", "api_key": {"env": "B"}}}"#;
    assert!(text(both).unwrap().text.contains("api_key_env"));
    assert_eq!(meaning(both).1, 1);
}

#[test]
fn an_old_name_keeps_its_place_and_is_noted() {
    let file = "{\"model\": {\n  \"api_key_env\": \"A\"}}";
    let checked = load::parse(Path::new("c.json"), file.into(), Strictness::Lenient).unwrap();
    assert_eq!(checked.leaves[0].value, json!({"env": "A"}));
    assert_eq!(checked.leaves[0].place.to_string(), "c.json:2:18");
    let note = &checked.diagnostics[0];
    assert_eq!((note.severity, note.place.to_string().as_str()), (Severity::Note, "c.json:2:3"));
}

/// A file of version 1 with comments in many places.
fn old_file() -> impl Strategy<Value = String> {
    let comment = prop_oneof![
        Just(""),
        Just("// a line\n"),
        Just("/* a block */ "),
        Just("\n\n"),
        Just("// \"model\": {}\n")
    ];
    let member = prop_oneof![
        Just(r#""api_key_env": "MY_KEY""#),
        Just(r#""name": "a \" b""#),
        Just(r#""headers": {"x": {"env": "api_key_env"}}"#),
        Just(r#""temperature": 0.5"#),
        Just(r#""api_key": {"file": "k"}"#),
    ];
    let members = prop::collection::vec((comment.clone(), member, comment.clone()), 0..5);
    (members, any::<bool>(), any::<bool>(), comment).prop_map(
        |(members, trailing, version, last)| {
            let mut seen = std::collections::BTreeSet::new();
            let members: Vec<_> =
                members.into_iter().filter(|(_, member, _)| seen.insert(*member)).collect();
            let count = members.len();
            let inside: Vec<String> = members
                .into_iter()
                .enumerate()
                .map(|(place, (before, member, after))| {
                    let comma = if place + 1 < count || trailing { "," } else { "" };
                    format!("{before}{member}{comma} {after}")
                })
                .collect();
            let version = if version { "\"config_version\": 1, " } else { "" };
            format!("{{{version}\"model\": {{ {} }} {last}}}\n{last}", inside.concat())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_migrated_file_means_what_it_meant(old in old_file()) {
        let migrated = text(&old).unwrap();
        prop_assert_eq!(meaning(&migrated.text), meaning(&old));
        prop_assert_eq!(edit::comments(&migrated.text), edit::comments(&old));
        let again = text(&migrated.text).unwrap();
        prop_assert_eq!(again.text, migrated.text);
        prop_assert!(again.changes.is_empty());
    }
}
