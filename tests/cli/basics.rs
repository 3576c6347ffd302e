//! What every command line tool must do: help, version, usage errors, configuration errors.

use crate::support::TestContext;

#[test]
fn version_is_one_line() {
    insta::assert_snapshot!(TestContext::new().snapshot(["--version"]), @r"
    exit code: 0
    ----- stdout -----
    agi-agent [VERSION]
    [EOF]
    ----- stderr -----
    [EOF]
    ");
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    insta::assert_snapshot!(TestContext::new().snapshot(["rnu"]), @r"
    exit code: 2
    ----- stdout -----
    [EOF]
    ----- stderr -----
    error: unrecognized subcommand 'rnu'

    Usage: agi-agent [OPTIONS] [COMMAND]

    For more information, try '--help'.
    [EOF]
    ");
}

#[test]
fn no_command_shows_help_on_stderr() {
    let finished = TestContext::new().run::<_, &str>([]);
    assert_eq!(finished.code, 2);
    assert_eq!(finished.stdout, "");
    assert!(finished.stderr.contains("Usage: agi-agent"));
}

#[test]
fn help_is_a_success_and_goes_to_stdout() {
    let finished = TestContext::new().run(["--help"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    assert!(finished.stdout.contains("Usage: agi-agent"));
    assert!(!finished.stdout.contains('\u{1b}'), "no colours without a terminal");
}

#[test]
fn a_mistyped_setting_names_its_place_and_the_remedy() {
    let context = TestContext::new();
    context.configure("{\n  // fewer\n  \"limits\": {\"max_tunrs\": 3}\n}\n");
    insta::assert_snapshot!(context.snapshot(["config", "show"]), @r#"
    exit code: 52
    ----- stdout -----
    [EOF]
    ----- stderr -----
    error: [ROOT]/home/.config/agi-agent/config.json:3:14: unknown setting `limits.max_tunrs`
      |
    3 |   "limits": {"max_tunrs": 3}
      |              ^^^^^^^^^^^
    hint: did you mean `limits.max_turns`?
    [EOF]
    "#);
}

#[test]
fn a_bad_assignment_is_a_configuration_error() {
    let finished = TestContext::new().run(["-c", "limits.max_turns=x", "config", "show"]);
    assert_eq!(finished.code, 52, "{}", finished.stderr);
}

#[test]
fn config_show_names_origins() {
    let mut context = TestContext::new();
    context.configure("{\"limits\": {\"max_turns\": 3}}");
    context.env("AGI_MODEL_PROVIDER", "openai");
    let finished = context.run(["-c", "sandbox.level=workspace-write", "config", "show"]);
    let shown = context.filter(&finished.stdout);
    let turns = shown.lines().find(|line| line.starts_with("limits.max_turns ")).unwrap();
    assert!(turns.ends_with(" 3  ([ROOT]/home/.config/agi-agent/config.json:1:26)"), "{turns}");
    assert!(shown.contains("\"openai\"  (environment variable AGI_MODEL_PROVIDER)"));
    assert!(shown.contains("\"workspace-write\"  (command line -c sandbox.level)"));
}

#[test]
fn a_missing_working_directory_is_an_input_error() {
    let finished = TestContext::new().run(["-C", "nowhere", "config", "path"]);
    assert_eq!(finished.code, 42);
    assert!(finished.stderr.contains("cannot work in `nowhere`"), "{}", finished.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let context = TestContext::new();
    let mut command = context.command(["help-exit-codes"]);
    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let finished = crate::support::finish(&mut command);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("cannot write the result to standard output"));
}

/// Rust's runtime would put `/dev/null` there, and the answer would be lost with exit code 0.
#[cfg(target_os = "linux")]
#[test]
fn a_closed_stdout_is_an_error() {
    let context = TestContext::new();
    for arguments in [&["run", "what is 2 + 3"][..], &["help-exit-codes"]] {
        let sealed = context.command(arguments);
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", "exec \"$@\" >&-", "sh"]).arg(sealed.get_program()).args(arguments);
        shell.current_dir(context.work()).env_clear();
        shell.envs(sealed.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        let finished = crate::support::finish(&mut shell);
        assert_eq!(finished.code, 1, "{}", finished.stderr);
        assert!(finished.stderr.contains("standard output: it is closed"), "{}", finished.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_behind_stdout_is_an_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let context = TestContext::new();
    let mut command = context.command(["help-exit-codes"]);
    command.stdout(writer);
    let finished = crate::support::finish(&mut command);
    assert_eq!(finished.code, 1);
    assert!(finished.stderr.contains("cannot write the result to standard output"));
}

#[test]
fn the_colours_of_help_obey_the_flag() {
    let context = TestContext::new();
    for (arguments, coloured) in [
        (&["--help", "--color", "always"][..], true),
        (&["run", "--color=always", "--help"], true),
        (&["--color", "always", "nosuch"], true),
        (&["--help"], false),
        (&["--help", "--color", "never"], false),
        (&["--color", "nonsense", "--help"], false),
    ] {
        let finished = context.run(arguments);
        let said = finished.stdout + &finished.stderr;
        assert_eq!(said.contains('\u{1b}'), coloured, "{arguments:?}: {said}");
    }
}
