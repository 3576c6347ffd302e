//! contracts/wire/*.json: every sample is what the Rust types read and write.
//!
//! `tests/python/test_contract.py` reads the same files against `agi_agent._wire`.

use std::path::Path;

use agi_agent::bridge::python::convert::ChatAnswer;
use agi_agent::protocol::ModelDelta;
use agi_agent::protocol::ModelError;
use agi_agent::protocol::ModelReply;
use agi_agent::protocol::ModelRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::support::call;

fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts/wire");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                serde_json::from_str(&text).unwrap(),
            )
        })
        .collect();
    found.sort_by(|(left, _), (right, _)| left.cmp(right));
    found
}

fn reads_and_writes<T: Serialize + DeserializeOwned>(value: &Value) -> Value {
    let typed: T = serde_json::from_value(value.clone()).unwrap();
    serde_json::to_value(typed).unwrap()
}

#[test]
fn every_sample_is_what_rust_reads_and_writes() {
    for (name, sample) in samples() {
        let value = &sample["value"];
        let again = match sample["type"].as_str().unwrap() {
            "ModelRequest" => reads_and_writes::<ModelRequest>(value),
            "ModelReply" => reads_and_writes::<ModelReply>(value),
            "ModelDelta" => reads_and_writes::<ModelDelta>(value),
            "ModelError" => reads_and_writes::<ModelError>(value),
            "ChatAnswer" => reads_and_writes::<ChatAnswer>(value),
            // Read into its types by the tests beside `bridge::models::remote::wire`, which are private.
            "AdapterCalls" => value.clone(),
            other => panic!("{name}: no type `{other}`"),
        };
        assert_eq!(&again, value, "{name}");
    }
}

#[test]
fn every_sample_comes_back_from_python_as_it_went() {
    let samples = samples();
    assert!(samples.len() >= 6);
    for (name, sample) in samples {
        let text = serde_json::to_string(&sample["value"]).unwrap();
        assert_eq!(call("echo", &text, Vec::new()).unwrap().json, text, "{name}");
    }
}
