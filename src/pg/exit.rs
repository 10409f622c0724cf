//! Word of the process's end.

use super::error::Error;
use super::{guard, raw};
use core::cell::Cell;
use core::ffi::c_int;
use pgrx::pg_sys::{self, Datum};
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static AT_EXIT: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Has `f` called when this process ends, after its transaction and its locks are gone and before its client is told. It
/// must not raise, and should not take long. A process that dies of a signal, or that PostgreSQL ends in a hurry, is not
/// told.
pub(crate) fn at_exit(f: fn()) -> Result<(), Error> {
    if AT_EXIT.get().is_none() {
        // SAFETY: a callback for the life of the process, in a library that is never unloaded. Not in the postmaster, whose
        // children do not take its callbacks over.
        unsafe { guard::catch(|| raw::on_proc_exit(Some(exits), Datum::null())) }?;
        AT_EXIT.set(Some(f));
    }
    Ok(())
}

/// Whether the process is ending. From then on nothing that can raise may be called: PostgreSQL makes a FATAL of each error, which
/// `guard::catch` does not see, and goes on to end the process where it stands, with whatever that leaves locked.
pub(super) fn is_under_way() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::proc_exit_inprogress }
}

/// Called by `proc_exit`, on the process's main thread.
unsafe extern "C-unwind" fn exits(_: c_int, _: Datum) {
    if let Some(f) = AT_EXIT.get() {
        // A panic must not reach PostgreSQL.
        let _panic = catch_unwind(AssertUnwindSafe(f));
    }
}
