//! Messages to be sent: those of one flight, in one buffer.
//!
//! Large parameters are not copied: the messages are written with gaps for them, and they are sent from where they are.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use plproxy_core::room::can_allocate;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend::{self, BindError};
use tokio::io::AsyncWrite;

use crate::error::ErrorKind;
use crate::protocol::columns::{Format, ResultFormats};
use crate::protocol::param::Param;

/// From this size on a parameter is large.
const LARGE: usize = 256 * 1024;
/// From this size on it is checked first whether a statement, or the small parameters of a message, can be allocated.
const PROBED: usize = 1 << 18;
/// The size of all parameters of a message together: PostgreSQL takes no more.
const LIMIT: usize = (1 << 30) - 1;
/// How much memory is kept from one exchange to the next.
const KEPT: usize = 64 * 1024;

/// See the module.
#[derive(Default)]
pub(crate) struct WriteBuffer {
    bytes: BytesMut,
    /// How much of `bytes` is sent.
    sent: usize,
    gaps: Vec<Gap>,
    params: Option<Rc<[Param]>>,
    /// Not all is sent, or TLS has not passed it on yet.
    busy: bool,
}

/// The gap for a large parameter.
struct Gap {
    at: usize,
    param: usize,
    /// How much of it is sent.
    sent: usize,
}

impl WriteBuffer {
    /// Empties the buffer.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        self.gaps.clear();
        self.params = None;
        self.busy = false;
    }

    /// All messages are written: they can be sent.
    pub(crate) fn begin(&mut self) {
        self.busy = true;
    }

    /// A string of statements by the simple protocol.
    pub(crate) fn simple_query(&mut self, sql: impl AsRef<[u8]>) -> Result<(), ErrorKind> {
        self.message(b'Q', &[sql.as_ref()], &[])
    }

    /// A message of strings, each with a zero byte at its end, and of other bytes. postgres-protocol takes UTF-8 only.
    fn message(&mut self, tag: u8, texts: &[&[u8]], rest: &[u8]) -> Result<(), ErrorKind> {
        let sizes = texts.iter().map(|text| text.len() + 1);
        let size = sizes.fold(4 + rest.len(), usize::saturating_add);
        if size > PROBED && !can_allocate(size.saturating_mul(3)) {
            return Err(ErrorKind::Encode("out of memory for the statement".into()));
        }
        if texts.iter().any(|text| text.contains(&0)) {
            return Err(ErrorKind::Encode("a text contains a zero byte".into()));
        }
        let size = i32::try_from(size)
            .map_err(|_| ErrorKind::Encode("a value is too large to be sent".into()))?;
        self.bytes.extend_from_slice(&[tag]);
        self.bytes.extend_from_slice(&size.to_be_bytes());
        for text in texts {
            self.bytes.extend_from_slice(text);
            self.bytes.extend_from_slice(&[0]);
        }
        self.bytes.extend_from_slice(rest);
        Ok(())
    }

    /// A string of one or more statements. A single one goes by the extended protocol, as there are poolers that refuse the simple
    /// one.
    pub(crate) fn script(&mut self, sql: &[u8]) -> Result<(), ErrorKind> {
        let mut one = sql;
        while let [before @ .., byte] = one
            && (byte.is_ascii_whitespace() || *byte == b';')
        {
            one = before;
        }
        if one.contains(&b';') {
            self.simple_query(sql)
        } else {
            self.extended_query(one)
        }
    }

    /// A statement without parameters, with results as text, by the extended protocol.
    pub(crate) fn extended_query(&mut self, sql: impl AsRef<[u8]>) -> Result<(), ErrorKind> {
        self.parse("", sql)?;
        let none: Rc<[Param]> = Rc::new([]);
        self.bind("", &none, &ResultFormats::All(Format::Text))?;
        self.describe()?;
        self.execute()
    }

    /// One more statement of a round, without parameters, with results as text that are not described.
    pub(crate) fn pipeline(&mut self, sql: &str) -> Result<(), ErrorKind> {
        self.parse("", sql)?;
        let none: Rc<[Param]> = Rc::new([]);
        self.bind("", &none, &ResultFormats::All(Format::Text))?;
        self.execute_bound()
    }

    /// Closes a prepared statement.
    pub(crate) fn close(&mut self, name: &str) -> Result<(), ErrorKind> {
        frontend::close(b'S', name, &mut self.bytes).map_err(refused)
    }

    /// Parses a statement. The server infers the types of its parameters, by their casts.
    pub(crate) fn parse(&mut self, name: &str, sql: impl AsRef<[u8]>) -> Result<(), ErrorKind> {
        self.parse_typed(name, sql, &[])
    }

    /// The same with the types of the first parameters; 0: the server infers the type.
    pub(crate) fn parse_typed(
        &mut self,
        name: &str,
        sql: impl AsRef<[u8]>,
        types: &[u32],
    ) -> Result<(), ErrorKind> {
        let count = u16::try_from(types.len())
            .map_err(|_| ErrorKind::Encode("there are too many parameters".into()))?;
        let mut rest = count.to_be_bytes().to_vec();
        rest.extend(types.iter().flat_map(|number| number.to_be_bytes()));
        self.message(b'P', &[name.as_bytes(), sql.as_ref()], &rest)
    }

    /// Binds parameters to a statement.
    pub(crate) fn bind(
        &mut self,
        name: &str,
        params: &Rc<[Param]>,
        results: &ResultFormats,
    ) -> Result<(), ErrorKind> {
        let sizes = params.iter().filter_map(large).map(<[u8]>::len);
        let large_size = sizes.fold(0, usize::saturating_add);
        if large_size > LIMIT {
            return Err(ErrorKind::Encode(
                "the parameters are too large to be sent".into(),
            ));
        }
        // The small ones are copied, to a buffer that grows by doubling, which ends the process if it cannot.
        let small = params.iter().filter(|param| large(param).is_none());
        let small = small.fold(0, |all: usize, param| all.saturating_add(param.len()));
        if small > PROBED && !can_allocate(small.saturating_mul(3)) {
            return Err(ErrorKind::Encode("out of memory for the parameters".into()));
        }
        let begin = self.bytes.len();
        let gaps = &mut self.gaps;
        frontend::bind(
            "",
            name,
            params.iter().map(|param| match param {
                Param::Binary(_) => 1,
                Param::Null | Param::Text(_) => 0,
            }),
            params.iter().enumerate(),
            |(at, param), bytes| {
                match param {
                    Param::Null => return Ok(IsNull::Yes),
                    param if large(param).is_some() => gaps.push(Gap {
                        at: bytes.len(),
                        param: at,
                        sent: 0,
                    }),
                    Param::Text(value) | Param::Binary(value) => bytes.extend_from_slice(value),
                }
                Ok(IsNull::No)
            },
            results.codes(),
            &mut self.bytes,
        )
        .map_err(|error| match error {
            BindError::Serialization(error) => refused(error),
            BindError::Conversion(error) => ErrorKind::Encode(error.to_string()),
        })?;
        if large_size > 0 {
            self.fill_in_lengths(begin, params, large_size)
                .ok_or_else(|| ErrorKind::Encode("a value is too large to be sent".into()))?;
            self.params = Some(params.clone());
        }
        Ok(())
    }

    /// Writes the true lengths of the message at `begin`, and of the values left out of it.
    fn fill_in_lengths(&mut self, begin: usize, params: &[Param], large_size: usize) -> Option<()> {
        for gap in self.gaps.iter().filter(|gap| gap.at > begin) {
            let size = params.get(gap.param).and_then(large)?.len();
            let length = self.bytes.get_mut(gap.at.checked_sub(4)?..gap.at)?;
            length.copy_from_slice(&u32::try_from(size).ok()?.to_be_bytes());
        }
        let length = self.bytes.len() - begin - 1 + large_size;
        self.bytes
            .get_mut(begin + 1..begin + 5)?
            .copy_from_slice(&i32::try_from(length).ok()?.to_be_bytes());
        Some(())
    }

    /// Parses a statement, and describes its parameters and result columns.
    pub(crate) fn describe_statement(
        &mut self,
        sql: &[u8],
        types: &[u32],
    ) -> Result<(), ErrorKind> {
        self.parse_and_describe(sql, types)?;
        self.end_round();
        Ok(())
    }

    /// The same without the end of the round.
    pub(crate) fn parse_and_describe(
        &mut self,
        sql: &[u8],
        types: &[u32],
    ) -> Result<(), ErrorKind> {
        self.parse_typed("", sql, types)?;
        frontend::describe(b'S', "", &mut self.bytes).map_err(refused)
    }

    /// Parses a statement without a name. The server refuses a text with more than one statement, by its own grammar and
    /// settings.
    pub(crate) fn parse_alone(&mut self, sql: &[u8]) -> Result<(), ErrorKind> {
        self.parse("", sql)?;
        frontend::sync(&mut self.bytes);
        Ok(())
    }

    /// Describes the columns of the result.
    pub(crate) fn describe(&mut self) -> Result<(), ErrorKind> {
        frontend::describe(b'P', "", &mut self.bytes).map_err(refused)
    }

    /// Executes the portal, to the end, and ends the round.
    pub(crate) fn execute(&mut self) -> Result<(), ErrorKind> {
        self.execute_bound()?;
        self.end_round();
        Ok(())
    }

    /// Executes the portal, to the end.
    pub(crate) fn execute_bound(&mut self) -> Result<(), ErrorKind> {
        frontend::execute("", 0, &mut self.bytes).map_err(refused)
    }

    /// Ends the round, with Sync.
    pub(crate) fn end_round(&mut self) {
        frontend::sync(&mut self.bytes);
    }

    /// Whether everything is sent.
    pub(crate) fn is_sent(&self) -> bool {
        !self.busy
    }

    /// Whether nothing is sent yet.
    pub(crate) fn is_untouched(&self) -> bool {
        self.sent == 0 && self.gaps.first().is_none_or(|gap| gap.sent == 0)
    }

    /// Sends as much as the socket takes. Ready when everything is sent.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        mut socket: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<()>> {
        loop {
            let gap = self.gaps.first_mut();
            let end = gap.as_ref().map_or(self.bytes.len(), |gap| gap.at);
            let piece = match self.bytes.get(self.sent..end).unwrap_or_default() {
                [] => match gap {
                    None => break,
                    Some(gap) => {
                        let params = self.params.as_deref().unwrap_or_default();
                        let value = params.get(gap.param).and_then(large).unwrap_or_default();
                        let piece = value.get(gap.sent..).unwrap_or_default();
                        if piece.is_empty() {
                            self.gaps.remove(0);
                            continue;
                        }
                        let sent = ready!(socket.as_mut().poll_write(cx, piece))?;
                        gap.sent += sent;
                        some(sent)?;
                        continue;
                    }
                },
                piece => piece,
            };
            let sent = ready!(socket.as_mut().poll_write(cx, piece))?;
            self.sent += sent;
            some(sent)?;
        }
        ready!(socket.as_mut().poll_flush(cx))?;
        self.busy = false;
        if self.bytes.capacity() > KEPT {
            self.bytes = BytesMut::new();
            self.sent = 0;
        }
        // They are large, and may not be needed any more.
        self.params = None;
        Poll::Ready(Ok(()))
    }
}

/// The bytes of a parameter that is large.
fn large(param: &Param) -> Option<&[u8]> {
    match param {
        Param::Text(bytes) | Param::Binary(bytes) if bytes.len() >= LARGE => Some(bytes),
        _ => None,
    }
}

fn some(sent: usize) -> io::Result<()> {
    match sent {
        0 => Err(io::ErrorKind::WriteZero.into()),
        _ => Ok(()),
    }
}

fn refused(error: io::Error) -> ErrorKind {
    ErrorKind::from_io(&error)
}

#[cfg(test)]
mod tests;
