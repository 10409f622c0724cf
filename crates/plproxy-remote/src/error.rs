//! The errors of calls, as values; the messages are libpq's where libpq has one.
//!
//! No error may hold a password or a connection string: messages are made of host names, ports and the messages of servers.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::diagnostic::Diagnostic;

/// Why a call has failed.
#[derive(Debug, Clone)]
pub struct Error {
    /// The request that failed, by its place in the list given to `start`; `None` if it is not one request's fault.
    pub request: Option<usize>,
    /// What happened.
    pub kind: ErrorKind,
}

/// Why a call gets none of the connections that sessions share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLease {
    /// Others had all that there may be to the partition.
    Limit {
        /// So many.
        most: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Others had all that there may be to all partitions.
    Slots {
        /// The same.
        waited: Duration,
    },
    /// The local transaction has all of them until it ends.
    Own {
        /// So many.
        most: u32,
    },
}

/// The kinds of errors.
#[derive(Debug, Clone)]
pub enum ErrorKind {
    /// The server refused or aborted the statement.
    Db(Box<Diagnostic>),
    /// The connection string, or what stands behind it, cannot be used. In libpq's words.
    Settings(String),
    /// No connection could be made.
    Connect {
        /// In libpq's words, one part for each attempt, separated by line feeds.
        message: String,
        /// What the server said in the last attempt, if it said anything.
        diagnostic: Option<Box<Diagnostic>>,
    },
    /// No connection could be made in time.
    ConnectTimeout {
        /// In libpq's words, as in `Connect`.
        message: String,
    },
    /// A host name could not be resolved.
    Resolve {
        /// In libpq's words, as in `Connect`.
        message: String,
    },
    /// There is no memory for a connection.
    OutOfMemory,
    /// The server has accepted the client without the password that had to be used.
    PasswordUnused {
        /// An option of the user mapping would allow that.
        of_mapping: bool,
    },
    /// The process may have no more files open, and so no more connections.
    NoDescriptor,
    /// There is no connection of those that sessions share.
    NoLease(NoLease),
    /// The call took longer than it may.
    QueryTimeout,
    /// The server has closed the connection.
    Closed,
    /// The socket has failed.
    Io(String),
    /// The server has violated the protocol.
    Protocol(String),
    /// A parameter or a statement cannot be sent.
    Encode(String),
    /// Something that is not supported.
    Unsupported(String),
}

impl ErrorKind {
    /// The same as the failure of one request.
    pub(crate) fn of(self, request: usize) -> Error {
        Error {
            request: Some(request),
            kind: self,
        }
    }

    /// Whether it is a local one, whatever the server does.
    pub fn is_local(&self) -> bool {
        matches!(
            self,
            ErrorKind::Settings(_)
                | ErrorKind::OutOfMemory
                | ErrorKind::NoDescriptor
                | ErrorKind::Encode(_)
        )
    }

    /// A statement left its transaction open. It ends with the connection, which is closed.
    pub(crate) fn open_transaction() -> ErrorKind {
        ErrorKind::Unsupported(
            "the statement has begun a transaction, which is rolled back".to_owned(),
        )
    }

    pub(crate) fn protocol(text: impl Into<String>) -> ErrorKind {
        ErrorKind::Protocol(text.into())
    }

    /// The session uses another encoding than the one that was agreed on.
    pub(crate) fn encoding_changed() -> ErrorKind {
        ErrorKind::Unsupported(
            "client_encoding was changed, so that texts cannot be exchanged any more".to_owned(),
        )
    }

    /// A message that the protocol does not allow at this point.
    pub(crate) fn unexpected_message() -> ErrorKind {
        ErrorKind::protocol("unexpected message from server")
    }

    /// A malformed DataRow.
    pub(crate) fn malformed_row() -> ErrorKind {
        ErrorKind::protocol("server sent a malformed row")
    }

    /// A malformed RowDescription.
    pub(crate) fn malformed_description() -> ErrorKind {
        ErrorKind::protocol("server sent a malformed description of columns")
    }

    /// There is no memory for a message of the server.
    pub(crate) fn no_memory_for_message() -> ErrorKind {
        ErrorKind::protocol("out of memory for a message of the server")
    }

    /// From an error of tokio-postgres, whose kinds are private, by its methods and its source.
    pub(crate) fn from_library(error: &tokio_postgres::Error) -> ErrorKind {
        if error.is_closed() {
            return ErrorKind::Closed;
        }
        match error.source() {
            None => ErrorKind::Protocol(error.to_string()),
            Some(source) => match source.downcast_ref::<io::Error>() {
                Some(io) => Self::from_io(io),
                None => Self::from_words(&error.to_string(), &source.to_string()),
            },
        }
    }

    /// From an error of the socket, or of postgres-protocol.
    pub(crate) fn from_io(error: &io::Error) -> ErrorKind {
        // System errors have a number. All others are postgres-protocol's or ours.
        if error.raw_os_error().is_some() {
            return ErrorKind::Io(format!(
                "could not receive data from server: {}",
                system_words(error)
            ));
        }
        match error.kind() {
            // A message cut short by the end of the stream.
            io::ErrorKind::Other if error.to_string() == "bytes remaining on stream" => {
                ErrorKind::Closed
            }
            io::ErrorKind::WriteZero => ErrorKind::Closed,
            _ => match error.to_string().as_str() {
                "string contains embedded null" => {
                    ErrorKind::Encode("a text contains a zero byte".into())
                }
                "value too large to transmit" => {
                    ErrorKind::Encode("a value is too large to be sent".into())
                }
                words => ErrorKind::Protocol(words.into()),
            },
        }
    }

    /// The same for sending.
    pub(crate) fn from_send(error: &io::Error) -> ErrorKind {
        match error.raw_os_error() {
            Some(_) => ErrorKind::Io(format!(
                "could not send data to server: {}",
                system_words(error)
            )),
            None => ErrorKind::from_io(error),
        }
    }

    fn from_words(words: &str, source: &str) -> ErrorKind {
        match source {
            "password missing" => {
                ErrorKind::Unsupported("fe_sendauth: no password supplied".into())
            }
            _ if words.starts_with("error serializing") || words.starts_with("error encoding") => {
                ErrorKind::Encode(format!("{words}: {source}"))
            }
            _ => ErrorKind::Protocol(format!("{words}: {source}")),
        }
    }
}

/// The message for `COPY FROM STDIN` and `TO STDOUT`.
pub const COPY: &str = "COPY FROM STDIN and TO STDOUT cannot be used here";

/// The message of a system error, without the number that Rust adds.
pub(crate) fn system_words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Db(diagnostic) => write!(f, "{}: {}", diagnostic.severity, diagnostic.message),
            ErrorKind::Connect { message, .. }
            | ErrorKind::ConnectTimeout { message }
            | ErrorKind::Resolve { message } => f.write_str(message),
            ErrorKind::PasswordUnused { .. } => f.write_str(
                "password is required\nDETAIL:  Non-superuser cannot connect if the server does not \
                 request a password.",
            ),
            ErrorKind::NoDescriptor => {
                f.write_str("could not connect: there are too many open files on the local server")
            }
            ErrorKind::NoLease(NoLease::Limit { most, waited }) => write!(
                f,
                "all {most} shared connections were in use for {} s",
                waited.as_secs_f64()
            ),
            ErrorKind::NoLease(NoLease::Slots { waited }) => write!(
                f,
                "all shared connections that this server may have were in use for {} s",
                waited.as_secs_f64()
            ),
            ErrorKind::NoLease(NoLease::Own { most }) => {
                write!(f, "all {most} shared connections are in use by this transaction itself")
            }
            ErrorKind::OutOfMemory => f.write_str("out of memory"),
            ErrorKind::QueryTimeout => f.write_str("query timeout"),
            ErrorKind::Closed => f.write_str(
                "server closed the connection unexpectedly\n\tThis probably means the server terminated \
                 abnormally\n\tbefore or while processing the request.",
            ),
            ErrorKind::Settings(text)
            | ErrorKind::Io(text)
            | ErrorKind::Protocol(text)
            | ErrorKind::Encode(text)
            | ErrorKind::Unsupported(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for Error {}
