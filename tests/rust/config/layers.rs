//! Precedence of all layers pairwise, the origin of every key in every layer, and clamping, as a
//! matrix over the table of settings: a setting that is added is tested without a line here.

use agi_agent::config::env;
use agi_agent::config::error::Place;
use agi_agent::config::error::Severity;
use agi_agent::config::layer::Fate;
use agi_agent::config::layer::Layer;
use agi_agent::config::table::fields::Field;
use agi_agent::config::table::fields::Kind;
use agi_agent::config::table::fields::Order;
use agi_agent::config::table::schema;
use serde_json::Value;
use serde_json::json;

use super::Machine;

/// Layers that a person can write into, low to high.
const LAYERS: [Layer; 6] = [
    Layer::System,
    Layer::User,
    Layer::Project,
    Layer::Profile,
    Layer::Environment,
    Layer::CommandLine,
];

/// Every key, maps with a name, without what is the file's own.
pub(super) fn keys() -> Vec<(String, Field)> {
    let keys = schema::keys().into_iter().map(|(key, field)| {
        let kind = match field.kind {
            Kind::Map(inner) => *inner,
            kind => kind,
        };
        (key.replace('*', "x"), Field::new(field.name, field.doc(), kind, field.rules))
    });
    keys.filter(|(key, _)| key != "config_version").collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn least(field: &Field) -> u64 {
    field.rules.min.max(1.0) as u64
}

/// Two values that fit a setting: the first allows less where that means something.
pub(super) fn two(key: &str, field: &Field) -> (Value, Value) {
    match (field.rules.order, field.kind) {
        (Order::Words(words), _) => (json!(words[0]), json!(words[words.len() - 1])),
        (Order::False, _) => (json!(false), json!(true)),
        (_, Kind::Boolean) => (json!(true), json!(false)),
        (_, Kind::Integer { .. }) => (json!(least(field)), json!(100)),
        (_, Kind::Number) => (json!(0.25), json!(0.5)),
        (_, Kind::Span) => (json!("1s"), json!("100h")),
        (_, Kind::Size) => (json!("1GiB"), json!("2GiB")),
        (_, Kind::Choice(words)) => (json!(words[0]), json!(words[1])),
        (_, Kind::Secret { .. }) => (json!({"env": "A"}), json!({"file": "/b"})),
        (_, Kind::List(Kind::Path)) => {
            (json!(["/nonexistent/a"]), json!(["/nonexistent/a", "/nonexistent/b"]))
        }
        (_, Kind::List(Kind::Object(_))) => {
            (json!([{"provider": "builtin"}]), json!([{"provider": "openai"}]))
        }
        (_, Kind::List(_)) => (json!(["a"]), json!(["a", "b"])),
        (_, Kind::Path) => (json!("/a"), json!("/b")),
        _ if key == "model.provider" => (json!("builtin"), json!("openai")),
        _ => (json!("a"), json!("b")),
    }
}

/// A file with one setting, in its third line.
pub(super) fn file(key: &str, value: &Value) -> String {
    let parts = schema::segments(key);
    let open: Vec<String> =
        parts[..parts.len() - 1].iter().map(|part| format!("{{\"{part}\": ")).collect();
    let open = open.concat();
    let close = "}".repeat(parts.len() - 1);
    let last = &parts[parts.len() - 1];
    format!("// one setting\n\n{open}{{\"{last}\": {value}}}{close}\n")
}

/// Writes a value into a layer. Files take what is in them already away.
pub(super) fn set(machine: &mut Machine, layer: Layer, key: &str, value: &Value) {
    let text = file(key, value);
    match layer {
        Layer::BuiltIn => unreachable!("nobody writes there"),
        Layer::System => machine.write("etc/config.json", text),
        Layer::User => machine.write("home/.config/agi-agent/config.json", text),
        Layer::Project => {
            machine.write("home/work/.agi-agent/config.json", text);
            machine.trust();
        }
        Layer::Profile => {
            machine.write("home/.config/agi-agent/p.profile.json", text);
            machine.profile = Some("p");
        }
        Layer::Environment => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            machine.variables.push((env::name_of(key), text));
        }
        Layer::CommandLine => {
            machine.assignments.push((key.to_owned(), value.clone(), "--flag".to_owned()));
        }
        Layer::Managed => machine.write("etc/managed.json", text),
    }
}

/// Whether a layer can say this at all.
fn takes(layer: Layer, key: &str, field: &Field) -> bool {
    // Secrets in the environment are its own: the variable is the secret. Maps have no variables.
    let secret = matches!(field.kind, Kind::Secret { .. });
    layer != Layer::Environment || !(secret || key.contains(".x"))
}

fn is_place_of(place: &Place, layer: Layer, key: &str) -> bool {
    match (place, layer) {
        (Place::Variable(name), Layer::Environment) => *name == env::name_of(key),
        (Place::Flag(flag), Layer::CommandLine) => flag == "--flag",
        (Place::File { path, line, column }, _) => {
            let end = match layer {
                Layer::System => "etc/config.json",
                Layer::User => ".config/agi-agent/config.json",
                Layer::Project => "work/.agi-agent/config.json",
                Layer::Profile => "p.profile.json",
                _ => "etc/managed.json",
            };
            path.ends_with(end) && *line == 3 && *column > key.len()
        }
        _ => false,
    }
}

#[test]
fn every_key_has_its_origin_in_every_layer() {
    let mut checked = 0;
    for (key, field) in keys() {
        for layer in LAYERS.into_iter().filter(|layer| takes(*layer, &key, &field)) {
            let mut machine = Machine::new();
            let value = two(&key, &field).1;
            set(&mut machine, layer, &key, &value);
            let merged = machine.load();
            let found: Vec<_> = merged
                .diagnostics
                .iter()
                .map(agi_agent::config::error::Diagnostic::headline)
                .collect();
            assert!(found.is_empty(), "{key} in {layer:?}: {found:?}");
            let setting = &merged.settings[&key];
            assert_eq!(setting.value, value, "{key} in {layer:?}");
            assert_eq!(setting.origin.layer, layer, "{key}");
            assert!(is_place_of(&setting.origin.place, layer, &key), "{key} {:?}", setting.origin);
            // Everybody else's origin is not touched.
            for (other, setting) in merged.settings.iter().filter(|(other, _)| **other != key) {
                assert_eq!(setting.origin.place, Place::BuiltIn, "{other} by {key}");
            }
            checked += 1;
        }
    }
    assert!(checked > 300, "{checked}");
}

#[test]
fn the_higher_layer_wins_in_every_pair() {
    let keys: Vec<_> = keys();
    let chosen = [
        "model.name",
        "limits.max_turns",
        "network.offline",
        "sandbox.level",
        "allow",
        "limits.timeout",
    ];
    for key in chosen {
        let (_, field) = keys.iter().find(|(known, _)| known == key).unwrap();
        let (first, second) = two(key, field);
        for (index, low) in LAYERS.iter().enumerate() {
            for high in &LAYERS[index + 1..] {
                for (below, above) in [(&first, &second), (&second, &first)] {
                    let mut machine = Machine::new();
                    set(&mut machine, *low, key, below);
                    set(&mut machine, *high, key, above);
                    let merged = machine.load();
                    let setting = &merged.settings[key];
                    assert_eq!(&setting.value, above, "{key}: {low:?} below {high:?}");
                    assert_eq!(setting.origin.layer, *high);
                    let fates: Vec<_> = setting
                        .entries
                        .iter()
                        .filter(|entry| entry.origin.layer != Layer::BuiltIn)
                        .map(|entry| (entry.origin.layer, entry.fate))
                        .collect();
                    assert_eq!(fates, [(*low, Fate::Overridden), (*high, Fate::Wins)], "{key}");
                }
            }
        }
    }
}

#[test]
fn prohibitions_of_all_layers_count() {
    for key in ["deny", "ask"] {
        let mut machine = Machine::new();
        for (index, layer) in LAYERS.iter().enumerate() {
            set(&mut machine, *layer, key, &json!([format!("tool{index}"), "shell"]));
        }
        set(&mut machine, Layer::Managed, key, &json!(["web_fetch"]));
        let merged = machine.load();
        let expected =
            json!(["tool0", "shell", "tool1", "tool2", "tool3", "tool4", "tool5", "web_fetch"]);
        assert_eq!(merged.get(key), Some(&expected));
        let fates: Vec<_> =
            merged.settings[key].entries.iter().skip(1).map(|entry| entry.fate).collect();
        assert_eq!(fates, [Fate::Joined; 7]);
        assert!(merged.diagnostics.is_empty(), "{:?}", merged.diagnostics);
    }
}

/// An organisation's bound holds against every layer; what keeps within it is left alone.
#[test]
fn an_organisation_bounds_every_layer() {
    let mut checked = 0;
    for (key, field) in keys() {
        let (narrow, wide) = two(&key, &field);
        for layer in LAYERS.into_iter().filter(|layer| takes(*layer, &key, &field)) {
            let mut machine = Machine::new();
            set(&mut machine, layer, &key, &wide);
            set(&mut machine, Layer::Managed, &key, &narrow);
            let merged = machine.load();
            if field.rules.order == Order::More {
                assert_eq!(merged.get(&key), Some(&wide), "{key}: it holds what is forbidden");
                continue;
            }
            assert_eq!(merged.get(&key), Some(&narrow), "{key} in {layer:?}");
            assert_eq!(merged.origin(&key).unwrap().layer, Layer::Managed, "{key}");
            let told: Vec<_> = merged.found(Severity::Warning).collect();
            assert_eq!(told.len(), 1, "{key} in {layer:?}");
            assert!(is_place_of(&told[0].place, layer, &key), "{key}: {:?}", told[0]);
            // Within the bound.
            let mut machine = Machine::new();
            set(&mut machine, layer, &key, &narrow);
            set(&mut machine, Layer::Managed, &key, &wide);
            let merged = machine.load();
            let ordered = field.rules.order != Order::None;
            let left = if ordered { &narrow } else { &wide };
            assert_eq!(merged.get(&key), Some(left), "{key} in {layer:?}");
            let by = if ordered { layer } else { Layer::Managed };
            assert_eq!(merged.origin(&key).unwrap().layer, by, "{key} in {layer:?}");
            checked += 1;
        }
    }
    assert!(checked > 300, "{checked}");
}

/// The variable adds a bound, and the fixed place has the last word.
#[test]
fn a_further_file_of_an_organisation_only_takes_away() {
    let mut machine = Machine::new();
    machine.write(
        "more.json",
        "{\"limits\": {\"max_turns\": 100}, \"model\": {\"name\": \"theirs\"}}",
    );
    set(&mut machine, Layer::Managed, "limits.max_turns", &json!(5));
    let more = machine.path("more.json").to_string_lossy().into_owned();
    machine.variables.push((env::MANAGED_VARIABLE.to_owned(), more));
    machine.assignments.push(("limits.max_turns".into(), json!(50), "--max-turns".into()));
    assert_eq!(machine.load().get("limits.max_turns"), Some(&json!(5)));
    machine.write(
        "etc/managed.json",
        "{\"model\": {\"name\": \"fixed\"}, \"sandbox\": {\"level\": \"read-only\"}}",
    );
    machine.write(
        "more.json",
        "{\"model\": {\"name\": \"theirs\"}, \"sandbox\": {\"level\": \"danger-full-access\"}}",
    );
    let merged = machine.load();
    assert_eq!(merged.get("model.name"), Some(&json!("fixed")));
    assert_eq!(merged.get("sandbox.level"), Some(&json!("read-only")));
}

/// Tricks to widen a list past an organisation's.
#[test]
fn lists_cannot_be_widened_by_spelling() {
    let managed = r#"{"sandbox": {"add_dirs": ["/nonexistent/data"], "net": ["*.example.org"], "env": ["LANG"]},
                      "allow": ["file_read", "shell(git status)"]}"#;
    let tricks = [
        (
            "sandbox.add_dirs",
            json!([
                "/nonexistent/data/../etc",
                "/nonexistent/data/x/../../y",
                "/",
                ".",
                "/nonexistent/database"
            ]),
        ),
        ("sandbox.net", json!(["all", "example.org.evil.com", "evilexample.org", "*.org", "*"])),
        ("sandbox.env", json!(["lang", "LANG ", "OPENAI_API_KEY"])),
        (
            "allow",
            json!(["shell", "shell(git status *)", "file_write", "file_read2(x)", "shell(*)"]),
        ),
    ];
    for (key, value) in tricks {
        let mut machine = Machine::new();
        machine.write("etc/managed.json", managed);
        set(&mut machine, Layer::CommandLine, key, &value);
        let merged = machine.load();
        let bound = agi_agent::config::load::parse(
            std::path::Path::new("m"),
            managed.as_bytes().to_vec(),
            agi_agent::config::table::check::Strictness::Strict,
        );
        let bound = bound.unwrap();
        let allowed = &bound.leaves.iter().find(|leaf| leaf.key == key).unwrap().value;
        for entry in merged.get(key).unwrap().as_array().unwrap() {
            assert!(allowed.as_array().unwrap().contains(entry), "{key}: {entry} of {value}");
        }
    }
}
