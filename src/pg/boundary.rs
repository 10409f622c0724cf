//! The boundary itself: from PostgreSQL's function manager into Rust, and back by a value or an error that is raised.

use super::allocator;
use super::error::{Error, Report};
use super::fcinfo::CallInfo;
use super::report;
use pgrx::pg_sys::{Datum, FunctionCallInfo};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Defines a version-1 C function: the info record and the function, whose body is a safe Rust function.
macro_rules! export {
    ($name:ident, $info:ident, $body:path) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $info() -> &'static pgrx::pg_sys::Pg_finfo_record {
            static RECORD: pgrx::pg_sys::Pg_finfo_record =
                pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &RECORD
        }

        /// Called by PostgreSQL's function manager.
        ///
        /// # Safety
        /// `fcinfo` must be the live call info that the function manager made for this call.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(
            fcinfo: pgrx::pg_sys::FunctionCallInfo,
        ) -> pgrx::pg_sys::Datum {
            // SAFETY: this frame owns nothing, and `fcinfo` is what the function manager gave us.
            unsafe { $crate::pg::boundary::run(fcinfo, $body) }
        }
    };
}

pub(crate) use export;

/// Runs `body`; whatever goes wrong in it, an error value or a panic, is raised when all its values are gone.
///
/// # Safety
/// Called only from an exported function, with that function's `fcinfo`.
pub(crate) unsafe fn run(
    fcinfo: FunctionCallInfo,
    body: fn(&mut CallInfo) -> Result<Datum, Error>,
) -> Datum {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `fcinfo` is live for this call.
        let mut call = unsafe { CallInfo::new(fcinfo) };
        allocator::replenish()?;
        body(&mut call)
    }));
    let error = match outcome {
        Ok(Ok(value)) => return value,
        Ok(Err(error)) => error,
        Err(panic) => panic_error(panic),
    };
    // SAFETY: `error` is the only value left, and it is moved; the frames above belong to PostgreSQL.
    unsafe { report::raise(error) }
}

/// A panic as the error that the session sees.
fn panic_error(panic: Box<dyn Any + Send>) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".to_owned());
    let mut report = Report::internal(format!("PL/Proxy internal error: {text}"));
    report.hint = Some("This is a bug in PL/Proxy; the session goes on.".to_owned());
    report.into()
}
