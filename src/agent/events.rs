//! Turns what happens in a run into events: numbers the items, and sees to it that each reaches
//! exactly one terminal status.
//!
//! Knows no output format. The envelope (`seq`, `ts`) is [`Enveloper`]'s.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::protocol::Event;
use crate::protocol::EventSink;
use crate::protocol::Item;
use crate::protocol::ItemBody;
use crate::protocol::ItemStatus;
use crate::protocol::Outcome;
use crate::protocol::RungTaken;
use crate::protocol::event::EVENT_VERSION;
use crate::protocol::event::Envelope;
use crate::protocol::secrets::Vault;
use crate::system::clock;

use super::concealed;

/// The memory answers within a few milliseconds, unless somebody has it locked.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a cancelled run still waits for the memory.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// Puts events into numbered, dated envelopes. One per run.
#[derive(Debug, Default)]
pub struct Enveloper {
    next: u64,
    /// The model of a route that is in force, as the events told it.
    rung: Option<u32>,
}

impl Enveloper {
    /// The next envelope of the run.
    pub fn wrap(&mut self, event: Event) -> Envelope {
        let seq = self.next;
        self.next += 1;
        if let Event::ModelRung(taken) = &event {
            self.rung = Some(taken.place);
        }
        let ts = clock::timestamp(clock::now());
        Envelope { v: EVENT_VERSION, seq, ts, rung: self.rung, event }
    }
}

/// Where a run's events come from.
pub(super) struct Emitter {
    sink: Arc<dyn EventSink>,
    /// Never held across an await or a call of the sink that could come back here.
    items: Mutex<Items>,
    /// What nobody is told; from when the conversation is known.
    vault: OnceLock<Arc<Vault>>,
}

struct Items {
    next: u64,
    open: Vec<OpenItem>,
    last_event: Instant,
    rung: Option<RungTaken>,
}

struct OpenItem {
    id: String,
    body: ItemBody,
    started: Instant,
}

impl Emitter {
    pub(super) fn new(sink: Arc<dyn EventSink>) -> Self {
        let items = Items { next: 0, open: Vec::new(), last_event: Instant::now(), rung: None };
        Self { sink, items: Mutex::new(items), vault: OnceLock::new() }
    }

    /// From here on the values of this vault are told to nobody. Only the first one counts.
    pub(super) fn keep_secret(&self, vault: &Arc<Vault>) {
        self.vault.set(Arc::clone(vault)).ok();
    }

    /// The outcome as it may be told.
    pub(super) fn without_secrets(&self, mut outcome: Outcome) -> Outcome {
        if let Some(vault) = self.vault.get() {
            concealed::in_outcome(vault, &mut outcome);
        }
        outcome
    }

    fn items(&self) -> MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event that is no item's.
    pub(super) fn event(&self, mut event: Event) {
        if let Some(vault) = self.vault.get() {
            concealed::in_event(vault, &mut event);
        }
        self.items().last_event = Instant::now();
        self.sink.emit(event);
    }

    /// Waits for whoever reads the events, at most until the run is cancelled.
    pub(super) async fn ready(&self, cancel: &CancellationToken) {
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            () = self.sink.ready() => {}
        }
    }

    /// Tells which model of a route is asked, where that is news.
    pub(super) fn rung(&self, taken: RungTaken) {
        let news = self.items().rung.as_ref().is_none_or(|known| known.place != taken.place);
        if news {
            self.items().rung = Some(taken.clone());
            self.event(Event::ModelRung(taken));
        }
    }

    /// The model of a route that was asked last.
    pub(super) fn rung_taken(&self) -> Option<RungTaken> {
        self.items().rung.clone()
    }

    /// How long nothing has been said.
    pub(super) fn silence(&self) -> Duration {
        self.items().last_event.elapsed()
    }

    /// Begins an item and gives its id.
    pub(super) fn start(&self, body: ItemBody) -> String {
        let id = {
            let mut items = self.items();
            let id = format!("item_{}", items.next);
            items.next += 1;
            items.open.push(OpenItem {
                id: id.clone(),
                body: body.clone(),
                started: Instant::now(),
            });
            id
        };
        self.event(Event::ItemStarted {
            item: Item { id: id.clone(), status: ItemStatus::InProgress, duration_ms: None, body },
        });
        id
    }

    /// Tells more of an item that is under way; after its end nothing is told any more.
    pub(super) fn update(&self, id: &str, body: ItemBody) {
        if self.items().open.iter().any(|item| item.id == id) {
            self.event(Event::ItemUpdated {
                item: Item {
                    id: id.to_owned(),
                    status: ItemStatus::InProgress,
                    duration_ms: None,
                    body,
                },
            });
        }
    }

    /// Ends an item. A second end of the same item is ignored. `duration` is measured from the
    /// start where the caller knows nothing better.
    pub(super) fn end(
        &self,
        id: &str,
        status: ItemStatus,
        body: ItemBody,
        duration: Option<Duration>,
    ) {
        let started = {
            let mut items = self.items();
            let Some(place) = items.open.iter().position(|item| item.id == id) else { return };
            items.open.remove(place).started
        };
        let duration = duration.unwrap_or_else(|| started.elapsed());
        self.event(Event::ItemCompleted {
            item: Item {
                id: id.to_owned(),
                status,
                duration_ms: Some(milliseconds(duration)),
                body,
            },
        });
    }

    /// An item that is over as soon as it is known.
    pub(super) fn instant(&self, status: ItemStatus, body: ItemBody) {
        let id = self.start(body.clone());
        self.end(&id, status, body, None);
    }

    /// Ends whatever is still open, as it was last known.
    pub(super) fn end_all(&self, status: ItemStatus) {
        loop {
            let Some((id, body)) =
                self.items().open.first().map(|item| (item.id.clone(), item.body.clone()))
            else {
                return;
            };
            self.end(&id, status, body, None);
        }
    }

    /// Waits for the memory, which somebody else may keep locked (the memory itself tells a person at a
    /// terminal). `None`: the run is cancelled, and it would have taken long.
    pub(super) async fn with_memory<T>(
        &self,
        cancel: &CancellationToken,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        until_cancelled(cancel, async {
            let mut work = std::pin::pin!(work);
            tokio::select! {
                biased;
                result = &mut work => return result,
                () = tokio::time::sleep(PATIENCE) => {}
            }
            self.with_heartbeat(PATIENCE, "memory", work).await
        })
        .await
    }

    /// Waits for `work` and sends a heartbeat whenever nothing was said for `every`.
    pub(super) async fn with_heartbeat<T>(
        &self,
        every: Duration,
        waiting_for: &str,
        work: impl Future<Output = T>,
    ) -> T {
        let begun = Instant::now();
        let mut work = std::pin::pin!(work);
        loop {
            let rest = every.saturating_sub(self.silence()).max(Duration::from_millis(1));
            tokio::select! {
                biased;
                result = &mut work => return result,
                () = tokio::time::sleep(rest) => {
                    if self.silence() >= every {
                        self.event(Event::Heartbeat {
                            waiting_for: waiting_for.to_owned(),
                            elapsed_ms: milliseconds(begun.elapsed()),
                        });
                    }
                }
            }
        }
    }
}

/// Waits for work that takes milliseconds unless somebody else is in its way; after a cancellation not for
/// long.
pub(super) async fn until_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = T>,
) -> Option<T> {
    let too_late = async {
        cancel.cancelled().await;
        tokio::time::sleep(LAST_WAIT).await;
    };
    tokio::select! {
        biased;
        result = work => Some(result),
        () = too_late => None,
    }
}

/// Whole milliseconds of a duration.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Keeps every event.
    #[derive(Default)]
    pub(in crate::agent) struct Recorder(pub(in crate::agent) Mutex<Vec<Event>>);

    impl Recorder {
        pub(in crate::agent) fn events(&self) -> Vec<Event> {
            self.0.lock().unwrap().clone()
        }
    }

    impl EventSink for Recorder {
        fn emit(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    fn message(text: &str) -> ItemBody {
        ItemBody::AgentMessage { text: text.to_owned() }
    }

    #[tokio::test]
    async fn an_item_ends_once_and_says_nothing_after() {
        let recorder = Arc::new(Recorder::default());
        let emitter = Emitter::new(recorder.clone());
        let id = emitter.start(message(""));
        emitter.update(&id, message("a"));
        emitter.end(&id, ItemStatus::Completed, message("a"), Some(Duration::from_millis(7)));
        emitter.end(&id, ItemStatus::Failed, message("b"), None);
        emitter.update(&id, message("c"));
        emitter.end_all(ItemStatus::Cancelled);
        let events = recorder.events();
        assert_eq!(events.len(), 3);
        let Event::ItemCompleted { item } = &events[2] else { panic!("{events:?}") };
        assert_eq!((item.status, item.duration_ms), (ItemStatus::Completed, Some(7)));
    }

    #[tokio::test]
    async fn what_is_open_at_the_end_is_ended() {
        let recorder = Arc::new(Recorder::default());
        let emitter = Emitter::new(recorder.clone());
        emitter.start(message("one"));
        emitter.start(message("two"));
        emitter.end_all(ItemStatus::Cancelled);
        let ended = recorder.events().into_iter().filter_map(|event| match event {
            Event::ItemCompleted { item } => Some((item.id, item.status)),
            _ => None,
        });
        let expected = ["item_0", "item_1"].map(|id| (id.to_owned(), ItemStatus::Cancelled));
        assert_eq!(ended.collect::<Vec<_>>(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeats_fill_silence_only() {
        let recorder = Arc::new(Recorder::default());
        let emitter = Emitter::new(recorder.clone());
        let work = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            emitter.event(Event::TurnStarted { turn: 1 });
            tokio::time::sleep(Duration::from_secs(8)).await;
        };
        emitter.with_heartbeat(Duration::from_secs(5), "model", work).await;
        let beats: Vec<u64> = recorder
            .events()
            .iter()
            .filter_map(|event| match event {
                Event::Heartbeat { elapsed_ms, .. } => Some(*elapsed_ms),
                _ => None,
            })
            .collect();
        assert_eq!(beats, [8_000]);
    }

    #[test]
    fn envelopes_count_without_gaps() {
        let mut enveloper = Enveloper::default();
        let sequence: Vec<u64> =
            (0..3).map(|turn| enveloper.wrap(Event::TurnStarted { turn }).seq).collect();
        assert_eq!(sequence, [0, 1, 2]);
    }
}
