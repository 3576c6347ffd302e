//! Who touches what, so that the calls which a call conflicts with are found without looking at all.
//!
//! Things lie within each other: a path in the directories above it, everything in `Everything`. Each
//! thing knows who touches it and who touches something within it. Nothing here knows who runs.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use super::Claim;
use super::Thing;

/// The claims of all calls, by what they touch.
#[derive(Default)]
pub(super) struct Index {
    everything: Node,
    memory: Node,
    paths: HashMap<PathBuf, Node>,
    /// Sets of numbers that were looked into: the work, for tests.
    #[cfg(test)]
    pub(super) looked: std::cell::Cell<usize>,
}

/// The calls that touch a thing.
#[derive(Default)]
struct Node {
    itself: Touched,
    within: Touched,
}

/// Numbers of calls: of all, and of those that write.
#[derive(Default)]
struct Touched {
    all: BTreeSet<u64>,
    writers: BTreeSet<u64>,
}

/// Whether a call touches a thing itself or something within it.
#[derive(Clone, Copy)]
enum Place {
    Itself,
    Within,
}

impl Node {
    fn at(&mut self, place: Place) -> &mut Touched {
        match place {
            Place::Itself => &mut self.itself,
            Place::Within => &mut self.within,
        }
    }

    fn is_empty(&self) -> bool {
        self.itself.all.is_empty() && self.within.all.is_empty()
    }
}

impl Touched {
    fn insert(&mut self, number: u64, writes: bool) {
        self.all.insert(number);
        if writes {
            self.writers.insert(number);
        }
    }

    fn remove(&mut self, number: u64) {
        self.all.remove(&number);
        self.writers.remove(&number);
    }

    /// The last before `number` that one who reads or writes here conflicts with.
    fn last_before(&self, number: u64, writes: bool) -> Option<u64> {
        let set = if writes { &self.all } else { &self.writers };
        set.range(..number).next_back().copied()
    }
}

impl Index {
    pub(super) fn insert(&mut self, number: u64, claim: &Claim) {
        for (thing, writes) in &claim.things {
            match thing {
                Thing::Everything => self.everything.itself.insert(number, *writes),
                Thing::Memory => {
                    self.memory.itself.insert(number, *writes);
                    self.everything.within.insert(number, *writes);
                }
                Thing::Path(path) => {
                    self.everything.within.insert(number, *writes);
                    for (path, place) in places(path) {
                        let node = self.paths.entry(path.to_path_buf()).or_default();
                        node.at(place).insert(number, *writes);
                    }
                }
            }
        }
    }

    pub(super) fn remove(&mut self, number: u64, claim: &Claim) {
        for (thing, _) in &claim.things {
            self.everything.itself.remove(number);
            self.everything.within.remove(number);
            self.memory.itself.remove(number);
            let Thing::Path(path) = thing else { continue };
            for (path, place) in places(path) {
                let Some(node) = self.paths.get_mut(path) else { continue };
                node.at(place).remove(number);
                if node.is_empty() {
                    self.paths.remove(path);
                }
            }
        }
    }

    /// The last call before `number` that must not run beside this one.
    pub(super) fn blocker(&self, number: u64, claim: &Claim) -> Option<u64> {
        let last = |touched: &Touched, writes: bool| {
            #[cfg(test)]
            self.looked.set(self.looked.get() + 1);
            touched.last_before(number, writes)
        };
        let both = |node: &Node, writes| last(&node.itself, writes).max(last(&node.within, writes));
        let blockers = claim.things.iter().filter_map(|(thing, writes)| {
            let writes = *writes;
            match thing {
                Thing::Everything => both(&self.everything, writes),
                Thing::Memory => {
                    last(&self.everything.itself, writes).max(last(&self.memory.itself, writes))
                }
                Thing::Path(path) => places(path)
                    .filter_map(|(path, place)| {
                        let node = self.paths.get(path)?;
                        match place {
                            Place::Itself => both(node, writes),
                            Place::Within => last(&node.itself, writes),
                        }
                    })
                    .max()
                    .max(last(&self.everything.itself, writes)),
            }
        });
        blockers.max()
    }
}

/// The path itself, and what it is within.
fn places(path: &Path) -> impl Iterator<Item = (&Path, Place)> {
    let above = path.ancestors().skip(1).map(|above| (above, Place::Within));
    std::iter::once((path, Place::Itself)).chain(above)
}
