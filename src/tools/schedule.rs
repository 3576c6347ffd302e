//! Which calls may run side by side: first come, first served, unless two calls would touch the same
//! thing or a kind of work has as much as the machine can use.
//!
//! A call claims a class of work and what it touches. Readers of a path share it, a writer has it
//! alone, and a call never overtakes an earlier one that it conflicts with: what calls see of each
//! other is as if they had run one after the other, in the order in which they were written. Nothing
//! here knows tools or runs anything.

mod index;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::oneshot;

use crate::protocol::Effect;
use index::Index;

/// What a call mostly does; each class has its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Cpu,
    Disk,
    Network,
    Process,
}

/// Every class, each at its own number.
const CLASSES: [Class; 4] = [Class::Cpu, Class::Disk, Class::Network, Class::Process];

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

/// Each call that cannot run yet follows one that it conflicts with, the last before it, and looks for
/// another only when that one is gone: many calls cost little more than one each.
#[derive(Default)]
struct Queue {
    bounds: Bounds,
    next: u64,
    /// Running and waiting calls by number, in the order in which they came.
    entries: BTreeMap<u64, Entry>,
    /// What all of them touch.
    index: Index,
    /// By class: calls that nothing but the bound keeps from running.
    ready: [BTreeSet<u64>; CLASSES.len()],
    /// By class.
    running: [usize; CLASSES.len()],
}

struct Entry {
    claim: Claim,
    /// `None`: it runs.
    waiting: Option<oneshot::Sender<()>>,
    /// Calls to look at again when this one is gone; some of them may be gone too.
    followers: Vec<u64>,
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
        let number = queue.add(claim, sender);
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
    fn add(&mut self, claim: Claim, sender: oneshot::Sender<()>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.index.insert(number, &claim);
        let entry = Entry { claim, waiting: Some(sender), followers: Vec::new() };
        self.entries.insert(number, entry);
        self.place(number);
        self.start();
        number
    }

    fn remove(&mut self, number: u64) {
        let Some(entry) = self.entries.remove(&number) else { return };
        self.index.remove(number, &entry.claim);
        let class = entry.claim.class as usize;
        if entry.waiting.is_none() {
            self.running[class] -= 1;
        } else {
            self.ready[class].remove(&number);
        }
        for follower in entry.followers {
            self.place(follower);
        }
        self.start();
    }

    /// Lets a waiting call follow one that it conflicts with, or be ready where there is none. Those that
    /// come later never matter: they follow.
    fn place(&mut self, number: u64) {
        let Some(entry) = self.entries.get(&number) else { return };
        let class = entry.claim.class as usize;
        let blocker = self.index.blocker(number, &entry.claim);
        if let Some(blocker) = blocker.and_then(|blocker| self.entries.get_mut(&blocker)) {
            blocker.followers.push(number);
        } else {
            self.ready[class].insert(number);
        }
    }

    /// Lets everybody run who may, in the order in which they came.
    fn start(&mut self) {
        loop {
            let first = CLASSES
                .into_iter()
                .filter(|class| self.running[*class as usize] < self.bounds.of(*class))
                .filter_map(|class| Some((*self.ready[class as usize].first()?, class as usize)))
                .min();
            let Some((number, class)) = first else { return };
            self.ready[class].remove(&number);
            self.running[class] += 1;
            let entry = self.entries.get_mut(&number);
            if let Some(sender) = entry.and_then(|entry| entry.waiting.take()) {
                // A receiver that is gone gives its turn back in a moment.
                sender.send(()).ok();
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.scheduler.lock().remove(self.number);
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
