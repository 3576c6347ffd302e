//! The judge of shell commands against a real bash: whatever allow rules cover is run, in an empty
//! directory where every program is a recorder, and nothing but what was allowed may have run, and
//! nothing may have been written.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use agi_agent::agent::approval::covering::Places;
use agi_agent::agent::approval::covering::Surroundings;
use agi_agent::agent::approval::covering::cover;

/// What the rules allow; `wrappers` come off, `evil` and `rogue` are never allowed.
pub const PATTERNS: [&str; 4] = ["alpha *", "beta one*", "echo *", "find *"];

/// Programs that record that they ran.
const RECORDERS: [&str; 6] = ["alpha", "beta", "evil", "rogue", "git", "rm"];

/// Programs of the machine that start others.
const WRAPPERS: [&str; 6] = ["env", "timeout", "nice", "nohup", "xargs", "find"];

thread_local! {
    static WORLD: World = World::new();
}

/// The whole input is a command.
pub fn judge(data: &[u8]) {
    let Some(command) = super::text(data) else { return };
    let patterns = PATTERNS.map(|pattern| (pattern, pattern));
    WORLD.with(|world| {
        let places = world.places();
        let surroundings =
            Surroundings { places: &places, is_elsewhere: false, may_write: &|_| false };
        if cover(&patterns, command, &surroundings).is_err() {
            return;
        }
        let (ran, written) = world.trace(command);
        let wrong: Vec<&String> = ran.iter().filter(|ran| !is_allowed(ran)).collect();
        assert!(wrong.is_empty(), "{command:?} ran {wrong:?}");
        assert!(written.is_empty(), "{command:?} wrote {written:?}");
    });
}

/// The empty world in which covered commands run.
pub struct World {
    root: tempfile::TempDir,
}

impl World {
    /// A world of its own below the temporary directory.
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let world = Self { root };
        std::fs::create_dir(world.bin()).unwrap();
        std::fs::create_dir(world.work()).unwrap();
        for name in RECORDERS {
            let log = world.log();
            let text = format!(
                "#!/bin/sh\ncase $1 in one*) a=one;; *) a=other;; esac\necho {name} $a >>'{}'\n",
                log.display()
            );
            std::fs::write(world.bin().join(name), text).unwrap();
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(world.bin().join(name), mode).unwrap();
        }
        for name in WRAPPERS {
            let real = Path::new("/usr/bin").join(name);
            std::os::unix::fs::symlink(real, world.bin().join(name)).unwrap();
        }
        world
    }

    fn bin(&self) -> PathBuf {
        self.root.path().join("bin")
    }

    /// The working directory, which stays empty.
    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    fn log(&self) -> PathBuf {
        self.root.path().join("log")
    }

    /// Where the commands find their programs.
    pub fn places(&self) -> Places {
        Places { search: vec![self.bin()], writable: vec![self.work().canonicalize().unwrap()] }
    }

    /// What ran, as the program and whether its first argument begins with `one`, and what was
    /// written.
    pub fn trace(&self, command: &str) -> (Vec<String>, Vec<PathBuf>) {
        std::fs::write(self.log(), "").unwrap();
        let mut child = Command::new("/bin/bash")
            .args(["--norc", "--noprofile", "-c", command])
            .current_dir(self.work())
            .env_clear()
            .env("PATH", self.bin())
            .env("HOME", self.work())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                child.wait().unwrap();
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if command.contains('&') || command.contains('(') {
            // What runs in the background may be later than the shell.
            std::thread::sleep(Duration::from_millis(15));
        }
        let log = std::fs::read_to_string(self.log()).unwrap();
        let written = std::fs::read_dir(self.work()).unwrap().flatten().map(|entry| entry.path());
        (log.lines().map(str::to_owned).collect(), written.collect())
    }
}

/// Whether a rule allows what ran.
pub fn is_allowed(ran: &str) -> bool {
    ran.starts_with("alpha ") || ran == "beta one"
}
