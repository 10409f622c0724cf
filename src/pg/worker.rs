//! Background workers: a launcher, and from time to time a process in each of some databases.
//!
//! The launcher is connected to no database, and a process is gone when its work is done: nobody who drops, renames or copies a
//! database finds somebody in it who stays.

use super::error::{Error, Report, sqlstate};
use super::report::{Level, emit};
use super::{allocator, guard, interrupts, raw, shmem};
use core::ffi::{CStr, c_char, c_int, c_long};
use core::ptr;
use pgrx::pg_sys::{self, BackgroundWorker, BackgroundWorkerHandle, Datum, Oid};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// In timeout.h of all versions.
const STATEMENT_TIMEOUT: c_int = 3;

/// What is to be done, where, and how often. A database may be missing at times.
pub(crate) struct Owner {
    pub(crate) databases: fn() -> Vec<String>,
    pub(crate) interval: fn() -> Duration,
    /// Called in a process of its own, connected as the bootstrap superuser, in no transaction.
    pub(crate) work: fn(),
}

static OWNER: OnceLock<&'static Owner> = OnceLock::new();

const LIBRARY: &CStr = c"plproxy";
const LAUNCHER: &CStr = c"plproxy recovery launcher";
const WORKER: &CStr = c"plproxy recovery worker";
/// The symbols below.
const LAUNCHER_SYMBOL: &CStr = c"plproxy_recovery_launcher";
const WORKER_SYMBOL: &CStr = c"plproxy_recovery_worker";
/// Seconds until a launcher that has ended is started again.
const RESTART: c_int = 5;
const FLAGS: u32 = pg_sys::BGWORKER_SHMEM_ACCESS
    | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION
    // Whoever drops the database need not wait for the round.
    | if cfg!(feature = "pg19") { 4 } else { 0 };
/// A launcher looks around as often in any case.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

const SIGHUP: c_int = 1;
const SIGTERM: c_int = 15;

type SignalHandler = unsafe extern "C-unwind" fn(c_int);

// As in `raw`. From 19 on signal handlers are given a second argument, which is passed on by nobody here.
unsafe extern "C-unwind" {
    fn RegisterBackgroundWorker(worker: *mut BackgroundWorker);
    fn RegisterDynamicBackgroundWorker(
        worker: *mut BackgroundWorker,
        handle: *mut *mut BackgroundWorkerHandle,
    ) -> bool;
    fn GetBackgroundWorkerPid(handle: *mut BackgroundWorkerHandle, pid: *mut c_int) -> c_int;
    fn BackgroundWorkerInitializeConnectionByOid(database: Oid, role: Oid, flags: u32);
    fn BackgroundWorkerUnblockSignals();
    #[cfg_attr(
        not(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")),
        link_name = "pqsignal_be"
    )]
    fn pqsignal(signal: c_int, handler: SignalHandler);
    fn die(signal: c_int);
    fn SignalHandlerForConfigReload(signal: c_int);
    fn SignalHandlerForShutdownRequest(signal: c_int);
    fn ProcessConfigFile(context: pg_sys::GucContext::Type);
    fn SetConfigOption(
        name: *const c_char,
        value: *const c_char,
        context: pg_sys::GucContext::Type,
        source: pg_sys::GucSource::Type,
    );
    fn table_open(relation: Oid, lock: c_int) -> pg_sys::Relation;
    fn WaitLatch(latch: *mut pg_sys::Latch, events: c_int, timeout: c_long, event: u32) -> c_int;
    fn ResetLatch(latch: *mut pg_sys::Latch);
    fn SetCurrentStatementStartTimestamp();
    fn StartTransactionCommand();
    fn CommitTransactionCommand();
    fn AbortCurrentTransaction();
    fn enable_timeout_after(id: c_int, milliseconds: c_int);
    fn disable_timeout(id: c_int, keep_indicator: bool);
    fn GetTransactionSnapshot() -> pg_sys::Snapshot;
    fn PushActiveSnapshot(snapshot: pg_sys::Snapshot);
    fn PopActiveSnapshot();
}

/// Has the launcher started, once the server is no standby; from _PG_init, after the settings are defined.
pub(crate) fn register(owner: &'static Owner) {
    if !shmem::is_preloading() || (owner.databases)().is_empty() {
        return;
    }
    OWNER.get_or_init(|| owner);
    let mut worker = describe(LAUNCHER, LAUNCHER_SYMBOL);
    worker.bgw_restart_time = RESTART;
    // SAFETY: copied; while libraries are preloaded it raises nothing.
    unsafe { RegisterBackgroundWorker(&raw mut worker) }
}

fn describe(name: &CStr, symbol: &CStr) -> BackgroundWorker {
    // SAFETY: numbers and arrays of characters, for which zero is a value.
    let mut worker: BackgroundWorker = unsafe { core::mem::zeroed() };
    // Their lengths differ between versions.
    let texts = [
        (worker.bgw_name.as_mut_slice(), name),
        (worker.bgw_type.as_mut_slice(), name),
        (worker.bgw_library_name.as_mut_slice(), LIBRARY),
        (worker.bgw_function_name.as_mut_slice(), symbol),
    ];
    for (to, text) in texts {
        for (to, byte) in to.iter_mut().zip(text.to_bytes()) {
            *to = *byte as c_char;
        }
    }
    worker.bgw_flags = FLAGS as c_int;
    worker.bgw_start_time = pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished;
    worker
}

/// Called by PostgreSQL in the launcher's process.
///
/// # Safety
/// By nobody else.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn plproxy_recovery_launcher(_: Datum) {
    run(SignalHandlerForShutdownRequest, Oid::INVALID, || {
        if let Err(error) = launch() {
            log(&text(&error));
            error.ends_here(AT_THE_END);
        }
    });
    // It is to be started again, unless the server is shut down.
    // SAFETY: no frame below owns anything.
    unsafe { raw::proc_exit(1) }
}

/// Called by PostgreSQL in a process for a database.
///
/// # Safety
/// As above.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn plproxy_recovery_worker(database: Datum) {
    run(die, Oid::from(database.value() as u32), || {
        if let Some(owner) = OWNER.get() {
            (owner.work)();
        }
    });
    // SAFETY: as above.
    unsafe { raw::proc_exit(0) }
}

/// Why an error may end where its process does.
const AT_THE_END: &str = "the process ends with what it holds";

/// Makes a process of PostgreSQL's of this one, and runs `work` in it. What is raised before ends the process, which is what
/// PostgreSQL has such processes do.
fn run(on_term: SignalHandler, database: Oid, work: fn()) {
    // SAFETY: as every worker does; this frame owns nothing.
    unsafe {
        pqsignal(SIGHUP, SignalHandlerForConfigReload);
        pqsignal(SIGTERM, on_term);
        BackgroundWorkerUnblockSignals();
        BackgroundWorkerInitializeConnectionByOid(database, Oid::INVALID, 0);
        // What the database or the role is given in the way of settings is meant for sessions.
        for (name, value) in SETTINGS {
            SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
    let ran = catch_unwind(AssertUnwindSafe(|| {
        if let Err(error) = allocator::replenish() {
            error.ends_here("it asks the system for memory; should there be none it goes without");
        }
        work();
    }));
    if ran.is_err() {
        log("the process panicked");
    }
}

const SETTINGS: &[(&CStr, &CStr)] = &[
    (c"role", c"none"),
    (c"exit_on_error", c"off"),
    (c"session_replication_role", c"origin"),
    (c"transform_null_equals", c"off"),
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_read_only", c"off"),
    (c"statement_timeout", c"0"),
    (c"lock_timeout", c"0"),
    #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
    (c"transaction_timeout", c"0"),
];

/// A database that is to be worked in.
struct Place {
    name: String,
    /// The process that was started last; null if it is known to be gone.
    process: *mut BackgroundWorkerHandle,
}

fn launch() -> Result<(), Error> {
    let Some(owner) = OWNER.get() else {
        return Ok(());
    };
    let places = (owner.databases)().into_iter().map(|name| Place {
        name,
        process: ptr::null_mut(),
    });
    let mut places: Vec<Place> = places.collect();
    loop {
        let begun = Instant::now();
        for place in &mut places {
            place.start()?;
        }
        loop {
            let left = (owner.interval)().saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            if !wait(left.min(LONGEST_WAIT))? {
                return Ok(());
            }
        }
    }
}

/// Waits for a signal, or as long; whether to go on.
fn wait(time: Duration) -> Result<bool, Error> {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // Never none at all, which would spin.
    let time = c_long::try_from(time.as_millis())
        .unwrap_or(c_long::MAX)
        .max(1);
    // SAFETY: this process's own latch, and statics that its signal handlers set.
    unsafe {
        guard::catch(|| {
            WaitLatch(
                pg_sys::MyLatch,
                events as c_int,
                time,
                pg_sys::PG_WAIT_EXTENSION,
            );
            ResetLatch(pg_sys::MyLatch);
        })?;
        if (&raw const pg_sys::ShutdownRequestPending).read_volatile() != 0 {
            return Ok(false);
        }
        interrupts::check()?;
        if ptr::replace(&raw mut pg_sys::ConfigReloadPending, 0) != 0 {
            guard::catch(|| ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP))?;
        }
    }
    Ok(true)
}

impl Place {
    /// Starts a process, unless the last one is still at it.
    fn start(&mut self) -> Result<(), Error> {
        let process = self.process;
        if !process.is_null() {
            let mut pid = 0;
            // SAFETY: what RegisterDynamicBackgroundWorker gave, and was not freed.
            let status = unsafe { guard::catch(|| GetBackgroundWorkerPid(process, &raw mut pid)) }?;
            if status != pg_sys::BgwHandleStatus::BGWH_STOPPED as c_int {
                return Ok(());
            }
            // SAFETY: the same; palloc'd, and ours.
            unsafe { raw::pfree(process.cast()) };
            self.process = ptr::null_mut();
        }
        let database = self.find()?;
        if database == Oid::INVALID {
            log(&format!("database \"{}\" does not exist", self.name));
            return Ok(());
        }
        let mut worker = describe(WORKER, WORKER_SYMBOL);
        worker.bgw_restart_time = pg_sys::BGW_NEVER_RESTART;
        worker.bgw_main_arg = Datum::from(database);
        let mut process = ptr::null_mut();
        // SAFETY: copied; the handle is allocated in a context that lives as long as the process.
        let is_registered = unsafe {
            pg_sys::CurrentMemoryContext = pg_sys::TopMemoryContext;
            guard::catch(|| RegisterDynamicBackgroundWorker(&raw mut worker, &raw mut process))
        }?;
        if is_registered {
            self.process = process;
        } else {
            log(&format!(
                "no process can be started for database \"{}\": max_worker_processes is exhausted",
                self.name
            ));
        }
        Ok(())
    }

    /// The database's OID, if it is there.
    fn find(&self) -> Result<Oid, Error> {
        let name = self.name.as_bytes();
        let mut oid = Oid::INVALID;
        let found = &mut oid;
        // SAFETY: a transaction around a look into a catalog that all databases share. The closure owns nothing. The row lives until
        // the next one, and its first columns are never null. An error ends the process.
        unsafe {
            guard::catch(|| {
                StartTransactionCommand();
                // From one end to the other: who is connected to no database may not have the index at hand.
                let relation = table_open(pg_sys::DatabaseRelationId, SHARE);
                let (none, nothing) = (ptr::null_mut(), ptr::null_mut());
                let scan = raw::systable_beginscan(relation, Oid::INVALID, false, none, 0, nothing);
                loop {
                    let row = raw::systable_getnext(scan);
                    if row.is_null() {
                        break;
                    }
                    let data: *mut c_char = (*row).t_data.cast();
                    let start = data.add(usize::from((*(*row).t_data).t_hoff));
                    let row: *const pg_sys::FormData_pg_database = start.cast();
                    if CStr::from_ptr((&raw const (*row).datname).cast()).to_bytes() == name {
                        *found = (*row).oid;
                    }
                }
                raw::systable_endscan(scan);
                raw::table_close(relation, SHARE);
                CommitTransactionCommand();
            })
        }?;
        Ok(oid)
    }
}

/// The lock of who reads.
const SHARE: c_int = pg_sys::AccessShareLock as c_int;

/// Runs `work` in a transaction of its own, which is canceled as by `statement_timeout` if it takes longer than `bound`. What went
/// wrong is told, and undoes what it did.
pub(crate) fn transaction(
    bound: Duration,
    work: impl FnOnce() -> Result<(), Error>,
) -> Result<(), String> {
    let milliseconds = c_int::try_from(bound.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: one that every process with a database has registered.
    let begun = unsafe { guard::catch(|| enable_timeout_after(STATEMENT_TIMEOUT, milliseconds)) };
    let result = begun
        .map_err(|error| text(&error.into()))
        .and_then(|()| unbounded(work));
    // SAFETY: the same. Should it have come to pass just now, there is nothing left for it to cancel.
    unsafe {
        guard::catch_here(AT_THE_END, || disable_timeout(STATEMENT_TIMEOUT, false));
        (&raw mut pg_sys::QueryCancelPending).write_volatile(0);
    }
    result
}

fn unbounded(work: impl FnOnce() -> Result<(), Error>) -> Result<(), String> {
    // SAFETY: in no transaction; the closures own nothing.
    let begun = unsafe {
        guard::catch(|| {
            SetCurrentStatementStartTimestamp();
            StartTransactionCommand();
            PushActiveSnapshot(GetTransactionSnapshot());
        })
    };
    let result = begun.map_err(Error::from).and_then(|()| {
        work()?;
        // SAFETY: ends what was begun above.
        unsafe {
            guard::catch(|| {
                PopActiveSnapshot();
                CommitTransactionCommand();
            })
        }?;
        Ok(())
    });
    let Err(error) = result else {
        return Ok(());
    };
    let what = text(&error);
    // Its memory is that of the transaction.
    error.ends_here("the transaction ends next, with all that is held");
    // SAFETY: ends whatever is left of the transaction.
    unsafe {
        guard::catch_here(AT_THE_END, || AbortCurrentTransaction());
    }
    Err(what)
}

fn text(error: &Error) -> String {
    match error {
        Error::Raised(raised) => String::from_utf8_lossy(raised.message()).into_owned(),
        Error::Report(report) => match &report.detail {
            Some(detail) => format!("{} ({detail})", report.message),
            None => report.message.clone(),
        },
    }
}

/// Writes a line to the server's log.
pub(crate) fn log(what: &str) {
    let report = Report::new(sqlstate::SUCCESSFUL, format!("PL/Proxy recovery: {what}"));
    if let Err(error) = emit(Level::Log, &report) {
        error.ends_here("to write a line of the log takes no lock");
    }
}
