//! Parameters: bytes that were encoded elsewhere, and their way to the server.

use std::error::Error;
use std::fmt;

use bytes::{BufMut, BytesMut};
use postgres_types::{Format, IsNull, ToSql, Type};

use crate::bind;

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

/// A parameter for the client library, which is to send it as it is, whatever it believes the type to be.
#[derive(Debug)]
pub(crate) struct Wire<'a>(pub(crate) &'a Param);

impl ToSql for Wire<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            Param::Null => return Ok(IsNull::Yes),
            // Put in later, on the way to the socket.
            param if bind::large(param).is_some() => {}
            Param::Text(bytes) | Param::Binary(bytes) => out.put_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self.0 {
            Param::Binary(_) => Format::Binary,
            _ => Format::Text,
        }
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(ty, out)
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
