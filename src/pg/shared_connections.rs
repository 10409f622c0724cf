//! The table of connections that sessions share, in memory that all share; and word of a process's end.
//!
//! What lies there is made of atomics only. Nothing of it is held over a call of PostgreSQL's that may raise.

use super::error::Error;
use super::{guard, raw};
use core::cell::Cell;
use core::ffi::{CStr, c_int};
use core::mem::{align_of, size_of};
use core::ptr;
use core::slice::from_raw_parts;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use pgrx::pg_sys::{self, Datum};
use plproxy_core::shared::{Header, Secret, Slot, Stripe, Table, Waiter};
use plproxy_remote::wakers;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

const NAME: &CStr = c"plproxy shared connections";
/// The alignment of all that lies there.
const ALIGN: usize = 64;
const _: () = assert!(
    align_of::<Header>() <= ALIGN
        && align_of::<Stripe>() <= ALIGN
        && align_of::<Slot>() <= ALIGN
        && align_of::<Waiter>() <= ALIGN
);

/// The shared memory, null without; it may be another after a crash of some session.
static BASE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// How many slots and processes it has room for, as the postmaster has counted them.
static SLOTS: AtomicUsize = AtomicUsize::new(0);
static PROCESSES: AtomicUsize = AtomicUsize::new(0);

/// So many wait at the least, and so many of each process.
const LEAST_WAITERS: usize = 1024;
const WAITERS: usize = 8;

/// Where things lie in the memory.
struct Places {
    slots: usize,
    processes: usize,
    waiters: usize,
    at: [usize; 6],
    size: usize,
}

impl Places {
    fn new(slots: usize, processes: usize) -> Self {
        let waiters = LEAST_WAITERS.max(processes.saturating_mul(WAITERS));
        let sizes = [
            size_of::<Header>(),
            Table::STRIPES * size_of::<Stripe>(),
            slots * size_of::<AtomicU64>(),
            slots * size_of::<AtomicU64>(),
            waiters * size_of::<Waiter>(),
            processes * size_of::<AtomicU32>(),
        ];
        let mut size = 0_usize;
        let at = sizes.map(|part| {
            let at = size;
            size += part.next_multiple_of(ALIGN);
            at
        });
        Self {
            slots,
            processes,
            waiters,
            at,
            size,
        }
    }

    /// The slots come last: they are large, and not touched before they are used.
    fn whole(&self) -> usize {
        self.size + self.slots * size_of::<Slot>() + ALIGN
    }
}

/// How many processes there may be at the most.
pub(super) fn processes() -> usize {
    // SAFETY: reads settings, which the postmaster has read before it loads libraries.
    let counts = unsafe {
        [
            pg_sys::MaxConnections,
            pg_sys::max_worker_processes,
            pg_sys::autovacuum_max_workers,
            pg_sys::max_wal_senders,
        ]
    };
    let known = counts
        .iter()
        .map(|count| usize::try_from(*count).unwrap_or(0));
    known.sum::<usize>() + 64
}

/// How many connections there is to be room for.
static ROOM: OnceLock<fn() -> usize> = OnceLock::new();

/// Says how many connections there is to be room for; once, from _PG_init, before the memory is asked for.
pub(crate) fn register(room: fn() -> usize) {
    ROOM.get_or_init(|| room);
}

/// Asks for the memory; called in the postmaster when it sizes the shared memory.
pub(super) fn request() {
    let slots = ROOM.get().map_or(0, |room| room());
    if slots > 0 {
        let processes = processes();
        SLOTS.store(slots, Relaxed);
        PROCESSES.store(processes, Relaxed);
        // SAFETY: the time for it has come; an error ends the postmaster's start, as it should.
        unsafe { raw::RequestAddinShmemSpace(Places::new(slots, processes).whole()) }
    }
}

/// Finds it, or makes it; called when the shared memory is there, under the lock for that.
///
/// # Safety
/// As for `ShmemInitStruct`, which may raise.
pub(super) unsafe fn startup() {
    let (slots, processes) = (SLOTS.load(Relaxed), PROCESSES.load(Relaxed));
    if slots == 0 {
        return;
    }
    let places = Places::new(slots, processes);
    let mut found = false;
    // SAFETY: as promised. All but the slots is zeroed before anybody looks at it; a slot is written before it is used, and
    // whatever its bytes are, they are values of atomics.
    unsafe {
        let base: *mut u8 =
            raw::ShmemInitStruct(NAME.as_ptr(), places.whole(), &raw mut found).cast();
        let base = base.add(base.align_offset(ALIGN));
        if !found {
            base.write_bytes(0, places.size);
        }
        BASE.store(base, Relaxed);
    }
    if !found && let Some(table) = table() {
        // The keys of a hash map are random bits of the system; those that spread load could be guessed.
        let random = || RandomState::new().hash_one(std::process::id());
        table.set_secret(Secret([random(), random()]));
    }
}

/// The table, if the library was preloaded and there are slots.
pub(crate) fn table() -> Option<Table> {
    let base = BASE.load(Relaxed);
    if base.is_null() {
        return None;
    }
    let places = Places::new(SLOTS.load(Relaxed), PROCESSES.load(Relaxed));
    let [header, stripes, words, limits, waiters, processes] = places.at;
    // SAFETY: `startup` made it, of that size; aligned; atomics only, for which any bytes are a value. It stays for as long as
    // the process lives.
    unsafe {
        Some(Table {
            header: &*base.add(header).cast::<Header>(),
            stripes: from_raw_parts(base.add(stripes).cast(), Table::STRIPES),
            words: from_raw_parts(base.add(words).cast(), places.slots),
            limits: from_raw_parts(base.add(limits).cast(), places.slots),
            slots: from_raw_parts(base.add(places.size).cast(), places.slots),
            waiters: from_raw_parts(base.add(waiters).cast(), places.waiters),
            processes: from_raw_parts(base.add(processes).cast(), places.processes),
            wakers: wakers(),
        })
    }
}

thread_local! {
    /// The number of this process.
    static OWNER: Cell<Option<u32>> = const { Cell::new(None) };
}

/// A number for this process, which is given back with all that it has when it ends. None if there are too many.
pub(crate) fn enter(table: &Table) -> Result<Option<u32>, Error> {
    if let Some(owner) = OWNER.get() {
        return Ok(Some(owner));
    }
    let Some(owner) = table.enter(std::process::id()) else {
        return Ok(None);
    };
    // SAFETY: a callback for the life of the process, in a library that is never unloaded.
    let registered =
        unsafe { guard::catch(|| raw::on_shmem_exit(Some(leaves), Datum::from(owner))) };
    if let Err(raised) = registered {
        table.leave(owner);
        return Err(raised.into());
    }
    OWNER.set(Some(owner));
    Ok(Some(owner))
}

/// Called when the process ends. Atomics, a message to the keeper, and wake-ups for others; nothing of PostgreSQL's.
unsafe extern "C-unwind" fn leaves(_: c_int, owner: Datum) {
    // A panic must not reach PostgreSQL.
    let _panic = catch_unwind(AssertUnwindSafe(|| {
        if let (Some(table), Ok(owner)) = (table(), u32::try_from(owner.value())) {
            table.leave(owner);
        }
    }));
}
