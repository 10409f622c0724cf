//! PostgreSQL's interrupts, as the waits of a remote call see them.

use super::error::{Error, Report, sqlstate};
use super::{allocator, guard, raw};
use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr;
use pgrx::pg_sys::{self, Datum};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Whether the backend has an interrupt that it may handle now. Never raises: waits call it in the middle of anything.
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

/// What is to be done should the process end within [`or_at_the_end`], and within which other one that is.
struct Frame<'a> {
    end: &'a mut dyn FnMut(),
    outer: *mut c_void,
}

thread_local! {
    /// The innermost frame.
    static AT_THE_END: Cell<*mut c_void> = const { Cell::new(ptr::null_mut()) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// Has PostgreSQL call what [`or_at_the_end`] is given; before the first of these. It has few places for such callbacks.
pub(crate) fn register() -> Result<(), Error> {
    if REGISTERED.get() {
        return Ok(());
    }
    // SAFETY: a callback for the life of the process, which does nothing while it has nothing to do.
    unsafe { guard::catch(|| raw::before_shmem_exit(Some(at_the_end), Datum::null())) }?;
    REGISTERED.set(true);
    Ok(())
}

/// Runs `f`, in which PostgreSQL may end the process: then `end` is called before. A FATAL comes with any interrupt that
/// PostgreSQL handles by itself, and that of a `transaction_timeout` without a flag in all versions.
pub(crate) fn or_at_the_end<T>(end: &mut dyn FnMut(), f: impl FnOnce() -> T) -> T {
    struct Leave(*mut c_void);
    impl Drop for Leave {
        fn drop(&mut self) {
            AT_THE_END.set(self.0);
        }
    }
    let outer = AT_THE_END.get();
    let mut frame = Frame { end, outer };
    AT_THE_END.set((&raw mut frame).cast());
    // Also when `f` panics.
    let _leave = Leave(outer);
    f()
}

/// Called when the process ends, on top of the frames that it ends in.
unsafe extern "C-unwind" fn at_the_end(_: c_int, _: Datum) {
    loop {
        let frame: *mut Frame<'_> = AT_THE_END.get().cast();
        if frame.is_null() {
            return;
        }
        // SAFETY: set by `or_at_the_end`, which is still there, as nothing returns from what ends the process; nobody else
        // uses it meanwhile.
        let frame = unsafe { &mut *frame };
        AT_THE_END.set(frame.outer);
        // A panic must not reach PostgreSQL.
        let _panic = catch_unwind(AssertUnwindSafe(|| (frame.end)()));
    }
}

/// The error of work that an interrupt ended, should PostgreSQL have changed its mind when it is asked.
pub(crate) fn canceled() -> Error {
    Report::new(
        sqlstate::QUERY_CANCELED,
        "canceling statement due to user request",
    )
    .into()
}
