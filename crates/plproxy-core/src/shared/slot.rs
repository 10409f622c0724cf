//! What is known of one connection. Who has it writes, who has it next reads; views may look at any time.

use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::time::{SystemTime, UNIX_EPOCH};

use super::blob::Blob;
use super::key::Keys;
use super::statements::Statements;

/// A moment that does not come.
pub const NEVER: u64 = u64::MAX;

/// A slot without its [`Word`](super::Word), which lies apart.
#[repr(C, align(64))]
pub struct Slot {
    share: [AtomicU64; 2],
    kin: AtomicU64,
    /// The generation that is to be closed when it comes back, and a bit that says so.
    doomed: AtomicU64,
    /// How many of its kind there may be, as who used it last has it.
    pub most: AtomicU32,
    /// The process that has it, or had it last.
    pub holder: AtomicU32,
    /// A message went out in part: nothing that is sent now would be understood.
    pub in_message: AtomicU32,
    /// Who has it keeps it until a transaction ends.
    pub kept: AtomicU32,
    /// The local user and database of who made it.
    pub role: AtomicU32,
    /// How often it was taken.
    pub uses: AtomicU64,
    /// Microseconds since 1970: when its word changed last, when the connection was made.
    pub since: AtomicU64,
    /// See above.
    pub connected_at: AtomicU64,
    /// Microseconds on the clock that is never set: when the connection was made.
    pub opened: AtomicU64,
    /// The same: from when on it is to be closed, if nobody has it.
    pub due: AtomicU64,
    /// Where the connection leads, what stays as it is.
    pub place: Blob<160>,
    /// What users change.
    pub facts: Blob<40>,
    /// What is prepared.
    pub statements: Statements,
}

/// When something was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moments {
    /// Microseconds since 1970.
    pub since: u64,
    /// The same.
    pub connected_at: u64,
}

const DOOMED: u64 = 1 << 32;

impl Slot {
    /// All-zero bytes.
    pub(super) fn new() -> Slot {
        Slot {
            share: [AtomicU64::new(0), AtomicU64::new(0)],
            kin: AtomicU64::new(0),
            doomed: AtomicU64::new(0),
            most: AtomicU32::new(0),
            holder: AtomicU32::new(0),
            in_message: AtomicU32::new(0),
            kept: AtomicU32::new(0),
            role: AtomicU32::new(0),
            uses: AtomicU64::new(0),
            since: AtomicU64::new(0),
            connected_at: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            due: AtomicU64::new(0),
            place: Blob::new(),
            facts: Blob::new(),
            statements: Statements::new(),
        }
    }

    /// What the connection has in common with those that may use it.
    pub fn share(&self) -> u128 {
        let [high, low] = &self.share;
        u128::from(high.load(Relaxed)) << 64 | u128::from(low.load(Relaxed))
    }

    /// What it has in common with those of other passwords.
    pub(super) fn kin(&self) -> u64 {
        self.kin.load(Relaxed)
    }

    /// A connection is to be made.
    pub(super) fn begin(&self, keys: Keys, most: u32) {
        let [high, low] = &self.share;
        high.store((keys.share >> 64) as u64, Relaxed);
        low.store(keys.share as u64, Relaxed);
        self.kin.store(keys.kin, Relaxed);
        self.doomed.store(0, SeqCst);
        self.most.store(most, Relaxed);
        self.holder.store(0, Relaxed);
        self.in_message.store(0, Relaxed);
        self.kept.store(0, Relaxed);
        self.role.store(0, Relaxed);
        self.uses.store(0, Relaxed);
        self.connected_at.store(0, Relaxed);
        self.opened.store(0, Relaxed);
        self.due.store(NEVER, Relaxed);
        self.place.write(b"");
        self.facts.write(b"");
        self.statements.clear();
        self.changes();
    }

    /// It is to be closed when it comes back, if it is still the connection of that generation.
    pub(super) fn doom(&self, generation: u32) {
        self.doomed.store(DOOMED | u64::from(generation), SeqCst);
    }

    pub(super) fn is_doomed(&self, generation: u32) -> bool {
        self.doomed.load(SeqCst) == DOOMED | u64::from(generation)
    }

    /// Its word changes.
    pub(super) fn changes(&self) {
        self.since.store(now(), Relaxed);
    }

    /// When something was.
    pub fn moments(&self) -> Moments {
        Moments {
            since: self.since.load(Relaxed),
            connected_at: self.connected_at.load(Relaxed),
        }
    }
}

/// Microseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0))
}
