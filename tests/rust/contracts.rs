//! The files in contracts/ are what the types say. `AGI_UPDATE_CONTRACTS=1` rewrites them.

use std::path::Path;

use agi_agent::protocol::event::Envelope;
use agi_agent::tools::Registry;
use agi_agent::tools::registry::RegistrySettings;
use serde_json::Value;

/// Compares a generated value with its file, or rewrites the file when asked to.
fn hold(name: &str, generated: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts").join(name);
    let text = format!("{}\n", serde_json::to_string_pretty(generated).unwrap());
    if std::env::var_os("AGI_UPDATE_CONTRACTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == text,
        "contracts/{name} is not what the types say; \
         look at the difference and run `AGI_UPDATE_CONTRACTS=1 cargo test --test rust contracts`"
    );
}

#[test]
fn the_command_line_is_as_promised() {
    hold("cli.json", &agi_agent::cli::contract::describe());
}

#[test]
fn configuration_files_are_as_promised() {
    hold("config.schema.json", &agi_agent::config::table::json_schema::json_schema());
}

#[test]
fn arguments_of_tools_are_as_promised() {
    let settings = RegistrySettings { memory: true, ..RegistrySettings::default() };
    let registry = Registry::standard(&settings);
    hold("tools.schema.json", &agi_agent::tools::registry::contract(&registry));
}

#[test]
fn events_are_as_promised() {
    let schema = schemars::schema_for!(Envelope);
    hold("events.schema.json", schema.as_value());
}

#[test]
fn the_service_is_as_promised() {
    hold("stdio.schema.json", agi_agent::service::schema().as_value());
}
