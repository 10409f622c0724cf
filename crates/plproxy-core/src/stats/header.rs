//! What lies in the memory beside the entries.

use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

/// Bytes of a cluster's and of a database's name; longer ones are cut.
pub const NAME: usize = 64;
/// Bytes of a host's name; longer ones are cut.
pub const HOST: usize = 256;

/// What concerns both tables.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Header {
    /// Another one after each reset.
    pub epoch: AtomicU64,
    _apart: [AtomicU64; 7],
    /// Entries in use, of partitions and of functions.
    pub used: [AtomicU64; 2],
    /// Calls that were not counted for want of room, or whose entry has given way since.
    pub untracked: AtomicU64,
    /// Where the last entry gave way, of partitions and of functions.
    pub hands: [AtomicU64; 2],
    /// Ends of transactions over calls, by [`TransactionEnd`].
    ends: [AtomicU64; TransactionEnd::COUNT],
}

/// How a transaction over calls, or what a session had prepared, has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionEnd {
    /// Committed without anything being prepared.
    OnePhase,
    /// Committed after at least one partition had prepared.
    TwoPhase,
    /// Rolled back.
    RolledBack,
    /// Ended by the recovery: a prepared transaction of one partition.
    Recovered,
}

impl TransactionEnd {
    /// How many there are.
    pub const COUNT: usize = 4;
}

impl Header {
    /// Another one after each reset.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Acquire)
    }

    /// Counts calls that could not be counted otherwise.
    pub fn count_untracked(&self, calls: u64) {
        self.untracked.fetch_add(calls, Relaxed);
    }

    /// Counts the end of a transaction.
    pub fn count_end(&self, end: TransactionEnd) {
        if let Some(count) = self.ends.get(end as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// The ends of transactions, in the order of [`TransactionEnd`].
    pub fn ends(&self) -> [u64; TransactionEnd::COUNT] {
        std::array::from_fn(|end| self.ends.get(end).map_or(0, |count| count.load(Relaxed)))
    }

    /// Sets them, as they were before a restart or to nothing.
    pub fn set_ends(&self, ends: [u64; TransactionEnd::COUNT]) {
        for (count, number) in self.ends.iter().zip(ends) {
            count.store(number, Relaxed);
        }
    }
}

/// What is shown of a partition besides its number.
#[repr(C)]
#[derive(Debug)]
pub struct Label {
    cluster: [AtomicU8; NAME],
    dbname: [AtomicU8; NAME],
    host: [AtomicU8; HOST],
    port: AtomicU32,
}

/// The same as texts.
#[derive(Debug, Default)]
pub struct Shown {
    /// The cluster's name.
    pub cluster: String,
    /// The database's name.
    pub dbname: String,
    /// The host, or empty.
    pub host: String,
    /// The port; 0 where there is none to show.
    pub port: u32,
}

impl Label {
    /// Writes all of it.
    pub fn write(&self, cluster: &str, dbname: &str, host: &str, port: u32) {
        write(&self.cluster, cluster);
        write(&self.dbname, dbname);
        write(&self.host, host);
        self.port.store(port, Relaxed);
    }

    /// Reads all of it.
    pub fn read(&self) -> Shown {
        Shown {
            cluster: read(&self.cluster),
            dbname: read(&self.dbname),
            host: read(&self.host),
            port: self.port.load(Relaxed),
        }
    }
}

/// Writes a name, cut where it is too long, but not in the middle of a character.
fn write(to: &[AtomicU8], name: &str) {
    let mut end = name.len().min(to.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = name.as_bytes().iter().take(end);
    let filled = bytes.copied().chain(std::iter::repeat(0));
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
