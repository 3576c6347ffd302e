//! Cases 1 to 7: paths that lead elsewhere than they say.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use serde_json::json;

use super::Ground;
use super::Rows;
use super::SECRET;
use super::each;
use super::names;
use crate::support::Finished;

/// Nothing of what is outside is in what was printed.
pub fn is_silent(finished: &Finished) -> bool {
    !finished.stdout.contains(SECRET) && !finished.stderr.contains(SECRET)
}

fn refused(rows: &mut Rows, ground: &Ground, what: &str, finished: &Finished) {
    let held = finished.code != 0 && ground.is_untouched() && is_silent(finished);
    let seen = format!("{} {}{}", finished.code, finished.stdout, finished.stderr);
    rows.row(format!("{} {what}", ground.setting), held, &seen);
}

#[test]
fn case_01_a_link_to_a_directory_outside_is_no_way_to_write_there() {
    each("case 1", |ground, rows| {
        symlink(ground.outside(), ground.work().join("x")).unwrap();
        ground.file("mine", "mine");
        for (tool, arguments) in [
            ("file_write", json!({"path": "x/secret", "content": "evil"})),
            ("file_write", json!({"path": "x/new", "content": "evil"})),
            ("file_write", json!({"path": "x/secret", "content": "evil", "append": true})),
            ("file_write", json!({"path": "x/deep/new", "content": "evil"})),
            ("file_edit", json!({"path": "x/secret", "old": SECRET, "new": "evil"})),
            ("file_read", json!({"path": "x/secret"})),
            ("file_stats", json!({"path": "x/secret", "hash": "sha256"})),
        ] {
            refused(rows, ground, &format!("{tool} {arguments}"), &ground.tool(tool, &arguments));
        }
        for way in [
            "echo evil > x/secret",
            "echo evil >> x/secret",
            "echo evil > x/new",
            "cp mine x/secret",
            "cp --remove-destination mine x/secret",
            "tee x/secret < mine",
            "mv mine x/",
            "ln -f mine x/hard",
            "ln -s mine x/soft",
            "rm -f x/secret && test ! -e x/secret",
            "mv x/secret here",
            "mkdir x/directory",
            "truncate -s 0 x/secret",
            "dd if=mine of=x/secret",
            "sed -i s/outside/evil/ x/secret",
            "perl -e 'open(F, \">\", \"x/secret\") or exit 1'",
            "cat x/secret",
        ] {
            refused(rows, ground, way, &ground.sh(way));
        }
        symlink("/etc", ground.work().join("etc")).unwrap();
        let arguments = json!({"path": "etc/agi-agent-was-here", "content": "evil"});
        refused(rows, ground, "file_write to /etc", &ground.tool("file_write", &arguments));
        refused(rows, ground, "to /etc", &ground.sh("echo evil > etc/agi-agent-was-here"));
        let gone = !std::path::Path::new("/etc/agi-agent-was-here").exists();
        rows.row("/etc is as it was", gone, "a file was made there");
    });
}

#[test]
fn case_02_a_link_that_is_swapped_while_it_is_used_never_leads_outside() {
    let long = std::env::var_os("AGI_TEST_LONG").is_some();
    let (tools, loops) = if long { (500, 100_000) } else { (10, 1_500) };
    let mut raced = false;
    each("case 2", |ground, rows| {
        let work = ground.work();
        fs::create_dir(work.join("inside")).unwrap();
        fs::write(work.join("inside/secret"), "harmless").unwrap();
        // Everything belongs to the user under test before the links begin to move.
        drop(ground.command(&["--version"]));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 0_u64.. {
                    let target = if turn % 2 == 0 { work.join("inside") } else { ground.outside() };
                    symlink(target, ground.home().join("spare")).unwrap();
                    fs::rename(ground.home().join("spare"), work.join("d")).unwrap();
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
            let without_owner = Ground::command_as_it_is;
            for _ in 0..tools {
                for (tool, arguments) in [
                    ("file_write", json!({"path": "d/written", "content": "x"})),
                    ("file_read", json!({"path": "d/secret"})),
                ] {
                    let text = arguments.to_string();
                    let level = ["--sandbox", "workspace-write"];
                    let arguments = [&["tool", "run", tool, "--args", &text][..], &level].concat();
                    let finished = crate::support::finish(&mut without_owner(ground, &arguments));
                    let held = ground.is_untouched() && is_silent(&finished);
                    rows.row(format!("{} {tool}", ground.setting), held, &finished.stdout);
                }
            }
            let script = format!(
                "for ((i = 0; i < {loops}; i++)); do echo x > d/written; read -r l < d/secret; echo $l; \
                 done 2>/dev/null | sort | uniq -c"
            );
            let arguments = ["sandbox", "--level", "workspace-write", "--", "bash", "-c", &script];
            let finished = crate::support::finish(&mut without_owner(ground, &arguments));
            let held = ground.is_untouched() && is_silent(&finished);
            let seen = format!("{}{}", finished.stdout, finished.stderr);
            rows.row(format!("{} {loops} rounds of a shell", ground.setting), held, &seen);
            raced |= finished.stdout.contains("harmless");
            stop.store(true, Ordering::Relaxed);
        });
    });
    assert!(raced, "no round saw the link where it leads inside: nothing was tried");
}

#[test]
fn case_03_a_dangling_link_is_refused_before_and_after_its_target_appears() {
    each("case 3", |ground, rows| {
        let (work, later) = (ground.work(), ground.outside().join("later"));
        symlink(&later, work.join("dangling")).unwrap();
        symlink("dangling", work.join("chain")).unwrap();
        symlink(ground.outside().join("no-directory"), work.join("directory")).unwrap();
        let writes = |path: &str| {
            let arguments = json!({"path": path, "content": "evil"});
            [
                (format!("file_write {path}"), ground.tool("file_write", &arguments)),
                (format!("> {path}"), ground.sh(&format!("echo evil > {path}"))),
                (format!("cp to {path}"), ground.sh(&format!("cp /etc/hostname {path}"))),
            ]
        };
        for path in ["dangling", "chain", "directory/file"] {
            for (what, finished) in writes(path) {
                refused(rows, ground, &what, &finished);
            }
        }
        // Where it leads inside a command may make its target; a tool goes by what stands there.
        symlink("absent", work.join("inward")).unwrap();
        let inward = ground.tool("file_write", &json!({"path": "inward", "content": "evil"}));
        refused(rows, ground, "file_write inward", &inward);
        let absent = !work.join("absent").exists();
        rows.row(format!("{} nothing was made", ground.setting), absent, &inward.stderr);
        fs::write(&later, "theirs").unwrap();
        for path in ["dangling", "chain"] {
            for (what, finished) in writes(path) {
                let unchanged = fs::read_to_string(&later).unwrap() == "theirs";
                let held = finished.code != 0 && unchanged;
                rows.row(format!("{} later {what}", ground.setting), held, &finished.stderr);
            }
        }
    });
}

/// A hard link that a person made is the person's; a command cannot make one to a file outside.
#[test]
fn case_04_a_second_name_of_a_file_outside_is_not_written() {
    each("case 4", |ground, rows| {
        for way in [
            "ln $BASE/outside/secret a && cat a",
            "ln -L $BASE/outside/secret a",
            "perl -e 'link(\"$BASE/outside/secret\", \"a\") or exit 1'",
            "mv $BASE/outside/secret a",
            "cp -l $BASE/outside/secret a",
        ] {
            refused(rows, ground, way, &ground.sh(way));
        }
        fs::hard_link(ground.outside().join("secret"), ground.work().join("a")).unwrap();
        for (tool, arguments) in [
            ("file_edit", json!({"path": "a", "old": SECRET, "new": "evil"})),
            ("file_write", json!({"path": "a", "content": "evil"})),
            ("file_write", json!({"path": "a", "content": "evil", "append": true})),
        ] {
            let finished = ground.tool(tool, &arguments);
            let held = finished.code != 0 && ground.is_untouched();
            rows.row(format!("{} {tool}", ground.setting), held, &finished.stderr);
        }
    });
}

#[test]
fn case_05_every_spelling_of_a_path_is_refused_alike() {
    each("case 5", |ground, rows| {
        ground.file("sub/file", "x");
        symlink(ground.outside(), ground.work().join("link")).unwrap();
        let base = ground.outside().parent().unwrap().to_string_lossy().into_owned();
        for spelling in names::OF_THE_SECRET {
            let path = spelling.replace("$BASE", &base);
            for (tool, arguments) in [
                ("file_read", json!({"path": path})),
                ("file_write", json!({"path": path, "content": "evil"})),
                ("file_search", json!({"pattern": "outside", "path": path})),
            ] {
                let finished = ground.tool(tool, &arguments);
                refused(rows, ground, &format!("{tool} {spelling}"), &finished);
            }
            if !path.contains('\0') {
                let quoted = format!("'{path}'");
                for way in ["cat", "head -c 99 <", "cp -t .", "echo evil >"] {
                    let way = format!("{way} {quoted}");
                    refused(rows, ground, &way, &ground.sh(&way));
                }
            }
        }
        for name in names::OF_GIT {
            let arguments = json!({"path": name, "content": "evil"});
            let finished = ground.tool("file_write", &arguments);
            refused(rows, ground, &format!("file_write {name:?}"), &finished);
        }
    });
}

#[test]
fn case_06_a_deny_rule_holds_for_every_name_of_a_file() {
    each("case 6", |ground, rows| {
        ground.file("private/key.txt", SECRET);
        ground.file("sub/x", "");
        symlink("private/key.txt", ground.work().join("alias")).unwrap();
        symlink("alias", ground.work().join("chain")).unwrap();
        symlink("private", ground.work().join("directory")).unwrap();
        symlink(ground.work().join("private"), ground.work().join("sub/absolute")).unwrap();
        for path in [
            "private/key.txt",
            "./private/key.txt",
            "private//key.txt",
            "private/./key.txt",
            "sub/../private/key.txt",
            "private/key.txt/",
            "alias",
            "chain",
            "directory/key.txt",
            "sub/absolute/key.txt",
            "sub/../alias",
            "$BASE/work/private/key.txt",
            "$BASE/work/alias",
            "/proc/self/cwd/private/key.txt",
        ] {
            let base = ground.outside().parent().unwrap().to_string_lossy().into_owned();
            let path = path.replace("$BASE", &base);
            for (tool, mut arguments) in [
                ("file_read", json!({})),
                ("file_edit", json!({"old": SECRET, "new": "evil"})),
                ("file_search", json!({"pattern": "outside"})),
            ] {
                arguments["path"] = path.clone().into();
                let call = json!({"name": tool, "arguments": arguments});
                let script = json!([{"tool_calls": [call]}, {"text": "done"}]);
                let rule = ["--deny", "file_*(private/key.txt)", "--output-format", "jsonl"];
                let finished = ground.agent(&script, &rule);
                let told = finished.stdout.replace(&path, "").contains(SECRET)
                    && !finished.stdout.contains("\"old\"");
                let unchanged =
                    fs::read_to_string(ground.work().join("private/key.txt")).unwrap() == SECRET;
                let held = finished.code != 0 && !told && unchanged;
                let what = format!("{} {tool} {path}", ground.setting);
                rows.row(what, held, &format!("{} {}", finished.code, finished.stdout));
            }
        }
    });
}

#[test]
fn case_07_the_working_directory_of_a_call_widens_nothing() {
    each("case 7", |ground, rows| {
        symlink(ground.outside(), ground.work().join("link")).unwrap();
        fs::create_dir(ground.work().join("sub")).unwrap();
        for cwd in [
            "/",
            "..",
            "../outside",
            "sub/../..",
            "link",
            "/etc",
            "/proc/self/root",
            "/proc/self/cwd/..",
            "$BASE",
            "$BASE/outside",
        ] {
            let base = ground.outside().parent().unwrap().to_string_lossy().into_owned();
            let cwd = cwd.replace("$BASE", &base);
            let command = "cat outside/secret secret; echo evil > outside/secret";
            let finished = ground.tool("shell", &json!({"command": command, "cwd": cwd}));
            let held = finished.code == 43 && ground.is_untouched() && is_silent(&finished);
            rows.row(format!("{} {cwd}", ground.setting), held, &finished.stderr);
        }
        for cwd in [".", "sub"] {
            let command = "cat ../outside/secret ../../outside/secret; cd ..; cd ..; ls -a; pwd; \
                           echo evil > ../outside/secret; echo evil > ../../outside/secret; false";
            let finished = ground.tool("shell", &json!({"command": command, "cwd": cwd}));
            refused(rows, ground, &format!("climbing from {cwd}"), &finished);
        }
    });
}
