//! The sandbox with real children of the real binary, on every rung that this machine has.
//!
//! Numbers such as T4 are those of the list of execution tests, H32 those of the hostile list.

mod agreement;

mod execution;

mod files;

mod launcher;

#[path = "../support/lacking.rs"]
mod lacking;

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use agi_agent::config::settings::SandboxLevel;
use agi_agent::config::settings::SandboxSettings;
use agi_agent::sandbox::CommandSpec;
use agi_agent::sandbox::Finished;
use agi_agent::sandbox::Policy;
use agi_agent::sandbox::Rung;
use agi_agent::sandbox::Sandbox;
use agi_agent::sandbox::SandboxError;
use tokio_util::sync::CancellationToken;

use lacking::lacking;

/// A workspace, something beside it, and a sandbox.
pub struct Place {
    root: tempfile::TempDir,
    pub sandbox: Sandbox,
}

impl Place {
    pub fn new(level: SandboxLevel, rung: Rung) -> Self {
        Self::with(level, rung, |_, _| Vec::new())
    }

    /// `change` adapts the settings, given the directory that everything lies in, and names what is
    /// protected besides.
    pub fn with(
        level: SandboxLevel,
        rung: Rung,
        change: impl FnOnce(&mut SandboxSettings, &Path) -> Vec<PathBuf>,
    ) -> Self {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().canonicalize().unwrap();
        for name in ["work", "outside", "state"] {
            std::fs::create_dir(base.join(name)).unwrap();
        }
        std::fs::write(base.join("outside/secret"), "outside secret").unwrap();
        std::fs::write(base.join("state/agent.db"), "state secret").unwrap();
        let mut settings = SandboxSettings {
            level,
            add_dirs: Vec::new(),
            read: Vec::new(),
            net: Vec::new(),
            env: Vec::new(),
        };
        let mut protected = change(&mut settings, &base);
        protected.push(base.join("state"));
        let policy = Policy::new(&settings, &base.join("work"), protected);
        let sandbox = Sandbox::new(policy).with_helper(Path::new(env!("CARGO_BIN_EXE_agi-agent")));
        let sandbox = if rung == Rung::Landlock { sandbox.without_namespaces() } else { sandbox };
        Self { root, sandbox }
    }

    pub fn base(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap()
    }

    pub fn work(&self) -> PathBuf {
        self.base().join("work")
    }

    pub fn command(&self, script: &str) -> CommandSpec {
        CommandSpec {
            argv: vec!["/bin/bash".into(), "-c".into(), script.into()],
            without_shell: Vec::new(),
            cwd: self.work(),
            env: vec![("BASE".into(), self.base().into())],
            stdin: agi_agent::sandbox::Input::Nothing,
            timeout: Duration::from_secs(30),
            output_limit: 64 << 10,
            keep_whole: false,
            terminal: false,
            live: agi_agent::sandbox::Live::Nobody,
        }
    }

    pub async fn sh(&self, script: &str) -> Finished {
        self.run(self.command(script)).await.unwrap()
    }

    pub async fn run(&self, command: CommandSpec) -> Result<Finished, SandboxError> {
        self.sandbox.run(command, CancellationToken::new()).await
    }
}

/// Every rung that can be had here; Landlock at least, or the test fails.
pub async fn rungs() -> Vec<Rung> {
    let best = Place::new(SandboxLevel::ReadOnly, Rung::Namespaces).sandbox.probe().await.unwrap();
    if best == Rung::Namespaces {
        return vec![best, Rung::Landlock];
    }
    lacking("namespaces", "the upper rung of the sandbox");
    vec![Rung::Landlock]
}

/// Whether a process whose command line contains `mark` is there.
pub fn is_running(mark: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let me = entry.file_name().to_string_lossy() == std::process::id().to_string();
        !me && String::from_utf8_lossy(&line).contains(mark)
    })
}

/// Seconds that nobody else sleeps, by which a process is found: other suites may run at the same time.
pub fn mark() -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("61.{:08}{count:04}", std::process::id())
}

/// Processes whose parent is any thread of `pid`.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().map(|task| {
        // A thread may have ended meanwhile.
        std::fs::read_to_string(task.path().join("children")).unwrap_or_default()
    });
    let numbers = |list: String| -> Vec<u32> {
        list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    };
    lists.flat_map(numbers).collect()
}

/// The process that runs `mark` (and not the shell that was told to), once it is there.
pub async fn running(mark: &str) -> u32 {
    let line = format!("sleep\0{mark}");
    let find = || {
        let entries = std::fs::read_dir("/proc").unwrap();
        entries.flatten().find_map(|entry| {
            let found = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let is_it = String::from_utf8_lossy(&found).starts_with(&line);
            is_it.then(|| entry.file_name().to_str()?.parse().ok()).flatten()
        })
    };
    let start = std::time::Instant::now();
    loop {
        if let Some(pid) = find() {
            return pid;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "`{mark}` never ran");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// 0 for a process that is gone.
pub fn parent(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    line.map_or(0, |pid| pid.trim().parse().unwrap())
}

/// The launcher of a place, which is started for it if there is none.
pub async fn launcher(place: &Place) -> u32 {
    let (mark, cancel) = (mark(), CancellationToken::new());
    // Executed by the shell, so that the keeper is the parent.
    let script = format!("exec sleep {mark}");
    let sleeping = place.sandbox.run(place.command(&script), cancel.clone());
    let find = async {
        let launcher = parent(parent(running(&mark).await));
        cancel.cancel();
        launcher
    };
    let (finished, launcher) = tokio::join!(sleeping, find);
    finished.unwrap();
    assert_eq!(parent(launcher), std::process::id());
    launcher
}

/// The long variants of tests: `AGI_TEST_LONG=1`.
pub fn is_long() -> bool {
    std::env::var_os("AGI_TEST_LONG").is_some()
}
