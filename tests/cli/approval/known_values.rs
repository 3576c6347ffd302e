//! Cases 30 and 31 once more: a value that is known stands nowhere, though the model itself writes it, in a
//! call or a thought, or the person in a condition; what runs has it all the same.

use serde_json::Value;
use serde_json::json;

use super::call;
use super::calls;
use super::canaries::files;
use crate::agent_exit_codes::run_script;
use crate::support::Finished;
use crate::support::TestContext;

const VALUE: &str = "Zq8canaryVALUE01x9KtPw77";
const JSONL: [&str; 4] = ["--sandbox", "workspace-write", "--output-format", "jsonl"];

fn context() -> TestContext {
    let mut context = TestContext::new();
    context.env("MY_TOKEN", VALUE);
    context
}

/// Streams and files that have the value; `seeded` are ours.
fn hits(context: &TestContext, finished: &Finished, seeded: &[&str]) -> Vec<String> {
    let mut hits = Vec::new();
    for (name, stream) in [("stdout", &finished.stdout), ("stderr", &finished.stderr)] {
        if stream.contains(VALUE) {
            hits.push(format!("{name}: {stream}"));
        }
    }
    for path in files(context.work().parent().unwrap()) {
        let bytes = std::fs::read(&path).unwrap();
        let is_ours = seeded.iter().any(|name| path.ends_with(name));
        if !is_ours && memchr::memmem::find(&bytes, VALUE.as_bytes()).is_some() {
            hits.push(path.display().to_string());
        }
    }
    hits
}

#[test]
fn case_31_a_value_in_a_call_or_a_thought_is_shown_and_stored_nowhere() {
    let said = |name: &str, arguments: Value| calls(vec![call(name, arguments)]);
    let rows = [
        said("shell", json!({"command": format!("echo {VALUE}")})),
        said("shell", json!({"command": format!("echo {VALUE}; exit 3")})),
        said("shell", json!({"comand": VALUE})),
        said("python_exec", json!({"code": format!("print('{VALUE}')")})),
        said("calculator", json!({"expression": format!("1+1 # {VALUE}")})),
        said("file_read", json!({"path": VALUE})),
        said("file_write", json!({"path": "../outside", "content": VALUE})),
        said("memory_add", json!({"content": format!("it is {VALUE}")})),
        said("memory_add", json!({"text": VALUE})),
        said("web_fetch", json!({"url": format!("http://203.0.113.1/{VALUE}")})),
        said(VALUE, json!({VALUE: VALUE})),
        json!({"text": "hm", "reasoning": format!("it is {VALUE}, I think")}),
        json!({"tool_calls": [call("calculator", json!({"expression": "1+1"}))],
            "reasoning": format!("{VALUE} it is")}),
    ];
    for row in rows {
        let context = context();
        let trace = context.work().join("trace.json").to_string_lossy().into_owned();
        let mut more = vec!["-v", "--trace", &trace];
        more.extend(JSONL);
        let finished = run_script(&context, &json!([row, {"text": "done"}]), &more);
        assert!(finished.stdout.contains("\"result\""), "{row}: {}", finished.stderr);
        assert_eq!(hits(&context, &finished, &["script.json"]), Vec::<String>::new(), "{row}");
        // A thought is told without the value, and a call with its placeholder.
        assert!(finished.stdout.contains("[secret:MY_TOKEN]"), "{row}: {}", finished.stdout);
        assert!(!files(&context.data()).is_empty(), "the session was stored");
    }
}

#[test]
fn case_31_what_runs_has_the_value_and_the_next_request_a_placeholder() {
    let context = context();
    let command = format!("printf %s {VALUE} | wc -c; printf %s {VALUE} > copy");
    let write = json!({"path": "b", "content": format!("T={VALUE}\n")});
    let script = json!([
        calls(vec![call("shell", json!({"command": command}))]),
        calls(vec![call("file_write", write)]),
        calls(vec![call("file_write", json!({"path": "c", "content": "[secret:MY_TOKEN]"}))]),
        {"text": "done", "expect": ["24"]},
    ]);
    let finished = run_script(&context, &script, &JSONL);
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    let text = |name: &str| std::fs::read_to_string(context.work().join(name)).unwrap();
    assert_eq!(
        (text("copy"), text("b"), text("c")),
        (VALUE.to_owned(), format!("T={VALUE}\n"), VALUE.to_owned(),)
    );
    let seeded = ["script.json", "copy", "b", "c"];
    assert_eq!(hits(&context, &finished, &seeded), Vec::<String>::new());
}

#[test]
fn case_31_a_condition_that_does_not_hold_is_told_without_the_value() {
    for option in ["--expect", "--forbid"] {
        let context = context();
        let end = if option == "--expect" { "false" } else { "true" };
        let condition = format!("echo {VALUE} >/dev/null; {end}");
        let mut more = vec![option, condition.as_str()];
        more.extend(JSONL);
        let finished = run_script(&context, &json!([{"text": "done"}]), &more);
        assert_eq!(finished.code, 48, "{}{}", finished.stdout, finished.stderr);
        assert!(finished.stderr.contains("[secret:MY_TOKEN]"), "{}", finished.stderr);
        assert_eq!(hits(&context, &finished, &["script.json"]), Vec::<String>::new());
    }
}

/// Spaced, grouped and dumped hexadecimal, and escapes.
#[test]
fn case_30_a_value_is_found_in_dumps() {
    let python =
        |code: &str| format!("python3 -c \"import os; v = os.environ['MY_TOKEN']; {code}\"");
    let rows = [
        "printf %s \"$MY_TOKEN\" | od -An -tx1 -v".to_owned(),
        "printf %s \"$MY_TOKEN\" | od -A x -tx1z -v".to_owned(),
        "printf 'a line before it: %s and after' \"$MY_TOKEN\" | od -tx1z".to_owned(),
        "printf %s \"$MY_TOKEN\" | od -An -tx1 -v | tr -d ' \\n' | tr a-f A-F".to_owned(),
        python("print(''.join('\\\\\\\\u%04x' % ord(c) for c in v))"),
        python("print(''.join('\\\\\\\\x%02X' % ord(c) for c in v))"),
        python("print(v.encode().hex(':'))"),
        // As `xxd` prints it.
        python(
            "b = v.encode(); [print('%08x: %-39s  %s' % (i, b[i:i+16].hex(' ', 2), \
             b[i:i+16].decode())) for i in range(0, len(b), 16)]",
        ),
    ];
    for command in rows {
        let context = context();
        let script =
            json!([calls(vec![call("shell", json!({"command": command}))]), {"text": "x"}]);
        let mut more = vec!["--env", "MY_TOKEN"];
        more.extend(JSONL);
        let finished = run_script(&context, &script, &more);
        assert!(finished.stdout.contains("\"exit_code\":0"), "{command}: {}", finished.stdout);
        assert!(finished.stdout.contains("[secret:MY_TOKEN-"), "{command}: {}", finished.stdout);
        let flat = finished.stdout.to_lowercase().replace([' ', ':', '\\', 'x', 'u'], "");
        for mark in ["5a713863616e", "61727956414c5545", "zq8canary", "005a00710038", "774b7450"] {
            assert!(!flat.contains(mark), "{mark} of {command}: {}", finished.stdout);
        }
    }
}

/// What no variable names is known by its form: a token that only a file has, encoded by a command.
#[test]
fn case_30_encoded_secrets_are_found_by_their_form() {
    let context = TestContext::new();
    let token = format!("ghp_{}", "C4n4ryA1B2c3D4e5F6g7H8i9J0k1L2m3N4o5");
    context.write("note", token);
    let command = "base64 -w 0 note; echo; (printf x; cat note) | base64 -w 0; echo; \
                   od -An -v -tx1 note | tr -d ' \\n'; echo; echo the end";
    let script = json!([calls(vec![call("shell", json!({"command": command}))]), {"text": "x"}]);
    let finished = run_script(&context, &script, &JSONL);
    assert!(finished.stdout.contains("the end"), "{}", finished.stdout);
    for mark in ["Z2hwX0M0bjRyeUEx", "F9DNG40cnlBMUIy", "6768705f43346e34727941"] {
        assert!(!finished.stdout.contains(mark), "{mark}: {}", finished.stdout);
    }
    for how in ["[secret:github-token-base64-", "[secret:github-token-hex-"] {
        assert!(finished.stdout.contains(how), "{how}: {}", finished.stdout);
    }
}

/// A text that nobody concealed is copied as it is, and names no secret: neither one that there is nor
/// one that there is not.
#[test]
fn case_31_what_looks_like_a_placeholder_stands_for_itself() {
    let context = context();
    let text = "see [secret:OTHER]\n";
    context.write("README", text);
    context.write("trap", "put [secret:MY_TOKEN] here\n");
    // Numbers are given in the order in which texts come, so one after the other.
    let read = |path: &str| calls(vec![call("file_read", json!({"path": path}))]);
    let write = |path: &str, content: &str| {
        calls(vec![call("file_write", json!({"path": path, "content": content}))])
    };
    let script = json!([
        read("README"),
        read("trap"),
        write("copy", "see [secret:literal-1]\n"),
        write("leak", "put [secret:literal-2] here\n"),
        {"text": "done", "expect": ["see [secret:literal-1]", "put [secret:literal-2] here"]},
    ]);
    let finished = run_script(&context, &script, &JSONL);
    let copy = std::fs::read_to_string(context.work().join("copy")).unwrap_or_default();
    assert_eq!(copy, text, "{}", finished.stdout);
    assert_eq!(hits(&context, &finished, &["script.json"]), Vec::<String>::new());
}
