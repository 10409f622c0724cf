//! The bytes between the client library and the socket.
//!
//! [`Stream`] is what the library reads from and writes to. It passes everything on and has a [`Monitor`] look at it.
//! The socket itself is shared, so that a connection at rest can be looked at without going through the library.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::bind::Binder;
use crate::monitor::Monitor;

/// Linux's `MSG_NOSIGNAL`: a peer that hung up is no reason for a signal to the process.
const NO_SIGNAL: i32 = 0x4000;

/// A connected socket.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Whether it cannot leave the machine.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Socket::Unix(_))
    }

    fn system(&self) -> SockRef<'_> {
        match self {
            Socket::Tcp(socket) => SockRef::from(socket),
            Socket::Unix(socket) => SockRef::from(socket),
        }
    }

    /// The socket by itself, without the runtime; it does not block.
    pub(crate) fn into_system(self) -> io::Result<socket2::Socket> {
        match self {
            Socket::Tcp(socket) => socket.into_std().map(socket2::Socket::from),
            Socket::Unix(socket) => socket.into_std().map(socket2::Socket::from),
        }
    }

    /// Whether the peer is silent, as it has to be between two statements. Anything that can be read (the end of the
    /// stream, a farewell, whatever) tells that the connection is not what it was.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        matches!(self.system().peek(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends `bytes` if the system takes them at once; only good as a last word.
    pub(crate) fn send_last(&self, bytes: &[u8]) {
        // Nothing depends on it: the server also notices the end of the stream.
        let _ = self.system().send_with_flags(bytes, NO_SIGNAL);
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Unix(socket) => Pin::new(socket).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_write(cx, buf),
            Socket::Unix(socket) => Pin::new(socket).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

/// A socket with a monitor, as the client library sees it.
pub(crate) struct Stream {
    socket: Rc<RefCell<Socket>>,
    monitor: Rc<RefCell<Monitor>>,
    binder: Rc<RefCell<Binder>>,
}

impl Stream {
    pub(crate) fn new(
        socket: Rc<RefCell<Socket>>,
        monitor: Rc<RefCell<Monitor>>,
        binder: Rc<RefCell<Binder>>,
    ) -> Stream {
        Stream {
            socket,
            monitor,
            binder,
        }
    }

    /// Sends what is left of edited messages.
    fn poll_edited(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = self.socket.borrow_mut();
        self.binder
            .borrow_mut()
            .poll_send(cx, Pin::new(&mut *socket))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut *this.socket.borrow_mut()).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = polled
            && let Some(fresh) = buf.filled_mut().get_mut(before..)
            && let Err(error) = this.monitor.borrow_mut().received(fresh)
        {
            return Poll::Ready(Err(error));
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_edited(cx))?;
        let mut monitor = this.monitor.borrow_mut();
        let mut buf = buf;
        if this.binder.borrow().is_waiting() {
            let rest = monitor.rest_of_message();
            if rest == 0 {
                if this.binder.borrow_mut().take(buf)? {
                    monitor.sent(buf);
                    drop(monitor);
                    // What the socket does not take now it takes when the library flushes.
                    return match this.poll_edited(cx) {
                        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                        _ => Poll::Ready(Ok(buf.len())),
                    };
                }
            } else {
                // Up to where the next message begins.
                buf = buf.get(..rest).unwrap_or(buf);
            }
        }
        let polled = Pin::new(&mut *this.socket.borrow_mut()).poll_write(cx, buf);
        if let Poll::Ready(Ok(length)) = polled
            && let Some(sent) = buf.get(..length)
        {
            monitor.sent(sent);
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_edited(cx))?;
        Pin::new(&mut *this.socket.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_edited(cx))?;
        Pin::new(&mut *this.socket.borrow_mut()).poll_shutdown(cx)
    }
}
