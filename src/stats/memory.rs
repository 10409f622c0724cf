//! The tables: of partitions and of functions, each with a fixed number of entries.
//!
//! `plproxy-core` has the entries and says which one gives way when there is no room; here are the memory that they lie in, its
//! lock, and what is shown beside the counts. Each reset begins another epoch; who remembers an entry of an earlier one, or one
//! that is another's by now, looks again.
#![forbid(unsafe_code)]

use super::name::Name;
use crate::error::Error;
use crate::gucs;
use crate::pg::allocator;
use crate::pg::interrupts;
use crate::pg::shmem::{self, Locked, Memory};
use core::cell::{Cell, OnceCell};
use core::sync::atomic::Ordering::{Relaxed, Release};
use plproxy_core::room;
use plproxy_core::stats::{Counts, Entry, HOST, Label, NAME, Rank, Table, TransactionEnd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// For so long nobody looks for room where there was none, or for the lock where it could not be had.
const AGAIN: Duration = Duration::from_secs(1);
/// So many entries are looked at under one lock.
const AT_ONCE: usize = 1024;
/// Waits for the lock at the end of which the sample is given up: its holder may be stopped.
const PATIENCE: u32 = 250;
const WAIT: Duration = Duration::from_millis(1);

/// How many partitions, and how many functions, the memory has room for.
pub(crate) fn room() -> usize {
    gucs::max_tracked_partitions()
}

/// The memory of all sessions, or else this session's own.
pub(crate) fn current() -> Option<Memory> {
    thread_local! {
        static MEMORY: OnceCell<Option<Memory>> = const { OnceCell::new() };
    }
    MEMORY.with(|memory| *memory.get_or_init(|| shmem::shared().or_else(|| shmem::private(room()))))
}

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Partition,
    Function,
}

/// An entry as it is shown or saved.
pub(crate) struct Found {
    pub(crate) database: u32,
    pub(crate) number: u32,
    pub(crate) hash: u64,
    pub(crate) cluster: String,
    pub(crate) dbname: String,
    pub(crate) host: String,
    pub(crate) port: u32,
    pub(crate) counts: Counts,
}

/// Seconds since 1970.
pub(super) fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
    })
}

/// Nothing was counted yet.
fn no_counts() -> Counts {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Counts {
        since: since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0)),
        ..Counts::default()
    }
}

thread_local! {
    /// Until when it is of no use to look for room, of partitions and of functions, and for what is worth how much at the most.
    static NO_ROOM: Cell<[Option<(Instant, Rank)>; 2]> = const { Cell::new([None; 2]) };
}

/// Whether an entry of that worth may find room, where there was none before.
pub(super) fn may_have_room(kind: Kind, rank: Rank) -> bool {
    let until = NO_ROOM.get().get(kind as usize).copied().flatten();
    until.is_none_or(|(until, most)| rank > most || Instant::now() >= until)
}

fn has_no_room(kind: Kind, rank: Rank) {
    let mut all = NO_ROOM.get();
    if let Some(until) = all.get_mut(kind as usize) {
        *until = Some((Instant::now() + AGAIN, rank));
    }
    NO_ROOM.set(all);
}

impl Memory {
    /// Calls that were not counted for want of room.
    pub(crate) fn untracked(&self) -> u64 {
        self.header.untracked.load(Relaxed)
    }

    /// There is no room for anything.
    pub(super) fn has_no_entries(&self) -> bool {
        self.partitions.is_empty()
    }

    fn table(&self, kind: Kind) -> Table<'static> {
        let [partitions, functions] = &self.header.used;
        let [of_partitions, of_functions] = &self.header.hands;
        match kind {
            Kind::Partition => Table {
                entries: self.partitions,
                used: partitions,
                hand: of_partitions,
            },
            Kind::Function => Table {
                entries: self.functions,
                used: functions,
                hand: of_functions,
            },
        }
    }

    /// The lock, or `None` if it cannot be had for long. Where there is nobody else there is nothing to take.
    fn lock_for_counting(&self, exclusive: bool) -> Result<Option<Option<Locked>>, Error> {
        if !self.is_shared {
            return Ok(Some(None));
        }
        for _ in 0..PATIENCE {
            if let Some(locked) = Locked::try_take(exclusive)? {
                return Ok(Some(Some(locked)));
            }
            std::thread::sleep(WAIT);
        }
        Ok(None)
    }

    /// The lock for who has asked for something: it is waited for until the caller is tired of it.
    fn lock(&self, exclusive: bool) -> Result<Option<Locked>, Error> {
        if !self.is_shared {
            return Ok(None);
        }
        loop {
            if let Some(locked) = Locked::try_take(exclusive)? {
                return Ok(Some(locked));
            }
            interrupts::check()?;
            std::thread::sleep(WAIT);
        }
    }

    /// The entry of that name, made if there is none and room for it, with the epoch.
    pub(super) fn entry(
        &self,
        kind: Kind,
        name: &Name<'_>,
        rank: Rank,
    ) -> Result<(u64, Option<&'static Entry>), Error> {
        let table = self.table(kind);
        {
            let Some(_lock) = self.lock_for_counting(false)? else {
                has_no_room(kind, Rank::Partition);
                return Ok((self.header.epoch(), None));
            };
            if let Some(place) = table.find(name.key()) {
                return Ok((self.header.epoch(), table.entries.get(place)));
            }
            if table.entries.is_empty() || (table.is_full() && !may_have_room(kind, rank)) {
                return Ok((self.header.epoch(), None));
            }
        }
        let Some(_lock) = self.lock_for_counting(true)? else {
            has_no_room(kind, Rank::Partition);
            return Ok((self.header.epoch(), None));
        };
        let place = self.find_or_make(kind, name, &no_counts(), rank);
        if place.is_none() {
            has_no_room(kind, rank);
        }
        let entry = place.and_then(|place| table.entries.get(place));
        Ok((self.header.epoch(), entry))
    }

    /// To be called with the lock, or where nobody else is.
    fn find_or_make(
        &self,
        kind: Kind,
        name: &Name<'_>,
        counts: &Counts,
        rank: Rank,
    ) -> Option<usize> {
        let table = self.table(kind);
        if let Some(place) = table.find(name.key()) {
            return Some(place);
        }
        let made = table.make(name.key(), counts, rank, now())?;
        self.header.count_untracked(made.driven_out);
        if let (Kind::Partition, Some(label)) = (kind, self.labels.get(made.place)) {
            label.write(name.cluster, name.dbname, name.host, name.port);
        }
        Some(made.place)
    }

    /// Puts in what was saved, if there is room.
    pub(super) fn restore(&self, kind: Kind, saved: &Found) {
        let name = Name {
            database: saved.database,
            number: saved.number,
            hash: saved.hash,
            cluster: &saved.cluster,
            dbname: &saved.dbname,
            host: &saved.host,
            port: saved.port,
        };
        let counts = &saved.counts;
        // What a file says may be anything.
        if !counts.is_sound() {
            return;
        }
        let in_vain = counts.errors.saturating_add(counts.cancels);
        let reached = counts.connects > 0 || counts.rows > 0 || counts.calls > in_vain;
        let in_cluster = kind == Kind::Function || !saved.cluster.is_empty();
        let rank = Rank::of(in_cluster, reached);
        self.find_or_make(kind, &name, counts, rank);
    }

    pub(super) fn restore_untracked(&self, calls: u64) {
        self.header.count_untracked(calls);
    }

    /// All entries of a kind, for those who are alone.
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = Found> {
        let places = 0..self.table(kind).entries.len();
        places.filter_map(move |place| self.found(kind, place, |_| true))
    }

    /// What is at a place, if it is wanted.
    fn found(&self, kind: Kind, place: usize, wanted: impl Fn(&Entry) -> bool) -> Option<Found> {
        let entry = self.table(kind).entries.get(place)?;
        if !(entry.is_used() && wanted(entry)) {
            return None;
        }
        let label = match kind {
            Kind::Partition => self.labels.get(place),
            Kind::Function => None,
        };
        let shown = label.map(Label::read).unwrap_or_default();
        Some(Found {
            database: entry.database(),
            number: entry.number(),
            hash: entry.hash(),
            cluster: shown.cluster,
            dbname: shown.dbname,
            host: shown.host,
            port: shown.port,
            counts: entry.read(),
        })
    }

    /// The partitions of a database.
    pub(crate) fn partitions_of(&self, database: u32) -> Result<Vec<Found>, Error> {
        self.of(Kind::Partition, database)
    }

    /// The functions of a database.
    pub(crate) fn functions_of(&self, database: u32) -> Result<Vec<Found>, Error> {
        self.of(Kind::Function, database)
    }

    /// Those of a database, some at a time: nobody else is to wait for long.
    fn of(&self, kind: Kind, database: u32) -> Result<Vec<Found>, Error> {
        let places = self.table(kind).entries.len();
        let each = size_of::<Found>() + NAME + NAME + HOST;
        let mut all = Vec::new();
        for first in (0..places).step_by(AT_ONCE) {
            // Nothing may fail while the lock is held.
            let _room = allocator::hold(each.saturating_mul(AT_ONCE).saturating_mul(2))?;
            room::reserve(&mut all, AT_ONCE)?;
            interrupts::check()?;
            let _lock = self.lock(false)?;
            let some = first..places.min(first + AT_ONCE);
            let own = |entry: &Entry| entry.database() == database;
            all.extend(some.filter_map(|place| self.found(kind, place, own)));
        }
        Ok(all)
    }

    /// How many entries are in use, of partitions and of functions.
    pub(crate) fn used(&self) -> (usize, usize) {
        let used = |kind| {
            let used = self.table(kind).used.load(Relaxed);
            usize::try_from(used).unwrap_or(usize::MAX)
        };
        (used(Kind::Partition), used(Kind::Function))
    }

    /// The databases that have entries.
    fn databases(&self) -> Vec<u32> {
        let mut databases = Vec::new();
        for entry in self.partitions.iter().chain(self.functions) {
            let database = entry.database();
            if entry.is_used() && !databases.contains(&database) {
                databases.push(database);
            }
        }
        databases
    }

    /// Gives up the entries of these databases.
    fn give_up(&self, databases: &[u32]) -> Result<(), Error> {
        let _lock = self.lock(true)?;
        for kind in [Kind::Partition, Kind::Function] {
            self.table(kind)
                .give_up(|database| databases.contains(&database));
        }
        self.header.untracked.store(0, Relaxed);
        self.header.set_ends([0; TransactionEnd::COUNT]);
        self.header.epoch.fetch_add(1, Release);
        Ok(())
    }
}

/// Forgets what was counted for a database, and for those that are gone.
pub(crate) fn reset(
    database: u32,
    is_there: impl Fn(u32) -> Result<bool, Error>,
) -> Result<(), Error> {
    let Some(memory) = current() else {
        return Ok(());
    };
    let mut gone = vec![database];
    for other in memory.databases() {
        if other != database && !is_there(other)? {
            gone.push(other);
        }
    }
    memory.give_up(&gone)
}

/// Counts the end of a transaction.
pub(crate) fn count_end(end: TransactionEnd) {
    if let Some(memory) = current() {
        memory.header.count_end(end);
    }
}

/// Counts a prepared transaction that the recovery has ended.
pub(crate) fn count_recovered() {
    count_end(TransactionEnd::Recovered);
}
