//! Cases 30 and 31: secrets everywhere a run can meet them, and afterwards not one of them in any
//! stream or file that the run produced, and no file of the person's damaged.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use super::call;
use super::calls;
use super::run;
use crate::support::Finished;
use crate::support::TestContext;
use crate::support::model_server::ModelServer;

/// Secrets by where they are seeded. Put together here, so that no scanner of this repository takes
/// them for real ones.
fn canaries() -> BTreeMap<&'static str, String> {
    let letters = "C4n4ryA1B2c3D4e5F6g7H8i9J0k1L2m3N4o5";
    let pem = |body: &str| {
        format!("-----BEGIN PRIVATE {0}-----\n{body}\n-----END PRIVATE {0}-----", "KEY")
    };
    BTreeMap::from([
        ("env name", "canary-environment-0815".to_owned()),
        ("env key", format!("sk-{letters}")),
        ("env file", "canary-dotenv-4711".to_owned()),
        ("github", format!("ghp_{letters}")),
        ("aws", format!("AKIA{}", "C4N4RYC4N4RYC4N4")),
        ("google", format!("AIza{letters}")),
        ("jwt", format!("eyJ{letters}.{letters}.sig-canary")),
        ("slack", "xoxb-1234567890-canary".to_owned()),
        ("url", "canary-url-password".to_owned()),
        ("pem", pem("MIICcanaryCANARYcanary0123456789")),
        ("json", "canary-json-value-1".to_owned()),
    ])
}

fn dotenv(canaries: &BTreeMap<&str, String>) -> String {
    format!(
        "# keep me\nDB_PASSWORD={}\nGITHUB={}\nAWS={}\nGOOGLE={}\nURL=https://ada:{}@example.org/\n",
        canaries["env file"],
        canaries["github"],
        canaries["aws"],
        canaries["google"],
        canaries["url"],
    )
}

/// Every file below a directory.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// How often canaries stand in what the run produced; where, for the message.
fn hits(context: &TestContext, seeded: &[PathBuf], finished: &Finished) -> Vec<String> {
    let mut texts: Vec<(String, Vec<u8>)> = vec![
        ("stdout".to_owned(), finished.stdout.clone().into_bytes()),
        ("stderr".to_owned(), finished.stderr.clone().into_bytes()),
    ];
    let produced = files(context.work().parent().unwrap());
    for path in produced.into_iter().filter(|path| !seeded.contains(path)) {
        texts.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    let mut hits = Vec::new();
    for (place, bytes) in texts {
        for (kind, canary) in canaries() {
            // Of a private key the inner line is the secret.
            let needle = canary.lines().nth(1).unwrap_or(&canary);
            if memchr::memmem::find(&bytes, needle.as_bytes()).is_some() {
                hits.push(format!("{kind} in {place}"));
            }
        }
    }
    hits
}

#[expect(clippy::too_many_lines, reason = "one conversation from end to end")]
#[test]
fn case_31_no_canary_is_found_and_no_file_is_damaged() {
    let mut context = TestContext::new();
    let seeds = canaries();
    context.env("DEPLOY_TOKEN", &seeds["env name"]).env("OPENAI_API_KEY", &seeds["env key"]);
    let env_text = dotenv(&seeds);
    let env = context.write(".env", &env_text);
    let keys_text = format!(
        "{{\"password\": \"{}\", \"jwt\": \"{}\", \"slack\": \"{}\"}}\n{}\n{} {}\n",
        seeds["json"],
        seeds["jwt"],
        seeds["slack"],
        seeds["pem"],
        seeds["env name"],
        seeds["env key"]
    );
    let keys = context.write("keys.txt", &keys_text);
    let read = |path: &str| call("file_read", json!({"path": path}));
    let write = |path: &str, content: &str| {
        calls(vec![call("file_write", json!({"path": path, "content": content}))])
    };
    let script = json!([
        calls(vec![read(".env"), read("keys.txt"), call("file_search", json!({"pattern": "="}))]),
        calls(vec![
            call("shell", json!({"command": "cat .env keys.txt; cat keys.txt >&2; env"})),
            call("python_exec", json!({"code": "print(open('.env').read())"})),
        ]),
        // One line is changed by its neighbours' placeholders, as an editing model would.
        calls(vec![call("file_edit", json!({
            "path": ".env",
            "old": "# keep me\nDB_PASSWORD=[secret:value-2]\n",
            "new": "# kept\nDB_PASSWORD=[secret:value-2]\n",
        }))]),
        write("lost.txt", "x [secret:jwt-99] y"),
        calls(vec![call("memory_add", json!({"content": "it is [secret:value-2]"}))]),
        calls(vec![call("shell", json!({"command": "echo '[secret:value-2]' > f"}))]),
        {"text": "the password is [secret:value-2]"},
    ]);
    let script = context.write("../script.json", script.to_string());
    let model = format!("scripted/{}", script.display());
    let task = format!("use {} and {}", seeds["github"], seeds["env name"]);
    let trace = context.work().join("trace.json");
    let finished = context.run([
        "-vv",
        "--trace",
        &trace.to_string_lossy(),
        "run",
        &task,
        "--model",
        &model,
        "--sandbox",
        "workspace-write",
        "--output-format",
        "jsonl",
        "-f",
        ".env",
    ]);
    let seeded = [env.clone(), keys.clone()];
    assert_eq!(hits(&context, &seeded, &finished), Vec::<String>::new());
    assert!(finished.stdout.contains("[secret:DEPLOY_TOKEN]"), "{}", finished.stdout);
    assert_eq!(std::fs::read_to_string(&keys).unwrap(), keys_text);
    let changed = std::fs::read_to_string(&env).unwrap();
    assert_eq!(changed, env_text.replace("# keep me", "# kept"), "{}", finished.stdout);
    assert!(!context.work().join("lost.txt").exists(), "a placeholder would have been stored");
    assert!(!context.work().join("f").exists());
    assert!(!files(&context.data()).is_empty(), "the session was stored");
    let finished = context.run(["memory", "list", "--json"]);
    assert!(!finished.stdout.contains("[secret:"), "{}", finished.stdout);
}

#[test]
fn case_31_a_copy_of_a_secret_file_is_whole() {
    let context = TestContext::new();
    let text = dotenv(&canaries());
    context.write(".env", &text);
    // The placeholders are numbered in the order in which they are met.
    let copy = "# keep me\nDB_PASSWORD=[secret:value-1]\nGITHUB=[secret:github-token-2]\n\
        AWS=[secret:aws-key-3]\nGOOGLE=[secret:google-key-4]\n\
        URL=https://ada:[secret:password-5]@example.org/\n";
    let script = json!([
        calls(vec![call("file_read", json!({"path": ".env"}))]),
        calls(vec![call("file_write", json!({"path": "copy", "content": copy}))]),
        {"text": "done"},
    ]);
    let ran = run(&context, &script, &["--sandbox", "workspace-write"]);
    assert_eq!(ran.code, 0, "{}", ran.result);
    assert_eq!(std::fs::read_to_string(context.work().join("copy")).unwrap(), text);
}

/// Each command tells what it found; the agent itself has the canary in its environment.
#[test]
fn case_30_children_find_no_secret_of_the_agent() {
    let commands = [
        "printenv",
        "env",
        "cat /proc/self/environ",
        "cat /proc/$PPID/environ",
        "cat /proc/*/environ",
        "cat /proc/$PPID/mem",
        "ls -l /proc/$PPID/fd /proc/$PPID/fd/0",
        "cat /proc/$PPID/fd/*",
        "tr '\\0' '\\n' < /proc/1/environ",
    ];
    for level in ["read-only", "workspace-write"] {
        let mut context = TestContext::new();
        context.env("DEPLOY_TOKEN", "canary-environment-0815").env("PLAIN", "plainly-0815");
        for command in commands {
            // Reversed, so that nothing but the sandbox keeps it from us.
            let command = format!("{{ {command}; }} 2>/dev/null | tr -d '\\0' | rev; true");
            let script = json!([
                calls(vec![call("shell", json!({"command": command}))]),
                {"text": "done"},
            ]);
            let path = context.write("../script.json", script.to_string());
            let model = format!("scripted/{}", path.display());
            let arguments =
                ["run", "x", "--model", &model, "--sandbox", level, "--output-format", "jsonl"];
            let finished = context.run(arguments);
            for secret in ["canary-environment-0815", "plainly-0815"] {
                let reversed: String = secret.chars().rev().collect();
                assert!(!finished.stdout.contains(&reversed), "{level} {command}");
            }
        }
    }
}

#[test]
fn a_variable_that_the_person_names_reaches_children() {
    let mut context = TestContext::new();
    context.env("DEPLOY_TOKEN", "canary-environment-0815");
    let length: Value =
        json!({"command": "printf %s \"$DEPLOY_TOKEN\" | wc -c; echo $DEPLOY_TOKEN"});
    let expect = ["23", "[secret:DEPLOY_TOKEN]"];
    let script = json!([calls(vec![call("shell", length)]), {"text": "done", "expect": expect}]);
    assert_eq!(run(&context, &script, &["--env", "DEPLOY_TOKEN"]).code, 0);
    assert_ne!(run(&context, &script, &[]).code, 0);
}

/// At `danger-full-access` only the kernel keeps the agent's environment from a command of the same
/// user; root reads everything, so this runs as somebody else where the test runs as root.
#[test]
fn case_30_the_agent_is_closed_to_its_own_user() {
    use std::process::Command;
    use std::process::Stdio;

    let context = TestContext::new();
    let root = context.work().parent().unwrap().to_path_buf();
    let look = "cat /proc/*/environ /proc/$PPID/fd/* 2>/dev/null | tr -d '\\0' | rev; echo looked";
    let script = json!([
        calls(vec![call("shell", json!({"command": look}))]),
        {"text": "done", "expect": "looked"},
    ]);
    let path = context.write("../script.json", script.to_string());
    let own = crate::support::binary();
    let program = root.join(own.file_name().unwrap());
    std::fs::copy(own, &program).unwrap();
    let mode = Command::new("chmod").args(["-R", "a+rwX"]).arg(&root).status().unwrap();
    assert!(mode.success());
    let model = format!("scripted/{}", path.display());
    let arguments = [
        "run",
        "x",
        "--model",
        &model,
        "--sandbox",
        "danger-full-access",
        "--approve",
        "auto",
        "--output-format",
        "jsonl",
    ];
    let sealed = context.command(arguments);
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
        command
    } else {
        Command::new(&program)
    };
    command.args(arguments).current_dir(context.work()).env_clear();
    for (name, value) in sealed.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("PLAIN", "plainly-0815");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let finished = crate::support::finish(&mut command);
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    let reversed: String = "plainly-0815".chars().rev().collect();
    assert!(!finished.stdout.contains(&reversed), "{}", finished.stdout);
}

/// What a command does to a secret before it prints it: the forms of it are secrets as well, whole or in
/// two pieces of live output.
#[test]
fn case_30_encoded_secrets_are_found_and_pieces_are_put_together() {
    let secret = "canary-deploy-0815/4711";
    let mut context = TestContext::new();
    context.env("DEPLOY_TOKEN", secret);
    let command = r#"
        printf 'plain %s\n' "$DEPLOY_TOKEN"; printf %s "$DEPLOY_TOKEN" | base64
        printf 'x%s' "$DEPLOY_TOKEN" | base64; printf 'xx%s\n' "$DEPLOY_TOKEN" | base64 -w 7
        printf %s "$DEPLOY_TOKEN" | od -An -v -tx1 | tr -d ' \n'; echo
        printf '%s\n' "$DEPLOY_TOKEN" | rev; printf '%s\n' "$DEPLOY_TOKEN" | sed 's#/#%2F#'
        printf %s "${DEPLOY_TOKEN:0:9}"; sleep 0.3; printf '%s\n' "${DEPLOY_TOKEN:9}"; echo the end"#;
    let script = json!([
        {"tool_calls": [{"name": "shell", "arguments": {"command": command}}]},
        {"text": "done"},
    ]);
    let more = ["--env", "DEPLOY_TOKEN", "--output-format", "jsonl"];
    let finished = crate::agent_exit_codes::run_script(&context, &script, &more);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(finished.stdout.contains("the end"), "{}", finished.stdout);
    for mark in ["canary-de", "0815", "Y2FuYXJ5LWR", "63616e6172792d", "5180-yolped", "jYW5hcnk"] {
        assert!(!finished.stdout.contains(mark), "{mark}: {}", finished.stdout);
    }
    for how in ["[secret:DEPLOY_TOKEN]", "-base64-", "-hex-", "-reversed-", "-percent-"] {
        assert!(finished.stdout.contains(how), "{how}: {}", finished.stdout);
    }
    // Live, the first lines of what is wrapped are shown before it can be known; afterwards none is.
    let whole = finished.stdout.lines().filter(|line| line.contains("item.completed"));
    let joined = whole.collect::<String>().replace("\\n", "");
    assert!(joined.contains("the end") && !joined.contains("YW5hcnktZGVw"), "{joined}");
}

/// What only a file knows is a secret of the run as well, for each model of a route.
#[test]
fn a_key_that_lies_in_a_file_reaches_no_model() {
    let server = ModelServer::start();
    let context = TestContext::new();
    let key = "plain-words-that-have-no-form";
    let file = context.write("note.txt", format!("{key}\n"));
    let rung = json!({"provider": "openai", "name": "m", "base_url": server.url("ok"),
        "api_key": {"file": file}});
    let model = json!({"model": {"provider": "route", "routes": {"r": [rung]}}});
    context.configure(&model.to_string());
    let finished = context.run(["run", r#"CALL file_read {"path": "note.txt"}"#]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let requests = server.requests();
    assert_eq!(requests[0].header("authorization"), Some(format!("Bearer {key}").as_str()));
    assert!(requests.last().unwrap().body.contains("[secret:RUNG_1_MODEL_API_KEY]"));
    assert!(requests.iter().all(|seen| !seen.body.contains(key)));
}

/// A variable may have a secret's name and a value that stands in many files.
#[test]
fn case_31_a_value_that_is_looked_for_is_found_and_said_to_be_concealed() {
    let context = TestContext::new();
    context.write("Makefile", "clean:\n\trm -r node_modules\n");
    context.write("deep/node_modules", "1");
    let ask = |task: &str| {
        let mut command = context.command(["run", task]);
        crate::support::finish(command.env("CACHE_KEY", "node_modules"))
    };
    let told = "the model does not get to see what the input has for `[secret:CACHE_KEY]`";
    for (task, answer) in [
        ("which files mention node_modules", "Makefile\n"),
        ("how often does node_modules occur in Makefile", "1\n"),
    ] {
        let finished = ask(task);
        assert_eq!((finished.code, finished.stdout.as_str()), (0, answer), "{}", finished.stderr);
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
    }
    let finished = ask("find files named node_modules");
    assert_eq!(finished.stdout, "deep/[secret:CACHE_KEY]\n", "{}", finished.stderr);
}

#[test]
fn case_31_what_a_model_says_of_a_secret_is_concealed() {
    let context = TestContext::new();
    let said = "the token is super-secret-value-123, and `DB_PASSWORD=changeme123` is an example";
    let script = context.write("../home/script.json", json!([{"text": said}]).to_string());
    let model = format!("scripted/{}", script.display());
    let out = context.work().join("answer");
    for format in ["text", "json", "jsonl"] {
        let mut command = context.command(["run", "go", "--model", &model, "-o"]);
        command.arg(&out).args(["--output-format", format]);
        command.env("MY_API_TOKEN", "super-secret-value-123");
        let finished = crate::support::finish(&mut command);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        let shown = finished.stdout + &finished.stderr + &std::fs::read_to_string(&out).unwrap();
        assert!(shown.contains("the token is [secret:MY_API_TOKEN], and"), "{shown}");
        assert!(shown.contains("DB_PASSWORD=changeme123"), "{shown}");
        assert!(!shown.contains("super-secret"), "{shown}");
    }
    for path in files(context.work().parent().unwrap()) {
        let bytes = std::fs::read(&path).unwrap();
        let found = memchr::memmem::find(&bytes, b"super-secret-value").is_some();
        assert!(!found || path.ends_with("script.json"), "{}", path.display());
    }
}
