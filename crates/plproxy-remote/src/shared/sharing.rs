//! This process's part in sharing connections, and the clock that all processes have in common.

use std::time::Duration;

use plproxy_core::shared::Table;
use rustix::time::{ClockId, clock_gettime};

use crate::shared::channel::Channel;

/// This process's part in sharing.
#[derive(Clone, Copy)]
pub struct Sharing {
    /// The table of all.
    pub table: Table,
    /// The way to the keeper.
    pub channel: &'static Channel,
    /// The number of this process.
    pub owner: u32,
}

/// Microseconds on the clock that is never set.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}

/// The same of a duration.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
