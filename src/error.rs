//! Errors are values until the border.
//!
//! Everything inside returns [`Error`]; only `pg::report` turns one into PostgreSQL's `ereport`. The kinds that the two
//! PostgreSQL-free crates know are turned into a [`Report`] here, each with its SQLSTATE.

#![forbid(unsafe_code)]

use crate::gucs;
use crate::pg::encoding;
use crate::pg::guard::Raised;
use plproxy_core::room::join;
use plproxy_remote::{Diagnostic, ErrorKind};
use std::rc::Rc;

/// Why a call failed.
#[derive(Debug)]
#[must_use = "an error of PostgreSQL's is thrown on, or ends where nothing can be held"]
pub(crate) enum Error {
    /// PostgreSQL raised it; it goes on as it came.
    Raised(Raised),
    /// We raise it.
    Report(Box<Report>),
}

impl Error {
    /// Ends the error where nobody is to be told. For one of PostgreSQL's that is right only where nothing of its is held
    /// meanwhile, see [`Raised::ends_here`]; `nothing_held` says why.
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

    /// Its message alone. For an error of PostgreSQL's whose subtransaction has ended, or that another one follows.
    pub(crate) fn message(self) -> Result<String, Self> {
        match self {
            Self::Report(report) => Ok(report.message),
            Self::Raised(raised) => encoding::to_string_lossy(raised.message()),
        }
    }

    /// The same with a hint, where the error is one of ours.
    pub(crate) fn hinted(mut self, hint: impl Into<String>) -> Self {
        if let Self::Report(report) = &mut self {
            report.hint = Some(hint.into());
        }
        self
    }
}

impl From<Raised> for Error {
    fn from(raised: Raised) -> Self {
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
    pub(crate) const ACTIVE_SQL_TRANSACTION: SqlState = *b"25001";
    pub(crate) const SYNTAX_ERROR: SqlState = *b"42601";
    pub(crate) const UNDEFINED_OBJECT: SqlState = *b"42704";
    /// s_r_e_prohibited_sql_statement_attempted
    pub(crate) const PROHIBITED_STATEMENT: SqlState = *b"2F003";
    pub(crate) const INSUFFICIENT_PRIVILEGE: SqlState = *b"42501";
    pub(crate) const WRONG_OBJECT_TYPE: SqlState = *b"42809";
    pub(crate) const LOCK_NOT_AVAILABLE: SqlState = *b"55P03";
    pub(crate) const OBJECT_NOT_IN_PREREQUISITE_STATE: SqlState = *b"55000";
    pub(crate) const FEATURE_NOT_SUPPORTED: SqlState = *b"0A000";
    pub(crate) const QUERY_CANCELED: SqlState = *b"57014";
    pub(crate) const UNABLE_TO_CONNECT: SqlState = *b"08001";
    pub(crate) const CONNECTION_FAILURE: SqlState = *b"08006";
    pub(crate) const PROTOCOL_VIOLATION: SqlState = *b"08P01";
    pub(crate) const OUT_OF_MEMORY: SqlState = *b"53200";
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

/// How messages name a proxy function: `schema.name(nargs)`.
#[derive(Debug, Clone)]
pub(crate) struct FunctionLabel {
    /// Shared: every call takes a copy along.
    pub(crate) name: Rc<str>,
    pub(crate) nargs: usize,
}

impl FunctionLabel {
    /// An error of PL/Proxy's own, with the function's prefix.
    pub(crate) fn error(&self, what: impl std::fmt::Display) -> Error {
        self.error_with(sqlstate::INTERNAL_ERROR, what)
    }

    /// The same with a SQLSTATE of its own.
    pub(crate) fn error_with(&self, sqlstate: SqlState, what: impl std::fmt::Display) -> Error {
        Report::new(sqlstate, self.message(what)).into()
    }

    /// The message of such an error.
    pub(crate) fn message(&self, what: impl std::fmt::Display) -> String {
        format!("PL/Proxy function {}({}): {what}", self.name, self.nargs)
    }

    /// An error that came up while values went to or came from a partition. One about their encoding, which the partition's
    /// server might as well have raised, gets the prefix of the function and the partition; others go on as they came.
    pub(crate) fn value_error(&self, dbname: &str, error: Error) -> Error {
        match error {
            Error::Raised(raised)
                if [
                    sqlstate::UNTRANSLATABLE_CHARACTER,
                    sqlstate::CHARACTER_NOT_IN_REPERTOIRE,
                ]
                .contains(&raised.sqlstate()) =>
            {
                let sqlstate = raised.sqlstate();
                match Error::from(raised).message() {
                    Ok(what) => self.error_with(sqlstate, format_args!("[{dbname}] {what}")),
                    Err(error) => error,
                }
            }
            other => other,
        }
    }

    /// What a partition reported, as an error or a notice of the local session.
    pub(crate) fn remote_report(&self, dbname: &str, remote: &Diagnostic) -> Report {
        let prefixed = |label: &str, text: &Option<String>| {
            text.as_ref()
                .map(|text| join(&["Remote ", label, ": ", text]))
        };
        let place = format!("{}({}): [{dbname}] REMOTE ", self.name, self.nargs);
        Report {
            sqlstate: remote.code,
            message: join(&[&place, &remote.severity, ": ", &remote.message]),
            detail: prefixed("detail", &remote.detail),
            hint: prefixed("hint", &remote.hint),
            context: prefixed("context", &remote.context),
            position: remote
                .position
                .and_then(|position| i32::try_from(position).ok()),
            internal_position: remote
                .internal_position
                .and_then(|position| i32::try_from(position).ok()),
            internal_query: remote.internal_query.as_ref().map(|query| join(&[query])),
        }
    }

    /// A failed remote call as the error of the local one.
    pub(crate) fn remote_error(&self, dbname: &str, error: &ErrorKind) -> Error {
        let standard = match error {
            ErrorKind::Db(diagnostic) => return self.remote_report(dbname, diagnostic).into(),
            ErrorKind::OutOfMemory => {
                let what = format_args!("[{dbname}] {error}");
                return self.error_with(sqlstate::OUT_OF_MEMORY, what);
            }
            // A mistake in what was written, as that of a string that cannot be read at all.
            ErrorKind::Settings(_) => sqlstate::INTERNAL_ERROR,
            ErrorKind::PasswordUnused { of_mapping } => {
                return self.password_unused(dbname, *of_mapping).into();
            }
            ErrorKind::QueryTimeout | ErrorKind::ConnectTimeout { .. } => sqlstate::QUERY_CANCELED,
            ErrorKind::Connect { .. } | ErrorKind::Resolve { .. } | ErrorKind::NoDescriptor => {
                sqlstate::UNABLE_TO_CONNECT
            }
            ErrorKind::Closed | ErrorKind::Io(_) => sqlstate::CONNECTION_FAILURE,
            ErrorKind::Protocol(_) => sqlstate::PROTOCOL_VIOLATION,
            ErrorKind::Encode(_) => sqlstate::DATA_EXCEPTION,
            ErrorKind::Unsupported(_) => sqlstate::FEATURE_NOT_SUPPORTED,
        };
        let no_descriptor = matches!(error, ErrorKind::NoDescriptor);
        let sqlstate = if gucs::standard_sqlstates() {
            standard
        } else {
            sqlstate::INTERNAL_ERROR
        };
        let mut error = self.error_with(sqlstate, format_args!("[{dbname}] {error}"));
        if let (Error::Report(report), true) = (&mut error, no_descriptor) {
            report.hint = Some(
                "Raise the server's \"max_files_per_process\" and its \"ulimit -n\", or let fewer connections be open at once."
                    .to_owned(),
            );
        }
        error
    }
}

impl FunctionLabel {
    /// A partition did not ask for the password that it had to ask for: the words of postgres_fdw and dblink.
    fn password_unused(&self, dbname: &str, of_mapping: bool) -> Report {
        let mut report = Report::new(
            sqlstate::PROHIBITED_STATEMENT,
            self.message(format_args!("[{dbname}] password is required")),
        );
        let detail = "Non-superuser cannot connect if the server does not request a password.";
        let hint = if of_mapping {
            "Target server's authentication method must be changed or password_required=false set in \
             the user mapping attributes."
        } else {
            "Target server's authentication method must be changed."
        };
        report.detail = Some(detail.to_owned());
        report.hint = Some(hint.to_owned());
        report
    }
}

/// An SQLSTATE given as text.
pub(crate) fn state(code: &str) -> SqlState {
    code.as_bytes()
        .try_into()
        .unwrap_or(sqlstate::INTERNAL_ERROR)
}
