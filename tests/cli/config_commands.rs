//! `config get|explain|set|unset|check|schema|migrate`: what they print, what they write and leave
//! alone, and what they end with.

use serde_json::Value;
use serde_json::json;

use crate::support::Finished;
use crate::support::TestContext;

const FILE: &str = "\
// mine
{
  \"limits\": {
    \"max_turns\": 7, // enough
  },
  // what may run
  \"deny\": [\"shell(rm*)\"]
}
";

fn with_file() -> TestContext {
    let context = TestContext::new();
    context.configure(FILE);
    context
}

fn user_file(context: &TestContext) -> std::path::PathBuf {
    context.home().join(".config/agi-agent/config.json")
}

fn text(context: &TestContext) -> String {
    std::fs::read_to_string(user_file(context)).unwrap()
}

fn ok(finished: Finished) -> Finished {
    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
    finished
}

#[test]
fn get_prints_the_value_for_scripts() {
    let mut context = with_file();
    let get = |context: &TestContext, key: &str| context.run(["config", "get", key]);
    assert_eq!(get(&context, "limits.max_turns").stdout, "7\n");
    assert_eq!(get(&context, "approve").stdout, "ask\n");
    assert_eq!(context.run(["--json", "config", "get", "approve"]).stdout, "\"ask\"\n");
    assert_eq!(get(&context, "deny").stdout, "[\"shell(rm*)\"]\n");
    let group: Value = serde_json::from_str(&get(&context, "limits").stdout).unwrap();
    assert_eq!((&group["max_turns"], &group["tool_timeout"]), (&json!(7), &json!("120s")));
    let nothing = get(&context, "limits.max_cost");
    assert_eq!((nothing.code, nothing.stdout.as_str()), (1, ""));
    let unknown = get(&context, "limits.max_tunrs");
    assert_eq!(unknown.code, 52);
    assert!(unknown.stderr.contains("did you mean `limits.max_turns`?"), "{}", unknown.stderr);
    context.env("AGI_MAX_TURNS", "9");
    assert_eq!(get(&context, "limits.max_turns").stdout, "9\n");
}

#[test]
fn explain_names_the_winner_and_every_loser_with_its_place() {
    let mut context = with_file();
    context.env("AGI_TIMEOUT", "5m").env("AGI_MAX_TURNS", "9");
    let explained =
        ok(context.run(["config", "explain", "limits.max_turns", "-c", "limits.max_turns=3"]));
    insta::assert_snapshot!(context.filter(&explained.stdout), @r#"
    limits.max_turns = 3
      Model turns.
      type      a whole number
      default   50
      variable  AGI_LIMITS_MAX_TURNS
      narrows   lower
      wins        3   command line -c limits.max_turns
      overridden  9   environment variable AGI_MAX_TURNS
      overridden  7   [ROOT]/home/.config/agi-agent/config.json:4:18 (user)
      overridden  50  built in
    "#);
    let explained = ok(context.run(["--json", "config", "explain", "limits.max_turns"]));
    let value: Value = serde_json::from_str(&explained.stdout).unwrap();
    assert_eq!(
        (&value["value"], &value["origin"]),
        (&json!(9), &json!("environment variable AGI_MAX_TURNS"))
    );
    let places: Vec<_> = value["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["layer"].as_str().unwrap())
        .collect();
    assert_eq!(places, ["environment", "user", "built-in"]);
    let place = value["entries"][1]["place"].as_str().unwrap();
    assert!(place.ends_with("config.json:4:18"), "{place}");
    // A group, and a variable instead of a key.
    let group = ok(context.run(["config", "explain", "limits"])).stdout;
    assert!(
        group.contains("limits.timeout = \"5m\"") && group.contains("limits.max_cost = (not set)")
    );
    let variable = ok(context.run(["config", "explain", "AGI_TIMEOUT"])).stdout;
    assert!(variable.starts_with("limits.timeout = \"5m\"\n"), "{variable}");
}

#[test]
fn explain_works_where_nothing_else_does() {
    let context = TestContext::new();
    context.configure("{\"limits\": {\"max_turns\": \"many\"}}");
    assert_eq!(context.run(["config", "get", "limits.max_turns"]).code, 52);
    let explained = ok(context.run(["config", "explain", "limits.max_turns"])).stdout;
    assert!(explained.contains("limits.max_turns = 50"), "{explained}");
    assert!(explained.contains("must be a whole number, not the text `many`"), "{explained}");
}

#[test]
fn variables_of_the_old_program_are_explained() {
    let mut context = TestContext::new();
    context.env("AGI_SAFETY_LEVEL", "critical").env("LOG_LEVEL", "DEBUG");
    let approve = ok(context.run(["config", "explain", "approve"])).stdout;
    assert!(
        approve.contains("approve = \"deny\"") && approve.contains("AGI_SAFETY_LEVEL"),
        "{approve}"
    );
    let same = ok(context.run(["config", "explain", "AGI_SAFETY_LEVEL"])).stdout;
    assert!(same.starts_with("approve = \"deny\"\n"), "{same}");
    let note = ok(context.run(["config", "explain", "LOG_LEVEL"])).stdout;
    assert!(note.contains("note      the old `LOG_LEVEL` sets `log.level`"), "{note}");
}

#[test]
fn set_changes_one_value_and_nothing_else() {
    let context = with_file();
    ok(context.run(["config", "set", "limits.max_turns", "12"]));
    assert_eq!(text(&context), FILE.replace('7', "12"));
    ok(context.run(["config", "set", "deny", "shell(rm*),file_write"]));
    ok(context.run(["config", "set", "model.name", "12"]));
    let after = text(&context);
    assert!(after.contains("\"deny\": [\"shell(rm*)\", \"file_write\"]"), "{after}");
    assert!(after.contains("\"name\": \"12\""), "{after}");
    for comment in ["// mine", "// enough", "// what may run"] {
        assert!(after.contains(comment), "{after}");
    }
    ok(context.run(["config", "unset", "limits.max_turns"]));
    assert!(!text(&context).contains("max_turns"));
    let again = ok(context.run(["config", "unset", "limits.max_turns"]));
    assert!(again.stderr.contains("does not stand in"), "{}", again.stderr);
}

#[test]
fn set_makes_files_where_there_are_none() {
    let context = TestContext::new();
    ok(context.run(["config", "set", "approve", "auto"]));
    let made = "{\n  \"approve\": \"auto\",\n  \"config_version\": 2\n}\n";
    assert_eq!(text(&context), made);
    assert_eq!(context.run(["config", "get", "approve"]).stdout, "auto\n");
    ok(context.run(["config", "set", "limits.timeout", "5m", "--profile", "work"]));
    assert!(user_file(&context).with_file_name("work.profile.json").is_file());
    assert_eq!(
        context.run(["config", "get", "limits.timeout", "--profile", "work"]).stdout,
        "5m\n"
    );
    ok(context.run(["config", "set", "limits.max_turns", "3", "--project"]));
    assert!(context.work().join(".agi-agent/config.json").is_file());
}

#[test]
fn set_refuses_what_would_be_wrong() {
    let context = with_file();
    for (key, value, words) in [
        ("limits.max_turns", "many", "must be a whole number"),
        ("embedding.threads", "5000", "must be a whole number from 1 to 512, not the number 5000"),
        ("limits.max_turns", "0", "must be"),
        ("limits.max_tunrs", "3", "did you mean `limits.max_turns`?"),
        ("approve", "yes", "must be"),
        ("limits", "{\"max_tunrs\": 3}", "max_tunrs"),
    ] {
        let finished = context.run(["config", "set", key, value]);
        assert_eq!(finished.code, 52, "{key}: {}", finished.stderr);
        assert!(finished.stderr.contains(words), "{key}: {}", finished.stderr);
    }
    assert_eq!(text(&context), FILE);
    // A file that is broken is left for its owner to mend.
    context.configure("{ \"approve\": ");
    let finished = context.run(["config", "set", "approve", "deny"]);
    assert_eq!((finished.code, text(&context).as_str()), (52, "{ \"approve\": "));
    context.configure("{ \"config_version\": 99, \"approve\": \"ask\" }");
    assert_eq!(context.run(["config", "set", "approve", "deny"]).code, 52);
    assert!(text(&context).contains("99") && text(&context).contains("ask"));
}

#[test]
fn a_secret_is_never_written_in_clear() {
    let context = with_file();
    for (key, value) in [
        ("model.api_key", "sk-canary"),
        ("model.headers.x-key", "canary"),
        ("model.headers", "{\"x-key\": \"canary\"}"),
        ("model.routes.r", "[{\"provider\": \"openai\", \"headers\": {\"x\": \"canary\"}}]"),
    ] {
        let finished = context.run(["config", "set", key, value]);
        assert_eq!(finished.code, 52, "{key}: {}", finished.stderr);
        assert!(finished.stderr.contains("\"env\""), "{key}: {}", finished.stderr);
        assert!(!finished.stderr.contains("canary"), "{key}: {}", finished.stderr);
    }
    assert_eq!(text(&context), FILE);
    ok(context.run(["config", "set", "model.api_key", "{\"env\": \"MY_KEY\"}"]));
    ok(context.run(["config", "set", "model.headers.x.y", "{\"file\": \"key\"}"]));
    let source: Value =
        serde_json::from_str(&context.run(["config", "get", "model.api_key"]).stdout).unwrap();
    assert_eq!(source, json!({"env": "MY_KEY"}));
    assert!(text(&context).contains("\"x.y\""), "{}", text(&context));
}

#[test]
fn a_header_in_clear_is_masked_wherever_it_is_shown() {
    let context = TestContext::new();
    let rung = json!({"provider": "openai", "headers": {"x": "canary"}});
    context.configure(
        &json!({"model": {"headers": {"x": "canary"}, "routes": {"r": [rung]}}}).to_string(),
    );
    for arguments in [&["show"][..], &["get", "model"], &["explain", "model"]] {
        let finished = context.run([&["config"], arguments].concat());
        assert!(finished.stdout.contains("***"), "{}", finished.stdout);
        assert!(!finished.stdout.contains("canary"), "{}", finished.stdout);
    }
}

#[test]
fn a_change_without_effect_says_so() {
    let mut context = with_file();
    context.env("AGI_MAX_TURNS", "9");
    let finished = ok(context.run(["config", "set", "limits.max_turns", "3"]));
    let warning = "`limits.max_turns` stays 9: environment variable AGI_MAX_TURNS says so";
    assert!(finished.stderr.contains(warning), "{}", finished.stderr);
}

#[test]
fn check_finds_everything_for_people_and_for_ci() {
    let context = TestContext::new();
    assert_eq!(context.run(["config", "check"]).code, 0);
    let file = context.write("c.json", "{\n  \"aprove\": \"ask\",\n  \"stdin\": 3\n}\n");
    let path = file.to_string_lossy().into_owned();
    let finished = context.run(["config", "check", &path]);
    assert_eq!(finished.code, 52);
    assert!(finished.stdout.contains("c.json:2:3: "), "{}", finished.stdout);
    assert!(finished.stdout.contains("c.json:3:12: "), "{}", finished.stdout);
    let finished = context.run(["--json", "config", "check", &path]);
    let found: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&found[0]["line"], &found[0]["column"]), (&json!(2), &json!(3)));
    assert_eq!(found[0]["remedy"], "did you mean `approve`?");
    let finished = context.run(["config", "check", "--sarif", "c.json"]);
    assert_eq!(finished.code, 52);
    let sarif: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules: Vec<_> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        assert!(rules.contains(&&result["ruleId"]), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].as_str().unwrap().starts_with("file:///"));
    }
    assert_eq!(results[0]["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
    assert_eq!(context.run(["config", "check", "nothing.json"]).code, 42);
}

#[test]
fn schema_is_the_contract() {
    let finished = ok(TestContext::new().run(["config", "schema"]));
    let printed: Value = serde_json::from_str(&finished.stdout).unwrap();
    let contract =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts/config.schema.json");
    let contract: Value =
        serde_json::from_str(&std::fs::read_to_string(contract).unwrap()).unwrap();
    assert_eq!(printed, contract);
}

const OLD: &str = "\
{
  // the machine in the cellar
  \"model\": { \"provider\": \"openai\", \"api_key_env\": \"LAN_KEY\" }
}
";

#[test]
fn migrate_shows_the_difference_and_then_makes_it() {
    let mut context = TestContext::new();
    context.configure(OLD);
    context.env("AGI_SAFETY_LEVEL", "critical").env("AGI_KNOWLEDGE_BASE_PATH", "kb");
    context.write("knowledge/knowledge.json", "{\"items\": []}");
    let shown = ok(context.run(["config", "migrate", "--dry-run"]));
    assert_eq!(text(&context), OLD, "a dry run writes nothing");
    for line in [
        "-  \"model\": { \"provider\"",
        "\"api_key\": { \"env\": \"LAN_KEY\" }",
        "+  \"approve\": \"deny\"",
        "@@ ",
    ] {
        assert!(shown.stdout.contains(line), "{line}: {}", shown.stdout);
    }
    let done = ok(context.run(["config", "migrate"]));
    assert_eq!(done.stdout, "");
    for line in [
        "`model.api_key_env` becomes `model.api_key`",
        "`approve` takes over environment variable AGI_SAFETY_LEVEL; unset it",
        "AGI_KNOWLEDGE_BASE_PATH: `agi-agent memory import",
        "`agi-agent memory import knowledge/knowledge.json` takes it over",
    ] {
        assert!(done.stderr.contains(line), "{line}: {}", done.stderr);
    }
    assert!(text(&context).contains("// the machine in the cellar"), "{}", text(&context));
    let get = |key: &str| context.run(["config", "get", key]).stdout;
    assert_eq!(get("approve"), "deny\n");
    assert_eq!(get("config_version"), "2\n");
    let before = text(&context);
    ok(context.run(["config", "migrate"]));
    assert_eq!(text(&context), before, "once is enough");
}

#[test]
fn an_old_file_works_as_it_is_and_a_newer_one_is_refused() {
    let mut context = TestContext::new();
    context.configure(OLD);
    let server = crate::support::model_server::ModelServer::start();
    context.env("LAN_KEY", "canary").env("OPENAI_BASE_URL", server.url("ok"));
    ok(context.run(["run", "--no-memory", "hi"]));
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer canary"));
    assert_eq!(text(&context), OLD, "nothing is rewritten in silence");
    let newer = OLD.replacen('{', "{ \"config_version\": 3,", 1);
    context.configure(&newer);
    for arguments in
        [&["run", "hi"][..], &["config", "migrate"], &["config", "set", "approve", "deny"]]
    {
        let finished = context.run(arguments);
        assert_eq!(finished.code, 52, "{}", finished.stderr);
        assert!(finished.stderr.contains("has version 3"), "{}", finished.stderr);
        assert_eq!(text(&context), newer);
    }
}

#[test]
fn an_old_name_is_answered_with_the_new_one() {
    let finished = TestContext::new().run(["config", "get", "model.api_key_env"]);
    assert_eq!(finished.code, 52);
    assert!(finished.stderr.contains("it is called `model.api_key` today"), "{}", finished.stderr);
}

#[test]
fn changes_side_by_side_are_all_kept_or_told() {
    let context = TestContext::new();
    context.configure("{ // shared\n}\n");
    let keys =
        ["limits.max_turns", "limits.max_tokens", "network.max_retries", "model.context_window"];
    let children: Vec<_> = keys
        .iter()
        .map(|key| (key, context.command(["config", "set", key, "9"]).spawn().unwrap()))
        .collect();
    for (key, child) in children {
        let output = child.wait_with_output().unwrap();
        let kept = context.run(["config", "get", key]).stdout == "9\n";
        assert_eq!(
            output.status.success(),
            kept,
            "{key}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(text(&context).contains("// shared"));
}

#[test]
fn keys_are_completed() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = ok(TestContext::new().run(["completions", shell])).stdout;
        assert!(script.contains("limits.max_turns"), "{shell}");
    }
}
