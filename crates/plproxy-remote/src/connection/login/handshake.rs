//! The stream over which tokio-postgres logs in: what is sent to the server, and what tokio-postgres receives.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use plproxy_core::room::can_allocate;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use crate::connection::auth_policy::AuthPolicy;
use crate::connection::state::SessionState;
use crate::diagnostic::words_of_old;
use crate::encoding::Encoding;
use crate::error::ErrorKind;
use crate::net::transport::Socket;
use crate::protocol::error_response::diagnostic;
use crate::protocol::frame::Frame;
use crate::protocol::notices::{KEPT, Notices};
use crate::protocol::read_buffer::ReadBuffer;

/// How many bytes a server may send before it is ready for queries.
const MOST: usize = 1 << 20;
/// The length of an ErrorResponse, its own four bytes included: another length means an error in the form of the protocol before
/// 3.0, which the postmaster sends when it cannot start a process. libpq has the same bounds.
const ERROR_LENGTHS: std::ops::RangeInclusive<usize> = 8..=30_000;

/// A session after the log-in.
pub(crate) struct LoggedIn {
    pub(crate) socket: Socket,
    /// May hold bytes that were received after the first ReadyForQuery.
    pub(crate) read_buffer: ReadBuffer,
    pub(crate) state: SessionState,
    /// The notices that were received during the log-in.
    pub(crate) notices: Notices,
    pub(crate) auth: AuthPolicy,
}

/// Why there is no session.
pub(crate) struct Refused {
    pub(crate) kind: Refusal,
    /// Whether the server had accepted the client.
    pub(crate) authenticated: bool,
}

/// See [`Refused`].
pub(crate) enum Refusal {
    Failed(ErrorKind),
    /// The message of a server that could not start a process for the connection.
    Words(String),
}

/// A log-in that is running.
pub(super) struct Handshake {
    socket: Socket,
    read_buffer: ReadBuffer,
    state: SessionState,
    auth: AuthPolicy,
    notices: Notices,
    /// How many bytes were received.
    received: usize,
    /// How many messages were received.
    messages: usize,
    /// The part of the start-up message that is not sent.
    start_up: BytesMut,
    /// The start-up message of tokio-postgres, which is discarded.
    swallow: Swallow,
    /// The bytes that tokio-postgres has not read yet.
    to_library: BytesMut,
    ready: bool,
    refusal: Option<Refusal>,
}

/// How much of the start-up message is still to be discarded.
enum Swallow {
    /// Its length, four bytes, as far as it is there.
    Length([u8; 4], usize),
    Rest(usize),
}

impl Handshake {
    pub(super) fn new(
        socket: Socket,
        start_up: BytesMut,
        encoding: Encoding,
        auth: AuthPolicy,
    ) -> Handshake {
        Handshake {
            socket,
            read_buffer: ReadBuffer::default(),
            state: SessionState::new(encoding),
            auth,
            notices: Notices::default(),
            received: 0,
            messages: 0,
            start_up,
            swallow: Swallow::Length([0; 4], 0),
            to_library: BytesMut::new(),
            ready: false,
            refusal: None,
        }
    }

    /// The session, if there is one.
    pub(super) fn into_session(
        self,
        ended: Result<(), tokio_postgres::Error>,
    ) -> Result<LoggedIn, Refused> {
        let authenticated = self.auth.is_done();
        let kind = match (self.refusal, ended) {
            (Some(refusal), _) => refusal,
            (None, Err(error)) => Refusal::Failed(ErrorKind::from_library(&error)),
            (None, Ok(())) if !self.ready => Refusal::Failed(ErrorKind::unexpected_message()),
            (None, Ok(())) => {
                return Ok(LoggedIn {
                    socket: self.socket,
                    read_buffer: self.read_buffer,
                    state: self.state,
                    notices: self.notices,
                    auth: self.auth,
                });
            }
        };
        Err(Refused {
            kind,
            authenticated,
        })
    }

    /// Ready when tokio-postgres has something to read, or nothing more will be received.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        while self.to_library.is_empty() && !self.ready {
            if self.messages == 0 && self.is_old_error() {
                return self.poll_old_error(cx).map(Err);
            }
            if let Some(frame) = self.read_buffer.frame().map_err(Refusal::Failed)? {
                self.messages += 1;
                self.take(&frame).map_err(Refusal::Failed)?;
                continue;
            }
            self.read_buffer.discard();
            ready!(self.poll_fill(cx)).map_err(Refusal::Failed)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorKind>> {
        let before = self.read_buffer.unconsumed().len();
        ready!(self.read_buffer.poll_fill(cx, &mut self.socket))?;
        self.received += self.read_buffer.unconsumed().len() - before;
        Poll::Ready(if self.received > MOST {
            Err(ErrorKind::protocol(
                "server sent too much before it was ready",
            ))
        } else {
            Ok(())
        })
    }

    /// Whether an error in the form of the protocol before 3.0 is being received.
    fn is_old_error(&self) -> bool {
        match self.read_buffer.header() {
            Some((b'E', length)) => !ERROR_LENGTHS.contains(&length),
            _ => false,
        }
    }

    /// Ready with its message, which ends with a zero byte or the stream.
    fn poll_old_error(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        loop {
            let text = self.read_buffer.unconsumed().get(1..).unwrap_or_default();
            if text.contains(&0) {
                return Poll::Ready(Refusal::Words(words_of_old(text)));
            }
            if text.len() > *ERROR_LENGTHS.end() {
                return Poll::Ready(Refusal::Failed(ErrorKind::unexpected_message()));
            }
            match ready!(self.poll_fill(cx)) {
                Ok(()) => {}
                Err(ErrorKind::Closed) => {
                    let text = self.read_buffer.unconsumed().get(1..).unwrap_or_default();
                    return Poll::Ready(Refusal::Words(words_of_old(text)));
                }
                Err(kind) => return Poll::Ready(Refusal::Failed(kind)),
            }
        }
    }

    /// Handles a message. Only authentication requests, and the end, are passed on to tokio-postgres.
    fn take(&mut self, frame: &Frame) -> Result<(), ErrorKind> {
        let body = self.read_buffer.body(&frame.body);
        match frame.tag {
            b'R' => self.auth.check(body).map_err(ErrorKind::protocol)?,
            b'Z' => {
                self.state.ready_for_query(body)?;
                self.ready = true;
            }
            b'S' => return self.state.parameter_status(body),
            b'K' => return self.state.backend_key_data(body),
            b'N' => {
                // More notices than that are not kept.
                if self.notices.size() < KEPT {
                    let notice = diagnostic(body, self.state.encoding())?;
                    self.notices.push(*notice);
                }
                return Ok(());
            }
            b'E' => return Err(ErrorKind::Db(diagnostic(body, self.state.encoding())?)),
            _ => return Err(ErrorKind::unexpected_message()),
        }
        // tokio-postgres copies the message; honest requests are short.
        if !can_allocate(body.len().saturating_mul(4)) {
            return Err(ErrorKind::no_memory_for_message());
        }
        let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
        self.to_library.extend_from_slice(&[frame.tag]);
        self.to_library.extend_from_slice(&length.to_be_bytes());
        self.to_library.extend_from_slice(body);
        Ok(())
    }

    /// Ready when the start-up message is sent.
    fn poll_start_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.start_up.is_empty() {
            let sent = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.start_up))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.start_up.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl Swallow {
    /// Discards the bytes of the message at the beginning of `bytes`; gives how many.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            match self {
                Swallow::Length(length, have) => {
                    let Some(byte) = rest.first() else {
                        return taken;
                    };
                    if let Some(slot) = length.get_mut(*have) {
                        *slot = *byte;
                    }
                    taken += 1;
                    *have += 1;
                    if *have == length.len() {
                        let length = u32::from_be_bytes(*length) as usize;
                        *self = Swallow::Rest(length.saturating_sub(4));
                    }
                }
                Swallow::Rest(missing) => {
                    let more = rest.len().min(*missing);
                    *missing -= more;
                    return taken + more;
                }
            }
        }
    }
}

/// The stream that tokio-postgres gets.
pub(super) struct StartUpStream(Rc<RefCell<Handshake>>);

impl StartUpStream {
    pub(super) fn new(handshake: Rc<RefCell<Handshake>>) -> StartUpStream {
        StartUpStream(handshake)
    }
}

impl TlsStream for StartUpStream {
    fn channel_binding(&self) -> ChannelBinding {
        let handshake = self.0.borrow();
        let session = handshake.socket.protection();
        let hash = session.and_then(|session| session.binding().ok());
        hash.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl AsyncRead for StartUpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let handshake = &mut *self.0.borrow_mut();
        ready!(handshake.poll_start_up(cx))?;
        if let Err(refusal) = ready!(handshake.poll_message(cx)) {
            handshake.refusal = Some(refusal);
            // The error that tokio-postgres makes of it is not used.
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let length = handshake.to_library.len().min(buf.remaining());
        buf.put_slice(&handshake.to_library.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for StartUpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let handshake = &mut *self.0.borrow_mut();
        ready!(handshake.poll_start_up(cx))?;
        let swallowed = handshake.swallow.take(buf);
        if swallowed > 0 {
            return Poll::Ready(Ok(swallowed));
        }
        Pin::new(&mut handshake.socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let handshake = &mut *self.0.borrow_mut();
        ready!(handshake.poll_start_up(cx))?;
        Pin::new(&mut handshake.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The socket outlives tokio-postgres.
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_up_of_tokio_postgres_is_discarded_in_pieces_of_any_size() {
        let message = [0, 0, 0, 11, 0, 3, 0, 0, b'x', b'y', 0];
        let behind = *b"pQ";
        let all = [&message[..], &behind].concat();
        for piece in 1..=all.len() {
            let mut swallow = Swallow::Length([0; 4], 0);
            let mut passed = Vec::new();
            for piece in all.chunks(piece) {
                let taken = swallow.take(piece);
                passed.extend_from_slice(&piece[taken..]);
            }
            assert_eq!(passed, behind, "in pieces of {piece}");
        }
    }
}
