//! Parameters: bytes that were encoded elsewhere, and their way to the server.

use std::error::Error;
use std::fmt;

use bytes::{BufMut, BytesMut};
use postgres_types::{Format, IsNull, ToSql, Type};

use crate::enclosure;
use crate::error::ErrorKind;

/// One argument of a statement.
#[derive(Clone, PartialEq, Eq)]
pub enum Param {
    /// NULL.
    Null,
    /// What the type's output function gives, in UTF-8.
    Text(Vec<u8>),
    /// What the type's send function gives.
    Binary(Vec<u8>),
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
            param if enclosure::large(param).is_some() => {}
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

/// Appends a parameter as an SQL literal that means the same whatever `standard_conforming_strings` is: one with
/// backslashes becomes an `E''` string, in which they are doubled. The blank before it keeps it apart from what stands
/// there, which could be a `U&` or an `N`.
pub(crate) fn append_literal(sql: &mut String, param: &Param) -> Result<(), ErrorKind> {
    let bytes = match param {
        Param::Null => {
            sql.push_str(" NULL");
            return Ok(());
        }
        Param::Text(bytes) => bytes,
        Param::Binary(_) => {
            return Err(ErrorKind::Encode(
                "a binary value cannot be written as text".into(),
            ));
        }
    };
    let text =
        std::str::from_utf8(bytes).map_err(|_| ErrorKind::Encode("a text is not UTF-8".into()))?;
    sql.reserve(text.len() + 4);
    sql.push_str(if text.contains('\\') { " E'" } else { " '" });
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '\\']) {
        let (before, after) = rest.split_at(at);
        let mut special = after.chars();
        sql.push_str(before);
        if let Some(char) = special.next() {
            sql.push(char);
            sql.push(char);
        }
        rest = special.as_str();
    }
    sql.push_str(rest);
    sql.push('\'');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(param: Param, expected: &str) {
        let mut sql = String::from("select");
        append_literal(&mut sql, &param).unwrap();
        assert_eq!(sql, format!("select{expected}"));
    }

    #[test]
    fn literals_mean_what_was_given() {
        let text = |text: &str| Param::Text(text.into());
        check(Param::Null, " NULL");
        check(text(""), " ''");
        check(text("it's"), " 'it''s'");
        check(text("''"), " ''''''");
        check(text("a\\b"), " E'a\\\\b'");
        check(
            text("\\'; drop table x; --"),
            " E'\\\\''; drop table x; --'",
        );
        check(text("ä'ö"), " 'ä''ö'");
    }

    #[test]
    fn what_is_not_text_has_no_literal() {
        for param in [Param::Binary(vec![1]), Param::Text(vec![0xff])] {
            assert!(
                append_literal(&mut String::new(), &param).is_err(),
                "{param:?}"
            );
        }
    }

    #[test]
    fn values_do_not_show() {
        assert_eq!(
            format!("{:?}", Param::Text("secret".into())),
            "Text(6 bytes)"
        );
    }
}
