//! Maps by numbers, for what every call looks up: servers and this library choose the numbers, so a hash that resists an
//! attacker is not needed.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys are OIDs, or numbers of our own.
pub type IntMap<K, V> = HashMap<K, V, IntHash>;

/// Makes the hashers.
pub type IntHash = BuildHasherDefault<IntHasher>;

/// Fibonacci hashing: one multiplication spreads neighbouring numbers over all bits.
#[derive(Debug, Default)]
pub struct IntHasher(u64);

impl Hasher for IntHasher {
    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart() {
        let mut map = IntMap::default();
        for number in 0..10_000_u64 {
            map.insert(number * 7, number);
        }
        assert_eq!(map.len(), 10_000);
        assert!((0..10_000_u64).all(|number| map.get(&(number * 7)) == Some(&number)));
        assert_eq!(map.get(&1), None);
    }
}
