//! Counts of calls, in memory that several processes may share.
//!
//! Everything there is made of atomics, so that all-zero bytes are a value and any process may look at any time. An [`Entry`]
//! is what is counted of one partition or function; a [`Table`] has a fixed number of them and finds the one of a name, or
//! makes room for it. Nothing here waits without bound: a process may be stopped in the middle of anything.

mod entry;
mod header;
mod histogram;
mod rank;
mod table;

pub use entry::{Counts, Entry, Sample};
pub use header::{HOST, Header, Label, NAME, Shown, TransactionEnd};
pub use histogram::{BUCKETS, Histogram};
pub use rank::Rank;
pub use table::{IDLE, Made, Table};
