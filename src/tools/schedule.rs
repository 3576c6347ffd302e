//! Which calls may run side by side: first come, first served, unless two calls would touch the same
//! thing or a kind of work has as much as the machine can use.
//!
//! A call claims a class of work and what it touches. Readers of a path share it, a writer has it
//! alone, and a call never overtakes an earlier one that it conflicts with: what calls see of each
//! other is as if they had run one after the other, in the order in which they were written. Nothing
//! here knows tools or runs anything.

use std::collections::VecDeque;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::oneshot;

use crate::protocol::Effect;

/// What a call mostly does; each class has its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Cpu,
    Disk,
    Network,
    Process,
}

/// Something that a call touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A file, or a directory with everything below it, by its real path as far as that is known.
    Path(PathBuf),
    /// The agent's memory.
    Memory,
    /// Every path, the memory and whatever else there is.
    Everything,
}

/// What a call uses while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub class: Class,
    /// With whether it is written.
    pub things: Vec<(Thing, bool)>,
}

impl Claim {
    /// Nothing that anybody else could use at the same time.
    pub fn nothing(class: Class) -> Self {
        Self { class, things: Vec::new() }
    }

    /// One thing.
    pub fn of(class: Class, thing: Thing, writes: bool) -> Self {
        Self { class, things: vec![(thing, writes)] }
    }

    /// A path of a call, resolved through links as far as it exists, so that two names of one file meet.
    pub fn path(path: &Path, writes: bool) -> Self {
        Self::of(Class::Disk, Thing::Path(real(path)), writes)
    }

    /// What a call with this effect may touch, where nothing more is known of it.
    pub fn from_effect(effect: Effect) -> Self {
        match effect {
            Effect::Pure => Self::nothing(Class::Cpu),
            Effect::Read => Self::of(Class::Disk, Thing::Everything, false),
            Effect::Remember => Self::of(Class::Disk, Thing::Memory, true),
            Effect::Write => Self::of(Class::Disk, Thing::Everything, true),
            Effect::Process => Self::of(Class::Process, Thing::Everything, true),
            Effect::Network => Self::nothing(Class::Network),
        }
    }

    /// Whether the two must not run at the same time.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.things.iter().any(|(thing, writes)| {
            other.things.iter().any(|(its, it_writes)| (*writes || *it_writes) && meet(thing, its))
        })
    }
}

fn meet(left: &Thing, right: &Thing) -> bool {
    match (left, right) {
        (Thing::Everything, _) | (_, Thing::Everything) | (Thing::Memory, Thing::Memory) => true,
        (Thing::Path(left), Thing::Path(right)) => {
            left.starts_with(right) || right.starts_with(left)
        }
        (Thing::Path(_), Thing::Memory) | (Thing::Memory, Thing::Path(_)) => false,
    }
}

/// The real path of the deepest part that exists, and the rest as it is written.
fn real(path: &Path) -> PathBuf {
    path.ancestors()
        .find_map(|ancestor| {
            let real = std::fs::canonicalize(ancestor).ok()?;
            let rest = path.strip_prefix(ancestor).ok()?;
            // Joining nothing would add a slash.
            Some(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
        })
        .unwrap_or_else(|| path.to_path_buf())
}

/// How many calls of each class run at once.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub cpu: usize,
    pub disk: usize,
    pub network: usize,
    pub process: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { cpu: processors, disk: 16, network: 8, process: processes() }
    }
}

/// Commands at once: 64, or what the descriptors of this process allow (a command takes up to eight,
/// everything else needs some).
fn processes() -> usize {
    let free = crate::system::process::descriptor_limit().saturating_sub(32);
    usize::try_from(free / 8).unwrap_or(usize::MAX).clamp(1, 64)
}

impl Bounds {
    fn of(&self, class: Class) -> usize {
        match class {
            Class::Cpu => self.cpu,
            Class::Disk => self.disk,
            Class::Network => self.network,
            Class::Process => self.process,
        }
    }
}

/// Lets calls run. Cheap to clone; clones share one queue.
#[derive(Clone, Default)]
pub struct Scheduler {
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    bounds: Bounds,
    next: u64,
    /// Running and waiting calls, in the order in which they came.
    entries: VecDeque<Entry>,
}

struct Entry {
    number: u64,
    claim: Claim,
    /// `None`: it runs.
    waiting: Option<oneshot::Sender<()>>,
}

/// The right to run; given back when dropped, also by a call that still waits.
pub struct Turn {
    scheduler: Scheduler,
    number: u64,
}

impl Scheduler {
    /// A scheduler with other bounds.
    pub fn new(bounds: Bounds) -> Self {
        let queue = Queue { bounds, ..Queue::default() };
        Self { queue: Arc::new(Mutex::new(queue)) }
    }

    /// Waits for the right to run. The place in the queue is taken when this is called, not when it is
    /// first polled; dropping the future gives it up.
    pub fn wait(&self, claim: Claim) -> impl Future<Output = Turn> + use<> {
        let (sender, receiver) = oneshot::channel();
        let mut queue = self.lock();
        let number = queue.next;
        queue.next += 1;
        queue.entries.push_back(Entry { number, claim, waiting: Some(sender) });
        queue.advance();
        drop(queue);
        let turn = Turn { scheduler: self.clone(), number };
        async move {
            // The sender lives in the queue until it is used, and the entry as long as `turn`.
            receiver.await.ok();
            turn
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Lets everybody run who may.
    fn advance(&mut self) {
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            if entry.waiting.is_none() {
                continue;
            }
            let class = entry.claim.class;
            // Those before it block it, running or not; those behind it only if they run already.
            let blocked = self.entries.iter().enumerate().any(|(at, other)| {
                (at < index || other.waiting.is_none())
                    && at != index
                    && entry.claim.conflicts_with(&other.claim)
            });
            let running = |other: &&Entry| other.waiting.is_none() && other.claim.class == class;
            let is_full = self.entries.iter().filter(running).count() >= self.bounds.of(class);
            if !blocked
                && !is_full
                && let Some(sender) = self.entries[index].waiting.take()
            {
                // A receiver that is gone gives its turn back in a moment.
                sender.send(()).ok();
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queue = self.scheduler.lock();
        queue.entries.retain(|entry| entry.number != self.number);
        queue.advance();
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
