//! A set of a cluster's partitions in a machine word.

use core::fmt;

/// One partition exactly, or several, of which two that are a multiple of 63 apart count as one: of the partitions of a
/// cluster with no more, exactly these.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Partitions(u64);

const SEVERAL: u64 = 1 << 63;

impl Partitions {
    /// One.
    #[inline]
    #[must_use]
    pub fn one(partition: usize) -> Self {
        Self(partition as u64 & !SEVERAL)
    }

    /// Several, or one; none of none.
    #[inline]
    pub fn of(partitions: impl IntoIterator<Item = usize>) -> Option<Self> {
        let mut partitions = partitions.into_iter();
        let first = Self::one(partitions.next()?);
        Some(partitions.fold(first, |all, next| all.and(Self::one(next))))
    }

    pub(super) fn of_word(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(super) fn word(self) -> u64 {
        self.0
    }

    #[inline]
    fn mask(self) -> u64 {
        if self.0 & SEVERAL != 0 {
            self.0
        } else {
            SEVERAL | 1 << (self.0 % 63)
        }
    }

    /// These and those.
    #[inline]
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        Self(self.mask() | other.mask())
    }

    /// Whether a partition may be one of them.
    #[inline]
    #[must_use]
    pub fn may_have(self, partition: u32) -> bool {
        let partition = Self::one(partition as usize);
        if self.0 & SEVERAL == 0 {
            return self == partition;
        }
        self.0 & partition.mask() & !SEVERAL != 0
    }
}

impl fmt::Debug for Partitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partitions({:x})", self.0)
    }
}
