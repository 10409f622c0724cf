//! The background worker that keeps the connections which sessions share: its registration, its waits, its end.

use super::{guard, interrupts, raw, shared_connections};
use core::ffi::c_long;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use core::time::Duration;
use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime, SignalWakeFlags,
};
use pgrx::pg_sys::{self, Datum};
use plproxy_core::shared::Table;
use plproxy_remote::Channel;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// How soon the postmaster starts another one in the place of one that has ended.
const AGAIN: Duration = Duration::from_secs(1);

/// How long to wait where there is no descriptor to wait by.
const NO_DESCRIPTOR: Duration = Duration::from_millis(10);

/// The keeper's work, until [`wait`] says that it is over.
pub(crate) type Run = fn(Table, &'static Channel);

static RUN: OnceLock<Run> = OnceLock::new();

/// Has the postmaster start it, and makes the way to it; once, from _PG_init, when the library is preloaded.
pub(crate) fn register(run: Run) {
    if Channel::open().is_err() {
        return;
    }
    RUN.get_or_init(|| run);
    BackgroundWorkerBuilder::new("plproxy keeper")
        .set_library("plproxy")
        .set_function("plproxy_keeper_main")
        .enable_shmem_access(None)
        .set_start_time(BgWorkerStartTime::PostmasterStart)
        .set_restart_time(Some(AGAIN))
        .load();
}

/// The worker. It is in no database and in no transaction.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn plproxy_keeper_main(_: Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    // A panic must not reach PostgreSQL; what was kept is shut down on its way.
    let _panic = catch_unwind(AssertUnwindSafe(|| {
        let (table, channel) = (shared_connections::table(), Channel::get());
        if let (Some(run), Some(table), Some(channel)) = (RUN.get(), table, channel) {
            run(table, channel);
        }
    }));
    // SAFETY: does not return. With that code another one is started, unless the server ends.
    unsafe { raw::proc_exit(1) }
}

/// Whether there is anything for [`wait`] to see to. Called by the remote crate before and after every wait of its own.
pub(crate) fn interrupted() -> bool {
    interrupts::pending() || is_to_end()
}

/// Whether the postmaster, or somebody else, has told it to end. pgrx says so once only.
fn is_to_end() -> bool {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if BackgroundWorker::sigterm_received() {
        TOLD.store(true, Relaxed);
    }
    TOLD.load(Relaxed)
}

/// Waits for the socket, a signal, or the end of the time, which may be none. False: the worker is to end.
pub(crate) fn wait(socket: BorrowedFd<'_>, longest: Duration) -> bool {
    let events = pg_sys::WL_LATCH_SET
        | pg_sys::WL_SOCKET_READABLE
        | pg_sys::WL_TIMEOUT
        | pg_sys::WL_EXIT_ON_PM_DEATH;
    let (socket, longest) = (
        socket.as_raw_fd(),
        c_long::try_from(longest.as_millis()).unwrap_or(c_long::MAX),
    );
    // SAFETY: the process's own latch and a socket that stays open. It raises where the system has no descriptor for it.
    let waited = unsafe {
        guard::catch_here("it holds no lock, and waits anew", || {
            raw::WaitLatchOrSocket(
                pg_sys::MyLatch,
                events as i32,
                socket,
                longest,
                pg_sys::PG_WAIT_EXTENSION,
            );
            raw::ResetLatch(pg_sys::MyLatch);
        })
    };
    if waited.is_none() {
        // Descriptors come back as connections are closed.
        std::thread::sleep(NO_DESCRIPTOR);
    }
    let goes_on = !is_to_end();
    if goes_on && interrupts::pending() {
        // What all processes have to do for one of them, as when files of a database are to be closed.
        if let Err(error) = interrupts::check() {
            error.ends_here("the worker ends");
            return false;
        }
    }
    goes_on
}
