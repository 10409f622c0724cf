//! What one session has under way. It writes that, others read it.

use super::generation::Generation;
use super::partitions::Partitions;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicU64, fence};

/// So much of a session is listed; what comes besides counts as under way everywhere.
pub const ENTRIES: usize = 9;
/// So often a list that changes is read again.
const LOOKS: usize = 100;

/// See the module.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Session {
    /// 0: nobody's.
    process: AtomicU32,
    /// How many there are besides those that are listed.
    unlisted: AtomicU32,
    /// The number of the pause for whose end it waits; 0: of none.
    waits_for: AtomicU64,
    /// Goes up with each entry, so that a list is read as a whole.
    changes: AtomicU64,
    entries: [Entry; ENTRIES],
}

/// A call, or a transaction that a cluster has joined.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Entry {
    /// 0: there is none.
    cluster: AtomicU64,
    partitions: AtomicU64,
    /// The generation in which it began, or that of what let it pass.
    begun: AtomicU64,
}

/// An entry's place; none: it is not listed.
pub type Place = Option<usize>;

impl Session {
    pub(super) fn claim(&self, process: u32) -> bool {
        self.process.load(Relaxed) == 0
            && self
                .process
                .compare_exchange(0, process, Acquire, Relaxed)
                .is_ok()
    }

    /// Whose it is, if it is somebody's.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        let process = self.process.load(Acquire);
        (process != 0).then_some(process)
    }

    /// The process ends.
    pub fn leave(&self) {
        self.waits_for.store(0, Relaxed);
        for entry in &self.entries {
            entry.cluster.store(0, Release);
        }
        self.unlisted.store(0, Release);
        self.process.store(0, Release);
    }

    /// Says what it waits for.
    pub fn wait_for(&self, number: u64) {
        self.waits_for.store(number, Relaxed);
    }

    pub(super) fn waits_for(&self) -> u64 {
        self.waits_for.load(Relaxed)
    }

    /// Something begins.
    #[inline]
    pub fn add(&self, cluster: u64, partitions: Partitions, begun: Generation) -> Place {
        let mut entries = self.entries.iter().enumerate();
        let free = entries.find(|(_, entry)| entry.cluster.load(Relaxed) == 0);
        if let Some((_, entry)) = free {
            entry.begun.store(begun.word(), Relaxed);
            entry.partitions.store(partitions.word(), Release);
            entry.cluster.store(cluster, Release);
        } else {
            let unlisted = self.unlisted.load(Relaxed);
            self.unlisted.store(unlisted + 1, Release);
        }
        // Nobody else writes it.
        self.changes.store(self.changes.load(Relaxed) + 1, Release);
        free.map(|(place, _)| place)
    }

    /// It is over.
    #[inline]
    pub fn remove(&self, place: Place) {
        match place.and_then(|place| self.entries.get(place)) {
            Some(entry) => entry.cluster.store(0, Release),
            None => {
                let unlisted = self.unlisted.load(Relaxed);
                self.unlisted.store(unlisted.saturating_sub(1), Release);
            }
        }
    }

    /// The partitions of an entry.
    #[must_use]
    pub fn partitions(&self, place: Place) -> Option<Partitions> {
        let entry = self.entries.get(place?)?;
        Some(Partitions::of_word(entry.partitions.load(Relaxed)))
    }

    /// They become others. What is not listed goes everywhere.
    pub fn set_partitions(&self, place: Place, partitions: Partitions) {
        if let Some(entry) = place.and_then(|place| self.entries.get(place)) {
            entry.partitions.store(partitions.word(), Release);
            self.changes.store(self.changes.load(Relaxed) + 1, Release);
        }
    }

    /// Something of before the pause let it pass: so will it others.
    pub fn pass(&self, place: Place) {
        if let Some(entry) = place.and_then(|place| self.entries.get(place)) {
            entry.begun.store(0, Relaxed);
        }
    }

    /// By the session itself: whether it has something under way that a pause of this number has to wait for, besides that of a
    /// place, of which only these partitions count.
    #[must_use]
    pub fn is_waited_for(
        &self,
        cluster: u64,
        partition: Option<u32>,
        number: u64,
        (but, counts): (Place, Option<Partitions>),
    ) -> bool {
        let mut entries = self.entries.iter().enumerate();
        entries.any(|(place, entry)| {
            let mut partitions = Some(Partitions::of_word(entry.partitions.load(Relaxed)));
            if Some(place) == but {
                partitions = counts;
            }
            entry.cluster.load(Relaxed) == cluster
                && entry.begun.load(Relaxed) < number
                && partitions.is_some_and(|all| partition.is_none_or(|one| all.may_have(one)))
        })
    }

    /// Whether it has something under way there.
    #[must_use]
    pub fn is_under_way(&self, cluster: u64, partition: Option<u32>) -> bool {
        for _ in 0..LOOKS {
            let before = self.changes.load(Acquire);
            let found = self.entries.iter().any(|entry| {
                entry.cluster.load(Acquire) == cluster
                    && partition.is_none_or(|one| {
                        Partitions::of_word(entry.partitions.load(Acquire)).may_have(one)
                    })
            });
            if found || self.unlisted.load(Acquire) > 0 {
                return true;
            }
            // What began meanwhile may stand where was looked already, and what let it pass be over.
            fence(Acquire);
            if self.changes.load(Relaxed) == before {
                return false;
            }
        }
        true
    }
}
