//! Secrets: where they are read from, and that they are never shown.
//!
//! A secret is named in a configuration, never written into it. It is read when it is needed (a
//! remote model is about to be called), not when the configuration is loaded.

use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

/// A value that must never be printed: `Debug` and `Serialize` show `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself; call this only where it goes onto the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// Where a secret is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretSource {
    /// Name of an environment variable.
    Env(String),
    /// A file; white space around the secret does not count.
    File(PathBuf),
    /// A program and its arguments that print it; run without a shell.
    Command(Vec<String>),
}

/// A program that prints a secret has this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of a secret at most; the longest known tokens have a few thousand.
const MAX_SECRET: usize = 64 * 1024;

impl SecretSource {
    /// Reads the secret from a file or a command (what comes from the environment was read where
    /// the environment is). The reason of a failure holds no secret.
    pub fn read(&self) -> Result<Secret, String> {
        let text = match self {
            Self::Env(name) => return Err(format!("environment variable `{name}` is not set")),
            Self::File(path) => read_file(path)?,
            Self::Command(words) => run(words)?,
        };
        let secret = text.trim();
        if secret.is_empty() {
            return Err("the secret is empty".into());
        }
        Ok(Secret::new(secret))
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read `{}`: {error}", path.display());
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() || metadata.len() > MAX_SECRET as u64 {
        return Err(format!("`{}` is no small regular file", path.display()));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// Runs a program without a shell; what it says on stderr is for the person.
fn run(words: &[String]) -> Result<String, String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err("the command has no words".into());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run `{program}`: {error}"))?;
    let output = child.stdout.take().map(read_in_background);
    let status = wait(&mut child, program)?;
    if !status.success() {
        return Err(format!("`{program}` failed ({status})"));
    }
    let bytes = output.and_then(|output| output.recv_timeout(PATIENCE).ok()).unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| format!("`{program}` printed something that is not text"))
}

fn read_in_background(mut output: std::process::ChildStdout) -> std::sync::mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        use std::io::Read as _;

        let mut bytes = Vec::new();
        let read = output.by_ref().take(MAX_SECRET as u64).read_to_end(&mut bytes);
        // Nobody waits for it any more after a time-out.
        drop(sender.send(if read.is_ok() { bytes } else { Vec::new() }));
    });
    receiver
}

fn wait(child: &mut Child, program: &str) -> Result<std::process::ExitStatus, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                drop(child.kill());
                drop(child.wait());
                return Err(format!("`{program}` did not end within {} s", PATIENCE.as_secs()));
            }
            Err(error) => return Err(format!("cannot wait for `{program}`: {error}")),
        }
    }
}

/// Text that may be a secret: written down, or read from elsewhere.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SecretText {
    Source(SecretSource),
    Plain(String),
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Source(source) => source.fmt(formatter),
            Self::Plain(_) => formatter.write_str(MASK),
        }
    }
}

impl Serialize for SecretText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Source(source) => source.serialize(serializer),
            Self::Plain(_) => serializer.serialize_str(MASK),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::SecretSource;

    #[test]
    fn a_file_and_a_command_give_the_same_secret() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("key"), "  canary\n").unwrap();
        let path = root.path().join("key");
        let file = SecretSource::File(path.clone()).read().unwrap();
        let words = vec!["cat".to_owned(), path.to_string_lossy().into_owned()];
        let command = SecretSource::Command(words).read().unwrap();
        assert_eq!((file.expose(), command.expose()), ("canary", "canary"));
        assert_eq!(format!("{file:?}"), "***");
    }

    #[test]
    fn failures_say_what_failed() {
        let failed = |source: SecretSource| source.read().unwrap_err();
        assert!(failed(SecretSource::File("/dev/zero".into())).contains("no small regular file"));
        assert!(failed(SecretSource::Command(vec!["false".into()])).contains("`false` failed"));
        assert_eq!(failed(SecretSource::Command(vec!["true".into()])), "the secret is empty");
        assert!(failed(SecretSource::Command(vec!["/nonexistent".into()])).contains("cannot run"));
    }
}
