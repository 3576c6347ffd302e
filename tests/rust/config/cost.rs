//! What loading costs with every layer there. The limit of 1 ms is the optimised program's
//! (release/bench/startup.py); this unoptimised build must stay within a few times that, so that a
//! change of kind (a schema at start, a walk over the disk) is noticed here.

use std::time::Duration;
use std::time::Instant;

use agi_agent::config::layer::Layer;
use agi_agent::config::resolve;
use serde_json::json;

use super::Machine;
use super::layers::set;

/// A machine on which every layer says something.
pub(super) fn full() -> Machine {
    let mut machine = Machine::new();
    let text = r#"{
      // each layer has a file of ordinary size
      "model": {"provider": "openai", "name": "m", "base_url": "http://localhost:1/v1", "temperature": 0.5,
                "api_key": {"env": "KEY"}, "headers": {"X-A": "1", "X-B": "2"}},
      "sandbox": {"level": "workspace-write", "read": ["/usr/share"], "env": ["LANG", "TZ"]},
      "limits": {"max_turns": 20, "timeout": "10m", "max_tokens": 100000},
      "allow": ["file_read", "shell(git status)", "shell(cargo *)"], "deny": ["shell(rm *)"],
      "memory": {"enabled": true}, "network": {"idle_timeout": "30s"}
    }"#;
    machine.write("etc/config.json", text);
    machine.write("home/.config/agi-agent/config.json", text);
    machine.write("home/.config/agi-agent/p.profile.json", text);
    machine.write("home/work/.agi-agent/config.json", text);
    machine.write("home/work/.env", "AGI_MODEL_NAME=n\n");
    machine.write("home/work/.git/HEAD", "");
    machine.profile = Some("p");
    machine.trust();
    machine.write("home/work/a/b/.agi-agent/config.json", text);
    for (name, value) in
        [("AGI_MAX_TURNS", "9"), ("AGI_SANDBOX_LEVEL", "read-only"), ("LOG_LEVEL", "info")]
    {
        machine.variables.push((name.to_owned(), value.to_owned()));
    }
    set(&mut machine, Layer::Managed, "limits.max_turns", &json!(30));
    machine.assignments.push(("limits.max_turns".into(), json!(7), "--max-turns".into()));
    machine
}

#[test]
fn loading_with_every_layer_is_cheap() {
    let machine = full();
    let directory = machine.path("home/work/a/b");
    let (environment, places) = (machine.environment(), machine.places());
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let start = Instant::now();
            let merged = machine.load_in(&directory);
            let settings = resolve::resolve(&merged, &environment, &places, &directory).unwrap();
            assert_eq!(settings.limits.max_turns, 7);
            start.elapsed()
        })
        .collect();
    times.sort();
    // The fastest: what else the machine does is not the question.
    println!("fastest {:?}, median {:?}", times[0], times[100]);
    assert!(times[0] < Duration::from_millis(10), "{:?}", times[0]);
    let layers: std::collections::BTreeSet<_> = machine
        .load_in(&directory)
        .settings
        .values()
        .flat_map(|setting| setting.entries.iter().map(|entry| entry.origin.layer))
        .collect();
    assert_eq!(layers.len(), Layer::ALL.len(), "every layer says something");
}
