//! Remote models end to end but for the agent: adapter, client, retries, against the loopback
//! server. Each way a server can fail has one stated outcome in all three dialects.

use std::time::Duration;
use std::time::Instant;

use agi_agent::bridge::Python;
use agi_agent::bridge::RemoteModel;
use agi_agent::config::settings::ModelApi;
use agi_agent::config::settings::ModelSettings;
use agi_agent::config::settings::NetworkSettings;
use agi_agent::config::settings::Secret;
use agi_agent::network::Client;
use agi_agent::protocol::ChatModel;
use agi_agent::protocol::Message;
use agi_agent::protocol::ModelDelta;
use agi_agent::protocol::ModelError;
use agi_agent::protocol::ModelErrorKind;
use agi_agent::protocol::ModelReply;
use agi_agent::protocol::ModelRequest;
use agi_agent::protocol::Role;
use agi_agent::protocol::StopReason;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::model_server::ModelServer;
use crate::model_server::TEXT;

/// Provider and API of each dialect.
const DIALECTS: [(&str, ModelApi); 3] =
    [("openai", ModelApi::Chat), ("openai", ModelApi::Responses), ("anthropic", ModelApi::Chat)];

pub(crate) fn network() -> NetworkSettings {
    NetworkSettings {
        offline: true,
        ca: None,
        ssl_cert_file: None,
        ssl_cert_dir: None,
        http_proxy: None,
        https_proxy: None,
        all_proxy: None,
        no_proxy: None,
        idle_timeout: Duration::from_millis(400),
        total_timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(2),
        max_retries: 2,
        record: None,
        replay: None,
        here: agi_agent::config::places::Here::default(),
    }
}

fn settings((provider, api): (&str, ModelApi), base_url: String) -> ModelSettings {
    ModelSettings {
        base_url: Some(base_url),
        api,
        api_key: Some(Secret::new("sk-very-secret")),
        ..ModelSettings::new(provider, "mock-model")
    }
}

fn model(dialect: (&str, ModelApi), url: String, network: &NetworkSettings) -> RemoteModel {
    let client = Client::new(network).unwrap();
    RemoteModel::new(Python::shared(), client, settings(dialect, url)).unwrap()
}

fn ask(text: &str) -> ModelRequest {
    let messages = vec![Message::text(Role::User, text)];
    ModelRequest { system: "be brief".to_owned(), messages, ..ModelRequest::default() }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The outcome of one call and all deltas that came.
fn respond(
    model: &RemoteModel,
    request: &ModelRequest,
) -> (Result<ModelReply, ModelError>, Vec<ModelDelta>) {
    block_on(async {
        let (sender, mut receiver) = mpsc::channel(1000);
        let outcome = model.respond(request, sender, CancellationToken::new()).await;
        let mut deltas = Vec::new();
        while let Some(delta) = receiver.recv().await {
            deltas.push(delta);
        }
        (outcome, deltas)
    })
}

fn said(deltas: &[ModelDelta]) -> String {
    let text = |delta: &ModelDelta| match delta {
        ModelDelta::Text { text } => text.clone(),
        _ => String::new(),
    };
    deltas.iter().map(text).collect()
}

#[test]
fn an_answer_in_each_dialect_streamed_and_whole() {
    for dialect in DIALECTS {
        for scenario in ["ok", "slow", "whole"] {
            let server = ModelServer::start();
            let model = model(dialect, server.url(scenario), &network());
            let (outcome, deltas) = respond(&model, &ask("hi"));
            let reply = outcome.unwrap();
            assert_eq!(reply.message.plain_text(), TEXT.concat(), "{dialect:?} {scenario}");
            assert_eq!(reply.stop, StopReason::EndTurn);
            assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (10, 9));
            assert_eq!(reply.model, "mock-model");
            if scenario != "whole" {
                assert_eq!(said(&deltas), TEXT.concat());
            }
            let [seen] = &server.requests()[..] else { panic!("not one request") };
            let bearer = dialect.0 == "openai";
            assert_eq!(seen.header("authorization"), bearer.then_some("Bearer sk-very-secret"));
            assert_eq!(seen.header("x-api-key"), (!bearer).then_some("sk-very-secret"));
            assert!(!seen.body.contains("secret"));
        }
    }
}

#[test]
fn a_tool_call_and_one_connection_for_all_turns() {
    for dialect in DIALECTS {
        let server = ModelServer::start();
        let model = model(dialect, server.url("ok"), &network());
        block_on(async {
            for _ in 0..4 {
                let (sender, _receiver) = mpsc::channel(1000);
                let request = ask("CALL shell {\"command\":\"ls\"}");
                let reply =
                    model.respond(&request, sender, CancellationToken::new()).await.unwrap();
                assert_eq!(reply.stop, StopReason::ToolCalls);
                let call = reply.message.tool_calls().next().unwrap();
                assert_eq!(
                    (call.name.as_str(), call.arguments.as_str()),
                    ("shell", r#"{"command":"ls"}"#)
                );
            }
        });
        let connections: Vec<_> = server.requests().iter().map(|seen| seen.connection).collect();
        assert_eq!(connections, [0, 0, 0, 0], "{dialect:?}");
    }
}

/// Scenario, kind, requests, words of the message.
const MATRIX: [(&str, ModelErrorKind, usize, &str); 15] = [
    ("401", ModelErrorKind::Authentication, 1, "HTTP 401: mock says 401"),
    ("403", ModelErrorKind::Authentication, 1, "HTTP 403: mock says 403"),
    ("404", ModelErrorKind::InvalidRequest, 1, "HTTP 404: mock says 404"),
    ("400", ModelErrorKind::InvalidRequest, 1, "HTTP 400: mock says 400"),
    ("toolong", ModelErrorKind::ContextTooLong, 1, "prompt is too long"),
    ("redirect", ModelErrorKind::InvalidRequest, 1, "HTTP 302"),
    ("429", ModelErrorKind::RateLimited, 3, "HTTP 429: mock says 429 (tried 3 times)"),
    ("500", ModelErrorKind::Server, 3, "HTTP 500: mock says 500 (tried 3 times)"),
    ("close", ModelErrorKind::Unreachable, 3, "cannot reach `127.0.0.1:"),
    ("badjson", ModelErrorKind::Malformed, 2, "broken JSON"),
    ("html", ModelErrorKind::Malformed, 2, "the answer is an HTML page (tried 2 times)"),
    ("empty", ModelErrorKind::Malformed, 2, "the answer is empty (tried 2 times)"),
    ("cut", ModelErrorKind::Malformed, 3, "broke off"),
    ("short", ModelErrorKind::Malformed, 3, "ended before it was complete"),
    ("stall", ModelErrorKind::Timeout, 2, "sent nothing for 400.0ms (tried 2 times)"),
];

#[test]
fn every_failure_has_one_outcome() {
    for (scenario, kind, requests, words) in MATRIX {
        for dialect in DIALECTS {
            let server = ModelServer::start();
            let model = model(dialect, server.url(scenario), &network());
            let started = Instant::now();
            let error = respond(&model, &ask("hi")).0.unwrap_err();
            let place = format!("{scenario} {dialect:?}: {error:?}");
            assert_eq!(error.kind, kind, "{place}");
            assert_eq!(server.requests().len(), requests, "{place}");
            assert!(error.message.contains(words) && !error.message.contains('\n'), "{place}");
            assert!(started.elapsed() < Duration::from_secs(8), "{place}");
        }
    }
}

#[test]
fn what_heals_is_an_answer() {
    for scenario in
        ["429once", "500once", "closeonce", "htmlonce", "cutonce", "stallonce", "badjsononce"]
    {
        for dialect in DIALECTS {
            let server = ModelServer::start();
            let model = model(dialect, server.url(scenario), &network());
            let (outcome, deltas) = respond(&model, &ask("hi"));
            assert_eq!(outcome.unwrap().message.plain_text(), TEXT.concat(), "{scenario}");
            let requests = server.requests();
            assert_eq!(requests.len(), 2, "{scenario}");
            let retries = deltas.iter().filter(|delta| matches!(delta, ModelDelta::Retry { .. }));
            assert_eq!(retries.count(), 1, "{scenario}");
            if scenario == "429once" {
                let waited = requests[1].at - requests[0].at;
                assert!((1.0..2.0).contains(&waited.as_secs_f64()), "{waited:?}");
            }
        }
    }
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let server = ModelServer::start();
    let model = model(DIALECTS[0], server.url("hang"), &network());
    let started = Instant::now();
    let error = respond(&model, &ask("hi")).0.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Timeout);
    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn the_total_deadline_ends_retries() {
    let server = ModelServer::start();
    let mut network = network();
    network.max_retries = 1000;
    network.total_timeout = Duration::from_millis(2500);
    let model = model(DIALECTS[0], server.url("429"), &network);
    let started = Instant::now();
    let error = respond(&model, &ask("hi")).0.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::RateLimited);
    assert_eq!(error.retry_after_s, Some(1.0));
    assert_eq!(error.hint.as_deref(), Some("the server asks to come back after 1 s"));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn nobody_listens() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let model = model(DIALECTS[0], format!("http://127.0.0.1:{port}/v1"), &network());
    let error = respond(&model, &ask("hi")).0.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Unreachable);
    let expected = format!("cannot reach `127.0.0.1:{port}`: connection refused (tried 3 times)");
    assert_eq!(error.message, expected);
    assert!(error.hint.is_some());
}

#[test]
fn offline_forbids_before_anything_is_asked() {
    let model = model(DIALECTS[0], "http://model.example/v1".to_owned(), &network());
    let error = respond(&model, &ask("hi")).0.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::NetworkForbidden);
    assert!(error.message.contains("model.example"), "{}", error.message);
}

#[test]
fn cancelling_ends_a_call_at_once() {
    let server = ModelServer::start();
    let mut network = network();
    network.idle_timeout = Duration::from_mins(1);
    let model = model(DIALECTS[0], server.url("stall"), &network);
    let started = Instant::now();
    let error = block_on(async {
        let cancel = CancellationToken::new();
        let (sender, mut receiver) = mpsc::channel(1000);
        let soon = cancel.clone();
        tokio::spawn(async move {
            // Once the first words are there the call is in the middle of its answer.
            receiver.recv().await;
            soon.cancel();
        });
        model.respond(&ask("hi"), sender, cancel).await.unwrap_err()
    });
    assert_eq!(error.kind, ModelErrorKind::Cancelled);
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_server_without_schemas_is_asked_in_words() {
    let server = ModelServer::start();
    let model = model(DIALECTS[0], server.url("noschema"), &network());
    let mut request = ask("hi");
    request.output_schema = Some(serde_json::json!({"type": "object"}));
    for expected in [2, 3] {
        respond(&model, &request).0.unwrap();
        // The second call knows already.
        assert_eq!(server.requests().len(), expected);
    }
    assert!(server.requests()[2].body.contains("meets this schema"));
}

#[test]
fn a_recording_replays_without_network_and_key() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("recording");
    let server = ModelServer::start();
    let mut recording = network();
    recording.record = Some(directory.clone());
    let first = model(DIALECTS[2], server.url("429once"), &recording);
    let (recorded, _) = respond(&first, &ask("hi"));
    let mut files: Vec<_> =
        std::fs::read_dir(&directory).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 2);
    for file in &files {
        assert!(!std::fs::read_to_string(file).unwrap().contains("secret"));
    }
    let mut replaying = network();
    replaying.replay = Some(directory.clone());
    let client = Client::new(&replaying).unwrap();
    let mut keyless = settings(DIALECTS[2], "http://127.0.0.1:1/429once/v1".to_owned());
    keyless.api_key = None;
    let player = RemoteModel::new(Python::shared(), client, keyless.clone()).unwrap();
    let started = Instant::now();
    assert_eq!(respond(&player, &ask("hi")).0, recorded);
    // The recorded wait is not waited for.
    assert!(started.elapsed() < Duration::from_millis(900));
    let client = Client::new(&replaying).unwrap();
    let player = RemoteModel::new(Python::shared(), client, keyless).unwrap();
    let error = respond(&player, &ask("bye")).0.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::ReplayDiverged);
    assert!(error.message.contains("/messages/0/content"), "{}", error.message);
    assert!(Client::new(&recording).is_err(), "a second run must not mix into a recording");
}

#[test]
fn models_are_listed_without_python() {
    let server = ModelServer::start();
    for dialect in DIALECTS {
        let settings = settings(dialect, server.url("ok"));
        let endpoint = agi_agent::bridge::models::remote::Endpoint::new(&settings).unwrap();
        let client = Client::new(&network()).unwrap();
        let names = block_on(endpoint.list_models(&client)).unwrap();
        assert_eq!(names, ["mock-model", "other"]);
    }
}
