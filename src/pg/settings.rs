//! Settings of the session that a call looks at.

use pgrx::pg_sys;

/// `work_mem`, in kilobytes.
pub(crate) fn work_mem() -> i32 {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::work_mem }
}

/// `check_function_bodies`.
pub(crate) fn check_function_bodies() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::check_function_bodies }
}
