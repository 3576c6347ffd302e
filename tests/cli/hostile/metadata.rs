//! Cases 9 to 11: files that decide what runs later, and what the agent itself may do.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::Ground;
use super::Rows;
use super::each;
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
const TRICKS: [&str; 12] = [
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
];

fn repository(ground: &Ground) {
    let git = ground.work().join(".git");
    for directory in ["hooks", "info", "objects/info", "modules/m/hooks", "worktrees/w", "refs"] {
        fs::create_dir_all(git.join(directory)).unwrap();
    }
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(git.join("config"), "[core]\n").unwrap();
    fs::write(git.join("modules/m/config"), "[core]\n").unwrap();
}

/// What stands under each name that steers: `None` for nothing, a link's target for a link.
fn state(ground: &Ground) -> Vec<Option<String>> {
    let contents = |name: &&str| {
        let path = ground.work().join(name);
        let link = fs::read_link(&path).map(|target| format!("-> {}", target.display()));
        link.or_else(|_| fs::read_to_string(&path)).ok()
    };
    let directories = [".git", ".git/hooks", ".git/modules/m"];
    STEERING.iter().chain(&directories).map(contents).collect()
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

#[test]
fn case_10_the_agents_own_files_are_out_of_reach_even_where_they_do_not_exist() {
    each("case 10", |ground, rows| {
        let home = ground.home();
        fs::create_dir_all(home.join(".local/share/agi-agent")).unwrap();
        let database = home.join(".local/share/agi-agent/agent.db");
        fs::write(&database, "database").unwrap();
        let own = [
            ".config/agi-agent/config.json",
            ".config/agi-agent/profiles/evil.json",
            ".local/share/agi-agent/agent.db",
            ".local/share/agi-agent/agent.db-wal",
            ".local/share/agi-agent/trust.json",
        ];
        // The workspace is the home directory itself, or it is added.
        let reaches = [vec!["-C", "$BASE/home"], vec!["--add-dir", "$BASE/home"]];
        for (number, reach) in reaches.iter().enumerate() {
            let (global, local) =
                if number == 0 { (&reach[..], &[][..]) } else { (&[][..], &reach[..]) };
            for path in own {
                let full = format!("$BASE/home/{path}");
                let directory = Path::new(&full).parent().unwrap().display().to_string();
                let arguments = json!({"path": full, "content": "evil"}).to_string();
                let tool = ["tool", "run", "file_write", "--args", &arguments];
                let level = ["--sandbox", "workspace-write"];
                let finished = ground.run(&[global, &tool, &level, local].concat());
                rows.row(
                    format!("{} file_write {path} {reach:?}", ground.setting),
                    finished.code == 43 && intact(&home),
                    &format!("{} {}", finished.code, finished.stderr),
                );
                for script in [
                    format!("mkdir -p {directory}; echo evil > {full}"),
                    format!("mkdir -p {directory} 2>/dev/null; cat {full} && false"),
                    format!("rm -f {full}; test ! -e {full} && false"),
                ] {
                    let fixed = ["sandbox", "--level", "workspace-write"];
                    let command = ["--", "bash", "-c", &script];
                    let finished = ground.run(&[global, &fixed, local, &command].concat());
                    let held = intact(&home) && !finished.stdout.contains("database");
                    rows.row(
                        format!("{} {script} {reach:?}", ground.setting),
                        held,
                        &format!("{} {}", finished.code, finished.stderr),
                    );
                }
            }
            for trick in [
                "mv ~/.config ~/.c2; mkdir -p ~/.config/agi-agent; echo '{}' > ~/.config/agi-agent/config.json",
                "mv ~/.local/share ~/s2; mkdir -p ~/.local/share/agi-agent; echo evil > ~/.local/share/agi-agent/agent.db",
                "ln -s ~/evil ~/.config; mkdir -p ~/evil/agi-agent; echo '{}' > ~/evil/agi-agent/config.json",
                "ln ~/.local/share/agi-agent/agent.db ~/copy; cat ~/copy",
                "mv ~/.local/share/agi-agent ~/moved",
            ] {
                let fixed = ["sandbox", "--level", "workspace-write"];
                let command = ["--", "bash", "-c", trick];
                let finished = ground.run(&[global, &fixed, local, &command].concat());
                let held = intact(&home) && !finished.stdout.contains("database");
                rows.row(
                    format!("{} {trick} {reach:?}", ground.setting),
                    held,
                    &format!("{} {}", finished.code, finished.stderr),
                );
            }
        }
    });
}

/// A person at work in their home directory: commands create files there, and beside what they cannot
/// see. Without namespaces only in directories on the way to nothing protected.
#[test]
fn a_home_directory_can_be_the_workspace() {
    each("home as workspace", |ground, rows| {
        let home = ground.home();
        fs::create_dir_all(home.join("project")).unwrap();
        fs::create_dir_all(home.join(".local/share/agi-agent")).unwrap();
        fs::write(home.join(".local/share/agi-agent/agent.db"), "database").unwrap();
        let namespaces = ground.rung() == "namespaces";
        for (way, everywhere) in [
            ("echo x > project/file && mv project/file project/g", true),
            ("echo x > file && mkdir new && mv file new/ && git init -q repo", false),
            ("mkdir .config/other && echo x > .config/other/settings", false),
            ("echo x > .local/share/file && rm .local/share/file", false),
            ("rmdir .config/agi-agent || mv .config/agi-agent gone", false),
        ] {
            let level = ["sandbox", "--level", "workspace-write", "--", "bash", "-c", way];
            let finished = ground.run(&[&["-C", "$BASE/home"][..], &level].concat());
            let wanted = !way.starts_with("rmdir") && (everywhere || namespaces);
            let held = (finished.code == 0) == wanted && intact(&home);
            rows.row(format!("{} {way}", ground.setting), held, &finished.stderr);
        }
        let names =
            ground.run(&["-C", "$BASE/home", "sandbox", "--", "ls", ".local/share/agi-agent"]);
        rows.row(
            format!("{} nothing is seen", ground.setting),
            names.stdout.is_empty() || !namespaces,
            &names.stdout,
        );
    });
}

/// A hard link that a person or a backup program made: bounds go by names, and this one is in reach.
#[test]
fn case_10_another_name_of_the_agents_own_file_is_not_reached() {
    each("case 10, other names", |ground, rows| {
        let data = ground.home().join(".local/share/agi-agent");
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("agent.db"), "database").unwrap();
        fs::create_dir(ground.work().join("deep")).unwrap();
        fs::hard_link(data.join("agent.db"), ground.work().join("deep/copy")).unwrap();
        for (level, script) in [
            ("workspace-write", "echo evil > deep/copy"),
            ("workspace-write", "cat deep/copy"),
            ("read-only", "cat deep/copy"),
        ] {
            let finished = ground.sh_at(level, script);
            let held = finished.code == 43
                && !finished.stdout.contains("database")
                && finished.stderr.contains("deep/copy")
                && fs::read_to_string(data.join("agent.db")).unwrap() == "database";
            rows.row(format!("{} {level} {script}", ground.setting), held, &finished.stderr);
        }
        let arguments = json!({"command": "cat deep/copy"});
        let finished = ground.tool("shell", &arguments);
        let held = finished.code == 43 && !finished.stdout.contains("database");
        rows.row(format!("{} the tool", ground.setting), held, &finished.stderr);
        // A copy is another file.
        fs::remove_file(ground.work().join("deep/copy")).unwrap();
        fs::copy(data.join("agent.db"), ground.work().join("deep/copy")).unwrap();
        let finished = ground.sh("cat deep/copy");
        let held = finished.stdout.contains("database");
        rows.row(format!("{} a copy", ground.setting), held, &finished.stderr);
    });
}

/// No configuration appeared, and the database is what it was.
fn intact(home: &Path) -> bool {
    let database = home.join(".local/share/agi-agent/agent.db");
    !home.join(".config/agi-agent/config.json").exists()
        && !home.join(".config/agi-agent/profiles").exists()
        && fs::read_to_string(database).is_ok_and(|text| text == "database")
        && fs::read_dir(home.join(".local/share/agi-agent")).unwrap().flatten().all(|entry| {
            // What agents tell each other of workspaces in which commands run.
            ["agent.db", "running"].contains(&&*entry.file_name().to_string_lossy())
        })
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
