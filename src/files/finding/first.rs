//! The first few of many, in a fixed order, without holding the many.
//!
//! Threads find things in any order; what is shown must not depend on it, nor may a tree of a
//! million files fill the memory.

use std::collections::BTreeMap;

/// Keeps the `limit` entries with the smallest keys, and counts all.
pub(in crate::files) struct First<K, V> {
    kept: BTreeMap<K, V>,
    limit: usize,
    total: u64,
}

impl<K: Ord, V> First<K, V> {
    pub(in crate::files) fn new(limit: usize) -> Self {
        Self { kept: BTreeMap::new(), limit, total: 0 }
    }

    pub(in crate::files) fn add(&mut self, key: K, value: V) {
        self.total += 1;
        self.kept.insert(key, value);
        if self.kept.len() > self.limit {
            self.kept.pop_last();
        }
    }

    /// All that were added, kept or not.
    pub(in crate::files) fn total(&self) -> u64 {
        self.total
    }

    /// What is kept, in order of the keys.
    pub(in crate::files) fn into_values(self) -> Vec<V> {
        self.kept.into_values().collect()
    }
}
