//! Each way a model server can fail, through the real binary and in all three dialects: the right
//! exit code, one line that says it, a bounded number of requests, a bounded time, and never 0
//! without an answer. docs/model-errors.md is this table in words.

use std::time::Duration;

use crate::support::Finished;
use crate::support::TestContext;
use crate::support::model_server::ModelServer;
use crate::support::model_server::TEXT;

/// Name, environment and further arguments of each dialect.
const DIALECTS: [(&str, &str, &[&str]); 3] = [
    ("openai/mock-model", "OPENAI", &[]),
    ("openai/mock-model", "OPENAI", &["-c", "model.api=responses"]),
    ("anthropic/mock-model", "ANTHROPIC", &[]),
];

/// Short deadlines; otherwise as delivered.
const CONFIG: &str = r#"{"network": {"idle_timeout": "1s", "max_retries": 2}}"#;

fn context(provider: &str, base_url: &str) -> TestContext {
    let mut context = TestContext::new();
    context.configure(CONFIG);
    context.env(&format!("{provider}_BASE_URL"), base_url);
    context.env(&format!("{provider}_API_KEY"), "sk-very-secret");
    context
}

fn run(dialect: (&str, &str, &[&str]), base_url: &str) -> Finished {
    let (model, provider, more) = dialect;
    let arguments =
        [&["run", "--no-memory", "--model", model][..], more, &["What is it?"]].concat();
    context(provider, base_url).run(arguments)
}

/// The one line that says it.
fn said(finished: &Finished) -> &str {
    let lines: Vec<_> =
        finished.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    let [line] = lines[..] else { panic!("not one line that says it:\n{}", finished.stderr) };
    line
}

/// Scenario, exit code, requests, words of the line.
const MATRIX: [(&str, i32, usize, &str); 16] = [
    ("401", 41, 1, "HTTP 401: mock says 401"),
    ("403", 41, 1, "HTTP 403: mock says 403"),
    ("404", 46, 1, "HTTP 404: mock says 404"),
    ("400", 46, 1, "HTTP 400: mock says 400"),
    ("redirect", 46, 1, "HTTP 302"),
    ("429", 46, 3, "HTTP 429: mock says 429 (tried 3 times)"),
    ("500", 46, 3, "HTTP 500: mock says 500 (tried 3 times)"),
    ("close", 45, 3, "cannot reach `127.0.0.1:"),
    ("badjson", 46, 2, "broken JSON"),
    ("html", 46, 2, "the answer is an HTML page"),
    ("empty", 46, 2, "the answer is empty"),
    ("endless", 46, 1, "the answer is larger than 32 MiB and was given up"),
    ("endlessline", 46, 2, "an event of the stream is larger than 16777216 bytes"),
    ("cut", 46, 3, "broke off"),
    ("stall", 46, 2, "sent nothing for 1 s"),
    ("hang", 46, 2, "sent nothing for 1 s"),
];

fn check(dialect: (&str, &str, &[&str])) {
    for (scenario, code, requests, words) in MATRIX {
        let server = ModelServer::start();
        let finished = run(dialect, &server.url(scenario));
        let place = format!("{scenario} {dialect:?}:\n{}", finished.stderr);
        assert_eq!(finished.code, code, "{place}");
        assert_eq!(finished.stdout, "", "{place}");
        assert!(said(&finished).contains(words), "{place}");
        assert_eq!(server.requests().len(), requests, "{place}");
        // 32 MiB take their time where this program is not optimised.
        let bound = if scenario == "endless" { 60 } else { 20 };
        assert!(finished.duration < Duration::from_secs(bound), "{place}");
        assert!(!finished.stderr.contains("secret"), "{place}");
    }
}

#[test]
fn failures_of_chat_completions() {
    check(DIALECTS[0]);
}

#[test]
fn failures_of_responses() {
    check(DIALECTS[1]);
}

#[test]
fn failures_of_anthropic() {
    check(DIALECTS[2]);
}

#[test]
fn what_heals_is_an_answer() {
    for dialect in DIALECTS {
        for scenario in ["ok", "slow", "whole", "429once", "500once", "cutonce", "htmlonce"] {
            let server = ModelServer::start();
            let finished = run(dialect, &server.url(scenario));
            assert_eq!(finished.code, 0, "{scenario} {dialect:?}:\n{}", finished.stderr);
            assert_eq!(finished.stdout, format!("{}\n", TEXT.concat()), "{scenario} {dialect:?}");
        }
    }
}

#[test]
fn nobody_listens() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for dialect in DIALECTS {
        let finished = run(dialect, &format!("http://127.0.0.1:{port}/v1"));
        assert_eq!(finished.code, 45, "{}", finished.stderr);
        assert!(said(&finished).contains("connection refused"), "{}", finished.stderr);
        assert!(finished.duration < Duration::from_secs(10));
    }
}

#[test]
fn no_key_is_told_before_anything_is_sent() {
    for (model, name) in [("openai/m", "OPENAI_API_KEY"), ("anthropic/m", "ANTHROPIC_API_KEY")] {
        // Offline as well: were the key not missed first, this would be 45.
        let finished = TestContext::new().run(["run", "--offline", "--model", model, "hi"]);
        assert_eq!(finished.code, 41, "{}", finished.stderr);
        assert!(finished.stderr.contains(name), "{}", finished.stderr);
        said(&finished);
    }
}

#[test]
fn a_compatible_server_needs_no_key() {
    let server = ModelServer::start();
    let mut context = TestContext::new();
    context.env("OPENAI_BASE_URL", server.url("ok"));
    let finished = context.run(["run", "--model", "openai/m", "hi"]);
    assert_eq!((finished.code, finished.stdout.trim_end()), (0, "The answer is 42."));
    assert_eq!(server.requests()[0].header("authorization"), None);
}

#[test]
fn offline_forbids_other_machines() {
    let mut context = TestContext::new();
    context.env("OPENAI_BASE_URL", "http://model.example/v1");
    let finished = context.run(["run", "--offline", "--model", "openai/m", "hi"]);
    assert_eq!(finished.code, 45, "{}", finished.stderr);
    assert!(said(&finished).contains("model.example"), "{}", finished.stderr);
}

#[test]
fn an_interrupt_in_the_middle_of_an_answer() {
    let server = ModelServer::start();
    let context = context("OPENAI", &server.url("stall"));
    context.configure(r#"{"network": {"idle_timeout": "60s"}}"#);
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let before = server.requests().len();
        let child = context.command(["run", "--model", "openai/m", "hi"]).spawn().unwrap();
        while server.requests().len() == before {
            std::thread::sleep(Duration::from_millis(10));
        }
        let started = std::time::Instant::now();
        let pid = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success()
        );
        let output = child.wait_with_output().unwrap();
        assert_eq!(crate::support::code(output.status), code, "{signal}");
        assert!(started.elapsed() < Duration::from_secs(5), "{signal}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("42"), "{signal}");
    }
}

#[test]
fn a_recorded_run_replays_and_a_changed_one_does_not() {
    let server = ModelServer::start();
    let context = context("ANTHROPIC", &server.url("ok"));
    let run = |more: &[&str], task: &str| {
        let arguments =
            [&["run", "--ephemeral", "--model", "anthropic/m"][..], more, &[task]].concat();
        context.run(arguments)
    };
    let recorded = run(&["--record", "tape"], "hi");
    assert_eq!(recorded.code, 0, "{}", recorded.stderr);
    let tape = std::fs::read_to_string(context.work().join("tape/0001.json")).unwrap();
    assert!(!tape.contains("secret"));
    let replayed = run(&["--replay", "tape"], "hi");
    assert_eq!((replayed.code, replayed.stdout), (0, recorded.stdout));
    assert_eq!(server.requests().len(), 1);
    assert!(!replayed.stderr.contains("recording"), "{}", replayed.stderr);
    let tape = context.work().join("tape");
    std::fs::copy(tape.join("0001.json"), tape.join("0002.json")).unwrap();
    let longer = run(&["--replay", "tape"], "hi");
    assert_eq!(longer.code, 0);
    assert!(longer.stderr.contains("1 of the recording's 2 exchanges"), "{}", longer.stderr);
    let changed = run(&["--replay", "tape"], "bye");
    assert_eq!(changed.code, 49, "{}", changed.stderr);
    assert!(said(&changed).contains("/messages/"), "{}", changed.stderr);
}

#[test]
fn a_run_that_asks_no_server_says_that_it_recorded_nothing() {
    let context = TestContext::new();
    let task = ["run", "--model", "builtin", "what is 2 + 3", "--record", "tape"];
    let finished = context.run(task);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "5\n"));
    assert!(finished.stderr.contains("nothing was recorded in `tape`"), "{}", finished.stderr);
}

#[test]
fn a_plain_turn_is_one_small_request() {
    for (model, provider, more) in DIALECTS {
        let server = ModelServer::start();
        let arguments = [&["run", "--model", model][..], more, &["What is the capital of France?"]];
        let finished = context(provider, &server.url("ok")).run(arguments.concat());
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        assert!(requests[0].body.len() <= 6 * 1024, "{} bytes", requests[0].body.len());
    }
}

#[test]
fn all_turns_of_a_run_share_a_connection() {
    let server = ModelServer::start();
    let context = context("OPENAI", &server.url("ok"));
    let task = r#"CALL*5 calculator {"expression": "6*7"}"#;
    let finished = context.run(["run", "--model", "openai/m", task]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let connections: Vec<_> = server.requests().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [0; 6]);
}

/// An answer that could not be written is not an answer.
#[test]
#[cfg(target_os = "linux")]
fn a_standard_output_that_takes_nothing() {
    let server = ModelServer::start();
    let context = context("OPENAI", &server.url("ok"));
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let full = std::fs::File::create("/dev/full").unwrap();
    for output in [std::process::Stdio::from(full), closed.into()] {
        let mut command = context.command(["run", "--model", "openai/m", "hi"]);
        let finished = command.stdout(output).output().unwrap();
        let stderr = String::from_utf8_lossy(&finished.stderr);
        assert_eq!(finished.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("cannot write the result"), "{stderr}");
    }
}
