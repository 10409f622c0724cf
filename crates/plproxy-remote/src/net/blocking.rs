//! Sockets without TLS, on which each `recv` and each `send` says for itself whether it may block.
//!
//! In the runtime nothing blocks on a socket; the runtime waits for all of them at once. The only request of a call can do
//! without the runtime: it blocks in the very `recv` that takes the reply, which saves a system call and the way through the
//! runtime. Such a `recv` ends by itself after a tick, and with every signal.

use std::io;
use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::io::{Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// What TCP and Unix sockets have in common.
pub(crate) trait RawSocket: AsFd {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Runs `f`. If that would block, the runtime learns that the socket is not ready.
    fn attempt<T>(&self, of: Interest, f: impl FnOnce() -> io::Result<T>) -> io::Result<T>;
}

macro_rules! raw_socket {
    ($socket:ty) => {
        impl RawSocket for $socket {
            fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_read_ready(cx)
            }

            fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_write_ready(cx)
            }

            fn attempt<T>(&self, of: Interest, f: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
                self.try_io(of, f)
            }
        }
    };
}
raw_socket!(TcpStream);
raw_socket!(UnixStream);

/// Appends the bytes that have arrived to `bytes`, up to its capacity; 0 at the end of the stream.
pub(crate) fn poll_append(
    socket: &impl RawSocket,
    cx: &mut Context<'_>,
    bytes: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    let room = bytes.capacity() - bytes.len();
    poll_receive(socket, cx, room, || {
        Ok(recv(socket, spare_capacity(bytes), RecvFlags::DONTWAIT)?.0)
    })
}

/// The same into a buffer of tokio's.
pub(crate) fn poll_read(
    socket: &impl RawSocket,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    let unfilled = buf.initialize_unfilled();
    let got = ready!(poll_receive(socket, cx, unfilled.len(), || {
        Ok(recv(socket, &mut *unfilled, RecvFlags::DONTWAIT)?.0)
    }))?;
    buf.advance(got);
    Poll::Ready(Ok(()))
}

fn poll_receive(
    socket: &impl RawSocket,
    cx: &mut Context<'_>,
    room: usize,
    mut receive: impl FnMut() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_readable(cx))?;
        match socket.attempt(Interest::READABLE, &mut receive) {
            Ok(got) => {
                if 0 < got && got < room {
                    // That was all: the next read is to wait, and not to try in vain.
                    let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                    let _ = socket.attempt(Interest::READABLE, nothing);
                }
                return Poll::Ready(Ok(got));
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                _ => return Poll::Ready(Err(error)),
            },
        }
    }
}

/// Sends as much as the system takes, when it takes something.
pub(crate) fn poll_send(
    socket: &impl RawSocket,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_writable(cx))?;
        match socket.attempt(Interest::WRITABLE, || send_now(socket, bytes)) {
            Ok(sent) => return Poll::Ready(Ok(sent)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                _ => return Poll::Ready(Err(error)),
            },
        }
    }
}

/// Sends as much as the system takes at once. A peer that has closed the connection raises no signal.
pub(crate) fn send_now(socket: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(
        socket,
        bytes,
        SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
    )?)
}

/// Peeks: whether there are bytes to read, false at the end of the stream, an error where nothing has arrived.
pub(crate) fn peek(socket: &impl AsFd) -> io::Result<bool> {
    let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
    Ok(recv(socket, &mut [0; 1], flags)?.0 > 0)
}

/// Prepares a socket so that [`append`] can block on it, for a tick at most. No other function here blocks.
pub(crate) fn prepare(socket: &impl AsFd, tick: Duration) -> io::Result<()> {
    // With a timeout, `recv` ends with a signal even if its handler was installed with SA_RESTART.
    set_socket_timeout(socket, Timeout::Recv, Some(tick))?;
    rustix::io::ioctl_fionbio(socket, false)?;
    Ok(())
}

/// Whether a `recv` blocks when nothing has arrived.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecvMode {
    /// Only on a socket that was prepared for it.
    Block,
    NonBlock,
}

/// Appends the bytes that arrive to `bytes`, up to its capacity. `None`: nothing has arrived, and if it blocked, a signal or the
/// timeout has ended that.
pub(crate) fn append(
    socket: &impl AsFd,
    bytes: &mut Vec<u8>,
    mode: RecvMode,
) -> io::Result<Option<usize>> {
    let flags = match mode {
        RecvMode::Block => RecvFlags::empty(),
        RecvMode::NonBlock => RecvFlags::DONTWAIT,
    };
    match recv(socket, spare_capacity(bytes), flags) {
        Ok((got, _)) => Ok(Some(got)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
