//! The encoding of all text on a connection, in both directions.
//!
//! A session speaks the encoding of the host's database, so that nothing is converted where both sides have the same. Only
//! with a server that has no conversion to it the session speaks UTF-8, and the host converts.

use plproxy_core::database_text;

/// An encoding, by PostgreSQL's name of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding(&'static str);

impl Encoding {
    /// UTF-8.
    pub const UTF8: Encoding = Encoding("UTF8");
    /// None in particular: nobody converts, and values need not be text in any encoding.
    pub const SQL_ASCII: Encoding = Encoding("SQL_ASCII");

    /// The encoding of that name, as a server reports it.
    pub fn of_name(name: &'static str) -> Encoding {
        Encoding(name)
    }

    /// PostgreSQL's name of it, as a connection's `client_encoding`.
    pub(crate) fn name(self) -> &'static str {
        self.0
    }

    /// A text as a string. What is not in UTF-8 where it should be shows as U+FFFD; of other encodings the bytes are kept, as
    /// `plproxy_core::database_text` has it.
    pub(crate) fn decode(self, bytes: &[u8]) -> String {
        if self == Encoding::UTF8 {
            String::from_utf8_lossy(bytes).into_owned()
        } else {
            database_text::from_bytes(bytes)
        }
    }
}

/// Whether bytes of a text mean the same in every encoding that a client may ask for: ASCII, but for the two codes that SJIS has
/// for the yen sign and the overline.
pub(crate) fn is_same_everywhere(text: &[u8]) -> bool {
    text.is_ascii() && !text.iter().any(|byte| matches!(byte, b'\\' | b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_bytes_or_are_unicode() {
        assert_eq!(Encoding::UTF8.decode(b"a\xe4"), "a\u{fffd}");
        let kept = Encoding::of_name("LATIN1").decode(b"a\xe4");
        assert_eq!(kept, database_text::from_bytes(b"a\xe4"));
    }
}
