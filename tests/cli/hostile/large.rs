//! Case 9 again: protected files that are too large to be held in memory.

use std::fs;
use std::fs::File;
use std::os::unix::fs::MetadataExt;

use super::Ground;
use super::each;
use crate::support::finish;

/// Where a large file may be that decides what runs later.
const FILES: [&str; 4] =
    [".git/config", ".git/hooks/large", ".git/modules/m/config", ".agi-agent/notes/large"];

/// What a command does to such a file.
const ATTACKS: [&str; 9] = [
    "rm $F",
    "echo evil > $F",
    "echo evil >> $F",
    "printf evil | dd of=$F conv=notrunc status=none",
    "perl -e 'truncate(\"$F\", 5) or exit 1'",
    "truncate -s 5G $F",
    "rm $F; mkdir -p $F/x",
    "rm $F; ln -s /etc/passwd $F",
    "cp $F copy; printf evil | dd of=copy conv=notrunc status=none; mv copy $F",
];

const SIZE: usize = 3 << 20;

fn make(ground: &Ground) {
    for path in FILES {
        ground.file(path, "x".repeat(SIZE));
    }
}

fn is_intact(ground: &Ground, path: &str) -> bool {
    let path = ground.work().join(path);
    let is_file = |found: fs::Metadata| found.is_file() && found.len() == SIZE as u64;
    fs::symlink_metadata(&path).is_ok_and(is_file)
        && fs::read(path).is_ok_and(|bytes| bytes.iter().all(|byte| *byte == b'x'))
}

#[test]
fn case_09_large_files_are_refused_or_put_back() {
    each("case 9, large files", |ground, rows| {
        make(ground);
        let is_mounted = ground.rung() == "namespaces";
        for path in FILES {
            for attack in ATTACKS {
                let finished =
                    ground.sh(&format!("echo ran; F={path}; {}", attack.replace("$F", path)));
                let told = finished.stderr.contains("put back") || finished.code != 0;
                // Some attacks end with a success of their last command.
                let held = finished.stdout.starts_with("ran") && (told || is_mounted);
                let held = held && is_intact(ground, path);
                rows.row(format!("{} {path}: {attack}", ground.setting), held, &finished.stderr);
                if !is_intact(ground, path) {
                    drop(fs::remove_dir_all(ground.work().join(path)));
                    make(ground);
                }
            }
        }
    });
}

/// Copies are made once for a version of a file, nobody else can read them, and they go with the file.
#[test]
fn case_09_copies_of_large_files_are_private_and_made_once() {
    each("case 9, copies", |ground, rows| {
        make(ground);
        // Gives all of it away, once: a change of the owner is another version.
        drop(ground.command(&["--version"]));
        let level = ["sandbox", "--level", "workspace-write", "--", "true"];
        let run = || finish(&mut ground.command_as_it_is(&level));
        std::thread::sleep(std::time::Duration::from_millis(3_100));
        let copies = || {
            let running = ground.home().join(".local/share/agi-agent/running");
            let entries = |path| fs::read_dir(path).into_iter().flatten().flatten();
            let stores = entries(running).map(|entry| entry.path()).filter(|path| path.is_dir());
            let mut all: Vec<_> = stores
                .flat_map(entries)
                .map(|entry| entry.metadata().unwrap())
                .map(|found| (found.ino(), found.mode() & 0o777, found.len()))
                .collect();
            all.sort_unstable();
            all
        };
        let first = run();
        let made = copies();
        let seen = format!("{made:?} {}", first.stderr);
        let private = made.iter().all(|(_, mode, size)| (*mode, *size) == (0o600, SIZE as u64));
        rows.row(format!("{} made", ground.setting), made.len() == FILES.len() && private, &seen);
        let second = run();
        rows.row(format!("{} once", ground.setting), copies() == made, &second.stderr);
        for path in FILES {
            fs::remove_file(ground.work().join(path)).unwrap();
        }
        let third = run();
        rows.row(format!("{} gone", ground.setting), copies().is_empty(), &third.stderr);
    });
}

/// Without a mount that holds it, a command does not run beside what could not be put back (44, and the file
/// is named); by another name it could be written under a mount as well.
#[test]
fn case_09_what_is_too_large_to_be_kept_is_held_by_a_mount_or_no_command_runs() {
    each("case 9, too large", |ground, rows| {
        let huge = ground.file(".agi-agent/huge", "");
        File::options().write(true).open(&huge).unwrap().set_len(3 << 30).unwrap();
        let is_mounted = ground.rung() == "namespaces";
        let finished = ground.sh("touch ran; echo evil > .agi-agent/huge");
        let ran = ground.work().join("ran").exists();
        let named = finished.code == 44 && finished.stderr.contains(".agi-agent/huge");
        let whole = huge.metadata().unwrap().len() == 3 << 30;
        let held = whole && (ran, named) == (is_mounted, !is_mounted);
        rows.row(format!("{} huge", ground.setting), held, &finished.stderr);
        let read_only = ground.sh_at("read-only", "cat .agi-agent/huge | head -c 1 | wc -c");
        rows.row(format!("{} read-only", ground.setting), read_only.code == 0, &read_only.stderr);
        fs::hard_link(&huge, ground.work().join("second")).unwrap();
        drop(fs::remove_file(ground.work().join("ran")));
        let finished = ground.sh("touch ran; echo evil > second");
        let held = !ground.work().join("ran").exists() && finished.code == 44;
        rows.row(format!("{} another name", ground.setting), held, &finished.stderr);
    });
}
