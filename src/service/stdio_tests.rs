//! Conversations with the service: real agents, a scripted model, real pipes.

use std::io::BufReader;
use std::io::PipeWriter;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::agent::AgentParts;
use crate::agent::Pacing;
use crate::agent::budget::Prices;
use crate::bridge::models::scripted::ScriptedModel;
use crate::config::settings::ApprovalSettings;
use crate::config::settings::LimitSettings;
use crate::config::settings::MemorySettings;
use crate::config::settings::SandboxLevel;
use crate::config::settings::SandboxSettings;
use crate::memory::MemoryHandle;
use crate::protocol::Effect;
use crate::service::host::Toolbox;
use crate::service::wire::METHODS;
use crate::service::wire::RunOptions;
use crate::tools::Registry;
use crate::tools::Tool;
use crate::tools::ToolContext;
use crate::tools::ToolError;
use crate::tools::ToolOutput;

/// Ends nothing; what matters is that it has to be asked about.
struct KillProgram;

#[async_trait::async_trait]
impl Tool for KillProgram {
    fn name(&self) -> &'static str {
        "kill_program"
    }

    fn description(&self) -> &'static str {
        "for tests"
    }

    fn parameters(&self) -> Value {
        json!({"type": "object"})
    }

    fn check(&self, _arguments: &Value) -> Result<(), ToolError> {
        Ok(())
    }

    fn effect(&self, _arguments: &Value) -> Effect {
        Effect::Process
    }

    fn target(&self, arguments: &Value) -> String {
        arguments["name"].as_str().unwrap_or("-").to_owned()
    }

    async fn run(&self, arguments: Value, _context: &ToolContext) -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput::text(format!("ended {}", self.target(&arguments))))
    }
}

/// Builds an agent per run; the script is the option `script`.
struct TestHost {
    directory: TempDir,
    memory: MemoryHandle,
}

impl TestHost {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path: PathBuf = directory.path().join("agent.db");
        let settings = MemorySettings { enabled: true, ephemeral: None, path };
        Self { memory: MemoryHandle::open(&settings).unwrap(), directory }
    }
}

impl Host for TestHost {
    fn version(&self) -> String {
        "1.2.3".to_owned()
    }

    fn agent(
        &self,
        options: &RunOptions,
        conversations: Conversations,
        _cancel: &CancellationToken,
    ) -> Result<Prepared, Failure> {
        let script = options.config.get("script").ok_or_else(|| {
            Failure::new(FailureKind::Configuration, "no script").with_hint("give one")
        })?;
        let Toolbox { registry, context, warnings } = self.toolbox(options)?;
        let agent = Agent::new(AgentParts {
            model: Arc::new(ScriptedModel::from_json(&script.to_string()).unwrap()),
            registry,
            tools: context,
            approval: ApprovalSettings::default(),
            conversations,
            secrets: Vec::new(),
            sandbox: SandboxSettings {
                level: SandboxLevel::WorkspaceWrite,
                add_dirs: Vec::new(),
                read: Vec::new(),
                net: Vec::new(),
                env: Vec::new(),
            },
            limits: LimitSettings {
                max_turns: 9,
                timeout: None,
                max_cost: None,
                max_tokens: None,
                tool_timeout: Duration::from_secs(9),
                command: crate::config::settings::CommandLimits::default(),
            },
            max_output_tokens: None,
            temperature: None,
            prices: Prices::default(),
            platform: "test".to_owned(),
            pacing: Pacing::default(),
        });
        Ok(Prepared { agent, warnings })
    }

    fn toolbox(&self, _options: &RunOptions) -> Result<Toolbox, Failure> {
        let mut context = ToolContext::for_tests(self.directory.path());
        context.memory = Some(self.memory.clone());
        let tools: Vec<Arc<dyn Tool>> =
            vec![Arc::new(KillProgram), Arc::new(crate::tools::memory_add::MemoryAdd)];
        Ok(Toolbox { registry: Registry::new(tools), context, warnings: Vec::new() })
    }

    fn memory(&self) -> Result<MemoryHandle, Failure> {
        Ok(self.memory.clone())
    }

    fn config(&self, key: Option<&str>) -> Result<Value, Failure> {
        match key {
            Some("model.name") => Ok(json!("m")),
            Some(key) => Err(Failure::new(FailureKind::NotFound, format!("no key `{key}`"))),
            None => Ok(json!({"model": {"name": "m"}})),
        }
    }
}

/// A client of a service that runs in this process.
struct Client {
    to: Option<PipeWriter>,
    from: mpsc::Receiver<Received>,
    service: JoinHandle<Result<(), ServeError>>,
    cancel: Cancellation,
}

impl Client {
    fn connect() -> Self {
        let (input, to) = std::io::pipe().unwrap();
        let (from, output) = std::io::pipe().unwrap();
        let cancel = Cancellation::new();
        let served = cancel.clone();
        let service = tokio::spawn(async move {
            let input = Box::new(BufReader::new(input));
            serve(Arc::new(TestHost::new()), input, Box::new(output), &served).await
        });
        let from = connection::read_lines(Box::new(BufReader::new(from))).unwrap();
        Self { to: Some(to), from, service, cancel }
    }

    fn send(&mut self, line: &Value) {
        self.send_text(&line.to_string());
    }

    fn send_text(&mut self, line: &str) {
        writeln!(self.to.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line, within a bounded time.
    async fn next(&mut self) -> Value {
        let next = tokio::time::timeout(Duration::from_secs(20), self.from.recv()).await;
        match next.expect("the service says nothing").expect("the service has ended").0 {
            Input::Line(line) => serde_json::from_slice(&line).unwrap(),
            Input::TooLong => panic!("a line too long"),
        }
    }

    /// Sends a request and gives its answer, which must be the next line.
    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({"id": method, "method": method, "params": params}));
        let answer = self.next().await;
        assert_eq!(answer["id"], method, "{answer}");
        answer
    }

    /// Lines up to and including the `result` of a run.
    async fn until_result(&mut self, run: &str) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.next().await;
            let over = line["params"]["run"] == run && line["params"]["event"]["type"] == "result";
            lines.push(line);
            if over {
                return lines;
            }
        }
    }

    async fn ended(self) {
        drop(self.to);
        let ended = tokio::time::timeout(Duration::from_secs(20), self.service).await;
        ended.expect("the service does not end").unwrap().unwrap();
    }
}

fn start(script: Value) -> Value {
    json!({"task": "go", "options": {"config": {"script": script}}})
}

#[tokio::test]
async fn a_run_from_start_to_result() {
    let mut client = Client::connect();
    let hello = client.ask("hello", json!({"client": "test 1", "protocol": 1})).await;
    assert_eq!(
        (&hello["result"]["protocol"], &hello["result"]["version"]),
        (&json!(1), &json!("1.2.3"))
    );
    let started = client.ask("run.start", start(json!([{"text": "42"}]))).await;
    assert_eq!(started["result"], json!({"run": "run_0", "model": "scripted/script"}));
    let lines = client.until_result("run_0").await;
    let events: Vec<&Value> = lines.iter().map(|line| &line["params"]["event"]).collect();
    assert_eq!(events[0]["type"], "thread.started");
    for (number, event) in events.iter().enumerate() {
        assert_eq!((&event["seq"], &event["v"]), (&json!(number), &json!(1)));
    }
    let result = events.last().unwrap();
    assert_eq!((&result["text"], &result["exit_code"]), (&json!("42"), &json!(0)));
    client.ended().await;
}

#[tokio::test]
async fn what_is_malformed_is_answered_and_the_service_goes_on() {
    let mut client = Client::connect();
    for (line, id, kind) in [
        ("{nonsense", Value::Null, "malformed_line"),
        ("[1, 2]", Value::Null, "malformed_line"),
        ("{\"method\": \"hello\"}", Value::Null, "invalid_params"),
        ("{\"id\": 1}", json!(1), "unknown_method"),
        ("{\"id\": 2, \"method\": \"run.strat\"}", json!(2), "unknown_method"),
        ("{\"id\": 3, \"method\": \"run.start\"}", json!(3), "invalid_params"),
        ("{\"id\": 4, \"method\": \"hello\", \"params\": {\"x\": 1}}", json!(4), "invalid_params"),
        ("{\"id\": 5, \"method\": \"hello\", \"extra\": 1}", json!(5), "invalid_params"),
        (
            "{\"id\": \"six\", \"method\": \"run.cancel\", \"params\": {\"run\": \"r\"}}",
            json!("six"),
            "not_found",
        ),
        (
            "{\"id\": 7, \"method\": \"run.start\", \"params\": {\"task\": \"go\"}}",
            json!(7),
            "configuration",
        ),
    ] {
        client.send_text(line);
        let answer = client.next().await;
        assert_eq!((&answer["id"], &answer["error"]["kind"]), (&id, &json!(kind)), "{line}");
        assert!(answer["error"]["message"].is_string());
    }
    client.send_text("");
    client.to.as_mut().unwrap().write_all(b"{\"id\": 8, \"method\": \"hel\xff\"}\n").unwrap();
    assert_eq!(client.next().await["error"]["kind"], "malformed_line");
    assert!(client.ask("hello", json!({})).await["result"].is_object());
    client.ended().await;
}

#[tokio::test]
async fn an_approval_is_asked_for_and_answered() {
    let mut client = Client::connect();
    let kill = json!({"tool_calls": [{"name": "kill_program", "arguments": {"name": "sleep"}}]});
    for (verdict, code) in [("allow_once", 0), ("deny", 43)] {
        let mut params = start(json!([kill, {"text": "done"}]));
        params["approvals"] = json!(true);
        let started = client.ask("run.start", params).await;
        let run = started["result"]["run"].as_str().unwrap().to_owned();
        let request = loop {
            let line = client.next().await;
            if line["method"] == "approval.request" {
                break line;
            }
        };
        assert_eq!(request["params"]["summary"], "kill_program sleep");
        assert_eq!(request["params"]["run"], run.as_str());
        let approval = &request["params"]["approval"];
        client.send(&json!({"id": 1, "method": "approval.respond",
                            "params": {"approval": approval, "verdict": verdict}}));
        let lines = client.until_result(&run).await;
        assert_eq!(lines.last().unwrap()["params"]["event"]["exit_code"], code);
        let answer = lines.iter().find(|line| line["id"] == 1).expect("no answer");
        assert_eq!(answer["result"], json!({}));
        // A second answer finds nobody waiting.
        let again = json!({"approval": approval, "verdict": verdict});
        assert_eq!(client.ask("approval.respond", again).await["error"]["kind"], "not_found");
    }
    client.ended().await;
}

#[tokio::test]
async fn runs_go_on_side_by_side_and_are_cancelled_one_by_one() {
    let mut client = Client::connect();
    let slow = start(json!([{"text": "late", "delay_ms": 600_000}]));
    assert_eq!(client.ask("run.start", slow).await["result"]["run"], "run_0");
    client.send(&json!({"id": 2, "method": "run.start", "params": start(json!([{"text": "b"}]))}));
    let lines = client.until_result("run_1").await;
    assert_eq!(lines.last().unwrap()["params"]["event"]["text"], "b");
    client.send(&json!({"id": 3, "method": "run.cancel", "params": {"run": "run_0"}}));
    let lines = client.until_result("run_0").await;
    assert_eq!(lines.last().unwrap()["params"]["event"]["exit_code"], 130);
    client.ended().await;
}

#[tokio::test]
async fn the_end_of_the_input_cancels_what_is_under_way() {
    let mut client = Client::connect();
    client.ask("run.start", start(json!([{"text": "late", "delay_ms": 600_000}]))).await;
    client.to = None;
    let lines = client.until_result("run_0").await;
    assert_eq!(lines.last().unwrap()["params"]["event"]["exit_code"], 143);
    client.ended().await;
}

#[tokio::test]
async fn shutdown_is_answered_last_and_so_is_a_signal_obeyed() {
    let mut client = Client::connect();
    client.ask("run.start", start(json!([{"text": "late", "delay_ms": 600_000}]))).await;
    client.send(&json!({"id": "bye", "method": "shutdown"}));
    client.until_result("run_0").await;
    assert_eq!(client.next().await, json!({"id": "bye", "result": {}}));
    client.ended().await;
    let client = Client::connect();
    client.cancel.cancel(CancelReason::Terminated);
    tokio::time::timeout(Duration::from_secs(20), client.service).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn tools_memory_sessions_and_configuration() {
    let mut client = Client::connect();
    let tools = client.ask("tool.list", json!({})).await;
    assert_eq!(tools["result"]["tools"][1]["name"], "memory_add");
    let ran = client
        .ask("tool.run", json!({"name": "memory_add", "arguments": {"content": "tea at four"}}))
        .await;
    assert_eq!(ran["result"]["status"], "completed", "{ran}");
    let bad = client.ask("tool.run", json!({"name": "memory_add", "arguments": {}})).await;
    assert_eq!(bad["result"]["status"], "failed", "{bad}");
    let added = client.ask("memory.add", json!({"content": "milk first", "tags": ["t"]})).await;
    let id = added["result"]["id"].clone();
    let found = client.ask("memory.search", json!({"query": "milk"})).await;
    assert_eq!(found["result"]["items"][0]["id"], id);
    assert_eq!(
        client.ask("memory.get", json!({"id": id})).await["result"]["content"],
        "milk first"
    );
    let listed = client.ask("memory.list", json!({"limit": 1})).await;
    assert_eq!(listed["result"]["items"].as_array().unwrap().len(), 1);
    let deleted = client.ask("memory.delete", json!({"ids": [id, "nosuch"]})).await;
    assert_eq!(deleted["result"]["deleted"], json!([id]));
    assert_eq!(client.ask("memory.get", json!({"id": id})).await["error"]["kind"], "not_found");
    assert_eq!(client.ask("memory.stats", json!({})).await["result"]["items"], 1);

    client.ask("run.start", start(json!([{"text": "42"}]))).await;
    let lines = client.until_result("run_0").await;
    let session = lines[0]["params"]["event"]["thread_id"].clone();
    let sessions = client.ask("session.list", json!({})).await;
    assert_eq!(sessions["result"]["sessions"][0]["id"], session);
    let shown = client.ask("session.show", json!({"session": session})).await;
    assert_eq!(shown["result"]["log"].as_array().unwrap().len(), 2);
    assert_eq!(client.ask("config.get", json!({"key": "model.name"})).await["result"], "m");
    assert_eq!(client.ask("config.get", json!({"key": "x"})).await["error"]["kind"], "not_found");
    client.ended().await;
}

#[test]
fn every_method_is_listed_and_known() {
    for method in METHODS {
        let line = json!({"id": 1, "method": method, "params": {"nonsense": 1}}).to_string();
        let (_, failure) = parse(line.as_bytes()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidParams, "{method}: {failure}");
    }
    let schema = serde_json::to_string(&crate::service::schema()).unwrap();
    for method in METHODS {
        assert!(schema.contains(&format!("\"{method}\"")), "{method} is not in the schema");
    }
}
