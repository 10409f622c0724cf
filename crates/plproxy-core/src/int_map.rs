//! Maps with numbers as keys, for what every call looks up: servers and this library choose the numbers, so a hash that resists
//! an attacker is not needed.

use std::collections::HashMap;

/// A map whose keys are OIDs, or numbers of our own.
pub type IntMap<K, V> = HashMap<K, V, IntHash>;

/// Makes the hashers.
pub type IntHash = rustc_hash::FxBuildHasher;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_numbers_are_different_keys() {
        let mut map = IntMap::default();
        for number in 0..10_000_u64 {
            map.insert(number * 7, number);
        }
        assert_eq!(map.len(), 10_000);
        assert!((0..10_000_u64).all(|number| map.get(&(number * 7)) == Some(&number)));
        assert_eq!(map.get(&1), None);
    }
}
