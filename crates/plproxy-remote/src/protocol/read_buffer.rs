//! Bytes received from the socket, divided into messages.

use std::ops::Range;
use std::task::{Context, Poll, ready};

use plproxy_core::room;

use crate::error::ErrorKind;
use crate::net::blocking::RecvMode;
use crate::net::transport::Socket;
use crate::protocol::frame::{Frame, HEADER, is_async, limit};

/// How much room is made for a read.
const READ: usize = 8 * 1024;
/// The least room for a read.
const LEAST: usize = 1024;
/// How much memory is kept from one exchange to the next.
const KEPT: usize = 16 * 1024;
/// Rows that take less than this part of the buffer are copied, and the buffer is kept.
const SMALL_PART: usize = 4;

/// Received bytes.
#[derive(Default)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    /// All messages before this position were consumed.
    at: usize,
}

impl ReadBuffer {
    /// Whether all bytes were consumed.
    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Whether nothing is left but a part of an asynchronous message. To be called when all complete messages were consumed.
    pub(crate) fn has_no_reply(&self) -> bool {
        self.bytes.get(self.at).is_none_or(|tag| is_async(*tag))
    }

    /// How many bytes are missing of the message that has arrived in part, as far as is known.
    pub(crate) fn missing(&self) -> usize {
        match self.header() {
            Some((_, length)) => (self.at + 1)
                .saturating_add(length)
                .saturating_sub(self.bytes.len()),
            None => 0,
        }
    }

    /// How many bytes were consumed and are still in the buffer.
    pub(crate) fn consumed(&self) -> usize {
        self.at
    }

    /// Consumes the next message, if it has arrived in whole. A message of a length that no honest server sends is refused as
    /// soon as the length is known.
    pub(crate) fn frame(&mut self) -> Result<Option<Frame>, ErrorKind> {
        let Some((tag, length)) = self.header() else {
            return Ok(None);
        };
        if !(4..=limit(tag)).contains(&length) {
            return Err(ErrorKind::protocol(
                "server sent a message of an impossible length",
            ));
        }
        let body = self.at + HEADER..self.at + 1 + length;
        if self.bytes.len() < body.end {
            return Ok(None);
        }
        self.at = body.end;
        Ok(Some(Frame { tag, body }))
    }

    /// The bytes that were not consumed.
    pub(crate) fn unconsumed(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The tag and the length of the next message, if they have arrived.
    pub(crate) fn header(&self) -> Option<(u8, usize)> {
        let header: &[u8; HEADER] = self.bytes.get(self.at..self.at + HEADER)?.try_into().ok()?;
        let [tag, length @ ..] = header;
        Some((*tag, u32::from_be_bytes(*length) as usize))
    }

    pub(crate) fn body(&self, body: &Range<usize>) -> &[u8] {
        self.bytes.get(body.clone()).unwrap_or_default()
    }

    /// Reads the bytes that have arrived. Positions in the buffer stay valid.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut Socket,
    ) -> Poll<Result<(), ErrorKind>> {
        self.reserve()?;
        Poll::Ready(match ready!(socket.poll_append(cx, &mut self.bytes)) {
            Ok(0) => Err(ErrorKind::Closed),
            Ok(_) => Ok(()),
            Err(error) => Err(ErrorKind::from_io(&error)),
        })
    }

    /// The same without the runtime, on a socket that is prepared for it. False: nothing has arrived.
    pub(crate) fn fill(&mut self, socket: &Socket, mode: RecvMode) -> Result<bool, ErrorKind> {
        self.reserve()?;
        match socket.append(&mut self.bytes, mode) {
            Ok(Some(0)) => Err(ErrorKind::Closed),
            Ok(got) => Ok(got.is_some()),
            Err(error) => Err(ErrorKind::from_io(&error)),
        }
    }

    /// The same on any socket, without blocking.
    pub(crate) fn fill_now(&mut self, socket: &mut Socket) -> Result<bool, ErrorKind> {
        self.reserve()?;
        match socket.append_now(&mut self.bytes) {
            Ok(Some(0)) => Err(ErrorKind::Closed),
            Ok(got) => Ok(got.is_some()),
            Err(error) => Err(ErrorKind::from_io(&error)),
        }
    }

    /// Makes room for a read.
    fn reserve(&mut self) -> Result<(), ErrorKind> {
        let missing = self.missing();
        if self.bytes.capacity() - self.bytes.len() < missing.max(LEAST) {
            // The server chooses the length, which must not end the process.
            if missing > READ {
                room::reserve_exact(&mut self.bytes, missing)
            } else {
                room::reserve(&mut self.bytes, READ)
            }
            .map_err(|_| ErrorKind::no_memory_for_message())?;
        }
        Ok(())
    }

    /// Takes the rows at these positions out of the buffer, with everything else that was consumed. The positions are changed
    /// to those in the result.
    pub(crate) fn take(&mut self, rows: &mut [Range<usize>]) -> Result<Vec<u8>, ErrorKind> {
        let copy = |bytes: Option<&[u8]>| {
            room::copy(bytes.unwrap_or_default()).map_err(|_| ErrorKind::no_memory_for_message())
        };
        let Some(first) = rows.first().map(|row| row.start) else {
            self.discard();
            return Ok(Vec::new());
        };
        if self.at - first < self.bytes.capacity() / SMALL_PART {
            let taken = copy(self.bytes.get(first..self.at))?;
            for row in rows {
                *row = row.start - first..row.end - first;
            }
            self.discard();
            return Ok(taken);
        }
        let rest = copy(self.bytes.get(self.at..))?;
        self.at = 0;
        Ok(std::mem::replace(&mut self.bytes, rest))
    }

    /// Discards the bytes that were consumed.
    pub(crate) fn discard(&mut self) {
        if !self.is_empty() {
            self.bytes.drain(..self.at);
        } else if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
        self.at = 0;
    }
}
