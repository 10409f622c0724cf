//! Errors as values, and what PostgreSQL is to report.
//!
//! Everything inside returns [`Error`]; only `report` turns one into PostgreSQL's `ereport`.

use super::raw;
use core::ffi::{CStr, c_int};
use core::ptr::{self, NonNull};
use pgrx::pg_sys::ErrorData;
use plproxy_core::room::NoRoom;

/// An error that PostgreSQL raised, kept with all its fields until [`PgError::rethrow`] throws it on; none if there was no
/// memory to keep it.
///
/// It lives in the memory of the current subtransaction, which the error itself is about to end: with that goes what the code
/// that raised it held, lightweight locks among it. So an error is thrown on; whoever ends one instead says why nothing is
/// held, by [`PgError::ends_here`].
#[derive(Debug)]
#[must_use = "what was held when PostgreSQL raised it is let go of by the end of the subtransaction only"]
pub(crate) struct PgError(pub(super) Option<NonNull<ErrorData>>);

impl PgError {
    /// What PostgreSQL raises where there is no memory.
    pub(super) fn out_of_memory(_: NoRoom) -> Self {
        Self(None)
    }

    /// Its SQLSTATE.
    pub(crate) fn sqlstate(&self) -> SqlState {
        match self.0 {
            // SAFETY: live while `self` is.
            Some(data) => unpack(unsafe { data.as_ref() }.sqlerrcode),
            None => sqlstate::OUT_OF_MEMORY,
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

impl Drop for PgError {
    fn drop(&mut self) {
        if let Some(data) = self.0 {
            // SAFETY: the pointer is ours alone, and came from CopyErrorData.
            unsafe { raw::FreeErrorData(data.as_ptr()) }
        }
    }
}

/// Why a call failed.
#[derive(Debug)]
#[must_use = "an error of PostgreSQL's is thrown on, or ends where nothing can be held"]
pub(crate) enum Error {
    /// PostgreSQL raised it; it goes on as it came.
    Raised(PgError),
    /// We raise it.
    Report(Box<Report>),
}

impl Error {
    /// Ends the error where nobody is to be told. For one of PostgreSQL's that is right only where nothing of its is held
    /// meanwhile, see [`PgError::ends_here`]; `nothing_held` says why.
    pub(crate) fn ends_here(self, nothing_held: &'static str) {
        match self {
            Self::Raised(raised) => raised.ends_here(nothing_held),
            Self::Report(_) => (),
        }
    }

    pub(crate) fn sqlstate(&self) -> SqlState {
        match self {
            Self::Raised(raised) => raised.sqlstate(),
            Self::Report(report) => report.sqlstate,
        }
    }

    /// Whether it is an interrupt, or want of something that all need: operator_intervention, insufficient_resources.
    pub(crate) fn ends_all(&self) -> bool {
        let sqlstate = self.sqlstate();
        sqlstate.starts_with(b"57") || sqlstate.starts_with(b"53")
    }

    /// The same with a hint, where the error is one of ours.
    pub(crate) fn hinted(mut self, hint: impl Into<String>) -> Self {
        if let Self::Report(report) = &mut self {
            report.hint = Some(hint.into());
        }
        self
    }
}

impl From<PgError> for Error {
    fn from(raised: PgError) -> Self {
        Self::Raised(raised)
    }
}

impl From<Report> for Error {
    fn from(report: Report) -> Self {
        Self::Report(Box::new(report))
    }
}

impl Error {
    /// An error of our own with a detail.
    pub(crate) fn with_detail(mut self, detail: String) -> Self {
        if let Self::Report(report) = &mut self {
            report.detail = Some(detail);
        }
        self
    }
}

/// A SQLSTATE: five characters.
pub(crate) type SqlState = [u8; 5];

/// Condition names as PostgreSQL's errcodes.txt has them.
pub(crate) mod sqlstate {
    use super::SqlState;
    pub(crate) const SUCCESSFUL: SqlState = *b"00000";
    pub(crate) const INTERNAL_ERROR: SqlState = *b"XX000";
    pub(crate) const NO_DATA_FOUND: SqlState = *b"P0002";
    pub(crate) const TOO_MANY_ROWS: SqlState = *b"P0003";
    pub(crate) const WARNING: SqlState = *b"01000";
    pub(crate) const NULL_VALUE_NOT_ALLOWED: SqlState = *b"22004";
    pub(crate) const INVALID_PARAMETER_VALUE: SqlState = *b"22023";
    pub(crate) const IN_FAILED_SQL_TRANSACTION: SqlState = *b"25P02";
    pub(crate) const INVALID_TRANSACTION_TERMINATION: SqlState = *b"2D000";
    pub(crate) const TRANSACTION_RESOLUTION_UNKNOWN: SqlState = *b"08007";
    pub(crate) const ACTIVE_SQL_TRANSACTION: SqlState = *b"25001";
    pub(crate) const SYNTAX_ERROR: SqlState = *b"42601";
    pub(crate) const UNDEFINED_OBJECT: SqlState = *b"42704";
    /// s_r_e_prohibited_sql_statement_attempted
    pub(crate) const PROHIBITED_STATEMENT: SqlState = *b"2F003";
    pub(crate) const INSUFFICIENT_PRIVILEGE: SqlState = *b"42501";
    pub(crate) const WRONG_OBJECT_TYPE: SqlState = *b"42809";
    pub(crate) const LOCK_NOT_AVAILABLE: SqlState = *b"55P03";
    pub(crate) const OBJECT_IN_USE: SqlState = *b"55006";
    pub(crate) const PROGRAM_LIMIT_EXCEEDED: SqlState = *b"54000";
    pub(crate) const OBJECT_NOT_IN_PREREQUISITE_STATE: SqlState = *b"55000";
    pub(crate) const FEATURE_NOT_SUPPORTED: SqlState = *b"0A000";
    pub(crate) const QUERY_CANCELED: SqlState = *b"57014";
    pub(crate) const UNABLE_TO_CONNECT: SqlState = *b"08001";
    pub(crate) const CONNECTION_FAILURE: SqlState = *b"08006";
    pub(crate) const PROTOCOL_VIOLATION: SqlState = *b"08P01";
    pub(crate) const OUT_OF_MEMORY: SqlState = *b"53200";
    pub(crate) const TOO_MANY_CONNECTIONS: SqlState = *b"53300";
    pub(crate) const DATA_EXCEPTION: SqlState = *b"22000";
    pub(crate) const CHARACTER_NOT_IN_REPERTOIRE: SqlState = *b"22021";
    pub(crate) const UNTRANSLATABLE_CHARACTER: SqlState = *b"22P05";
}

/// What PostgreSQL is to report: an error, or a notice.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) sqlstate: SqlState,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) context: Option<String>,
    pub(crate) position: Option<i32>,
    pub(crate) internal_position: Option<i32>,
    pub(crate) internal_query: Option<String>,
}

impl Report {
    /// A report with a message and the SQLSTATE that PL/Proxy gives its own errors.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(sqlstate::INTERNAL_ERROR, message)
    }

    /// A report with a SQLSTATE of its own.
    pub(crate) fn new(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Self {
            sqlstate,
            message: message.into(),
            ..Self::default()
        }
    }
}

/// An SQLSTATE given as text.
pub(crate) fn state(code: &str) -> SqlState {
    code.as_bytes()
        .try_into()
        .unwrap_or(sqlstate::INTERNAL_ERROR)
}

/// MAKE_SQLSTATE of elog.h: six bits a character.
pub(super) fn pack(state: SqlState) -> c_int {
    state.iter().enumerate().fold(0, |code, (i, byte)| {
        code | (c_int::from(byte.wrapping_sub(b'0') & 0x3f) << (6 * i))
    })
}

/// The reverse: PGUNSIXBIT.
pub(super) fn unpack(code: c_int) -> SqlState {
    core::array::from_fn(|i| ((code >> (6 * i)) & 0x3f) as u8 + b'0')
}
