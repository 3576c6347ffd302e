//! `--record` and `--replay`: what is kept, where it replays, and what is told of it.

use serde_json::Value;
use serde_json::json;

use crate::support::Finished;
use crate::support::TestContext;
use crate::support::model_server::ModelServer;

const MODEL: [&str; 2] = ["--model", "openai/m"];

fn context(server: &ModelServer) -> TestContext {
    let mut context = TestContext::new();
    context.env("OPENAI_BASE_URL", server.url("ok"));
    context
}

/// A task whose tool call brings the working directory and its file into the conversation.
fn look(context: &TestContext, flag: &str, tape: &str, file: &str) -> Finished {
    let arguments = json!({"path": file});
    let task = format!("CALL file_read {arguments}");
    context.run([&["run", "--ephemeral", flag, tape][..], &MODEL, &[&task]].concat())
}

#[test]
fn a_recording_replays_in_another_directory_and_home() {
    let server = ModelServer::start();
    let there = context(&server);
    there.write("note.txt", "the note");
    let tape = there.work().join("tape");
    let tape = tape.to_str().unwrap();
    let recorded = look(&there, "--record", tape, "note.txt");
    assert_eq!((recorded.code, server.requests().len()), (0, 2), "{}", recorded.stderr);
    let first = std::fs::read_to_string(there.work().join("tape/0001.json")).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first["places"][0][1], "directory", "{first}");

    let here = context(&server);
    assert_ne!(here.work(), there.work());
    here.write("note.txt", "the note");
    let replayed = look(&here, "--replay", tape, "note.txt");
    assert_eq!((replayed.code, replayed.stdout), (0, recorded.stdout), "{}", replayed.stderr);
    assert_eq!(server.requests().len(), 2);
    assert!(!replayed.stderr.contains("recording"), "{}", replayed.stderr);

    // What is not the directory is still a difference: the task, and what a tool brings.
    let asked = look(&here, "--replay", tape, "other.txt");
    assert_eq!(asked.code, 49, "{}", asked.stderr);
    assert!(asked.stderr.contains("other.txt"), "{}", asked.stderr);
    here.write("note.txt", "another note");
    let read = look(&here, "--replay", tape, "note.txt");
    assert_eq!(read.code, 49, "{}", read.stderr);
    assert!(read.stderr.contains("another note"), "{}", read.stderr);
}

#[test]
fn chat_and_model_test_tell_what_a_recording_was_not_used_for() {
    let builtin = ["--model", "builtin", "--record"];
    let nothing = |finished: &Finished, tape: &str| {
        let told = format!("nothing was recorded in `{tape}`");
        assert!(finished.stderr.contains(&told), "{}", finished.stderr);
    };
    let context = TestContext::new();
    let chat = [&["chat", "--ephemeral"][..], &builtin, &["a"]].concat();
    let finished = context.run_with_input(chat, b"what is 2 + 3\n");
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "5\n"), "{}", finished.stderr);
    nothing(&finished, "a");
    let tested = context.run([&["model", "test"][..], &builtin, &["b"]].concat());
    assert_eq!(tested.code, 0, "{}", tested.stderr);
    nothing(&tested, "b");

    let server = ModelServer::start();
    let context = self::context(&server);
    let ask = |flag: &str, lines: &str| {
        let chat = [&["chat", "--ephemeral", flag, "tape"][..], &MODEL].concat();
        context.run_with_input(chat, lines.as_bytes())
    };
    let recorded = ask("--record", "one\ntwo\n");
    assert_eq!((recorded.code, server.requests().len()), (0, 2), "{}", recorded.stderr);
    assert!(!recorded.stderr.contains("recorded in"), "{}", recorded.stderr);
    let half = ask("--replay", "one\n");
    assert_eq!(half.code, 0, "{}", half.stderr);
    assert!(half.stderr.contains("1 of the recording's 2 exchanges"), "{}", half.stderr);
    let whole = ask("--replay", "one\ntwo\n");
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    assert!(!whole.stderr.contains("exchanges"), "{}", whole.stderr);
}
