//! The results of a string of statements, and which value of them is kept.

use plproxy_core::room::{self, hold};

use super::types::StepResult;
use crate::connection::round_trip::ReplyHandler;
use crate::diagnostic::Diagnostic;
use crate::encoding::{Encoding, is_same_everywhere};
use crate::error::ErrorKind;
use crate::protocol::row::Row;

/// A value, or that it is not valid.
type Value = Result<Option<String>, Unreadable>;

/// The bytes of a value are not valid in UTF-8.
struct Unreadable;

/// Keeps the first column of the first row, statement by statement.
pub(super) struct ScriptResults<'a> {
    /// Takes notices.
    notice: &'a dyn Fn(Box<Diagnostic>),
    encoding: Encoding,
    /// Of the statement that is running.
    first: Option<Value>,
    /// Of the last statement that is done.
    value: Option<Value>,
    /// The command tag of the last statement that is done.
    tag: String,
}

impl<'a> ScriptResults<'a> {
    pub(super) fn new(
        notice: &'a dyn Fn(Box<Diagnostic>),
        encoding: Encoding,
    ) -> ScriptResults<'a> {
        ScriptResults {
            notice,
            encoding,
            first: None,
            value: None,
            tag: String::new(),
        }
    }

    /// The result of the last statement; `agreed`: whether the session still uses the encoding that was agreed on. Otherwise
    /// only some text is known to mean the same.
    pub(super) fn done(self, agreed: bool) -> Result<StepResult, ErrorKind> {
        let value = match self.value {
            None => None,
            Some(Ok(Some(value))) if !agreed && !is_same_everywhere(value.as_bytes()) => {
                return Err(ErrorKind::encoding_changed());
            }
            Some(Ok(value)) => Some(value),
            Some(Err(Unreadable)) if !agreed => return Err(ErrorKind::encoding_changed()),
            Some(Err(Unreadable)) => {
                return Err(ErrorKind::protocol(
                    "the result is not valid in the encoding of the connection",
                ));
            }
        };
        Ok(StepResult::Ran {
            value,
            tag: self.tag,
        })
    }
}

impl ReplyHandler for ScriptResults<'_> {
    fn take(&mut self, tag: u8, body: &[u8]) -> Result<(), ErrorKind> {
        match tag {
            b'T' => self.first = None,
            b'D' if self.first.is_none() => {
                let value = Row::first_of_message(body).ok_or_else(ErrorKind::malformed_row)?;
                self.first = Some(read(value, self.encoding)?);
            }
            b'C' => {
                self.value = self.first.take();
                let tag = body.strip_suffix(b"\0").unwrap_or(body);
                self.tag = String::from_utf8_lossy(tag).into_owned();
            }
            b'I' => (self.value, self.tag) = (None, String::new()),
            _ => {}
        }
        Ok(())
    }

    fn notice(&mut self, notice: Box<Diagnostic>) {
        (self.notice)(notice);
    }
}

/// Copies a value, whose length the server chooses.
fn read(value: Option<&[u8]>, encoding: Encoding) -> Result<Value, ErrorKind> {
    let Some(bytes) = value else {
        return Ok(Ok(None));
    };
    let no_room = || ErrorKind::protocol("out of memory for a value");
    if encoding != Encoding::UTF8 && !bytes.is_ascii() {
        // A byte may take four as a string.
        let _room = hold(bytes.len().saturating_mul(4)).map_err(|_| no_room())?;
        return Ok(Ok(Some(encoding.decode(bytes))));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(Err(Unreadable));
    };
    room::text(text)
        .map(|text| Ok(Some(text)))
        .map_err(|_| no_room())
}
