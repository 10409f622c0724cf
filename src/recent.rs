//! A map that remembers what was asked for last, up to a number.
#![forbid(unsafe_code)]

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Values by key; when there are too many, the one that was not asked for during the longest time goes.
pub(crate) struct Recent<K, V> {
    most: usize,
    clock: u64,
    entries: HashMap<K, Entry<V>>,
}

struct Entry<V> {
    value: V,
    /// The time of the last use, on the clock of uses.
    used: u64,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            clock: 0,
            entries: HashMap::new(),
        }
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get_mut(key)?;
        self.clock += 1;
        entry.used = self.clock;
        Some(&entry.value)
    }

    /// Returns what had to go, for the caller to drop when nothing is borrowed any more.
    #[must_use = "dropping a value may need what is borrowed"]
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let mut gone = None;
        if self.entries.len() >= self.most && !self.entries.contains_key(&key) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                gone = self.entries.remove(&oldest);
            }
        }
        self.clock += 1;
        let used = self.clock;
        let replaced = self.entries.insert(key, Entry { value, used });
        gone.or(replaced).map(|entry| entry.value)
    }

    /// Takes a value out.
    #[must_use = "dropping a value may need what is borrowed"]
    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key).map(|entry| entry.value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, entry)| (key, &entry.value))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }
}
