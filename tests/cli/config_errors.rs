//! Broken configurations through the real binary: every error at once, each with file, line, column,
//! the line, the reason and the remedy, and 52.

use crate::support::TestContext;

#[test]
fn all_errors_of_all_layers_come_at_once() {
    let mut context = TestContext::new();
    context.configure(
        "{\n  \"limits\": {\"max_turns\": \"many\", \"timeout\": \"soon\"},\n  \"aprove\": \"deny\",\n  \"memroy\": {}\n}\n",
    );
    context.env("AGI_SANDBOX_LEVEL", "none");
    let text = context.snapshot(["-c", "limits.max_cost=-1", "config", "show"]);
    insta::assert_snapshot!(text, @r#"
    exit code: 52
    ----- stdout -----
    [EOF]
    ----- stderr -----
    warning: [ROOT]/home/.config/agi-agent/config.json:4:3: unknown setting `memroy`
      |
    4 |   "memroy": {}
      |   ^^^^^^^^
    hint: did you mean `memory`?
    error: [ROOT]/home/.config/agi-agent/config.json:2:27: `limits.max_turns` must be a whole number, not the text `many`
      |
    2 |   "limits": {"max_turns": "many", "timeout": "soon"},
      |                           ^^^^^^
    error: [ROOT]/home/.config/agi-agent/config.json:2:46: `limits.timeout` must be a length of time such as `90s`, `5m` or `1h`, not the text `soon`
      |
    2 |   "limits": {"max_turns": "many", "timeout": "soon"},
      |                                              ^^^^^^
    error: [ROOT]/home/.config/agi-agent/config.json:3:3: unknown setting `aprove`
      |
    3 |   "aprove": "deny",
      |   ^^^^^^^^
    hint: did you mean `approve`?
    error: environment variable AGI_SANDBOX_LEVEL: `sandbox.level` must be `read-only`, `workspace-write` or `danger-full-access`, not the text `none`
    error: command line -c limits.max_cost: `limits.max_cost` must be a number of at least 0, not the number -1
    [EOF]
    "#);
}

#[test]
fn what_does_not_matter_is_a_warning_and_the_work_goes_on() {
    let context = TestContext::new();
    context.configure("{\"model\": {\"temprature\": 1}}");
    let finished = context.run(["run", "what is 6*7"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "42\n"), "{}", finished.stderr);
    assert!(finished.stderr.contains("config.json:1:12: unknown setting"), "{}", finished.stderr);
    assert!(finished.stderr.contains("did you mean `model.temperature`?"), "{}", finished.stderr);
}

#[test]
fn a_secret_is_neither_accepted_nor_shown() {
    let context = TestContext::new();
    context.configure("{\"model\": {\"api_key\": \"sk-canary-canary\", \"nmae\": 1}}");
    let finished = context.run(["config", "show"]);
    assert_eq!(finished.code, 52);
    assert!(finished.stderr.contains("is a secret and must not be written here"));
    assert!(finished.stderr.contains("{\"env\": \"NAME\"}"), "{}", finished.stderr);
    assert!(!finished.stderr.contains("canary"), "{}", finished.stderr);
    context.configure("{\"model\": {\"headers\": {\"X-Gate\": \"canary\"}}}");
    let finished = context.run(["config", "show", "--json"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(!finished.stdout.contains("canary"), "{}", finished.stdout);
}

/// Places that must not be opened, or not to their end.
#[cfg(unix)]
#[test]
fn files_that_are_no_configuration() {
    let context = TestContext::new();
    context.configure("");
    let path = context.home().join(".config/agi-agent/config.json");
    let refused = |what: &str| {
        let finished = context.run(["config", "show"]);
        assert_eq!(finished.code, 52, "{}", finished.stderr);
        assert!(finished.stderr.contains("config.json:1:1: "), "{}", finished.stderr);
        assert!(finished.stderr.contains(what), "{}", finished.stderr);
        assert!(finished.duration < std::time::Duration::from_secs(5));
    };
    for target in ["/dev/zero", "/dev/null", "/dev/tty"] {
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(target, &path).unwrap();
        refused("device");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused("pipe");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    refused("a directory");
    std::fs::remove_dir(&path).unwrap();
    context.configure(&" ".repeat(10 << 20));
    refused("larger than 1024 KiB");
}

/// The old program's names still say where the log goes and how much of it there is.
#[test]
fn old_names_of_the_log_are_obeyed() {
    let mut context = TestContext::new();
    context.env("LOG_LEVEL", "DEBUG").env("LOG_FILE", "agent.log");
    let finished = context.run(["run", "what is 6*7"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, "42\n"), "{}", finished.stderr);
    assert!(!std::fs::read_to_string(context.work().join("agent.log")).unwrap().is_empty());
    assert!(!finished.stderr.contains("DEBUG"), "{}", finished.stderr);
    // Other programs have such a variable, too.
    context.env("LOG_LEVEL", "verbose-ish");
    assert_eq!(context.run(["run", "what is 6*7"]).code, 0);
}

/// Who adds a bound can only take away from themselves.
#[test]
fn an_organisations_file_bounds_every_layer() {
    let mut context = TestContext::new();
    let managed = context.write(
        "../managed.json",
        "{\"sandbox\": {\"level\": \"workspace-write\"}, \"deny\": [\"web_fetch\"],\n \"limits\": {\"max_turns\": 5}}",
    );
    context.env("AGI_MANAGED_CONFIG", managed.to_string_lossy());
    let shown = context.run([
        "-c",
        "sandbox.level=danger-full-access",
        "-c",
        "limits.max_turns=3",
        "-c",
        "deny=[]",
        "config",
        "show",
    ]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let line =
        |key: &str| shown.stdout.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("sandbox.level").contains("\"workspace-write\""), "{}", shown.stdout);
    assert!(line("sandbox.level").contains("managed.json:1:"), "{}", shown.stdout);
    assert!(line("limits.max_turns").contains(" 3 "), "{}", shown.stdout);
    assert!(line("deny").contains("web_fetch"), "{}", shown.stdout);
    assert!(
        shown.stderr.contains("`sandbox.level` is bounded by the organisation"),
        "{}",
        shown.stderr
    );
    // Its mistakes bind nobody, so they stop everybody.
    context.write("../managed.json", "{\"sandbox\": {\"levl\": \"read-only\"}}");
    assert_eq!(context.run(["config", "show"]).code, 52);
    std::fs::remove_file(&managed).unwrap();
    assert_eq!(context.run(["config", "show"]).code, 52);
}
