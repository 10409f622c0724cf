//! One entry: what is counted of a partition or a function.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use super::histogram::{Buckets, Histogram};
use super::rank::Rank;

/// Looks at a taken lock before the process sleeps.
const SPINS: u32 = 1000;
/// Sleeps until the lock is given up, the first ones short. They are counted and not the time: it must be the holder that gets
/// nowhere, and not the whole machine.
const SHORT_SLEEPS: u32 = 50;
const SLEEPS: u32 = 300;
const SHORT: Duration = Duration::from_micros(100);
const LONG: Duration = Duration::from_millis(1);

/// Nobody counts.
const FREE: u32 = 0;
const HELD: u32 = 1;
/// Whoever counts has not come to an end for long, as a process that is stopped: until it does, nobody waits any more.
const GIVEN_UP: u32 = 2;

/// Never used.
pub(super) const EMPTY: u32 = 0;
pub(super) const USED: u32 = 1;
/// Used once: what is looked for may lie beyond.
pub(super) const FREED: u32 = 2;

/// An entry of a table. Whole cache lines, so that processes which count different things are not in each other's way.
///
/// Whether it is used, and for what, changes only under the table's lock. The counts, and which name they are of, have a lock
/// of their own, which is held for a few instructions; who dies with it takes the whole server along.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Entry {
    pub(super) state: AtomicU32,
    /// The database's OID.
    database: AtomicU32,
    /// The function's OID, or the partition's number.
    number: AtomicU32,
    lock: AtomicU32,
    /// Of all that names it.
    hash: AtomicU64,
    /// When it was last counted, in seconds since 1970.
    used_at: AtomicU32,
    rank: AtomicU32,
    since: AtomicU64,
    calls: AtomicU64,
    rows: AtomicU64,
    errors: AtomicU64,
    connects: AtomicU64,
    connect_failures: AtomicU64,
    cancels: AtomicU64,
    /// Times are in nanoseconds.
    total: AtomicU64,
    least: AtomicU64,
    most: AtomicU64,
    /// Floating-point numbers, by their bits.
    mean: AtomicU64,
    /// The sum of the squared differences from the mean, by Welford's method.
    squares: AtomicU64,
    times: Buckets,
}

/// What is there, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// When counting began, in microseconds since 1970.
    pub since: u64,
    /// Calls.
    pub calls: u64,
    /// Rows that came.
    pub rows: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Connections made.
    pub connects: u64,
    /// Calls that failed because none could be made.
    pub connect_failures: u64,
    /// Calls that ended before the answer did.
    pub cancels: u64,
    /// Nanoseconds of all calls together.
    pub total: u64,
    /// Of the shortest.
    pub least: u64,
    /// Of the longest.
    pub most: u64,
    /// The mean.
    pub mean: f64,
    /// The sum of the squared differences from the mean.
    pub squares: f64,
    /// How many took how long.
    pub histogram: Histogram,
}

impl Counts {
    /// Adds a call, but to the histogram.
    fn add(&mut self, call: &Sample) {
        self.calls = self.calls.saturating_add(1);
        self.rows = self.rows.saturating_add(call.rows);
        self.errors = self.errors.saturating_add(u64::from(call.failed));
        self.cancels = self.cancels.saturating_add(u64::from(call.canceled));
        self.connects = self.connects.saturating_add(u64::from(call.connects));
        self.connect_failures = self
            .connect_failures
            .saturating_add(u64::from(call.connect_failed));
        self.total = self.total.saturating_add(call.took);
        self.least = if self.calls == 1 {
            call.took
        } else {
            self.least.min(call.took)
        };
        self.most = self.most.max(call.took);
        let took = call.took as f64;
        let off = took - self.mean;
        self.mean += off / self.calls as f64;
        self.squares += off * (took - self.mean);
    }

    /// Whether its numbers are such as are counted.
    pub fn is_sound(&self) -> bool {
        self.mean.is_finite() && self.squares.is_finite() && self.squares >= 0.0
    }

    /// The standard deviation over all that was counted, in nanoseconds.
    pub fn deviation(&self) -> f64 {
        if self.calls < 2 {
            return 0.0;
        }
        (self.squares / self.calls as f64).sqrt()
    }
}

/// One call, as it is counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// Rows that came.
    pub rows: u64,
    /// It failed.
    pub failed: bool,
    /// It ended before the answer did.
    pub canceled: bool,
    /// Connections made for it.
    pub connects: u32,
    /// It failed because none could be made.
    pub connect_failed: bool,
    /// Nanoseconds.
    pub took: u64,
    /// Whom it reached.
    pub rank: Rank,
    /// When it ended, in seconds since 1970.
    pub at: u32,
}

/// The lock of the counts, released when dropped.
pub(super) struct Counting<'a>(&'a Entry);

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.0.lock.store(FREE, Release);
    }
}

impl Entry {
    /// The lock, or `None` if somebody holds it and does not come to an end.
    pub(super) fn enter(&self) -> Option<Counting<'_>> {
        let (mut spins, mut sleeps) = (0, 0);
        loop {
            match self.lock.compare_exchange(FREE, HELD, AcqRel, Acquire) {
                Ok(_) => return Some(Counting(self)),
                Err(GIVEN_UP) => return None,
                Err(_) if spins < SPINS => {
                    spins += 1;
                    core::hint::spin_loop();
                }
                Err(_) if sleeps < SLEEPS => {
                    std::thread::sleep(if sleeps < SHORT_SLEEPS { SHORT } else { LONG });
                    sleeps += 1;
                }
                // Those after us are not to wait as long.
                Err(held) => {
                    let _ = self.lock.compare_exchange(held, GIVEN_UP, AcqRel, Acquire);
                    sleeps = 0;
                }
            }
        }
    }

    /// Whether somebody who counts is known not to come to an end.
    pub(super) fn is_stuck(&self) -> bool {
        self.lock.load(Relaxed) == GIVEN_UP
    }

    /// Whether it is of that name.
    pub fn is(&self, database: u32, number: u32, hash: u64) -> bool {
        self.state.load(Acquire) == USED
            && self.hash.load(Relaxed) == hash
            && self.database.load(Relaxed) == database
            && self.number.load(Relaxed) == number
    }

    /// Whether it is used.
    pub fn is_used(&self) -> bool {
        self.state.load(Acquire) == USED
    }

    /// The database's OID.
    pub fn database(&self) -> u32 {
        self.database.load(Relaxed)
    }

    /// The function's OID, or the partition's number.
    pub fn number(&self) -> u32 {
        self.number.load(Relaxed)
    }

    /// Of all that names it.
    pub fn hash(&self) -> u64 {
        self.hash.load(Relaxed)
    }

    pub(super) fn rank(&self) -> u32 {
        self.rank.load(Relaxed)
    }

    pub(super) fn used_at(&self) -> u32 {
        self.used_at.load(Relaxed)
    }

    /// Counts a call for whom it was of that name. False if it is of another by now, or if somebody who counts does not come to
    /// an end.
    pub fn count(&self, (database, number, hash): (u32, u32, u64), call: &Sample) -> bool {
        let Some(counting) = self.enter() else {
            return false;
        };
        if !self.is(database, number, hash) {
            return false;
        }
        let mut counts = self.load();
        counts.add(call);
        counting.write(&counts);
        self.times.add(call.took);
        self.used_at.store(call.at, Relaxed);
        self.rank.fetch_max(call.rank as u32, Relaxed);
        true
    }

    /// What is there. Where somebody who counts does not come to an end, his last call may be there in part.
    pub fn read(&self) -> Counts {
        match self.enter() {
            Some(counting) => counting.read(),
            None => self.load_all(),
        }
    }

    fn load_all(&self) -> Counts {
        Counts {
            histogram: self.times.load(),
            ..self.load()
        }
    }

    /// All but the histogram.
    fn load(&self) -> Counts {
        Counts {
            since: self.since.load(Relaxed),
            calls: self.calls.load(Relaxed),
            rows: self.rows.load(Relaxed),
            errors: self.errors.load(Relaxed),
            connects: self.connects.load(Relaxed),
            connect_failures: self.connect_failures.load(Relaxed),
            cancels: self.cancels.load(Relaxed),
            total: self.total.load(Relaxed),
            least: self.least.load(Relaxed),
            most: self.most.load(Relaxed),
            mean: f64::from_bits(self.mean.load(Relaxed)),
            squares: f64::from_bits(self.squares.load(Relaxed)),
            histogram: Histogram::default(),
        }
    }
}

impl Counting<'_> {
    pub(super) fn read(&self) -> Counts {
        self.0.load_all()
    }

    /// All but the histogram.
    fn write(&self, counts: &Counts) {
        let entry = self.0;
        entry.since.store(counts.since, Relaxed);
        entry.calls.store(counts.calls, Relaxed);
        entry.rows.store(counts.rows, Relaxed);
        entry.errors.store(counts.errors, Relaxed);
        entry.connects.store(counts.connects, Relaxed);
        entry
            .connect_failures
            .store(counts.connect_failures, Relaxed);
        entry.cancels.store(counts.cancels, Relaxed);
        entry.total.store(counts.total, Relaxed);
        entry.least.store(counts.least, Relaxed);
        entry.most.store(counts.most, Relaxed);
        entry.mean.store(counts.mean.to_bits(), Relaxed);
        entry.squares.store(counts.squares.to_bits(), Relaxed);
    }

    /// From now on it is of that name, and has these counts.
    pub(super) fn begin(
        &self,
        (database, number, hash): (u32, u32, u64),
        counts: &Counts,
        rank: Rank,
        at: u32,
    ) {
        let entry = self.0;
        entry.database.store(database, Relaxed);
        entry.number.store(number, Relaxed);
        entry.hash.store(hash, Relaxed);
        entry.rank.store(rank as u32, Relaxed);
        entry.used_at.store(at, Relaxed);
        self.write(counts);
        entry.times.store(&counts.histogram);
        entry.state.store(USED, Release);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const NAME: (u32, u32, u64) = (1, 2, 3);

    fn entry() -> Entry {
        let entry = Entry::default();
        if let Some(counting) = entry.enter() {
            counting.begin(NAME, &Counts::default(), Rank::Connect, 5);
        }
        entry
    }

    fn call(took: u64) -> Sample {
        Sample {
            rows: 2,
            took,
            at: 6,
            ..Sample::default()
        }
    }

    #[test]
    fn calls_add_up() {
        let entry = entry();
        for took in [1, 2, 3, 4] {
            assert!(entry.count(NAME, &call(took)));
        }
        let failed = Sample {
            failed: true,
            connect_failed: true,
            ..call(10)
        };
        assert!(entry.count(NAME, &failed));
        let counts = entry.read();
        assert_eq!((counts.calls, counts.rows, counts.errors), (5, 10, 1));
        assert_eq!((counts.total, counts.least, counts.most), (20, 1, 10));
        assert_eq!(counts.histogram.0.iter().sum::<u64>(), 5);
        assert!(
            (counts.mean - 4.0).abs() < 1e-9 && (counts.deviation() - 10_f64.sqrt()).abs() < 1e-9
        );
    }

    #[test]
    fn another_name_is_not_counted() {
        let entry = entry();
        assert!(!entry.count((1, 2, 4), &call(1)));
        assert!(!entry.count((2, 2, 3), &call(1)));
        assert_eq!(entry.read().calls, 0);
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let entry = entry();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| assert!(entry.count(NAME, &call(1)))));
            }
        });
        assert_eq!(entry.read().calls, 40_000);
    }

    #[test]
    fn who_is_stopped_while_it_counts_holds_nobody_up() {
        let entry = entry();
        assert!(entry.count(NAME, &call(1)));
        let stopped = entry.enter();
        assert!(stopped.is_some());
        // One waits for a while, those after it not at all.
        assert!(!entry.count(NAME, &call(1)));
        let begun = Instant::now();
        for _ in 0..1000 {
            assert!(!entry.count(NAME, &call(1)));
            assert_eq!(entry.read().calls, 1);
        }
        assert!(begun.elapsed() < LONG * SLEEPS * 100);
        // It goes on, and so does the counting.
        drop(stopped);
        assert!(entry.count(NAME, &call(1)));
        assert_eq!(entry.read().calls, 2);
    }

    #[test]
    fn it_has_its_cache_lines() {
        assert_eq!(size_of::<Entry>(), 320);
    }
}
