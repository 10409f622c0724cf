//! Which statements a connection has prepared, by the hashes that their names are made of.
//!
//! Only who has the connection reads and writes it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

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
}

impl Statements {
    pub(super) fn new() -> Statements {
        Statements {
            epoch: AtomicU64::new(0),
            count: AtomicU32::new(0),
            hand: AtomicU32::new(0),
            hashes: std::array::from_fn(|_| [AtomicU64::new(0), AtomicU64::new(0)]),
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

    /// One was prepared. False if there is no room for it.
    pub fn insert(&self, hash: u128) -> bool {
        if self.contains(hash, &mut 0) {
            return true;
        }
        let count = self.count();
        let Some(slot) = self.hashes.get(count) else {
            return false;
        };
        write(slot, hash);
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
            assert!(statements.insert(hash(number)));
        }
        assert_eq!(statements.count(), MOST);
        assert!(!statements.insert(1));
        let mut at = 3;
        assert!(statements.contains(hash(3), &mut at) && at == 3);
        at = 9;
        assert!(statements.contains(hash(3), &mut at) && at == 3);
        let epoch = statements.epoch();
        let gone = statements.make_room().unwrap();
        assert!(!statements.contains(gone, &mut at));
        assert!(statements.epoch() != epoch && statements.insert(1));
        assert!(statements.insert(1), "once is enough");
        assert!(statements.remove(1) && !statements.remove(1));
        statements.clear();
        assert_eq!(statements.count(), 0);
        assert!(!statements.contains(hash(3), &mut at));
    }
}
