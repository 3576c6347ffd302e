//! T18: something ends in the middle of a stream. The end is not 0, what there was is said to be a part,
//! and neither half a file nor a temporary one is left.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::tool;
use crate::agent_exit_codes::run_script;
use crate::hostile::Ground;
use crate::hostile::Rows;
use crate::hostile::Setting;
use crate::hostile::python;
use crate::support::Finished;
use crate::support::TestContext;
use crate::support::binary;
use crate::support::code;
use crate::support::finish;
use crate::support::model_server::ModelServer;
use crate::support::wait_until;

#[test]
fn t18_a_stage_that_crashes_is_a_failure_with_what_there_was() {
    let context = TestContext::new();
    for command in [
        "echo $TMPDIR > place; set -o pipefail; seq 5 | (head -2; kill -9 $BASHPID) | cat",
        "echo $TMPDIR > place; seq 2; echo x > $TMPDIR/left; kill -SEGV $$; echo never",
        "echo $TMPDIR > place; set -e; seq 2; false; echo never",
    ] {
        let (finished, value) = tool(&context, "shell", &json!({"command": command}));
        assert_eq!((finished.code, &value["status"]), (1, &json!("failed")), "{command}");
        assert_eq!(value["data"]["stdout"], "1\n2\n", "{command}");
        let place = std::fs::read_to_string(context.work().join("place")).unwrap();
        assert!(!std::path::Path::new(place.trim()).exists(), "{command}");
    }
}

#[test]
fn t18_python_that_is_killed_is_a_failure_with_what_it_had_printed() {
    let ground = Ground::new(Setting { contained: false, ordinary: false });
    let mut rows = Rows::new("T18, python_exec");
    for end in ["os.kill(os.getpid(), 9)", "os._exit(3)", "os.abort()", "1 / 0"] {
        let code = format!(
            "import os\nprint(1)\nprint(2, flush=True)\nplace = os.environ['TMPDIR']\n\
             open(place + '/left', 'w').write('x')\nopen('place', 'w').write(place)\n{end}\nprint('never')"
        );
        let (code, value, stderr) = python(&ground, &code, 20);
        let place = std::fs::read_to_string(ground.work().join("place")).unwrap_or_default();
        let held = code == 1
            && value["status"] == "failed"
            && value["data"]["stdout"] == "1\n2\n"
            && place.len() > 5
            && !Path::new(&place).exists();
        rows.row(end, held, &format!("{value} {stderr} {place}"));
    }
}

/// A server that sends half of what it promised, and ends.
fn half(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            drop(stream.read(&mut [0; 4096]));
            drop(stream.write_all(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes()));
        }
    });
    format!("http://127.0.0.1:{port}/")
}

#[test]
fn t18_half_a_page_is_no_page() {
    let context = TestContext::new();
    let mut rows = Rows::new("T18, web_fetch");
    for answer in [
        "content-type: text/plain\r\ncontent-length: 100\r\n\r\nthe first half",
        "content-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n40\r\nthe first half",
        "content-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\ne\r\nthe first half\r\n",
        "content-type: text/html\r\ncontent-length: 100\r\n\r\n<p>the first half",
        "content-type: text/plain\r\ncontent-encoding: gzip\r\ncontent-length: 11\r\n\r\n\x1f",
    ] {
        let arguments = json!({"url": half(answer)}).to_string();
        let fixed = ["tool", "run", "web_fetch", "--args", &arguments, "--json"];
        let finished = context.run([&fixed[..], &["--net", "127.0.0.1"]].concat());
        let held = finished.code == 45 && !finished.stdout.contains("the first half");
        rows.row(answer.escape_debug(), held, &format!("{} {}", finished.code, finished.stdout));
    }
    rows.row("nothing is left", left(&context).is_empty(), &format!("{:?}", left(&context)));
}

/// Files of ours that lie in the workspace beside those of the test.
fn left(context: &TestContext) -> Vec<String> {
    let names = std::fs::read_dir(context.work()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".agi-agent-")).collect()
}

/// Under a bound on the size of files that the second block hits.
fn bounded(context: &TestContext, script: &str) -> Finished {
    let mut command = Command::new("bash");
    let script = format!("ulimit -f 1; {script}");
    command
        .args(["-o", "pipefail", "-c", &script])
        .env("BIN", binary())
        .env("HOME", context.home());
    command.current_dir(context.work());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(&mut command)
}

#[test]
fn t18_a_file_that_cannot_be_written_whole_stays_as_it_was() {
    let context = TestContext::new();
    let answer = "x".repeat(5000);
    context.write("script.json", json!([{"text": answer}]).to_string());
    let write = json!({"path": "FILE", "content": answer}).to_string();
    context.write("arguments.json", write);
    assert_eq!(context.run(["memory", "add", "one fact"]).code, 0);
    let run = "\"$BIN\" run go --ephemeral --model scripted/$PWD/script.json";
    let tool = "\"$BIN\" tool run file_write --sandbox workspace-write --args";
    let mut rows = Rows::new("T18, files");
    for (script, expected) in [
        ("seq 2000 | \"$BIN\" file write FILE -".to_owned(), 42),
        ("seq 2000 | \"$BIN\" file write --append FILE -".to_owned(), 42),
        (format!("{run} -o FILE > /dev/null"), 42),
        (format!("{tool} \"$(cat arguments.json)\" >&2"), 42),
        ("\"$BIN\" memory backup FILE".to_owned(), 42),
    ] {
        for old in [Some("old\n"), None] {
            let path = context.work().join("FILE");
            drop(std::fs::remove_file(&path));
            if let Some(old) = old {
                context.write("FILE", old);
            }
            let finished = bounded(&context, &script);
            let now = std::fs::read_to_string(&path).ok();
            let held = finished.code == expected
                && finished.stderr.contains("error:")
                && now.as_deref() == old
                && left(&context).is_empty();
            let seen =
                format!("{} {} {now:?} {:?}", finished.code, finished.stderr, left(&context));
            rows.row(format!("{script} {old:?}"), held, &seen);
        }
    }
}

/// What was acknowledged stays, what was not is named, wherever the stream ends.
#[test]
fn t18_a_stream_of_items_that_breaks_off_keeps_what_was_acknowledged() {
    let whole = "{\"content\": \"one fact\"}\n{\"content\": \"two facts\"}\n";
    let mut rows = Rows::new("T18, memory");
    for command in [&["memory", "add", "--jsonl", "-"][..], &["memory", "import", "-"]] {
        for rest in ["{\"content\": \"thr", "\u{0}\u{1}\n", "{}\n"] {
            let context = TestContext::new();
            let finished = context.run_with_input(command, format!("{whole}{rest}").as_bytes());
            let items = context.run(["memory", "list", "--json"]).stdout;
            let items: Value = serde_json::from_str(&items).unwrap();
            let held = finished.code == 42
                && finished.stderr.contains("line 3")
                && items["items"].as_array().is_some_and(|items| items.len() == 2);
            rows.row(format!("{command:?} {rest:?}"), held, &finished.stderr);
        }
    }
    // Killed while the stream goes on: what was printed is there, and the database is sound.
    let context = TestContext::new();
    let mut command = context.command(["memory", "add", "--jsonl", "-"]);
    let mut agent = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = agent.stdin.take().unwrap();
    stdin.write_all(whole.as_bytes()).unwrap();
    stdin.write_all(b"{\"content\": \"thr").unwrap();
    let mut printed = [0; 60];
    agent.stdout.as_mut().unwrap().read_exact(&mut printed).unwrap();
    agent.kill().unwrap();
    agent.wait().unwrap();
    let id = std::str::from_utf8(&printed).unwrap().split('"').nth(3).unwrap();
    let listed = context.run(["memory", "list", "--json"]).stdout;
    rows.row("killed: what was acknowledged", listed.contains(id), &listed);
    let check = context.run(["memory", "check"]);
    rows.row("killed: sound", check.code == 0, &check.stdout);
}

/// The person ends what feeds a file, or the model's server breaks off: nothing is written.
#[test]
fn t18_nothing_is_written_of_what_did_not_come_whole() {
    let mut rows = Rows::new("T18, what does not come whole");
    for (signal, expected) in [("-TERM", 143), ("-INT", 130), ("-KILL", 137)] {
        let context = TestContext::new();
        let mut command = context.command(["file", "write", "FILE", "-"]);
        let mut agent = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = agent.stdin.take().unwrap();
        stdin.write_all(&[b'x'; 10_000]).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let id = agent.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let code = code(agent.wait().unwrap());
        let held = code == expected && std::fs::read_dir(context.work()).unwrap().count() == 0;
        rows.row(signal, held, &code.to_string());
        drop(stdin);
    }
    let server = ModelServer::start();
    let mut context = TestContext::new();
    context.configure(r#"{"network": {"max_retries": 1}}"#);
    context.env("OPENAI_API_KEY", "sk-test").env("OPENAI_BASE_URL", server.url("cut"));
    let fixed = ["run", "go", "--model", "openai/mock-model", "--no-memory"];
    let finished = context.run([&fixed[..], &["-o", "FILE"]].concat());
    let held = finished.code == 46 && !context.work().join("FILE").exists();
    rows.row("a model that breaks off", held, &format!("{} {}", finished.code, finished.stdout));
    let finished = context.run([&fixed[..], &["--output-format", "json"]].concat());
    let value: Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
    let held = value["exit_code"] == 46 && value["outcome"] != "completed";
    rows.row("the same as data", held, &value.to_string());
}

/// A command under `agi-agent sandbox`, and one whose reader goes away.
#[test]
fn t18_a_sandboxed_command_ends_as_its_process_does() {
    let context = TestContext::new();
    let mut rows = Rows::new("T18, sandbox");
    for (script, expected) in [("kill -9 $$", 137), ("kill -SEGV $$", 139), ("exit 7", 7)] {
        let script = format!("echo $TMPDIR; echo x > $TMPDIR/left; {script}; echo never");
        let finished = context.run(["sandbox", "--", "bash", "-c", &script]);
        let place = finished.stdout.trim();
        let held = finished.code == expected && place.len() > 5 && !Path::new(place).exists();
        rows.row(&script, held, &format!("{} {}", finished.code, finished.stdout));
    }
    let endless = json!([
        {"tool_calls": [{"name": "shell", "arguments": {"command": "echo $TMPDIR > /dev/stderr; sleep 0.3"}}]},
        {"text": "x".repeat(1 << 20)}
    ]);
    let whole = run_script(&context, &endless, &[]);
    rows.row("with a reader", whole.code == 0 && whole.stdout.len() > 1 << 20, &whole.stderr);
    let model =
        format!("scripted/{}", context.write("../script.json", endless.to_string()).display());
    let mut agent = context.command(["run", "go", "--model", &model]).spawn().unwrap();
    drop(agent.stdout.take());
    wait_until(Duration::from_secs(20), "the end", || agent.try_wait().unwrap().is_some());
    let code = code(agent.wait().unwrap());
    rows.row("without a reader", code == 1, &code.to_string());
}
