//! PostgreSQL's interrupts, as the waits of a remote call see them.

use super::{allocator, guard, raw};
use crate::error::{Error, Report, sqlstate};
use pgrx::pg_sys;

/// Whether the backend has an interrupt that it may handle now.
///
/// Where interrupts are held off the flag stays set; waking for it would only spin.
pub(crate) fn pending() -> bool {
    // SAFETY: reads of statics that signal handlers set; each is one machine word, and a stale value is seen at the next
    // look.
    unsafe {
        ((&raw const pg_sys::InterruptPending).read_volatile() != 0
            || postmaster_may_be_gone()
            || allocator::is_short())
            && pg_sys::InterruptHoldoffCount == 0
            && pg_sys::CritSectionCount == 0
            && (pg_sys::QueryCancelHoldoffCount == 0 || will_end())
    }
}

/// Whether handling the interrupt will end the statement or the session, so that the partitions' work is to be
/// cancelled first: after a FATAL there is no way back.
pub(crate) fn will_end() -> bool {
    // SAFETY: as in `pending`.
    unsafe {
        (&raw const pg_sys::QueryCancelPending).read_volatile() != 0
            || (&raw const pg_sys::ProcDiePending).read_volatile() != 0
            || postmaster_is_gone()
            || super::compat::client_is_gone()
    }
}

/// Whether the postmaster may be dead: the kernel signalled it, or nobody has looked yet.
fn postmaster_may_be_gone() -> bool {
    // SAFETY: as in `pending`.
    unsafe { (&raw const raw::postmaster_possibly_dead).read_volatile() != 0 }
}

fn postmaster_is_gone() -> bool {
    // SAFETY: reads from a pipe without waiting, and lowers the flag while the postmaster lives.
    postmaster_may_be_gone() && unsafe { !raw::PostmasterIsAliveInternal() }
}

/// CHECK_FOR_INTERRUPTS, its error as a value. Without a postmaster the process ends, as everywhere in PostgreSQL.
pub(crate) fn check() -> Result<(), Error> {
    if postmaster_is_gone() {
        // SAFETY: does not return; what the frames above own ends with the process.
        unsafe { raw::proc_exit(1) };
    }
    // SAFETY: called between remote waits, where no lock of ours is held and nothing is half done.
    unsafe { guard::catch(|| raw::ProcessInterrupts()) }?;
    Ok(())
}

/// The error of work that an interrupt ended, should PostgreSQL have changed its mind when it is asked.
pub(crate) fn canceled() -> Error {
    Report::new(
        sqlstate::QUERY_CANCELED,
        "canceling statement due to user request",
    )
    .into()
}
