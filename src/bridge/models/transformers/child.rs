//! The child that has torch loaded: started, spoken to in JSON lines, ended.
//!
//! One thread writes its requests and reads its answers, so that no thread of the runtime waits for
//! a pipe. Its standard error goes to the log; the last of it is told when the child ends unasked.

use std::collections::VecDeque;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::process::ChildStderr;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::config::env::Environment;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;
use crate::protocol::secrets::has_secret;
use crate::protocol::secrets::is_secret_name;
use crate::system::process;
use crate::system::process::executable;

/// The module that the child runs.
const MODULE: &str = "agi_agent.local.hub";
/// How long it has to stop writing an answer nobody wants; `hub.py` takes a little less.
const CLOSING: Duration = Duration::from_millis(1500);
/// How long a child whose pipe is closed has to end, so that it can be said how.
const ENDING: Duration = Duration::from_millis(500);
/// Bytes of one answer; what is written between two of them is far less.
const MAX_LINE: u64 = 64 << 20;
/// Lines of standard error that are kept to explain an end.
const LAST_WORDS: usize = 3;

/// A line on its way, and where its answer goes.
type Exchange = (String, oneshot::Sender<std::io::Result<String>>);

/// A running child; dropped, it is killed.
pub(super) struct Child {
    process: std::process::Child,
    exchanges: mpsc::Sender<Exchange>,
    last_words: Arc<Mutex<VecDeque<String>>>,
    /// False once it has ended or has not kept to the protocol.
    pub(super) usable: bool,
}

/// What the child answers: one of the two.
#[derive(Deserialize)]
struct Line {
    answer: Option<Value>,
    error: Option<ModelError>,
}

#[derive(Deserialize)]
struct Closed {
    ended: bool,
}

impl Child {
    /// Starts this file again as a Python interpreter with the person's wheels.
    pub(super) async fn start(wheels: Option<&Path>) -> Result<Self, ModelError> {
        let failed = |error: std::io::Error| gone(&format!("cannot be started: {error}"));
        let command = command(wheels).map_err(failed)?;
        let mut process = process::spawn(command, end).await.map_err(failed)?;
        let (exchanges, queue) = mpsc::channel(1);
        if let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) {
            spawn("transformers", move || converse(queue, input, output)).map_err(failed)?;
        }
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(errors) = process.stderr.take() {
            let kept = Arc::clone(&last_words);
            spawn("transformers log", move || log(errors, &kept)).map_err(failed)?;
        }
        Ok(Self { process, exchanges, last_words, usable: true })
    }

    /// One request and its answer.
    pub(super) async fn call<P: Serialize, A: DeserializeOwned>(
        &mut self,
        op: &str,
        payload: &P,
    ) -> Result<A, ModelError> {
        let line = json!({"op": op, "payload": payload}).to_string();
        let answer = self.exchange(line).await;
        let text = match answer {
            Ok(text) => text,
            Err(reason) => return Err(self.ended(&reason).await),
        };
        let line: Line = serde_json::from_str(&text).map_err(|error| {
            let shown: String = text.chars().take(80).collect();
            self.usable = false;
            gone(&format!("wrote `{shown}`, which is no answer: {error}"))
        })?;
        if let Some(error) = line.error {
            return Err(error);
        }
        serde_json::from_value(line.answer.unwrap_or_default()).map_err(|error| {
            self.usable = false;
            gone(&format!("gave an answer to `{op}` of another shape: {error}"))
        })
    }

    /// Ends the answer on its way; true where the child is free for another one.
    pub(super) async fn close(&mut self) -> bool {
        let closed = timeout(CLOSING, self.call::<_, Closed>("hub.close", &json!({}))).await;
        matches!(closed, Ok(Ok(Closed { ended: true })))
    }

    async fn exchange(&self, line: String) -> Result<String, String> {
        let (reply, answer) = oneshot::channel();
        let lost = "has ended";
        self.exchanges.send((line, reply)).await.map_err(|_| lost)?;
        let answer = answer.await.map_err(|_| lost)?;
        answer.map_err(|error| error.to_string())
    }

    /// Why there will be no more answers, as far as the system tells.
    async fn ended(&mut self, reason: &str) -> ModelError {
        self.usable = false;
        let status = timeout(ENDING, async {
            loop {
                match self.process.try_wait() {
                    Ok(Some(status)) => return Some(status),
                    Ok(None) => tokio::time::sleep(Duration::from_millis(10)).await,
                    Err(_) => return None,
                }
            }
        });
        let status = status.await.ok().flatten();
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        describe(status, reason, &words.join(" / "))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        reap(&mut self.process);
    }
}

/// This program as an interpreter with the wheels. What looks like a secret stays here: nothing there
/// needs one, since there is no network.
fn command(wheels: Option<&Path>) -> std::io::Result<Command> {
    let mut command = Command::new(executable::to_open()?);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut command, "agi-agent");
    command.args(["python", "--child"]);
    if let Some(wheels) = wheels {
        command.arg("--path").arg(wheels);
    }
    command.args(["-E", "-m", MODULE]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in Environment::of_process().all() {
        let secret =
            name.to_str().is_none_or(is_secret_name) || value.to_str().is_some_and(has_secret);
        if secret {
            command.env_remove(name);
        }
    }
    // Ctrl-C at the terminal is for the agent, which tells the child to stop writing.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    Ok(command)
}

fn end(mut process: std::process::Child) {
    reap(&mut process);
}

fn reap(process: &mut std::process::Child) {
    if let Err(error) = process.kill() {
        tracing::debug!(%error, "the child of transformers could not be ended");
    }
    // It was killed a moment ago: this does not wait for long.
    if let Err(error) = process.wait() {
        tracing::debug!(%error, "the child of transformers was not there any more");
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Writes each line and waits for the one that comes back, until either side is gone.
fn converse(mut queue: mpsc::Receiver<Exchange>, mut input: ChildStdin, output: ChildStdout) {
    let mut output = BufReader::new(output);
    while let Some((line, reply)) = queue.blocking_recv() {
        let mut answer = String::new();
        let result = writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .and_then(|()| output.by_ref().take(MAX_LINE).read_line(&mut answer));
        let result = match result {
            Ok(0) => Err(std::io::Error::other("ended without an answer")),
            Ok(_) if !answer.ends_with('\n') => {
                Err(std::io::Error::other("ended in the middle of an answer"))
            }
            Ok(_) => Ok(answer),
            Err(error) => Err(error),
        };
        let over = result.is_err();
        // A caller that has gone meanwhile does not want it.
        reply.send(result).ok();
        if over {
            return;
        }
    }
}

fn log(errors: ChildStderr, kept: &Mutex<VecDeque<String>>) {
    for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
        // A progress bar draws over itself.
        let line = String::from_utf8_lossy(&line);
        let line = line.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or("").trim();
        tracing::debug!(target: "agi_agent::transformers", "{line}");
        if !line.is_empty() {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back(line.chars().take(200).collect());
            if kept.len() > LAST_WORDS {
                kept.pop_front();
            }
        }
    }
}

/// The error for a child that has ended.
fn describe(status: Option<ExitStatus>, reason: &str, words: &str) -> ModelError {
    #[cfg(unix)]
    let signal = status.and_then(|status| std::os::unix::process::ExitStatusExt::signal(&status));
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    if signal == Some(9) {
        let hint = "the system ends the largest process when memory runs out: take a smaller model, or \
                    free memory";
        return gone("was killed (signal 9)").with_hint(hint);
    }
    let how = match (signal, status.and_then(|status| status.code())) {
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(code)) => format!("ended with status {code}"),
        (None, None) => reason.to_owned(),
    };
    if words.is_empty() { gone(&how) } else { gone(&format!("{how}: {words}")) }
}

fn gone(what: &str) -> ModelError {
    let message = format!("the python child with transformers {what}");
    ModelError::new(ModelErrorKind::Server, message)
}
