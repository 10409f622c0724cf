//! SQL for sessions of different encodings.

use std::fmt;
use std::rc::Rc;

use crate::encoding::Encoding;
use crate::error::ErrorKind;

/// SQL as bytes in the host's encoding, and in UTF-8 for sessions that use that instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlText(Text);

/// No larger than a pointer to the text, as sessions keep thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Text {
    /// The bytes are the same in both encodings.
    Same(Rc<[u8]>),
    Converted(Rc<Converted>),
}

#[derive(Debug, PartialEq, Eq)]
struct Converted {
    host: Box<[u8]>,
    /// Or why it cannot be converted.
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

    /// Whether there may be a constant in quotes in it. What such a one means may be settled when the statement is parsed: the time
    /// of 'now', the zone of a timestamp, the table of a regclass.
    pub(crate) fn may_have_constants(&self) -> bool {
        let host = self.host();
        let opens = |pair: &[u8]| matches!(pair, [b'$', next] if matches!(next, b'$' | b'_') || next.is_ascii_alphabetic() || !next.is_ascii());
        host.contains(&b'\'') || host.windows(2).any(opens)
    }

    /// In the encoding of a session, which is the host's or UTF-8.
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

/// For messages.
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
}
