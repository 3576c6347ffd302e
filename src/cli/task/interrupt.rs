//! What ends a command from outside: signals, and the deadline of a run. Both cancel, with the reason; a
//! second signal cuts the wind-up short.
//!
//! It is watched for on a thread of its own: the command's own may stand in a write that nobody reads (a
//! full pipe) or in a read that nobody answers. A command that does not move any more is ended by force;
//! one that moves has the time it needs.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::agent::CancelReason;
use crate::agent::Cancellation;
use crate::cli::error::CommandError;
use crate::cli::output;
use crate::protocol::ExitCode;
use crate::sandbox;
use crate::system::signal;

/// From the second signal to the end by force.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// A command whose thread does nothing for so long after its end was asked for is stuck. With what comes
/// before and after it, the process is gone within two seconds of a signal.
const STUCK: Duration = Duration::from_millis(1500);

/// Between two looks at whether the command moves.
const NEXT_LOOK: Duration = Duration::from_millis(200);

/// Does what may wait for a command behind a setting (`model.api_key`): a signal ends that too, and this
/// command with it. Afterwards signals do what they do to any program. Once per process.
pub fn heeding_signals<T>(
    work: impl FnOnce(&CancellationToken) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let cancel = Cancellation::new();
    let watch = Watch::over(&cancel);
    let done = work(cancel.token());
    drop(watch);
    match cancel.reason() {
        Some(reason) => Err(ended(reason)),
        None => done,
    }
}

/// A command that was ended from outside before it had anything to tell.
pub fn ended(reason: CancelReason) -> CommandError {
    CommandError::new(reason.exit_code(), reason.as_str())
}

/// Watches until it is dropped; from then on signals do what they do to any program.
pub struct Watch {
    shared: Arc<Shared>,
    deadline: watch::Sender<Option<Instant>>,
}

struct Shared {
    /// Locked for single statements.
    work: Mutex<Work>,
    over: CancellationToken,
}

/// What is cancelled, and its number: a conversation has one after the other.
struct Work {
    cancel: Cancellation,
    number: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.over.cancel();
        Signals::leave();
    }
}

impl Watch {
    /// SIGINT, SIGTERM and SIGHUP (on Windows Ctrl-C) cancel from now on, but for those that whoever started
    /// us had ignored. Called by the command's own runtime, once per process.
    pub fn over(cancel: &Cancellation) -> Self {
        let work = Mutex::new(Work { cancel: cancel.clone(), number: 0 });
        let shared = Arc::new(Shared { work, over: CancellationToken::new() });
        let (deadline, reached) = watch::channel(None);
        if let Err(error) = start(Arc::clone(&shared), reached) {
            // Then they end this process as they end any other.
            Signals::leave();
            tracing::warn!(%error, "signals are not listened to");
        }
        Self { shared, deadline }
    }

    /// At this moment, unless it is taken back, the command's time is up.
    pub fn until(&self, deadline: Option<Instant>) {
        self.deadline.send_replace(deadline);
    }

    /// From now on `cancel` is cancelled; says what came to the one before, which nothing reaches any more.
    pub fn next(&self, cancel: &Cancellation) -> Option<CancelReason> {
        let mut work = self.shared.work();
        work.number += 1;
        signal::be_patient();
        std::mem::replace(&mut work.cancel, cancel.clone()).reason()
    }
}

fn start(shared: Arc<Shared>, deadline: watch::Receiver<Option<Instant>>) -> std::io::Result<()> {
    let command = Handle::current();
    // Here and not on the thread: nothing that comes after this call goes unheard.
    let signals = Signals::listen()?;
    let thread = std::thread::Builder::new().name("watch".to_owned());
    let watching = move || match tokio::runtime::Builder::new_current_thread().enable_all().build()
    {
        Ok(runtime) => run(&runtime, shared, signals, deadline, command),
        Err(error) => {
            Signals::leave();
            tracing::warn!(%error, "signals are not listened to");
        }
    };
    thread.spawn(watching).map(drop)
}

fn run(
    runtime: &Runtime,
    shared: Arc<Shared>,
    mut signals: Signals,
    mut deadline: watch::Receiver<Option<Instant>>,
    command: Handle,
) {
    let watching = Arc::clone(&shared);
    let watching = async move {
        let mut taken = None;
        loop {
            tokio::select! {
                reason = signals.next() => end(&watching, reason, &command),
                () = reached(&mut deadline, &mut taken) => end(&watching, CancelReason::TimeOut, &command),
            }
        }
    };
    runtime.block_on(async {
        tokio::select! {
            () = shared.over.cancelled() => {}
            () = watching => {}
        }
    });
}

/// Returns once for each deadline that is reached.
async fn reached(deadline: &mut watch::Receiver<Option<Instant>>, taken: &mut Option<Instant>) {
    loop {
        let at = *deadline.borrow_and_update();
        let at = at.filter(|at| Some(*at) != *taken);
        let changed = deadline.changed();
        let never = match at {
            None => changed.await.is_err(),
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at) => {
                    *taken = Some(at);
                    return;
                }
                changed = changed => changed.is_err(),
            },
        };
        if never {
            std::future::pending::<()>().await;
        }
    }
}

/// Cancels, and sees to it that this leads to an end.
fn end(shared: &Arc<Shared>, reason: CancelReason, command: &Handle) {
    let (cancel, number) = {
        let work = shared.work();
        (work.cancel.clone(), work.number)
    };
    let is_second = cancel.reason().is_some() && reason != CancelReason::TimeOut;
    cancel.cancel(reason);
    let reason = cancel.reason().unwrap_or(reason);
    if is_second {
        signal::hurry();
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            tokio::time::sleep(LAST_CHANCE).await;
            shared.end_by_force(number, reason);
        });
    }
    let (shared, command) = (Arc::clone(shared), command.clone());
    tokio::spawn(async move {
        while shared.is_at(number) {
            // Whatever the command's runtime does with it, it has to move for that.
            let moved = command.spawn(std::future::ready(()));
            if tokio::time::timeout(STUCK, moved).await.is_err() {
                shared.end_by_force(number, reason);
            }
            tokio::time::sleep(NEXT_LOOK).await;
        }
    });
}

impl Shared {
    fn work(&self) -> MutexGuard<'_, Work> {
        // A panic between two statements leaves nothing half done here.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_at(&self, number: u64) -> bool {
        self.work().number == number
    }

    /// Ends this process, unless what was to be ended has ended, or something is still being put back. Its
    /// children end with it, as they would if it were killed (docs/sandbox.md).
    fn end_by_force(&self, number: u64, reason: CancelReason) {
        if !self.is_at(number) || self.over.is_cancelled() || sandbox::any_repair_under_way() {
            return;
        }
        output::last_words(&format!("{}; it did not come to its end by itself", reason.as_str()));
        match reason {
            CancelReason::TimeOut => signal::end_now(u8::from(ExitCode::TimeOut).into()),
            CancelReason::Terminated => signal::raise_default(15),
            CancelReason::Interrupted => signal::raise_default(2),
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
    hang_up: Option<tokio::signal::unix::Signal>,
}

/// Those that we listened to, so that only they are given back. Set once, since a second listener finds
/// handlers of ours and not what whoever started us wanted.
#[cfg(unix)]
static OURS: std::sync::OnceLock<Vec<i32>> = std::sync::OnceLock::new();

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        let ours = OURS.get_or_init(|| {
            let all = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
            // Who supervises us ends us by SIGTERM, whatever it had ignored.
            all.into_iter()
                .filter(|signal| *signal == libc::SIGTERM || !signal::is_ignored(*signal))
                .collect()
        });
        let listen = |number: i32| {
            let kind = tokio::signal::unix::SignalKind::from_raw(number);
            ours.contains(&number).then(|| tokio::signal::unix::signal(kind)).transpose()
        };
        Ok(Self {
            interrupt: listen(libc::SIGINT)?,
            terminate: listen(libc::SIGTERM)?,
            hang_up: listen(libc::SIGHUP)?,
        })
    }

    async fn next(&mut self) -> CancelReason {
        tokio::select! {
            () = heard(&mut self.interrupt) => CancelReason::Interrupted,
            () = heard(&mut self.terminate) => CancelReason::Terminated,
            () = heard(&mut self.hang_up) => CancelReason::Terminated,
        }
    }

    fn leave() {
        for number in OURS.get().into_iter().flatten() {
            signal::restore_default(*number);
        }
    }
}

#[cfg(unix)]
async fn heard(signal: &mut Option<tokio::signal::unix::Signal>) {
    let heard = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if heard.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix, where listening can fail")]
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> CancelReason {
        match tokio::signal::ctrl_c().await {
            Ok(()) => CancelReason::Interrupted,
            Err(_) => std::future::pending().await,
        }
    }

    fn leave() {}
}
