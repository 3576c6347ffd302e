//! Cases 21 to 29 through the real binary: at `danger-full-access`, where only rules stand between a
//! command and the machine, with nobody to ask. Each row would leave a file `pwned` if it ran.
//!
//! `agent::covering` has the same cases in more spellings; here it is shown that they hold end to end.

use serde_json::json;

use super::Ran;
use super::call;
use super::calls;
use super::run;
use crate::support::TestContext;

const DANGER: [&str; 2] = ["--sandbox", "danger-full-access"];

fn attempt(context: &TestContext, rules: &[&str], commands: &[String]) -> Ran {
    let shells = commands.iter().map(|command| call("shell", json!({"command": command})));
    let script = json!([calls(shells.collect()), {"text": "done"}]);
    let mut arguments = DANGER.to_vec();
    for rule in rules {
        arguments.extend(["--allow", rule]);
    }
    run(context, &script, &arguments)
}

/// All rows are declined, none ran, and the run says so.
#[track_caller]
fn none_runs(rules: &[&str], commands: &[&str]) {
    let context = TestContext::new();
    context.write("f", "a\nb\n");
    let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
    let ran = attempt(&context, rules, &commands);
    assert_eq!(ran.code, 43, "{}\n{}", ran.result, ran.stderr);
    assert_eq!(ran.denied(), commands);
    let left: Vec<_> = std::fs::read_dir(context.work()).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[track_caller]
fn all_run(rules: &[&str], commands: &[&str]) {
    let context = TestContext::new();
    context.write("f", "a\nb\n");
    let commands: Vec<String> = commands.iter().map(ToString::to_string).collect();
    let ran = attempt(&context, rules, &commands);
    assert_eq!(ran.denied(), Vec::<String>::new(), "{}", ran.result);
}

#[test]
fn case_21_a_rule_for_one_program_runs_no_other() {
    none_runs(
        &["shell(head*)"],
        &[
            "head f && touch pwned",
            "head f; touch pwned",
            "head nosuch || touch pwned",
            "head f & touch pwned",
            "head f | touch pwned",
            "head f\ntouch pwned",
            "head f\r\ntouch pwned",
            "head $(touch pwned)",
            "head \"$(touch pwned)\" f",
            "head `touch pwned`",
            "head <(touch pwned)",
            "head f > >(touch pwned)",
            "head <<E\n$(touch pwned)\nE",
            "{ head f; touch pwned; }",
            "(head f; touch pwned)",
            "! touch pwned",
            "coproc touch pwned",
            "head() { touch pwned; }; head f",
        ],
    );
    all_run(&["shell(head*)", "shell(wc *)"], &["head f | wc -l", "wc -l f && head -1 f"]);
}

#[test]
fn case_22_a_prefix_ends_at_a_word() {
    none_runs(&["shell(git log*)"], &["git logout", "git", "git-log", "git status"]);
    // Of `git` a list says the same once more; here nothing but the word's end does.
    none_runs(&["shell(head f*)"], &["head fx", "head f.other"]);
}

#[test]
fn case_23_programs_that_run_or_write_by_their_options() {
    let rules = [
        "rg", "find", "sed", "awk", "tar", "xargs", "env", "git", "sort", "less", "man", "ssh",
        "python3", "make",
    ]
    .map(|program| format!("shell({program} *)"));
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    none_runs(
        &rules,
        &[
            "rg --pre=touch x",
            "find . -exec touch pwned ;",
            "find . -name f -exec touch pwned \\;",
            "find . -delete",
            "find . -fprintf pwned x",
            "sed -n '1e touch pwned' f",
            "sed 'w pwned' f",
            "awk 'BEGIN{system(\"touch pwned\")}'",
            "tar --to-command='touch pwned' -xf f",
            "xargs touch pwned",
            "env -S 'touch pwned'",
            "git -c alias.x='!touch pwned' x",
            "git diff --output=pwned --no-index f /dev/null",
            "sort -o pwned f",
            "less f",
            "man -P 'touch pwned' ls",
            "ssh -o ProxyCommand='touch pwned' h",
            "python3 -c 'open(\"pwned\", \"w\")'",
            "make -f f",
        ],
    );
    all_run(&rules, &["sort f", "sed -n 1p f", "find . -name f"]);
}

#[test]
fn case_24_the_environment_is_not_poisoned() {
    none_runs(
        &["shell(export *)", "shell(head *)", "shell(declare *)", "shell(typeset *)"],
        &[
            "export PAGER='sh -c \"touch pwned\"'; head f",
            "declare -x PAGER=sh; head f",
            "typeset -x LD_PRELOAD=./f; head f",
            "LD_PRELOAD=./f head f",
            "PATH=.:$PATH head f",
        ],
    );
}

#[test]
fn case_25_wrappers_are_taken_off() {
    let rules =
        ["shell(timeout *)", "shell(nice *)", "shell(env *)", "shell(nohup *)", "shell(head *)"];
    none_runs(
        &rules,
        &["timeout 5 nice env sh -c 'touch pwned'", "nohup touch pwned", "env touch pwned"],
    );
    all_run(&rules, &["timeout 5 nice -n 1 env head f"]);
}

#[test]
fn case_26_what_cannot_be_judged_is_declined() {
    let many = vec!["head f"; 60].join("; ");
    let long = format!("head f # {}", "x".repeat(11_000));
    none_runs(
        &["shell(head*)"],
        &[
            &many,
            &long,
            "head f '",
            "head f; }",
            "${ touch pwned; }",
            "head ${|touch pwned;}",
            "head f \u{202e}",
            "if head f; then touch pwned",
        ],
    );
}

#[test]
fn case_27_redirections_need_their_own_rule() {
    none_runs(
        &["shell(echo*)", "shell(head *)"],
        &[
            "echo x > pwned",
            "echo x >> pwned",
            "echo x &> pwned",
            "echo x >| pwned",
            "echo x <> pwned",
            "echo x 3> pwned >&3",
            "exec 3<> pwned",
            "echo x > ~/.bashrc",
            "head f > $(echo pwned)",
        ],
    );
    all_run(&["shell(echo*)", "file_write(out*)"], &["echo x > out", "echo y 2>&1 >/dev/null"]);
}

#[test]
fn case_28_a_fake_program_in_the_workspace_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let mut context = TestContext::new();
    let fake = context.write("bin/head", "#!/bin/sh\ntouch pwned\n");
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", fake.parent().unwrap().display());
    context.env("PATH", path);
    for rule in ["shell(head *)", "shell(head f)"] {
        let ran = attempt(&context, &[rule], &["head f".to_owned()]);
        assert_eq!(ran.code, 43, "{}", ran.result);
        assert!(!context.work().join("pwned").exists());
    }
    let spelled = format!("shell({} f)", fake.display());
    let ran = attempt(&context, &[&spelled], &[format!("{} f", fake.display())]);
    assert_eq!(ran.denied(), Vec::<String>::new(), "what is spelled is meant");
}

#[test]
fn case_29_odd_names_are_data() {
    let context = TestContext::new();
    context.write("-rf", "dash\n");
    context.write("a\nb", "line\n");
    context.write("$(touch pwned)", "dollar\n");
    let read = |path: &str| call("file_read", json!({"path": path}));
    let reads = calls(vec![read("-rf"), read("a\nb"), read("$(touch pwned)")]);
    let script = json!([reads, {"text": "done", "expect": ["dash", "line", "dollar"]}]);
    let ran = run(&context, &script, &[]);
    assert_eq!(ran.code, 0, "{}", ran.result);
    assert!(!context.work().join("pwned").exists());
    none_runs(&["shell(head *)", "shell(sort *)"], &["sort *", "sort $x", "sort \"$(head f)\""]);
    all_run(&["shell(head *)", "shell(sort *)"], &["sort ./*", "head -- f"]);
}

#[test]
fn case_23_git_runs_what_its_list_has() {
    none_runs(
        &["shell(git *)"],
        &[
            "git init pwned",
            "git remote-ext x 'touch pwned'",
            "git mailinfo pwned pwned.2 < f",
            "git credential-store --file pwned store",
            "git apply --unsafe-paths < f",
        ],
    );
    all_run(&["shell(git *)"], &["git --no-pager log -1 -- f", "git status -sb"]);
}

/// A rule is about the workspace: the same words in another directory are another command.
#[cfg(unix)]
#[test]
fn a_rule_does_not_follow_a_command_into_another_directory() {
    use std::os::unix::fs::PermissionsExt;

    let context = TestContext::new();
    let script = context.write("sub/run.sh", "#!/bin/sh\ntouch ../pwned\n");
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    context.write("sub/Makefile", "check:\n\ttouch ../pwned\n");
    let rules = ["--allow", "shell(./run.sh)", "--allow", "shell(make check)"];
    let rules = [&DANGER[..], &rules, &["--allow", "shell(cd sub)", "--allow", "shell(ls *)"]];
    let asked = [
        json!({"command": "./run.sh", "cwd": "sub"}),
        json!({"command": "make check", "cwd": "sub"}),
        json!({"command": "cd sub && ./run.sh"}),
    ];
    let number = asked.len();
    let tried = asked.into_iter().map(|arguments| call("shell", arguments)).collect();
    let ran = run(&context, &json!([calls(tried), {"text": "done"}]), &rules.concat());
    assert_eq!((ran.code, ran.denied().len()), (43, number), "{}", ran.result);
    assert!(!context.work().join("pwned").exists());
    let listed = json!({"command": "ls -l", "cwd": "sub"});
    let ran = run(
        &context,
        &json!([calls(vec![call("shell", listed)]), {"text": "done"}]),
        &rules.concat(),
    );
    assert_eq!(ran.code, 0, "what only reads is the same everywhere: {}", ran.result);
}

/// Neither in one command nor in one reply does a link lead a redirection or a file tool astray.
#[cfg(unix)]
#[test]
fn a_link_that_is_made_first_leads_nowhere_else() {
    let link = "ln -s ../.. src/l";
    let write = "echo x > src/l/pwned";
    for tried in [
        vec![call("shell", json!({"command": format!("{link}; {write}")}))],
        vec![call("shell", json!({"command": link})), call("shell", json!({"command": write}))],
        vec![
            call("shell", json!({"command": link})),
            call("file_write", json!({"path": "src/l/pwned", "content": "x"})),
        ],
        vec![
            call("shell", json!({"command": "ln -s ../../pwned src/l"})),
            call("shell", json!({"command": "echo x > src/l"})),
        ],
    ] {
        let context = TestContext::new();
        context.write("src/f", "a\n");
        let mut arguments = DANGER.to_vec();
        for rule in ["shell(echo *)", "shell(ln *)", "file_write(src/*)"] {
            arguments.extend(["--allow", rule]);
        }
        let ran = run(&context, &json!([calls(tried), {"text": "done"}]), &arguments);
        assert_eq!((ran.code, ran.denied().len()), (43, 1), "{}", ran.result);
        assert!(!context.work().join("../pwned").exists(), "{}", ran.result);
    }
}

/// A name is what is behind it: a link to a program that runs others runs others.
#[cfg(unix)]
#[test]
fn case_23_a_link_to_another_program_is_that_program() {
    let mut context = TestContext::new();
    let programs = context.work().join("../programs");
    std::fs::create_dir(&programs).unwrap();
    for (name, real) in [("shower", "/usr/bin/env"), ("lister", "/usr/bin/ls")] {
        std::os::unix::fs::symlink(real, programs.join(name)).unwrap();
    }
    let programs = programs.canonicalize().unwrap();
    context.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    let rules = ["shell(shower *)", "shell(lister *)"];
    let tried = "shower touch pwned".to_owned();
    let ran = attempt(&context, &rules, std::slice::from_ref(&tried));
    assert_eq!((ran.code, ran.denied()), (43, vec![tried]), "{}", ran.result);
    assert!(!context.work().join("pwned").exists());
    let ran = attempt(&context, &rules, &["lister -l".to_owned()]);
    assert_eq!((ran.code, ran.denied()), (0, Vec::new()), "{}", ran.result);
}

/// Everything is allowed but one program; each row would run it under another guise.
#[test]
fn a_deny_rule_finds_its_program_wherever_it_hides() {
    let context = TestContext::new();
    let commands = [
        "touch pwned",
        "/usr/bin/touch pwned",
        "true; touch pwned",
        "timeout 5 touch pwned",
        "t\"ou\"ch pwned",
        "to\\uch pwned",
        "echo $(touch pwned)",
        "{ true && touch pwned; }",
        "sh -c 'touch pwned'",
        "x=touch; $x pwned",
        "find . -maxdepth 0 -exec touch pwned \\;",
        "f() { touch pwned; }; f",
    ]
    .map(str::to_owned);
    let shells = commands.iter().map(|command| call("shell", json!({"command": command})));
    let script = json!([calls(shells.collect()), {"text": "done"}]);
    let rules = [&DANGER[..], &["--allow", "shell", "--deny", "shell(touch*)"]].concat();
    let ran = run(&context, &script, &rules);
    assert_eq!((ran.code, ran.denied()), (43, commands.to_vec()), "{}", ran.result);
    assert!(!context.work().join("pwned").exists());
    let fine = json!([calls(vec![call("shell", json!({"command": "ls -l"}))]), {"text": "done"}]);
    assert_eq!(run(&context, &fine, &rules).code, 0);
}
