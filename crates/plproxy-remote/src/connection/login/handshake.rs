//! The stream over which the client library logs in: what goes to the server, and what the library gets to see.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use plproxy_core::room::is_room_for;
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

/// All that may come before the server is ready for the first time.
const MOST: usize = 1 << 20;
/// The length of an error, its own four bytes included: what does not keep to that is the text of a server that speaks the
/// protocol of long ago, as the postmaster does when it cannot start a process. libpq has the same bounds.
const ERROR_LENGTHS: std::ops::RangeInclusive<usize> = 8..=30_000;

/// A session that has begun.
pub(crate) struct LoggedIn {
    pub(crate) socket: Socket,
    /// What came behind the first readiness.
    pub(crate) read_buffer: ReadBuffer,
    pub(crate) state: SessionState,
    /// What the server had to say on the way.
    pub(crate) notices: Notices,
    pub(crate) auth: AuthPolicy,
}

/// Why there is no session.
pub(crate) struct Refused {
    pub(crate) kind: Refusal,
    /// Whether the server was content with who we are.
    pub(crate) authenticated: bool,
}

/// See [`Refused`].
pub(crate) enum Refusal {
    Failed(ErrorKind),
    /// The words of a server that could not even start a process for us.
    Words(String),
}

/// A log-in under way.
pub(super) struct Handshake {
    socket: Socket,
    read_buffer: ReadBuffer,
    state: SessionState,
    auth: AuthPolicy,
    notices: Notices,
    /// Bytes that came.
    received: usize,
    /// Messages that came.
    messages: usize,
    /// What is left to send of the start-up message.
    start_up: BytesMut,
    /// The library's own start-up message, which goes nowhere.
    swallow: Swallow,
    /// What the library has not read yet.
    to_library: BytesMut,
    ready: bool,
    refusal: Option<Refusal>,
}

/// How much of a start-up message is still to come from the library.
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

    /// Ready when the library has something to read, or nothing more will come.
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
            self.read_buffer.forget();
            ready!(self.poll_fill(cx)).map_err(Refusal::Failed)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorKind>> {
        let before = self.read_buffer.unseen().len();
        ready!(self.read_buffer.poll_fill(cx, &mut self.socket))?;
        self.received += self.read_buffer.unseen().len() - before;
        Poll::Ready(if self.received > MOST {
            Err(ErrorKind::protocol(
                "server sent too much before it was ready",
            ))
        } else {
            Ok(())
        })
    }

    /// Whether what comes is no message of the protocol, but an error all the same.
    fn is_old_error(&self) -> bool {
        match self.read_buffer.header() {
            Some((b'E', length)) => !ERROR_LENGTHS.contains(&length),
            _ => false,
        }
    }

    /// Ready with its words, which end with a zero byte or the stream.
    fn poll_old_error(&mut self, cx: &mut Context<'_>) -> Poll<Refusal> {
        loop {
            let text = self.read_buffer.unseen().get(1..).unwrap_or_default();
            if text.contains(&0) {
                return Poll::Ready(Refusal::Words(words_of_old(text)));
            }
            if text.len() > *ERROR_LENGTHS.end() {
                return Poll::Ready(Refusal::Failed(ErrorKind::unexpected_message()));
            }
            match ready!(self.poll_fill(cx)) {
                Ok(()) => {}
                Err(ErrorKind::Closed) => {
                    let text = self.read_buffer.unseen().get(1..).unwrap_or_default();
                    return Poll::Ready(Refusal::Words(words_of_old(text)));
                }
                Err(kind) => return Poll::Ready(Refusal::Failed(kind)),
            }
        }
    }

    /// Sees to a message. Only the questions are the library's affair.
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
                // What is more than anybody reads is not kept.
                if self.notices.size() < KEPT {
                    let notice = diagnostic(body, self.state.encoding())?;
                    self.notices.push(*notice);
                }
                return Ok(());
            }
            b'E' => return Err(ErrorKind::Db(diagnostic(body, self.state.encoding())?)),
            _ => return Err(ErrorKind::unexpected_message()),
        }
        // The library copies what it gets, and honest questions are short.
        if !is_room_for(body.len().saturating_mul(4)) {
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
    /// Takes the bytes of the message from the beginning of `bytes`; says how many.
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

/// The library's end of it.
pub(super) struct StartUpStream(Rc<RefCell<Handshake>>);

impl StartUpStream {
    pub(super) fn new(handshake: Rc<RefCell<Handshake>>) -> StartUpStream {
        StartUpStream(handshake)
    }
}

impl TlsStream for StartUpStream {
    fn channel_binding(&self) -> ChannelBinding {
        let handshake = self.0.borrow();
        let session = handshake.socket.session();
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
            // The library's word for it does not matter.
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
        // The socket outlives the library.
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_s_start_up_goes_nowhere_in_pieces_of_any_size() {
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
