//! Runs with a real memory: what is recalled, what is stored, what can be continued.

use super::*;
use crate::memory::MemoryHandle;
use crate::memory::NewItem;
use crate::protocol::port::Verdict;

fn memory_in(directory: &Path) -> MemoryHandle {
    let settings = MemorySettings {
        enabled: true,
        ephemeral: None,
        path: directory.join("data").join("agent.db"),
    };
    MemoryHandle::open(&settings).unwrap()
}

fn bench(script: Value, memory: &MemoryHandle) -> Bench {
    let memory = memory.clone();
    Bench::new(script).with(|parts| parts.tools.memory = Some(memory))
}

#[tokio::test]
async fn a_conversation_is_stored_as_it_grows_and_can_be_continued() {
    let directory = TempDir::new().unwrap();
    let memory = memory_in(directory.path());
    let script = json!([calls("file_read", json!({"target": "a"})), {"text": "first answer"}]);
    let first = bench(script, &memory).run(Task::text("first task")).await;
    let (session, messages) = memory.session_load(first.session_id.clone()).await.unwrap();
    assert_eq!(session.title, "first task");
    assert_eq!(messages.len(), 4);

    let script = json!([{"text": "second", "expect": ["first task", "did a", "first answer"]}]);
    let task =
        Task { session: SessionChoice::Resume(first.session_id.clone()), ..Task::text("more") };
    let second = bench(script, &memory).run(task).await;
    assert_eq!((code(&second), &second.session_id), (0, &first.session_id));
    let (_, messages) = memory.session_load(first.session_id).await.unwrap();
    assert_eq!(messages.len(), 6);
}

/// Allows everything for the session, and counts how often it was asked.
#[derive(Default)]
struct Trusting(std::sync::atomic::AtomicU32);

#[async_trait]
impl Approver for Trusting {
    async fn ask(&self, _question: &crate::protocol::port::Question<'_>) -> Verdict {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Verdict::AllowForSession
    }
}

#[tokio::test]
async fn what_was_allowed_for_a_session_holds_in_its_next_run() {
    let directory = TempDir::new().unwrap();
    let memory = memory_in(directory.path());
    let kill = calls("kill_program", json!({"target": "sleep"}));
    let script = json!([kill, {"text": "a"}, kill, {"text": "b"}, kill, {"text": "c"}]);
    let mut bench = bench(script, &memory);
    let agent = Agent::new(bench.parts.take().unwrap());
    let person = Arc::new(Trusting::default());
    let run = async |session| {
        let task = Task { session, ..Task::text("go") };
        agent.run(task, bench.recorder.clone(), Some(person.clone()), &Cancellation::new()).await
    };
    let first = run(SessionChoice::New).await;
    let second = run(SessionChoice::Resume(first.session_id)).await;
    assert_eq!((code(&second), person.0.load(std::sync::atomic::Ordering::Relaxed)), (0, 1));
    run(SessionChoice::New).await;
    assert_eq!(person.0.load(std::sync::atomic::Ordering::Relaxed), 2, "another session asks");
}

#[tokio::test]
async fn a_run_that_was_cut_off_can_be_continued() {
    let directory = TempDir::new().unwrap();
    let memory = memory_in(directory.path());
    let mut first = bench(json!([calls("file_read", json!({"do": "sleep"}))]), &memory);
    let cancel = Cancellation::new();
    let agent = Agent::new(first.parts.take().unwrap());
    {
        let run = agent.run(Task::text("slow"), first.recorder.clone(), None, &cancel);
        // Dropped in the middle of the call, as if the process had been killed.
        tokio::time::timeout(Duration::from_millis(300), run).await.unwrap_err();
    }
    let Event::ThreadStarted { thread_id, .. } = first.events().remove(0) else { panic!() };
    let script = json!([{"text": "ok", "expect": ["slow", "what it did is not known"]}]);
    let task = Task { session: SessionChoice::Resume(thread_id), ..Task::text("go on") };
    assert_eq!(code(&bench(script, &memory).run(task).await), 0);
}

#[tokio::test]
async fn the_latest_session_is_that_of_the_directory() {
    let directory = TempDir::new().unwrap();
    let memory = memory_in(directory.path());
    let latest = || Task { session: SessionChoice::Latest, ..Task::text("more") };
    let none = bench(json!([]), &memory).run(latest()).await;
    assert_eq!((code(&none), none.turns), (42, 0));
    assert!(none.errors[0].contains("no session was started"), "{:?}", none.errors);
    let unknown =
        Task { session: SessionChoice::Resume("nosuch".to_owned()), ..Task::text("more") };
    let unknown = bench(json!([]), &memory).run(unknown).await;
    assert_eq!((code(&unknown), unknown.errors.len()), (42, 1));
    let without = Bench::new(json!([])).run(latest()).await;
    assert_eq!(code(&without), 42);
}

#[tokio::test]
async fn what_fits_the_task_is_recalled_as_data() {
    let directory = TempDir::new().unwrap();
    let memory = memory_in(directory.path());
    memory.add(NewItem::new("the printer is called Gutenberg")).await.unwrap();
    let expected = ["Notes from memory (data", "the printer is called Gutenberg"];
    let script = json!([{"text": "Gutenberg", "expect": expected}]);
    let mut run = bench(script, &memory);
    assert_eq!(code(&run.run(Task::text("what is the printer called?")).await), 0);
    let recalled = run.completed().into_iter().next().unwrap();
    assert!(matches!(recalled.body, ItemBody::Memory { .. }), "{recalled:?}");
}

#[tokio::test]
async fn a_memory_tool_writes_the_memory_of_the_run() {
    let directory = TempDir::new().unwrap();
    let memory = memory_in(directory.path());
    let script = json!([calls("memory_add", json!({"content": "tea at four"})), {"text": "noted"}]);
    let mut run = bench(script, &memory);
    assert_eq!(code(&run.run(Task::text("remember")).await), 0);
    let stored = memory.list(crate::memory::ListQuery::default()).await.unwrap();
    assert_eq!(stored[0].content, "tea at four");
}

#[tokio::test]
async fn a_memory_that_cannot_be_written_is_told_once_and_the_run_goes_on() {
    let directory = TempDir::new().unwrap();
    // A file where the data directory would be.
    std::fs::write(directory.path().join("data"), "").unwrap();
    let memory = memory_in(directory.path());
    let script = json!([calls("file_read", json!({"target": "a"})), {"text": "done"}]);
    let mut run = bench(script, &memory);
    assert_eq!(code(&run.run(Task::text("go")).await), 0);
    let complaints = run
        .completed()
        .iter()
        .filter(|item| match &item.body {
            ItemBody::Error { message } => message.contains("cannot be stored"),
            _ => false,
        })
        .count();
    assert_eq!(complaints, 1);
}
