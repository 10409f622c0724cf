//! The encoding of all text on the connections of a [`Remote`](crate::Remote).

/// In what encoding text crosses, in both directions. It is chosen once, as the host's own encoding never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8; the servers convert.
    Utf8,
    /// Bytes as they are: nobody converts, and values need not be text in any encoding. Statements, names and messages
    /// stay UTF-8 here: bytes of a message that are not are replaced.
    Raw,
}

impl Encoding {
    /// PostgreSQL's name of it, as a connection's `client_encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF8",
            Encoding::Raw => "SQL_ASCII",
        }
    }
}
