//! Whether the server's process that answers is the one that the log-in named.

/// Whether a connection reaches one real server process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackendIdentity {
    Unknown,
    Confirmed,
    Mismatched,
}
