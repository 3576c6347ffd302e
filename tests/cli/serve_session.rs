//! What one connection of `serve --stdio` keeps between its runs, and what it stays able to do: under
//! a flood of requests, and while a run's settings take long.

use std::io::BufRead;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::serve::Service;
use crate::serve::start;
use crate::support::TestContext;
use crate::support::model_server::ModelServer;
use crate::support::wait_until;

/// A run with approvals; how often it asked, and its result.
fn run(service: &mut Service, params: Value) -> (usize, Value) {
    service.send(&json!({"id": "run", "method": "run.start", "params": params}));
    let mut asked = 0;
    loop {
        let mut line = service.next();
        if line["method"] == "approval.request" {
            asked += 1;
            let answer = json!({"approval": line["params"]["approval"],
                                "verdict": "allow_for_session"});
            service.send(&json!({"id": 9, "method": "approval.respond", "params": answer}));
        }
        let event = line["params"]["event"].take();
        if event["type"] == "result" {
            return (asked, event);
        }
    }
}

#[test]
fn a_session_keeps_its_approvals_and_secrets_between_runs() {
    let context = TestContext::new();
    let mut service = Service::start(&context);
    context.write(".env", "API_KEY=abcdefgh1\n");
    let call = |name: &str, arguments: Value| json!({"tool_calls": [{"name": name, "arguments": arguments}]});
    let kill = call("kill_program", json!({"name": "no-such-program-here"}));
    let read = call("file_read", json!({"path": ".env"}));
    let mut params = start(&context, &json!([kill, read, {"text": "a"}]));
    params["approvals"] = json!(true);
    let (asked, first) = run(&mut service, params);
    assert_eq!((asked, &first["text"]), (1, &json!("a")), "{first}");

    // The placeholder of the first run still stands for its value.
    let write = call("file_write", json!({"path": "copy", "content": "[secret:value-1]"}));
    let mut params = start(&context, &json!([kill, write, {"text": "b"}]));
    params["approvals"] = json!(true);
    params["session"] = first["session_id"].clone();
    let (asked, second) = run(&mut service, params);
    assert_eq!((asked, &second["text"]), (0, &json!("b")), "{second}");
    assert_eq!(std::fs::read_to_string(context.work().join("copy")).unwrap(), "abcdefgh1");

    // Another sandbox is not what was allowed, and another session is nobody's friend.
    let mut params = start(&context, &json!([kill, {"text": "c"}]));
    params["approvals"] = json!(true);
    params["session"] = first["session_id"].clone();
    params["options"]["config"]["sandbox.level"] = json!("danger-full-access");
    params["options"]["config"]["approve"] = json!("ask");
    assert_eq!(run(&mut service, params).0, 1);
    let mut params = start(&context, &json!([kill, {"text": "d"}]));
    params["approvals"] = json!(true);
    assert_eq!(run(&mut service, params).0, 1);
    assert_eq!(service.end(), Some(0));
}

#[test]
fn a_secret_that_takes_long_keeps_nobody_waiting() {
    let context = TestContext::new();
    let server = ModelServer::start();
    let mut service = Service::start(&context);
    let slow = json!([{"text": "late", "delay_ms": 50_000}]);
    service.ask("run.start", start(&context, &slow));
    let command =
        json!({"command": ["sh", "-c", "until [ -e go ]; do sleep 0.02; done; echo canary-key-1"]});
    let config = json!({"model.provider": "openai", "model.name": "m",
                        "model.base_url": server.url("ok"), "model.api_key": command});
    let params = json!({"task": "go", "options": {"config": config}});
    service.send(&json!({"id": "slow", "method": "run.start", "params": params}));
    service.send(&json!({"id": "hello", "method": "hello"}));
    service.send(&json!({"id": "cancel", "method": "run.cancel", "params": {"run": "run_0"}}));
    let (mut hello, mut cancelled) = (false, false);
    while !(hello && cancelled) {
        let line = service.next();
        assert_ne!(line["id"], "slow", "the others waited for it: {line}");
        hello |= line["id"] == "hello" && line["result"].is_object();
        cancelled |= line["params"]["event"]["exit_code"] == 130;
    }
    context.write("go", "");
    assert_eq!(service.result_of("run_1")["exit_code"], 0);
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer canary-key-1"));
    assert_eq!(service.end(), Some(0));
}

#[test]
fn a_secret_that_takes_long_does_not_keep_the_service_from_ending() {
    let context = TestContext::new();
    let mut service = Service::start(&context);
    let command = json!({"command": ["sh", "-c", "touch begun; exec sleep 25"]});
    let config = json!({"model.provider": "openai", "model.name": "m", "model.api_key": command});
    let params = json!({"task": "go", "options": {"config": config}});
    service.send(&json!({"id": "slow", "method": "run.start", "params": params}));
    let begun = context.work().join("begun");
    wait_until(Duration::from_secs(20), "the command", || begun.exists());
    let start = Instant::now();
    service.send(&json!({"id": "bye", "method": "shutdown"}));
    let answer = service.next();
    assert_eq!((&answer["id"], &answer["error"]["kind"]), (&json!("slow"), &json!("ending")));
    assert_eq!(service.next()["id"], "bye");
    assert_eq!(service.end(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// Bytes that a process has in memory.
#[cfg(target_os = "linux")]
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// A client that asks faster than it reads: the service waits with it, and holds a bounded number of
/// lines.
#[cfg(target_os = "linux")]
#[test]
fn a_flood_of_requests_is_answered_whole_and_held_in_little_memory() {
    const REQUESTS: u64 = 100_000;
    let context = TestContext::new();
    let mut service = Service::start(&context);
    let slow = json!([{"text": "late", "delay_ms": 500_000}]);
    service.ask("run.start", start(&context, &slow));
    let before = resident(service.id());
    let mut to = service.to.take().unwrap();
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let flood = std::thread::spawn(move || {
        for id in 0..REQUESTS {
            writeln!(to, "{{\"id\":{id},\"method\":\"hello\"}}").unwrap();
            counter.store(id + 1, Ordering::Relaxed);
        }
        writeln!(
            to,
            "{}",
            json!({"id": "stop", "method": "run.cancel", "params": {"run": "run_0"}})
        )
        .unwrap();
        to
    });
    // Nothing is read until the service has stopped reading as well, or has read it all.
    let (mut before_that, mut since) = (0, Instant::now());
    wait_until(Duration::from_mins(1), "the flood", || {
        let now = sent.load(Ordering::Relaxed);
        if now != before_that {
            (before_that, since) = (now, Instant::now());
        }
        now > 0 && since.elapsed() > Duration::from_millis(500)
    });
    let held = resident(service.id()) - before;
    assert!(held < 16 << 20, "{held} bytes are held for a client that does not read");
    let (mut answered, mut cancelled, mut most) = (0, false, 0);
    let mut line = String::new();
    while answered < REQUESTS || !cancelled {
        line.clear();
        assert_ne!(service.from.read_line(&mut line).unwrap(), 0, "the service has ended");
        if line.starts_with(&format!("{{\"id\":{answered},")) {
            answered += 1;
            // A slow reader, now and then.
            if answered % 10_000 == 0 {
                most = most.max(resident(service.id()) - before);
                std::thread::sleep(Duration::from_millis(50));
            }
        } else if line.contains("\"type\":\"result\"") {
            cancelled = line.contains("\"exit_code\":130");
            assert!(cancelled, "{line}");
        }
    }
    assert!(most < 16 << 20, "{most} bytes were held for a slow client");
    drop(flood.join().unwrap());
    assert_eq!(service.end(), Some(0));
}
