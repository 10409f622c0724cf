//! Taking connections, giving them back, and closing them.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::key::Keys;
use super::memory::Table;
use super::slot::{Slot, now};
use super::word::{State, Word};

/// A slot that somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its number.
    pub slot: u32,
    /// Which of its connections.
    pub generation: u32,
    /// Who has it.
    pub owner: u32,
}

impl Held {
    pub(super) fn word(self, state: State) -> Word {
        Word {
            state,
            generation: self.generation,
            owner: self.owner,
        }
    }
}

/// A slot as a view sees it.
pub struct Found {
    /// Its number.
    pub slot: u32,
    /// What it is.
    pub word: Word,
    /// What it counts for.
    pub limit: u64,
    /// The rest.
    pub facts: &'static Slot,
}

impl Table {
    /// Takes a connection that nobody has, if nobody waits for one of its kind: one of those that the caller knows best, else
    /// any.
    pub fn lease(
        &self,
        keys: Keys,
        owner: u32,
        known: impl Iterator<Item = (u32, u32)>,
    ) -> Option<Held> {
        if self.stripe(keys.limit)?.waiting.load(SeqCst) > 0 {
            return None;
        }
        for (slot, generation) in known {
            if let Some(held) = self.take(slot, self.word(slot), Some(generation), keys, owner) {
                return Some(held);
            }
        }
        self.numbers()
            .filter(|slot| self.limit_of(*slot) == keys.limit)
            .find_map(|slot| self.take(slot, self.word(slot), None, keys, owner))
    }

    /// Takes a slot that was just seen so, if it has a connection of that kind and nobody has it.
    pub(super) fn take(
        &self,
        slot: u32,
        seen: Word,
        generation: Option<u32>,
        keys: Keys,
        owner: u32,
    ) -> Option<Held> {
        let facts = self.slot(slot)?;
        // What is read of a slot before the word is changed is of the word's generation.
        let fits = seen.state == State::Idle
            && generation.is_none_or(|generation| generation == seen.generation)
            && facts.share() == keys.share
            && !facts.is_doomed(seen.generation);
        let held = Held {
            slot,
            generation: seen.generation,
            owner,
        };
        if !fits || !self.change(slot, seen, held.word(State::InUse)) {
            return None;
        }
        self.is_taken(held);
        Some(held)
    }

    pub(super) fn is_taken(&self, held: Held) {
        if let Some(facts) = self.slot(held.slot) {
            facts.holder.store(self.process(held.owner), Relaxed);
            facts.kept.store(0, Relaxed);
            facts.uses.fetch_add(1, Relaxed);
            facts.changes();
        }
    }

    /// Whether it is still whose it was.
    #[must_use]
    pub fn has(&self, held: Held) -> bool {
        let word = self.word(held.slot);
        word == held.word(State::InUse) || word == held.word(State::Connecting)
    }

    /// The connection is made, and the keeper has it, too.
    pub fn connected(&self, held: Held) -> bool {
        let made = self.change(
            held.slot,
            held.word(State::Connecting),
            held.word(State::InUse),
        );
        if made {
            self.is_taken(held);
            if let Some(facts) = self.slot(held.slot) {
                facts.connected_at.store(now(), Relaxed);
            }
        }
        made
    }

    /// Gives a connection back that others can use; `most` is how many there may be. Says whether it stays open.
    pub fn give_back(&self, held: Held, most: u32) -> bool {
        let Some(facts) = self.slot(held.slot) else {
            return false;
        };
        let limit = self.limit_of(held.slot);
        let surplus = most < facts.most.swap(most, Relaxed) && self.count(limit) > most;
        if surplus || facts.is_doomed(held.generation) {
            // The next ones are to look as well.
            facts.most.store(u32::MAX, Relaxed);
            self.close(held);
            return false;
        }
        facts.changes();
        let idle = Word {
            state: State::Idle,
            generation: held.generation,
            owner: 0,
        };
        if !self.change(held.slot, held.word(State::InUse), idle) {
            return false;
        }
        if facts.is_doomed(held.generation) {
            self.close_idle(held.slot, idle);
        }
        self.serve(limit);
        true
    }

    /// Gives a connection back that nobody can use. Its slot is free when its server process is gone.
    pub fn close(&self, held: Held) {
        let closing = Word {
            state: State::Closing,
            generation: held.generation,
            owner: 0,
        };
        for state in [State::InUse, State::Connecting] {
            if self.change(held.slot, held.word(state), closing) {
                if let Some(facts) = self.slot(held.slot) {
                    facts.changes();
                }
                (self.wakers.keeper)();
            }
        }
    }

    /// Closes a connection that was just seen to be nobody's. False if it is somebody's by now.
    pub fn close_idle(&self, slot: u32, seen: Word) -> bool {
        let closing = Word {
            state: State::Closing,
            ..seen
        };
        let closes = seen.state == State::Idle && self.change(slot, seen, closing);
        if closes {
            if let Some(facts) = self.slot(slot) {
                facts.changes();
            }
            (self.wakers.keeper)();
        }
        closes
    }

    /// No connection came of it, and no server process is there.
    pub fn abandon(&self, held: Held) {
        self.frees(held.slot, held.word(State::Connecting));
    }

    /// The connection is closed, and its server process is gone.
    pub fn free(&self, slot: u32, generation: u32) {
        let closing = Word {
            state: State::Closing,
            generation,
            owner: 0,
        };
        self.frees(slot, closing);
    }

    fn frees(&self, slot: u32, from: Word) {
        if self.word(slot) != from {
            return;
        }
        let limit = self.limit_of(slot);
        // Before it is somebody else's.
        self.set_limit(slot, 0);
        let free = Word {
            state: State::Free,
            generation: from.generation,
            owner: 0,
        };
        if self.change(slot, from, free) {
            self.serve(limit);
        }
    }

    /// Closes the connections that `which` picks; those in use when they come back. Says whether there were any.
    pub fn retire(&self, which: impl Fn(&Slot) -> bool) -> bool {
        let mut any = false;
        for slot in self.numbers() {
            let (word, Some(facts)) = (self.word(slot), self.slot(slot)) else {
                continue;
            };
            if matches!(word.state, State::Free | State::Closing) || !which(facts) {
                continue;
            }
            any = true;
            facts.doom(word.generation);
            // It may have come back meanwhile.
            let word = self.word(slot);
            if facts.is_doomed(word.generation) {
                self.close_idle(slot, word);
            }
        }
        any
    }

    /// Closes what was made with another password than these.
    pub fn supersede(&self, keys: Keys) {
        self.retire(|slot| slot.kin() == keys.kin && slot.share() != keys.share);
    }

    /// How many of a kind there are.
    #[must_use]
    pub fn count(&self, limit: u64) -> u32 {
        let used =
            |slot: &u32| self.limit_of(*slot) == limit && self.word(*slot).state != State::Free;
        self.numbers().filter(used).count() as u32
    }

    /// Whether all that there may be of a kind are kept by one process until a transaction ends: it would wait for itself.
    #[must_use]
    pub fn are_kept_by(&self, owner: u32, limit: u64, most: u32) -> bool {
        let mut count = 0;
        for slot in self.numbers().filter(|slot| self.limit_of(*slot) == limit) {
            let word = self.word(slot);
            let is_kept = |facts: &Slot| facts.kept.load(Relaxed) > 0;
            match word.state {
                State::Free => {}
                State::InUse if word.owner == owner && self.slot(slot).is_some_and(is_kept) => {
                    count += 1;
                }
                State::Connecting | State::Idle | State::InUse | State::Closing => return false,
            }
        }
        count >= most
    }

    /// All that are not free.
    pub fn found(&self) -> impl Iterator<Item = Found> + '_ {
        self.numbers().filter_map(|slot| {
            let word = self.word(slot);
            let limit = self.limit_of(slot);
            let facts = self.slot(slot)?;
            (word.state != State::Free).then_some(Found {
                slot,
                word,
                limit,
                facts,
            })
        })
    }

    /// A process ends, whatever it had in its hands: nothing of that can be used again.
    pub fn leave(&self, owner: u32) {
        for (number, waiter) in self.waiters.iter().enumerate() {
            if waiter.owner.load(SeqCst) == owner
                && let Ok(number) = u32::try_from(number)
            {
                self.stop_waiting(number, owner);
            }
        }
        for slot in self.numbers() {
            let word = self.word(slot);
            if word.owner == owner && matches!(word.state, State::InUse | State::Connecting) {
                self.close(Held {
                    slot,
                    generation: word.generation,
                    owner,
                });
            }
        }
        if let Some(process) = self.processes.get((owner as usize).wrapping_sub(1)) {
            process.store(0, SeqCst);
        }
    }
}
