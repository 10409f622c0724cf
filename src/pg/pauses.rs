//! The table of paused clusters and of what is under way, in memory that all sessions share; and the wait for a pause's end.
//!
//! What lies there is made of atomics only, but for the condition variable, which is PostgreSQL's. Nothing of it is held over a
//! call of PostgreSQL's that may raise.

use super::error::Error;
use super::{guard, interrupts, raw, shared_connections, waits};
use core::cell::Cell;
use core::ffi::{CStr, c_int, c_long};
use core::mem::{align_of, size_of};
use core::ptr;
use core::slice::from_raw_parts;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};
use core::time::Duration;
use pgrx::pg_sys::{self, ConditionVariable, Datum};
use plproxy_core::pause::{Header, PAUSES, Pause, Session, Table};
use std::panic::{AssertUnwindSafe, catch_unwind};

const NAME: &CStr = c"plproxy pauses";
/// The alignment of all that lies there.
const ALIGN: usize = 64;
const _: () = assert!(
    align_of::<Header>() <= ALIGN
        && align_of::<Pause>() <= ALIGN
        && align_of::<Session>() <= ALIGN
        && align_of::<ConditionVariable>() <= ALIGN
);
/// Behind the header.
const ENDED: usize = size_of::<Header>();
const FIRST_PAUSE: usize = ENDED + size_of::<ConditionVariable>().next_multiple_of(ALIGN);
const FIRST_SESSION: usize = FIRST_PAUSE + PAUSES * size_of::<Pause>();

/// A missed wake-up costs as much at the most.
const TICK: Duration = Duration::from_millis(500);

/// The shared memory, null without; it may be another after a crash of some session.
static BASE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// For how many processes it has room, as the postmaster has counted them.
static PROCESSES: AtomicUsize = AtomicUsize::new(0);

fn size() -> usize {
    FIRST_SESSION + PROCESSES.load(Relaxed) * size_of::<Session>() + ALIGN
}

/// Asks for the memory; called in the postmaster when it sizes the shared memory.
pub(super) fn request() {
    PROCESSES.store(shared_connections::processes(), Relaxed);
    // SAFETY: the time for it has come; an error ends the postmaster's start, as it should.
    unsafe { raw::RequestAddinShmemSpace(size()) }
}

/// Finds it, or makes it; called when the shared memory is there, under the lock for that.
///
/// # Safety
/// As for `ShmemInitStruct`, which may raise.
pub(super) unsafe fn startup() {
    let mut found = false;
    // SAFETY: as promised. It is zeroed, and the condition variable is made, before anybody looks at it.
    unsafe {
        let base: *mut u8 = raw::ShmemInitStruct(NAME.as_ptr(), size(), &raw mut found).cast();
        let base = base.add(base.align_offset(ALIGN));
        if !found {
            base.write_bytes(0, size() - ALIGN);
            raw::ConditionVariableInit(base.add(ENDED).cast());
        }
        BASE.store(base, Relaxed);
    }
}

/// The table, if the library was preloaded.
#[inline]
pub(crate) fn table() -> Option<Table> {
    let base = BASE.load(Relaxed);
    if base.is_null() {
        return None;
    }
    // SAFETY: `startup` made it, of that size; aligned; atomics only, for which zero is a value. It stays for as long as the
    // process lives.
    unsafe {
        Some(Table {
            header: &*base.cast::<Header>(),
            pauses: from_raw_parts(base.add(FIRST_PAUSE).cast(), PAUSES),
            sessions: from_raw_parts(base.add(FIRST_SESSION).cast(), PROCESSES.load(Relaxed)),
        })
    }
}

/// Signalled when a pause has ended; for who has found the table.
fn ended() -> *mut ConditionVariable {
    BASE.load(Relaxed).wrapping_add(ENDED).cast()
}

thread_local! {
    static SESSION: Cell<Option<&'static Session>> = const { Cell::new(None) };
}

/// This process's place, which it gives back when it ends. None if there are too many processes.
#[inline]
pub(crate) fn session(table: &Table) -> Result<Option<&'static Session>, Error> {
    match SESSION.get() {
        Some(session) => Ok(Some(session)),
        None => enter(table),
    }
}

#[cold]
fn enter(table: &Table) -> Result<Option<&'static Session>, Error> {
    let Some(session) = table.enter(std::process::id()) else {
        return Ok(None);
    };
    // SAFETY: a callback for the life of the process, in a library that is never unloaded.
    let registered = unsafe { guard::catch(|| raw::on_shmem_exit(Some(leaves), Datum::null())) };
    if let Err(raised) = registered {
        session.leave();
        return Err(raised.into());
    }
    SESSION.set(Some(session));
    Ok(Some(session))
}

/// The same, if it has one.
#[inline]
pub(crate) fn session_if_entered() -> Option<&'static Session> {
    SESSION.get()
}

/// Called when the process ends: atomics only.
unsafe extern "C-unwind" fn leaves(_: c_int, _: Datum) {
    // A panic must not reach PostgreSQL.
    let _panic = catch_unwind(AssertUnwindSafe(|| {
        if let Some(session) = SESSION.take() {
            session.leave();
        }
    }));
}

/// Waits until `is_over`, which is asked when a pause has ended and every now and then; or PostgreSQL raises for an interrupt.
pub(crate) fn wait_for_end(mut is_over: impl FnMut() -> Wait) -> Result<(), Error> {
    let event = waits::paused()?;
    // SAFETY: made by `startup`. On the list before the look, so that no end is missed between the two.
    unsafe { guard::catch(|| raw::ConditionVariablePrepareToSleep(ended())) }?;
    let result = loop {
        let longest = match is_over() {
            Wait::Over => break Ok(()),
            Wait::AtMost(longest) => longest.min(TICK).as_millis(),
        };
        let longest = c_long::try_from(longest).unwrap_or(1).max(1);
        if let Err(error) = interrupts::check() {
            break Err(error);
        }
        // SAFETY: no lock is held, so that its interrupts may raise.
        let slept =
            unsafe { guard::catch(|| raw::ConditionVariableTimedSleep(ended(), longest, event)) };
        if let Err(raised) = slept {
            break Err(raised.into());
        }
    };
    // SAFETY: takes this process off the list; does not raise.
    unsafe { raw::ConditionVariableCancelSleep() };
    result
}

/// Whether a wait goes on, and for how long.
pub(crate) enum Wait {
    Over,
    AtMost(Duration),
}

/// Wakes who waits for it.
pub(crate) fn tell_of_end() -> Result<(), Error> {
    // SAFETY: made by `startup`.
    unsafe { guard::catch(|| raw::ConditionVariableBroadcast(ended())) }?;
    Ok(())
}

/// Waits for a moment, until calls that are under way may have ended.
pub(crate) fn wait_for_calls(longest: Duration) -> Result<(), Error> {
    let event = waits::pausing()?;
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    let longest = c_long::try_from(longest.as_millis()).unwrap_or(1).max(1);
    const NO_SOCKET: c_int = -1;
    // SAFETY: the process's own latch.
    unsafe {
        guard::catch(|| {
            raw::WaitLatchOrSocket(pg_sys::MyLatch, events as i32, NO_SOCKET, longest, event);
            raw::ResetLatch(pg_sys::MyLatch);
        })
    }?;
    interrupts::check()
}
