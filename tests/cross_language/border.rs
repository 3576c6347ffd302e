//! What goes over the border as text, and what becomes of exceptions.

use agi_agent::bridge::ErrorKind;
use agi_agent::bridge::Python;
use agi_agent::protocol::ModelError;
use agi_agent::protocol::ModelErrorKind;
use serde_json::Value;
use serde_json::json;

use crate::support::call;

#[test]
fn health_names_the_interpreter_and_the_version() {
    let answer: Value =
        serde_json::from_str(&call("health", "null", Vec::new()).unwrap().json).unwrap();
    assert_eq!(answer["version"], env!("CARGO_PKG_VERSION"));
    assert!(answer["python"].as_str().unwrap().starts_with("3."));
}

#[test]
fn text_of_every_kind_comes_back_as_it_went() {
    for text in ["", "plain", "é ü 漢字 🙂", "\u{0}\u{1f}\"\\/\n", &"long ".repeat(100_000)] {
        let payload =
            serde_json::to_string(&json!({ "text": text, "n": [0, -1, 1.5e300, true, null] }))
                .unwrap();
        let answer = call("echo", &payload, Vec::new()).unwrap();
        assert_eq!(answer.json, payload);
    }
}

#[test]
fn integers_beyond_64_bits_survive() {
    let payload = "[18446744073709551616,-9223372036854775809]";
    assert_eq!(call("echo", payload, Vec::new()).unwrap().json, payload);
}

#[test]
fn broken_payload_names_the_place() {
    for payload in ["", "{", "[1,]", "{} x", "nul"] {
        let error = call("echo", payload, Vec::new()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Payload, "{error:?}");
        assert!(error.message.starts_with("payload of `echo`: "), "{error:?}");
    }
}

#[test]
fn unknown_operation_is_a_payload_error() {
    let error = call("no.such", "null", Vec::new()).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Payload, "there is no operation `no.such`")
    );
}

#[test]
fn declared_kinds_arrive_with_their_hint_and_without_traceback() {
    for (word, kind) in [
        ("authentication", ModelErrorKind::Authentication),
        ("rate_limited", ModelErrorKind::RateLimited),
        ("server", ModelErrorKind::Server),
        ("invalid_request", ModelErrorKind::InvalidRequest),
        ("context_too_long", ModelErrorKind::ContextTooLong),
        ("malformed", ModelErrorKind::Malformed),
        ("outside_builtin", ModelErrorKind::OutsideBuiltin),
        ("configuration", ModelErrorKind::Configuration),
    ] {
        let error = call("test.fail", &format!("\"{word}\""), Vec::new()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Model(kind));
        assert_eq!(error.traceback, None);
        let error = ModelError::from(error);
        assert_eq!(
            (error.kind, error.message.as_str(), error.hint.as_deref()),
            (kind, "one line", Some("try this"))
        );
    }
}

#[test]
fn unexpected_exceptions_keep_class_text_and_traceback() {
    let error = call("test.fail", "\"value\"", Vec::new()).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Exception, "ValueError: bad luck")
    );
    let traceback = error.traceback.clone().unwrap();
    assert!(traceback.contains("in handle") && traceback.contains("in fail"), "{traceback}");
    assert_eq!(ModelError::from(error).kind, ModelErrorKind::Interpreter);
    for (word, message) in [
        ("nameless", "LookupError"),
        ("unprintable", "Unprintable"),
        ("surrogate", "ValueError: half \u{fffd}\u{fffd}\u{fffd}"),
    ] {
        let error = call("test.fail", &format!("\"{word}\""), Vec::new()).unwrap_err();
        assert_eq!(error.message, message);
    }
}

#[test]
fn deep_recursion_and_exhausted_memory_are_errors_and_the_interpreter_goes_on() {
    for (word, kind) in [
        ("recursion", ErrorKind::Recursion),
        ("memory", ErrorKind::Memory),
        ("exit", ErrorKind::Exit),
        ("interrupt", ErrorKind::Cancelled),
    ] {
        let error = call("test.fail", &format!("\"{word}\""), Vec::new()).unwrap_err();
        assert_eq!(error.kind, kind, "{error:?}");
    }
    let nested = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(call("echo", &nested, Vec::new()).unwrap_err().kind, ErrorKind::Recursion);
    assert_eq!(call("test.nest", "100000", Vec::new()).unwrap_err().kind, ErrorKind::Recursion);
    assert_eq!(call("echo", "1", Vec::new()).unwrap().json, "1");
}

#[test]
fn one_interpreter_on_one_thread_serves_many_callers() {
    let mut answers: Vec<String> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| call("test.thread", "null", Vec::new()).unwrap().json))
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(Python::starts(), 1);
}

/// The released file has them in itself: `release/machinery/smoke_checks.py` asks it the same.
#[test]
fn data_of_our_packages_is_found_from_each_of_them() {
    for name in ["chatml.jinja", "plain.jinja"] {
        let path = format!("python/agi_agent/local/templates/{name}");
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let expected = std::fs::read_to_string(path).unwrap();
        assert!(expected.contains("message.content"));
        let payload = json!(["local", "templates", name]).to_string();
        let answer = call("test.bundled", &payload, Vec::new()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&answer.json).unwrap(), expected);
    }
    let payload = json!(["local", "templates", "none.jinja"]).to_string();
    assert_eq!(call("test.bundled", &payload, Vec::new()).unwrap().json, "null");
}
