//! The only module that raises.

use super::error::{Error, PgError, Report, pack, sqlstate};
use super::guard;
use super::memory::{Context, Switched};
use super::{encoding, exit, raw};
use core::ffi::{CStr, c_char, c_int};
use core::mem::ManuallyDrop;
use core::ptr;
use pgrx::{PgLogLevel, pg_sys};

/// Severity of what is reported without ending the statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    Notice,
    Warning,
    /// To the server's log; to the client only if it asks for that.
    Log,
}

/// Raises `error`.
///
/// # Safety
/// No Rust frame between here and PostgreSQL's handler may own a value that needs dropping.
#[allow(clippy::unreachable)] // PostgreSQL jumps.
pub(super) unsafe fn raise(error: Error) -> ! {
    match error {
        // SAFETY: as for this function.
        Error::Raised(raised) => unsafe { raised.rethrow() },
        Error::Report(report) => {
            // The strings move into PostgreSQL's memory, so that no Rust value is alive when it jumps.
            let fields = Fields::copy(&report);
            drop(report);
            match fields {
                // SAFETY: `fields` is plain data.
                Ok(fields) => unsafe { fields.report(PgLogLevel::ERROR as c_int) },
                // SAFETY: as for this function.
                Err(raised) => unsafe { raised.rethrow() },
            }
            unreachable!("errfinish returned from an ERROR")
        }
    }
}

/// Raises what PostgreSQL raises where there is no memory. It needs none: PostgreSQL keeps some for that.
///
/// # Safety
/// As for [`raise`].
#[allow(clippy::unreachable)] // PostgreSQL jumps.
pub(super) unsafe fn raise_out_of_memory() -> ! {
    let fields = Fields {
        sqlstate: pack(sqlstate::OUT_OF_MEMORY),
        message: c"out of memory".as_ptr(),
        detail: ptr::null(),
        hint: ptr::null(),
        context: ptr::null(),
        position: 0,
        internal_position: 0,
        internal_query: ptr::null(),
    };
    // SAFETY: `fields` is plain data.
    unsafe { fields.report(PgLogLevel::ERROR as c_int) };
    unreachable!("errfinish returned from an ERROR")
}

/// Shows a notice or a warning to the client, or writes to the server's log.
pub(crate) fn emit(level: Level, report: &Report) -> Result<(), Error> {
    let level = match level {
        // Its client may not read any more, and nothing would end that wait; nor can be caught what its encoding raises.
        Level::Notice | Level::Warning if exit::is_under_way() => PgLogLevel::LOG_SERVER_ONLY,
        Level::Notice => PgLogLevel::NOTICE,
        Level::Warning => PgLogLevel::WARNING,
        // Whoever may call need not see where the partitions are.
        Level::Log => PgLogLevel::LOG_SERVER_ONLY,
    } as c_int;
    // Of its own: a server may send notices without end, and the call's memory lives as long as the call.
    Context::for_call()?.enter(|| {
        let fields = Fields::copy(report)?;
        // A line in the log is no place to be interrupted at: it may be written where nobody could be told.
        let held = u32::from(level == PgLogLevel::LOG_SERVER_ONLY as c_int);
        // SAFETY: `fields` is plain data. HOLD_INTERRUPTS and RESUME_INTERRUPTS; an error puts the count back as well.
        unsafe {
            pg_sys::InterruptHoldoffCount += held;
            let result = guard::catch(|| fields.report(level));
            pg_sys::InterruptHoldoffCount -= held;
            result
        }
    })?;
    Ok(())
}

/// A report as C strings in the database's encoding, allocated in the current memory context; null where there is none.
#[derive(Clone, Copy)]
struct Fields {
    sqlstate: c_int,
    message: *const c_char,
    detail: *const c_char,
    hint: *const c_char,
    context: *const c_char,
    position: c_int,
    internal_position: c_int,
    internal_query: *const c_char,
}

impl Fields {
    fn copy(report: &Report) -> Result<Self, PgError> {
        let text = |text: &Option<String>| {
            text.as_ref()
                .map_or(Ok(ptr::null()), |text| encoding::message(text))
        };
        Ok(Self {
            sqlstate: pack(report.sqlstate),
            message: encoding::message(&report.message)?,
            detail: text(&report.detail)?,
            hint: text(&report.hint)?,
            context: text(&report.context)?,
            position: report.position.unwrap_or(0),
            internal_position: report.internal_position.unwrap_or(0),
            internal_query: text(&report.internal_query)?,
        })
    }

    /// PostgreSQL's `ereport`, field by field.
    ///
    /// # Safety
    /// With ERROR this jumps: the caller's frames must own nothing.
    unsafe fn report(self, level: c_int) {
        const TEXT: *const c_char = c"%s".as_ptr();
        const FILE: &CStr = c"plproxy";
        // SAFETY: every pointer is null or a C string that lives in the current memory context; errstart says whether
        // the others may be called.
        unsafe {
            if !raw::errstart(level, ptr::null()) {
                return;
            }
            raw::errcode(self.sqlstate);
            if level == PgLogLevel::LOG_SERVER_ONLY as c_int {
                // The line says it all; a statement may hold anything.
                raw::errhidestmt(true);
                raw::errhidecontext(true);
            }
            raw::errmsg_internal(TEXT, self.message);
            if !self.detail.is_null() {
                raw::errdetail_internal(TEXT, self.detail);
            }
            if !self.hint.is_null() {
                raw::errhint(TEXT, self.hint);
            }
            if self.position > 0 {
                raw::errposition(self.position);
            }
            if self.internal_position > 0 {
                raw::internalerrposition(self.internal_position);
            }
            if !self.internal_query.is_null() {
                raw::internalerrquery(self.internal_query);
            }
            if !self.context.is_null() {
                raw::errcontext_msg(TEXT, self.context);
            }
            raw::errfinish(FILE.as_ptr(), 0, FILE.as_ptr());
        }
    }
}

impl PgError {
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
            None => unsafe { raise_out_of_memory() },
        }
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
}

/// A text for a field of an error, in the memory that the error itself is in.
fn kept(text: &str) -> Option<*mut c_char> {
    // SAFETY: the context outlives the error, which is thrown before the subtransaction ends.
    let _memory = unsafe { Switched::to(guard::memory()) };
    match encoding::cstring(text) {
        Ok(text) => Some(text),
        Err(raised) => {
            raised.ends_here(encoding::NOTHING_HELD);
            None
        }
    }
}

impl Error {
    /// A syntax error of SQL with a hint, if its text has a word before which a `;` may be missing.
    pub(crate) fn with_semicolon_hint(self, next_statement: Option<&str>) -> Self {
        let Some(word) = next_statement else {
            return self;
        };
        let hint = format!("A \";\" may be missing before \"{word}\" in the function's body.");
        match self {
            Self::Raised(raised) if raised.sqlstate() == sqlstate::SYNTAX_ERROR => {
                Self::Raised(raised.with_hint(&hint))
            }
            Self::Report(mut report) if report.sqlstate == sqlstate::SYNTAX_ERROR => {
                report.hint.get_or_insert(hint);
                Self::Report(report)
            }
            other => other,
        }
    }
}
