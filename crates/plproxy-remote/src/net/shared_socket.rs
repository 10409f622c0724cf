//! A socket that other processes have, too: in the hands of one at a time.
//!
//! It waits by itself, as one of our own does ([`crate::net::blocking`]), for which it was prepared once for all. The runtime watches it
//! only where it has to, and only until it is given back: otherwise every process that has used it would be woken by every
//! answer.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

use rustix::io::ioctl_fionbio;
use tokio::io::ReadBuf;
use tokio::net::UnixStream;

use crate::net::blocking::{self, RecvMode};

/// Either.
enum Fd {
    Alone(OwnedFd),
    /// The runtime asks nothing of it but whether it is ready, for which any socket will do.
    Watched(UnixStream),
}

/// See the module.
pub(crate) struct SharedSocket(Option<Fd>);

impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Fd::Alone(fd) => fd.as_fd(),
            Fd::Watched(socket) => socket.as_fd(),
        }
    }
}

impl SharedSocket {
    /// The socket has to be prepared, see [`blocking::prepare`].
    pub(crate) fn new(fd: OwnedFd) -> SharedSocket {
        SharedSocket(Some(Fd::Alone(fd)))
    }

    pub(crate) fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        let fd = self.0.as_ref().map(AsFd::as_fd);
        fd.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Has the runtime watch it. `None` outside of the runtime, where nothing can be watched.
    fn watched(&mut self) -> io::Result<Option<&UnixStream>> {
        if let Some(Fd::Alone(_)) = &self.0 {
            if tokio::runtime::Handle::try_current().is_err() {
                return Ok(None);
            }
            if let Some(Fd::Alone(fd)) = self.0.take() {
                // The runtime insists on it. All that is done here says for itself whether it waits.
                ioctl_fionbio(&fd, true)?;
                let socket = UnixStream::from_std(fd.into())?;
                ioctl_fionbio(&socket, false)?;
                self.0 = Some(Fd::Watched(socket));
            }
        }
        match &self.0 {
            Some(Fd::Watched(socket)) => Ok(Some(socket)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The runtime watches it no more. Whoever has it next finds it as it was.
    pub(crate) fn release(&mut self) -> io::Result<()> {
        match self.0.take() {
            Some(Fd::Watched(socket)) => {
                let socket = socket.into_std()?;
                self.0 = Some(Fd::Alone(socket.into()));
                Ok(())
            }
            Some(alone) => {
                self.0 = Some(alone);
                Ok(())
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn is_watched(&self) -> bool {
        matches!(self.0, Some(Fd::Watched(_)))
    }

    /// See [`blocking::append`].
    pub(crate) fn append(&self, bytes: &mut Vec<u8>, mode: RecvMode) -> io::Result<Option<usize>> {
        blocking::append(&self.fd()?, bytes, mode)
    }

    /// See [`blocking::poll_append`].
    pub(crate) fn poll_append(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        if !self.is_watched()
            && let Some(got) = self.append(bytes, RecvMode::NonBlock)?
        {
            return Poll::Ready(Ok(got));
        }
        match self.watched()? {
            Some(socket) => blocking::poll_append(socket, cx, bytes),
            None => Poll::Pending,
        }
    }

    /// See [`blocking::poll_read`]. Nobody logs in over it.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.watched()? {
            Some(socket) => blocking::poll_read(socket, cx, buf),
            None => Poll::Pending,
        }
    }

    /// See [`blocking::poll_send`].
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.is_watched() {
            match blocking::send_now(&self.fd()?, bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
        match self.watched()? {
            Some(socket) => blocking::poll_send(socket, cx, bytes),
            None => Poll::Pending,
        }
    }
}
