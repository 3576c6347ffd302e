//! Models on this machine: found, listed, refused; and, in a build with the kernel, asked.
//!
//! The models are those of tests/python/local/models.py: small, of random weights, one per family.
//! A development build without the feature `local` has no kernel, and says what it could not try.

#![cfg(unix)]

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::serve::Service;
use crate::support::Finished;
use crate::support::TestContext;
use crate::support::lacking;

const FAMILIES: [&str; 5] = ["llama", "qwen2", "qwen3", "mistral", "gemma"];

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/local")
}

/// A context whose directory of models holds one of each family.
fn with_models() -> TestContext {
    let context = TestContext::new();
    let models = context.data().join("models");
    std::fs::create_dir_all(&models).unwrap();
    let script = scripts().join("models.py");
    let made = context.run(["python".as_ref(), script.as_os_str(), models.as_os_str()]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    context
}

/// Whether the binary has the kernel; what cannot be tried without it is said.
fn has_kernel(context: &TestContext, test: &str) -> bool {
    let found = context.run(["python", "-c", "import _agi_llama, jinja2"]).code == 0;
    assert!(found || std::env::var_os("AGI_TEST_BINARY").is_none(), "the release has no kernel");
    if !found {
        lacking("kernel", test);
    }
    found
}

/// Runs checks of `contexts.py`, and prints what they counted.
#[expect(clippy::print_stderr, reason = "numbers for who reads the run")]
fn check_contexts(test: &str, checks: &[&str]) {
    let context = with_models();
    if !has_kernel(&context, test) {
        return;
    }
    let (script, models) = (scripts().join("contexts.py"), context.data().join("models"));
    let fixed = ["python".as_ref(), script.as_os_str(), models.as_os_str()];
    let named = checks.iter().map(std::convert::AsRef::as_ref);
    let tried = context.run(fixed.into_iter().chain(named));
    eprint!("{}", tried.stdout);
    assert_eq!(tried.code, 0, "{}{}", tried.stdout, tried.stderr);
    assert_eq!(tried.stdout.lines().count(), checks.len(), "{}", tried.stdout);
}

pub(crate) fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", finished.stdout, finished.stderr))
}

#[test]
fn models_are_listed_with_family_size_and_context() {
    let context = with_models();
    let listed = context.run(["model", "list", "--model", "local"]);
    // A release has its own model in itself besides.
    let made = listed.stdout.lines().filter(|line| !line.starts_with("local/embedded:")).count();
    assert_eq!((listed.code, made), (0, 6), "{}", listed.stdout);
    let rows = json_of(&context.run(["model", "list", "--model", "local", "--json"]));
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == "local/gemma").unwrap();
    let expected = [("family", json!("gemma3")), ("quantisation", json!("F32"))];
    for (key, value) in expected {
        assert_eq!(row[key], value, "{row}");
    }
    assert_eq!((&row["context"], &row["writes"]), (&json!(8192), &json!(true)));
    let bert = rows.as_array().unwrap().iter().find(|row| row["family"] == "bert").unwrap();
    assert_eq!(bert["writes"], json!(false));
}

#[test]
fn a_model_that_is_not_there_is_named_with_those_that_are() {
    let context = with_models();
    let failed = context.run(["run", "hello", "--model", "local/nemo"]);
    assert_eq!(failed.code, 52, "{}", failed.stderr);
    assert!(failed.stderr.contains("there is no local model `nemo`"), "{}", failed.stderr);
    assert!(failed.stderr.contains("gemma"), "{}", failed.stderr);
    let unclear = context.run(["run", "hello", "--model", "local"]);
    assert_eq!(unclear.code, 52);
    assert!(unclear.stderr.contains("there are 5 local models"), "{}", unclear.stderr);
    let broken = context.write("broken.gguf", "GGUF but no more");
    let model = format!("local/{}", broken.display());
    let failed = context.run(["run", "hello", "--model", &model]);
    assert_eq!(failed.code, 52, "{}", failed.stderr);
    assert!(failed.stderr.contains("is not a usable GGUF file"), "{}", failed.stderr);
}

#[test]
fn custom_says_what_it_means() {
    let context = TestContext::new();
    let run = context.run(["run", "what is 6 * 7", "--model", "custom"]);
    assert_eq!((run.code, run.stdout.trim()), (0, "42"), "{}", run.stderr);
    assert!(run.stderr.contains("model: builtin (custom: neither"), "{}", run.stderr);
}

#[test]
fn transformers_need_wheels() {
    let context = TestContext::new();
    let run = context.run(["run", "hello", "--model", "transformers/tiny"]);
    assert_eq!(run.code, 52, "{}", run.stderr);
    let (wheels, loader) = ("names no directory with torch", "cannot load");
    assert!(run.stderr.contains(wheels) || run.stderr.contains(loader), "{}", run.stderr);
}

#[test]
fn each_family_makes_its_round_trips() {
    let context = with_models();
    if !has_kernel(&context, "each_family_makes_its_round_trips") {
        return;
    }
    for family in FAMILIES {
        let model = format!("local/{family}");
        let seed = ["-c", "model.local.sampling.seed=1", "-c", "model.local.threads=1"];
        let tested =
            context.run(["model", "test", "--json", "--model", &model].into_iter().chain(seed));
        let report = json_of(&tested);
        assert_eq!(report["model"], json!(model), "{}", tested.stderr);
        for probe in report["probes"].as_array().unwrap() {
            // Weights are random: a call that never ends is cut at the limit, and then it is none.
            // A tool is called only where chance begins a call.
            let whole = probe["ok"] == json!(true) || probe["output_tokens"] == json!(1024);
            assert!(whole || probe["probe"] == "tool call", "{family}: {probe}");
            assert!(probe["input_tokens"].as_u64().unwrap() > 20, "{family}: {probe}");
            assert!(probe["output_tokens"].as_u64().unwrap() > 0, "{family}: {probe}");
        }
    }
}

#[test]
fn seeds_are_valid_one_and_all() {
    let context = with_models();
    if !has_kernel(&context, "seeds_are_valid_one_and_all") {
        return;
    }
    let long = std::env::var_os("AGI_TEST_LONG").is_some();
    let script = scripts().join("seeds.py");
    for family in FAMILIES {
        // A thousand seeds take minutes: in portions, each within the patience of a test.
        let portions = if long { 20 } else { 1 };
        for portion in 0..portions {
            let first = (portion * 50 + 1).to_string();
            let count = if long { "50" } else { "12" };
            let models = context.data().join("models");
            let arguments: [&std::ffi::OsStr; 6] = [
                "python".as_ref(),
                script.as_os_str(),
                models.as_os_str(),
                first.as_ref(),
                count.as_ref(),
                family.as_ref(),
            ];
            let tried = context.run(arguments);
            assert_eq!(tried.code, 0, "{family}: {}{}", tried.stdout, tried.stderr);
            assert!(tried.stdout.contains(&format!("{count} seeds valid")), "{}", tried.stdout);
        }
    }
}

#[test]
fn schemas_that_are_hard_are_answered_soon() {
    let context = with_models();
    if !has_kernel(&context, "schemas_that_are_hard_are_answered_soon") {
        return;
    }
    let (script, models) = (scripts().join("hard_schemas.py"), context.data().join("models"));
    let tried = context.run(["python".as_ref(), script.as_os_str(), models.as_os_str()]);
    assert_eq!(tried.code, 0, "{}{}", tried.stdout, tried.stderr);
    assert_eq!(tried.stdout.lines().count(), 3, "{}", tried.stdout);
}

#[test]
fn a_long_answer_is_left_at_once() {
    let context = with_models();
    if !has_kernel(&context, "a_long_answer_is_left_at_once") {
        return;
    }
    let arguments = [
        "run",
        "go on",
        "--model",
        "local/qwen2",
        "--ephemeral",
        "--output-format",
        "jsonl",
        "-c",
        "model.local.context_shift=true",
        "-c",
        "model.max_output_tokens=1000000",
        "-c",
        // The likeliest token each time: this one never ends.
        "model.temperature=0",
    ];
    let mut child = context.command(arguments).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("item.updated") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut lines, &mut line).unwrap(), 0, "no answer");
    }
    drop(lines);
    terminate(child);
}

/// Ends a run that works, which it must do soon; gives its exit code as shells do.
fn terminate(mut child: std::process::Child) -> i32 {
    let sent = Instant::now();
    let kill = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let status = child.wait().unwrap();
    // The bound of the kernel itself is 100 ms; a machine under load gets some more here.
    assert!(sent.elapsed() < Duration::from_secs(2), "{:?}", sent.elapsed());
    crate::support::code(status)
}

/// Its steps are few enough, but each takes milliseconds: nothing but the run's own end ends it.
#[test]
fn a_chat_template_that_works_for_hours_is_left_at_once() {
    let context = with_models();
    if !has_kernel(&context, "a_chat_template_that_works_for_hours_is_left_at_once") {
        return;
    }
    let slow = "{% for m in messages if 'go on' in m.content %}{% set x = 'xy' * 5000000 %}\
                {% for i in range(99999) %}{% if x.count('yz') %}{% endif %}{% endfor %}{% endfor %}";
    let script = "import pathlib, sys; sys.path.insert(0, sys.argv[1])\n\
                  import models; models.QWEN2 = sys.argv[3]\n\
                  pathlib.Path(sys.argv[2], 'slow.gguf').write_bytes(models.qwen2())";
    let (scripts, models) = (scripts(), context.data().join("models"));
    let made = context.run([
        "python".as_ref(),
        "-c".as_ref(),
        script.as_ref(),
        scripts.as_os_str(),
        models.as_os_str(),
        slow.as_ref(),
    ]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let arguments = ["run", "go on", "--ephemeral", "--model", "local/slow", "--timeout"];
    let begun = Instant::now();
    let late = context.run(arguments.iter().chain(&["2s"]));
    assert_eq!(late.code, 124, "{}", late.stderr);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let child = context.command(arguments.iter().chain(&["60s"])).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(terminate(child), 143);
}

#[test]
fn the_speed_is_measured() {
    let context = with_models();
    if !has_kernel(&context, "the_speed_is_measured") {
        return;
    }
    // A model of random weights may end at its first word now and then.
    let arguments = ["model", "bench", "--model", "local/qwen3", "--repeat", "5", "--json"];
    let measured = context.run(arguments);
    assert_eq!(measured.code, 0, "{}", measured.stderr);
    let report = json_of(&measured);
    for key in ["prompt_tokens_per_second", "output_tokens_per_second"] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{report}");
    }
    assert!(report["runs"][0]["input_tokens"].as_u64().unwrap() > 100, "{report}");
}

#[test]
fn a_further_turn_reads_what_is_new() {
    check_contexts("a_further_turn_reads_what_is_new", &["prompt_cache", "turns"]);
}

#[test]
fn a_state_goes_on_elsewhere() {
    check_contexts("a_state_goes_on_elsewhere", &["states"]);
}

#[test]
fn a_window_that_is_full_is_shifted() {
    check_contexts("a_window_that_is_full_is_shifted", &["shift"]);
}

#[test]
fn a_cancelled_generation_ends_at_once() {
    check_contexts("a_cancelled_generation_ends_at_once", &["cancelling"]);
}

#[test]
fn loads_and_contexts_leave_nothing() {
    let long = std::env::var_os("AGI_TEST_LONG").is_some();
    let check = if long { "thousand_loads" } else { "loads" };
    check_contexts("loads_and_contexts_leave_nothing", &[check]);
}

/// Its context has read the first run's prompt: who had loaded the model anew would know none of it.
#[test]
fn a_service_loads_a_model_once() {
    let context = with_models();
    if !has_kernel(&context, "a_service_loads_a_model_once") {
        return;
    }
    let mut service = Service::start(&context);
    let config = json!({"model.provider": "local", "model.name": "qwen3",
                        "model.context_window": 30_000, "model.max_output_tokens": 4,
                        "memory.enabled": false});
    let mut cached = Vec::new();
    for number in 0..2 {
        let params = json!({"task": "say something", "options": {"config": config}});
        let started = service.ask("run.start", params);
        assert_eq!(started["result"]["model"], "local/qwen3", "{started}");
        let result = service.result_of(&format!("run_{number}"));
        assert!(result["usage"]["output_tokens"].as_u64().unwrap() > 0, "{result}");
        cached.push(result["usage"]["cached_input_tokens"].as_u64().unwrap());
    }
    assert_eq!(cached[0], 0);
    assert!(cached[1] > 1000, "{cached:?}");
    assert_eq!(service.end(), Some(0));
}

/// Each number of a header, changed to what cannot be meant: refused or harmless, never the end of
/// the process.
#[test]
fn a_header_that_lies_ends_nothing() {
    let context = with_models();
    if !has_kernel(&context, "a_header_that_lies_ends_nothing") {
        return;
    }
    let script = scripts().join("mutated.py");
    let models = context.data().join("models");
    let several = if std::env::var_os("AGI_TEST_LONG").is_some() { "5000" } else { "50" };
    for family in FAMILIES.iter().chain(&["bert"]) {
        let arguments: [&std::ffi::OsStr; 5] = [
            "python".as_ref(),
            script.as_os_str(),
            models.as_os_str(),
            family.as_ref(),
            several.as_ref(),
        ];
        let tried = context.run(arguments);
        assert_eq!(tried.code, 0, "{}{}", tried.stdout, tried.stderr);
        assert!(tried.stdout.contains(" 0 ended the process"), "{}", tried.stdout);
    }
}

/// A copy of a model with another number under a key, or of another size.
fn lie(context: &TestContext, name: &str, key: &str, value: u32, size: u64) -> String {
    let mut bytes = std::fs::read(context.data().join("models/llama.gguf")).unwrap();
    let mut wanted = (key.len() as u64).to_le_bytes().to_vec();
    wanted.extend(key.as_bytes());
    let at = bytes.windows(wanted.len()).position(|window| window == wanted).unwrap();
    // Behind the key: its type (an unsigned number), then the number.
    let at = at + wanted.len() + 4;
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    let path = context.write(name, &bytes);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    // Holes take no room on the disk.
    file.set_len(size.max(bytes.len() as u64)).unwrap();
    format!("local/{}", path.display())
}

#[test]
fn what_cannot_be_had_is_refused_with_its_numbers() {
    let context = with_models();
    let run = |model: &str, more: &[&str]| {
        context.run(["run", "hello", "--ephemeral", "--model", model].iter().chain(more))
    };
    for (key, value, told) in [
        ("llama.block_count", 0, "`llama.block_count` is 0"),
        ("llama.block_count", u32::MAX, "`llama.block_count` is 4294967295"),
        ("llama.rope.dimension_count", 7, "`llama.rope.dimension_count` is 7"),
        ("llama.rope.dimension_count", 8, "is 8, and a head has 16 numbers"),
    ] {
        let refused = run(&lie(&context, "lie.gguf", key, value, 0), &[]);
        assert_eq!(refused.code, 52, "{}", refused.stderr);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
    if !has_kernel(&context, "what_cannot_be_had_is_refused_with_its_numbers") {
        return;
    }
    let huge = u64::from(u32::MAX) * 500;
    let blocks = ("llama.block_count", 2);
    for (key, value, size, more, told) in [
        (blocks.0, blocks.1, huge, "model.max_output_tokens=4", "(weights 2147.5 GB, "),
        (blocks.0, blocks.1, 0, "model.context_window=2000000000", " context 512.0 GB, "),
        ("llama.feed_forward_length", 1 << 31, 0, "model.max_output_tokens=4", " can be had"),
    ] {
        let refused = run(&lie(&context, "huge.gguf", key, value, size), &["-c", more]);
        assert_eq!(refused.code, 46, "{}", refused.stderr);
        assert!(refused.stderr.contains("the model needs "), "{}", refused.stderr);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
}
