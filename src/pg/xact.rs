//! The local transaction: what it is, and word of its end.

use super::error::{Error, Report};
use super::memory::Switched;
use super::{allocator, guard, raw, report};
use core::cell::Cell;
use core::ffi::{CStr, c_void};
use pgrx::pg_sys::{
    self, Datum, Oid, SubTransactionId, SubXactEvent, SysCacheIdentifier, XactEvent,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static TIDY: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Has `f` called at the end of each transaction, to tidy up; once, from _PG_init. It must not raise.
pub(crate) fn register(f: fn()) {
    TIDY.set(Some(f));
    // SAFETY: called once, from _PG_init; the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::RegisterXactCallback(Some(tidy), core::ptr::null_mut()) }
}

/// Called by xact.c in the middle of a commit or an abort: must not raise. What it calls closes sockets, and calls nothing of
/// PostgreSQL's but what gives a file descriptor back.
unsafe extern "C-unwind" fn tidy(event: XactEvent::Type, _: *mut c_void) {
    let is_end = matches!(
        event,
        XactEvent::XACT_EVENT_COMMIT | XactEvent::XACT_EVENT_ABORT | XactEvent::XACT_EVENT_PREPARE
    );
    if is_end && let Some(f) = TIDY.get() {
        // A panic must not reach xact.c, and what was not closed now will be at another end.
        let _panic = catch_unwind(AssertUnwindSafe(f));
    }
}

/// The end of a transaction, or of a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is about to be committed, and no user's code will run any more; an error prevents that.
    Committing,
    /// It is committed, and its commit is on disk if that was asked for. Its locks are still held.
    Committed,
    /// It was rolled back. Its locks are still held.
    Aborted,
    /// It is about to be prepared; an error prevents that.
    Preparing,
    /// A subtransaction became part of another.
    SubCommitted(SubTransactionId, SubTransactionId),
    /// A subtransaction was rolled back. Its locks are still held.
    SubAborted(SubTransactionId),
}

/// What is called at an end. Only `Committing` and `Preparing` may fail, and be interrupted. At the others interrupts are held off,
/// and there is no catalog to look into: it talks to the partitions, and of PostgreSQL's it may use what needs neither, as
/// memory, settings and warnings do, with errors caught as everywhere.
pub(crate) type Handler = fn(Ending) -> Result<(), Error>;

thread_local! {
    static HANDLER: Cell<Option<Handler>> = const { Cell::new(None) };
    /// Whether the first of the two callbacks is registered.
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// Has the handler called, from now on.
pub(crate) fn at_end(handler: Handler) -> Result<(), Error> {
    if HANDLER.get().is_some() {
        return Ok(());
    }
    // Each once, even if the other finds no memory: nobody is to be told of an end twice.
    if !REGISTERED.get() {
        let nothing = core::ptr::null_mut();
        // SAFETY: the callback is a function of this library, which is never unloaded.
        unsafe { guard::catch(|| raw::RegisterXactCallback(Some(transaction_ends), nothing)) }?;
        REGISTERED.set(true);
    }
    let nothing = core::ptr::null_mut();
    // SAFETY: the same.
    unsafe { guard::catch(|| raw::RegisterSubXactCallback(Some(subtransaction_ends), nothing)) }?;
    HANDLER.set(Some(handler));
    Ok(())
}

/// Tells the handler. A panic in it must not unwind into PostgreSQL; it leaves to the recovery what it left undone.
fn tell(ending: Ending) -> Result<(), Error> {
    let Some(handler) = HANDLER.get() else {
        return Ok(());
    };
    if let Err(error) = allocator::replenish() {
        error.ends_here("it asks the system for memory; should there be none it goes without");
    }
    catch_unwind(AssertUnwindSafe(|| handler(ending))).unwrap_or_else(|_| {
        if ending == Ending::Committing {
            let what = "PL/Proxy: the partitions could not be committed";
            return Err(Report::internal(what).into());
        }
        Ok(())
    })
}

/// Called by xact.c.
unsafe extern "C-unwind" fn transaction_ends(event: XactEvent::Type, _: *mut c_void) {
    let ending = match event {
        XactEvent::XACT_EVENT_PRE_COMMIT => Ending::Committing,
        XactEvent::XACT_EVENT_COMMIT => Ending::Committed,
        XactEvent::XACT_EVENT_ABORT => Ending::Aborted,
        XactEvent::XACT_EVENT_PRE_PREPARE => Ending::Preparing,
        _ => return,
    };
    match tell(ending) {
        // SAFETY: `error` is the only value left, and it is moved; before the end an error is an ordinary one.
        Err(error) if matches!(ending, Ending::Committing | Ending::Preparing) => unsafe {
            report::raise(error)
        },
        Err(error) => error.ends_here(AT_THE_END),
        Ok(()) => (),
    }
}

/// Why an error may end in a callback that must not fail.
const AT_THE_END: &str = "nothing that may be used there takes a lock";

/// Called by xact.c.
unsafe extern "C-unwind" fn subtransaction_ends(
    event: SubXactEvent::Type,
    this: SubTransactionId,
    parent: SubTransactionId,
    _: *mut c_void,
) {
    let ending = match event {
        SubXactEvent::SUBXACT_EVENT_COMMIT_SUB => Ending::SubCommitted(this, parent),
        SubXactEvent::SUBXACT_EVENT_ABORT_SUB => Ending::SubAborted(this),
        _ => return,
    };
    if let Err(error) = tell(ending) {
        error.ends_here(AT_THE_END);
    }
}

/// Runs `f` in a subtransaction. An error, be it raised by PostgreSQL or ours, undoes what it did and is given as a message;
/// but an interrupt, or want of memory, is an error as ever.
pub(crate) fn attempt<T>(f: impl FnOnce() -> Result<T, Error>) -> Result<Result<T, String>, Error> {
    // SAFETY: statics of the backend.
    let (context, owner, kept_in) = unsafe {
        (
            pg_sys::CurrentMemoryContext,
            pg_sys::CurrentResourceOwner,
            pg_sys::CurTransactionContext,
        )
    };
    // SAFETY: begins a level below the current one, which `end` ends.
    unsafe { guard::catch(|| raw::BeginInternalSubTransaction(core::ptr::null())) }?;
    let result = {
        let _in_callers = Switched::to(context);
        // SAFETY: the memory of the transaction around the new one, which outlives it.
        let _kept = unsafe { guard::KeptIn::context(kept_in) };
        f()
    };
    // SAFETY: ends the level begun above; the memory context and the resource owner are those of the caller again, as
    // subtransactions of PL/pgSQL leave them.
    let ended = unsafe {
        let ended = guard::catch(|| match &result {
            Ok(_) => raw::ReleaseCurrentSubTransaction(),
            Err(_) => raw::RollbackAndReleaseCurrentSubTransaction(),
        });
        pg_sys::CurrentMemoryContext = context;
        pg_sys::CurrentResourceOwner = owner;
        ended
    };
    ended?;
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.ends_all() => Err(error),
        // Its subtransaction has ended, and with it what was held.
        Err(error) => error.message().map(Err),
    }
}

/// The current subtransaction.
pub(crate) fn subtransaction() -> SubTransactionId {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::GetCurrentSubTransactionId() }
}

/// The number of the current (sub)transaction, which gets one now if it has none. It is never given again, once it is in
/// the log on disk.
pub(crate) fn id() -> Result<u64, Error> {
    // SAFETY: raises where there can be none, as in recovery.
    let id = unsafe { guard::catch(|| raw::GetCurrentFullTransactionId()) }?;
    Ok(id.value)
}

/// The next number that a transaction will get; none that is as high has run.
pub(crate) fn next_id() -> Result<u64, Error> {
    // SAFETY: reads shared memory under its lock.
    let id = unsafe { guard::catch(|| raw::ReadNextFullTransactionId()) }?;
    Ok(id.value)
}

/// Where this transaction's last record lies in the log.
pub(crate) fn last_record() -> u64 {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::XactLastRecEnd }
}

/// Waits until this transaction's records are on disk.
pub(crate) fn flush_log() -> Result<(), Error> {
    let until = last_record();
    // SAFETY: a place up to which this backend has written.
    unsafe { guard::catch(|| raw::XLogFlush(until)) }?;
    Ok(())
}

/// Refuses a command that writes where nothing may be written.
pub(crate) fn prevent_if_read_only(command: &'static CStr) -> Result<(), Error> {
    // SAFETY: a C string; raises in a read-only transaction.
    unsafe { guard::catch(|| raw::PreventCommandIfReadOnly(command.as_ptr())) }?;
    Ok(())
}

/// When the transaction began, as a timestamp with a time zone.
pub(crate) fn started_at() -> i64 {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}

/// Has this transaction's commit wait for the disk, whatever `synchronous_commit` says.
pub(crate) fn force_sync_commit() -> Result<(), Error> {
    // SAFETY: sets a flag of the current transaction.
    unsafe { guard::catch(|| raw::ForceSyncCommit()) }?;
    Ok(())
}

/// Whether each statement sees what was committed before it, as in READ COMMITTED.
pub(crate) fn sees_later_commits() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::XactIsoLevel <= pg_sys::XACT_READ_COMMITTED as i32 }
}

/// The transaction's isolation level, in SQL.
pub(crate) fn isolation() -> &'static str {
    // SAFETY: reads a static of the backend.
    match unsafe { pg_sys::XactIsoLevel } as u32 {
        pg_sys::XACT_SERIALIZABLE => "serializable",
        pg_sys::XACT_REPEATABLE_READ => "repeatable read",
        pg_sys::XACT_READ_UNCOMMITTED => "read uncommitted",
        _ => "read committed",
    }
}

/// Whether the transaction may fail for what others have read and written.
pub(crate) fn is_serializable() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32 }
}

/// Whether nothing may be written now.
pub(crate) fn is_read_only() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::XactReadOnly }
}

/// Whether the transaction has written something here.
pub(crate) fn has_written() -> bool {
    // SAFETY: reads statics of the backend.
    unsafe { pg_sys::GetTopTransactionIdIfAny() != pg_sys::InvalidTransactionId }
}

/// Whether the transaction has used temporary tables. What is to be done to these at the commit can fail.
pub(crate) fn has_used_temporary_tables() -> bool {
    const FLAG: u32 = pg_sys::XACT_FLAGS_ACCESSEDTEMPNAMESPACE;
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::MyXactFlags as u32 & FLAG != 0 }
}

/// Whether this process works for another session's statement.
pub(crate) fn is_parallel_worker() -> bool {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::ParallelWorkerNumber >= 0 }
}

/// Whether this server is a standby.
pub(crate) fn in_recovery() -> bool {
    // SAFETY: reads shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Has changes of the catalogs that others have committed meanwhile taken notice of.
pub(crate) fn notice_changes() -> Result<(), Error> {
    // SAFETY: in a transaction; calls the callbacks of caches, which may read catalogs.
    unsafe { guard::catch(|| raw::AcceptInvalidationMessages()) }?;
    Ok(())
}

/// Runs `f` seeing what is committed by now, and not only what the statement around it sees.
pub(crate) fn seeing_latest<T>(f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // SAFETY: a snapshot for as long as `f` runs. Those of parallel queries are their leader's.
    unsafe {
        if raw::IsInParallelMode() {
            return f();
        }
        guard::catch(|| raw::PushActiveSnapshot(raw::GetLatestSnapshot()))?;
        let result = f();
        // What was raised ends a subtransaction, and the snapshots of that with it.
        if !matches!(result, Err(Error::Raised(_))) {
            guard::catch(|| raw::PopActiveSnapshot())?;
        }
        result
    }
}

/// This session's database.
pub(crate) fn database() -> u32 {
    // SAFETY: reads a static of the backend.
    unsafe { pg_sys::MyDatabaseId.to_u32() }
}

/// Whether there is a database of that OID.
pub(crate) fn database_exists(database: u32) -> Result<bool, Error> {
    let (key, none) = (Datum::from(Oid::from(database)), Datum::null());
    let cache = SysCacheIdentifier::DATABASEOID as i32;
    // SAFETY: a look-up by OID.
    let found =
        unsafe { guard::catch(|| raw::SearchSysCacheExists(cache, key, none, none, none)) }?;
    Ok(found)
}

/// The identifier that `initdb` gave to this server, and that its copies share.
pub(crate) fn system() -> Result<u64, Error> {
    // SAFETY: reads the control file's copy in shared memory.
    Ok(unsafe { guard::catch(|| raw::GetSystemIdentifier()) }?)
}
