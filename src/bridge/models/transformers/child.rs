//! The child that has torch loaded: started, spoken to in JSON lines, ended.
//!
//! One thread writes its requests and reads its answers, so that no thread of the runtime waits for
//! a pipe. Its standard error goes to the log.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;

/// The module that the child runs.
const MODULE: &str = "agi_agent.local.hub";

/// A line on its way, and where its answer goes.
type Exchange = (String, oneshot::Sender<std::io::Result<String>>);

/// A running child; dropped, it is killed.
pub(super) struct Child {
    process: std::process::Child,
    exchanges: mpsc::Sender<Exchange>,
}

/// What the child answers: one of the two.
#[derive(Deserialize)]
struct Line {
    answer: Option<Value>,
    error: Option<ModelError>,
}

impl Child {
    /// Starts this file again as a Python interpreter with the person's wheels.
    pub(super) fn start(wheels: Option<&Path>) -> Result<Self, ModelError> {
        let failed = |error: std::io::Error| gone(&format!("cannot be started: {error}"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.arg("python");
        if let Some(wheels) = wheels {
            command.arg("--path").arg(wheels);
        }
        command.args(["-E", "-m", MODULE]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        let mut process = command.spawn().map_err(failed)?;
        let (exchanges, queue) = mpsc::channel(1);
        if let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) {
            spawn("transformers", move || converse(queue, input, output)).map_err(failed)?;
        }
        if let Some(errors) = process.stderr.take() {
            let log = move || {
                for line in BufReader::new(errors).lines().map_while(Result::ok) {
                    tracing::debug!(target: "agi_agent::transformers", "{line}");
                }
            };
            spawn("transformers log", log).map_err(failed)?;
        }
        Ok(Self { process, exchanges })
    }

    /// One request and its answer.
    pub(super) async fn call<P: Serialize, A: DeserializeOwned>(
        &mut self,
        op: &str,
        payload: &P,
    ) -> Result<A, ModelError> {
        let line = json!({"op": op, "payload": payload}).to_string();
        let (reply, answer) = oneshot::channel();
        let lost = || gone("has ended");
        self.exchanges.send((line, reply)).await.map_err(|_| lost())?;
        let text = answer.await.map_err(|_| lost())?.map_err(|error| gone(&error.to_string()))?;
        let line: Line = serde_json::from_str(&text).map_err(|error| {
            let shown: String = text.chars().take(80).collect();
            gone(&format!("wrote `{shown}`, which is no answer: {error}"))
        })?;
        if let Some(error) = line.error {
            return Err(error);
        }
        serde_json::from_value(line.answer.unwrap_or_default())
            .map_err(|error| gone(&format!("gave an answer to `{op}` of another shape: {error}")))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill() {
            tracing::debug!(%error, "the child of transformers could not be ended");
        }
        // It was killed a moment ago: this does not wait for long.
        if let Err(error) = self.process.wait() {
            tracing::debug!(%error, "the child of transformers was not there any more");
        }
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
            .and_then(|()| output.read_line(&mut answer));
        let result = match result {
            Ok(0) => Err(std::io::Error::other("ended without an answer (`-vv` shows its words)")),
            Ok(_) => Ok(answer),
            Err(error) => Err(error),
        };
        // A caller that has gone meanwhile does not want it.
        reply.send(result).ok();
    }
}

fn gone(what: &str) -> ModelError {
    let message = format!("the python child with transformers {what}");
    ModelError::new(ModelErrorKind::Server, message)
}
