//! A number that goes up with each begin and each end of a pause, and says how many there are.

/// The part that counts the pauses; above it are the changes.
const COUNT: u64 = 0xffff;
/// What a begin adds: a change, and a pause more.
pub(super) const BEGIN: u64 = COUNT + 2;
/// What an end adds: a change, and a pause less.
pub(super) const END: u64 = COUNT;

/// A generation, by which changes are seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

impl Generation {
    pub(super) fn of_word(word: u64) -> Self {
        Self(word)
    }

    pub(super) fn word(self) -> u64 {
        self.0
    }

    /// That of before all pauses.
    pub const FIRST: Self = Self(0);

    /// Whether nothing is paused.
    #[inline]
    #[must_use]
    pub fn is_calm(self) -> bool {
        self.0 & COUNT == 0
    }

    /// Whether a pause has ended since that one.
    #[must_use]
    pub fn has_end_since(self, earlier: Self) -> bool {
        // Each begin is a change and a pause more, each end a change and a pause less.
        let changes = (self.0 >> COUNT.count_ones()).wrapping_sub(earlier.0 >> COUNT.count_ones());
        let more = (self.0 & COUNT).wrapping_sub(earlier.0 & COUNT);
        changes != more
    }

    /// Whether nothing was ever paused.
    #[inline]
    #[must_use]
    pub fn is_first(self) -> bool {
        self.0 == 0
    }
}
