//! The child of the provider `transformers`, the real one, with something in the place of torch that
//! does what models do to a process (tests/fixtures/wheels). `transformers_torch` has the real torch.
//!
//! The static flavour loads no compiled wheels: there the refusal is tested, and nothing else.

#![cfg(unix)]

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::serve::Service;
use crate::support::Finished;
use crate::support::TestContext;
use crate::support::code;
use crate::support::lacking;

/// A context whose wheels are the stand-in; `None` where this binary cannot load wheels.
fn standing_in() -> Option<TestContext> {
    let context = TestContext::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wheels");
    for package in ["torch", "transformers"] {
        let to = context.work().join("wheels").join(package);
        std::fs::create_dir_all(&to).unwrap();
        std::fs::copy(from.join(package).join("__init__.py"), to.join("__init__.py")).unwrap();
    }
    // The trust of a project is not the matter here: the person's own configuration.
    let wheels = context.work().join("wheels");
    context.configure(&json!({"python": {"wheels": wheels}}).to_string());
    let asked = ask(&context, "hello", &[]);
    if asked.stderr.contains("statically linked program") {
        assert_eq!(asked.code, 52, "{}", asked.stderr);
        assert!(asked.stderr.contains("use `agi-agent-gnu`"), "{}", asked.stderr);
        return None;
    }
    Some(context)
}

/// The directory of a model that does this.
fn model(context: &TestContext, act: &str) -> PathBuf {
    let directory = context.work().join("models").join(act);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("config.json"), json!({"act": act}).to_string()).unwrap();
    directory
}

fn arguments(context: &TestContext, act: &str) -> Vec<String> {
    let model = format!("transformers/{}", model(context, act).display());
    ["run", "go", "--ephemeral", "--model", &model].map(str::to_owned).to_vec()
}

fn ask(context: &TestContext, act: &str, more: &[&str]) -> Finished {
    let mut all = arguments(context, act);
    all.extend(more.iter().map(|&argument| argument.to_owned()));
    context.run(all)
}

/// Processes that have the wheels of this context on their command line, the agent left out.
#[cfg(target_os = "linux")]
fn children(context: &TestContext) -> Vec<u32> {
    let wheels = context.work().join("wheels");
    let wheels = wheels.to_str().unwrap().to_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&wheels)
    })
    .collect()
}

/// Waits until no child is left.
#[cfg(target_os = "linux")]
fn assert_no_children(context: &TestContext) {
    let start = Instant::now();
    while !children(context).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", children(context));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Starts a run and waits for the first text.
fn writing(context: &TestContext, act: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut all = arguments(context, act);
    all.extend(["--output-format", "jsonl"].map(str::to_owned));
    let mut run = context.command(all).spawn().unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("item.updated") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "no text");
    }
    (run, lines)
}

fn signal(name: &str, run: &Child) {
    let sent = std::process::Command::new("kill").args([name, &run.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn an_answer_comes_through_the_pipe() {
    let Some(context) = standing_in() else { return };
    let asked = ask(&context, "hello", &[]);
    let text = "hello für dich from the stand-in";
    assert_eq!((asked.code, asked.stdout.trim()), (0, text), "{}", asked.stderr);
    let asked = ask(&context, "flood", &["-c", "model.context_window=1000000"]);
    assert_eq!((asked.code, asked.stdout.trim().len()), (0, 65_536), "{}", asked.stderr);
    let asked = ask(&context, "hello", &["-c", "model.max_output_tokens=8"]);
    assert_eq!(asked.code, 46, "{}", asked.stderr);
    assert!(asked.stderr.contains("output limit"), "{}", asked.stderr);
    let asked = ask(&context, "hello", &["-c", "model.context_window=100"]);
    assert!(asked.stderr.contains("window 100"), "{}", asked.stderr);
}

#[test]
fn how_a_child_ended_is_told() {
    let Some(context) = standing_in() else { return };
    for (act, told) in [
        ("killed", "was killed (signal 9)"),
        ("leaves", "ended with status 7: "),
        ("leaves", "the device is on fire"),
        ("starves", "transformers ran out of memory: RuntimeError: DefaultCPUAllocator"),
    ] {
        let asked = ask(&context, act, &[]);
        assert_eq!(asked.code, 46, "{act}: {}", asked.stderr);
        assert!(asked.stderr.contains(told), "{act}: {}", asked.stderr);
    }
}

#[test]
fn what_cannot_be_loaded_is_refused() {
    let Some(context) = standing_in() else { return };
    let odd = model(&context, "hello");
    let map = json!({"act": "hello", "auto_map": {"AutoModel": "code.Model"}});
    std::fs::write(odd.join("config.json"), map.to_string()).unwrap();
    let arguments = ["run", "go", "--ephemeral", "--model"];
    let name = format!("transformers/{}", odd.display());
    let refused = context.run(arguments.into_iter().chain([name.as_str()]));
    assert_eq!(refused.code, 52, "{}", refused.stderr);
    assert!(refused.stderr.contains("run code of its own repository"), "{}", refused.stderr);
    let trusted = json!([odd]).to_string();
    let allow = format!("model.transformers.trust_remote_code={trusted}");
    let allowed = context.run(arguments.into_iter().chain([&name, "-c", &allow]));
    assert_eq!(allowed.code, 0, "{}", allowed.stderr);
    let nowhere = context.run(arguments.into_iter().chain(["transformers/./nowhere"]));
    assert_eq!(nowhere.code, 52, "{}", nowhere.stderr);
    assert!(nowhere.stderr.contains("there is no directory `./nowhere`"), "{}", nowhere.stderr);
    std::fs::write(context.work().join("wheels/torch/_C.cpython-39-other.so"), "").unwrap();
    let wrong = ask(&context, "who", &[]);
    assert_eq!(wrong.code, 52, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("the wheels of torch are for `cpython-39-"), "{}", wrong.stderr);
    std::fs::remove_dir_all(context.work().join("wheels/torch")).unwrap();
    let none = ask(&context, "who", &[]);
    assert_eq!(none.code, 52, "{}", none.stderr);
    assert!(none.stderr.contains("no wheels of torch and transformers in"), "{}", none.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_has_no_network_and_no_secrets() {
    let Some(mut context) = standing_in() else { return };
    let asked = ask(&context, "connects", &[]);
    let refused = "PermissionError PermissionError PermissionError";
    assert_eq!((asked.code, asked.stdout.trim()), (0, refused), "{}", asked.stderr);
    context.env("MY_API_KEY", "sesame").env("PROXY", "https://ada:hunter2@example.org");
    context.env("OMP_NUM_THREADS", "1");
    let asked = ask(&context, "environment", &[]);
    let names: Vec<&str> = asked.stdout.split_whitespace().collect();
    assert!(names.contains(&"OMP_NUM_THREADS") && names.contains(&"HF_HUB_OFFLINE"), "{names:?}");
    assert!(!names.contains(&"MY_API_KEY") && !names.contains(&"PROXY"), "{names:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_answer_ends_soon_and_leaves_no_child() {
    let Some(context) = standing_in() else { return };
    for act in ["slow", "deaf"] {
        let (mut run, mut lines) = writing(&context, act);
        let sent = Instant::now();
        signal("-INT", &run);
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        assert_eq!(code(run.wait().unwrap()), 130, "{act}: {rest}");
        assert!(sent.elapsed() < Duration::from_secs(4), "{act}: {:?}", sent.elapsed());
        assert_no_children(&context);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_agent_leaves_no_child() {
    let Some(context) = standing_in() else { return };
    for act in ["slow", "deaf"] {
        let (mut run, _lines) = writing(&context, act);
        assert!(!children(&context).is_empty(), "{act}");
        signal("-KILL", &run);
        run.wait().unwrap();
        assert_no_children(&context);
    }
}

/// The model stays loaded from run to run, unless it does not come back.
#[test]
fn a_service_keeps_its_child() {
    let Some(context) = standing_in() else { return };
    let mut service = Service::start(&context);
    let mut count = 0;
    let mut begin = |service: &mut Service, act: &str| {
        let model = model(&context, act);
        let config = json!({"model.provider": "transformers", "model.name": model});
        let params = json!({"task": "go", "options": {"config": config}});
        let started = service.ask("run.start", params);
        count += 1;
        assert_eq!(started["result"]["run"], format!("run_{}", count - 1), "{started}");
        format!("run_{}", count - 1)
    };
    let who = |service: &mut Service, run: &str| -> Value {
        let result = service.result_of(run);
        assert_eq!(result["exit_code"], 0, "{result}");
        result["text"].clone()
    };
    let run = begin(&mut service, "who");
    let first = who(&mut service, &run);
    for (act, stays) in [("hello", true), ("slow", true), ("deaf", false)] {
        let run = begin(&mut service, act);
        if act != "hello" {
            service.await_text(&run);
            service.send(&json!({"id": 7, "method": "run.cancel", "params": {"run": run}}));
        }
        let result = service.result_of(&run);
        assert_eq!(result["exit_code"], if act == "hello" { 0 } else { 130 }, "{result}");
        let run = begin(&mut service, "who");
        assert_eq!(who(&mut service, &run) == first, stays, "{act}");
    }
    assert_eq!(service.end(), Some(0));
    #[cfg(target_os = "linux")]
    assert_no_children(&context);
}

/// With real wheels (`AGI_TEST_WHEELS`, a directory; `AGI_TEST_BINARY` has to be able to load them),
/// and models that they write themselves; `None` where there are none.
fn with_torch(test: &str) -> Option<TestContext> {
    let Some(wheels) = std::env::var_os("AGI_TEST_WHEELS").map(PathBuf::from) else {
        lacking("wheels", test);
        return None;
    };
    let context = TestContext::new();
    context.configure(&json!({"python": {"wheels": wheels}}).to_string());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/local/hub_models.py");
    let path = ["python".as_ref(), "--path".as_ref(), wheels.as_os_str(), "-E".as_ref()];
    let made = context.run(path.into_iter().chain([script.as_os_str(), ".".as_ref()]));
    assert_eq!(made.code, 0, "{}", made.stderr);
    Some(context)
}

#[test]
fn the_real_torch_answers() {
    let Some(context) = with_torch("the_real_torch_answers") else { return };
    let bench = ["model", "bench", "--repeat", "1", "--prompt-tokens", "64", "--json"];
    let more = ["--model", "transformers/./tiny", "-c", "model.context_window=16384"];
    let measured = context.run(bench.into_iter().chain(more));
    assert_eq!(measured.code, 0, "{}", measured.stderr);
    let report: Value = serde_json::from_str(&measured.stdout).unwrap();
    assert!(report["output_tokens_per_second"].as_f64().unwrap() > 0.0, "{report}");
}

/// Whether a small model answers: random weights may go on to any limit.
fn answers(asked: &Finished) -> bool {
    asked.code == 0 || asked.code == 46 && asked.stderr.contains("output limit")
}

/// A pickle is a program, and so is what a repository brings: neither runs unless it is named.
#[test]
fn the_real_torch_runs_no_code_of_a_model() {
    let Some(context) = with_torch("the_real_torch_runs_no_code_of_a_model") else { return };
    let ran = context.work().join("own/ran");
    for (name, told) in [
        ("./pickled", "has no weights as safetensors"),
        ("./own", "wants to run code of its own repository"),
    ] {
        let model = format!("transformers/{name}");
        let fixed = ["run", "go", "--ephemeral", "--model", &model];
        let fixed = fixed.into_iter().chain(["-c", "model.max_output_tokens=8"]);
        let fixed: Vec<&str> = fixed.chain(["-c", "model.context_window=16384"]).collect();
        let refused = context.run(&fixed);
        assert_eq!(refused.code, 52, "{name}: {}", refused.stderr);
        assert!(refused.stderr.contains(told), "{name}: {}", refused.stderr);
        assert!(refused.stderr.contains("model.transformers.trust_remote_code"), "{name}");
        assert!(!ran.exists(), "code of a model ran unasked");
        let allow = format!("model.transformers.trust_remote_code=[\"{name}\"]");
        let allowed = context.run(fixed.iter().copied().chain(["-c", &allow]));
        assert!(answers(&allowed), "{name}: {} {}", allowed.code, allowed.stderr);
    }
    assert_eq!(
        std::fs::read_to_string(ran).unwrap(),
        "it ran",
        "code that was allowed did not run"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_real_torch_can_be_killed() {
    let Some(context) = with_torch("the_real_torch_can_be_killed") else { return };
    let fixed = ["run", "go", "--ephemeral", "--model", "transformers/./tiny"];
    let more = ["-c", "model.context_window=16384", "-c", "model.max_output_tokens=10000"];
    let events = ["--output-format", "jsonl", "-c", "model.temperature=0"];
    let all = fixed.into_iter().chain(more).chain(events);
    let mut run = context.command(all).spawn().unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("item.updated") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "no text");
    }
    let child = offspring(run.id());
    let sent = std::process::Command::new("kill").args(["-KILL", &child.to_string()]).status();
    assert!(sent.unwrap().success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(code(run.wait().unwrap()), 46, "{rest}");
    assert!(rest.contains("was killed (signal 9)"), "{rest}");
}

/// The child of an agent that has torch in its memory.
#[cfg(target_os = "linux")]
fn offspring(agent: u32) -> u32 {
    let parent = format!("PPid:\t{agent}");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found = ids.find(|id: &u32| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}"));
        read("status").is_ok_and(|status| status.lines().any(|line| line == parent))
            && read("maps").is_ok_and(|maps| maps.contains("libtorch"))
    });
    found.expect("no child with torch in it")
}
