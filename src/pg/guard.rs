//! Where an error raised by PostgreSQL turns into a value, and back.

use super::error::PgError;
use super::raw;
use cee_scape::call_with_sigsetjmp;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use pgrx::pg_sys::{self, ErrorData, MemoryContext};

thread_local! {
    /// Where errors are kept instead; null if nowhere else.
    static KEPT_IN: Cell<MemoryContext> = const { Cell::new(ptr::null_mut()) };
}

/// Where errors are kept.
///
/// # Safety
/// On the backend's main thread.
pub(super) unsafe fn memory() -> MemoryContext {
    let elsewhere = KEPT_IN.get();
    // SAFETY: reads statics of the backend.
    unsafe {
        if !elsewhere.is_null() {
            elsewhere
        } else if pg_sys::CurTransactionContext.is_null() {
            pg_sys::TopMemoryContext
        } else {
            pg_sys::CurTransactionContext
        }
    }
}

/// While it lives errors are kept in a memory context that outlives the current subtransaction.
pub(super) struct KeptIn(MemoryContext);

impl KeptIn {
    /// # Safety
    /// The context must live at least as long as the errors that are raised meanwhile.
    pub(super) unsafe fn context(context: MemoryContext) -> Self {
        Self(KEPT_IN.replace(context))
    }
}

impl Drop for KeptIn {
    fn drop(&mut self) {
        KEPT_IN.set(self.0);
    }
}

/// Runs C code that may raise where nobody can be told: when a value is dropped, or where PostgreSQL calls back. What it
/// raises ends here, see [`PgError::ends_here`].
///
/// # Safety
/// As for [`catch`].
pub(super) unsafe fn catch_here<T>(nothing_held: &'static str, f: impl FnOnce() -> T) -> Option<T> {
    // SAFETY: as promised.
    match unsafe { catch(f) } {
        Ok(value) => Some(value),
        Err(raised) => {
            raised.ends_here(nothing_held);
            None
        }
    }
}

/// Runs C code that may raise, and returns what it raised as a value.
///
/// # Safety
/// When PostgreSQL raises, the frames of `f` are jumped over: `f` must make nothing that needs dropping, and must not
/// panic. Must run on the backend's main thread.
#[inline]
pub(super) unsafe fn catch<T, F: FnOnce() -> T>(f: F) -> Result<T, PgError> {
    // Nor may it own anything of the kind, and that the compiler sees.
    const { assert!(!core::mem::needs_drop::<F>()) }
    let mut result = MaybeUninit::<T>::uninit();
    // SAFETY: the statics belong to this backend's one thread, on which we run; each is restored on both ways out, as
    // PG_TRY does. The jump buffer lives in the frame of `call_with_sigsetjmp`, which outlives `f`.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let exception_stack = pg_sys::PG_exception_stack;
        let context_stack = pg_sys::error_context_stack;
        let holdoff = (
            pg_sys::InterruptHoldoffCount,
            pg_sys::QueryCancelHoldoffCount,
        );
        let jumped = call_with_sigsetjmp(false, |buffer| {
            pg_sys::PG_exception_stack = core::ptr::from_ref(buffer).cast_mut().cast();
            result.write(f());
            0
        });
        pg_sys::PG_exception_stack = exception_stack;
        pg_sys::error_context_stack = context_stack;
        if jumped == 0 {
            return Ok(result.assume_init());
        }
        let raised = keep();
        // Raising an error lowers these to nothing. Whoever holds interrupts off around us, as a commit does around its
        // callbacks, is to find them as they were.
        (
            pg_sys::InterruptHoldoffCount,
            pg_sys::QueryCancelHoldoffCount,
        ) = holdoff;
        pg_sys::CurrentMemoryContext = context;
        Err(raised)
    }
}

/// The error that was just raised. To keep it takes memory, and where there is none, that is the error.
///
/// # Safety
/// As for `catch`, which has just been jumped back to.
#[cold]
unsafe fn keep() -> PgError {
    let mut data = MaybeUninit::<*mut ErrorData>::uninit();
    // SAFETY: as in `catch`; the closure owns nothing.
    unsafe {
        let exception_stack = pg_sys::PG_exception_stack;
        let context_stack = pg_sys::error_context_stack;
        pg_sys::CurrentMemoryContext = memory();
        // What is said of the context of a statement that failed is no context of the copying.
        pg_sys::error_context_stack = ptr::null_mut();
        let jumped = call_with_sigsetjmp(false, |buffer| {
            pg_sys::PG_exception_stack = core::ptr::from_ref(buffer).cast_mut().cast();
            data.write(raw::CopyErrorData());
            0
        });
        pg_sys::PG_exception_stack = exception_stack;
        pg_sys::error_context_stack = context_stack;
        raw::FlushErrorState();
        PgError(if jumped == 0 {
            NonNull::new(data.assume_init())
        } else {
            None
        })
    }
}
