//! What `pg_stat_activity` shows while a call waits.

use super::compat;
use super::error::Error;
use core::cell::Cell;
use core::ffi::CStr;
use pgrx::pg_sys;
use plproxy_remote::Wait;

thread_local! {
    /// The numbers of the events, in the order of [`NAMES`].
    static EVENTS: Cell<[u32; NAMES.len()]> = const { Cell::new([pg_sys::PG_WAIT_EXTENSION; NAMES.len()]) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// They stand for connecting, executing, waiting for a connection that others have, waiting for the end of a pause, and for that of
/// calls that a pause has to wait for.
const NAMES: [&CStr; 5] = [
    c"PlproxyConnect",
    c"PlproxyExecute",
    c"PlproxyLease",
    c"PlproxyPaused",
    c"PlproxyPausing",
];

/// Makes the events known to the server, where it can be told; once per session, before the first wait. Where it has no room
/// for more names, they stay those of any extension.
///
/// It is seen before whether there is room: PostgreSQL raises with its lock held, so that an error must end the
/// subtransaction. The room may go between the look and the asking. Then this one call fails, and those after it go on
/// without a name.
pub(crate) fn register() -> Result<(), Error> {
    if REGISTERED.replace(true) {
        return Ok(());
    }
    if compat::have_room_for_wait_events(&NAMES)? {
        let mut events = EVENTS.get();
        for (event, name) in events.iter_mut().zip(NAMES) {
            *event = compat::wait_event(name)?;
        }
        EVENTS.set(events);
    }
    Ok(())
}

/// The wait for the end of a pause.
pub(super) fn paused() -> Result<u32, Error> {
    register()?;
    let [_, _, _, paused, _] = EVENTS.get();
    Ok(paused)
}

/// The wait for what is under way where something is to be paused.
pub(super) fn pausing() -> Result<u32, Error> {
    register()?;
    let [_, _, _, _, pausing] = EVENTS.get();
    Ok(pausing)
}

/// Shows a wait, or its end.
pub(crate) fn show(wait: Option<Wait>) {
    let [connect, execute, lease, ..] = EVENTS.get();
    let event = match wait {
        Some(Wait::Connect) => connect,
        Some(Wait::Execute) => execute,
        Some(Wait::Lease) => lease,
        None => 0,
    };
    // SAFETY: pgstat_report_wait_start, a store to where this process shows its event: shared memory, or before and after
    // that a variable of its own. It cannot raise.
    unsafe { pg_sys::my_wait_event_info.write_volatile(event) };
}
