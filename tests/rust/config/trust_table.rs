//! The table of docs/trust.md, over every setting: what a project may do before and after trust.

use agi_agent::config::error::Rule;
use agi_agent::config::error::Severity;
use agi_agent::config::layer::Layer;
use agi_agent::config::project;
use agi_agent::config::table::fields::Order;
use serde_json::json;

use super::Machine;
use super::layers::file;
use super::layers::keys;
use super::layers::set;
use super::layers::two;

const PROJECT: &str = "home/work/.agi-agent/config.json";

#[test]
fn what_would_widen_is_ignored_until_it_is_trusted() {
    for (key, field) in keys() {
        let (narrow, wide) = two(&key, &field);
        let mut machine = Machine::new();
        set(&mut machine, Layer::User, &key, &narrow);
        machine.write(PROJECT, file(&key, &wide));
        let merged = machine.load();
        let adds_up = field.rules.order == Order::More;
        let left = if adds_up { &wide } else { &narrow };
        assert_eq!(merged.get(&key), Some(left), "{key}");
        let told: Vec<_> = merged.found(Severity::Warning).collect();
        assert_eq!(told.len(), usize::from(!adds_up), "{key}: {told:?}");
        if let [told] = told[..] {
            assert_eq!(told.rule, Rule::Untrusted);
            assert!(told.place.to_string().contains(".agi-agent/config.json:3:"), "{}", told.place);
            assert!(told.remedy.as_ref().unwrap().contains("agi-agent trust /"), "{told:?}");
            assert_eq!(merged.projects[0].ignored, std::slice::from_ref(&key));
        }
        // After: a layer like any other.
        machine.trust();
        let merged = machine.load();
        assert_eq!(merged.get(&key), Some(&wide), "{key}, trusted");
        assert!(merged.diagnostics.is_empty(), "{key}: {:?}", merged.diagnostics);
        assert!(merged.projects[0].trusted);
        // And the person's own word stands above it in either case.
        if !adds_up {
            set(&mut machine, Layer::CommandLine, &key, &narrow);
            assert_eq!(machine.load().get(&key), Some(&narrow), "{key} by the person");
        }
    }
}

#[test]
fn what_narrows_counts_without_trust() {
    for (key, field) in keys() {
        let (narrow, wide) = two(&key, &field);
        let mut machine = Machine::new();
        set(&mut machine, Layer::User, &key, &wide);
        machine.write(PROJECT, file(&key, &narrow));
        let merged = machine.load();
        let told = merged.found(Severity::Warning).count();
        match field.rules.order {
            Order::None => {
                assert_eq!(merged.get(&key), Some(&wide), "{key}");
                assert_eq!(told, 1, "{key}");
            }
            Order::More => assert_eq!(merged.get(&key), Some(&wide), "{key}"),
            _ => {
                assert_eq!(merged.get(&key), Some(&narrow), "{key}");
                assert_eq!(merged.origin(&key).unwrap().layer, Layer::Project, "{key}");
                assert_eq!(told, 0, "{key}");
            }
        }
    }
}

/// Without a word of the person's own, a project adds nothing to what is built in either.
#[test]
fn a_project_adds_nothing_to_what_is_built_in() {
    for (key, field) in keys() {
        let (_, wide) = two(&key, &field);
        let machine = Machine::new();
        let before = machine.load();
        machine.write(PROJECT, file(&key, &wide));
        let merged = machine.load();
        match field.rules.order {
            Order::None | Order::Fewer(_) | Order::Words(_) | Order::True | Order::False => {
                assert_eq!(merged.get(&key), before.get(&key), "{key}");
            }
            // A number bounds where nothing did.
            Order::Lower if before.get(&key).is_none() => {
                assert_eq!(merged.get(&key), Some(&wide), "{key}");
            }
            Order::Lower | Order::More => {}
        }
    }
}

#[test]
fn projects_are_found_up_to_their_repository() {
    let machine = Machine::new();
    let home = machine.path("home");
    for name in
        ["home/work/.git/HEAD", "home/work/a/b/x", "home/work/vendor/.git", "home/work/vendor/c/x"]
    {
        machine.write(name, "");
    }
    let found = |name: &str| -> Vec<String> {
        let real = machine.path("").canonicalize().unwrap();
        project::directories(&machine.path(name), Some(&home))
            .iter()
            .map(|path| path.strip_prefix(&real).unwrap().to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(found("home/work/a/b"), ["home/work", "home/work/a", "home/work/a/b"]);
    assert_eq!(found("home/work/vendor/c"), ["home/work/vendor", "home/work/vendor/c"]);
    // Without a repository: never the home directory or above, unless one works there.
    machine.write("home/plain/x/y", "");
    assert_eq!(found("home/plain/x"), ["home/plain", "home/plain/x"]);
    assert_eq!(found("home"), ["home"]);
}

/// What a stranger leaves in `/tmp` is no project of those who work below it.
#[cfg(unix)]
#[test]
fn a_directory_for_everybody_is_no_project_of_those_below_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = Machine::new();
    machine.write("shared/mine/x", "");
    let shared = machine.path("shared");
    let found = |directory: &std::path::Path| project::directories(directory, None).len();
    let all = found(&shared.join("mine"));
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!((found(&shared.join("mine")), all > 1), (1, true));
    // Who works in it has asked for it.
    assert_eq!(project::directories(&shared, None).last(), Some(&shared.canonicalize().unwrap()));
}

/// The outer project is believed and the inner one is not: each has its own trust.
#[test]
fn the_nearest_project_stands_above_and_is_trusted_alone() {
    let machine = Machine::new();
    machine.write("home/work/.git/HEAD", "");
    machine.write(PROJECT, r#"{"model": {"name": "outer", "temperature": 1}}"#);
    machine.trust();
    machine.write("home/work/a/.agi-agent/config.json", r#"{"model": {"name": "inner"}}"#);
    let merged = machine.load_in(&machine.path("home/work/a"));
    assert_eq!(merged.get("model.name"), Some(&json!("outer")));
    assert_eq!(
        merged.projects.iter().map(|project| project.trusted).collect::<Vec<_>>(),
        [true, false]
    );
    let store = project::trust::TrustStore::new(&machine.path("home/.local/share/agi-agent"));
    let inner = project::nearest(&machine.path("home/work/a"), Some(&machine.path("home")));
    store.add(&inner.unwrap().unwrap(), "now".into()).unwrap();
    let merged = machine.load_in(&machine.path("home/work/a"));
    assert_eq!(merged.get("model.name"), Some(&json!("inner")));
    assert_eq!(merged.get("model.temperature"), Some(&json!(1.0)));
}

#[test]
fn an_env_file_counts_only_when_it_is_trusted_and_only_for_our_names() {
    let mut machine = Machine::new();
    machine.write(
        "home/work/.env",
        "HOME=/evil\nAGI_APPROVE=auto # why\nAGI_TIMEOUT=5m\nOPENAI_BASE_URL=http://x\nAGI_NONSENSE=1\n",
    );
    let merged = machine.load();
    assert_eq!(merged.get("approve"), Some(&json!("ask")));
    assert!(merged.project_environment.is_empty());
    assert_eq!(
        merged.projects[0].ignored,
        ["AGI_APPROVE", "AGI_TIMEOUT", "OPENAI_BASE_URL", "AGI_NONSENSE"]
    );
    machine.trust();
    machine.variables.push(("AGI_TIMEOUT".into(), "9m".into()));
    let merged = machine.load();
    assert_eq!(merged.get("approve"), Some(&json!("auto")));
    assert_eq!(merged.get("limits.timeout"), Some(&json!("9m")), "the person's own environment");
    assert!(merged.origin("approve").unwrap().to_string().ends_with("work/.env:2:1"));
    assert_eq!(merged.project_environment.get("OPENAI_BASE_URL").unwrap(), "http://x");
    assert!(!merged.project_environment.contains_key("HOME"));
}
