//! A table of entries, and who gets the room in it.
//!
//! An entry is found by a hash of its name, and stays where it is. When all are used, one gives way to another that is worth
//! more: entries of what was never reached are worth least, and whoever may call at all can make as many of these as he
//! likes; then come those of connection strings that stand in functions; and last the partitions of clusters. Among those that are
//! worth the same, one gives way that nobody has counted for long. So no name drives out a partition that is in use.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::entry::{Counts, EMPTY, Entry, FREED, USED};
use super::rank::Rank;

/// For so long, in seconds, nobody has counted an entry that gives way to one which is worth no more.
pub const IDLE: u32 = 3600;

/// So many entries are compared at least, to find the one that is worth least.
const WINDOW: usize = 1024;

/// A table. What changes it is to be called with a lock that all who share it keep.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// The entries.
    pub entries: &'a [Entry],
    /// How many of them are used.
    pub used: &'a AtomicU64,
    /// Where the last one gave way.
    pub hand: &'a AtomicU64,
}

/// An entry that was made.
#[derive(Debug)]
pub struct Made {
    /// Its place.
    pub place: usize,
    /// The calls that were counted of another name there.
    pub driven_out: u64,
}

impl Table<'_> {
    /// Whether all entries are used.
    pub fn is_full(&self) -> bool {
        self.used.load(Relaxed) >= self.entries.len() as u64
    }

    /// Where a name is looked for, from its own place on.
    fn places(&self, hash: u64) -> impl Iterator<Item = usize> {
        let len = self.entries.len();
        let first = usize::try_from(hash % (len.max(1) as u64)).unwrap_or(0);
        (first..len).chain(0..first)
    }

    /// The place of the entry of a name. For those who share the lock.
    pub fn find(&self, (database, number, hash): (u32, u32, u64)) -> Option<usize> {
        let entries = self
            .places(hash)
            .filter_map(|place| Some((place, self.entries.get(place)?)));
        entries
            .take_while(|(_, entry)| entry.state.load(Acquire) != EMPTY)
            .find(|(_, entry)| entry.is(database, number, hash))
            .map(|(place, _)| place)
    }

    /// Makes an entry for a name that has none, if there is room, or another one gives way. It begins with `counts`.
    pub fn make(
        &self,
        name: (u32, u32, u64),
        counts: &Counts,
        rank: Rank,
        now: u32,
    ) -> Option<Made> {
        // Where somebody does not come to an end with counting, the entry stays as it is.
        let begin = |place: usize| {
            let counting = self.entries.get(place)?.enter()?;
            let before = counting.read().calls;
            counting.begin(name, counts, rank, now);
            Some(before)
        };
        let (_, _, hash) = name;
        if !self.is_full() {
            let mut free = self.places(hash).filter(|place| {
                let entry = self.entries.get(*place);
                entry.is_some_and(|entry| entry.state.load(Relaxed) != USED)
            });
            let place = free.find(|place| begin(*place).is_some())?;
            self.used.fetch_add(1, Relaxed);
            return Some(Made {
                place,
                driven_out: 0,
            });
        }
        let place = self.who_gives_way(rank, now)?;
        let driven_out = begin(place)?;
        self.hand.store(place as u64 + 1, Relaxed);
        Some(Made { place, driven_out })
    }

    /// Of those that are worth less than `rank`, or no more and idle, the one that is worth least, if there is one.
    fn who_gives_way(&self, rank: Rank, now: u32) -> Option<usize> {
        let mut least: Option<((u32, u32), usize)> = None;
        for (looked, place) in self.places(self.hand.load(Relaxed)).enumerate() {
            if looked > 0 && looked % WINDOW == 0 && least.is_some() {
                break;
            }
            let entry = self.entries.get(place)?;
            let worth = (entry.rank(), entry.used_at());
            let idle = now.saturating_sub(worth.1) >= IDLE;
            let gives_way = worth.0 < rank as u32 || (worth.0 == rank as u32 && idle);
            if gives_way && !entry.is_stuck() && least.is_none_or(|(least, _)| worth < least) {
                least = Some((worth, place));
            }
        }
        least.map(|(_, place)| place)
    }

    /// Frees the entries of some databases.
    pub fn give_up(&self, is_one: impl Fn(u32) -> bool) {
        let mut left = 0;
        for entry in self.entries {
            if !entry.is_used() {
                continue;
            }
            if is_one(entry.database()) {
                entry.state.store(FREED, Release);
            } else {
                left += 1;
            }
        }
        self.used.store(left, Relaxed);
        if left == 0 {
            let states = self.entries.iter().map(|entry| &entry.state);
            states.for_each(|state| state.store(EMPTY, Release));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU64;

    use super::super::entry::Sample;
    use super::*;

    struct Memory {
        entries: Vec<Entry>,
        used: AtomicU64,
        hand: AtomicU64,
    }

    impl Memory {
        fn new(room: usize) -> Self {
            Self {
                entries: std::iter::repeat_with(Entry::default).take(room).collect(),
                used: AtomicU64::new(0),
                hand: AtomicU64::new(0),
            }
        }

        fn table(&self) -> Table<'_> {
            Table {
                entries: &self.entries,
                used: &self.used,
                hand: &self.hand,
            }
        }

        /// As a call does: looks, makes, counts. Whether it was counted.
        fn call(&self, number: u32, rank: Rank, at: u32) -> bool {
            let (table, name) = (self.table(), name(number));
            let made = || table.make(name, &Counts::default(), rank, at);
            let place = table.find(name).or_else(|| made().map(|made| made.place));
            let sample = Sample {
                rank,
                at,
                ..Sample::default()
            };
            place.is_some_and(|place| self.entries[place].count(name, &sample))
        }

        fn has(&self, number: u32) -> bool {
            self.table().find(name(number)).is_some()
        }
    }

    /// Of numbers that follow one another, the places do not.
    fn name(number: u32) -> (u32, u32, u64) {
        let hash = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (1, number, hash)
    }

    #[test]
    fn names_are_found_again() {
        let memory = Memory::new(100);
        for number in 0..100 {
            assert!(!memory.has(number));
            assert!(memory.call(number, Rank::Partition, 1));
        }
        assert!((0..100).all(|number| memory.has(number)));
        assert!(memory.table().is_full());
        assert!(!memory.call(100, Rank::Partition, 2));
    }

    #[test]
    fn no_number_of_failures_drives_out_a_partition() {
        let memory = Memory::new(50);
        // It is called seldom, and was not reached at first.
        assert!(memory.call(0, Rank::Unreached, 1));
        assert!(memory.call(0, Rank::Partition, 1));
        assert!(memory.call(1, Rank::Unreached, 1));
        for number in 1000..11_000 {
            memory.call(number, Rank::ConnectUnreached, 100);
            memory.call(number, Rank::ConnectUnreached, 100);
        }
        for number in 11_000..21_000 {
            memory.call(number, Rank::Connect, 100);
            memory.call(number, Rank::Connect, 100);
        }
        assert!(memory.has(0) && memory.has(1));
        assert_eq!(
            memory.entries[memory.table().find(name(0)).unwrap()]
                .read()
                .calls,
            2
        );
        // What comes later has room all the same, at once.
        for number in 2..50 {
            assert!(memory.call(number, Rank::Partition, 101), "{number}");
        }
        // That which was never reached goes first then; the others stay.
        assert!(memory.call(50, Rank::Partition, 101));
        assert!(!memory.has(1));
        assert!(!memory.call(51, Rank::Partition, 101));
        assert!(!memory.call(52, Rank::Unreached, 101));
        assert!(!memory.call(53, Rank::Connect, 101));
        assert!([0, 2, 50].iter().all(|number| memory.has(*number)));
    }

    #[test]
    fn what_nobody_uses_gives_way() {
        let memory = Memory::new(10);
        for number in 0..10 {
            memory.call(number, Rank::Partition, 1);
        }
        for number in 0..5 {
            memory.call(number, Rank::Partition, IDLE);
        }
        assert!(!memory.call(10, Rank::Partition, IDLE));
        // Not to what is worth less.
        assert!(!memory.call(10, Rank::Connect, IDLE + 1));
        for number in 10..15 {
            assert!(memory.call(number, Rank::Partition, IDLE + 1));
        }
        assert!(!memory.call(15, Rank::Partition, IDLE + 1));
        assert!((0..5).chain(10..15).all(|number| memory.has(number)));
    }

    #[test]
    fn the_least_of_a_window_goes_and_the_rest_is_looked_at_in_turn() {
        let room = 3 * WINDOW;
        let memory = Memory::new(room);
        let most = u32::try_from(room).unwrap();
        for number in 0..most {
            memory.call(number, Rank::ConnectUnreached, 1);
        }
        for number in most..2 * most {
            assert!(memory.call(number, Rank::Partition, 2));
        }
        assert!((most..2 * most).all(|number| memory.has(number)));
    }

    #[test]
    fn who_is_stopped_in_an_entry_keeps_it() {
        let memory = Memory::new(2);
        memory.call(0, Rank::ConnectUnreached, 1);
        memory.call(1, Rank::Connect, 1);
        let place = memory.table().find(name(0)).unwrap();
        let stopped = memory.entries[place].enter();
        assert!(!memory.call(2, Rank::Partition, 2));
        assert!(memory.has(0) && memory.has(1));
        // It is not asked again.
        assert!(memory.call(2, Rank::Partition, 2));
        assert!(memory.has(0) && !memory.has(1));
        drop(stopped);
        assert!(memory.call(3, Rank::Partition, 2));
        assert!(!memory.has(0));
    }

    #[test]
    fn a_reset_frees_those_of_its_databases() {
        let memory = Memory::new(10);
        for number in 0..10 {
            memory.call(number, Rank::Partition, 1);
        }
        memory.table().give_up(|database| database == 2);
        assert!(memory.table().is_full());
        memory.table().give_up(|database| database == 1);
        assert!(!memory.table().is_full() && !memory.has(0));
        assert!(memory.call(77, Rank::ConnectUnreached, 1));
    }

    #[test]
    fn every_call_is_counted_somewhere() {
        let memory = Memory::new(16);
        let (lock, elsewhere) = (Mutex::new(()), AtomicU64::new(0));
        let calls = 20_000_u32;
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let (memory, lock, elsewhere) = (&memory, &lock, &elsewhere);
                scope.spawn(move || {
                    for turn in 0..calls {
                        let number = (turn.wrapping_mul(thread + 7)) % 64;
                        let rank = [
                            Rank::ConnectUnreached,
                            Rank::Connect,
                            Rank::Unreached,
                            Rank::Partition,
                        ][usize::try_from(number % 4).unwrap()];
                        let (table, name) = (memory.table(), name(number));
                        let place = {
                            let _locked = lock.lock().unwrap();
                            table.find(name).or_else(|| {
                                let made = table.make(name, &Counts::default(), rank, 1)?;
                                elsewhere.fetch_add(made.driven_out, Relaxed);
                                Some(made.place)
                            })
                        };
                        let sample = Sample {
                            rank,
                            at: 1,
                            ..Sample::default()
                        };
                        if !place.is_some_and(|place| memory.entries[place].count(name, &sample)) {
                            elsewhere.fetch_add(1, Relaxed);
                        }
                    }
                });
            }
        });
        let counted: u64 = memory.entries.iter().map(|entry| entry.read().calls).sum();
        assert_eq!(counted + elsewhere.load(Relaxed), u64::from(calls) * 4);
        // Of the sixteen partitions that were called all along none was driven out.
        assert!(
            (0..64)
                .filter(|number| number % 4 == 3)
                .all(|number| memory.has(number))
        );
    }
}
