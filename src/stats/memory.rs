//! The tables: of partitions and of functions, each with a fixed number of entries.
//!
//! An entry is found by a hash of its name and stays where it is until it is given up by a reset. Each reset begins
//! another epoch; who remembers an entry of an earlier one looks again. Where there is no room, new ones are not counted,
//! but for how many calls that were: to drive others out would make each call of each session look again.
#![forbid(unsafe_code)]

use super::entry::{Counts, Entry};
use super::place::Name;
use crate::error::Error;
use crate::gucs;
use crate::pg::allocator;
use crate::pg::shmem::{self, Locked};
use core::cell::OnceCell;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

/// Never used.
const EMPTY: u32 = 0;
const USED: u32 = 1;
/// Used once: what is looked for may lie beyond.
const FREED: u32 = 2;

/// Lengths of names; longer ones are cut.
const NAME: usize = 64;
const HOST: usize = 256;

/// What concerns both tables.
#[repr(C, align(64))]
pub(crate) struct Header {
    epoch: AtomicU64,
    _apart: [AtomicU64; 7],
    /// Entries in use, of partitions and of functions.
    used: [AtomicU64; 2],
    /// Calls that were not counted for want of room.
    untracked: AtomicU64,
}

impl Header {
    /// Another one after each reset.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Acquire)
    }

    pub(super) fn count_untracked(&self) {
        self.untracked.fetch_add(1, Relaxed);
    }
}

/// What is shown of a partition besides its number.
#[repr(C)]
pub(crate) struct Label {
    cluster: [AtomicU8; NAME],
    dbname: [AtomicU8; NAME],
    host: [AtomicU8; HOST],
    port: AtomicU32,
}

/// The tables of all sessions, or of this one.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) header: &'static Header,
    pub(crate) partitions: &'static [Entry],
    /// Of the partitions, in the same order.
    pub(crate) labels: &'static [Label],
    pub(crate) functions: &'static [Entry],
    pub(crate) is_shared: bool,
}

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

impl Memory {
    /// Calls that were not counted for want of room.
    pub(crate) fn untracked(&self) -> u64 {
        self.header.untracked.load(Relaxed)
    }

    fn entries(&self, kind: Kind) -> &'static [Entry] {
        match kind {
            Kind::Partition => self.partitions,
            Kind::Function => self.functions,
        }
    }

    fn used_of(&self, kind: Kind) -> &'static AtomicU64 {
        let [partitions, functions] = &self.header.used;
        match kind {
            Kind::Partition => partitions,
            Kind::Function => functions,
        }
    }

    fn is_full(&self, kind: Kind) -> bool {
        self.used_of(kind).load(Relaxed) >= self.entries(kind).len() as u64
    }

    fn lock(&self, exclusive: bool) -> Result<Option<Locked>, Error> {
        if !self.is_shared {
            return Ok(None);
        }
        Locked::take(exclusive).map(Some)
    }

    /// The entry of that name, made if there is none and room for it.
    pub(super) fn entry(
        &self,
        kind: Kind,
        name: &Name<'_>,
    ) -> Result<(u64, Option<&'static Entry>), Error> {
        {
            let _lock = self.lock(false)?;
            if let Some(entry) = self.find(kind, name) {
                return Ok((self.header.epoch(), Some(entry)));
            }
            if self.is_full(kind) {
                return Ok((self.header.epoch(), None));
            }
        }
        let _lock = self.lock(true)?;
        Ok((self.header.epoch(), self.find_or_make(kind, name)))
    }

    /// Where a name is looked for, from its own place on.
    fn places(&self, kind: Kind, hash: u64) -> impl Iterator<Item = usize> {
        let room = self.entries(kind).len();
        let first = usize::try_from(hash % (room.max(1) as u64)).unwrap_or(0);
        (first..room).chain(0..first)
    }

    fn find(&self, kind: Kind, name: &Name<'_>) -> Option<&'static Entry> {
        let entries = self.entries(kind);
        self.places(kind, name.hash)
            .filter_map(|place| entries.get(place))
            .take_while(|entry| entry.state.load(Relaxed) != EMPTY)
            .find(|entry| entry.is(name))
    }

    /// To be called with the lock, or where nobody else is.
    fn find_or_make(&self, kind: Kind, name: &Name<'_>) -> Option<&'static Entry> {
        if let Some(entry) = self.find(kind, name) {
            return Some(entry);
        }
        let entries = self.entries(kind);
        let place = self.places(kind, name.hash).find(|place| {
            let entry = entries.get(*place);
            entry.is_some_and(|entry| entry.state.load(Relaxed) != USED)
        })?;
        let entry = entries.get(place)?;
        entry.database.store(name.database, Relaxed);
        entry.number.store(name.number, Relaxed);
        entry.hash.store(name.hash, Relaxed);
        if let (Kind::Partition, Some(label)) = (kind, self.labels.get(place)) {
            label.write(name);
        }
        entry.write(&Counts::none());
        entry.state.store(USED, Release);
        self.used_of(kind).fetch_add(1, Relaxed);
        Some(entry)
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
        // What a file says may be anything.
        if saved.counts.is_sound()
            && let Some(entry) = self.find_or_make(kind, &name)
        {
            entry.write(&saved.counts);
        }
    }

    pub(super) fn restore_untracked(&self, calls: u64) {
        self.header.untracked.store(calls, Relaxed);
    }

    /// All entries of a kind, for those who hold the lock or are alone.
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = Found> {
        self.those(kind, |_| true)
    }

    /// Those of them that are wanted.
    fn those(&self, kind: Kind, wanted: impl Fn(&Entry) -> bool) -> impl Iterator<Item = Found> {
        let labels = match kind {
            Kind::Partition => self.labels,
            Kind::Function => &[],
        };
        let entries = self.entries(kind).iter().enumerate();
        entries
            .filter(move |(_, entry)| entry.state.load(Acquire) == USED && wanted(entry))
            .map(|(place, entry)| {
                let label = labels.get(place);
                let text = |part: fn(&Label) -> &[AtomicU8]| {
                    label.map_or(String::new(), |l| read(part(l)))
                };
                Found {
                    database: entry.database.load(Relaxed),
                    number: entry.number.load(Relaxed),
                    hash: entry.hash.load(Relaxed),
                    cluster: text(|label| &label.cluster),
                    dbname: text(|label| &label.dbname),
                    host: text(|label| &label.host),
                    port: label.map_or(0, |label| label.port.load(Relaxed)),
                    counts: entry.read(),
                }
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

    fn of(&self, kind: Kind, database: u32) -> Result<Vec<Found>, Error> {
        // Nothing may fail while the lock is held.
        let used = usize::try_from(self.used_of(kind).load(Relaxed)).unwrap_or(usize::MAX);
        let each = size_of::<Found>() + NAME + NAME + HOST;
        let _room = allocator::hold(used.saturating_mul(each).saturating_mul(2))?;
        let _lock = self.lock(false)?;
        let own = |entry: &Entry| entry.database.load(Relaxed) == database;
        Ok(self.those(kind, own).collect())
    }

    /// How many entries are in use, of partitions and of functions.
    pub(crate) fn used(&self) -> (usize, usize) {
        let used = |kind| usize::try_from(self.used_of(kind).load(Relaxed)).unwrap_or(usize::MAX);
        (used(Kind::Partition), used(Kind::Function))
    }

    /// The databases that have entries.
    fn databases(&self) -> Result<Vec<u32>, Error> {
        let _lock = self.lock(false)?;
        let entries = self.partitions.iter().chain(self.functions);
        let mut databases: Vec<u32> = entries
            .filter(|entry| entry.state.load(Relaxed) == USED)
            .map(|entry| entry.database.load(Relaxed))
            .collect();
        databases.sort_unstable();
        databases.dedup();
        Ok(databases)
    }

    /// Gives up the entries of these databases.
    fn give_up(&self, databases: &[u32]) -> Result<(), Error> {
        let _lock = self.lock(true)?;
        for kind in [Kind::Partition, Kind::Function] {
            let entries = self.entries(kind);
            let mut left = 0;
            for entry in entries {
                if entry.state.load(Relaxed) != USED {
                    continue;
                }
                if databases.contains(&entry.database.load(Relaxed)) {
                    entry.state.store(FREED, Relaxed);
                } else {
                    left += 1;
                }
            }
            self.used_of(kind).store(left, Relaxed);
            if left == 0 {
                let states = entries.iter().map(|entry| &entry.state);
                states.for_each(|state| state.store(EMPTY, Relaxed));
            }
        }
        self.header.untracked.store(0, Relaxed);
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
    for other in memory.databases()? {
        if other != database && !is_there(other)? {
            gone.push(other);
        }
    }
    memory.give_up(&gone)
}

impl Entry {
    fn is(&self, name: &Name<'_>) -> bool {
        self.state.load(Relaxed) == USED
            && self.hash.load(Relaxed) == name.hash
            && self.database.load(Relaxed) == name.database
            && self.number.load(Relaxed) == name.number
    }
}

impl Label {
    fn write(&self, name: &Name<'_>) {
        write(&self.cluster, name.cluster);
        write(&self.dbname, name.dbname);
        write(&self.host, name.host);
        self.port.store(name.port, Relaxed);
    }
}

/// Writes a name, cut where it is too long, but not in the middle of a character.
fn write(to: &[AtomicU8], name: &str) {
    let mut end = name.len().min(to.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = name.as_bytes().iter().take(end);
    let filled = bytes.copied().chain(core::iter::repeat(0));
    to.iter()
        .zip(filled)
        .for_each(|(slot, byte)| slot.store(byte, Relaxed));
}

fn read(from: &[AtomicU8]) -> String {
    let bytes: Vec<u8> = from
        .iter()
        .map(|slot| slot.load(Relaxed))
        .take_while(|byte| *byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
