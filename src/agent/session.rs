//! The stored conversation of a run, so that a run that was killed can be continued: each message
//! is handed to the memory's thread before the next step and written while that step runs; the
//! first request to a model does not wait for the disk.
//!
//! A memory that cannot be written does not end the run: it is told once, as an item and with the
//! outcome, and nothing more of the conversation is stored, since a gap would make it another one.
//! One that somebody keeps locked does not hold up the end of a cancelled run.

use tokio_util::sync::CancellationToken;

use crate::memory::Lease;
use crate::memory::MemoryError;
use crate::memory::MemoryHandle;
use crate::memory::Pending;
use crate::memory::Session;
use crate::protocol::ExitCode;
use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::Message;

use super::Refusal;
use super::cancel::CancelReason;
use super::cancel::Cancellation;
use super::events::Emitter;
use super::events::until_cancelled;

/// Which conversation a run belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SessionChoice {
    /// A new one.
    #[default]
    New,
    /// A new one under an id that the caller made.
    Named(String),
    /// `--session ID`: the stored one.
    Resume(String),
    /// `--continue`: the one used last in the working directory.
    Latest,
}

/// Writes a conversation as it grows.
pub(super) struct SessionLog {
    memory: Option<MemoryHandle>,
    session: Session,
    /// The message that is being written.
    pending: Option<Pending<()>>,
    /// Other runs are kept from it; `None` where it was not stored before.
    lease: Option<Lease>,
    /// Why the conversation is not stored.
    complaint: Option<String>,
    cancel: CancellationToken,
}

impl Refusal {
    /// There is none like it.
    fn unknown(error: String) -> Self {
        let hint = "`agi-agent session list` shows the stored sessions".to_owned();
        Self { code: ExitCode::Input, error, hint: Some(hint) }
    }

    /// The run was over before it began.
    fn cancelled(cancel: &Cancellation) -> Self {
        let reason = cancel.reason().unwrap_or(CancelReason::Terminated);
        Self { code: reason.exit_code(), error: reason.as_str().to_owned(), hint: None }
    }
}

impl From<&MemoryError> for Refusal {
    fn from(error: &MemoryError) -> Self {
        match error.exit_code() {
            // To a run, a session that is not there is wrong input.
            ExitCode::TaskFailed => Self::unknown(error.to_string()),
            code => Self { code, error: error.to_string(), hint: error.hint() },
        }
    }
}

/// What a new session is called after.
pub(super) struct Heading<'a> {
    pub(super) title: &'a str,
    pub(super) model: &'a str,
    pub(super) cwd: &'a str,
}

impl SessionLog {
    /// A conversation that nobody keeps: what stands in for one that could not be opened.
    pub(super) fn unkept(heading: &Heading<'_>) -> Self {
        let session = Session::new(heading.title, heading.model, heading.cwd);
        Self::kept(None, session, &CancellationToken::new())
    }

    fn kept(memory: Option<MemoryHandle>, session: Session, cancel: &CancellationToken) -> Self {
        let (pending, lease, complaint) = (None, None, None);
        Self { memory, session, pending, lease, complaint, cancel: cancel.clone() }
    }

    /// A new conversation. Nobody else knows its id before something is stored.
    fn begun(
        memory: Option<MemoryHandle>,
        session: Session,
        cancel: &CancellationToken,
    ) -> Result<(Self, Vec<Message>), Refusal> {
        let mut log = Self::kept(memory, session, cancel);
        log.hold().map_err(|error| Refusal::from(&error))?;
        Ok((log, Vec::new()))
    }

    /// Keeps other runs from this session, as soon as there is a database.
    fn hold(&mut self) -> Result<(), MemoryError> {
        if let (Some(memory), None) = (&self.memory, &self.lease) {
            self.lease = memory.session_lease(&self.session.id)?;
        }
        Ok(())
    }

    /// Opens the chosen conversation and gives what was said in it.
    pub(super) async fn open(
        memory: Option<MemoryHandle>,
        choice: &SessionChoice,
        heading: &Heading<'_>,
        cancel: &Cancellation,
    ) -> Result<(Self, Vec<Message>), Refusal> {
        let token = cancel.token();
        let id = match choice {
            SessionChoice::New => {
                let session = Session::new(heading.title, heading.model, heading.cwd);
                return Self::begun(memory, session, token);
            }
            SessionChoice::Named(id) => {
                let session = Session::with_id(id, heading.title, heading.model, heading.cwd);
                return Self::begun(memory, session, token);
            }
            SessionChoice::Resume(id) => Some(id.clone()),
            SessionChoice::Latest => None,
        };
        let Some(handle) = memory else {
            let error = "without a memory there is no earlier session to continue";
            return Err(Refusal::unknown(error.to_owned()));
        };
        let stored = async {
            let id = match id {
                Some(id) => id,
                None => latest(&handle, heading.cwd).await?,
            };
            // Before it is read: what another run adds meanwhile would be missing.
            let lease = handle.session_lease(&id).map_err(|error| Refusal::from(&error))?;
            let loaded = handle.session_load(id).await;
            let (session, history) = loaded.map_err(|error| Refusal::from(&error))?;
            Ok::<_, Refusal>((session, history, lease))
        };
        // Nothing was said yet, so there are no heartbeats either.
        let Some(stored) = until_cancelled(token, stored).await else {
            return Err(Refusal::cancelled(cancel));
        };
        let (session, history, lease) = stored?;
        Ok((Self { lease, ..Self::kept(Some(handle), session, token) }, history))
    }

    pub(super) fn id(&self) -> &str {
        &self.session.id
    }

    /// What the person should know of how the conversation was stored.
    pub(super) fn complaint(self) -> Option<String> {
        self.complaint
    }

    /// Begins to add a message; the one before it is written when this returns.
    pub(super) async fn append(&mut self, message: &Message, emitter: &Emitter) {
        self.settle(emitter).await;
        if let Err(error) = self.hold() {
            self.complain(&error.to_string(), emitter);
        }
        let Some(memory) = &self.memory else { return };
        match memory.session_begin_append(&self.session, vec![message.clone()], Vec::new()) {
            Ok(pending) => self.pending = Some(pending),
            Err(error) => self.complain(&error.to_string(), emitter),
        }
    }

    /// Waits until everything is written.
    pub(super) async fn settle(&mut self, emitter: &Emitter) {
        let Some(pending) = self.pending.take() else { return };
        match emitter.with_memory(&self.cancel, pending.done()).await {
            Some(Ok(())) => {}
            Some(Err(error)) => self.complain(&error.to_string(), emitter),
            None => self.complain("the run was ended while the memory was locked", emitter),
        }
    }

    fn complain(&mut self, reason: &str, emitter: &Emitter) {
        self.memory = None;
        let message = format!("this conversation cannot be stored: {reason}");
        emitter.instant(ItemStatus::Failed, ItemBody::Error { message: message.clone() });
        self.complaint = Some(message);
    }
}

async fn latest(memory: &MemoryHandle, cwd: &str) -> Result<String, Refusal> {
    let found: Result<_, MemoryError> = memory.last_session(Some(cwd.to_owned())).await;
    match found.map_err(|error| Refusal::from(&error))? {
        Some(summary) => Ok(summary.session.id),
        None => Err(Refusal::unknown(format!("no session was started in `{cwd}` yet"))),
    }
}
