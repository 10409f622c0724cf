//! Where an error raised by PostgreSQL turns into a value, and back.

use super::memory::Switched;
use super::{encoding, raw, report};
use crate::error::SqlState;
use cee_scape::call_with_sigsetjmp;
use core::cell::Cell;
use core::ffi::{CStr, c_char};
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::{self, NonNull};
use pgrx::pg_sys::{self, ErrorData, MemoryContext};
use plproxy_core::room::NoRoom;

/// An error that PostgreSQL raised, kept with all its fields until [`Raised::rethrow`] throws it on; none if there was no
/// memory to keep it.
///
/// It lives in the memory of the current subtransaction, which the error itself is about to end: with that goes what the code
/// that raised it held, lightweight locks among it. So an error is thrown on; whoever ends one instead says why nothing is
/// held, by [`Raised::ends_here`].
#[derive(Debug)]
#[must_use = "what was held when PostgreSQL raised it is let go of by the end of the subtransaction only"]
pub(crate) struct Raised(Option<NonNull<ErrorData>>);

thread_local! {
    /// Where errors are kept instead; null if nowhere else.
    static KEPT_IN: Cell<MemoryContext> = const { Cell::new(ptr::null_mut()) };
}

impl Raised {
    /// What PostgreSQL raises where there is no memory.
    pub(super) fn out_of_memory(_: NoRoom) -> Self {
        Self(None)
    }

    /// Throws the error on, unchanged.
    ///
    /// # Safety
    /// No Rust frame between here and PostgreSQL's handler may own a value that needs dropping.
    pub(super) unsafe fn rethrow(self) -> ! {
        match ManuallyDrop::new(self).0 {
            // SAFETY: the data came from CopyErrorData and was not freed; ReThrowError copies it into ErrorContext before it
            // jumps. Our copy goes with the memory of the subtransaction.
            Some(data) => unsafe { raw::ReThrowError(data.as_ptr()) },
            // SAFETY: as for this function.
            None => unsafe { report::raise_out_of_memory() },
        }
    }

    /// Its SQLSTATE.
    pub(crate) fn sqlstate(&self) -> SqlState {
        match self.0 {
            // SAFETY: live while `self` is.
            Some(data) => report::unpack(unsafe { data.as_ref() }.sqlerrcode),
            None => crate::error::sqlstate::OUT_OF_MEMORY,
        }
    }

    /// Whether a character could not be converted: invalid, unknown to the other encoding, or no conversion there is.
    pub(super) fn is_of_conversion(&self) -> bool {
        let sqlstate = self.sqlstate();
        sqlstate.starts_with(b"22") || sqlstate == *b"42883"
    }

    /// Ends the error here: the transaction goes on, or is ending anyway. Right only where the code that raised it can have
    /// left nothing that the end of a subtransaction would let go of; above all no lightweight lock, for which the session
    /// would wait for itself, deaf to signals, the next time. `nothing_held` says why.
    pub(crate) fn ends_here(self, nothing_held: &'static str) {
        debug_assert!(!nothing_held.is_empty());
        drop(self);
    }

    /// The same error with a hint, if it has none.
    pub(crate) fn with_hint(self, hint: &str) -> Self {
        if let Some(mut data) = self.0 {
            // SAFETY: live while `self` is, and nobody else's.
            let data = unsafe { data.as_mut() };
            if data.hint.is_null() {
                // Without memory for it the error goes without.
                data.hint = kept(hint).unwrap_or(ptr::null_mut());
            }
        }
        self
    }

    /// Its message, in the database's encoding.
    pub(crate) fn message(&self) -> &[u8] {
        let message = self.0.map_or(ptr::null_mut(), |data| {
            // SAFETY: live while `self` is.
            unsafe { data.as_ref() }.message
        });
        if message.is_null() {
            return b"out of memory";
        }
        // SAFETY: a C string that is the error's own.
        unsafe { CStr::from_ptr(message) }.to_bytes()
    }
}

/// A text for a field of an error, in the memory that the error itself is in.
fn kept(text: &str) -> Option<*mut c_char> {
    // SAFETY: the context outlives the error, which is thrown before the subtransaction ends.
    let _memory = unsafe { Switched::to(memory()) };
    match encoding::cstring(text) {
        Ok(text) => Some(text),
        Err(raised) => {
            raised.ends_here(encoding::NOTHING_HELD);
            None
        }
    }
}

/// Where errors are kept.
///
/// # Safety
/// On the backend's main thread.
unsafe fn memory() -> MemoryContext {
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

impl Drop for Raised {
    fn drop(&mut self) {
        if let Some(data) = self.0 {
            // SAFETY: the pointer is ours alone, and came from CopyErrorData.
            unsafe { raw::FreeErrorData(data.as_ptr()) }
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
/// raises ends here, see [`Raised::ends_here`].
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
pub(super) unsafe fn catch<T, F: FnOnce() -> T>(f: F) -> Result<T, Raised> {
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
unsafe fn keep() -> Raised {
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
        Raised(if jumped == 0 {
            NonNull::new(data.assume_init())
        } else {
            None
        })
    }
}
