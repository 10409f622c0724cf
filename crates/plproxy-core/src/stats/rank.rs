//! What an entry is worth: which one makes room for another.

/// What an entry is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Rank {
    /// A connection string of a function's own, by which nobody was reached.
    #[default]
    ConnectUnreached = 0,
    /// One by which somebody was.
    Connect = 1,
    /// A partition of a cluster that was not reached.
    Unreached = 2,
    /// One that was.
    Partition = 3,
}

impl Rank {
    /// That of a partition of a cluster, or of a connection string of a function's own.
    pub fn of(in_cluster: bool, reached: bool) -> Self {
        match (in_cluster, reached) {
            (false, false) => Self::ConnectUnreached,
            (false, true) => Self::Connect,
            (true, false) => Self::Unreached,
            (true, true) => Self::Partition,
        }
    }
}
