//! Parameters: bytes that were encoded elsewhere, and their way to the server.

use std::fmt;

/// One argument of a statement.
#[derive(Clone, PartialEq, Eq)]
pub enum Param {
    /// NULL.
    Null,
    /// What the type's output function gives, in the encoding of the connections.
    Text(Vec<u8>),
    /// What the type's send function gives.
    Binary(Vec<u8>),
}

impl Param {
    pub(crate) fn len(&self) -> usize {
        match self {
            Param::Null => 0,
            Param::Text(bytes) | Param::Binary(bytes) => bytes.len(),
        }
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values are the user's, and may be long: they are no business of a log's.
        match self {
            Param::Null => f.write_str("Null"),
            Param::Text(bytes) => write!(f, "Text({} bytes)", bytes.len()),
            Param::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_do_not_show() {
        assert_eq!(
            format!("{:?}", Param::Text("secret".into())),
            "Text(6 bytes)"
        );
    }
}
