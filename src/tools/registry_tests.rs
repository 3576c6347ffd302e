//! The offer as a whole: names, size, and the contract file.

use serde_json::Value;
use serde_json::json;

use super::*;

/// What all tools together may add to a request, in bytes, in the form of Chat Completions.
const MAX_BYTES: usize = 4300;

fn standard() -> Registry {
    Registry::standard(&RegistrySettings { memory: true, ..RegistrySettings::default() })
}

/// The tools as Chat Completions has them.
fn offer(registry: &Registry) -> Value {
    let tools = registry.tools().map(|tool| tool.spec()).map(|spec| {
        json!({
            "type": "function",
            "function": {
                "name": spec.name,
                "description": spec.description,
                "parameters": spec.parameters,
            },
        })
    });
    tools.collect()
}

#[test]
fn the_offer_is_small() {
    let text = offer(&standard()).to_string();
    assert!(text.len() <= MAX_BYTES, "{} bytes: {text}", text.len());
}

#[test]
fn names_are_unique_and_tools_are_found_by_them() {
    let registry = standard();
    let names = registry.names();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "{names:?}");
    for name in names {
        assert_eq!(registry.get(name).map(|tool| tool.name()), Some(name));
    }
    assert!(registry.get("nothing").is_none());
}

#[test]
fn schemas_are_objects_without_ballast() {
    for spec in standard().specs().iter() {
        assert_eq!(spec.parameters["type"], "object", "{}", spec.name);
        let text = spec.parameters.to_string();
        for ballast in ["$schema", "\"title\"", "\"format\":\"", "\"default\"", "null", "$ref"] {
            assert!(!text.contains(ballast), "{}: {text}", spec.name);
        }
        let (description, name) = (&spec.description, &spec.name);
        assert!(!description.contains('\n') && description.len() < 120, "{name}: {description}");
    }
}

#[test]
fn no_memory_means_no_memory_tools() {
    let registry = Registry::standard(&RegistrySettings::default());
    assert!(registry.names().iter().all(|name| !name.starts_with("memory")));
}
