//! The sandbox with real children of the real binary, on every rung that this machine has.
//!
//! Numbers such as T4 are those of the list of execution tests, H32 those of the hostile list.

mod bounds;

mod execution;

mod files;

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

/// A workspace, something beside it, and a sandbox.
pub struct Place {
    root: tempfile::TempDir,
    pub sandbox: Sandbox,
}

impl Place {
    pub fn new(level: SandboxLevel, rung: Rung) -> Self {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().canonicalize().unwrap();
        for name in ["work", "outside", "state"] {
            std::fs::create_dir(base.join(name)).unwrap();
        }
        std::fs::write(base.join("outside/secret"), "outside secret").unwrap();
        std::fs::write(base.join("state/agent.db"), "state secret").unwrap();
        let settings = SandboxSettings {
            level,
            add_dirs: Vec::new(),
            read: Vec::new(),
            net: Vec::new(),
            env: Vec::new(),
        };
        let policy = Policy::new(&settings, &base.join("work"), vec![base.join("state")]);
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
            cwd: self.work(),
            env: vec![("BASE".into(), self.base().into())],
            stdin: Vec::new(),
            timeout: Duration::from_secs(30),
            output_limit: 64 << 10,
            on_output: None,
        }
    }

    pub async fn sh(&self, script: &str) -> Finished {
        self.run(self.command(script)).await.unwrap()
    }

    pub async fn run(&self, command: CommandSpec) -> Result<Finished, SandboxError> {
        self.sandbox.run(command, CancellationToken::new()).await
    }
}

/// Every rung that can be had here; Landlock at least, or the test says so.
pub async fn rungs() -> Vec<Rung> {
    let best = Place::new(SandboxLevel::ReadOnly, Rung::Namespaces).sandbox.probe().await.unwrap();
    if best == Rung::Namespaces { vec![best, Rung::Landlock] } else { vec![Rung::Landlock] }
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

/// The long variants of tests: `AGI_TEST_LONG=1`.
pub fn is_long() -> bool {
    std::env::var_os("AGI_TEST_LONG").is_some()
}
