//! What `pg_stat_activity` shows while a call waits.

use super::compat;
use core::cell::Cell;
use pgrx::pg_sys;
use plproxy_remote::Wait;

thread_local! {
    /// The numbers of the events that stand for connecting and executing.
    static EVENTS: Cell<(u32, u32)> =
        const { Cell::new((pg_sys::PG_WAIT_EXTENSION, pg_sys::PG_WAIT_EXTENSION)) };
}

/// Makes the events known to the server, where it can be told; once per session, before the first wait. Where it has no room
/// for more names, they stay those of any extension.
pub(crate) fn register() {
    let event = |name| compat::wait_event(name).unwrap_or(pg_sys::PG_WAIT_EXTENSION);
    EVENTS.set((event(c"PlproxyConnect"), event(c"PlproxyExecute")));
}

/// Shows a wait, or its end.
pub(crate) fn show(wait: Option<Wait>) {
    let (connect, execute) = EVENTS.get();
    let event = match wait {
        Some(Wait::Connect) => connect,
        Some(Wait::Execute) => execute,
        None => 0,
    };
    // SAFETY: pgstat_report_wait_start, a store to where this process shows its event: shared memory, or before and after
    // that a variable of its own. It cannot raise.
    unsafe { pg_sys::my_wait_event_info.write_volatile(event) };
}
