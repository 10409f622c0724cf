//! What OpenSSL reads from and writes to, instead of the socket.
//!
//! The bytes that OpenSSL sends are kept here until the socket takes them, so that no write of OpenSSL's is ever left half done.
//! Reading has a limit, after which the runtime checks other sockets.

use std::io::{self, Read, Write};
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, recv};
use tokio::net::TcpStream;

use super::handshake_tap::HandshakeTap;

/// How many bytes one operation of OpenSSL may read. Should they hold no data, interrupts are checked before more is read.
pub(super) const BUDGET: usize = 64 * 1024;
/// A larger buffer is freed when it is empty.
const KEPT: usize = 1024;

/// See the module.
pub(super) struct Bio {
    pub(super) socket: TcpStream,
    /// Written by OpenSSL; not sent from `sent` on.
    outgoing: Vec<u8>,
    sent: usize,
    /// How much may still be read before the runtime checks other sockets.
    pub(super) budget: usize,
    /// Read without asking the runtime, which learns what has arrived only while it waits.
    pub(super) at_once: bool,
    /// During the handshake.
    pub(super) tap: Option<HandshakeTap>,
}

impl Read for Bio {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.budget == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let limit = buf.len().min(self.budget);
        let buf = buf.get_mut(..limit).unwrap_or_default();
        let length = if self.at_once {
            recv(&self.socket, buf, RecvFlags::DONTWAIT)
                .map(|(length, _)| length)
                .map_err(io::Error::from)
        } else {
            self.socket.try_read(buf)
        }?;
        self.budget -= length;
        Ok(length)
    }
}

impl Write for Bio {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if let Some(tap) = &mut self.tap {
            tap.sent(buf);
        }
        self.outgoing.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Bio {
    pub(super) fn new(socket: TcpStream) -> Bio {
        Bio {
            socket,
            outgoing: Vec::new(),
            sent: 0,
            budget: 0,
            at_once: false,
            tap: Some(HandshakeTap::default()),
        }
    }

    pub(super) fn unsent(&self) -> &[u8] {
        self.outgoing.get(self.sent..).unwrap_or_default()
    }

    /// Sends the bytes that OpenSSL has written.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent().is_empty() {
            match self.socket.try_write(self.unsent()) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.sent = 0;
        self.outgoing.clear();
        if self.outgoing.capacity() > KEPT {
            self.outgoing = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}
