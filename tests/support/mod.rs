//! A sealed place to run the real binary in: own home, own workspace, no environment but what a
//! test gives, no network but loopback, no terminal.
//!
//! Shared by the test programs; must not know what the commands do.

#![allow(dead_code, reason = "each test program uses its own part")]

#[cfg(target_os = "linux")]
pub mod denied;

mod lacking;

pub mod model_dialects;

pub mod model_server;

#[cfg(unix)]
pub mod terminal;

pub use lacking::lacking;

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;
use std::time::Instant;

/// No command of a test may take longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A temporary home and workspace for one test.
pub struct TestContext {
    root: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// What a finished command left.
pub struct Finished {
    /// Exit code; 128 + signal where a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub duration: Duration,
}

impl TestContext {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(root.path().join("home")).expect("home");
        std::fs::create_dir(root.path().join("work")).expect("work");
        Self { root, environment: Vec::new() }
    }

    /// The home directory of this test.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// The working directory of this test.
    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Where the binary keeps its database in this test.
    pub fn data(&self) -> PathBuf {
        self.home().join(".local/share/agi-agent")
    }

    /// Writes a file below the working directory, parents included.
    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let full = self.work().join(path);
        std::fs::create_dir_all(full.parent().expect("a parent")).expect("parents");
        std::fs::write(&full, contents).expect("a written file");
        full
    }

    /// Writes the user's configuration file.
    pub fn configure(&self, json: &str) {
        let path = self.home().join(".config/agi-agent/config.json");
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("parents");
        std::fs::write(path, json).expect("a written file");
    }

    /// Sets an environment variable for all commands of this test.
    pub fn env(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// The binary with these arguments, sealed; standard input is empty.
    pub fn command<I, S>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(binary());
        command
            .args(args)
            .current_dir(self.work())
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .envs(development_python())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the binary to its end.
    pub fn run<I, S>(&self, args: I) -> Finished
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        finish(&mut self.command(args))
    }

    /// Runs the binary with `input` on standard input.
    pub fn run_with_input<I, S>(&self, args: I, input: &[u8]) -> Finished
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let path = self.root.path().join("stdin");
        std::fs::write(&path, input).expect("input");
        let mut command = self.command(args);
        command.stdin(std::fs::File::open(path).expect("input"));
        finish(&mut command)
    }

    /// Replaces what differs between runs: the temporary directory and the version.
    pub fn filter(&self, text: &str) -> String {
        let root = self.root.path().to_string_lossy().into_owned();
        let canonical = self.root.path().canonicalize().unwrap_or_else(|_| PathBuf::from(&root));
        text.replace(&*canonical.to_string_lossy(), "[ROOT]")
            .replace(&root, "[ROOT]")
            .replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
    }

    /// Exit code, stdout and stderr in one text for a snapshot.
    pub fn snapshot<I, S>(&self, args: I) -> String
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let finished = self.run(args);
        self.filter(&format!(
            "exit code: {}\n----- stdout -----\n{}[EOF]\n----- stderr -----\n{}[EOF]\n",
            finished.code, finished.stdout, finished.stderr
        ))
    }
}

impl Default for TestContext {
    fn default() -> Self {
        Self::new()
    }
}

/// The binary under test: `AGI_TEST_BINARY` (a release build), else the one cargo built.
pub fn binary() -> PathBuf {
    std::env::var_os("AGI_TEST_BINARY")
        .map_or_else(|| Path::new(env!("CARGO_BIN_EXE_agi-agent")).to_path_buf(), PathBuf::from)
}

/// What the development build needs to find the installed interpreter; the release build needs
/// nothing.
fn development_python() -> Vec<(&'static str, std::ffi::OsString)> {
    ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"]
        .into_iter()
        .filter_map(|name| std::env::var_os(name).map(|value| (name, value)))
        .collect()
}

/// Waits for a command, bounded in time, and collects what it printed.
pub fn finish(command: &mut Command) -> Finished {
    let start = Instant::now();
    let child = command.spawn().expect("the binary starts");
    let id = child.id();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            kill(id);
        }
    });
    let output = child.wait_with_output().expect("the binary ends");
    drop(done);
    drop(watchdog);
    let duration = start.elapsed();
    assert!(duration < PATIENCE, "a command took longer than {PATIENCE:?}");
    collect(&output, duration)
}

/// What a child printed that was started with pipes, once it has ended.
pub fn collected(child: std::process::Child) -> Finished {
    let start = Instant::now();
    collect(&child.wait_with_output().expect("it ends"), start.elapsed())
}

/// Waits until something holds, not longer than `limit`.
pub fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "{what} took longer than {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What an ended process left.
pub fn collect(output: &Output, duration: Duration) -> Finished {
    Finished {
        code: code(output.status),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        duration,
    }
}

/// Exit code; 128 + signal where a signal ended it.
#[cfg(unix)]
pub fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

#[cfg(not(unix))]
pub fn code(status: std::process::ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

fn kill(id: u32) {
    drop(Command::new("kill").args(["-9", &id.to_string()]).status());
}
