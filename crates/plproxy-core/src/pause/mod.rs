//! Pauses of clusters, and the calls that are under way, in memory that all sessions share.
//!
//! All of it is atomics, and zero bytes are a value. A session says where its calls go before it looks whether that is paused;
//! who pauses says so before he looks who is under way. Between the two steps each has a full fence, so one of them sees the
//! other: a call waits, or it is waited for.

mod generation;
mod partitions;
mod session;
#[cfg(test)]
mod tests;

pub use generation::Generation;
use generation::{BEGIN, END};
pub use partitions::Partitions;
pub use session::{ENTRIES, Entry, Session};

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicU32, AtomicU64, fence};
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// So many pauses there are at the most at a time.
pub const PAUSES: usize = 64;
/// So many bytes of a cluster's name are shown.
pub const NAME: usize = 1024;
/// In the place of a partition's number: all of them.
const ALL: u32 = u32::MAX;

/// What all have in common.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Header {
    /// Above: goes up with each begin and each end of a pause. Below: how many there are.
    generation: AtomicU64,
    /// The process that changes the list of pauses.
    writer: AtomicU32,
}

/// A pause, or room for one.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Pause {
    /// 0: there is none.
    cluster: AtomicU64,
    /// The generation that began with it.
    number: AtomicU64,
    database: AtomicU32,
    partition: AtomicU32,
    process: AtomicU32,
    role: AtomicU32,
    name_len: AtomicU32,
    /// Microseconds since 1970.
    since: AtomicU64,
    until: AtomicU64,
    /// The same as `until`, by the monotonic clock, which decides.
    ends: AtomicU64,
    name: [AtomicU64; NAME / 8],
}

/// What is to be paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct What<'a> {
    /// Stands for the cluster's name and its database; not 0.
    pub cluster: u64,
    /// None: all of them.
    pub partition: Option<u32>,
    /// The database's OID.
    pub database: u32,
    /// As that database has it.
    pub name: &'a [u8],
    /// Who pauses.
    pub process: u32,
    /// As which role, by its OID.
    pub role: u32,
    /// For how long at the most.
    pub longest: Duration,
}

/// A pause, as it was when somebody looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its number.
    pub number: u64,
    /// What stands for its cluster.
    pub cluster: u64,
    /// None: all partitions.
    pub partition: Option<u32>,
    /// The database's OID.
    pub database: u32,
    /// The first bytes of the cluster's name.
    pub name: Vec<u8>,
    /// Who has paused.
    pub process: u32,
    /// As which role.
    pub role: u32,
    /// When.
    pub since: SystemTime,
    /// When it ends by itself.
    pub until: SystemTime,
    /// How long that is from now on.
    pub left: Duration,
}

/// Why there is no pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is one of some of it.
    Paused(Box<Shown>),
    /// There are too many.
    Full,
}

/// The memory.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// What all have in common.
    pub header: &'static Header,
    /// The pauses.
    pub pauses: &'static [Pause],
    /// A place for each process.
    pub sessions: &'static [Session],
}

/// Microseconds of the monotonic clock.
fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
    micros(now)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The right to change the list of pauses, while it lives. Nothing that may not come back is to be called meanwhile.
struct Writer<'a>(&'a Header);

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.0.writer.store(0, Release);
    }
}

impl Table {
    /// The generation; by the way to a call.
    #[inline]
    #[must_use]
    pub fn generation(&self) -> Generation {
        Generation::of_word(self.header.generation.load(Acquire))
    }

    /// The same after what this session said of itself, so that nobody misses both.
    #[inline]
    #[must_use]
    pub fn generation_after_all(&self) -> Generation {
        fence(SeqCst);
        self.generation()
    }

    /// A place for a process; none if there are too many.
    #[must_use]
    pub fn enter(&self, process: u32) -> Option<&'static Session> {
        self.sessions.iter().find(|session| session.claim(process))
    }

    fn write(&self, process: u32) -> Option<Writer<'_>> {
        let writer = &self.header.writer;
        writer
            .compare_exchange(0, process.max(1), AcqRel, Relaxed)
            .ok()
            .map(|_| Writer(self.header))
    }

    /// Begins a pause; its number. None: somebody else is at it, try again.
    pub fn begin(&self, what: &What<'_>) -> Option<Result<u64, Refused>> {
        let _writer = self.write(what.process)?;
        self.end_overdue();
        let overlaps = |shown: &Shown| {
            shown.cluster == what.cluster
                && (shown.partition.is_none()
                    || what.partition.is_none()
                    || shown.partition == what.partition)
        };
        if let Some(shown) = self.all().find(overlaps) {
            return Some(Err(Refused::Paused(Box::new(shown))));
        }
        let free = |pause: &&Pause| pause.cluster.load(Relaxed) == 0;
        let Some(pause) = self.pauses.iter().find(free) else {
            return Some(Err(Refused::Full));
        };
        let number = self.header.generation.load(Relaxed) + BEGIN;
        pause.write(what, number);
        self.header.generation.store(number, SeqCst);
        fence(SeqCst);
        Some(Ok(number))
    }

    /// Ends the pauses that `which` is true of; how many there were. None: somebody else is at it, try again.
    pub fn end(&self, process: u32, which: impl Fn(&Shown) -> bool) -> Option<usize> {
        let _writer = self.write(process)?;
        self.end_overdue();
        Some(self.end_those(which))
    }

    /// Ends the pauses whose time is over; false if somebody else is at it.
    pub fn sweep(&self, process: u32) -> bool {
        let writer = self.write(process);
        if writer.is_some() {
            self.end_overdue();
        }
        writer.is_some()
    }

    /// The same after the pauses were looked at.
    #[must_use]
    pub fn generation_after_pauses(&self) -> Generation {
        fence(Acquire);
        self.generation()
    }

    fn end_overdue(&self) {
        self.end_those(|shown| shown.left.is_zero());
    }

    /// By who has the right to.
    fn end_those(&self, which: impl Fn(&Shown) -> bool) -> usize {
        let mut ended = 0;
        for pause in self.pauses {
            if pause.show().is_some_and(|shown| which(&shown)) {
                // In that order: whoever does not find it any more finds another generation.
                self.header.generation.fetch_add(END, SeqCst);
                pause.cluster.store(0, Release);
                ended += 1;
            }
        }
        ended
    }

    /// The pauses that there are, those whose time is over among them.
    pub fn all(&self) -> impl Iterator<Item = Shown> {
        self.pauses.iter().filter_map(Pause::show)
    }

    /// The pauses of a cluster, the same.
    pub fn of(&self, cluster: u64) -> impl Iterator<Item = Shown> {
        let its = move |pause: &&Pause| pause.cluster.load(Acquire) == cluster;
        self.pauses.iter().filter(its).filter_map(Pause::show)
    }

    /// How many wait for the end of a pause.
    #[must_use]
    pub fn waiting(&self, number: u64) -> usize {
        let waits = |session: &&Session| session.waits_for() == number;
        self.sessions.iter().filter(waits).count()
    }

    /// The processes of those that have something under way there, of these or of all.
    pub fn under_way<'a>(
        &'a self,
        cluster: u64,
        partition: Option<u32>,
        of: Option<&'a [usize]>,
    ) -> impl Iterator<Item = (usize, u32)> + 'a {
        let sessions = self.sessions.iter().enumerate();
        sessions.filter_map(move |(place, session)| {
            if of.is_some_and(|of| !of.contains(&place)) {
                return None;
            }
            let process = session.process()?;
            let is_in = session.is_under_way(cluster, partition);
            is_in.then_some((place, process))
        })
    }
}

impl Pause {
    fn write(&self, what: &What<'_>, number: u64) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = micros(since.unwrap_or_default());
        let longest = micros(what.longest);
        let name = what.name.get(..NAME).unwrap_or(what.name);
        // First: who reads the rest and then this finds that it is another.
        self.number.store(number, Relaxed);
        fence(Release);
        for (word, bytes) in self.name.iter().zip(name.chunks(8)) {
            let mut padded = [0; 8];
            padded
                .iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = *from);
            word.store(u64::from_ne_bytes(padded), Relaxed);
        }
        self.name_len
            .store(u32::try_from(name.len()).unwrap_or(0), Relaxed);
        self.database.store(what.database, Relaxed);
        self.partition.store(what.partition.unwrap_or(ALL), Relaxed);
        self.process.store(what.process, Relaxed);
        self.role.store(what.role, Relaxed);
        self.since.store(since, Relaxed);
        self.until.store(since.saturating_add(longest), Relaxed);
        self.ends.store(now().saturating_add(longest), Relaxed);
        self.cluster.store(what.cluster, Release);
    }

    /// What it is; it may be gone meanwhile, and another in its place, which a change of its number tells.
    fn show(&self) -> Option<Shown> {
        let cluster = self.cluster.load(Acquire);
        if cluster == 0 {
            return None;
        }
        let number = self.number.load(Acquire);
        let time = |time: &AtomicU64| UNIX_EPOCH + Duration::from_micros(time.load(Relaxed));
        let words = self.name.iter();
        let mut name: Vec<u8> = words
            .flat_map(|word| word.load(Relaxed).to_ne_bytes())
            .collect();
        name.truncate(self.name_len.load(Relaxed) as usize);
        let partition = self.partition.load(Relaxed);
        let shown = Shown {
            number,
            cluster,
            partition: (partition != ALL).then_some(partition),
            database: self.database.load(Relaxed),
            name,
            process: self.process.load(Relaxed),
            role: self.role.load(Relaxed),
            since: time(&self.since),
            until: time(&self.until),
            left: Duration::from_micros(self.ends.load(Relaxed).saturating_sub(now())),
        };
        fence(Acquire);
        let is_same = self.cluster.load(Relaxed) == cluster && self.number.load(Relaxed) == number;
        is_same.then_some(shown)
    }
}
