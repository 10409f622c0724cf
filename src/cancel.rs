//! An interrupt of PostgreSQL's in the middle of remote work.
#![forbid(unsafe_code)]

use crate::error::Error;
use crate::pg::allocator;
use crate::pg::interrupts;
use std::time::Duration;

/// How long the partitions have to confirm a cancel before their connections are closed.
pub(crate) const CANCEL_BOUND: Duration = Duration::from_millis(80);

/// Lets PostgreSQL handle its interrupt; if that is the end of the statement, `cancel` ends the remote work first.
pub(crate) fn interrupted(cancel: impl FnOnce()) -> Result<(), Error> {
    let mut cancel = Some(cancel);
    let mut cancel = || cancel.take().into_iter().for_each(|cancel| cancel());
    if let Err(error) = allocator::check() {
        cancel();
        return Err(error);
    }
    if !interrupts::will_end() {
        return interrupts::or_at_the_end(&mut cancel, interrupts::check);
    }
    cancel();
    interrupts::check()?;
    // The work is cancelled, so there is no going on even if PostgreSQL has changed its mind.
    Err(interrupts::canceled())
}
