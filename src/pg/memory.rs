//! Memory contexts of PostgreSQL with an owner in Rust.

use super::error::Error;
use super::{guard, raw};
use core::cell::Cell;
use core::ptr;
use pgrx::pg_sys;

/// A memory context that is deleted with its owner.
///
/// A call makes one for its values: what decoding and local queries allocate lives until the call ends. The longer-lived
/// ones hold the function infos of a cached function.
pub(crate) struct Context {
    context: pg_sys::MemoryContext,
    /// It may serve another call.
    again: bool,
}

thread_local! {
    /// A call's context that waits for the next call; null if there is none. Calls within calls make more.
    static SPARE: Cell<pg_sys::MemoryContext> = const { Cell::new(ptr::null_mut()) };
}

impl Context {
    /// A context for the length of a call, empty.
    pub(crate) fn for_call() -> Result<Self, Error> {
        let spare = SPARE.replace(ptr::null_mut());
        let context = if spare.is_null() {
            // SAFETY: reading a static of this backend's one thread; this context always exists.
            Self::below(unsafe { pg_sys::TopMemoryContext })?
        } else {
            spare
        };
        Ok(Self {
            context,
            again: true,
        })
    }

    /// A context that lives until its owner is dropped, whatever transaction ends meanwhile.
    pub(crate) fn for_cache() -> Result<Self, Error> {
        // SAFETY: as above; CacheMemoryContext exists from the first catalog access on, TopMemoryContext always.
        let context = Self::below(unsafe {
            if pg_sys::CacheMemoryContext.is_null() {
                pg_sys::TopMemoryContext
            } else {
                pg_sys::CacheMemoryContext
            }
        })?;
        Ok(Self {
            context,
            again: false,
        })
    }

    fn below(parent: pg_sys::MemoryContext) -> Result<pg_sys::MemoryContext, Error> {
        // The "small" sizes of memutils.h: most calls need little, and AllocSet keeps freed contexts of these sizes.
        const MIN: usize = 0;
        const INIT: usize = 1024;
        const MAX: usize = 8 * 1024 * 1024;
        // SAFETY: `parent` is a live context; the name is static, as AllocSetContextCreate requires.
        Ok(unsafe {
            guard::catch(|| {
                raw::AllocSetContextCreateInternal(parent, c"PL/Proxy".as_ptr(), MIN, INIT, MAX)
            })
        }?)
    }

    /// Frees what was allocated, and keeps the context.
    pub(crate) fn reset(&self) {
        // SAFETY: the context is ours and alive; resetting an AllocSet does not raise.
        unsafe { raw::MemoryContextReset(self.context) }
    }

    pub(super) fn as_ptr(&self) -> pg_sys::MemoryContext {
        self.context
    }

    /// Runs `f` with this context as PostgreSQL's current one.
    pub(crate) fn enter<T>(&self, f: impl FnOnce() -> T) -> T {
        let _restore = Switched::to(self.context);
        f()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.again && SPARE.get().is_null() {
            self.reset();
            SPARE.set(self.context);
            return;
        }
        // SAFETY: the context is ours, and its parent lives as long as the process.
        unsafe { raw::MemoryContextDelete(self.context) }
    }
}

/// Puts the previous current context back when dropped.
pub(super) struct Switched(pg_sys::MemoryContext);

impl Switched {
    pub(super) fn to(context: pg_sys::MemoryContext) -> Self {
        // SAFETY: a static of this backend's one thread; `context` is alive while the guard is.
        unsafe {
            let previous = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = context;
            Self(previous)
        }
    }
}

impl Drop for Switched {
    fn drop(&mut self) {
        // SAFETY: it was current when this frame began, and whoever owns it is further up and still there.
        unsafe { pg_sys::CurrentMemoryContext = self.0 }
    }
}
