//! A waiter by itself: what it wants, and what becomes of it.

use std::sync::atomic::Ordering::SeqCst;

use super::key::Keys;
use super::memory::Waiter;
use super::slot::now;
use super::table::Held;

/// Who wants what.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// What kind of connection.
    pub keys: Keys,
    /// How many of the kind there may be.
    pub most: u32,
    /// For whom.
    pub owner: u32,
    /// The local user, for a view.
    pub role: u32,
    /// It is to be woken by a signal.
    pub by_signal: bool,
}

/// What a waiter's word may be.
pub(super) const FREE: u32 = 0;
pub(super) const CLAIMED: u32 = 1;
pub(super) const WAITING: u32 = 2;
pub(super) const CONNECT: u32 = 3;
pub(super) const USE: u32 = 4;
pub(super) const LEFT: u32 = 5;

/// How long ago that was, in microseconds.
pub(super) fn age(since: u64) -> u64 {
    now().saturating_sub(since)
}

impl Waiter {
    pub(super) fn begin(&self, wanted: &Wanted, process: u32) {
        let [high, low] = &self.share;
        high.store((wanted.keys.share >> 64) as u64, SeqCst);
        low.store(wanted.keys.share as u64, SeqCst);
        self.limit.store(wanted.keys.limit, SeqCst);
        self.kin.store(wanted.keys.kin, SeqCst);
        self.most.store(wanted.most, SeqCst);
        self.process.store(process, SeqCst);
        self.role.store(wanted.role, SeqCst);
        self.by_signal.store(u32::from(wanted.by_signal), SeqCst);
        self.why.store(0, SeqCst);
        self.since.store(now(), SeqCst);
        self.owner.store(wanted.owner, SeqCst);
    }

    pub(super) fn wanted(&self) -> Wanted {
        let [high, low] = &self.share;
        Wanted {
            keys: Keys {
                limit: self.limit.load(SeqCst),
                share: u128::from(high.load(SeqCst)) << 64 | u128::from(low.load(SeqCst)),
                kin: self.kin.load(SeqCst),
            },
            most: self.most.load(SeqCst),
            owner: self.owner.load(SeqCst),
            role: self.role.load(SeqCst),
            by_signal: false,
        }
    }

    /// For how long he has waited, in microseconds.
    pub(super) fn waited(&self) -> u64 {
        age(self.since.load(SeqCst))
    }

    pub(super) fn grant(&self) -> Option<Held> {
        let grant = self.grant.load(SeqCst);
        Some(Held {
            slot: (grant >> 32) as u32,
            generation: grant as u32,
            owner: self.owner.load(SeqCst),
        })
    }

    pub(super) fn becomes(&self, from: u32, to: u32) -> bool {
        self.word.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
    }

    pub(super) fn frees(&self) {
        self.owner.store(0, SeqCst);
        self.by_signal.store(0, SeqCst);
        self.word.store(FREE, SeqCst);
    }

    /// While the word is this, the waiter waits.
    #[must_use]
    pub fn waits() -> u32 {
        WAITING
    }
}
