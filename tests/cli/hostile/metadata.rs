//! Cases 9 and 11: files that decide what runs later.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;

use super::Ground;
use super::Rows;
use super::each;
use super::each_of_two;
use crate::support::Finished;

/// What steers git, in a repository and in its submodules and worktrees.
const STEERING: [&str; 17] = [
    ".git/hooks/pre-commit",
    ".git/hooks/post-checkout",
    ".git/config",
    ".git/config.worktree",
    ".git/commondir",
    ".git/gitdir",
    ".git/info/attributes",
    ".git/info/grafts",
    ".git/objects/info/alternates",
    ".git/modules/m/config",
    ".git/modules/m/hooks/post-checkout",
    ".git/modules/m/info/attributes",
    ".git/worktrees/w/config.worktree",
    ".git/worktrees/w/commondir",
    ".git/worktrees/w/gitdir",
    ".agi-agent/config.json",
    ".agi-agent/tools.yaml",
];

/// Ways round a guard that only looks at the path itself.
const TRICKS: [&str; 16] = [
    "mv .git g2 && mkdir -p .git/hooks && echo evil > .git/hooks/pre-push",
    "rm -rf .git; echo 'gitdir: evil' > .git",
    "rm -rf .git; ln -s evil .git; mkdir -p evil/hooks; echo evil > evil/hooks/pre-commit",
    "rm -rf .git/hooks; ln -s ../evil .git/hooks; mkdir -p evil; echo evil > evil/pre-commit",
    "mkdir -p evil/hooks && echo evil > evil/hooks/pre-commit && mv -T evil/hooks .git/hooks",
    "echo evil > e && ln -f e .git/hooks/pre-commit",
    "echo evil > e && mv e .git/config",
    "cp -r .git g2; echo evil >> g2/config; rm -rf .git; mv g2 .git",
    "exec 3>>.git/config; (sleep 0.3; echo evil >&3) &",
    "mkdir -p .git/modules && ln -s ../../evil .git/modules/m; mkdir evil; echo evil > evil/config",
    "chmod 777 .git/config .git/hooks; echo evil > .git/config",
    "perl -e 'truncate(\".git/config\", 0) or exit 1'",
    "chmod 0777 .git .git/hooks .git/modules/m/hooks",
    "chown 65534 .git/hooks; chgrp 65534 .git/info",
    "mv .git g; echo 'gitdir: g' > .git; rm .git; mv g .git; echo evil > .git/hooks/pre-commit",
    "touch .git/modules/libs/HEAD; echo evil > .git/modules/libs/foo/hooks/post-checkout",
];

/// Ways to be overlooked when things are put back, or to be in the way of that; each plants a hook.
const HIDING: [&str; 12] = [
    "cd .git/hooks; mkdir -p aaa/b/c; touch aaa/b/c/f; echo evil > pre-commit; chmod -R 0 aaa",
    "cd .git/hooks; mkdir -p aaa/b; touch aaa/f; echo evil > pre-commit; chmod 0500 aaa/b aaa",
    "echo evil > .git/hooks/pre-commit; chmod 0311 .git/hooks",
    "echo evil > .git/hooks/pre-commit; chmod 0000 .git/hooks",
    "echo evil > .git/hooks/pre-commit; chmod 0555 .git/hooks",
    "echo evil > .git/hooks/pre-commit; chmod 0311 .git; chmod 0311 .",
    "cd .git/hooks; touch $'a\\nb' $'\\xff\\xfe' $'\\e[2J'; echo evil > pre-commit; chattr +i pre-commit",
    "rm -f .git/config; mkfifo .git/config .git/hooks/pre-commit",
    "truncate -s 7G .git/config .git/hooks/pre-commit",
    "ln -f .git/config .git/hooks/pre-commit; ln -f .git/config .git/config.worktree",
    "mkdir .git/hooks/pre-commit; echo evil > .git/hooks/pre-commit/x; rm .git/config; mkdir .git/config",
    "echo evil > .git/hooks/pre-commit; mount -t tmpfs x .git/hooks; unshare -Urm mount -t tmpfs x .git",
];

/// The same by mere mass, which takes a second each.
const MASSES: [&str; 2] = [
    "cd .git/hooks; seq 10500 | xargs touch; echo evil > pre-commit",
    "cd .git/hooks; echo evil > pre-commit; perl -e 'for (1..3000) { mkdir \"aaa\"; chdir \"aaa\" }'",
];

fn repository(ground: &Ground) {
    let git = ground.work().join(".git");
    let submodules = ["modules/m/hooks", "modules/libs/foo/hooks"];
    for directory in
        ["hooks", "info", "objects/info", "worktrees/w", "refs"].iter().chain(&submodules)
    {
        fs::create_dir_all(git.join(directory)).unwrap();
    }
    fs::write(git.join("modules/libs/foo/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(git.join("config"), "[core]\n").unwrap();
    fs::write(git.join("modules/m/config"), "[core]\n").unwrap();
}

/// What stands under each name that steers: `None` for nothing, a link's target for a link.
fn state(ground: &Ground) -> Vec<Option<String>> {
    let contents = |name: &&str| contents(&ground.work().join(name));
    let directories = [
        ".git",
        ".git/hooks",
        ".git/modules/m",
        ".git/modules/m/hooks",
        ".git/modules/libs/foo/hooks",
        ".git/config",
    ];
    let rights = directories.iter().map(|name| rights(&ground.work().join(name)));
    let hooks = directories.iter().filter(|name| name.ends_with("hooks"));
    let hooks = hooks.map(|name| names(&ground.work().join(name)));
    STEERING.iter().chain(&directories).map(contents).chain(rights).chain(hooks).collect()
}

/// Nothing is read without end: what was planted may be a FIFO, or as long as a disk.
fn contents(path: &Path) -> Option<String> {
    let found = fs::symlink_metadata(path).ok()?;
    if let Ok(target) = fs::read_link(path) {
        return Some(format!("-> {}", target.display()));
    }
    if found.is_file() && found.len() < 1 << 20 {
        return fs::read_to_string(path).ok();
    }
    Some(format!("{:?}", found.file_type()))
}

/// Who may do what with a file or directory, whoever it belongs to as a whole.
fn rights(path: &Path) -> Option<String> {
    let found = fs::symlink_metadata(path).ok()?;
    let is_as_above = path.parent().and_then(|parent| fs::symlink_metadata(parent).ok());
    let is_as_above = is_as_above.is_some_and(|above| above.uid() == found.uid());
    Some(format!("{:o} {is_as_above}", found.mode()))
}

/// The first names in a directory.
fn names(path: &Path) -> Option<String> {
    let entries = fs::read_dir(path).ok()?.flatten().take(20);
    let names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    Some(format!("{names:?}"))
}

/// A script may go on behind what was refused: then the refusal is in what it printed.
fn is_refused_or_told(finished: &Finished) -> bool {
    let words = ["put back", "Read-only file system", "Permission denied"];
    finished.code != 0 || words.iter().any(|words| finished.stderr.contains(words))
}

/// The steering files are as they were; `tells`: and the person was told, or the command failed.
fn attack(rows: &mut Rows, ground: &Ground, script: &str, tells: bool) {
    fs::remove_dir_all(ground.work()).unwrap();
    fs::create_dir(ground.work()).unwrap();
    repository(ground);
    let before = state(ground);
    let finished = ground.sh(script);
    let now = state(ground);
    let held = now == before && (!tells || is_refused_or_told(&finished));
    let seen = format!("{} {now:?} {}", finished.code, finished.stderr);
    rows.row(format!("{} {script}", ground.setting), held, &seen);
}

/// The repository is made by the command that plants something in it.
fn attack_on_a_new_repository(rows: &mut Rows, ground: &Ground, script: &str) {
    let make = "mkdir -p .git/hooks .git/modules/m/hooks; touch .git/config";
    let finished = ground.sh(&format!("{make}; {script}"));
    let held = STEERING.iter().all(|path| !ground.work().join(path).exists());
    let held = held && finished.stderr.contains("put back");
    rows.row(format!("{} new: {script}", ground.setting), held, &finished.stderr);
    fs::remove_dir_all(ground.work().join(".git")).unwrap();
}

#[test]
fn case_09_what_steers_git_is_refused_or_put_back_present_or_not() {
    each("case 9", |ground, rows| {
        for path in STEERING {
            repository(ground);
            let before = state(ground);
            let arguments = json!({"path": path, "content": "evil"});
            let finished = ground.tool("file_write", &arguments);
            let held = finished.code == 43 && state(ground) == before;
            rows.row(format!("{} file_write {path}", ground.setting), held, &finished.stderr);
            let directory = Path::new(path).parent().unwrap().display();
            attack(rows, ground, &format!("mkdir -p {directory} && echo evil > {path}"), true);
        }
        for trick in TRICKS {
            // Some of them change nothing in the end, and then there is nothing to tell.
            attack(rows, ground, trick, false);
        }
    });
    // A repository that was not there: it may appear, but nothing in it that steers.
    each("case 9, absent before", |ground, rows| {
        for path in STEERING {
            let directory = Path::new(path).parent().unwrap().display();
            let finished = ground.sh(&format!("mkdir -p {directory} && echo evil > {path}"));
            let held = !ground.work().join(path).exists() && is_refused_or_told(&finished);
            rows.row(format!("{} {path}", ground.setting), held, &finished.stderr);
        }
        let finished = ground.sh("rm -rf .git; echo 'gitdir: evil' > .git");
        let held = !ground.work().join(".git").is_file() && is_refused_or_told(&finished);
        rows.row(format!("{} a `.git` file", ground.setting), held, &finished.stderr);
    });
}

#[test]
fn case_09_what_hides_among_others_or_behind_permissions_is_put_back() {
    each("case 9, hiding", |ground, rows| {
        for trick in HIDING {
            attack(rows, ground, trick, true);
        }
    });
}

#[test]
fn case_09_what_hides_behind_masses_is_put_back() {
    each_of_two("case 9, masses", |ground, rows| {
        for trick in MASSES {
            attack(rows, ground, trick, true);
            fs::remove_dir_all(ground.work().join(".git")).unwrap();
            attack_on_a_new_repository(rows, ground, trick);
        }
    });
}

#[test]
fn case_09_what_hides_in_a_new_repository_is_put_back() {
    each("case 9, hiding, absent before", |ground, rows| {
        for trick in HIDING {
            attack_on_a_new_repository(rows, ground, trick);
        }
    });
}

/// What is no file cannot be put back: that it is gone is an error, and shields nothing.
#[test]
fn case_09_what_cannot_be_put_back_keeps_nothing_else() {
    each("case 9, beyond repair", |ground, rows| {
        repository(ground);
        let pipe = ground.work().join(".agi-agent/pipe");
        fs::create_dir(ground.work().join(".agi-agent")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o644.into(), 0)
            .unwrap();
        let before = state(ground);
        let script =
            "echo evil > .git/hooks/pre-commit; echo evil > .git/config; rm .agi-agent/pipe";
        let finished = ground.sh(script);
        let told = finished.code == 54 && finished.stderr.contains(".agi-agent/pipe");
        let held = state(ground) == before && finished.code != 0 && (pipe.exists() || told);
        rows.row(format!("{} {script}", ground.setting), held, &finished.stderr);
    });
}

/// `git init` and a commit by a command: what docs/sandbox.md says of each rung.
#[test]
fn case_09_a_new_repository_works_and_an_old_one_is_read_only_to_namespaces() {
    each("case 9, git itself", |ground, rows| {
        let identity = "-c user.name=a -c user.email=a@b.c -c init.defaultBranch=main";
        let script = format!(
            "export GIT_CONFIG_GLOBAL=/dev/null; echo x > f && git {identity} init -q . && git add f && \
             git {identity} commit -qm first && git log --oneline | wc -l"
        );
        let first = ground.sh(&script);
        let seen = format!("{}{}", first.stdout, first.stderr);
        rows.row(format!("{} init and commit", ground.setting), first.stdout == "1\n", &seen);
        let steering = ["config", "hooks", "info/attributes"];
        let clean = steering.iter().all(|name| !ground.work().join(".git").join(name).exists());
        rows.row(format!("{} nothing that steers stayed", ground.setting), clean, &seen);
        let script = format!(
            "export GIT_CONFIG_GLOBAL=/dev/null; git {identity} commit -q --allow-empty -m second"
        );
        let second = ground.sh(&script);
        let rung = ground.rung();
        let held = (second.code == 0) == (rung == "landlock");
        rows.row(format!("{} a second commit ({rung})", ground.setting), held, &second.stderr);
    });
}

/// Files outside that run by themselves are refused; inside, the person who is asked and the model
/// are told that a file runs later.
#[test]
fn case_11_files_that_run_later_are_refused_outside_and_flagged_inside() {
    each("case 11", |ground, rows| {
        for path in [
            "~/.bashrc",
            "~/.profile",
            "~/.zshenv",
            "~/.ssh/authorized_keys",
            "~/.config/autostart/x.desktop",
            "~/.gitconfig",
            "../Makefile",
            "../.envrc",
            "../conftest.py",
            "/etc/profile.d/agi-agent.sh",
            "/usr/lib/python3/dist-packages/sitecustomize.py",
        ] {
            let real = path.replace('~', &ground.home().to_string_lossy());
            let arguments = json!({"path": real, "content": "evil"});
            let written = ground.tool("file_write", &arguments);
            let shell = ground.sh(&format!("echo evil > {real}"));
            let held = written.code == 43 && shell.code != 0 && !ground.work().join(&real).exists();
            rows.row(format!("{} {path}", ground.setting), held, &written.stderr);
        }
        for path in [
            ".bashrc",
            ".profile",
            ".envrc",
            ".vscode/tasks.json",
            ".idea/workspace.xml",
            ".mcp.json",
            ".npmrc",
            "Makefile",
            "venv/bin/python",
            ".venv/bin/activate",
            "conftest.py",
            "sub/conftest.py",
            "sitecustomize.py",
            "package.json",
            "build.rs",
            ".husky/pre-commit",
            ".github/workflows/ci.yml",
            ".gitattributes",
        ] {
            let arguments = json!({"path": path, "content": "x"});
            let finished = ground.tool("file_write", &arguments);
            let held = finished.code == 0 && finished.stdout.contains("runs later");
            rows.row(format!("{} {path}", ground.setting), held, &finished.stdout);
        }
        for path in ["notes.txt", "src/main.rs", "makefile.md", "bin/python.txt"] {
            let arguments = json!({"path": path, "content": "x"});
            let finished = ground.tool("file_write", &arguments);
            let held = finished.code == 0 && !finished.stdout.contains("runs later");
            rows.row(
                format!("{} {path} is nothing special", ground.setting),
                held,
                &finished.stdout,
            );
        }
    });
}
