//! `agi-agent serve --stdio`: reads requests, answers each, and ends in order.
//!
//! Nothing that a client sends ends the service but `shutdown` and the end of its input; then every
//! run is cancelled and told to its end. Several runs go on at once. Everything that could grow is
//! bounded, and a client that asks faster than it reads waits (docs/stdio.md, "Slow clients").

use std::io::BufRead;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connection;
use super::connection::Input;
use super::connection::Received;
use super::host::Host;
use super::host::Prepared;
use super::methods;
use super::outgoing::Outgoing;
use super::requests::answered;
use super::requests::parse;
use super::runs;
use super::runs::RunApprover;
use super::runs::RunSink;
use super::runs::Runs;
use super::wire::Call;
use super::wire::Failure;
use super::wire::FailureKind;
use super::wire::RequestId;
use super::wire::RunOptions;
use super::wire::RunStart;
use super::wire::RunStarted;
use super::wire::ToolRun;
use crate::agent::Agent;
use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::agent::Conversations;
use crate::agent::Task;
use crate::protocol::Approver;

/// Requests without an answer; what comes after them is not read yet.
const UNANSWERED: usize = 1_024;

/// Calls of `tool.run` at a time; the others wait.
const TOOLS_AT_ONCE: usize = 32;

/// What is asked for just before the service ends is still begun where its configuration needs no longer.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// A run's configuration, secrets included, has to be read within this.
const PREPARATION: Duration = Duration::from_mins(1);

/// Why a service did not end in order.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot start the service: {0}")]
    Start(#[from] std::io::Error),
    /// The client did not get all that it was told.
    #[error("cannot write to the client: {0}")]
    Unread(std::io::Error),
}

/// Serves one client until its input ends, it asks for `shutdown`, it reads no more, or `cancel` is
/// cancelled.
pub async fn serve(
    host: Arc<dyn Host>,
    input: Box<dyn BufRead + Send>,
    output: Box<dyn Write + Send>,
    cancel: &Cancellation,
) -> Result<(), ServeError> {
    let gone = CancellationToken::new();
    let outgoing = Outgoing::start(output, gone.clone())?;
    let mut lines = connection::read_lines(input)?;
    let mut server = Server::new(host, outgoing.clone());
    let slots = Arc::clone(&server.slots);
    let mut held = None;
    let mut farewell = None;
    loop {
        tokio::select! {
            biased;
            () = cancel.token().cancelled() => break,
            () = gone.cancelled() => break,
            // Ended tasks are cleared away as they end.
            Some(_) = server.tasks.join_next(), if !server.tasks.is_empty() => {}
            Ok(slot) = Arc::clone(&slots).acquire_owned(), if held.is_some() => {
                if let Some(request) = held.take() {
                    server.begin(request, slot);
                }
            }
            line = next(&mut lines, &outgoing), if held.is_none() => match line {
                None => break,
                Some(line) => match server.take(line) {
                    Next::Read => {}
                    Next::Hold(request) => held = Some(*request),
                    Next::End(id) => {
                        farewell = Some(id);
                        break;
                    }
                }
            }
        }
    }
    outgoing.while_read(server.end()).await;
    if let Some(id) = farewell {
        outgoing.send(&answered(Some(id), Ok(nothing())));
    }
    outgoing.finish().await.map_err(ServeError::Unread)
}

/// The next line, once its answer has room.
async fn next(lines: &mut mpsc::Receiver<Received>, outgoing: &Outgoing) -> Option<Received> {
    outgoing.room_for_answers().await;
    lines.recv().await
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

/// What follows a line.
enum Next {
    Read,
    /// There are too many requests without an answer to begin this one.
    Hold(Box<Request>),
    /// A `shutdown` with this id, which is answered last.
    End(RequestId),
}

/// A request on its way.
struct Request {
    id: RequestId,
    call: Call,
    /// What its line takes of the room for lines.
    line: OwnedSemaphorePermit,
}

/// What a request holds until it is answered.
type Held = (OwnedSemaphorePermit, OwnedSemaphorePermit);

struct Server {
    shared: Shared,
    slots: Arc<Semaphore>,
    /// Requests that are answered one after the other; `None` once the service ends. A database
    /// that is busy must not keep a cancellation from being heard.
    in_order: Option<mpsc::Sender<(RequestId, Call, Held)>>,
    tasks: JoinSet<()>,
}

/// What the tasks of a connection use. Clones share it.
#[derive(Clone)]
struct Shared {
    host: Arc<dyn Host>,
    outgoing: Outgoing,
    runs: Runs,
    conversations: Conversations,
    tools: Arc<Semaphore>,
    /// The service ends: nothing is begun or waited for any more.
    ending: CancellationToken,
}

impl Server {
    fn new(host: Arc<dyn Host>, outgoing: Outgoing) -> Self {
        let shared = Shared {
            host,
            outgoing,
            runs: Runs::default(),
            conversations: Conversations::default(),
            tools: Arc::new(Semaphore::new(TOOLS_AT_ONCE)),
            ending: CancellationToken::new(),
        };
        // As many as there are slots: sending never waits.
        let (in_order, mut requests) = mpsc::channel(UNANSWERED);
        let mut tasks = JoinSet::new();
        let answering = shared.clone();
        tasks.spawn(async move {
            while let Some((id, call, held)) = requests.recv().await {
                answering.outgoing.room().await;
                let result = methods::answer(&answering.host, call).await;
                answering.outgoing.send(&answered(Some(id), result));
                drop(held);
            }
        });
        let slots = Arc::new(Semaphore::new(UNANSWERED));
        Self { shared, slots, in_order: Some(in_order), tasks }
    }

    /// Takes a line. What only passes something on is done at once, however much waits.
    fn take(&mut self, (input, line): Received) -> Next {
        let bytes = match input {
            Input::Line(bytes) => bytes,
            Input::TooLong => {
                let message = format!("a line has more than {} bytes", connection::LINE_LIMIT);
                self.answer(None, Err(Failure::new(FailureKind::LineTooLong, message)));
                return Next::Read;
            }
        };
        if bytes.trim_ascii().is_empty() {
            return Next::Read;
        }
        let done = |()| nothing();
        match parse(&bytes) {
            Err((id, failure)) => self.answer(id, Err(failure)),
            Ok((id, Call::Shutdown(_))) => return Next::End(id),
            Ok((id, Call::RunCancel(params))) => {
                self.answer(Some(id), self.shared.runs.cancel(&params.run).map(done));
            }
            Ok((id, Call::ApprovalRespond(params))) => {
                self.answer(Some(id), self.shared.runs.answer(&params).map(done));
            }
            Ok((id, call)) => {
                let request = Request { id, call, line };
                match Arc::clone(&self.slots).try_acquire_owned() {
                    Ok(slot) => self.begin(request, slot),
                    Err(_) => return Next::Hold(Box::new(request)),
                }
            }
        }
        Next::Read
    }

    fn answer(&self, id: Option<RequestId>, result: Result<Value, Failure>) {
        self.shared.outgoing.send(&answered(id, result));
    }

    fn begin(&mut self, Request { id, call, line }: Request, slot: OwnedSemaphorePermit) {
        let (shared, held) = (self.shared.clone(), (line, slot));
        match call {
            Call::RunStart(start) => {
                self.tasks.spawn(async move { shared.start(id, start, held).await });
            }
            Call::ToolRun(params) => {
                self.tasks.spawn(async move { shared.run_tool(id, params, held).await });
            }
            call => {
                if let Some(in_order) = &self.in_order
                    && in_order.try_send((id, call, held)).is_err()
                {
                    tracing::error!("requests are no longer answered");
                }
            }
        }
    }

    /// Cancels what is under way; what was asked is answered.
    async fn end(mut self) {
        self.shared.ending.cancel();
        self.shared.runs.cancel_all();
        self.in_order = None;
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Shared {
    async fn run_tool(self, id: RequestId, params: ToolRun, held: Held) {
        let turn = self.tools.acquire().await;
        self.outgoing.room().await;
        let ending = self.ending.child_token();
        let result = methods::run_tool(&self.host, params, ending, &self.outgoing).await;
        self.outgoing.send(&answered(Some(id), result));
        drop((turn, held));
    }

    /// Starts a run and sees it to its end. Its events come after the answer that names it.
    async fn start(self, id: RequestId, start: RunStart, held: Held) {
        self.outgoing.room().await;
        let begun = match self.prepare(&start).await {
            Ok((task, prepared)) => self.runs.open().map(|run| (task, prepared, run)),
            Err(failure) => Err(failure),
        };
        let (task, Prepared { agent, warnings }, (run, cancellation)) = match begun {
            Ok(begun) => begun,
            Err(failure) => return self.outgoing.send(&answered(Some(id), Err(failure))),
        };
        if self.ending.is_cancelled() {
            cancellation.cancel(CancelReason::Terminated);
        }
        let started = RunStarted { run: run.clone(), model: agent.model_name() };
        self.outgoing.send(&answered(Some(id), methods::value(&started)));
        drop(held);
        self.outgoing.warn(Some(&run), warnings);
        let asks = start.approvals;
        self.run(&run, agent, task, asks, &cancellation).await;
        self.runs.close(&run);
    }

    async fn run(
        &self,
        run: &str,
        agent: Agent,
        task: Task,
        asks: bool,
        cancellation: &Cancellation,
    ) {
        let sink = Arc::new(RunSink::new(run.to_owned(), self.outgoing.clone()));
        let approver = asks.then(|| -> Arc<dyn Approver> {
            let outgoing = self.outgoing.clone();
            Arc::new(RunApprover::new(run.to_owned(), self.runs.clone(), outgoing))
        });
        agent.run(task, sink, approver, cancellation).await;
    }

    /// Task and agent of a run. Commands that print secrets take their time, elsewhere.
    async fn prepare(&self, start: &RunStart) -> Result<(Task, Prepared), Failure> {
        let task = runs::task(start)?;
        let options: RunOptions = start.options.clone();
        let conversations = self.conversations.clone();
        let cancel = self.ending.clone();
        let prepared =
            methods::blocking(&self.host, move |host| host.agent(&options, conversations, &cancel));
        let ended = || Failure::new(FailureKind::Ending, "the service ends");
        tokio::select! {
            biased;
            prepared = tokio::time::timeout(PREPARATION, prepared) => match prepared {
                Ok(Ok(prepared)) => Ok((task, prepared)),
                Ok(Err(_)) if self.ending.is_cancelled() => Err(ended()),
                Ok(Err(failure)) => Err(failure),
                Err(_) => Err(unprepared()),
            },
            () = async {
                self.ending.cancelled().await;
                tokio::time::sleep(LAST_MOMENT).await;
            } => Err(ended()),
        }
    }
}

fn unprepared() -> Failure {
    let message = format!("the configuration was not read within {} s", PREPARATION.as_secs());
    Failure::new(FailureKind::Configuration, message)
        .with_hint("look at secrets that are read from commands, and at far file systems")
}

#[cfg(test)]
#[path = "stdio_tests.rs"]
mod tests;
