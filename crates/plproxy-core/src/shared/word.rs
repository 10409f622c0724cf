//! What becomes of a slot, in one machine word, so that it changes at once.

/// What a slot is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It stands for nothing.
    Free,
    /// Somebody makes a connection.
    Connecting,
    /// There is a connection, and nobody has it.
    Idle,
    /// Somebody has the connection.
    InUse,
    /// Nobody is to use the connection any more; its server process may still be there.
    Closing,
}

/// The state of a slot, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// What it is.
    pub state: State,
    /// Which of the slot's connections: each has a number of its own.
    pub generation: u32,
    /// The number of the process that has it, or zero. There are fewer than 2²⁴.
    pub owner: u32,
}

/// Bits of the state.
const STATE: u32 = 8;
/// Bits of the state and the owner.
const LOW: u32 = 32;
/// The greatest owner.
pub(super) const MOST_OWNERS: u32 = (1 << (LOW - STATE)) - 1;

impl Word {
    /// As it lies in memory. All-zero bytes are a free slot.
    #[must_use]
    pub fn pack(self) -> u64 {
        let state = match self.state {
            State::Free => 0,
            State::Connecting => 1,
            State::Idle => 2,
            State::InUse => 3,
            State::Closing => 4,
        };
        u64::from(self.generation) << LOW | u64::from(self.owner & MOST_OWNERS) << STATE | state
    }

    /// What lies in memory.
    #[must_use]
    pub fn unpack(word: u64) -> Word {
        Word {
            state: match word & ((1 << STATE) - 1) {
                0 => State::Free,
                1 => State::Connecting,
                2 => State::Idle,
                3 => State::InUse,
                // Nothing else is written.
                _ => State::Closing,
            },
            generation: (word >> LOW) as u32,
            owner: (word >> STATE) as u32 & MOST_OWNERS,
        }
    }
}
