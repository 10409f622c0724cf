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
use crate::net::shared_socket::SharedSocket;
use crate::net::tls::protection::{Protection, TlsFacts};
use crate::net::tls::session::Session;

/// A connected socket.
pub(crate) struct Socket {
    transport: Transport,
    /// The TLS that another process has the keys of.
    relayed: Option<Box<Relayed>>,
    // Given back after the socket was closed.
    descriptor: Descriptor,
}

/// See [`Socket::relayed`].
struct Relayed {
    tls: TlsFacts,
    /// Tells why the stream has ended, until others use it, too.
    reason: Option<Box<dyn Fn() -> Option<io::Error>>>,
}

/// The kinds of sockets.
pub(crate) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Session>),
    /// Without TLS, in this process's hands for the time of a statement.
    Shared(SharedSocket),
}

impl Socket {
    pub(crate) fn new(transport: Transport, descriptor: Descriptor) -> Socket {
        Socket {
            transport,
            relayed: None,
            descriptor,
        }
    }

    /// One whose other end is in a process of ours, which has the keys of the TLS. `reason` tells why the stream has ended, if that
    /// is known there.
    pub(crate) fn relayed(
        transport: Transport,
        descriptor: Descriptor,
        tls: TlsFacts,
        reason: Option<Box<dyn Fn() -> Option<io::Error>>>,
    ) -> Socket {
        Socket {
            transport,
            relayed: Some(Box::new(Relayed { tls, reason })),
            descriptor,
        }
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn into_parts(self) -> (Transport, Descriptor) {
        (self.transport, self.descriptor)
    }

    /// The TLS that protects it, if any does.
    pub(crate) fn protection(&self) -> Option<Protection<'_>> {
        match (&self.transport, &self.relayed) {
            (Transport::Tls(session), _) => Some(Protection::Here(session)),
            (_, Some(relayed)) => Some(Protection::Elsewhere(&relayed.tls)),
            (Transport::Tcp(_) | Transport::Unix(_) | Transport::Shared(_), None) => None,
        }
    }

    /// What ended the stream behind the process that has the keys, in place of what this process sees of it.
    fn explained<T>(&self, seen: io::Result<T>) -> io::Result<T> {
        let reason = self.relayed.as_ref().and_then(|it| it.reason.as_ref());
        match reason.and_then(|reason| reason()) {
            Some(error) => Err(error),
            None => seen,
        }
    }

    /// Our port, of a TCP socket.
    pub(crate) fn local_port(&self) -> Option<u16> {
        let address = match &self.transport {
            Transport::Tcp(socket) => socket.local_addr(),
            Transport::Tls(session) => session.socket().local_addr(),
            Transport::Unix(_) | Transport::Shared(_) => return None,
        };
        address.ok().map(|address| address.port())
    }

    /// Makes it a socket that other processes can use, too: a duplicate, which the runtime does not watch, and which is prepared
    /// for blocking.
    pub(crate) fn share(&mut self, tick: Duration) -> io::Result<()> {
        let duplicate = match &self.transport {
            Transport::Tcp(socket) => rustix::io::fcntl_dupfd_cloexec(socket, 0),
            Transport::Unix(socket) => rustix::io::fcntl_dupfd_cloexec(socket, 0),
            Transport::Tls(_) | Transport::Shared(_) => {
                return Err(io::ErrorKind::Unsupported.into());
            }
        }?;
        blocking::prepare(&duplicate, tick)?;
        self.transport = Transport::Shared(SharedSocket::new(duplicate));
        if let Some(relayed) = &mut self.relayed {
            relayed.reason = None;
        }
        Ok(())
    }

    /// The socket that other processes can use, too.
    pub(crate) fn shared(&self) -> Option<&SharedSocket> {
        match &self.transport {
            Transport::Shared(socket) => Some(socket),
            _ => None,
        }
    }

    /// Has the runtime watch it no more, see [`SharedSocket::release`].
    pub(crate) fn release(&mut self) -> io::Result<()> {
        match &mut self.transport {
            Transport::Shared(socket) => socket.release(),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The socket without the runtime; it does not block.
    pub(crate) fn into_system(self) -> io::Result<(OwnedFd, Descriptor)> {
        let socket = match self.transport {
            Transport::Tcp(socket) => socket.into_std().map(OwnedFd::from),
            Transport::Unix(socket) => socket.into_std().map(OwnedFd::from),
            // The session is dropped; a duplicate keeps its socket open.
            Transport::Tls(session) => session.socket().as_fd().try_clone_to_owned(),
            Transport::Shared(socket) => socket.fd()?.try_clone_to_owned(),
        }?;
        Ok((socket, self.descriptor))
    }

    /// Whether nothing has arrived, not even the end of the stream.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let seen = match &mut self.transport {
            Transport::Tcp(socket) => blocking::peek(socket),
            Transport::Unix(socket) => blocking::peek(socket),
            Transport::Tls(session) => return session.is_quiet(),
            Transport::Shared(socket) => socket.fd().and_then(|fd| blocking::peek(&fd)),
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
            Transport::Shared(socket) => socket.fd().and_then(|fd| blocking::send_now(&fd, bytes)),
        };
    }

    /// Prepares the socket so that [`Socket::append`] can block, for a tick at most. False if it cannot.
    pub(crate) fn prepare(&self, tick: Duration) -> bool {
        match &self.transport {
            Transport::Tcp(socket) => blocking::prepare(socket, tick).is_ok(),
            Transport::Unix(socket) => blocking::prepare(socket, tick).is_ok(),
            Transport::Tls(_) => false,
            Transport::Shared(socket) => socket
                .fd()
                .and_then(|fd| blocking::prepare(&fd, tick))
                .is_ok(),
        }
    }

    /// Appends bytes without the runtime, see [`blocking::append`]. Only after [`Socket::prepare`].
    pub(crate) fn append(&self, bytes: &mut Vec<u8>, mode: RecvMode) -> io::Result<Option<usize>> {
        match &self.transport {
            Transport::Tcp(socket) => blocking::append(socket, bytes, mode),
            Transport::Unix(socket) => blocking::append(socket, bytes, mode),
            Transport::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
            Transport::Shared(socket) => socket.append(bytes, mode),
        }
    }

    /// Appends the bytes that have arrived, up to the capacity of `bytes`, without the runtime and without blocking. `None`: none
    /// have.
    pub(crate) fn append_now(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<usize>> {
        match &mut self.transport {
            Transport::Tcp(socket) => blocking::append(socket, bytes, RecvMode::NonBlock),
            Transport::Unix(socket) => blocking::append(socket, bytes, RecvMode::NonBlock),
            Transport::Tls(session) => session.append_now(bytes),
            Transport::Shared(socket) => socket.append(bytes, RecvMode::NonBlock),
        }
    }

    /// Appends the bytes that have arrived, up to the capacity of `bytes`; 0 at the end of the stream.
    pub(crate) fn poll_append(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let got = match &mut self.transport {
            Transport::Tcp(socket) => blocking::poll_append(socket, cx, bytes),
            Transport::Unix(socket) => blocking::poll_append(socket, cx, bytes),
            Transport::Shared(socket) => socket.poll_append(cx, bytes),
            Transport::Tls(_) => {
                let room = bytes.capacity() - bytes.len();
                return pin!(self.read_buf(&mut bytes.limit(room))).poll(cx);
            }
        };
        match got {
            Poll::Ready(end @ (Ok(0) | Err(_))) => Poll::Ready(self.explained(end)),
            got => got,
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
            Transport::Shared(socket) => socket.poll_read(cx, buf),
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
        let this = self.get_mut();
        let sent = match &mut this.transport {
            Transport::Tcp(socket) => blocking::poll_send(socket, cx, buf),
            Transport::Unix(socket) => blocking::poll_send(socket, cx, buf),
            Transport::Shared(socket) => socket.poll_send(cx, buf),
            Transport::Tls(session) => session.poll_write(cx, buf),
        };
        match sent {
            Poll::Ready(failed @ Err(_)) => Poll::Ready(this.explained(failed)),
            sent => sent,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Transport::Unix(socket) => Pin::new(socket).poll_flush(cx),
            Transport::Shared(_) => Poll::Ready(Ok(())),
            Transport::Tls(session) => session.poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Transport::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
            // The keeper's affair.
            Transport::Shared(_) => Poll::Ready(Ok(())),
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
