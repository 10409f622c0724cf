//! Whether statements reach the server process that the log-in named: through a pooler they may reach another one.

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum BackendIdentity {
    #[default]
    Unknown,
    Confirmed,
    Mismatched,
}
