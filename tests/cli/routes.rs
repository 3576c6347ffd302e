//! Routes of models through the real binary: who is asked in which order, what makes the next one
//! take over, what never does, and that every event and the result say who answered.

use serde_json::Value;
use serde_json::json;

use crate::support::Finished;
use crate::support::TestContext;
use crate::support::model_server::ModelServer;

/// A model on a loopback server.
fn on(server: &ModelServer, scenario: &str, name: &str) -> Value {
    json!({"provider": "openai", "name": name, "base_url": server.url(scenario)})
}

/// A configuration with the route `work` and little patience.
fn with_route(rungs: &[Value]) -> TestContext {
    let context = TestContext::new();
    let config = json!({"model": {"routes": {"work": rungs}}, "network": {"max_retries": 1}});
    context.configure(&config.to_string());
    context
}

fn run(context: &TestContext, more: &[&str], task: &str) -> Finished {
    context.run([&["run", "--no-memory", "--model", "route/work"], more, &[task]].concat())
}

/// The events of a run.
fn events(context: &TestContext, task: &str) -> Vec<Value> {
    let finished = run(context, &["--output-format", "jsonl"], task);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An address where nobody listens.
fn nowhere() -> Value {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    json!({"provider": "openai", "name": "dead", "base_url": format!("http://127.0.0.1:{port}/v1")})
}

#[test]
fn the_first_answers_and_the_second_is_left_alone() {
    let (first, second) = (ModelServer::start(), ModelServer::start());
    let context = with_route(&[on(&first, "ok", "a"), on(&second, "ok", "b")]);
    let finished = run(&context, &[], "hi");
    assert_eq!(finished.stdout, "The answer is 42.\n", "{}", finished.stderr);
    assert_eq!((first.requests().len(), second.requests().len()), (1, 0));
    assert_eq!(finished.stderr, "");
}

#[test]
fn a_failing_server_is_left_and_rests_for_the_run() {
    let (first, second) = (ModelServer::start(), ModelServer::start());
    let context = with_route(&[on(&first, "500", "a"), on(&second, "ok", "b")]);
    let task = r#"CALL calculator {"expression": "1+1"}"#;
    let events = events(&context, task);
    // Two tries of the first turn; in the second turn it rests.
    assert_eq!((first.requests().len(), second.requests().len()), (2, 2));
    let rungs: Vec<_> = events.iter().filter(|event| event["type"] == "model.rung").collect();
    assert_eq!(rungs.len(), 2, "{rungs:?}");
    assert_eq!((&rungs[0]["rung"], &rungs[0]["model"]), (&json!(1), &json!("openai/a")));
    assert_eq!((&rungs[1]["rung"], &rungs[1]["model"]), (&json!(2), &json!("openai/b")));
    assert!(rungs[1]["reason"].as_str().unwrap().contains("HTTP 500"), "{rungs:?}");
    let changed = events.iter().position(|event| event == rungs[1]).unwrap();
    assert!(events[changed..].iter().all(|event| event["rung"] == 2), "{events:#?}");
    let result = &events.last().unwrap();
    assert_eq!((&result["model"], &result["rung"]), (&json!("openai/b"), &json!(2)));
    assert_eq!(result["rung_taken"]["route"], "work");
}

#[test]
fn a_dead_server_and_a_cut_answer_are_left_too() {
    let (cut, whole) = (ModelServer::start(), ModelServer::start());
    let context = with_route(&[nowhere(), on(&cut, "cut", "cut"), on(&whole, "ok", "whole")]);
    let finished = run(&context, &[], "hi");
    assert_eq!(finished.stdout, "The answer is 42.\n", "{}", finished.stderr);
    assert!(finished.stderr.contains("note: rung 3, `openai/whole`, answers now"));
    assert!(finished.stderr.contains("connection refused"), "{}", finished.stderr);
}

#[test]
fn a_refused_key_is_never_passed_over_in_silence() {
    for status in ["401", "403"] {
        let (first, second) = (ModelServer::start(), ModelServer::start());
        let context = with_route(&[on(&first, status, "a"), on(&second, "ok", "b")]);
        let finished = run(&context, &[], "hi");
        assert_eq!((finished.code, second.requests().len()), (41, 0), "{}", finished.stderr);
        assert!(finished.stderr.contains("route `work`: openai/a: "), "{}", finished.stderr);
        // Only where the person listed it.
        let mut rung = on(&first, status, "a");
        rung["fall_over_on"] = json!(["authentication"]);
        let finished = run(&with_route(&[rung, on(&second, "ok", "b")]), &[], "hi");
        assert_eq!((finished.code, second.requests().len()), (0, 1), "{}", finished.stderr);
        assert!(finished.stderr.contains(&format!("HTTP {status}")), "{}", finished.stderr);
    }
}

#[test]
fn a_wrong_request_is_not_tried_on_the_next_one() {
    let (first, second) = (ModelServer::start(), ModelServer::start());
    let finished = run(&with_route(&[on(&first, "400", "a"), on(&second, "ok", "b")]), &[], "hi");
    assert_eq!((finished.code, second.requests().len()), (46, 0), "{}", finished.stderr);
}

#[test]
fn builtin_is_a_fallback_only_where_it_is_listed() {
    let finished = run(&with_route(&[nowhere()]), &[], "2+2");
    assert_eq!((finished.code, finished.stdout.as_str()), (45, ""), "{}", finished.stderr);
    let context = with_route(&[nowhere(), json!({"provider": "builtin"})]);
    let finished = run(&context, &[], "2+2");
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "4\n"), "{}", finished.stderr);
    assert!(finished.stderr.contains("`builtin/builtin`, answers now"), "{}", finished.stderr);
    let finished = run(&context, &["--require-model"], "2+2");
    assert_eq!((finished.code, finished.stdout.as_str()), (45, ""), "{}", finished.stderr);
    let alone = with_route(&[json!({"provider": "builtin"})]);
    assert_eq!(run(&alone, &["--require-model"], "2+2").code, 41);
}

#[test]
fn when_all_fail_each_is_named() {
    let server = ModelServer::start();
    let finished = run(&with_route(&[nowhere(), on(&server, "500", "b")]), &[], "hi");
    assert_eq!(finished.code, 45, "{}", finished.stderr);
    assert!(finished.stderr.contains("openai/dead: cannot reach"), "{}", finished.stderr);
    assert!(finished.stderr.contains("; openai/b: "), "{}", finished.stderr);
}

#[test]
fn a_key_goes_to_its_own_server_only() {
    let (own, other) = (ModelServer::start(), ModelServer::start());
    let mut named = on(&other, "500", "named");
    named["api_key"] = json!({"env": "LAN_KEY"});
    let mut context = with_route(&[
        json!({"provider": "openai", "name": "own"}),
        named,
        on(&other, "ok", "keyless"),
    ]);
    context.env("OPENAI_BASE_URL", own.url("500"));
    context.env("OPENAI_API_KEY", "sk-for-openai").env("LAN_KEY", "sk-for-lan");
    let finished = run(&context, &[], "hi");
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let key = |server: &ModelServer, at: usize| {
        server.requests()[at].header("authorization").map(str::to_owned)
    };
    assert_eq!(key(&own, 0).as_deref(), Some("Bearer sk-for-openai"));
    assert_eq!(key(&other, 0).as_deref(), Some("Bearer sk-for-lan"));
    assert_eq!(key(&other, 2), None);
}

/// A repository must not decide where a conversation goes.
#[test]
fn a_projects_route_is_ignored_until_it_is_trusted() {
    let (own, foreign) = (ModelServer::start(), ModelServer::start());
    let context = with_route(&[on(&own, "ok", "own")]);
    let project = json!({"model": {"routes": {"work": [on(&foreign, "ok", "foreign")]}}});
    context.write(".agi-agent/config.json", project.to_string());
    let finished = run(&context, &[], "hi");
    assert!(finished.stderr.contains("`model.routes.work` is ignored"), "{}", finished.stderr);
    assert_eq!((own.requests().len(), foreign.requests().len()), (1, 0));
    assert_eq!(context.run(["trust"]).code, 0);
    assert_eq!(run(&context, &[], "hi").code, 0);
    assert_eq!((own.requests().len(), foreign.requests().len()), (1, 1));
}

#[test]
fn offline_leaves_the_models_of_this_machine() {
    let local = ModelServer::start();
    let far = json!({"provider": "openai", "name": "far", "base_url": "http://far.example/v1"});
    let context = with_route(&[far, on(&local, "ok", "local")]);
    let finished = run(&context, &["--offline"], "hi");
    assert_eq!(finished.stdout, "The answer is 42.\n", "{}", finished.stderr);
    assert!(finished.stderr.contains("`far.example` is not on this machine"));
}

#[test]
fn a_model_of_this_machine_is_looked_for_where_it_would_be_alone() {
    let context = with_route(&[json!({"provider": "local", "name": "none"})]);
    let alone = context.run(["run", "--model", "local/none", "hi"]);
    let told = |stderr: &str| -> Vec<String> {
        let lines =
            stderr.lines().filter(|line| line.contains("local model") || line.contains("hint"));
        lines.map(|line| line.split_once(": ").unwrap_or(("", line)).1.to_owned()).collect()
    };
    assert!(!told(&alone.stderr).is_empty(), "{}", alone.stderr);
    let finished = run(&context, &[], "hi");
    assert_eq!(finished.code, alone.code, "{}", finished.stderr);
    assert_eq!(told(&finished.stderr), told(&alone.stderr));
}

#[test]
fn what_it_cost_is_what_the_models_that_answered_cost() {
    let (first, second) = (ModelServer::start(), ModelServer::start());
    let mut dear = on(&first, "500", "a");
    dear["price"] = json!({"input": 1_000_000, "output": 1_000_000});
    let mut cheap = on(&second, "ok", "b");
    let unpriced = with_route(&[dear.clone(), cheap.clone()]);
    let refused = run(&unpriced, &["--max-cost", "1"], "hi");
    assert_eq!(refused.code, 52, "{}", refused.stderr);
    cheap["price"] = json!({"input": 1, "output": 1});
    let finished =
        run(&with_route(&[dear, cheap]), &["--max-cost", "1", "--output-format", "json"], "hi");
    let outcome: Value = serde_json::from_str(&finished.stdout).unwrap();
    let cost = outcome["cost"].as_f64().unwrap();
    assert!(cost > 0.0 && cost < 0.01, "{outcome:#}");
}

#[test]
fn a_route_that_cannot_be_is_an_error_of_the_configuration() {
    let server = ModelServer::start();
    let context = with_route(&[on(&server, "ok", "a")]);
    let asked = |context: &TestContext, model: &str| {
        let finished = context.run(["run", "--model", model, "hi"]);
        assert_eq!(finished.code, 52, "{}", finished.stderr);
        finished.stderr
    };
    assert!(asked(&context, "route/wrok").contains("did you mean `route/work`?"));
    assert!(asked(&TestContext::new(), "route/x").contains("`model.routes.NAME`"));
    assert!(asked(&with_route(&[]), "route/work").contains("has no models"));
    let nested = with_route(&[json!({"provider": "route", "name": "work"})]);
    assert!(asked(&nested, "route/work").contains("a provider of its own"));
    let list = context.run(["model", "list", "--model", "route/work"]);
    // A release has its own model in itself besides.
    let listed: Vec<&str> =
        list.stdout.lines().filter(|line| !line.starts_with("local/embedded:")).collect();
    assert_eq!(listed, [format!("openai/a  {}", server.url("ok"))]);
    // The only route needs no name.
    assert_eq!(context.run(["run", "--model", "route", "hi"]).code, 0);
}
