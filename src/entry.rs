//! The C symbols that SQL knows, and what runs when the library is loaded.
//!
//! `pg_extern` would export them with a suffix; databases made under the C handler look for the plain names.

use crate::pg::boundary::export;
use crate::pg::{inval, keeper, shared_connections, shmem, worker, xact};
use crate::{admin, fdw_validator, gucs, handler, hash, remote, shared, stats, validator};

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
    plproxy_shared_connections,
    pg_finfo_plproxy_shared_connections,
    admin::shared::get
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
export!(plproxy_pause, pg_finfo_plproxy_pause, admin::pause::pause);
export!(
    plproxy_resume,
    pg_finfo_plproxy_resume,
    admin::pause::resume
);
export!(
    plproxy_paused,
    pg_finfo_plproxy_paused,
    admin::pause::paused
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
    plproxy_stat_transactions,
    pg_finfo_plproxy_stat_transactions,
    admin::stats::transactions
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
    if let Err(error) = gucs::warn_of_no_recovery() {
        error.ends_here("to write a warning takes no lock");
    }
    inval::register();
    xact::register(remote::end_transaction);
    shared_connections::register(gucs::max_shared_connections);
    shmem::register(&stats::SHARED);
    worker::register(&admin::worker::RECOVERY);
    if shmem::is_preloading() && gucs::max_shared_connections() > 0 {
        keeper::register(shared::keeper::run);
    }
}
