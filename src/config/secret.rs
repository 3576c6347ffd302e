//! Secrets: where they are read from, and that they are never shown.
//!
//! A secret is named in a configuration, never written into it. It is read when it is needed (a
//! remote model is about to be called), not when the configuration is loaded.

use std::fs::File;
use std::io::Read;
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
use tokio_util::sync::CancellationToken;

use crate::system::process;
use crate::system::terminal;
use crate::system::terminal::Stream;

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
const MAX_SECRET: u64 = 64 * 1024;

impl SecretSource {
    /// Reads the secret from a file or a command (what comes from the environment was read where
    /// the environment is). The reason of a failure holds no secret. A command is ended when `cancel` is
    /// cancelled.
    pub fn read(&self, cancel: &CancellationToken) -> Result<Secret, String> {
        let text = match self {
            Self::Env(name) => return Err(format!("environment variable `{name}` is not set")),
            Self::File(path) => read_file(path)?,
            Self::Command(words) => run(words, PATIENCE, cancel)?,
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
    if !metadata.is_file() {
        return Err(format!("`{}` is no regular file", path.display()));
    }
    if metadata.len() > MAX_SECRET {
        let size = metadata.len();
        return Err(format!(
            "`{}` has {size} bytes, and a secret has at most {MAX_SECRET}",
            path.display()
        ));
    }
    let bytes = File::open(path).and_then(read_bounded).map_err(failed)?;
    text(bytes, &format!("`{}`", path.display()), "holds")
}

/// What was read; one byte more than a secret may have shows that there was more.
fn read_bounded(input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MAX_SECRET + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Files of the kernel have no length before they are read, programs neither.
fn text(bytes: Vec<u8>, source: &str, verb: &str) -> Result<String, String> {
    if bytes.len() as u64 > MAX_SECRET {
        return Err(format!("{source} {verb} more than {MAX_SECRET} bytes, which is no secret"));
    }
    String::from_utf8(bytes).map_err(|_| format!("{source} {verb} something that is not text"))
}

/// Runs a program without a shell; what it says on stderr is for the person. It is waited for within
/// `patience`, its output included: something it left behind may still hold that open.
fn run(words: &[String], patience: Duration, cancel: &CancellationToken) -> Result<String, String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err("the command has no words".into());
    };
    let deadline = Instant::now() + patience;
    // On a terminal it stays in our group, as one that may ask there for a password has to.
    let has_group = !terminal::is_terminal(Stream::Input);
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    if has_group {
        process::lead_a_group(&mut command);
    }
    let mut child = command.spawn().map_err(|error| format!("cannot run `{program}`: {error}"))?;
    let read = read_in_background(&mut child).map_err(|error| {
        stop(&mut child, has_group);
        format!("cannot read what `{program}` prints: {error}")
    })?;
    let over = || cancel.is_cancelled() || Instant::now() >= deadline;
    let Some(status) =
        wait(&mut child, &over).map_err(|error| format!("cannot wait for `{program}`: {error}"))?
    else {
        stop(&mut child, has_group);
        return Err(if cancel.is_cancelled() {
            format!("`{program}` was ended before it had printed a secret")
        } else {
            format!("`{program}` did not end within {} s", patience.as_secs())
        });
    };
    let read = read.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    // Nobody reads on after too much: the program may have failed of that.
    let is_too_long = matches!(&read, Ok(Ok(bytes)) if bytes.len() as u64 > MAX_SECRET);
    if !status.success() && !is_too_long {
        return Err(format!("`{program}` failed ({status})"));
    }
    match read {
        Ok(Ok(bytes)) => text(bytes, &format!("`{program}`"), "printed"),
        Ok(Err(error)) => Err(format!("cannot read what `{program}` printed: {error}")),
        Err(_) => Err(format!(
            "`{program}` has ended, and something it started holds its output open for more than {} s",
            patience.as_secs()
        )),
    }
}

type Output = std::sync::mpsc::Receiver<std::io::Result<Vec<u8>>>;

/// Reads on a thread of its own, since a pipe cannot be waited for with a deadline.
fn read_in_background(child: &mut Child) -> std::io::Result<Output> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let output = child.stdout.take();
    std::thread::Builder::new().name("secret".to_owned()).spawn(move || {
        let read = output.map_or_else(|| Ok(Vec::new()), read_bounded);
        // Nobody waits for it any more after a time-out.
        drop(sender.send(read));
    })?;
    Ok(receiver)
}

/// `None` where it has not ended when it is over.
fn wait(
    child: &mut Child,
    over: &dyn Fn() -> bool,
) -> std::io::Result<Option<std::process::ExitStatus>> {
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if over() => return Ok(None),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Ends the program, and what it started where that can be told from others.
fn stop(child: &mut Child, has_group: bool) {
    if has_group {
        process::end_group(child);
    }
    drop(child.kill());
    drop(child.wait());
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::SecretSource;

    fn run(words: &[String], patience: Duration) -> Result<String, String> {
        super::run(words, patience, &CancellationToken::new())
    }

    fn read(source: SecretSource) -> super::Secret {
        source.read(&CancellationToken::new()).unwrap()
    }

    fn failed(source: SecretSource) -> String {
        match source.read(&CancellationToken::new()) {
            Ok(_) => "it was read".to_owned(),
            Err(reason) => reason,
        }
    }

    fn command(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_file_and_a_command_give_the_same_secret() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("key"), "  canary\n").unwrap();
        let path = root.path().join("key");
        let file = read(SecretSource::File(path.clone()));
        let words = command(&["cat", &path.to_string_lossy()]);
        let command = read(SecretSource::Command(words));
        assert_eq!((file.expose(), command.expose()), ("canary", "canary"));
        assert_eq!(format!("{file:?}"), "***");
    }

    #[test]
    fn failures_say_what_failed() {
        assert!(failed(SecretSource::File("/dev/zero".into())).contains("no regular file"));
        let failed = |words: &[&str]| failed(SecretSource::Command(command(words)));
        assert!(failed(&["false"]).contains("`false` failed"));
        assert_eq!(failed(&["true"]), "the secret is empty");
        assert!(failed(&["/nonexistent"]).contains("cannot run"));
    }

    #[test]
    fn what_is_too_long_is_refused_not_cut() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("key");
        std::fs::write(&path, "k".repeat(64 * 1024)).unwrap();
        let source = SecretSource::File(path.clone());
        assert_eq!(read(source.clone()).expose().len(), 64 * 1024);
        std::fs::write(&path, "k".repeat(64 * 1024 + 1)).unwrap();
        let name = path.to_string_lossy();
        assert_eq!(
            failed(source),
            format!("`{name}` has 65537 bytes, and a secret has at most 65536")
        );
        let words = command(&["cat", &name]);
        let told = failed(SecretSource::Command(words));
        assert_eq!(told, "`cat` printed more than 65536 bytes, which is no secret");
        let endless = failed(SecretSource::Command(command(&["yes"])));
        assert_eq!(endless, "`yes` printed more than 65536 bytes, which is no secret");
    }

    #[test]
    fn an_output_that_stays_open_is_not_taken_for_an_empty_secret() {
        let words = command(&["sh", "-c", "echo canary; sleep 5 2>/dev/null &"]);
        let told = run(&words, Duration::from_millis(500)).unwrap_err();
        assert!(told.contains("holds its output open"), "{told}");
        let told = run(&command(&["sleep", "5"]), Duration::from_millis(50)).unwrap_err();
        assert_eq!(told, "`sleep` did not end within 0 s");
    }
}
