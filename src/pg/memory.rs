//! Memory contexts of PostgreSQL with an owner in Rust.

use super::{guard, raw};
use crate::error::Error;
use pgrx::pg_sys;

/// A memory context that is deleted with its owner.
///
/// A call makes one for its values: what decoding and local queries allocate lives until the call ends. The longer-lived
/// ones hold the function infos of a cached function.
pub(crate) struct Context(pg_sys::MemoryContext);

impl Context {
    /// A context below the current one, for the length of a call.
    pub(crate) fn for_call() -> Result<Self, Error> {
        // SAFETY: reading a static of this backend's one thread.
        Self::below(unsafe { pg_sys::CurrentMemoryContext })
    }

    /// A context that lives until its owner is dropped, whatever transaction ends meanwhile.
    pub(crate) fn for_cache() -> Result<Self, Error> {
        // SAFETY: as above; CacheMemoryContext exists from the first catalog access on, TopMemoryContext always.
        Self::below(unsafe {
            if pg_sys::CacheMemoryContext.is_null() {
                pg_sys::TopMemoryContext
            } else {
                pg_sys::CacheMemoryContext
            }
        })
    }

    fn below(parent: pg_sys::MemoryContext) -> Result<Self, Error> {
        // The "small" sizes of memutils.h: most calls need little, and AllocSet keeps freed contexts of these sizes.
        const MIN: usize = 0;
        const INIT: usize = 1024;
        const MAX: usize = 8 * 1024 * 1024;
        // SAFETY: `parent` is a live context; the name is static, as AllocSetContextCreate requires.
        let context = unsafe {
            guard::catch(|| {
                raw::AllocSetContextCreateInternal(parent, c"PL/Proxy".as_ptr(), MIN, INIT, MAX)
            })
        }?;
        Ok(Self(context))
    }

    /// Frees what was allocated, and keeps the context.
    pub(crate) fn reset(&self) {
        // SAFETY: the context is ours and alive; resetting an AllocSet does not raise.
        unsafe { raw::MemoryContextReset(self.0) }
    }

    pub(super) fn as_ptr(&self) -> pg_sys::MemoryContext {
        self.0
    }

    /// Runs `f` with this context as PostgreSQL's current one.
    pub(crate) fn enter<T>(&self, f: impl FnOnce() -> T) -> T {
        let _restore = Switched::to(self.0);
        f()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is ours, and a parent's deletion cannot have come first: that happens only after the
        // error or return that drops us.
        unsafe { raw::MemoryContextDelete(self.0) }
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
        // SAFETY: the previous context encloses ours and is still alive.
        unsafe { pg_sys::CurrentMemoryContext = self.0 }
    }
}
