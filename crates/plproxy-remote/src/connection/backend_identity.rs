//! Whether statements reach the server process that the log-in named: through a pooler they may reach another one.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackendIdentity {
    Unknown,
    Confirmed,
    Mismatched,
}
