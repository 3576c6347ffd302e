//! Case 9 once more: git directories that are not the `.git` of the workspace, `.git` files that lead to one,
//! what makes git look for another, and configuration under another name. Each trap is sprung without the sandbox first: then a plain `git
//! status` runs the program.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use serde_json::json;

use super::Ground;
use super::Rows;
use super::each;
use crate::support::Finished;

/// A repository, what a command does to it, and where a git is started afterwards.
struct Trap {
    name: &'static str,
    make: &'static str,
    attack: &'static str,
    /// Directories that are writable beside the workspace.
    added: &'static [&'static str],
}

/// A repository in which something was committed.
const COMMITTED: &str = "git init -q . && git commit -q --allow-empty -m x";

/// One with a submodule.
const SUBMODULE: &str = "git init -q ../lib && git -C ../lib commit -q --allow-empty -m x && git init -q . && \
     git -c protocol.file.allow=always submodule -q add ../lib a/sub && git commit -qm x";

/// `$T` is the line of a configuration that runs the program.
const TRAPS: [Trap; 13] = [
    Trap {
        name: "a separate git directory",
        make: "git init -q --separate-git-dir=meta .",
        attack: "echo \"$T\" >> meta/config",
        added: &[],
    },
    Trap {
        name: "a separate git directory, replaced",
        make: "mkdir deep && git init -q --separate-git-dir=deep/meta .",
        attack: "mv deep old; cp -r old deep; echo \"$T\" >> deep/meta/config",
        added: &[],
    },
    Trap {
        name: "a link to a git directory",
        make: "git init -q . && mv .git meta && ln -s meta .git",
        attack: "echo \"$T\" >> meta/config",
        added: &[],
    },
    Trap {
        name: "the git directory of a linked worktree",
        make: "git init -q ../main && git -C ../main commit -q --allow-empty -m x && \
               git -C ../main worktree add -q -f \"$PWD\"",
        attack: "echo \"$T\" >> ../main/.git/config",
        added: &["../main/.git"],
    },
    Trap {
        name: "a bare repository",
        make: "git init -q --bare .",
        attack: "git config core.bare false; git config core.worktree \"$PWD\"; echo \"$T\" >> config",
        added: &[],
    },
    Trap {
        name: "a submodule's `.git` file",
        make: SUBMODULE,
        attack: "cp -r .git/modules/a/sub evil; git config -f evil/config core.worktree \"$PWD/a/sub\"; \
                 echo \"$T\" >> evil/config; echo 'gitdir: ../../evil' > a/sub/.git",
        added: &[],
    },
    Trap {
        name: "the same by another directory",
        make: SUBMODULE,
        attack: "cp -r .git/modules/a/sub a/evil; git config -f a/evil/config core.worktree \"$PWD/a/sub\"; \
                 echo \"$T\" >> a/evil/config; mv a/sub a/old; mkdir a/new; \
                 echo 'gitdir: ../evil' > a/new/.git; ln -s new a/sub; rm a/sub; mv a/new a/sub",
        added: &[],
    },
    Trap {
        name: "junk in `.git/HEAD`",
        make: COMMITTED,
        attack: "echo junk > .git/HEAD; echo 'ref: refs/heads/x' > HEAD; mkdir objects refs; \
                 printf '[core]\\nrepositoryformatversion = 0\\nbare = false\\nworktree = %s\\n' \
                 \"$PWD\" > config; echo \"$T\" >> config",
        added: &[],
    },
    Trap {
        name: "no `.git/refs`",
        make: COMMITTED,
        attack: "mv .git/refs refs || mkdir refs; echo 'ref: refs/heads/x' > HEAD; mkdir objects; \
                 printf '[core]\\nrepositoryformatversion = 0\\nbare = false\\nworktree = %s\\n' \
                 \"$PWD\" > config; echo \"$T\" >> config",
        added: &[],
    },
    Trap {
        name: "no `.git/objects`",
        make: COMMITTED,
        attack: "chmod 0 .git/objects; rm -f .git/HEAD; echo 'ref: refs/heads/x' > HEAD; mkdir objects refs; \
                 printf '[core]\\nrepositoryformatversion = 0\\nbare = false\\nworktree = %s\\n' \
                 \"$PWD\" > config; echo \"$T\" >> config",
        added: &[],
    },
    Trap {
        name: "a file that the configuration includes",
        make: "git init -q . && mkdir conf && touch conf/git && git config include.path ../conf/git",
        attack: "echo \"$T\" >> conf/git",
        added: &[],
    },
    Trap {
        name: "one that is not there, of one that is",
        make: "git init -q . && git config -f .gitconfig include.path deep/more && \
               git config includeIf.gitdir:/**.path ../.gitconfig",
        attack: "mkdir deep; echo \"$T\" > deep/more",
        added: &[],
    },
    Trap {
        name: "one behind a link",
        make: "git init -q . && mkdir real && touch real/git && ln -s real conf && \
               git config include.path ../conf/git",
        attack: "rm conf; mkdir conf; echo \"$T\" > conf/git",
        added: &[],
    },
];

/// The person's next git, from the workspace.
const PLAIN: &str = "git status";

/// The person's own git, or a shell without the sandbox.
pub(super) fn plain(ground: &Ground, script: &str) -> bool {
    let mut command = Command::new("bash");
    command.args(["-c", script]).current_dir(ground.work()).env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", ground.home());
    command.env("T", line(ground)).env("LC_ALL", "C");
    // The ground may belong to another user.
    let settings = [("safe.directory", "*"), ("user.name", "a"), ("user.email", "a@b")];
    command.env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (number, (key, value)) in settings.into_iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{number}"), key);
        command.env(format!("GIT_CONFIG_VALUE_{number}"), value);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

fn mark(ground: &Ground) -> PathBuf {
    ground.outside().join("pwned")
}

fn line(ground: &Ground) -> String {
    format!("[core] fsmonitor = \"touch {}; false\"", mark(ground).display())
}

/// A shell script in the sandbox, these directories writable as well.
fn sh(ground: &Ground, script: &str, added: &[&str]) -> Finished {
    let mut arguments = vec!["sandbox", "--level", "workspace-write", "--timeout", "30"];
    for directory in added {
        arguments.extend(["--add-dir", directory]);
    }
    let script = format!("T='{}'; {script}", line(ground));
    arguments.extend(["--", "bash", "-c", &script]);
    ground.run(&arguments)
}

fn spring(rows: &mut Rows, ground: &Ground, trap: &Trap) {
    let sprung = Ground::new(ground.setting);
    assert!(plain(&sprung, trap.make), "{}", trap.name);
    plain(&sprung, trap.attack);
    plain(&sprung, PLAIN);
    let works = mark(&sprung).exists();
    rows.row(format!("{}: the trap works", trap.name), works, "no program was run");

    let fresh = Ground::new(ground.setting);
    assert!(plain(&fresh, trap.make), "{}", trap.name);
    let finished = sh(&fresh, trap.attack, trap.added);
    let runs = plain(&fresh, PLAIN);
    let is_told = ["put back", "Read-only file system"];
    let is_told = is_told.iter().any(|words| finished.stderr.contains(words));
    // A bare repository has no status; all others are repositories still.
    let is_whole = runs || trap.name.contains("bare");
    let held = !mark(&fresh).exists() && is_told && is_whole;
    let what = format!("{} {}", ground.setting, trap.name);
    rows.row(what, held, &format!("{runs} {is_told} {}", finished.stderr));
}

#[test]
fn case_09_git_directories_elsewhere_are_protected_as_well() {
    each("case 9, git directories elsewhere", |ground, rows| {
        for trap in &TRAPS {
            spring(rows, ground, trap);
        }
    });
}

#[test]
fn case_09_file_tools_refuse_git_directories_of_any_name() {
    each("case 9, file tools", |ground, rows| {
        for (make, paths) in [
            ("git init -q --separate-git-dir=meta .", ["meta/config", "meta/hooks/pre-commit"]),
            ("git init -q --bare .", ["config", "hooks/pre-receive"]),
            (
                "git init -q . && git config include.path ../a && touch a && \
                 git config includeIf.onbranch:x.path ../conf/b",
                ["a", "conf/b"],
            ),
        ] {
            let fresh = Ground::new(ground.setting);
            assert!(plain(&fresh, make));
            for path in paths {
                let before = fs::read(fresh.work().join(path)).ok();
                let finished = fresh.tool("file_write", &json!({"path": path, "content": "evil"}));
                let held = finished.code == 43 && fs::read(fresh.work().join(path)).ok() == before;
                rows.row(format!("{} {path}", ground.setting), held, &finished.stderr);
            }
        }
    });
}

/// What git itself does stays, on both rungs where the directory was made writable by its name.
#[test]
fn git_works_in_a_git_directory_that_was_made_writable() {
    each("commits", |ground, rows| {
        assert!(plain(ground, TRAPS[3].make));
        let commit = "echo x > f && git add f && git -c user.name=a -c user.email=a@b commit -qm y";
        let finished = sh(ground, commit, TRAPS[3].added);
        let held = finished.code == 0 && !finished.stderr.contains("put back");
        rows.row(format!("{} commit", ground.setting), held, &finished.stderr);
        if ground.rung() == "landlock" {
            let fresh = Ground::new(ground.setting);
            assert!(plain(&fresh, COMMITTED));
            let finished = sh(&fresh, &format!("{commit}; git checkout -q --detach"), &[]);
            let held = finished.code == 0 && !finished.stderr.contains("put back");
            let now = fs::read_to_string(fresh.work().join(".git/HEAD")).unwrap();
            let held = held && !now.starts_with("ref:") && is_clean(&fresh.work());
            rows.row(format!("{} HEAD moves", ground.setting), held, &finished.stderr);
        }
    });
}

fn is_clean(work: &Path) -> bool {
    !work.join(".git/index.lock").exists() && work.join("f").exists()
}
