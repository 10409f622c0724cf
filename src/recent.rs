//! A map that remembers what was asked for last, up to a number.
#![forbid(unsafe_code)]

use std::collections::HashMap;

/// Values by name; when there are too many, the one that was not asked for during the longest time goes.
pub(crate) struct Recent<V> {
    most: usize,
    clock: u64,
    entries: HashMap<String, Entry<V>>,
}

struct Entry<V> {
    value: V,
    /// The time of the last use, on the clock of uses.
    used: u64,
}

impl<V> Recent<V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            clock: 0,
            entries: HashMap::new(),
        }
    }

    pub(crate) fn get(&mut self, name: &str) -> Option<&V> {
        let entry = self.entries.get_mut(name)?;
        self.clock += 1;
        entry.used = self.clock;
        Some(&entry.value)
    }

    pub(crate) fn insert(&mut self, name: String, value: V) {
        if self.entries.len() >= self.most && !self.entries.contains_key(&name) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.entries.remove(&oldest);
            }
        }
        self.clock += 1;
        let used = self.clock;
        self.entries.insert(name, Entry { value, used });
    }

    /// Takes everything out, what was used longest ago first.
    pub(crate) fn drain(&mut self) -> Vec<(String, V)> {
        let mut entries: Vec<_> = self.entries.drain().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.used);
        entries
            .into_iter()
            .map(|(name, entry)| (name, entry.value))
            .collect()
    }
}
