//! Waiting for a connection: first come, first served.
//!
//! A waiter stands in the queue of a stripe. Whoever gives something back, or has left the queue, serves those that can be
//! served: the first of each kind gets the connection, or the right to make one, before anybody else can. All that goes under
//! the stripe's lock. To leave takes no lock: a waiter's own word says whether it waits, was served, or has left, and who has
//! been served meanwhile gives back what he got.

use std::sync::atomic::Ordering::SeqCst;

use smallvec::SmallVec;

use super::key::Keys;
use super::lock::Locked;
use super::memory::{Stripe, Table, Waiter};
use super::slot::Slot;
use super::table::Held;
use super::waiter::{CLAIMED, CONNECT, FREE, LEFT, USE, WAITING, Wanted, age};
use super::word::{State, Word};

/// For so many microseconds a connection that is there is kept for others who can use it, before it is closed for one who cannot.
const PATIENCE: u64 = 100_000;

/// For so many microseconds a connection is at rest before it makes room for one of another share that has as many: what is in use now
/// and then is not to be made anew each time.
const RESTED: u64 = 500_000;

/// Why there is nothing for somebody.
enum NotNow {
    /// There are as many as there may be, and others have them.
    Limit,
    /// Some are at rest that he cannot use. One is being closed already, or none is.
    Others { closes: bool },
    /// There is no free slot.
    Slots,
}

/// What somebody got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// A connection.
    Use(Held),
    /// The right to make one.
    Connect(Held),
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// He has it.
    Granted(Grant),
    /// He waits, under that number.
    Waits(u32),
}

/// Why somebody has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There are as many as there may be, and others have them.
    Limit,
    /// There is no free slot.
    Slots,
    /// There is no room for another waiter, or the lock could not be had: he is to come again.
    Again,
}

impl Table {
    /// Gets a connection, or the right to make one, or a place in the queue.
    pub fn want(&self, wanted: &Wanted) -> Result<Place, Why> {
        let stripe = self.stripe(wanted.keys.limit).ok_or(Why::Again)?;
        let (place, served) = {
            let locked = Locked::take(stripe).ok_or(Why::Again)?;
            if self.first(&locked, wanted.keys.limit, None).is_none()
                && let Ok(grant) = self.find(wanted)
            {
                return Ok(Place::Granted(grant));
            }
            let number = self.claim().ok_or(Why::Again)?;
            let waiter = self.waiter(number).ok_or(Why::Again)?;
            waiter.begin(wanted, self.process(wanted.owner));
            self.push(&locked, number);
            // What was given back since it was looked for, was given back to nobody.
            (
                Place::Waits(number),
                self.dispatch(&locked, wanted.keys.limit),
            )
        };
        self.wake(&served);
        Ok(place)
    }

    /// What a waiter got, if anything. It waits no more then.
    pub fn look(&self, number: u32) -> Option<Grant> {
        let waiter = self.waiter(number)?;
        let word = waiter.word.load(SeqCst);
        let grant = waiter.grant()?;
        let grant = match word {
            USE => Grant::Use(grant),
            CONNECT => Grant::Connect(grant),
            _ => return None,
        };
        waiter.frees();
        Some(grant)
    }

    /// Why a waiter waits.
    #[must_use]
    pub fn why(&self, number: u32) -> Why {
        let why = self.waiter(number).map(|waiter| waiter.why.load(SeqCst));
        if why == Some(1) {
            Why::Slots
        } else {
            Why::Limit
        }
    }

    /// Whether a waiter still waits.
    #[must_use]
    pub fn waits(&self, number: u32) -> bool {
        let waiter = self.waiter(number);
        waiter.is_some_and(|waiter| waiter.word.load(SeqCst) == WAITING)
    }

    /// From now on a waiter is woken by a signal.
    pub fn set_by_signal(&self, number: u32) {
        if let Some(waiter) = self.waiter(number) {
            waiter.by_signal.store(1, SeqCst);
        }
    }

    /// The queue goes on, if it can. A waiter does so now and then, in case that nobody else did.
    pub fn nudge(&self, number: u32) {
        if let Some(waiter) = self.waiter(number) {
            self.serve(waiter.limit.load(SeqCst));
        }
    }

    /// A waiter wants nothing any more. What it got meanwhile goes to the next.
    pub fn stop_waiting(&self, number: u32, owner: u32) {
        let Some(waiter) = self.waiter(number) else {
            return;
        };
        if waiter.owner.load(SeqCst) != owner {
            return;
        }
        let limit = waiter.limit.load(SeqCst);
        if waiter.becomes(WAITING, LEFT) {
            // Who serves next takes it out of the queue; it may have stood in somebody's way.
            return self.serve(limit);
        }
        match self.look(number) {
            Some(Grant::Use(held)) => {
                let most = self.slot(held.slot).map(|slot| slot.most.load(SeqCst));
                self.give_back(held, most.unwrap_or(0));
            }
            Some(Grant::Connect(held)) => self.abandon(held),
            None => {}
        }
    }

    /// Those who wait for connections: of which kind, which process, since when, which user.
    pub fn waiting(&self) -> impl Iterator<Item = (u64, u32, u64, u32)> + '_ {
        let waits = |waiter: &&Waiter| waiter.word.load(SeqCst) == WAITING;
        self.waiters.iter().filter(waits).map(|waiter| {
            (
                waiter.limit.load(SeqCst),
                waiter.process.load(SeqCst),
                waiter.since.load(SeqCst),
                waiter.role.load(SeqCst),
            )
        })
    }

    /// Serves those who wait for connections of a kind.
    pub fn serve(&self, limit: u64) {
        let Some(stripe) = self.stripe(limit) else {
            return;
        };
        if stripe.waiting.load(SeqCst) == 0 {
            return;
        }
        // Without the lock the waiters see for themselves.
        let served = Locked::take(stripe).map(|locked| self.dispatch(&locked, limit));
        self.wake(&served.unwrap_or_default());
    }

    fn wake(&self, served: &[u32]) {
        for waiter in served.iter().filter_map(|number| self.waiter(*number)) {
            (self.wakers.waiter)(waiter);
        }
    }

    fn waiter(&self, number: u32) -> Option<&'static Waiter> {
        self.waiters.get(number as usize)
    }

    /// Serves the first ones of a kind, as long as there is something for them.
    fn dispatch(&self, locked: &Locked, limit: u64) -> SmallVec<[u32; 4]> {
        let mut served = SmallVec::new();
        while let Some((number, waiter)) = self.first(locked, limit, None) {
            let why = match self.find(&waiter.wanted()) {
                Ok(grant) => {
                    served.extend(self.hand_over(locked, number, waiter, grant));
                    continue;
                }
                Err(NotNow::Slots) => Why::Slots,
                Err(NotNow::Limit) => Why::Limit,
                Err(NotNow::Others { closes }) => {
                    // To make a connection takes longer than most statements: those who can use one that is there may go first,
                    // for a while, and until there is room for another.
                    let Wanted { keys, .. } = waiter.wanted();
                    let victim = self.victim(keys).filter(|(_, _, since)| {
                        !closes && (waiter.waited() >= PATIENCE || age(*since) >= PATIENCE)
                    });
                    if let Some((slot, word, _)) = victim {
                        self.close_idle(slot, word);
                    } else if let Some((number, other, held)) = self.first_of_others(locked, limit)
                    {
                        served.extend(self.hand_over(locked, number, other, Grant::Use(held)));
                        continue;
                    }
                    Why::Limit
                }
            };
            let why = if why == Why::Slots { 1 } else { 0 };
            waiter.why.store(why, SeqCst);
            break;
        }
        served
    }

    /// A waiter gets something, unless he has left meanwhile.
    fn hand_over(
        &self,
        locked: &Locked,
        number: u32,
        waiter: &Waiter,
        grant: Grant,
    ) -> Option<u32> {
        let (held, word) = match grant {
            Grant::Use(held) => (held, USE),
            Grant::Connect(held) => (held, CONNECT),
        };
        let packed = u64::from(held.slot) << 32 | u64::from(held.generation);
        waiter.grant.store(packed, SeqCst);
        self.remove(locked, number);
        if waiter.becomes(WAITING, word) {
            return Some(number);
        }
        waiter.frees();
        self.undo(grant);
        None
    }

    /// The first waiter who can use a connection of the kind that is at rest, with that connection.
    fn first_of_others(&self, locked: &Locked, limit: u64) -> Option<(u32, &'static Waiter, Held)> {
        self.of_kind(limit).find_map(|(slot, word, facts)| {
            let (number, waiter) = self.first(locked, limit, Some(facts.share()))?;
            let Wanted { keys, owner, .. } = waiter.wanted();
            let held = self.take(slot, word, None, keys, owner)?;
            Some((number, waiter, held))
        })
    }

    /// A connection that is to make room, if nobody uses it at the moment, and since when it rests: one of those who have two
    /// more than there are of this share, or whichever it is where there is none of this share, or one that nobody has wanted for a while.
    fn victim(&self, keys: Keys) -> Option<(u32, Word, u64)> {
        let count = |share: u128| {
            let all = self.of_kind(keys.limit);
            all.filter(|(_, _, facts)| facts.share() == share).count()
        };
        let own = count(keys.share);
        let idle = self.of_kind(keys.limit).filter(|(_, word, facts)| {
            word.state == State::Idle
                && facts.share() != keys.share
                && (own == 0
                    || count(facts.share()) > own + 1
                    || age(facts.moments().since) >= RESTED)
        });
        idle.map(|(slot, word, facts)| (slot, word, facts.moments().since))
            .min_by_key(|(_, _, since)| *since)
    }

    /// The connections of a kind.
    fn of_kind(&self, limit: u64) -> impl Iterator<Item = (u32, Word, &'static Slot)> + '_ {
        self.numbers()
            .filter(move |slot| self.limit_of(*slot) == limit)
            .filter_map(|slot| {
                let word = self.word(slot);
                (word.state != State::Free).then_some((slot, word, self.slot(slot)?))
            })
    }

    /// Nobody has got it. Under the lock: whoever waits is served next.
    fn undo(&self, grant: Grant) {
        let (held, from, state) = match grant {
            Grant::Use(held) => (held, State::InUse, State::Idle),
            Grant::Connect(held) => (held, State::Connecting, State::Free),
        };
        if state == State::Free {
            self.set_limit(held.slot, 0);
        }
        let to = Word {
            state,
            generation: held.generation,
            owner: 0,
        };
        self.change(held.slot, held.word(from), to);
    }

    /// A connection of the kind that nobody has, or a free slot for one. Under the lock.
    fn find(&self, wanted: &Wanted) -> Result<Grant, NotNow> {
        let Wanted {
            keys, most, owner, ..
        } = *wanted;
        let (mut used, mut others, mut closes) = (0, false, false);
        for slot in self.numbers() {
            if self.limit_of(slot) != keys.limit {
                continue;
            }
            let word = self.word(slot);
            if let Some(held) = self.take(slot, word, None, keys, owner) {
                return Ok(Grant::Use(held));
            }
            used += u32::from(word.state != State::Free);
            closes |= word.state == State::Closing;
            others |= word.state == State::Idle;
        }
        if used >= most {
            return Err(if others {
                NotNow::Others { closes }
            } else {
                NotNow::Limit
            });
        }
        let free = (0..).zip(self.words).find_map(|(slot, _)| {
            let word = self.word(slot);
            let held = Held {
                slot,
                generation: word.generation.wrapping_add(1),
                owner,
            };
            let free = word.state == State::Free;
            (free && self.change(slot, word, held.word(State::Connecting))).then_some(held)
        });
        if let Some(held) = free {
            self.set_limit(held.slot, keys.limit);
            if let Some(facts) = self.slot(held.slot) {
                facts.begin(keys, most);
                facts.holder.store(self.process(owner), SeqCst);
            }
            self.header.high.fetch_max(held.slot + 1, SeqCst);
            return Ok(Grant::Connect(held));
        }
        self.close_oldest();
        Err(NotNow::Slots)
    }

    /// Closes the connection that nobody has had for the longest time, of whatever kind.
    fn close_oldest(&self) {
        let idle = self.found().filter(|found| found.word.state == State::Idle);
        let oldest = idle.min_by_key(|found| found.facts.moments().since);
        if let Some(found) = oldest {
            self.close_idle(found.slot, found.word);
        }
    }

    /// A place for a waiter.
    fn claim(&self) -> Option<u32> {
        let count = self.waiters.len();
        let from = self.header.hint.fetch_add(1, SeqCst) as usize;
        let mut places = (0..count).map(|step| (from + step) % count);
        let place = places.find(|place| {
            let waiter = self.waiters.get(*place);
            waiter.is_some_and(|waiter| waiter.becomes(FREE, CLAIMED))
        })?;
        u32::try_from(place).ok()
    }

    /// The first who waits for that kind, and can use what is of that share. Those who have left go on the way.
    fn first(
        &self,
        locked: &Locked,
        limit: u64,
        share: Option<u128>,
    ) -> Option<(u32, &'static Waiter)> {
        let mut at = locked.stripe().first.load(SeqCst);
        while at > 0 {
            let number = at - 1;
            let waiter = self.waiter(number)?;
            at = waiter.next.load(SeqCst);
            if waiter.word.load(SeqCst) == LEFT {
                self.remove(locked, number);
                waiter.frees();
            } else if waiter.limit.load(SeqCst) == limit
                && share.is_none_or(|share| waiter.wanted().keys.share == share)
            {
                return Some((number, waiter));
            }
        }
        None
    }

    fn push(&self, locked: &Locked, number: u32) {
        let Stripe {
            first,
            last,
            waiting,
            ..
        } = locked.stripe();
        let previous = last.swap(number + 1, SeqCst);
        if let Some(waiter) = self.waiter(number) {
            waiter.previous.store(previous, SeqCst);
            waiter.next.store(0, SeqCst);
            waiter.word.store(WAITING, SeqCst);
        }
        match previous.checked_sub(1).and_then(|last| self.waiter(last)) {
            Some(last) => last.next.store(number + 1, SeqCst),
            None => first.store(number + 1, SeqCst),
        }
        waiting.fetch_add(1, SeqCst);
    }

    fn remove(&self, locked: &Locked, number: u32) {
        let Some(waiter) = self.waiter(number) else {
            return;
        };
        let stripe = locked.stripe();
        let (previous, next) = (waiter.previous.load(SeqCst), waiter.next.load(SeqCst));
        match previous.checked_sub(1).and_then(|at| self.waiter(at)) {
            Some(before) => before.next.store(next, SeqCst),
            None => stripe.first.store(next, SeqCst),
        }
        match next.checked_sub(1).and_then(|at| self.waiter(at)) {
            Some(after) => after.previous.store(previous, SeqCst),
            None => stripe.last.store(previous, SeqCst),
        }
        stripe.waiting.fetch_sub(1, SeqCst);
    }
}
