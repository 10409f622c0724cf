//! The end of transactions.

use crate::remote;
use core::ffi::c_void;
use core::ptr;
use pgrx::pg_sys::{self, XactEvent};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Asks PostgreSQL for the callback; once per backend.
pub(super) fn register() {
    // SAFETY: called once, from _PG_init; the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::RegisterXactCallback(Some(ended), ptr::null_mut()) }
}

/// Called by xact.c in the middle of a commit or an abort: must not raise, and calls nothing of PostgreSQL's.
unsafe extern "C-unwind" fn ended(event: XactEvent::Type, _: *mut c_void) {
    if matches!(
        event,
        XactEvent::XACT_EVENT_COMMIT | XactEvent::XACT_EVENT_ABORT | XactEvent::XACT_EVENT_PREPARE
    ) {
        // A panic must not reach xact.c, and what was not closed now will be at another end.
        let _ = catch_unwind(AssertUnwindSafe(remote::tidy));
    }
}
