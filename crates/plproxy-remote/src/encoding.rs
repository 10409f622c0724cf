//! The encoding of all text on a connection, in both directions.
//!
//! A session's `client_encoding` is the encoding of the host's database, so that nothing is converted where both databases have
//! the same. Only if the server has no conversion to it the session uses UTF-8, and the host converts.

use plproxy_core::database_text;

/// An encoding, by PostgreSQL's name of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding(&'static str);

impl Encoding {
    /// UTF-8.
    pub const UTF8: Encoding = Encoding("UTF8");
    /// No particular encoding: nothing is converted, and values need not be valid in any encoding.
    pub const SQL_ASCII: Encoding = Encoding("SQL_ASCII");

    /// The encoding of that name, as a server reports it.
    pub fn of_name(name: &'static str) -> Encoding {
        Encoding(name)
    }

    /// PostgreSQL's name of it, as a connection's `client_encoding`.
    pub(crate) fn name(self) -> &'static str {
        self.0
    }

    /// A text as a string. Invalid UTF-8 becomes U+FFFD; the bytes of other encodings are kept, as by
    /// `plproxy_core::database_text`.
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
