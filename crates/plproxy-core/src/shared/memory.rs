//! What lies in shared memory.

use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::time::Duration;

use super::key::Secret;
use super::slot::Slot;
use super::word::{State, Word};

/// What concerns all.
#[repr(C, align(64))]
pub struct Header {
    secret: [AtomicU64; 2],
    /// The keeper's process; zero without.
    pub keeper: AtomicU32,
    /// No slot from there on was ever used.
    pub(super) high: AtomicU32,
    /// Where the next place among the waiters is looked for.
    pub(super) hint: AtomicU32,
    /// When somebody who had connections gave up waiting for one more, in microseconds on the clock that is never set.
    gave_up: AtomicU64,
}

impl Header {
    /// For so long one who waits lets another, who has given up before, give back what he has.
    pub const MOMENT: Duration = Duration::from_millis(250);

    /// Whether somebody who has connections, and is to give up waiting for one more, should do so at once: not if another has
    /// just done so, who may have what he waits for. Two that wait for each other would both give up else.
    pub fn may_give_up(&self, now: u64) -> bool {
        let before = self.gave_up.load(SeqCst);
        let is_first = before == 0 || now.saturating_sub(before) >= Self::MOMENT.as_micros() as u64;
        is_first
            && self
                .gave_up
                .compare_exchange(before, now, SeqCst, SeqCst)
                .is_ok()
    }
}

/// Some of the kinds of connections: who waits for them, in order, and a lock.
#[repr(C, align(64))]
pub struct Stripe {
    pub(super) lock: AtomicU32,
    /// How many wait.
    pub(super) waiting: AtomicU32,
    /// The ends of the queue: numbers of waiters from 1 on, zero for none.
    pub(super) first: AtomicU32,
    pub(super) last: AtomicU32,
}

/// Somebody who waits for a connection.
#[repr(C, align(64))]
pub struct Waiter {
    pub(super) word: AtomicU32,
    pub(super) process: AtomicU32,
    pub(super) owner: AtomicU32,
    pub(super) by_signal: AtomicU32,
    pub(super) most: AtomicU32,
    pub(super) why: AtomicU32,
    pub(super) previous: AtomicU32,
    pub(super) next: AtomicU32,
    pub(super) limit: AtomicU64,
    pub(super) share: [AtomicU64; 2],
    pub(super) kin: AtomicU64,
    /// The slot and its generation.
    pub(super) grant: AtomicU64,
    pub(super) since: AtomicU64,
    pub(super) role: AtomicU32,
}

impl Waiter {
    pub(super) fn new() -> Waiter {
        let [
            word,
            process,
            owner,
            by_signal,
            most,
            why,
            previous,
            next,
            role,
        ] = std::array::from_fn(|_| AtomicU32::new(0));
        let [limit, high, low, kin, grant, since] = std::array::from_fn(|_| AtomicU64::new(0));
        Waiter {
            word,
            process,
            owner,
            by_signal,
            most,
            why,
            previous,
            next,
            limit,
            share: [high, low],
            kin,
            grant,
            since,
            role,
        }
    }

    /// What a waiting process may sleep on: it changes when there is something for it.
    pub fn word(&self) -> &AtomicU32 {
        &self.word
    }

    /// The process, if it has to be woken by a signal.
    pub fn signalled(&self) -> Option<u32> {
        (self.by_signal.load(SeqCst) != 0).then(|| self.process.load(SeqCst))
    }
}

/// How those are told who are to look. Neither may fail or wait.
#[derive(Clone, Copy)]
pub struct Wakers {
    /// There is something for a waiter.
    pub waiter: fn(&Waiter),
    /// There is something to be closed.
    pub keeper: fn(),
}

/// So many stripes there are.
pub(super) const STRIPES: usize = 256;

/// All of it, as one process sees it.
#[derive(Clone, Copy)]
pub struct Table {
    /// What concerns all.
    pub header: &'static Header,
    /// [`Table::STRIPES`] of them.
    pub stripes: &'static [Stripe],
    /// As many as there are slots.
    pub words: &'static [AtomicU64],
    /// The same: what each slot counts for; zero for nothing.
    pub limits: &'static [AtomicU64],
    /// The slots.
    pub slots: &'static [Slot],
    /// Those who may wait at once.
    pub waiters: &'static [Waiter],
    /// The processes that are known, by their numbers less 1.
    pub processes: &'static [AtomicU32],
    /// How to tell somebody.
    pub wakers: Wakers,
}

impl Table {
    /// So many stripes there are.
    pub const STRIPES: usize = STRIPES;

    /// A table in this process's own memory, which stays for ever.
    #[must_use]
    pub fn leaked(slots: usize, waiters: usize, processes: usize, wakers: Wakers) -> Table {
        fn leak<T>(count: usize, make: impl Fn() -> T) -> &'static [T] {
            Box::leak((0..count).map(|_| make()).collect())
        }
        let header = Header {
            secret: [AtomicU64::new(0), AtomicU64::new(0)],
            keeper: AtomicU32::new(0),
            high: AtomicU32::new(0),
            hint: AtomicU32::new(0),
            gave_up: AtomicU64::new(0),
        };
        let stripe = || Stripe {
            lock: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            first: AtomicU32::new(0),
            last: AtomicU32::new(0),
        };
        Table {
            header: Box::leak(Box::new(header)),
            stripes: leak(STRIPES, stripe),
            words: leak(slots, || AtomicU64::new(0)),
            limits: leak(slots, || AtomicU64::new(0)),
            slots: leak(slots, Slot::new),
            waiters: leak(waiters, Waiter::new),
            processes: leak(processes, || AtomicU32::new(0)),
            wakers,
        }
    }

    /// Sets the key of the hashes, before anybody uses it.
    pub fn set_secret(&self, Secret(secret): Secret) {
        let to = self.header.secret.iter();
        to.zip(secret)
            .for_each(|(to, from)| to.store(from, Relaxed));
    }

    /// The key of the hashes.
    #[must_use]
    pub fn secret(&self) -> Secret {
        let [first, second] = &self.header.secret;
        Secret([first.load(Relaxed), second.load(Relaxed)])
    }

    /// The slots that may be in use.
    pub fn numbers(&self) -> std::ops::Range<u32> {
        0..self.header.high.load(SeqCst)
    }

    /// A slot; none where there is none of that number.
    #[must_use]
    pub fn slot(&self, number: u32) -> Option<&'static Slot> {
        self.slots.get(number as usize)
    }

    /// What a slot is at the moment.
    #[must_use]
    pub fn word(&self, number: u32) -> Word {
        self.words.get(number as usize).map_or(
            Word {
                state: State::Closing,
                generation: 0,
                owner: 0,
            },
            |word| Word::unpack(word.load(SeqCst)),
        )
    }

    /// Changes a slot's word if it is that one.
    pub(super) fn change(&self, number: u32, from: Word, to: Word) -> bool {
        let Some(word) = self.words.get(number as usize) else {
            return false;
        };
        word.compare_exchange(from.pack(), to.pack(), SeqCst, SeqCst)
            .is_ok()
    }

    pub(super) fn limit_of(&self, number: u32) -> u64 {
        let limit = self.limits.get(number as usize);
        limit.map_or(0, |limit| limit.load(SeqCst))
    }

    pub(super) fn set_limit(&self, number: u32, limit: u64) {
        if let Some(slot) = self.limits.get(number as usize) {
            slot.store(limit, SeqCst);
        }
    }

    /// The stripe of a kind.
    pub(super) fn stripe(&self, limit: u64) -> Option<&'static Stripe> {
        self.stripes.get(limit as usize % STRIPES)
    }

    /// A number for this process, from 1 on; none if there are too many.
    #[must_use]
    pub fn enter(&self, process: u32) -> Option<u32> {
        let claim = |slot: &AtomicU32| slot.compare_exchange(0, process, SeqCst, SeqCst).is_ok();
        let at = self.processes.iter().position(claim)?;
        u32::try_from(at + 1).ok()
    }

    /// The process of a number.
    #[must_use]
    pub fn process(&self, owner: u32) -> u32 {
        let slot = self.processes.get((owner as usize).wrapping_sub(1));
        slot.map_or(0, |slot| slot.load(SeqCst))
    }
}
