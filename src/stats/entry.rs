//! One entry: what is counted of a partition or a function.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Looks at a taken lock before the process sleeps, and for how long it does then.
const SPINS: u32 = 1000;
const SLEEP: Duration = Duration::from_micros(100);

/// An entry of the table. Two cache lines, so that sessions which count different things are not in each other's way.
///
/// Whether it is used, and for what, changes only under the table's lock. The counts have a lock of their own, which is
/// held for a few instructions; whoever dies with it takes the whole server along.
#[repr(C, align(64))]
pub(crate) struct Entry {
    pub(super) state: AtomicU32,
    /// The database's OID.
    pub(super) database: AtomicU32,
    /// The function's OID, or the partition's number.
    pub(super) number: AtomicU32,
    lock: AtomicU32,
    /// Of all that names it.
    pub(super) hash: AtomicU64,
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
}

/// What is there, at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counts {
    /// Microseconds since 1970.
    pub(crate) since: u64,
    pub(crate) calls: u64,
    pub(crate) rows: u64,
    pub(crate) errors: u64,
    pub(crate) connects: u64,
    pub(crate) connect_failures: u64,
    pub(crate) cancels: u64,
    pub(crate) total: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
    pub(crate) mean: f64,
    pub(crate) squares: f64,
}

impl Counts {
    /// Nothing was counted yet.
    pub(super) fn none() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            since: since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0)),
            calls: 0,
            rows: 0,
            errors: 0,
            connects: 0,
            connect_failures: 0,
            cancels: 0,
            total: 0,
            least: 0,
            most: 0,
            mean: 0.0,
            squares: 0.0,
        }
    }

    /// Adds a call that took so many nanoseconds.
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
    pub(super) fn is_sound(&self) -> bool {
        self.mean.is_finite() && self.squares.is_finite() && self.squares >= 0.0
    }

    /// The standard deviation over all that was counted, in nanoseconds.
    pub(crate) fn deviation(&self) -> f64 {
        if self.calls < 2 {
            return 0.0;
        }
        (self.squares / self.calls as f64).sqrt()
    }
}

/// One call, as it is counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) rows: u64,
    pub(super) failed: bool,
    pub(super) canceled: bool,
    pub(super) connects: u32,
    pub(super) connect_failed: bool,
    /// Nanoseconds.
    pub(super) took: u64,
}

/// The lock of the counts, released when dropped.
struct Counting<'a>(&'a Entry);

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.0.lock.store(0, Release);
    }
}

impl Entry {
    fn enter(&self) -> Counting<'_> {
        let mut spins = 0;
        while self.lock.swap(1, Acquire) != 0 {
            spins += 1;
            if spins % SPINS == 0 {
                std::thread::sleep(SLEEP);
            } else {
                core::hint::spin_loop();
            }
        }
        Counting(self)
    }

    /// Counts a call.
    pub(super) fn count(&self, call: &Sample) {
        let counting = self.enter();
        let mut counts = counting.read();
        counts.add(call);
        counting.write(&counts);
    }

    /// What is there.
    pub(crate) fn read(&self) -> Counts {
        self.enter().read()
    }

    /// Puts something in its place.
    pub(super) fn write(&self, counts: &Counts) {
        self.enter().write(counts);
    }
}

impl Counting<'_> {
    fn read(&self) -> Counts {
        let entry = self.0;
        Counts {
            since: entry.since.load(Relaxed),
            calls: entry.calls.load(Relaxed),
            rows: entry.rows.load(Relaxed),
            errors: entry.errors.load(Relaxed),
            connects: entry.connects.load(Relaxed),
            connect_failures: entry.connect_failures.load(Relaxed),
            cancels: entry.cancels.load(Relaxed),
            total: entry.total.load(Relaxed),
            least: entry.least.load(Relaxed),
            most: entry.most.load(Relaxed),
            mean: f64::from_bits(entry.mean.load(Relaxed)),
            squares: f64::from_bits(entry.squares.load(Relaxed)),
        }
    }

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
}
