//! Errors are values until the border.
//!
//! Everything inside returns [`Error`]; only `pg::report` turns one into PostgreSQL's `ereport`. The kinds that the two
//! PostgreSQL-free crates know are turned into a [`Report`] here, each with its SQLSTATE.

#![forbid(unsafe_code)]

use crate::gucs;
pub(crate) use crate::pg::error::{Error, Report, SqlState, sqlstate, state};
use plproxy_core::room::join;
use plproxy_remote::{Diagnostic, ErrorKind, NoLease};
use std::rc::Rc;

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
            ErrorKind::NoLease(why) => {
                let what = format_args!("[{dbname}] {error}");
                let hint = match why {
                    NoLease::Limit { .. } => {
                        "Raise the cluster's shared_connections, or plproxy.lease_timeout."
                    }
                    NoLease::Slots { .. } => {
                        "Raise plproxy.max_shared_connections, or lower the clusters' shared_connections."
                    }
                    NoLease::Own { .. } => {
                        "Raise the cluster's shared_connections: a call as another user, or of a cluster without \
                         transaction_mode 'two_phase', needs one besides."
                    }
                };
                let error = self.error_with(sqlstate::TOO_MANY_CONNECTIONS, what);
                return error.hinted(hint);
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

/// An error of a partition, as a value in a row.
pub(crate) fn words(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Db(diagnostic) => diagnostic.lines(),
        other => other.to_string(),
    }
}

/// The library has come without the extension's SQL, or the other way round.
pub(crate) fn outdated() -> Error {
    let what = "the extension's functions are of another version than its library";
    Error::from(Report::internal(what)).hinted("Run ALTER EXTENSION plproxy UPDATE.")
}
