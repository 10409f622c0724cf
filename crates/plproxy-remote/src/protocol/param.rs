//! Parameters of statements, encoded by the host.

use std::fmt;
use std::rc::Rc;

use crate::encoding::Encoding;
use crate::error::ErrorKind;

/// A parameter of a statement.
#[derive(Clone, PartialEq, Eq)]
pub enum Param {
    /// NULL.
    Null,
    /// The result of the type's output function, in the encoding of the session.
    Text(Vec<u8>),
    /// The result of the type's send function.
    Binary(Vec<u8>),
}

/// The parameters of a statement, in the encodings that the session may use.
#[derive(Debug, Clone)]
pub struct Params {
    list: Rc<[Param]>,
    /// The encoding of `list`.
    encoding: Encoding,
    /// The same in UTF-8, or why they cannot be converted, where the encoding of the session is not known yet.
    utf8: Option<Result<Rc<[Param]>, Rc<str>>>,
}

impl Params {
    /// Parameters in one encoding.
    pub fn new(list: Rc<[Param]>, encoding: Encoding) -> Params {
        Params {
            list,
            encoding,
            utf8: None,
        }
    }

    /// The same, with the parameters for a session that turns out to use UTF-8.
    pub fn or_utf8(self, utf8: Result<Rc<[Param]>, Rc<str>>) -> Params {
        Params {
            utf8: Some(utf8),
            ..self
        }
    }

    /// The parameters for a session of that encoding.
    pub(crate) fn of(&self, encoding: Encoding) -> Result<&Rc<[Param]>, ErrorKind> {
        if encoding == self.encoding {
            return Ok(&self.list);
        }
        match &self.utf8 {
            Some(Ok(utf8)) => Ok(utf8),
            Some(Err(why)) => Err(ErrorKind::Encode(why.to_string())),
            None => Err(ErrorKind::Encode(
                "the encoding of the partition has changed since the last call".into(),
            )),
        }
    }

    /// All parameters, in all encodings.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Param> {
        let utf8 = self.utf8.as_ref().and_then(|utf8| utf8.as_deref().ok());
        self.list.iter().chain(utf8.unwrap_or_default())
    }
}

/// Where the host's encoding is UTF-8, or all text is in ASCII.
impl From<Rc<[Param]>> for Params {
    fn from(list: Rc<[Param]>) -> Params {
        Params::new(list, Encoding::UTF8)
    }
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
        // Values belong to the user, and may be long: they are not shown.
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
