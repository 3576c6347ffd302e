//! How far a pattern with a wildcard reaches: the commands of `git`, programs that run others, other
//! directories, what stands beside a redirection.

use super::tests::all_covered;
use super::tests::covers;
use super::tests::covers_in;
use super::tests::none_covered;
use super::*;

/// What once ran or wrote something under the rule `git *`, and its like.
#[test]
fn case_23_git_has_a_list_of_what_may_be() {
    none_covered(
        &["git *"],
        &[
            "git remote-ext x 'touch PWN'",
            "git merge-index -q evil.sh -a",
            "git push ./ev",
            "git push origin",
            "git send-pack ./ev",
            "git fetch-pack ./ev",
            "git receive-pack ./ev",
            "git fetch ./ev",
            "git apply --unsafe-paths",
            "git credential-store --file PWN store",
            "git mailinfo PWN PWN.2",
            "git bundle create PWN HEAD",
            "git fast-export --export-marks=PWN",
            "git checkout-index --prefix=PWN/ a.txt",
            "git init PWN",
            "git worktree add PWN",
            "git remote add x ext::sh",
            "git remote -v add x ext::sh",
            "git nosuch",
            "git format-patch -1",
            "git mv a b",
            "git rev-list --output=PWN HEAD",
            "git reflog --output=PWN",
            "git log --author -- --output=PWN",
            "git log -S -- --output=PWN",
            "git commit -m -- -F/etc/passwd",
            "git commit -aF f",
            "git commit --fil f",
            "git add -p",
            "git diff --submodule=diff",
            "git grep -nOsh x",
            "git grep -e -- -Osh",
            "git stash drop --output=PWN",
            "git stash clear",
            "git stash \"x$y\"",
            "git merge -s evil x",
            "git branch --edit-description",
            "git tag -s x",
            "git log -",
            "git --no-pager -c core.pager=sh log",
            "git --no-pager push",
            "xargs git log",
        ],
    );
}

#[test]
fn case_23_what_git_has_on_its_list_is_covered() {
    all_covered(
        &["git *"],
        &[
            "git status -sb --porcelain=v2 -uall",
            "git log -3 --oneline main -- src -x",
            "git log -p -U5 -S'x' --stat=80 --since='2 days ago' main..HEAD",
            "git --no-pager diff --cached --name-only -M90%",
            "git show HEAD:src/a.rs",
            "git add -A . && git commit -qam 'a message' --amend",
            "git commit -m \"x\" -m y",
            "git rev-parse --abbrev-ref HEAD",
            "git ls-files -z --others --exclude-standard",
            "git blame -L1,5 -w a.rs",
            "git branch -vv && git branch -D old",
            "git tag -a v1 -m v1",
            "git stash push -u -m 'x y' -- src && git stash pop",
            "git stash",
            "git remote -v",
            "git grep -n -A3 -e pattern -- src",
        ],
    );
    all_covered(&["git push origin main"], &["git push origin main"]);
}

#[test]
fn case_23_other_programs_that_run_or_write() {
    let commands = [
        "gcc -o PWN x.c",
        "gcc -M -MF PWN x.c",
        "patch -o PWN",
        "ssh-keygen -f PWN",
        "choom -n 0 -- touch PWN",
        "linux64 touch PWN",
        "cargo run",
    ];
    for command in commands {
        let program = command.split(' ').next().unwrap();
        let reason = covers(&[&format!("{program} *")], command).unwrap_err();
        assert!(reason.contains("runs or writes what its arguments say"), "{command}: {reason}");
        assert!(covers(&[command], command).is_ok(), "a rule may spell it: {command}");
    }
    // What a program does whose name says it all, and what nobody knows, is the person's word.
    all_covered(&["cp *", "touch *", "mytool *"], &["cp a b", "touch x", "mytool -o x"]);
}

/// A harmless name that leads to a program that runs others.
#[cfg(unix)]
#[test]
fn case_23_the_program_behind_a_link_counts() {
    let directory = tempfile::tempdir().unwrap();
    let names = [("setarch", "mine", false), ("vim.basic", "look", false), ("busybox", "wc", true)];
    for (real, name, is_covered) in names {
        std::fs::write(directory.path().join(real), "").unwrap();
        std::os::unix::fs::symlink(real, directory.path().join(name)).unwrap();
        let places = Places { search: vec![directory.path().to_owned()], writable: Vec::new() };
        let surroundings =
            Surroundings { places: &places, is_elsewhere: false, may_write: &|_| false };
        let pattern = format!("{name} *");
        let covered = cover(&[(&pattern, &pattern)], &format!("{name} x"), &surroundings);
        assert_eq!(covered.is_ok(), is_covered, "{name}: {covered:?}");
    }
}

#[test]
fn a_rule_is_about_the_directory_of_the_workspace() {
    let patterns =
        ["./run.sh", "make check", "git *", "cd sub", "popd", "ls *", "cat *", "mytool *", "rg *"];
    let bound = ["./run.sh", "make check", "git log", "mytool x", "ls x; ./run.sh"];
    for command in bound {
        assert!(covers(&patterns, command).is_ok(), "{command}");
        let reason = covers_in(true, &patterns, command).unwrap_err();
        assert!(reason.contains("holds in the workspace's directory"), "{command}: {reason}");
        for moved in [format!("cd sub && {command}"), format!("{command}; cd sub")] {
            let reason = covers(&patterns, &moved).unwrap_err();
            assert!(reason.contains("after `cd` it may run in another"), "{moved}: {reason}");
        }
    }
    for command in ["ls -l", "cat a | rg -n x", "cd sub && ls -l", "cd sub"] {
        assert!(covers_in(true, &patterns, command).is_ok(), "{command}");
    }
    none_covered(&patterns, &["popd && make check", "(cd sub); ./run.sh", "cd sub; cat x > out/f"]);
}

/// What a redirection writes is judged by where its name leads, which nothing beside it may change.
#[test]
fn a_redirection_stands_beside_what_only_reads() {
    none_covered(
        &["echo *", "ln *", "mytool *", "git *", "./cat"],
        &[
            "ln -s ../../outside out/l; echo x > out/l/PWN",
            "echo x > out/f; ln -s a b",
            "mytool x > out/f",
            "git stash > out/f",
            "echo $(mytool x) > out/f",
            "./cat > out/f",
        ],
    );
    all_covered(
        &["echo *", "git *", "sort *", "find *", "mytool *", "ln *"],
        &[
            "echo x > out/f",
            "git log --oneline | sort -u > out/f",
            "find . -name x > out/f",
            "mytool x > /dev/null 2>&1; ln -s a b",
        ],
    );
}

#[test]
fn case_29_arguments_are_data() {
    none_covered(
        &["git log *", "sort *", "rm *"],
        &[
            "sort *",
            "sort $x",
            "sort \"$x\"",
            "git log \"$@\"",
            "rm {-rf,x}",
            "sort \"$(git log)\"",
        ],
    );
    all_covered(
        &["git log *", "sort *", "cat *"],
        &["sort ./*", "sort \"./$x\"", "git log -- '-n'", "git log 'a\nb'", "cat -- -x", "cat *"],
    );
}

#[test]
fn a_refusal_says_why() {
    let reason = covers(&["git *"], "git diff --output=f").unwrap_err();
    assert_eq!(reason, "`git *` does not cover it: `--output=f` may let `git diff` run or write");
    assert_eq!(covers(&["git *"], "rm x").unwrap_err(), "no rule covers `rm x`");
    let reason = covers(&["git *"], "git log > f").unwrap_err();
    assert_eq!(reason, "no `file_write` rule covers writing to `f`");
}
