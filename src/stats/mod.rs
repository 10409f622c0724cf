//! Statistics of calls, by partition and by function, and the log of slow calls.
//!
//! [`memory`] says where the counts are: in memory of all sessions, which [`file`] keeps over a restart, or in this
//! session's own. [`place`] finds the entry of a partition or a function in it and remembers where it was, so that
//! counting takes no look-up. [`watch`] follows one call and counts it at its end, and [`log`] tells of it if it was slow.
//! Nothing here raises but the taking of the lock.
#![forbid(unsafe_code)]

mod file;
mod log;
mod memory;
mod name;
mod place;
mod watch;

use crate::pg::shmem::Owner;
pub(crate) use memory::{count_end, count_recovered, current, reset};
pub(crate) use place::{FunctionPlace, NO_NUMBER, PartitionPlace, Place};
pub(crate) use watch::{End, Watch, Watched};

/// What has the shared memory made, filled and saved.
pub(crate) static SHARED: Owner = Owner {
    room: memory::room,
    load: file::load,
    save: file::save,
};
