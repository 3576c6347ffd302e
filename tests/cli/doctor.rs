//! Each check of `doctor` is made to fail by the thing it is about, and names what mends it.

#[cfg(target_os = "linux")]
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::support::TestContext;
use crate::support::model_server::ModelServer;

/// The findings of one check, as `grade: detail -> remedy`; the exit code says whether any check
/// found a problem.
fn findings(context: &TestContext, more: &[&str], check: &str) -> Vec<String> {
    let finished = context.run([&["doctor", "--json"], more].concat());
    let report: Vec<Value> = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr));
    let problem = report.iter().any(|finding| finding["grade"] == "problem");
    assert_eq!(finished.code, i32::from(problem), "{report:#?}");
    for finding in &report {
        let needs_remedy = finding["grade"] != "ok";
        assert!(!needs_remedy || finding["remedy"].is_string(), "no remedy: {finding}");
    }
    report
        .iter()
        .filter(|finding| finding["check"] == check)
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            format!("{}: {} -> {}", text("grade"), text("detail"), text("remedy"))
        })
        .collect()
}

/// The one finding of a check.
fn finding(context: &TestContext, more: &[&str], check: &str) -> String {
    let mut found = findings(context, more, check);
    assert_eq!(found.len(), 1, "{check}: {found:?}");
    found.remove(0)
}

/// An address where nobody listens.
fn nowhere() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("127.0.0.1:{port}")
}

#[test]
fn nothing_is_wrong_with_an_empty_home() {
    let context = TestContext::new();
    let finished = context.run(["doctor", "--offline"]);
    assert!(!finished.stdout.contains("PROBLEM"), "{}", finished.stdout);
    assert_eq!(finished.code, 0, "{}", finished.stdout);
    assert!(!context.data().exists(), "it only looks");
    assert!(finding(&context, &[], "model").starts_with("note: no model is configured"));
    for check in ["clock", "sandbox", "system", "proxy", "sqlite", "file system", "memory"] {
        assert!(finding(&context, &[], check).starts_with("ok: "), "{check}");
    }
}

#[test]
fn a_model_that_answers_refuses_or_is_not_there() {
    let server = ModelServer::start();
    let mut context = TestContext::new();
    context.env("OPENAI_BASE_URL", server.url("ok"));
    let ok = finding(&context, &[], "model");
    assert!(ok.starts_with("ok: openai/gpt-5.1: `127.0.0.1:"), "{ok}");
    assert_eq!(server.requests().len(), 1, "one question, no tokens");
    let url = format!("model.base_url=http://{}/v1", nowhere());
    let dead = finding(&context, &["-c", &url], "model");
    assert!(dead.starts_with("problem: openai/gpt-5.1: cannot reach"), "{dead}");
    let refused = format!("model.base_url={}", server.url("list401"));
    let refused = finding(&context, &["-c", &refused], "model");
    assert!(refused.contains("HTTP 401") && refused.contains("OPENAI_API_KEY"), "{refused}");
    let far = ["--offline", "-c", "model.base_url=http://far.example/v1"];
    assert!(finding(&context, &far, "model").starts_with("note: "));
    let keyless = TestContext::new();
    let keyless = finding(&keyless, &["-c", "model.provider=anthropic"], "model");
    assert!(keyless.contains("there is no key") && keyless.contains("ANTHROPIC_API_KEY"));
    let script =
        finding(&context, &["-c", "model.provider=scripted", "-c", "model.script=x"], "model");
    assert!(script.starts_with("problem: there is no script"), "{script}");
}

#[test]
fn a_model_of_this_machine_is_looked_for_and_no_server_asked() {
    let context = TestContext::new();
    let local = finding(&context, &["-c", "model.provider=local"], "model");
    assert!(local.starts_with("problem: local: there is no local model"), "{local}");
    let custom = finding(&context, &["-c", "model.provider=custom"], "model");
    assert!(custom.starts_with("ok: builtin/builtin is here"), "{custom}");
}

#[test]
fn every_model_of_a_route_is_asked() {
    let server = ModelServer::start();
    let context = TestContext::new();
    let rung = |url: String| json!({"provider": "openai", "name": "m", "base_url": url});
    let rungs = [rung(server.url("ok")), rung(format!("http://{}/v1", nowhere()))];
    context.configure(&json!({"model": {"provider": "route", "routes": {"r": rungs}}}).to_string());
    let found = findings(&context, &[], "model");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("ok: ") && found[1].starts_with("problem: "), "{found:?}");
}

#[test]
fn a_clock_that_is_off_is_told_by_the_models_server() {
    let server = ModelServer::start();
    let mut context = TestContext::new();
    context.env("OPENAI_BASE_URL", server.url("date1999"));
    let clock = finding(&context, &[], "clock");
    assert!(
        clock.starts_with("problem: ") && clock.contains("ahead of the model's server"),
        "{clock}"
    );
}

#[test]
fn proxies_and_certificates() {
    let mut context = TestContext::new();
    context.env("https_proxy", format!("http://user:secret@{}", nowhere()));
    let dead = finding(&context, &[], "proxy");
    assert!(dead.starts_with("problem: https_proxy: cannot reach `127.0.0.1:"), "{dead}");
    assert!(!dead.contains("secret"), "{dead}");
    assert!(finding(&context, &["--offline"], "proxy").starts_with("ok: "));
    let server = ModelServer::start();
    let mut listened = TestContext::new();
    listened.env("all_proxy", format!("socks5h://{}", server.address()));
    assert!(finding(&listened, &[], "proxy").starts_with("ok: all_proxy: "));
    let empty = context.write("none.pem", "");
    let file = empty.to_string_lossy().into_owned();
    let none = finding(&context, &["--offline", "--ca", &file], "certificates");
    assert!(none.starts_with("problem: https will fail"), "{none}");
}

#[cfg(unix)]
#[test]
fn files_that_others_can_read_or_change() {
    use std::os::unix::fs::PermissionsExt;

    let context = TestContext::new();
    context.configure("{}");
    assert_eq!(context.run(["memory", "add", "a fact"]).code, 0);
    assert!(finding(&context, &[], "permissions").starts_with("ok: "));
    let config = context.home().join(".config/agi-agent/config.json");
    let database = context.data().join("agent.db");
    for (path, mode, remedy) in [
        (&config, 0o666, "chmod go-w "),
        (&database, 0o640, "chmod 600 "),
        (&context.data(), 0o755, "chmod 700 "),
    ] {
        let before = path.metadata().unwrap().permissions();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let found = finding(&context, &[], "permissions");
        assert!(found.starts_with("problem: ") && found.contains(remedy), "{found}");
        assert!(found.ends_with(&*path.to_string_lossy()), "{found}");
        std::fs::set_permissions(path, before).unwrap();
    }
}

#[test]
fn a_damaged_database_and_none_at_all() {
    let context = TestContext::new();
    assert_eq!(context.run(["memory", "add", "a fact"]).code, 0);
    assert!(finding(&context, &[], "memory").contains("is whole"));
    let database = context.data().join("agent.db");
    let length = database.metadata().unwrap().len();
    std::fs::write(&database, vec![7_u8; usize::try_from(length).unwrap()]).unwrap();
    assert!(finding(&context, &[], "memory").starts_with("problem: "));
    let mut homeless = context.command(["doctor", "--json", "--offline"]);
    let finished = crate::support::finish(homeless.env_remove("HOME"));
    assert!(finished.stdout.contains("nothing is kept"), "{}", finished.stdout);
}

#[test]
fn a_directory_of_wheels_that_is_not_there_or_for_another_python() {
    let mut context = TestContext::new();
    context.env("AGI_PYTHON_WHEELS", "wheels");
    let gone = finding(&context, &[], "python");
    assert!(gone.starts_with("problem: ") && gone.contains("pip install --target"), "{gone}");
    context.write("wheels/pure/__init__.py", "");
    context.write("wheels/fast/_fast.cpython-313-x86_64-linux-gnu.so", "");
    assert!(finding(&context, &[], "python").starts_with("ok: "));
    context.write("wheels/fast/_slow.cpython-311-x86_64-linux-gnu.so", "");
    let foreign = finding(&context, &[], "python");
    assert!(foreign.starts_with("note: ") && foreign.contains("another Python"), "{foreign}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_sandbox_that_cannot_be_had() {
    let context = TestContext::new();
    let mut command = std::process::Command::new("python3");
    command.args(["-c", crate::sandbox_command::WITHOUT_LANDLOCK]);
    command.arg(crate::support::binary()).args(["doctor", "--json", "--offline"]);
    command.current_dir(context.work()).env("HOME", context.home());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let finished = crate::support::finish(&mut command);
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    let report: Vec<Value> = serde_json::from_str(&finished.stdout).unwrap();
    let sandbox = report.iter().find(|finding| finding["check"] == "sandbox").unwrap();
    assert_eq!(sandbox["grade"], "problem");
    assert!(sandbox["remedy"].as_str().unwrap().contains("danger-full-access"), "{sandbox}");
}

#[test]
fn unknown_old_and_ignored_names_are_findings() {
    let mut context = TestContext::new();
    context.configure("{\"modle\": {}, \"model\": {\"api_key_env\": \"X\"}}");
    context.write(".agi-agent/config.json", "{\"approve\": \"auto\"}");
    context.env("AGI_SAFETY_LEVEL", "low");
    let found = findings(&context, &["--offline"], "configuration").join("\n");
    for words in [
        "did you mean `model`?",
        "`model.api_key_env` is called `model.api_key` today -> `agi-agent config migrate`",
        "`approve` is ignored: this project is not trusted",
        "the old `AGI_SAFETY_LEVEL` sets `approve`",
    ] {
        assert!(found.contains(words), "{words}: {found}");
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_the_finding() {
    let context = TestContext::new();
    context.configure("{ \"limits\": { \"max_turns\": 0 } }");
    assert_eq!(context.run(["doctor"]).code, 52);
}

/// A read-only file system, which holds root off as well.
#[cfg(target_os = "linux")]
#[test]
fn a_home_that_cannot_be_written_is_a_problem_with_a_way_out() {
    let context = TestContext::new();
    let mounted = |command: &str| {
        let home = context.home();
        let script = format!(
            "mount --bind {0} {0} && mount -o remount,ro,bind {0} && {command}",
            home.display()
        );
        let mut shell = context.command(Vec::<&str>::new());
        let program = shell.get_program().to_owned();
        let variables: Vec<_> = shell
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        shell = std::process::Command::new("unshare");
        shell.args(["-rm", "sh", "-c", &script, "sh"]).arg(program).args(["doctor", "--json"]);
        shell.env_clear().envs(variables).current_dir(context.work());
        shell.stdin(std::process::Stdio::null());
        shell.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        crate::support::finish(&mut shell)
    };
    if mounted("true").code != 0 {
        return crate::support::lacking("mounts of its own", "a read-only home directory");
    }
    for stage in ["nothing is there yet", "there is a database"] {
        let finished = mounted("exec \"$@\"");
        assert_eq!(finished.code, 1, "{stage}: {}", finished.stderr);
        let findings: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        let of = |check: &str| {
            let mut all = findings.as_array().unwrap().iter();
            all.find(|finding| finding["check"] == check)
                .unwrap_or_else(|| panic!("{check}"))
                .clone()
        };
        let memory = of("memory");
        assert_eq!(memory["grade"], "problem", "{stage}: {memory}");
        assert!(memory["detail"].as_str().unwrap().contains("Read-only file system"), "{memory}");
        assert!(memory["remedy"].as_str().unwrap().contains("AGI_DATA_DIR"), "{memory}");
        assert_eq!(
            (of("sandbox")["grade"].as_str(), of("python")["grade"].as_str()),
            (Some("ok"), Some("ok"))
        );
        assert_eq!(context.run(["run", "what is 2 + 3"]).code, 0, "writes the database");
    }
}
