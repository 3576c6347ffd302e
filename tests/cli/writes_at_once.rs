//! Many writers of one file at the same time: whoever is told that it was done finds it done.

use serde_json::json;

use crate::serve::Service;
use crate::support::TestContext;
use crate::support::collected;

fn lines(context: &TestContext, path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(context.work().join(path)).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn expected(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

/// Runs commands at once; all must end with 0.
fn at_once(context: &TestContext, commands: impl Iterator<Item = Vec<String>>) {
    let children: Vec<_> =
        commands.map(|arguments| context.command(arguments).spawn().unwrap()).collect();
    for child in children {
        let finished = collected(child);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn lines_that_processes_append_are_all_there() {
    let context = TestContext::new();
    // The first makes the file, and directories; none of the others takes it for its own.
    at_once(
        &context,
        (0..40).map(|number| {
            words(&["file", "write", "d/e/app", &format!("line {number}\n"), "--append"])
        }),
    );
    assert_eq!(
        lines(&context, "d/e/app"),
        expected((0..40).map(|number| format!("line {number}")))
    );
    let left = std::fs::read_dir(context.work().join("d/e")).unwrap().count();
    assert_eq!(left, 1, "no lock and no temporary file is left");
}

#[test]
fn lines_that_tools_append_are_all_there() {
    let context = TestContext::new();
    at_once(
        &context,
        (0..20).map(|number| {
            let arguments =
                json!({"path": "app", "content": format!("line {number}\n"), "append": true});
            let arguments = arguments.to_string();
            let level = ["--sandbox", "workspace-write"];
            words(&[&["tool", "run", "file_write", "--args", &arguments][..], &level].concat())
        }),
    );
    assert_eq!(lines(&context, "app"), expected((0..20).map(|number| format!("line {number}"))));
}

#[test]
fn edits_by_processes_are_all_there() {
    let context = TestContext::new();
    let text = |word: &str| {
        (10..30).map(|number| format!("{word}{number}\n")).collect::<Vec<_>>().concat()
    };
    context.write("e", text("tok"));
    at_once(
        &context,
        (10..30).map(|number| {
            let (old, new) = (format!("tok{number}"), format!("NEW{number}"));
            words(&["file", "edit", "e", "--old", &old, "--new", &new])
        }),
    );
    assert_eq!(std::fs::read_to_string(context.work().join("e")).unwrap(), text("NEW"));
}

#[test]
fn one_of_those_who_make_a_file_by_a_patch_makes_it() {
    let context = TestContext::new();
    let children: Vec<_> = (0..8)
        .map(|number| {
            let patch = format!("--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+{number}\n");
            let name = format!("{number}.diff");
            context.write(&name, patch);
            context.command(["file", "edit", "f", "--patch", &name]).spawn().unwrap()
        })
        .collect();
    let codes: Vec<i32> = children.into_iter().map(|child| collected(child).code).collect();
    let made: Vec<usize> = (0..8).filter(|number| codes[*number] == 0).collect();
    assert!(codes.iter().all(|code| [0, 42].contains(code)), "{codes:?}");
    assert_eq!(lines(&context, "f"), expected(made.iter().map(usize::to_string)), "{codes:?}");
}

#[test]
fn what_clients_of_one_service_append_is_all_there() {
    let context = TestContext::new();
    let mut service = Service::start(&context);
    let config = json!({"sandbox.level": "workspace-write", "approve": "auto"});
    for number in 0..40 {
        let arguments =
            json!({"path": "app", "content": format!("line {number}\n"), "append": true});
        let params = json!({"name": "file_write", "arguments": arguments,
                            "options": {"config": config}});
        service.send(&json!({"id": number, "method": "tool.run", "params": params}));
    }
    for _ in 0..40 {
        let answer = service.next();
        assert_eq!(answer["result"]["status"], "completed", "{answer}");
    }
    assert_eq!(lines(&context, "app"), expected((0..40).map(|number| format!("line {number}"))));
    assert_eq!(service.end(), Some(0));
}

#[test]
fn what_runs_of_one_service_append_is_all_there() {
    let context = TestContext::new();
    let mut service = Service::start(&context);
    for run in 0..4 {
        let calls: Vec<_> = (0..10)
            .map(|call| {
                let line = format!("run {run} call {call}\n");
                let arguments = json!({"path": "app", "content": line, "append": true});
                json!({"name": "file_write", "arguments": arguments})
            })
            .collect();
        let script = context.write(
            &format!("../script{run}.json"),
            json!([{"tool_calls": calls}, {"text": "done"}]).to_string(),
        );
        let config = json!({"model.provider": "scripted", "model.script": script,
                            "sandbox.level": "workspace-write"});
        let params = json!({"task": "go", "options": {"config": config}});
        service.send(&json!({"id": run, "method": "run.start", "params": params}));
    }
    let mut ended = 0;
    while ended < 4 {
        let line = service.next();
        let event = &line["params"]["event"];
        if event["type"] == "result" {
            assert_eq!(event["exit_code"], 0, "{event}");
            ended += 1;
        }
    }
    let all = (0..4).flat_map(|run| (0..10).map(move |call| format!("run {run} call {call}")));
    assert_eq!(lines(&context, "app"), expected(all));
    assert_eq!(service.end(), Some(0));
}
