//! A conversation with `agi-agent serve --stdio`, the real binary on real pipes.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;

use serde_json::Value;
use serde_json::json;

use crate::support::TestContext;

pub(crate) struct Service {
    child: Child,
    pub(crate) to: Option<ChildStdin>,
    pub(crate) from: BufReader<ChildStdout>,
}

impl Service {
    pub(crate) fn start(context: &TestContext) -> Self {
        let mut command = context.command(["serve", "--stdio"]);
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().unwrap());
        Self { child, to, from }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn send(&mut self, line: &Value) {
        writeln!(self.to.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        assert_ne!(self.from.read_line(&mut line).unwrap(), 0, "the service has ended");
        serde_json::from_str(&line).unwrap()
    }

    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({"id": 1, "method": method, "params": params}));
        let answer = self.next();
        assert_eq!(answer["id"], 1, "{answer}");
        answer
    }

    /// Waits until a run writes its answer.
    pub(crate) fn await_text(&mut self, run: &str) {
        loop {
            let line = self.next();
            let event = &line["params"]["event"];
            if line["params"]["run"] == run && event["type"] == "item.updated" {
                return;
            }
            assert_ne!(event["type"], "result", "{line}");
        }
    }

    pub(crate) fn result_of(&mut self, run: &str) -> Value {
        loop {
            let mut line = self.next();
            let event = line["params"]["event"].take();
            if line["params"]["run"] == run && event["type"] == "result" {
                return event;
            }
        }
    }

    pub(crate) fn end(mut self) -> Option<i32> {
        drop(self.to.take());
        self.child.wait().unwrap().code()
    }
}

pub(crate) fn start(context: &TestContext, script: &Value) -> Value {
    let path = context.write("../script.json", script.to_string());
    let config = json!({"model.provider": "scripted", "model.script": path,
                        "sandbox.level": "workspace-write"});
    json!({"task": "go", "options": {"config": config}})
}

#[test]
fn a_whole_conversation() {
    let context = TestContext::new();
    let mut service = Service::start(&context);
    let hello = service.ask("hello", json!({}));
    assert_eq!(hello["result"]["version"], env!("CARGO_PKG_VERSION"));
    let tools = service.ask("tool.list", json!({}));
    assert!(tools["result"]["tools"].as_array().unwrap().len() > 8, "{tools}");
    let ran =
        service.ask("tool.run", json!({"name": "calculator", "arguments": {"expression": "6*7"}}));
    assert_eq!(ran["result"]["result"]["data"]["value"], "42", "{ran}");

    let write = json!({"path": "out.txt", "content": "from a run"});
    let script =
        json!([{"tool_calls": [{"name": "file_write", "arguments": write}]}, {"text": "written"}]);
    let started = service.ask("run.start", start(&context, &script));
    assert_eq!(started["result"]["run"], "run_0", "{started}");
    let result = service.result_of("run_0");
    assert_eq!((&result["text"], &result["exit_code"]), (&json!("written"), &json!(0)));
    assert_eq!(std::fs::read_to_string(context.work().join("out.txt")).unwrap(), "from a run");

    service.ask("memory.add", json!({"content": "tea at four"}));
    let found = service.ask("memory.search", json!({"query": "tea"}));
    assert_eq!(found["result"]["items"][0]["content"], "tea at four");
    let level = service.ask("config.get", json!({"key": "limits.max_turns"}));
    assert!(level["result"].is_number(), "{level}");
    let wrong =
        service.ask("run.start", json!({"task": "x", "options": {"config": {"modell": 1}}}));
    assert_eq!(wrong["error"]["kind"], "configuration", "{wrong}");
    assert_eq!(service.ask("nosuch", json!({}))["error"]["kind"], "unknown_method");

    let slow = json!([{"text": "late", "delay_ms": 50_000}]);
    let started = service.ask("run.start", start(&context, &slow));
    assert_eq!(started["result"]["run"], "run_1");
    service.send(&json!({"id": 2, "method": "shutdown"}));
    assert_eq!(service.result_of("run_1")["exit_code"], 143);
    assert_eq!(service.next(), json!({"id": 2, "result": {}}));
    assert_eq!(service.end(), Some(0));
}

#[test]
fn what_a_project_asks_for_in_vain_is_told() {
    let context = TestContext::new();
    context.write(".agi-agent/config.json", r#"{"model": {"base_url": "http://evil.example"}}"#);
    let mut service = Service::start(&context);
    let script = json!([{"text": "done"}]);
    let started = service.ask("run.start", start(&context, &script));
    assert_eq!(started["result"]["run"], "run_0", "{started}");
    let warning = service.next();
    assert_eq!(warning["method"], "warning", "{warning}");
    assert_eq!(warning["params"]["run"], "run_0", "{warning}");
    let message = warning["params"]["message"].as_str().unwrap();
    assert!(message.contains("config.json:1:") && message.contains("model.base_url"), "{message}");
    assert!(warning["params"]["hint"].as_str().unwrap().contains("agi-agent trust"), "{warning}");
    assert_eq!(service.next()["params"]["event"]["type"], "thread.started");
    assert_eq!(service.result_of("run_0")["exit_code"], 0);

    let call = json!({"name": "calculator", "arguments": {"expression": "1+1"}});
    service.send(&json!({"id": 7, "method": "tool.run", "params": call}));
    let warning = service.next();
    assert_eq!((&warning["method"], &warning["params"]["run"]), (&json!("warning"), &Value::Null));
    assert_eq!(service.next()["id"], 7);
    assert_eq!(service.end(), Some(0));
}

#[test]
fn what_a_later_git_goes_by_is_told_before_the_result() {
    let context = TestContext::new();
    for name in ["objects", "refs"] {
        std::fs::create_dir_all(context.work().join(".git").join(name)).unwrap();
    }
    context.write(".git/HEAD", "ref: refs/heads/main\n");
    context.write(".git/config", "[core]\n\thooksPath = hooks\n");
    let mut service = Service::start(&context);
    let options = json!({"config": {"sandbox.level": "workspace-write"}});
    let arguments = json!({"path": "hooks/pre-commit", "content": "x"});
    let call = json!({"name": "file_write", "arguments": arguments, "options": options});
    service.send(&json!({"id": 7, "method": "tool.run", "params": call}));
    let warning = service.next();
    let message = warning["params"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("and git goes by it (`core.hooksPath` of"), "{warning}");
    let ran = service.next();
    assert_eq!((&ran["id"], &ran["result"]["status"]), (&json!(7), &json!("completed")), "{ran}");
    assert_eq!(service.end(), Some(0));
}

#[test]
fn the_end_of_the_input_is_the_end() {
    let context = TestContext::new();
    let mut service = Service::start(&context);
    let slow = json!([{"text": "late", "delay_ms": 50_000}]);
    service.ask("run.start", start(&context, &slow));
    drop(service.to.take());
    assert_eq!(service.result_of("run_0")["exit_code"], 143);
    assert_eq!(service.end(), Some(0));
}

#[test]
fn serving_needs_to_be_told_how() {
    assert_eq!(TestContext::new().run(["serve"]).code, 2);
}

#[test]
fn a_task_of_blanks_is_none() {
    let context = TestContext::new();
    let mut service = Service::start(&context);
    for params in
        [json!({"task": "  "}), json!({"task": "", "input": [{"type": "text", "text": "\n"}]})]
    {
        let answer = service.ask("run.start", params);
        assert_eq!(answer["error"]["kind"], "invalid_params", "{answer}");
        assert_eq!(answer["error"]["message"], "there is no task", "{answer}");
    }
    assert_eq!(service.end(), Some(0));
}
