//! What the program says about itself to shells and `man`: completions, manual pages, help.

use std::process::Command;

use crate::support::TestContext;

/// What bash offers for the last of these words, by the script as a person's shell would load it.
fn completed(script: &std::path::Path, words: &[&str]) -> Vec<String> {
    let program = r#"source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        set -- $(complete -p agi-agent)
        while [ "$1" != -F ]; do shift; done
        "$2" agi-agent "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", program, "bash"]).arg(script).args(words);
    let output = bash.output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_at_every_level() {
    let context = TestContext::new();
    let script = context.run(["completions", "bash"]).stdout;
    let path = context.write("completions.bash", &script);
    let offered = |words: &[&str]| completed(&path, words);
    assert_eq!(offered(&["agi-agent", "sandb"]), ["sandbox"]);
    assert_eq!(offered(&["agi-agent", "run", "--sand"]), ["--sandbox"]);
    assert_eq!(offered(&["agi-agent", "help-exit-codes", "--offl"]), ["--offline"]);
    let of_memory = offered(&["agi-agent", "memory", ""]);
    assert!(["add", "search", "restore"].iter().all(|name| of_memory.contains(&(*name).into())));
    assert_eq!(offered(&["agi-agent", "config", "set", "limits.max_tu"]), ["limits.max_turns"]);
    assert_eq!(offered(&["agi-agent", "sandbox", "--level", "read"]), ["read-only"]);
}

#[test]
fn every_command_has_a_manual_page_with_its_flags() {
    let context = TestContext::new();
    let page = |words: &[&str]| {
        let finished = context.run([&["man"], words].concat());
        assert_eq!(finished.code, 0, "{words:?}: {}", finished.stderr);
        finished.stdout.replace("\\-", "-")
    };
    let whole = page(&[]);
    assert!(whole.contains(".TH agi-agent 1 ") && whole.contains("agi-agent-run(1)"), "{whole}");
    let run = page(&["run"]);
    assert!(run.contains(".TH agi-agent-run 1 ") && run.contains("--sandbox"), "{run}");
    assert!(run.contains("--offline") && run.contains("EXIT STATUS"));
    assert!(page(&["config", "set"]).contains("agi-agent config set"));
    for command in ["run", "nonsense"] {
        let finished = context.run(["man", command, "nonsense"]);
        assert_eq!(finished.code, 2, "{}", finished.stderr);
        assert!(finished.stderr.contains("no command `nonsense"), "{}", finished.stderr);
    }
}

#[test]
fn help_behind_a_command_and_before_it_are_the_same() {
    let context = TestContext::new();
    for words in [&["run"][..], &["config", "set"], &[]] {
        let before = context.run([&["help"], words].concat());
        let behind = context.run([words, &["--help"]].concat());
        assert_eq!((before.code, before.stdout), (0, behind.stdout), "{words:?}");
    }
}
