//! The memory of Rust's own values: the system's, with a reserve.
//!
//! Where there is no memory left Rust ends the process, and PostgreSQL then ends every other session. So whatever may be
//! large asks first whether there is room, or holds it ([`plproxy_core::room`]), and for the rest there is a reserve: when the
//! system refuses what must not fail, what is held is given up for it, and then the reserve. The call in the middle of which
//! the reserve went fails at the next look.

use super::error::{Error, Report, sqlstate};
use core::hint;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed};
use plproxy_core::room::{self, NoRoom, Room};
use std::alloc::{GlobalAlloc, Layout, System};

/// Enough for what a call takes between two looks. It is never written to, and so is no more than a range of addresses.
const RESERVE: Layout = match Layout::from_size_align(4 << 20, 16) {
    Ok(layout) => layout,
    Err(_) => Layout::new::<u64>(),
};

/// From that size on it is seen first whether there is room.
const LARGE: usize = RESERVE.size() / 16;

struct Reserving;

#[global_allocator]
static ALLOCATOR: Reserving = Reserving;

/// The reserve, or null. Atomics for the compiler alone: a backend has one thread.
static HELD: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// The reserve was given up.
static SHORT: AtomicBool = AtomicBool::new(false);

/// So far the stack may have to grow in a call. PostgreSQL sees to it that there is more, by `max_stack_depth`.
const STACK: usize = 256 << 10;
/// The stack has grown so far once; it does not shrink.
static HAS_GROWN: AtomicBool = AtomicBool::new(false);

impl Reserving {
    /// Asks again where the system has refused, if there is something to give up for it. Not for whoever can do without.
    #[cold]
    fn again(size: usize, ask: impl Fn() -> *mut u8) -> *mut u8 {
        if room::is_asking() {
            return ptr::null_mut();
        }
        while room::give_up(size) {
            let memory = ask();
            if !memory.is_null() {
                return memory;
            }
        }
        let reserve = HELD.swap(ptr::null_mut(), Relaxed);
        if reserve.is_null() {
            return ptr::null_mut();
        }
        SHORT.store(true, Relaxed);
        // SAFETY: `replenish` got it from the system's allocator with this layout, and it is nobody's any more.
        unsafe { System.dealloc(reserve, RESERVE) };
        ask()
    }
}

// SAFETY: every request goes to the system's allocator, whose promises are passed on; nothing here unwinds.
unsafe impl GlobalAlloc for Reserving {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that the system's allocator asks for. So they are below.
        let ask = || unsafe { System.alloc(layout) };
        let memory = ask();
        if memory.is_null() {
            return Self::again(layout.size(), ask);
        }
        memory
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let ask = || unsafe { System.alloc_zeroed(layout) };
        let memory = ask();
        if memory.is_null() {
            return Self::again(layout.size(), ask);
        }
        memory
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above; what was refused has left the old block as it was.
        let ask = || unsafe { System.realloc(old, layout, size) };
        let memory = ask();
        if memory.is_null() {
            return Self::again(size, ask);
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Has the stack grow once while there is memory for it: where there is none left the system ends a process whose stack is to
/// grow.
fn grow_stack() -> Result<(), Error> {
    if HAS_GROWN.load(Relaxed) {
        return Ok(());
    }
    if !room::can_allocate(STACK) {
        return Err(out_of_memory(STACK));
    }
    touch_stack();
    HAS_GROWN.store(true, Relaxed);
    Ok(())
}

/// A frame of that size, each page of which is written to.
#[inline(never)]
fn touch_stack() {
    hint::black_box(&mut [0_u8; STACK]);
}

/// Sees that the reserve is there: before a call.
pub(crate) fn replenish() -> Result<(), Error> {
    grow_stack()?;
    if HELD.load(Relaxed).is_null() {
        // SAFETY: the layout has a size.
        let reserve = unsafe { System.alloc(RESERVE) };
        if reserve.is_null() {
            return Err(out_of_memory(RESERVE.size()));
        }
        HELD.store(reserve, Relaxed);
    }
    SHORT.store(false, Relaxed);
    Ok(())
}

/// Whether the reserve was given up: the call is to end.
pub(crate) fn is_short() -> bool {
    SHORT.load(Relaxed)
}

/// An error if the reserve was given up.
pub(crate) fn check() -> Result<(), Error> {
    if is_short() {
        return Err(out_of_memory(0));
    }
    Ok(())
}

/// Holds room for what is going to be taken where that cannot fail, unless the reserve is enough for it.
pub(crate) fn hold(bytes: usize) -> Result<Option<Room>, Error> {
    if bytes <= LARGE {
        return Ok(None);
    }
    Ok(Some(room::hold(bytes)?))
}

impl From<NoRoom> for Error {
    fn from(NoRoom(bytes): NoRoom) -> Self {
        out_of_memory(bytes)
    }
}

/// PostgreSQL's own words.
pub(super) fn out_of_memory(size: usize) -> Error {
    let mut report = Report::new(sqlstate::OUT_OF_MEMORY, "out of memory");
    report.detail = (size > 0).then(|| format!("Failed on request of size {size}."));
    report.into()
}
