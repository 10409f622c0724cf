//! The same numbers for the same seed.

/// Marsaglia's xorshift.
pub struct Random(u64);

impl Random {
    /// A stream of its own for each `stream` of a seed.
    pub fn new(seed: u64, stream: u64) -> Random {
        let mut random = Random((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(stream << 32) | 1);
        for _ in 0..20 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from 0 up to, not including, `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }
}
