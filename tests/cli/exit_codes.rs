//! Every exit code, provoked in a `run` of the real binary by what causes it in life: a server that
//! refuses, a kernel without Landlock, a lock that is held. Nothing is injected.
//!
//! The list below is the table of codes and tests; a code without a test does not compile or fails
//! `no_code_is_without_its_test`. Which of several codes wins is `protocol::exit_code`'s own test, and
//! further ways to each code are in `agent_exit_codes` and `provider_errors`.

use std::process::Command;
use std::time::Duration;

use agi_agent::protocol::ExitCode;
use serde_json::Value;
use serde_json::json;

use crate::support::Finished;
use crate::support::TestContext;
use crate::support::denied;
use crate::support::finish;
use crate::support::model_server::ModelServer;

/// `name: Code => Finished;` for every code.
macro_rules! provoke {
    ($($name:ident: $code:ident => $finished:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let finished: Finished = $finished;
                ends_with(&finished, ExitCode::$code);
            }
        )*

        const TESTED: &[(ExitCode, &str)] = &[$((ExitCode::$code, stringify!($name))),*];
    };
}

provoke! {
    code_0_an_answer: Done => scripted(&json!([{"text": "42"}]), &[]);
    code_1_the_model_refuses: TaskFailed => scripted(&json!([{"text": "no", "stop": "refusal"}]), &[]);
    code_2_an_unknown_flag: Usage => run(&["--nosuch"]);
    code_41_the_server_refuses_the_key: Authentication => served("401", &[]);
    code_42_a_file_that_is_not_there: Input => run(&["--file", "nosuch.txt"]);
    code_43_a_call_is_denied: PermissionDenied =>
        scripted(&json!([write(), {"text": "done"}]), &["--sandbox", "read-only"]);
    code_44_a_kernel_without_landlock: SandboxUnavailable => {
        let context = TestContext::new();
        let script = json!([shell("echo ran"), {"text": "done"}]);
        let mut command = context.scripted(&script, &[]);
        denied::landlock(&mut command);
        finish(&mut command)
    };
    code_45_nobody_answers_at_the_address: Network => served("close", &[]);
    code_46_the_server_fails_again_and_again: Model => served("500", &[]);
    code_47_an_answer_that_is_no_object: OutputSchema => scripted(
        &json!([{"text": "a"}, {"text": "b"}, {"text": "c"}]),
        &["--output-schema", r#"{"type": "object"}"#],
    );
    code_48_a_condition_does_not_hold: PostCondition =>
        scripted(&json!([{"text": "done"}]), &["--expect", "test -e made.txt"]);
    code_49_another_task_than_the_recorded_one: ReplayDiverged => replayed_differently();
    code_52_a_file_with_a_broken_brace: Configuration => {
        let context = TestContext::new();
        context.configure("{\"limits\": ");
        finish(&mut context.run_command(&[]))
    };
    code_53_turns_run_out: TurnLimit =>
        scripted(&json!([shell("true"), shell("true"), shell("true")]), &["--max-turns", "2"]);
    code_54_no_thread_for_the_interpreter: FatalTool => {
        let context = TestContext::new();
        let mut command = context.run_command(&["--model", "builtin"]);
        denied::threads(&mut command);
        finish(&mut command)
    };
    code_55_a_project_nobody_trusts: Untrusted => {
        let context = TestContext::new();
        context.configure(r#"{"trust": {"required": true}}"#);
        context.write(".agi-agent/config.json", r#"{"approve": "auto"}"#);
        finish(&mut context.scripted(&json!([{"text": "done"}]), &[]))
    };
    code_56_tokens_run_out: Budget => {
        let mut first = shell("true");
        first["usage"] = json!({"input_tokens": 100, "output_tokens": 1});
        scripted(&json!([first, {"text": "done"}]), &["--max-tokens", "50"])
    };
    code_57_a_poem: OutsideBuiltin => TestContext::new().run(
        ["run", "--output-format", "json", "--model", "builtin", "write a poem about rain"],
    );
    code_75_another_process_holds_the_memory: TryAgainLater => with_locked_memory();
    code_124_the_time_is_over: TimeOut =>
        scripted(&json!([shell("sleep 30"), {"text": "late"}]), &["--timeout", "1s"]);
    code_130_ctrl_c: Interrupted => signalled("-INT");
    code_143_terminated: Terminated => signalled("-TERM");
}

#[test]
fn no_code_is_without_its_test() {
    for (code, words) in ExitCode::ALL {
        let number = u8::from(code);
        let tests = TESTED.iter().filter(|(tested, _)| *tested == code);
        let named = tests.filter(|(_, name)| name.starts_with(&format!("code_{number}_")));
        assert_eq!(named.count(), 1, "{number} ({words}) has no test named after it");
    }
    assert_eq!(TESTED.len(), ExitCode::ALL.len());
}

/// The process ends with the code; its result says the same, and why. A command line that cannot be
/// parsed has none.
fn ends_with(finished: &Finished, code: ExitCode) {
    let number = i32::from(u8::from(code));
    assert_eq!(finished.code, number, "{}\n{}", finished.stdout, finished.stderr);
    if finished.stdout.is_empty() {
        assert_eq!(code, ExitCode::Usage, "a run without a result: {}", finished.stderr);
    } else {
        let result: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(result["exit_code"], number, "{result}");
    }
    if code != ExitCode::Done {
        assert!(
            finished.stderr.contains("error: ") || number > 128,
            "nobody says why: {}",
            finished.stderr
        );
    }
}

trait Runs {
    fn run_command(&self, arguments: &[&str]) -> Command;
    fn scripted(&self, script: &Value, arguments: &[&str]) -> Command;
}

impl Runs for TestContext {
    fn run_command(&self, arguments: &[&str]) -> Command {
        let fixed = ["run", "--output-format", "json", "2 + 2"];
        self.command([&fixed[..], arguments].concat())
    }

    fn scripted(&self, script: &Value, arguments: &[&str]) -> Command {
        let path = self.write("../script.json", script.to_string());
        let model = format!("scripted/{}", path.display());
        self.run_command(&[&["--model", &model][..], arguments].concat())
    }
}

fn run(arguments: &[&str]) -> Finished {
    let context = TestContext::new();
    finish(&mut context.run_command(arguments))
}

fn scripted(script: &Value, arguments: &[&str]) -> Finished {
    let context = TestContext::new();
    finish(&mut context.scripted(script, arguments))
}

fn call(name: &str, arguments: Value) -> Value {
    json!({"tool_calls": [{"name": name, "arguments": arguments}]})
}

fn shell(command: &str) -> Value {
    call("shell", json!({ "command": command }))
}

fn write() -> Value {
    call("file_write", json!({"path": "a.txt", "content": "x"}))
}

/// A run with the remote model of a loopback server that behaves as `scenario` says.
fn served(scenario: &str, arguments: &[&str]) -> Finished {
    let server = ModelServer::start();
    let context = with_server(&server, scenario);
    finish(&mut context.run_command(&[&["--model", "openai/m"][..], arguments].concat()))
}

fn with_server(server: &ModelServer, scenario: &str) -> TestContext {
    let mut context = TestContext::new();
    context.configure(r#"{"network": {"max_retries": 1}}"#);
    context.env("OPENAI_BASE_URL", server.url(scenario)).env("OPENAI_API_KEY", "sk-test");
    context
}

fn replayed_differently() -> Finished {
    let server = ModelServer::start();
    let context = with_server(&server, "ok");
    let run = |more: &[&str]| {
        let model = ["--ephemeral", "--model", "openai/m"];
        finish(&mut context.run_command(&[&model[..], more].concat()))
    };
    context.write("more.txt", "not what was asked then");
    assert_eq!(run(&["--record", "tape"]).code, 0);
    run(&["--replay", "tape", "-f", "more.txt"])
}

fn with_locked_memory() -> Finished {
    let context = TestContext::new();
    assert_eq!(context.run(["memory", "add", "x"]).code, 0);
    let holder = rusqlite::Connection::open(context.data().join("agent.db")).unwrap();
    // What a repair or a backup does: nobody else may even read.
    holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let finished = finish(&mut context.scripted(&json!([{"text": "done"}]), &["--continue"]));
    drop(holder);
    finished
}

fn signalled(signal: &str) -> Finished {
    let context = TestContext::new();
    let mut command =
        context.scripted(&json!([shell("touch started; sleep 30"), {"text": "late"}]), &[]);
    command.args(["--sandbox", "workspace-write"]);
    let started = context.work().join("started");
    let signal = signal.to_owned();
    let child = command.spawn().unwrap();
    let id = child.id().to_string();
    for _ in 0..1000 {
        if started.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args([&signal, &id]).status().unwrap().success());
    crate::support::collect(&child.wait_with_output().unwrap(), Duration::ZERO)
}
