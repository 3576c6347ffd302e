//! Case 9 again: less known ways to steer git, and attributes of files.

use std::fs;

use super::PYTHON;
use super::each;

/// Files of a repository that make a later git run or reach something.
const FILES: [(&str, &str); 5] = [
    (".git/remotes/origin", "URL: https://evil.invalid/x"),
    (".git/branches/origin", "https://evil.invalid/x"),
    (".git/rebase-merge/git-rebase-todo", "pick 1234567\n  exec touch pwned"),
    (".git/rebase-merge/git-rebase-todo", "x\ttouch pwned"),
    (".git/modules/m/rebase-merge/git-rebase-todo", "exec touch pwned"),
];

#[test]
fn case_09_old_remotes_and_lists_of_programs_are_put_back() {
    each("case 9, less known", |ground, rows| {
        for is_there in [false, true] {
            for (path, text) in FILES {
                drop(fs::remove_dir_all(ground.work().join(".git")));
                if is_there {
                    ground.file(".git/HEAD", "ref: refs/heads/main\n");
                    ground.file(".git/modules/m/HEAD", "ref: refs/heads/main\n");
                }
                let script = format!("mkdir -p $(dirname {path}); printf '%b' '{text}' > {path}");
                let finished = ground.sh(&script);
                let held = !ground.work().join(path).exists();
                let told = finished.code != 0 || finished.stderr.contains("put back");
                let what = format!("{} {path}: {text:?}, there: {is_there}", ground.setting);
                rows.row(what, held && told, &finished.stderr);
            }
        }
        // A rebase that stopped is its owner's to go on with, as long as it runs nothing.
        drop(fs::remove_dir_all(ground.work().join(".git")));
        let list = ".git/rebase-merge/git-rebase-todo";
        let finished =
            ground.sh(&format!("mkdir -p .git/rebase-merge; echo 'pick 1234567 x' > {list}"));
        let kept = ground.work().join(list).exists();
        rows.row(format!("{} a list without programs", ground.setting), kept, &finished.stderr);
    });
}

/// An access list that gives the user 12345 everything, now and in whatever is made later.
const LISTS: &str = r#"
import errno, os, struct
entry = lambda tag, rights, who=0xffffffff: struct.pack("<HHI", tag, rights, who)
access = struct.pack("<I", 2) + entry(1, 6) + entry(2, 7, 12345) + entry(4, 4) + entry(16, 5) + entry(32, 4)
for path in (".git", ".git/hooks", ".git/config", "."):
    for name in ("system.posix_acl_access", "system.posix_acl_default", "user.x"):
        try:
            os.setxattr(path, name, access)
            print(path, name, "set")
        except OSError as error:
            print(path, name, errno.errorcode[error.errno])
"#;

#[test]
fn case_09_no_attributes_are_set() {
    each("case 9, attributes", |ground, rows| {
        ground.file(".git/config", "[core]\n");
        ground.file(".git/hooks/x", "");
        ground.file("lists.py", LISTS);
        let finished = ground.sh(&format!("{PYTHON} -I lists.py"));
        let lines: Vec<&str> = finished.stdout.lines().collect();
        rows.row(format!("{} all tried", ground.setting), lines.len() == 12, &finished.stderr);
        for line in lines {
            rows.row(format!("{} {line}", ground.setting), !line.ends_with(" set"), "it was set");
        }
        for path in [".git", ".git/hooks", ".git/config", "."] {
            let mut names = [0; 1024];
            let count = rustix::fs::listxattr(ground.work().join(path), &mut names[..]);
            rows.row(format!("{} {path}", ground.setting), count == Ok(0), &format!("{count:?}"));
        }
        // Programs that copy attributes go on without.
        let finished = ground.sh("echo x > a; cp -a a b; mv b c; cat c");
        rows.row(format!("{} copying", ground.setting), finished.stdout == "x\n", &finished.stderr);
    });
}
