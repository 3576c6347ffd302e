//! `agi-agent serve --stdio`: reads requests, answers each, and ends in order.
//!
//! Nothing that a client sends ends the service but `shutdown` and the end of its input; then every
//! run is cancelled and told to its end. Several runs go on at once.

use std::io::BufRead;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connection;
use super::connection::Input;
use super::connection::Outgoing;
use super::host::Host;
use super::host::Prepared;
use super::methods;
use super::runs;
use super::runs::RunApprover;
use super::runs::RunSink;
use super::runs::Runs;
use super::wire::Answer;
use super::wire::AnswerBody;
use super::wire::Call;
use super::wire::Failure;
use super::wire::FailureKind;
use super::wire::METHODS;
use super::wire::RequestId;
use super::wire::RunStart;
use super::wire::RunStarted;
use crate::agent::Cancellation;
use crate::protocol::Approver;

/// How long the client has to read what is left when the service ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Serves one client until its input ends, it asks for `shutdown`, it reads no more, or `cancel` is
/// cancelled. The error is that of starting a thread.
pub async fn serve(
    host: Arc<dyn Host>,
    input: Box<dyn BufRead + Send>,
    output: Box<dyn Write + Send>,
    cancel: &Cancellation,
) -> std::io::Result<()> {
    let gone = CancellationToken::new();
    let (outgoing, writer) = connection::write_lines(output, gone.clone())?;
    let mut requests = connection::read_lines(input);
    let mut server = Server {
        host,
        outgoing,
        runs: Runs::default(),
        tools: CancellationToken::new(),
        in_order: None,
        tasks: JoinSet::new(),
    };
    server.begin_answering();
    let mut farewell = None;
    loop {
        tokio::select! {
            biased;
            () = cancel.token().cancelled() => break,
            () = gone.cancelled() => break,
            // Ended tasks are cleared away as they end.
            Some(_) = server.tasks.join_next(), if !server.tasks.is_empty() => {}
            input = requests.recv() => match input {
                None => break,
                Some(input) => if let Some(id) = server.take(input) {
                    farewell = Some(id);
                    break;
                }
            }
        }
    }
    server.runs.cancel_all();
    server.tools.cancel();
    // What was asked is answered; then that task ends too.
    server.in_order = None;
    while server.tasks.join_next().await.is_some() {}
    if let Some(id) = farewell {
        server.outgoing.send(&answered(Some(id), Ok(Value::Object(serde_json::Map::new()))));
    }
    drop(server);
    finish(writer).await;
    Ok(())
}

/// Waits until everything is written, but not for a client that does not read.
async fn finish(writer: std::thread::JoinHandle<()>) {
    let deadline = tokio::time::Instant::now() + LAST_WORDS;
    while !writer.is_finished() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

struct Server {
    host: Arc<dyn Host>,
    outgoing: Outgoing,
    runs: Runs,
    /// Cancels the `tool.run` calls under way.
    tools: CancellationToken,
    /// Requests that are answered one after the other; `None` once the service ends. A database
    /// that is busy must not keep a cancellation from being heard.
    in_order: Option<mpsc::UnboundedSender<(RequestId, Call)>>,
    tasks: JoinSet<()>,
}

impl Server {
    fn begin_answering(&mut self) {
        let (sender, mut requests) = mpsc::unbounded_channel();
        self.in_order = Some(sender);
        let (host, outgoing) = (Arc::clone(&self.host), self.outgoing.clone());
        self.tasks.spawn(async move {
            while let Some((id, call)) = requests.recv().await {
                let result = methods::answer(host.as_ref(), call).await;
                outgoing.send(&answered(Some(id), result));
            }
        });
    }

    /// Takes a line; the id of a `shutdown`, which is answered last.
    fn take(&mut self, input: Input) -> Option<RequestId> {
        let line = match input {
            Input::Line(line) => line,
            Input::TooLong => {
                let message = format!("a line has more than {} bytes", connection::LINE_LIMIT);
                self.fail(None, Failure::new(FailureKind::LineTooLong, message));
                return None;
            }
        };
        if line.trim_ascii().is_empty() {
            return None;
        }
        match parse(&line) {
            Err((id, failure)) => self.fail(id, failure),
            Ok((id, Call::Shutdown(_))) => return Some(id),
            Ok((id, call)) => self.carry_out(id, call),
        }
        None
    }

    fn fail(&self, id: Option<RequestId>, failure: Failure) {
        self.outgoing.send(&answered(id, Err(failure)));
    }

    fn carry_out(&mut self, id: RequestId, call: Call) {
        let done = || Ok(Value::Object(serde_json::Map::new()));
        let result = match call {
            Call::RunStart(start) => {
                if let Err(failure) = self.start(id.clone(), &start) {
                    self.fail(Some(id), failure);
                }
                return;
            }
            Call::ToolRun(params) => {
                let (host, outgoing) = (Arc::clone(&self.host), self.outgoing.clone());
                let cancel = self.tools.child_token();
                self.tasks.spawn(async move {
                    let result = methods::run_tool(host.as_ref(), params, cancel, &outgoing).await;
                    outgoing.send(&answered(Some(id), result));
                });
                return;
            }
            Call::RunCancel(params) => self.runs.cancel(&params.run).and_then(|()| done()),
            Call::ApprovalRespond(params) => self.runs.answer(&params).and_then(|()| done()),
            call => {
                if let Some(in_order) = &self.in_order
                    && in_order.send((id, call)).is_err()
                {
                    tracing::error!("requests are no longer answered");
                }
                return;
            }
        };
        self.outgoing.send(&answered(Some(id), result));
    }

    /// Starts a run. Its events come after the answer that names it.
    fn start(&mut self, id: RequestId, start: &RunStart) -> Result<(), Failure> {
        let task = runs::task(start)?;
        let Prepared { agent, warnings } = self.host.agent(&start.options)?;
        let (run, cancellation) = self.runs.open();
        let started = RunStarted { run: run.clone(), model: agent.model_name() };
        self.outgoing.send(&answered(Some(id), methods::value(&started)));
        self.outgoing.warn(Some(&run), warnings);
        let sink = Arc::new(RunSink::new(run.clone(), self.outgoing.clone()));
        let runs = self.runs.clone();
        let approver = start.approvals.then(|| -> Arc<dyn Approver> {
            Arc::new(RunApprover::new(run.clone(), runs.clone(), self.outgoing.clone()))
        });
        self.tasks.spawn(async move {
            agent.run(task, sink, approver, &cancellation).await;
            runs.close(&run);
        });
        Ok(())
    }
}

fn answered(id: Option<RequestId>, result: Result<Value, Failure>) -> Answer {
    let body = match result {
        Ok(value) => AnswerBody::Result(value),
        Err(failure) => AnswerBody::Error(failure),
    };
    Answer { id, body }
}

/// A request, or what is wrong with the line, with its id where that could be read.
fn parse(line: &[u8]) -> Result<(RequestId, Call), (Option<RequestId>, Failure)> {
    let malformed = |message: String| (None, Failure::new(FailureKind::MalformedLine, message));
    let value: Value = serde_json::from_slice(line)
        .map_err(|error| malformed(format!("the line is not JSON: {error}")))?;
    let Value::Object(mut object) = value else {
        return Err(malformed("the line is not a JSON object".to_owned()));
    };
    let id = object.remove("id").and_then(|id| serde_json::from_value::<RequestId>(id).ok());
    let Some(id) = id else {
        let message = "the request has no `id` (a number or a text)".to_owned();
        return Err((None, Failure::new(FailureKind::InvalidParams, message)));
    };
    let fail = |kind, message: String| (Some(id.clone()), Failure::new(kind, message));
    let Some(method) = object.get("method").and_then(Value::as_str).map(str::to_owned) else {
        return Err(fail(FailureKind::UnknownMethod, "the request has no `method`".to_owned()));
    };
    if !METHODS.contains(&method.as_str()) {
        let (id, failure) =
            fail(FailureKind::UnknownMethod, format!("there is no method `{method}`"));
        return Err((id, failure.with_hint(format!("there are {}", METHODS.join(", ")))));
    }
    let params = object.remove("params").filter(|params| !params.is_null());
    object.remove("method");
    if let Some(key) = object.keys().next() {
        let message = format!("the request has an unknown key `{key}`");
        return Err(fail(FailureKind::InvalidParams, message));
    }
    let params = params.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let call = serde_json::json!({ "method": method, "params": params });
    match serde_json::from_value(call) {
        Ok(call) => Ok((id, call)),
        Err(error) => {
            Err(fail(FailureKind::InvalidParams, format!("parameters of `{method}`: {error}")))
        }
    }
}

#[cfg(test)]
#[path = "stdio_tests.rs"]
mod tests;
