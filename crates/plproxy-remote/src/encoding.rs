//! The encoding of all text on a connection, in both directions.
//!
//! A session speaks the encoding of the host's database, so that nothing is converted where both sides have the same. Only
//! with a server that has no conversion to it the session speaks UTF-8, and the host converts.

use std::fmt;
use std::rc::Rc;

use plproxy_core::database_text;

use crate::error::ErrorKind;

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

    /// Whether a server has no conversion between its encoding and this one, which was asked for, or does not know it.
    pub(crate) fn is_refused_by(self, kind: &ErrorKind) -> bool {
        // feature_not_supported; invalid_parameter_value. Names are in the message whatever language that is in.
        matches!(kind, ErrorKind::Db(diagnostic) if diagnostic.fatal
            && matches!(&diagnostic.code, b"0A000" | b"22023")
            && [self.name(), "client_encoding"].iter().any(|name| diagnostic.message.contains(name)))
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

/// The session does not speak any more what the other side hears.
pub(crate) fn encoding_changed() -> ErrorKind {
    ErrorKind::Unsupported(
        "client_encoding was changed, so that texts cannot be exchanged any more".to_owned(),
    )
}

/// Whether bytes of a text mean the same in every encoding that a client may ask for: ASCII, but for the two codes that SJIS has
/// for the yen sign and the overline.
pub(crate) fn is_same_everywhere(text: &[u8]) -> bool {
    text.is_ascii() && !text.iter().any(|byte| matches!(byte, b'\\' | b'~'))
}

/// SQL as bytes in the host's encoding, and in UTF-8 for sessions that speak that instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlText(Text);

/// No larger than the text alone, as sessions keep thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Text {
    /// It is the same in both.
    Same(Rc<[u8]>),
    Converted(Rc<Converted>),
}

#[derive(Debug, PartialEq, Eq)]
struct Converted {
    host: Box<[u8]>,
    /// Or why there is none.
    utf8: Result<Box<[u8]>, Box<str>>,
}

impl SqlText {
    /// The text in the host's encoding and in UTF-8, or why it cannot be converted.
    pub fn new(host: Vec<u8>, utf8: Result<Vec<u8>, String>) -> SqlText {
        SqlText(Text::Converted(Rc::new(Converted {
            host: host.into(),
            utf8: utf8.map(Vec::into).map_err(String::into),
        })))
    }

    /// In the host's encoding.
    pub fn host(&self) -> &[u8] {
        match &self.0 {
            Text::Same(text) => text,
            Text::Converted(both) => &both.host,
        }
    }

    /// As a session of that encoding reads it, which is the host's or UTF-8.
    pub(crate) fn bytes(&self, encoding: Encoding) -> Result<&[u8], ErrorKind> {
        match &self.0 {
            Text::Converted(both) if encoding == Encoding::UTF8 => match &both.utf8 {
                Ok(utf8) => Ok(utf8),
                Err(why) => Err(ErrorKind::Encode(why.to_string())),
            },
            _ => Ok(self.host()),
        }
    }
}

/// For people.
impl fmt::Display for SqlText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.host()))
    }
}

/// Where the host's encoding is UTF-8, or the text is in ASCII.
impl From<String> for SqlText {
    fn from(text: String) -> SqlText {
        SqlText(Text::Same(text.into_bytes().into()))
    }
}

/// The same.
impl From<&str> for SqlText {
    fn from(text: &str) -> SqlText {
        SqlText(Text::Same(text.as_bytes().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_is_sent_in_the_encoding_of_the_session() {
        let latin1 = Encoding::of_name("LATIN1");
        let both = SqlText::new(b"\xe4".to_vec(), Ok("ä".into()));
        assert_eq!(both.bytes(latin1).unwrap(), b"\xe4");
        assert_eq!(both.bytes(Encoding::UTF8).unwrap(), "ä".as_bytes());
        let ascii = SqlText::from("a");
        assert_eq!(ascii.bytes(latin1).unwrap(), b"a");
        assert_eq!(ascii.bytes(Encoding::UTF8).unwrap(), b"a");
        assert_eq!(size_of::<SqlText>(), size_of::<Rc<[u8]>>());
        let one = SqlText::new(b"\xf5\xa1".to_vec(), Err("no".into()));
        assert!(one.bytes(Encoding::of_name("EUC_JP")).is_ok());
        assert!(matches!(
            one.bytes(Encoding::UTF8),
            Err(ErrorKind::Encode(_))
        ));
    }

    #[test]
    fn messages_keep_their_bytes_or_are_unicode() {
        assert_eq!(Encoding::UTF8.decode(b"a\xe4"), "a\u{fffd}");
        let kept = Encoding::of_name("LATIN1").decode(b"a\xe4");
        assert_eq!(kept, database_text::from_bytes(b"a\xe4"));
    }
}
