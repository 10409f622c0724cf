//! Which partitions a call goes to.

use std::fmt;

use smallvec::SmallVec;

/// The partition, of `partitions`, to which a hash is mapped.
///
/// By the low bits, for which the number of partitions must be a power of two, or by the remainder.
pub fn partition_of(hash: i64, partitions: usize, modular: bool) -> usize {
    // A cluster has at least one partition; for none the answer is of no use but no fault either.
    let count = (partitions as u64).max(1);
    let index = if modular {
        match i64::try_from(count) {
            // The remainder of the smallest number by -1 would overflow, but a count is positive.
            Ok(count) => (hash % count).unsigned_abs(),
            Err(_) => hash.unsigned_abs(),
        }
    } else {
        hash.cast_unsigned() & (count - 1)
    };
    index as usize
}

/// A random partition, of `partitions`, for 64 random bits.
pub fn any(random: u64, partitions: usize) -> usize {
    ((u128::from(random) * partitions as u128) >> 64) as usize
}

/// 64 random bits, good enough to spread load.
pub fn random() -> u64 {
    fastrand::u64(..)
}

/// Puts things in a random order.
pub fn shuffle<T>(items: &mut [T]) {
    fastrand::shuffle(items);
}

/// The partition of a number that stands in the body.
pub fn number(number: i32, partitions: usize) -> Result<usize, OutOfRange> {
    match usize::try_from(number) {
        Ok(index) if index < partitions => Ok(index),
        _ => Err(OutOfRange),
    }
}

/// A partition number that the cluster does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange;

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("part number out of range")
    }
}

impl std::error::Error for OutOfRange {}

/// The partitions that a call has picked, each once, in the order of picking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    partitions: usize,
    order: SmallVec<[usize; 2]>,
    /// Which ones are picked, by number; empty as long as the order tells it as quickly.
    tagged: Vec<bool>,
}

/// With so many partitions picked there is a list by number.
const FEW: usize = 8;

impl Tags {
    /// None of `partitions`.
    pub fn new(partitions: usize) -> Self {
        Self {
            partitions,
            order: SmallVec::new(),
            tagged: Vec::new(),
        }
    }

    /// Picks a partition; `false` if it was picked before or does not exist.
    pub fn tag(&mut self, partition: usize) -> bool {
        if partition >= self.partitions {
            return false;
        }
        if self.order.len() < FEW {
            if self.order.contains(&partition) {
                return false;
            }
        } else {
            if self.tagged.is_empty() {
                self.tagged = vec![false; self.partitions];
                for picked in &self.order {
                    if let Some(tagged) = self.tagged.get_mut(*picked) {
                        *tagged = true;
                    }
                }
            }
            match self.tagged.get_mut(partition) {
                Some(tagged) if !*tagged => *tagged = true,
                _ => return false,
            }
        }
        self.order.push(partition);
        true
    }

    /// The partitions picked, in the order of picking.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.order.iter().copied()
    }

    /// How many partitions are picked.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no partition is picked.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_find_their_partition() {
        for (hash, partitions, modular, expected) in [
            (0, 1, false, 0),
            (7, 4, false, 3),
            (-1, 4, false, 3),
            (i64::MIN, 4, false, 0),
            (i64::MAX, 4, false, 3),
            (-5, 4, true, 1),
            (-5, 3, true, 2),
            (7, 3, true, 1),
            (i64::from(i32::MIN), 3, true, 2),
            (i64::MIN, 3, true, 2),
            (i64::MIN, 1, true, 0),
            (5, 0, true, 0),
            (5, 0, false, 0),
        ] {
            let found = partition_of(hash, partitions, modular);
            assert_eq!(found, expected, "{hash} {partitions} {modular}");
        }
    }

    #[test]
    fn random_bits_reach_every_partition_evenly() {
        for partitions in [1, 2, 3, 7, 1024] {
            let mut counts = vec![0usize; partitions];
            for i in 0..partitions * 100 {
                // The golden ratio's multiples spread evenly over the numbers of 64 bits.
                counts[any((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15), partitions)] += 1;
            }
            assert!(
                counts.iter().all(|count| (90..=110).contains(count)),
                "{counts:?}"
            );
        }
        assert_eq!(any(0, 5), 0);
        assert_eq!(any(u64::MAX, 5), 4);
    }

    #[test]
    fn numbers_have_bounds() {
        for (given, partitions, expected) in [
            (0, 1, Ok(0)),
            (3, 4, Ok(3)),
            (4, 4, Err(OutOfRange)),
            (-1, 4, Err(OutOfRange)),
            (i32::MAX, 4, Err(OutOfRange)),
            (0, 0, Err(OutOfRange)),
        ] {
            assert_eq!(
                number(given, partitions),
                expected,
                "{given} of {partitions}"
            );
        }
        assert_eq!(OutOfRange.to_string(), "part number out of range");
    }

    #[test]
    fn tags_keep_the_order_of_picking() {
        let mut tags = Tags::new(4);
        assert!(tags.is_empty());
        let fresh: Vec<bool> = [3, 1, 3, 9, 2].iter().map(|&p| tags.tag(p)).collect();
        assert_eq!(fresh, [true, true, false, false, true]);
        assert_eq!(tags.iter().collect::<Vec<_>>(), [3, 1, 2]);
        assert_eq!(tags.len(), 3);
        let mut many = Tags::new(1000);
        let picks = (0..100).map(|at| at * 7 % 1000);
        for pick in picks.clone() {
            assert!(many.tag(pick));
            assert!(!many.tag(pick));
        }
        assert!(picks.clone().all(|pick| !many.tag(pick)) && !many.tag(1000));
        assert!(many.iter().eq(picks));
    }

    #[test]
    fn a_shuffle_keeps_all_and_reaches_every_place() {
        let mut firsts = [0; 4];
        for _ in 0..200 {
            let mut items = [0, 1, 2, 3];
            shuffle(&mut items);
            firsts[items[0]] += 1;
            items.sort_unstable();
            assert_eq!(items, [0, 1, 2, 3]);
        }
        assert!(firsts.iter().all(|count| *count > 0), "{firsts:?}");
    }
}
