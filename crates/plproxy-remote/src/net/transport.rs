//! Connected sockets: TCP, Unix, and TLS over TCP. TLS is negotiated before tokio-postgres logs in, which gets a stream that
//! needs none, by [`Finished`].

use std::convert::Infallible;
use std::future::{Future, Ready, ready as at_once};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BufMut;
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::{TlsConnect, TlsStream};

use crate::net::blocking::{self, RecvMode};
use crate::net::descriptors::Descriptor;
use crate::net::tls::session::Session;

/// A connected socket.
pub(crate) struct Socket {
    transport: Transport,
    // Given back after the socket was closed.
    descriptor: Descriptor,
}

/// The kinds of sockets.
pub(crate) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Session>),
}

impl Socket {
    pub(crate) fn new(transport: Transport, descriptor: Descriptor) -> Socket {
        Socket {
            transport,
            descriptor,
        }
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn into_parts(self) -> (Transport, Descriptor) {
        (self.transport, self.descriptor)
    }

    /// The TLS session, if there is one.
    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.transport {
            Transport::Tls(session) => Some(session),
            Transport::Tcp(_) | Transport::Unix(_) => None,
        }
    }

    /// Our port, of a TCP socket.
    pub(crate) fn local_port(&self) -> Option<u16> {
        let address = match &self.transport {
            Transport::Tcp(socket) => socket.local_addr(),
            Transport::Tls(session) => session.socket().local_addr(),
            Transport::Unix(_) => return None,
        };
        address.ok().map(|address| address.port())
    }

    /// The socket without the runtime; it does not block.
    pub(crate) fn into_system(self) -> io::Result<(OwnedFd, Descriptor)> {
        let socket = match self.transport {
            Transport::Tcp(socket) => socket.into_std().map(OwnedFd::from),
            Transport::Unix(socket) => socket.into_std().map(OwnedFd::from),
            // The session is dropped; a duplicate keeps its socket open.
            Transport::Tls(session) => session.socket().as_fd().try_clone_to_owned(),
        }?;
        Ok((socket, self.descriptor))
    }

    /// Whether nothing has arrived, not even the end of the stream.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let seen = match &mut self.transport {
            Transport::Tcp(socket) => blocking::peek(socket),
            Transport::Unix(socket) => blocking::peek(socket),
            Transport::Tls(session) => return session.is_quiet(),
        };
        matches!(seen, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether there are bytes to read.
    pub(crate) fn has_sent(socket: &TcpStream) -> bool {
        matches!(blocking::peek(socket), Ok(true))
    }

    /// Sends `bytes` if the system takes them at once; nothing can be sent after that.
    pub(crate) fn send_last(&mut self, bytes: &[u8]) {
        // Best effort: the server also notices the end of the stream.
        let _ = match &mut self.transport {
            Transport::Tcp(socket) => blocking::send_now(socket, bytes),
            Transport::Unix(socket) => blocking::send_now(socket, bytes),
            Transport::Tls(session) => return session.send_last(bytes),
        };
    }

    /// Prepares the socket so that [`Socket::append`] can block, for a tick at most. False if it cannot.
    pub(crate) fn prepare(&self, tick: Duration) -> bool {
        match &self.transport {
            Transport::Tcp(socket) => blocking::prepare(socket, tick).is_ok(),
            Transport::Unix(socket) => blocking::prepare(socket, tick).is_ok(),
            Transport::Tls(_) => false,
        }
    }

    /// Appends bytes without the runtime, see [`blocking::append`]. Only after [`Socket::prepare`].
    pub(crate) fn append(&self, bytes: &mut Vec<u8>, mode: RecvMode) -> io::Result<Option<usize>> {
        match &self.transport {
            Transport::Tcp(socket) => blocking::append(socket, bytes, mode),
            Transport::Unix(socket) => blocking::append(socket, bytes, mode),
            Transport::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Appends the bytes that have arrived, up to the capacity of `bytes`, without the runtime and without blocking. `None`: none
    /// have.
    pub(crate) fn append_now(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<usize>> {
        match &mut self.transport {
            Transport::Tcp(socket) => blocking::append(socket, bytes, RecvMode::NonBlock),
            Transport::Unix(socket) => blocking::append(socket, bytes, RecvMode::NonBlock),
            Transport::Tls(session) => session.append_now(bytes),
        }
    }

    /// Appends the bytes that have arrived, up to the capacity of `bytes`; 0 at the end of the stream.
    pub(crate) fn poll_append(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Tcp(socket) => blocking::poll_append(socket, cx, bytes),
            Transport::Unix(socket) => blocking::poll_append(socket, cx, bytes),
            Transport::Tls(_) => {
                let room = bytes.capacity() - bytes.len();
                pin!(self.read_buf(&mut bytes.limit(room))).poll(cx)
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(socket) => blocking::poll_read(socket, cx, buf),
            Transport::Unix(socket) => blocking::poll_read(socket, cx, buf),
            Transport::Tls(session) => session.poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(socket) => blocking::poll_send(socket, cx, buf),
            Transport::Unix(socket) => blocking::poll_send(socket, cx, buf),
            Transport::Tls(session) => session.poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Transport::Unix(socket) => Pin::new(socket).poll_flush(cx),
            Transport::Tls(session) => session.poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Transport::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
            Transport::Tls(session) => {
                ready!(session.poll_close_notify(cx))?;
                Poll::Ready(Ok(shutdown(session.socket(), Shutdown::Write)?))
            }
        }
    }
}

/// Hands tokio-postgres a stream as the result of a TLS handshake, whatever the stream is: it asks only such a stream for channel
/// binding.
pub(crate) struct Finished;

impl<S: TlsStream + Unpin> TlsConnect<S> for Finished {
    type Stream = S;
    type Error = Infallible;
    type Future = Ready<Result<S, Infallible>>;

    fn connect(self, stream: S) -> Self::Future {
        at_once(Ok(stream))
    }
}
