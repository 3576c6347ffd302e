//! Reference pages made from the types: every event, item and tool with each of its fields. A field
//! or an event without a word of documentation is an error, so that the pages cannot fall behind.

use std::fmt::Write;

use agi_agent::protocol::event::Envelope;
use agi_agent::tools::Registry;
use agi_agent::tools::registry;
use agi_agent::tools::registry::RegistrySettings;
use serde_json::Value;

use crate::docs::hold;

const GENERATED: &str = "Generated from the types; `AGI_UPDATE_CONTRACTS=1 cargo test --test rust` \
                         rewrites it.";

#[test]
fn events_have_a_reference_page() {
    let schema = schemars::schema_for!(Envelope);
    let schema = schema.as_value();
    let mut page = format!(
        "# Reference: events\n\n{GENERATED}\n[events.md](../events.md) explains them, \
         `contracts/events.schema.json` is the same as a schema.\n\n## Every event\n\n"
    );
    fields(schema, schema, &mut page);
    page.push_str("\n## Events\n");
    variants(schema, schema, "event", &mut page);
    page.push_str("\n## Items\n\n");
    let item = definition(schema, "Item");
    fields(item, schema, &mut page);
    variants(item, schema, "item", &mut page);
    for (name, title) in [
        ("ItemStatus", "Statuses of an item"),
        ("Artefact", "An artefact"),
        ("Outcome", "The result"),
        ("OutcomeKind", "Outcomes"),
        ("CallCounts", "Tool calls"),
        ("Denial", "A denial"),
        ("RungTaken", "The model of a route"),
        ("ModelStage", "What a local model does"),
        ("Usage", "Usage"),
    ] {
        write!(page, "\n## {title}\n\n").unwrap();
        let definition = definition(schema, name);
        if definition["properties"].is_object() {
            fields(definition, schema, &mut page);
        } else {
            words(definition, &mut page);
        }
    }
    hold("reference/events.md", &page);
}

#[test]
fn tools_have_a_reference_page() {
    let settings = RegistrySettings { memory: true, ..RegistrySettings::default() };
    let contract = registry::contract(&Registry::standard(&settings));
    let mut page = format!(
        "# Reference: tools\n\n{GENERATED}\n[tools.md](../tools.md) says what each gives back and how \
         calls run, `contracts/tools.schema.json` is the same as a schema.\n"
    );
    for (name, tool) in contract["$defs"].as_object().unwrap() {
        let description = tool["description"].as_str().unwrap();
        write!(page, "\n## `{name}`\n\n{description}\n\n").unwrap();
        page.push_str("| argument | type | must be given | |\n|---|---|---|---|\n");
        for (argument, shape) in tool["properties"].as_object().unwrap() {
            let must = if is_required(tool, argument) { "yes" } else { "" };
            let doc = shape["description"].as_str().unwrap_or_default();
            writeln!(page, "| `{argument}` | {} | {must} | {doc} |", kind(shape)).unwrap();
        }
    }
    hold("reference/tools.md", &page);
}

fn definition<'a>(schema: &'a Value, name: &str) -> &'a Value {
    let found = &schema["$defs"][name];
    assert!(found.is_object(), "the events hold no {name}");
    found
}

/// A table of an object's fields.
fn fields(object: &Value, root: &Value, page: &mut String) {
    page.push_str("| field | type | | |\n|---|---|---|---|\n");
    let properties = object["properties"].as_object().expect("an object");
    for (name, shape) in properties.iter().filter(|(name, _)| *name != "type") {
        let always = if is_required(object, name) { "always" } else { "where it applies" };
        let doc = text_of(shape, root);
        assert!(!doc.is_empty(), "the field `{name}` of an event has no documentation");
        writeln!(page, "| `{name}` | {} | {always} | {doc} |", kind(shape)).unwrap();
    }
}

/// A section for each variant of a tagged type.
fn variants(object: &Value, root: &Value, what: &str, page: &mut String) {
    for variant in object["oneOf"].as_array().expect("variants") {
        let name = variant["properties"]["type"]["const"].as_str().expect("a tag");
        let shape = match variant["$ref"].as_str() {
            Some(reference) => definition(root, reference.rsplit('/').next().unwrap()),
            None => variant,
        };
        let doc = variant["description"].as_str().or(shape["description"].as_str());
        let doc = doc.unwrap_or_else(|| panic!("the {what} `{name}` has no documentation"));
        write!(page, "\n### `{name}`\n\n{}\n\n", one_line(doc)).unwrap();
        if shape["properties"].as_object().is_some_and(|fields| fields.keys().any(|k| k != "type"))
        {
            fields(shape, root, page);
        } else if let Some(reference) = variant["$ref"].as_str() {
            writeln!(page, "Its fields: {}.", link(reference)).unwrap();
        }
    }
}

/// The words of a choice.
fn words(choice: &Value, page: &mut String) {
    for variant in choice["oneOf"].as_array().into_iter().flatten() {
        let doc = variant["description"].as_str().map(one_line).unwrap_or_default();
        writeln!(page, "- `{}` {doc}", variant["const"].as_str().unwrap()).unwrap();
    }
    let all = choice["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let list: Vec<String> = all.map(|word| format!("`{word}`")).collect();
    if !list.is_empty() {
        writeln!(page, "{}.", list.join(", ")).unwrap();
    }
}

fn is_required(object: &Value, name: &str) -> bool {
    object["required"].as_array().into_iter().flatten().any(|required| required == name)
}

/// The documentation of a field, else that of its type.
fn text_of(shape: &Value, root: &Value) -> String {
    let named = |shape: &Value| {
        let reference = shape["$ref"].as_str()?.rsplit('/').next()?;
        root["$defs"][reference]["description"].as_str().map(one_line)
    };
    let own = shape["description"].as_str().map(one_line);
    let other = || shape["anyOf"].as_array().into_iter().flatten().find_map(named);
    own.or_else(|| named(shape)).or_else(other).unwrap_or_default()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A type in words.
fn kind(shape: &Value) -> String {
    if let Some(reference) = shape["$ref"].as_str() {
        return link(reference);
    }
    if let Some(words) = shape["enum"].as_array() {
        let words: Vec<String> =
            words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
        return words.join(", ");
    }
    if let Some(variants) = shape["anyOf"].as_array() {
        let variants = variants.iter().filter(|variant| variant["type"] != "null");
        return variants.map(kind).collect::<Vec<_>>().join(" or ");
    }
    let name = match &shape["type"] {
        Value::String(name) => name.as_str(),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).find(|n| *n != "null").unwrap()
        }
        _ => "any JSON",
    };
    match name {
        "array" => format!("list of {}", kind(&shape["items"])),
        "integer" => "whole number".to_owned(),
        name => name.to_owned(),
    }
}

/// A link to the section of a type on this page.
fn link(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap();
    let anchor = match name {
        "Item" => "items",
        "ItemStatus" => "statuses-of-an-item",
        "Outcome" => "the-result",
        "OutcomeKind" => "outcomes",
        "CallCounts" => "tool-calls",
        "Artefact" => "an-artefact",
        "Denial" => "a-denial",
        "RungTaken" => "the-model-of-a-route",
        "ModelStage" => "what-a-local-model-does",
        "Usage" => "usage",
        "ExitCode" => return "[exit code](../exit-codes.md)".to_owned(),
        other => panic!("the type {other} has no section on the page"),
    };
    format!("[{name}](#{anchor})")
}
