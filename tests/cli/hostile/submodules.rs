//! Case 9 again: git directories of submodules. A submodule may have any name, parts that are git's own
//! words included, and a command may write the name and the hooks before anybody has the submodule.

use std::fs;
use std::path::PathBuf;

use super::Ground;
use super::each;

/// What git finds below `modules` for submodules of these names.
const NAMES: [&str; 16] = [
    "hooks",
    "hooks/x",
    "info/x",
    "objects/x",
    "config/x",
    "modules/x",
    "worktrees/x/y",
    "a/hooks/x",
    "a/info",
    "a/info/x",
    "a/objects/info/x",
    "a/config",
    "a/modules",
    "a/modules/x",
    "a/commondir/gitdir",
    "a/worktrees/x",
];

/// What makes `libs` look like a git directory, below which no other is looked for.
const SHAMS: [&str; 4] = [
    "touch HEAD; mkdir objects refs",
    "echo 'ref: refs/heads/x' > HEAD; mkdir objects",
    "echo 'ref: refs/heads/x' > HEAD; mkdir objects refs; chmod 0 objects",
    "echo x > HEAD; mkdir -p objects refs; echo nowhere > commondir",
];

fn modules(ground: &Ground) -> PathBuf {
    ground.work().join(".git/modules")
}

fn planted(ground: &Ground, name: &str) -> bool {
    ["hooks/post-checkout", "config"]
        .iter()
        .any(|path| modules(ground).join(name).join(path).exists())
}

#[test]
fn case_09_submodules_of_any_name_are_watched() {
    each("case 9, names of submodules", |ground, rows| {
        // New ones, in a repository that is new itself: on every rung a command can make it.
        for is_there in [false, true] {
            if is_there {
                for name in NAMES {
                    fs::create_dir_all(modules(ground).join(name).join("objects")).unwrap();
                }
            }
            // Deeper than is looked at, nothing may appear. Nobody has a submodule there.
            let deep = "d/".repeat(51);
            let names = || NAMES.into_iter().chain((!is_there).then_some(deep.as_str()));
            let plant = names().map(|name| {
                format!(
                    "mkdir -p .git/modules/{name}/hooks; echo evil > .git/modules/{name}/config; \
                     echo evil > .git/modules/{name}/hooks/post-checkout"
                )
            });
            let finished = ground.sh(&plant.collect::<Vec<_>>().join("\n"));
            for name in names() {
                let what = format!("{} {name}, there before: {is_there}", ground.setting);
                rows.row(what, !planted(ground, name), &finished.stderr);
            }
            drop(fs::remove_dir_all(ground.work().join(".git")));
        }
        for sham in SHAMS {
            let libs = ".git/modules/libs";
            let script = format!(
                "mkdir -p {libs}/new/hooks; echo evil > {libs}/new/config; \
                 echo evil > {libs}/new/hooks/post-checkout; cd {libs}; {sham}"
            );
            let finished = ground.sh(&script);
            let what = format!("{} {sham}", ground.setting);
            rows.row(what, !planted(ground, "libs/new"), &finished.stderr);
            drop(fs::remove_dir_all(ground.work().join(".git")));
        }
    });
}
