//! The C symbols that SQL knows, and the border itself.
//!
//! `pg_extern` would export them with a suffix; databases made under the C handler look for the plain names.

use super::fcinfo::CallInfo;
use super::{allocator, inval, report, shmem, xact};
use crate::error::{Error, Report};
use crate::{admin, fdw_validator, gucs, handler, hash, validator};
use pgrx::pg_sys::{Datum, FunctionCallInfo, Pg_finfo_record};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Defines a version-1 C function: the info record and the function, whose body is a safe Rust function.
macro_rules! export {
    ($name:ident, $info:ident, $body:path) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $info() -> &'static Pg_finfo_record {
            static RECORD: Pg_finfo_record = Pg_finfo_record { api_version: 1 };
            &RECORD
        }

        /// Called by PostgreSQL's function manager.
        ///
        /// # Safety
        /// `fcinfo` must be the live call info that the function manager made for this call.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(fcinfo: FunctionCallInfo) -> Datum {
            // SAFETY: this frame owns nothing, and `fcinfo` is what the function manager gave us.
            unsafe { border(fcinfo, $body) }
        }
    };
}

export!(
    plproxy_call_handler,
    pg_finfo_plproxy_call_handler,
    handler::call
);
export!(
    plproxy_validator,
    pg_finfo_plproxy_validator,
    validator::validate
);
export!(
    plproxy_fdw_validator,
    pg_finfo_plproxy_fdw_validator,
    fdw_validator::validate
);
export!(plproxy_hash, pg_finfo_plproxy_hash, hash::sql_hash);

export!(
    plproxy_get_connections,
    pg_finfo_plproxy_get_connections,
    admin::connections::get
);
export!(
    plproxy_disconnect,
    pg_finfo_plproxy_disconnect,
    admin::connections::disconnect
);
export!(
    plproxy_disconnect_all,
    pg_finfo_plproxy_disconnect_all,
    admin::connections::disconnect_all
);
export!(
    plproxy_check_cluster,
    pg_finfo_plproxy_check_cluster,
    admin::check::cluster
);
export!(
    plproxy_check_function,
    pg_finfo_plproxy_check_function,
    admin::functions::check_one
);
export!(
    plproxy_check_functions,
    pg_finfo_plproxy_check_functions,
    admin::functions::check_all
);
export!(plproxy_route, pg_finfo_plproxy_route, admin::route::route);
export!(
    plproxy_run_on_all,
    pg_finfo_plproxy_run_on_all,
    admin::run_on_all::run
);
export!(
    plproxy_recover_prepared,
    pg_finfo_plproxy_recover_prepared,
    admin::recover::recover
);

export!(
    plproxy_stat_partitions,
    pg_finfo_plproxy_stat_partitions,
    admin::stats::partitions
);
export!(
    plproxy_stat_functions,
    pg_finfo_plproxy_stat_functions,
    admin::stats::functions
);
export!(
    plproxy_stat_info,
    pg_finfo_plproxy_stat_info,
    admin::stats::info
);
export!(
    plproxy_stat_reset,
    pg_finfo_plproxy_stat_reset,
    admin::stats::reset
);

/// Called once, when the library is loaded.
#[doc(hidden)]
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    gucs::init();
    if let Err(error) = gucs::warn_of_misspelt() {
        error.ends_here("to write a warning takes no lock");
    }
    inval::register();
    xact::register();
    shmem::register();
}

/// Runs `body`; whatever goes wrong in it, an error value or a panic, is raised when all its values are gone.
///
/// # Safety
/// Called only from an exported function, with that function's `fcinfo`.
unsafe fn border(
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
