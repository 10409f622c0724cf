//! Memory that all sessions share, where the library is preloaded; else memory of this session's own in the same form.
//!
//! What lies there is made of atomics only, so that all-zero bytes are a value and any session may look at any time.

use super::compat;
use super::error::Error;
use super::{guard, pauses, raw, shared_connections};
use core::ffi::c_int;
use core::mem::{align_of, size_of};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};
use pgrx::pg_sys::{self, Datum};
use plproxy_core::stats::{Entry, Header, Label};
use std::alloc::{Layout, alloc_zeroed};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

const NAME: &core::ffi::CStr = c"plproxy";
/// The alignment of all that lies there.
const ALIGN: usize = 64;
const _: () = assert!(
    align_of::<Header>() <= ALIGN && align_of::<Entry>() <= ALIGN && align_of::<Label>() <= ALIGN
);

/// The shared memory, null without; it may be another after a crash of some session.
static BASE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static LOCK: AtomicPtr<pg_sys::LWLock> = AtomicPtr::new(ptr::null_mut());
/// How many partitions it has room for.
static ROOM: AtomicUsize = AtomicUsize::new(0);

/// The tables of statistics of all sessions, or of this one.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) header: &'static Header,
    pub(crate) partitions: &'static [Entry],
    /// Of the partitions, in the same order.
    pub(crate) labels: &'static [Label],
    pub(crate) functions: &'static [Entry],
    pub(crate) is_shared: bool,
}

/// What is to be called, and for how many partitions and functions there is to be room.
pub(crate) struct Owner {
    pub(crate) room: fn() -> usize,
    /// The memory is there; in the postmaster.
    pub(crate) load: fn(&Memory),
    /// The server was shut down; in the postmaster.
    pub(crate) save: fn(&Memory),
}

static OWNER: OnceLock<&'static Owner> = OnceLock::new();
static PREVIOUS_STARTUP: OnceLock<pg_sys::shmem_startup_hook_type> = OnceLock::new();

/// Whether the postmaster is loading `shared_preload_libraries`.
pub(crate) fn is_preloading() -> bool {
    // SAFETY: reads a static of the process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Asks for the memory, and to be called when it is there; once, from _PG_init, after the settings are defined.
pub(crate) fn register(owner: &'static Owner) {
    if !is_preloading() {
        return;
    }
    OWNER.get_or_init(|| owner);
    compat::at_shmem_request(request);
    // SAFETY: the postmaster's one thread; hooks are called one after the other.
    PREVIOUS_STARTUP.get_or_init(|| unsafe {
        ptr::replace(&raw mut pg_sys::shmem_startup_hook, Some(startup))
    });
}

fn wanted_room() -> usize {
    OWNER.get().map_or(0, |owner| (owner.room)())
}

/// Called in the postmaster when it sizes the shared memory.
fn request() {
    let size = Places::new(wanted_room()).size + ALIGN;
    // SAFETY: the time for it has come; an error ends the postmaster's start, as it should.
    unsafe {
        raw::RequestAddinShmemSpace(size);
        raw::RequestNamedLWLockTranche(NAME.as_ptr(), 1);
    }
    shared_connections::request();
    pauses::request();
}

/// Called in the postmaster when the shared memory is there, again after a crash.
unsafe extern "C-unwind" fn startup() {
    if let Some(Some(previous)) = PREVIOUS_STARTUP.get() {
        // SAFETY: the hook that was there before ours, called as it would have been.
        unsafe { previous() };
    }
    let room = wanted_room();
    let size = Places::new(room).size + ALIGN;
    let mut found = false;
    // SAFETY: as every library does it; an error ends the start. The memory is at least that large, and zeroed below before
    // anybody looks at it.
    unsafe {
        raw::LWLockAcquire(compat::addin_shmem_init_lock(), EXCLUSIVE);
        let base: *mut u8 = raw::ShmemInitStruct(NAME.as_ptr(), size, &raw mut found).cast();
        let base = base.add(base.align_offset(ALIGN));
        if !found {
            base.write_bytes(0, size - ALIGN);
        }
        LOCK.store(raw::GetNamedLWLockTranche(NAME.as_ptr()).cast(), Relaxed);
        ROOM.store(room, Relaxed);
        BASE.store(base, Relaxed);
        shared_connections::startup();
        pauses::startup();
        raw::LWLockRelease(compat::addin_shmem_init_lock());
        if found || pg_sys::IsUnderPostmaster {
            return;
        }
        raw::on_shmem_exit(Some(end), Datum::null());
    }
    if let (Some(memory), Some(owner)) = (shared(), OWNER.get()) {
        // A panic must not reach the postmaster.
        let _panic = catch_unwind(AssertUnwindSafe(|| (owner.load)(&memory)));
    }
}

/// Called in the postmaster when it ends.
unsafe extern "C-unwind" fn end(code: c_int, _: Datum) {
    if code != 0 {
        return;
    }
    if let (Some(memory), Some(owner)) = (shared(), OWNER.get()) {
        // A panic must not reach the postmaster.
        let _panic = catch_unwind(AssertUnwindSafe(|| {
            if was_shut_down() {
                (owner.save)(&memory);
            }
        }));
    }
}

/// Whether the server was shut down as it should be. After an immediate shutdown, which also ends the postmaster without a
/// complaint, sessions may have been ended in the middle of anything.
fn was_shut_down() -> bool {
    let mut is_whole = false;
    // SAFETY: reads a file into palloc'd memory, which the process takes with it.
    let state = unsafe {
        guard::catch_here(
            "the process is ending already, and goes on with that",
            || {
                let control = raw::get_controlfile(pg_sys::DataDir, &raw mut is_whole);
                (*control).state
            },
        )
    };
    is_whole
        && matches!(
            state,
            Some(pg_sys::DBState::DB_SHUTDOWNED | pg_sys::DBState::DB_SHUTDOWNED_IN_RECOVERY)
        )
}

/// Where things lie in the memory.
struct Places {
    partitions: usize,
    functions: usize,
    labels: usize,
    size: usize,
}

impl Places {
    fn new(room: usize) -> Self {
        // The largest room that the setting allows is far from any overflow.
        let up = |size: usize| size.next_multiple_of(ALIGN);
        let partitions = up(size_of::<Header>());
        let functions = partitions + up(room * size_of::<Entry>());
        let labels = functions + up(room * size_of::<Entry>());
        Self {
            partitions,
            functions,
            labels,
            size: labels + up(room * size_of::<Label>()),
        }
    }

    /// # Safety
    /// `base` must be aligned to `ALIGN` and point to that much memory, which was zero once and which nobody but us writes
    /// to, for as long as the process lives.
    unsafe fn at(&self, base: *mut u8, room: usize, is_shared: bool) -> Memory {
        // SAFETY: within the memory and aligned; the types are atomics only, for which zero is a value.
        unsafe {
            Memory {
                header: &*base.cast::<Header>(),
                partitions: core::slice::from_raw_parts(base.add(self.partitions).cast(), room),
                functions: core::slice::from_raw_parts(base.add(self.functions).cast(), room),
                labels: core::slice::from_raw_parts(base.add(self.labels).cast(), room),
                is_shared,
            }
        }
    }
}

/// The memory that all sessions share, if the library was preloaded.
pub(crate) fn shared() -> Option<Memory> {
    let (base, room) = (BASE.load(Relaxed), ROOM.load(Relaxed));
    // SAFETY: `startup` made it, of that size.
    (!base.is_null()).then(|| unsafe { Places::new(room).at(base, room, true) })
}

/// Memory of this session's own, which lives as long as it. Pages that nobody touches cost nothing, as long as the system
/// need not be asked for more than its usual alignment: then it would be filled with zeros here.
pub(crate) fn private(room: usize) -> Option<Memory> {
    let places = Places::new(room);
    let layout = Layout::from_size_align(places.size + ALIGN, align_of::<u64>()).ok()?;
    // SAFETY: the size is not zero; there is room for the alignment; the memory is never freed.
    unsafe {
        let base = alloc_zeroed(layout);
        (!base.is_null()).then(|| places.at(base.add(base.align_offset(ALIGN)), room, false))
    }
}

const EXCLUSIVE: pg_sys::LWLockMode::Type = pg_sys::LWLockMode::LW_EXCLUSIVE;
const SHARED: pg_sys::LWLockMode::Type = pg_sys::LWLockMode::LW_SHARED;

/// The lock of the shared memory, released when dropped.
pub(crate) struct Locked(*mut pg_sys::LWLock);

impl Locked {
    /// The lock, if nobody has it who must not. To wait for it inside of PostgreSQL would be a wait that nothing ends, should
    /// its holder be stopped. Nothing of PostgreSQL's that may raise is to be called while it lives.
    pub(crate) fn try_take(exclusive: bool) -> Result<Option<Self>, Error> {
        let lock = LOCK.load(Relaxed);
        if !lock.is_null() {
            let mode = if exclusive { EXCLUSIVE } else { SHARED };
            // SAFETY: the lock of our tranche.
            if !unsafe { guard::catch(|| raw::LWLockConditionalAcquire(lock, mode)) }? {
                return Ok(None);
            }
        }
        Ok(Some(Self(lock)))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: held since `try_take`: nothing in between raises.
            unsafe { raw::LWLockRelease(self.0) };
        }
    }
}
