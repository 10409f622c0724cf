//! PostgreSQL's account of file descriptors.
//!
//! It closes files of its own where descriptors run short, but only for what it knows of: a commit that cannot open its file
//! of the WAL ends the server. So what is opened past it is told to it.

use super::{guard, raw};
use plproxy_remote::DescriptorAccount;

/// The account, for sockets.
pub(crate) const ACCOUNT: DescriptorAccount = DescriptorAccount {
    acquire,
    reserve,
    release,
    most,
};

/// Why an error may end here.
const FILES: &str = "the list of open files is this process's own";

/// Takes one of the third that PostgreSQL lets everybody have who opens something past it.
fn acquire() -> bool {
    // SAFETY: closes files that PostgreSQL opens again when it needs them, and counts. It raises only where a file could not
    // be closed and that could not be logged; then nothing was counted.
    unsafe { guard::catch_here(FILES, || raw::AcquireExternalFD()) }.unwrap_or(false)
}

/// Takes one beyond that; false if nothing was counted.
fn reserve() -> bool {
    // SAFETY: as in `acquire`.
    unsafe { guard::catch_here(FILES, || raw::ReserveExternalFD()) }.is_some()
}

fn release() {
    // SAFETY: lowers a count, of something that was acquired or reserved.
    unsafe { raw::ReleaseExternalFD() }
}

/// How many descriptors PostgreSQL has open at the most, those that it lent among them.
fn most() -> usize {
    // SAFETY: reads a static that the postmaster has set.
    usize::try_from(unsafe { raw::max_safe_fds }).unwrap_or(0)
}
