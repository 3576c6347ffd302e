//! `agi-agent tool …`: tools without a model, and their exit codes.

use serde_json::Value;

use crate::support::TestContext;

#[test]
fn list_names_every_tool_with_one_line() {
    let finished = TestContext::new().run(["tool", "list"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    for name in ["file_read", "file_edit", "file_search", "calculator", "web_fetch", "memory_add"] {
        assert_eq!(
            finished.stdout.lines().filter(|line| line.split(' ').next() == Some(name)).count(),
            1,
            "{name}: {}",
            finished.stdout
        );
    }
    let json = TestContext::new().run(["tool", "list", "--json"]).stdout;
    let specs: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(specs.len(), finished.stdout.lines().count());
    assert_eq!(specs[0]["name"], "file_read");
}

#[test]
fn show_prints_the_schema() {
    insta::assert_snapshot!(TestContext::new().snapshot(["tool", "show", "calculator"]), @r#"
    exit code: 0
    ----- stdout -----
    calculator: Exact arithmetic: + - * / // % ^, 15% of 80, sqrt, round, log, sin, min, max

    {
      "type": "object",
      "properties": {
        "expression": {
          "type": "string"
        }
      },
      "required": [
        "expression"
      ]
    }
    [EOF]
    ----- stderr -----
    [EOF]
    "#);
    insta::assert_snapshot!(TestContext::new().snapshot(["tool", "show", "calculater"]), @r"
    exit code: 42
    ----- stdout -----
    [EOF]
    ----- stderr -----
    error: there is no tool `calculater`; did you mean `calculator`?
    [EOF]
    ");
}

#[test]
fn run_prints_text_or_data() {
    let context = TestContext::new();
    let arguments = r#"{"expression": "2^64"}"#;
    let text = context.run(["tool", "run", "calculator", "--args", arguments]);
    assert_eq!((text.code, text.stdout.as_str()), (0, "18446744073709551616\n"));
    let piped = context.run_with_input(
        ["tool", "run", "calculator", "--args", "-", "--json"],
        arguments.as_bytes(),
    );
    let value: Value = serde_json::from_str(&piped.stdout).unwrap();
    assert_eq!(value["data"]["value"], "18446744073709551616");
    assert_eq!((&value["status"], &value["exit_code"]), (&"completed".into(), &0.into()));
}

#[test]
fn what_goes_wrong_has_its_code() {
    let context = TestContext::new();
    context.write("a", "x\n");
    let code = |name: &str, arguments: &str, more: &[&str]| {
        let args = [&["tool", "run", name, "--args", arguments], more].concat();
        let finished = context.run(args);
        assert!(finished.code == 0 || finished.stdout.is_empty(), "{}", finished.stdout);
        assert_eq!(finished.code == 0, finished.stderr.is_empty(), "{}", finished.stderr);
        finished.code
    };
    assert_eq!(code("file_read", r#"{"path": "a"}"#, &[]), 0);
    assert_eq!(code("file_read", r#"{"path": "b"}"#, &[]), 42);
    assert_eq!(code("file_read", r#"{"path": 1}"#, &[]), 42);
    assert_eq!(code("file_read", "{", &[]), 42);
    assert_eq!(code("nothing", "{}", &[]), 42);
    assert_eq!(code("calculator", r#"{"expression": "1/0"}"#, &[]), 42);
    let write = r#"{"path": "b", "content": "y"}"#;
    assert_eq!(code("file_write", write, &["--sandbox", "read-only"]), 43);
    assert!(!context.work().join("b").exists());
    assert_eq!(code("file_write", write, &["--sandbox", "workspace-write"]), 0);
    assert_eq!(std::fs::read(context.work().join("b")).unwrap(), b"y");
    let outside = r#"{"path": "../home/x", "content": "y"}"#;
    assert_eq!(code("file_write", outside, &["--sandbox", "workspace-write"]), 43);
    let page = r#"{"url": "https://host.example/"}"#;
    assert_eq!(code("web_fetch", page, &["--offline", "--net", "all"]), 45);
    let own = r#"{"url": "http://127.0.0.1:9/"}"#;
    assert_eq!(code("web_fetch", own, &["--net", "all"]), 43);
}

#[cfg(unix)]
#[test]
fn commands_know_their_shell() {
    let told = |context: &TestContext| {
        let arguments = r#"{"command": "printenv SHELL"}"#;
        let told = context.run(["tool", "run", "shell", "--args", arguments, "--json"]).stdout;
        serde_json::from_str::<Value>(&told).unwrap()["data"]["stdout"].clone()
    };
    let mut context = TestContext::new();
    let shell = told(&context);
    let known = ["/bin/bash\n", "/usr/bin/bash\n", "/bin/sh\n"];
    assert!(known.iter().any(|known| shell == *known), "{shell}");
    context.env("SHELL", "/bin/a-shell-of-mine");
    assert_eq!(told(&context), "/bin/a-shell-of-mine\n");
}

#[test]
fn thousands_of_calls_in_one_reply_come_to_their_end() {
    let context = TestContext::new();
    let calls: Vec<_> = (0..3000)
        .map(|number| {
            let arguments = serde_json::json!({"expression": format!("{number}+1")});
            serde_json::json!({"name": "calculator", "arguments": arguments})
        })
        .collect();
    let script = serde_json::json!([{"tool_calls": calls}, {"text": "done"}]).to_string();
    let path = context.write("../script.json", script);
    let model = format!("scripted/{}", path.display());
    let finished = context.run(["run", "--output-format", "jsonl", "--model", &model, "go"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let of_calls = |line: &&str| {
        line.contains("\"item.completed\"") && line.contains("\"tool\":\"calculator\"")
    };
    assert_eq!(finished.stdout.lines().filter(of_calls).count(), 3000);
}

#[test]
fn arguments_are_an_object_and_nothing_else() {
    let context = TestContext::new();
    context.write("aa", "text");
    for other in [r#"["aa", null, null]"#, "\"aa\"", "null"] {
        let finished = context.run(["tool", "run", "file_read", "--args", other]);
        assert_ne!(finished.code, 0, "{other}: {}", finished.stdout);
        assert!(finished.stderr.contains("object"), "{other}: {}", finished.stderr);
    }
}
