//! Tool calls within runs: declined, asked about, failing, fatal, repeated.

use std::sync::Mutex;

use super::*;
use crate::protocol::port::Question;
use crate::protocol::port::Verdict;

/// Answers in a fixed order, and keeps what it was shown.
struct Person {
    answers: Mutex<Vec<Verdict>>,
    shown: Mutex<Vec<String>>,
}

impl Person {
    fn new(answers: &[Verdict]) -> Arc<Self> {
        let answers = answers.iter().rev().cloned().collect();
        Arc::new(Self { answers: Mutex::new(answers), shown: Mutex::default() })
    }
}

#[async_trait]
impl Approver for Person {
    async fn ask(&self, question: &Question<'_>) -> Verdict {
        self.shown.lock().unwrap().push(question.summary.to_owned());
        self.answers.lock().unwrap().pop().expect("asked more often than expected")
    }
}

fn kill(name: &str) -> Value {
    calls("kill_program", json!({"target": name}))
}

#[tokio::test]
async fn a_declined_call_is_told_and_ends_43() {
    let script = json!([kill("sleep"), {"text": "could not", "expect": "nobody can be asked"}]);
    let mut bench = Bench::new(script);
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!((code(&outcome), outcome.text.as_str()), (43, "could not"));
    assert_eq!(outcome.denials[0].target, "sleep");
    assert_eq!(bench.completed()[0].status, ItemStatus::Declined);
    assert!(outcome.errors[0].contains("declined: `kill_program` on `sleep`"), "{outcome:?}");
}

#[tokio::test]
async fn an_expectation_that_holds_excuses_a_declined_call() {
    let mut bench = Bench::new(json!([kill("sleep"), {"text": "done otherwise"}]));
    let task = Task { expect: vec!["true".to_owned()], ..Task::text("go") };
    let outcome = bench.run(task).await;
    assert_eq!((code(&outcome), outcome.denials.len()), (0, 1));
}

#[tokio::test]
async fn success_on_the_same_target_resolves_a_denial() {
    let script = json!([
        calls("file_read", json!({"target": "a", "do": "denied"})),
        calls("file_read", json!({"target": "a"})),
        {"text": "done"},
    ]);
    let mut bench = Bench::new(script);
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!(code(&outcome), 0);
    assert!(outcome.denials[0].resolved);
}

#[tokio::test]
async fn a_person_is_asked_once_per_target_where_they_say_so() {
    let script = json!([kill("a"), kill("a"), kill("b"), kill("c"), {"text": "done"}]);
    let mut bench = Bench::new(script);
    let answers = [Verdict::AllowForSession, Verdict::AllowOnce, Verdict::Deny];
    let person = Person::new(&answers);
    let outcome =
        bench.run_with(Task::text("go"), Some(person.clone()), &Cancellation::new()).await;
    assert_eq!(code(&outcome), 43);
    let shown = person.shown.lock().unwrap().clone();
    assert_eq!(shown, ["kill_program a", "kill_program b", "kill_program c"]);
    let done = ItemStatus::Completed;
    let statuses: Vec<ItemStatus> =
        bench.completed().into_iter().take(4).map(|item| item.status).collect();
    assert_eq!(statuses, [done, done, done, ItemStatus::Declined]);
}

#[tokio::test]
async fn rules_bind_file_targets_behind_links() {
    let script = json!([calls("file_read", json!({"target": "link"})), {"text": "no"}]);
    let mut bench =
        Bench::new(script).with(|parts| parts.approval.deny = vec!["file_read(secret)".to_owned()]);
    std::fs::write(bench.path().join("secret"), "x").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("secret", bench.path().join("link")).unwrap();
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!(code(&outcome), 43);
}

#[tokio::test]
async fn an_error_is_told_and_the_model_goes_on() {
    let script = json!([
        {"tool_calls": [call("file_read", json!({"do": "fail"})), call("nosuch", json!({})),
                        {"name": "shell", "arguments": "{broken"}]},
        {"text": "done",
         "expect": ["it does not work", "there is no tool `nosuch`", "are not JSON"]},
    ]);
    let mut bench = Bench::new(script);
    assert_eq!(code(&bench.run(Task::text("go")).await), 0);
    let failed = bench.completed().iter().filter(|item| item.status == ItemStatus::Failed).count();
    assert_eq!(failed, 3);
}

#[tokio::test]
async fn a_fatal_tool_ends_the_run_with_54() {
    let script = json!([calls("file_read", json!({"do": "fatal"})), {"text": "never"}]);
    let mut bench = Bench::new(script);
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!((code(&outcome), outcome.text.as_str(), outcome.turns), (54, "", 1));
    assert_eq!(outcome.errors, ["the tool `file_read` failed: the floor fell out"]);
}

#[tokio::test]
async fn a_missing_sandbox_is_told_and_ends_44() {
    let script = json!([
        calls("shell", json!({"command": "ls", "do": "sandbox"})),
        calls("shell", json!({"command": "ls", "do": "sandbox"})),
        {"text": "I read instead", "expect": "no sandbox here"},
    ]);
    let mut bench = Bench::new(script);
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!((code(&outcome), outcome.text.as_str()), (44, "I read instead"));
    assert_eq!(outcome.errors, ["no sandbox here"], "told once");
    assert_eq!(outcome.sandbox_level, "none");
}

#[tokio::test]
async fn a_call_that_never_works_is_stopped() {
    let failing = calls("file_read", json!({"target": "a", "do": "fail"}));
    let mut script = vec![failing; 10];
    script[3]["expect"] = json!("has failed 3 times in a row");
    let mut bench = Bench::new(Value::Array(script));
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!((code(&outcome), outcome.turns), (1, 6));
}

#[tokio::test]
async fn a_changed_file_is_an_item_of_its_own() {
    let script =
        json!([calls("file_write", json!({"target": "a", "do": "change"})), {"text": "ok"}]);
    let mut bench = Bench::new(script);
    bench.run(Task::text("go")).await;
    let items = bench.completed();
    assert!(matches!(items[0].body, ItemBody::ToolCall { .. }), "{items:?}");
    let ItemBody::FileChange { path, diff, .. } = &items[1].body else { panic!("{items:?}") };
    assert_eq!((path.as_str(), diff.as_str()), ("a", "-a\n+b\n"));
}

#[tokio::test]
async fn read_only_forbids_writing_and_full_access_asks() {
    let script = || json!([calls("file_write", json!({"target": "a"})), {"text": "ok"}]);
    for (level, mode, expected) in [
        (SandboxLevel::ReadOnly, ApproveMode::Auto, 43),
        (SandboxLevel::WorkspaceWrite, ApproveMode::Deny, 0),
        (SandboxLevel::DangerFullAccess, ApproveMode::Ask, 43),
        (SandboxLevel::DangerFullAccess, ApproveMode::Auto, 0),
    ] {
        let mut bench = Bench::new(script()).with(|parts| {
            parts.sandbox.level = level;
            parts.approval.mode = mode;
        });
        assert_eq!(code(&bench.run(Task::text("go")).await), expected, "{level:?} {mode:?}");
    }
}
