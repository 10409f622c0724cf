//! Which statements a connection has prepared, by the hashes that their names are made of.
//!
//! Only who has the connection reads and writes it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// So many are prepared on one connection at most.
const MOST: usize = 256;

/// The statements of one connection.
#[repr(C)]
pub struct Statements {
    /// Goes up when one is forgotten: what was learnt of a statement before may not hold for the one of that name now.
    epoch: AtomicU64,
    count: AtomicU32,
    /// Which one goes next for want of room.
    hand: AtomicU32,
    hashes: [[AtomicU64; 2]; MOST],
    /// When each was prepared, in milliseconds of a day and more that begin anew.
    since: [AtomicU32; MOST],
}

impl Statements {
    pub(super) fn new() -> Statements {
        Statements {
            epoch: AtomicU64::new(0),
            count: AtomicU32::new(0),
            hand: AtomicU32::new(0),
            hashes: std::array::from_fn(|_| [AtomicU64::new(0), AtomicU64::new(0)]),
            since: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// See above.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        (self.count.load(Relaxed) as usize).min(MOST)
    }

    /// Whether one is prepared; `at` is where it was seen last, and where it is.
    pub fn contains(&self, hash: u128, at: &mut usize) -> bool {
        let count = self.count();
        let is = |slot: &[AtomicU64; 2]| read(slot) == hash;
        if *at < count && self.hashes.get(*at).is_some_and(is) {
            return true;
        }
        match self.hashes.iter().take(count).position(is) {
            Some(found) => {
                *at = found;
                true
            }
            None => false,
        }
    }

    /// Makes room for one more: the one that is to be closed for it.
    pub fn make_room(&self) -> Option<u128> {
        if self.count() < MOST {
            return None;
        }
        let hand = self.hand.load(Relaxed).wrapping_add(1);
        self.hand.store(hand, Relaxed);
        let hash = read(self.hashes.get(hand as usize % MOST)?);
        self.remove(hash);
        Some(hash)
    }

    /// For how long the one at that place has been prepared. Where the clock was put back this is long.
    pub fn age(&self, at: usize, now: Duration) -> Duration {
        let since = self.since.get(at).map_or(0, |since| since.load(Relaxed));
        Duration::from_millis(milliseconds(now).wrapping_sub(since).into())
    }

    /// One was prepared. False if there is no room for it.
    pub fn insert(&self, hash: u128, now: Duration) -> bool {
        if self.contains(hash, &mut 0) {
            return true;
        }
        let count = self.count();
        let (Some(slot), Some(since)) = (self.hashes.get(count), self.since.get(count)) else {
            return false;
        };
        write(slot, hash);
        since.store(milliseconds(now), Relaxed);
        self.count.store(count as u32 + 1, Relaxed);
        true
    }

    /// One is to be prepared no more. Says whether it was.
    pub fn remove(&self, hash: u128) -> bool {
        let mut at = 0;
        if !self.contains(hash, &mut at) {
            return false;
        }
        let last = self.count() - 1;
        if let (Some(slot), Some(other)) = (self.hashes.get(at), self.hashes.get(last)) {
            write(slot, read(other));
        }
        if let (Some(since), Some(other)) = (self.since.get(at), self.since.get(last)) {
            since.store(other.load(Relaxed), Relaxed);
        }
        self.count.store(last as u32, Relaxed);
        self.next_epoch();
        true
    }

    /// None is prepared.
    pub fn clear(&self) {
        self.count.store(0, Relaxed);
        self.next_epoch();
    }

    fn next_epoch(&self) {
        self.epoch.store(self.epoch().wrapping_add(1), Relaxed);
    }
}

fn milliseconds(time: Duration) -> u32 {
    time.as_millis() as u32
}

fn read([high, low]: &[AtomicU64; 2]) -> u128 {
    u128::from(high.load(Relaxed)) << 64 | u128::from(low.load(Relaxed))
}

fn write([high, low]: &[AtomicU64; 2], hash: u128) {
    high.store((hash >> 64) as u64, Relaxed);
    low.store(hash as u64, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_found_wherever_they_are() {
        let statements = Statements::new();
        let hash = |number: u128| number << 64 | 7;
        for number in 0..MOST as u128 {
            assert_eq!(statements.make_room(), None);
            assert!(statements.insert(hash(number), Duration::from_millis(number as u64)));
        }
        assert_eq!(statements.count(), MOST);
        assert!(!statements.insert(1, Duration::ZERO));
        let mut at = 3;
        assert!(statements.contains(hash(3), &mut at) && at == 3);
        at = 9;
        assert!(statements.contains(hash(3), &mut at) && at == 3);
        assert_eq!(
            statements.age(at, Duration::from_millis(1503)),
            Duration::from_millis(1500)
        );
        assert!(statements.age(at, Duration::from_millis(2)) > Duration::from_secs(1));
        let epoch = statements.epoch();
        let gone = statements.make_room().unwrap();
        assert!(!statements.contains(gone, &mut at));
        assert!(statements.epoch() != epoch && statements.insert(1, Duration::ZERO));
        assert!(statements.insert(1, Duration::ZERO), "once is enough");
        assert!(statements.remove(1) && !statements.remove(1));
        statements.clear();
        assert_eq!(statements.count(), 0);
        assert!(!statements.contains(hash(3), &mut at));
    }
}
