//! Why an attempt to connect failed, and what may be tried after it.

use plproxy_core::room::cut;

use crate::connection::login::handshake::{Refusal, Refused};
use crate::error::ErrorKind;
use crate::net::tls::negotiate::{self, SslAttempt};

/// Why one attempt failed.
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    /// Its message, in libpq's words; the caller adds the address.
    pub(super) words: String,
    pub(super) next: Next,
    /// An attempt with TLS instead of without, or the reverse, may succeed.
    pub(super) other_ssl: bool,
}

/// What to try after a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The host's next address.
    Address,
    /// The next host.
    Host,
    /// Nothing: the server has refused, and as in libpq that is final.
    Nothing,
}

/// How many bytes of a server's message are kept.
const MOST_WORDS: usize = 8 * 1024;

/// `cannot_connect_now`: starting up, shutting down, in recovery without hot standby.
const NOT_NOW: &[u8; 5] = b"57P03";

/// The kind of the last failure, with the messages of all.
pub(super) fn summary(last: ErrorKind, message: String) -> ErrorKind {
    match last {
        kind @ ErrorKind::PasswordUnused { .. } => kind,
        ErrorKind::Resolve { .. } => ErrorKind::Resolve { message },
        ErrorKind::ConnectTimeout { .. } => ErrorKind::ConnectTimeout { message },
        ErrorKind::Unsupported(text) if message.is_empty() => ErrorKind::Unsupported(text),
        ErrorKind::Unsupported(_) => ErrorKind::Unsupported(message),
        ErrorKind::Protocol(_) => ErrorKind::Protocol(message),
        // No failure of a server.
        ErrorKind::NoDescriptor => ErrorKind::NoDescriptor,
        ErrorKind::Db(diagnostic) => ErrorKind::Connect {
            message,
            diagnostic: Some(diagnostic),
        },
        _ => ErrorKind::Connect {
            message,
            diagnostic: None,
        },
    }
}

pub(super) fn expired() -> Failure {
    let words = String::from("timeout expired");
    Failure {
        kind: ErrorKind::ConnectTimeout {
            message: words.clone(),
        },
        words,
        next: Next::Address,
        other_ssl: false,
    }
}

impl From<ErrorKind> for Failure {
    fn from(kind: ErrorKind) -> Failure {
        let mut words = match &kind {
            ErrorKind::Db(diagnostic) => diagnostic.lines(),
            other => other.to_string(),
        };
        // There may be many hosts, each with a message.
        words.truncate(cut(&words, MOST_WORDS).len());
        let next = match &kind {
            ErrorKind::Db(diagnostic) if diagnostic.code == *NOT_NOW => Next::Host,
            ErrorKind::Db(_) | ErrorKind::Unsupported(_) | ErrorKind::NoDescriptor => Next::Nothing,
            _ => Next::Address,
        };
        Failure {
            kind,
            words,
            next,
            other_ssl: false,
        }
    }
}

/// A failure to connect after which no other server is tried, as in libpq.
pub(super) fn refused(words: impl Into<String>) -> Failure {
    Failure {
        kind: ErrorKind::Connect {
            message: String::new(),
            diagnostic: None,
        },
        words: words.into(),
        next: Next::Nothing,
        other_ssl: false,
    }
}

/// A negotiation of TLS that has failed.
pub(super) fn not_secured(failure: negotiate::Failure) -> Failure {
    match failure {
        negotiate::Failure::Handshake(words) => Failure {
            other_ssl: true,
            ..refused(words)
        },
        negotiate::Failure::Fatal(words) => refused(words),
    }
}

/// A log-in that has failed.
pub(super) fn not_logged_in(refused: Refused, encrypted: bool, ssl: SslAttempt) -> Failure {
    let mut failure = match refused.kind {
        Refusal::Failed(kind) => Failure::from(kind),
        Refusal::Words(words) => self::refused(words),
    };
    // Only a final refusal before the client was authenticated may be about TLS.
    failure.other_ssl = matches!(failure.kind, ErrorKind::Db(_))
        && failure.next == Next::Nothing
        && !refused.authenticated
        && (encrypted || ssl == SslAttempt::Plain);
    if encrypted && failure.next == Next::Address {
        failure.next = Next::Nothing;
    }
    failure
}
