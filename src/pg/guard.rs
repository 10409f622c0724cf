//! Where an error raised by PostgreSQL turns into a value, and back.

use super::memory::Switched;
use super::{encoding, raw, report};
use crate::error::SqlState;
use cee_scape::call_with_sigsetjmp;
use core::ffi::CStr;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::NonNull;
use pgrx::pg_sys;

/// An error that PostgreSQL raised, kept with all its fields until [`Raised::rethrow`] throws it on.
///
/// It lives in the memory of the current subtransaction, which the error itself is about to end.
#[derive(Debug)]
pub(crate) struct Raised(NonNull<pg_sys::ErrorData>);

impl Raised {
    /// Its SQLSTATE.
    pub(crate) fn sqlstate(&self) -> SqlState {
        // SAFETY: the error's fields are ours until it is thrown.
        report::unpack(unsafe { self.0.as_ref() }.sqlerrcode)
    }

    /// The same error with a hint, if it has none.
    pub(crate) fn with_hint(mut self, hint: &str) -> Self {
        // SAFETY: as above.
        let data = unsafe { self.0.as_mut() };
        if data.hint.is_null() {
            // Without memory for it the error goes without.
            data.hint = kept(hint).unwrap_or(core::ptr::null_mut());
        }
        self
    }

    /// Its message, in the database's encoding.
    pub(crate) fn message(&self) -> &[u8] {
        // SAFETY: as above; a message, where there is one, is a C string.
        unsafe {
            let message = self.0.as_ref().message;
            if message.is_null() {
                return b"missing error text";
            }
            CStr::from_ptr(message).to_bytes()
        }
    }

    /// Throws the error on, unchanged.
    ///
    /// # Safety
    /// No Rust frame between here and PostgreSQL's handler may own a value that needs dropping.
    pub(super) unsafe fn rethrow(self) -> ! {
        let data = ManuallyDrop::new(self).0.as_ptr();
        // SAFETY: `data` came from CopyErrorData and was not freed; ReThrowError copies it into ErrorContext before it
        // jumps. Our copy goes with the memory of the subtransaction.
        unsafe { raw::ReThrowError(data) }
    }
}

/// A text for a field of an error, in the memory that the error itself is in.
fn kept(text: &str) -> Option<*mut core::ffi::c_char> {
    // SAFETY: the context outlives the error, which is thrown before the subtransaction ends.
    let _memory = unsafe { Switched::to(memory()) };
    encoding::cstring(text).ok()
}

/// Where errors are kept.
///
/// # Safety
/// On the backend's main thread.
unsafe fn memory() -> pg_sys::MemoryContext {
    // SAFETY: reads statics of the backend.
    unsafe {
        if pg_sys::CurTransactionContext.is_null() {
            pg_sys::TopMemoryContext
        } else {
            pg_sys::CurTransactionContext
        }
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        // SAFETY: the pointer is ours alone, and came from CopyErrorData.
        unsafe { raw::FreeErrorData(self.0.as_ptr()) }
    }
}

/// Runs C code that may raise, and returns what it raised as a value.
///
/// # Safety
/// When PostgreSQL raises, the frames of `f` are jumped over: `f` must own nothing that needs dropping, and must not
/// panic. Must run on the backend's main thread.
#[inline]
pub(super) unsafe fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Raised> {
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
        // Raising an error lowers these to nothing. Whoever holds interrupts off around us, as a commit does around its
        // callbacks, is to find them as they were.
        (
            pg_sys::InterruptHoldoffCount,
            pg_sys::QueryCancelHoldoffCount,
        ) = holdoff;
        pg_sys::CurrentMemoryContext = memory();
        let data = raw::CopyErrorData();
        raw::FlushErrorState();
        pg_sys::CurrentMemoryContext = context;
        // SAFETY: CopyErrorData allocates or raises; it never returns null.
        Err(Raised(NonNull::new_unchecked(data)))
    }
}
