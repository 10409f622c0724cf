//! How long calls took, by buckets each of which is twice as wide as the one before.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

/// How many buckets there are.
pub const BUCKETS: usize = 24;

/// Nanoseconds to which the first bucket reaches, those included.
const FIRST: u64 = 16_000;

/// How many calls there were in each bucket: up to 16 µs, up to 32 µs and so on; the last but one goes to 67.1 s, which is 16 µs
/// doubled 22 times, and the last one is for what took longer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Histogram(pub [u64; BUCKETS]);

impl Histogram {
    /// Nanoseconds to which a bucket reaches; `None` for the last one.
    pub fn bound(bucket: usize) -> Option<u64> {
        (bucket + 1 < BUCKETS).then(|| FIRST << bucket)
    }

    /// The bucket of a duration in nanoseconds.
    fn bucket_of(took: u64) -> usize {
        let doublings = u64::BITS - (took.saturating_sub(1) / FIRST).leading_zeros();
        (doublings as usize).min(BUCKETS - 1)
    }

    /// In how many nanoseconds so large a part of the calls was done: within its bucket as if they were spread evenly, between
    /// the shortest and the longest call. `None` if there were none.
    pub fn quantile(&self, part: f64, least: u64, most: u64) -> Option<f64> {
        let all: u64 = self.0.iter().sum();
        if all == 0 {
            return None;
        }
        let wanted = part * all as f64;
        let (mut below, mut from) = (0.0, 0.0);
        for (bucket, calls) in self.0.iter().enumerate() {
            let to = Self::bound(bucket).map_or(most as f64, |bound| bound as f64);
            let calls = *calls as f64;
            if calls > 0.0 && below + calls >= wanted {
                let took = from + (to - from) * ((wanted - below) / calls);
                return Some(took.min(most as f64).max(least as f64));
            }
            below += calls;
            from = to;
        }
        Some(most as f64)
    }
}

/// The same, as it is counted.
#[derive(Debug, Default)]
pub(super) struct Buckets([AtomicU64; BUCKETS]);

impl Buckets {
    /// Adds a call. For who holds the lock.
    pub(super) fn add(&self, took: u64) {
        if let Some(bucket) = self.0.get(Histogram::bucket_of(took)) {
            bucket.store(bucket.load(Relaxed).saturating_add(1), Relaxed);
        }
    }

    pub(super) fn load(&self) -> Histogram {
        Histogram(core::array::from_fn(|bucket| {
            self.0.get(bucket).map_or(0, |calls| calls.load(Relaxed))
        }))
    }

    pub(super) fn store(&self, histogram: &Histogram) {
        for (bucket, calls) in self.0.iter().zip(histogram.0) {
            bucket.store(calls, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        assert_eq!(Histogram::bucket_of(0), 0);
        for bucket in 0..BUCKETS - 1 {
            let bound = Histogram::bound(bucket).unwrap();
            assert_eq!(bound, 16_000 * 2_u64.pow(u32::try_from(bucket).unwrap()));
            assert_eq!(Histogram::bucket_of(bound), bucket);
            assert_eq!(Histogram::bucket_of(bound + 1), bucket + 1);
        }
        assert_eq!(Histogram::bound(BUCKETS - 1), None);
        assert_eq!(Histogram::bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_lie_in_their_bucket() {
        let buckets = Buckets::default();
        assert_eq!(buckets.load().quantile(0.5, 0, 0), None);
        for _ in 0..98 {
            buckets.add(20_000);
        }
        buckets.add(40_000);
        buckets.add(100_000_000_000);
        let histogram = buckets.load();
        assert_eq!(
            (histogram.0[1], histogram.0[2], histogram.0[23]),
            (98, 1, 1)
        );
        let at = |part| histogram.quantile(part, 20_000, 100_000_000_000).unwrap();
        // The 50th of 98 calls between 16 and 32 µs; as no call took less than 20 µs, none is said to.
        assert!((at(0.5) - (16_000.0 + 16_000.0 * 50.0 / 98.0)).abs() < 1e-6);
        assert_eq!((at(0.01), at(0.99), at(1.0)), (20_000.0, 64_000.0, 1e11));
    }

    #[test]
    fn the_only_call_is_every_quantile() {
        let buckets = Buckets::default();
        buckets.add(5_000_000);
        for part in [0.0, 0.5, 0.99, 1.0] {
            assert_eq!(
                buckets.load().quantile(part, 5_000_000, 5_000_000),
                Some(5e6)
            );
        }
    }
}
