//! Word of the process's end.

use super::{guard, raw};
use crate::error::Error;
use core::cell::Cell;
use core::ffi::c_int;
use pgrx::pg_sys::Datum;
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

/// Called by `proc_exit`, on the process's main thread.
unsafe extern "C-unwind" fn exits(_: c_int, _: Datum) {
    if let Some(f) = AT_EXIT.get() {
        // A panic must not reach PostgreSQL.
        let _panic = catch_unwind(AssertUnwindSafe(f));
    }
}
