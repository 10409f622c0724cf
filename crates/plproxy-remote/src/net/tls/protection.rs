//! What there is to know of the TLS that protects a connection, whichever process has the keys.

use super::handshake_tap::Certificate;
use super::session::Session;

/// The same, once the handshake is done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TlsFacts {
    /// The protocol's version, as in `TLSv1.3`.
    pub(crate) version: String,
    pub(crate) certificate: Certificate,
    /// The data for channel binding, or why there is none.
    pub(crate) binding: Result<Vec<u8>, String>,
}

impl TlsFacts {
    /// Of a connection whose log-in is over.
    pub(crate) fn version(version: &str) -> TlsFacts {
        TlsFacts {
            version: version.to_owned(),
            certificate: Certificate::Unasked,
            binding: Err(String::new()),
        }
    }

    pub(crate) fn of(session: &Session) -> TlsFacts {
        TlsFacts {
            version: session.version().to_owned(),
            certificate: session.certificate(),
            binding: session.binding(),
        }
    }
}

/// The TLS of a connection.
#[derive(Clone, Copy)]
pub(crate) enum Protection<'a> {
    /// The keys are here.
    Here(&'a Session),
    /// Another process has them.
    Elsewhere(&'a TlsFacts),
}

impl Protection<'_> {
    /// What became of the client's certificate.
    pub(crate) fn certificate(self) -> Certificate {
        match self {
            Protection::Here(session) => session.certificate(),
            Protection::Elsewhere(facts) => facts.certificate,
        }
    }

    /// The data for channel binding.
    pub(crate) fn binding(self) -> Result<Vec<u8>, String> {
        match self {
            Protection::Here(session) => session.binding(),
            Protection::Elsewhere(facts) => facts.binding.clone(),
        }
    }

    /// The protocol's version, as in `TLSv1.3`.
    pub(crate) fn version(&self) -> &str {
        match self {
            Protection::Here(session) => session.version(),
            Protection::Elsewhere(facts) => &facts.version,
        }
    }
}
