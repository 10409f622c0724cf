//! What the keeper does for a connection over TLS: it passes on what sessions send, and what the server sends.
//!
//! Each side is read only while the other takes what was read before: a record at a time, and the system's own buffers, is all that
//! lies here. While nothing is under way a relay has no buffer at all.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};
use tokio::io::ReadBuf;
use tokio::net::UnixStream;
use tokio::time::Sleep;

use crate::net::blocking::{poll_read, poll_send};
use crate::net::tls::session::Session;

/// As much is read at once: what a record of TLS holds.
const RECORD: usize = 16 * 1024;
/// So long a server has to close the connection when nobody will send any more.
const LEAVE: Duration = Duration::from_secs(10);

/// Room to read into, of all relays.
#[derive(Clone)]
pub(crate) struct Scratch(Rc<RefCell<Vec<u8>>>);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch(Rc::new(RefCell::new(vec![0; RECORD])))
    }
}

/// See the module.
pub(crate) struct Relay {
    session: Session,
    local: UnixStream,
    scratch: Scratch,
    /// From the sessions, not taken by the server yet; the same the other way.
    up: Rest,
    down: Rest,
    state: State,
    /// Nobody reads any more what the server sends.
    is_deserted: bool,
    /// Why nothing can be sent to the server.
    failed: Option<io::Error>,
}

/// What becomes of what sessions send.
enum State {
    Passes,
    /// There will be nothing more: TLS is to say so, if it has not been told to.
    Closes {
        is_told: bool,
    },
    /// The server knows, and has until then.
    Closed(Pin<Box<Sleep>>),
}

/// What one side has not taken yet.
#[derive(Default)]
struct Rest {
    bytes: Vec<u8>,
    taken: usize,
}

impl Rest {
    /// Hands it to `send`. Ready when all of it is taken.
    fn poll(
        &mut self,
        mut send: impl FnMut(&[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        loop {
            let rest = self.bytes.get(self.taken..).unwrap_or_default();
            if rest.is_empty() {
                *self = Rest::default();
                return Poll::Ready(Ok(()));
            }
            self.taken += ready!(send(rest))?;
        }
    }

    /// Hands `bytes` to `send`, and keeps what is not taken.
    fn pass(
        &mut self,
        mut bytes: &[u8],
        mut send: impl FnMut(&[u8]) -> Poll<io::Result<usize>>,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            match send(bytes) {
                Poll::Ready(sent) => bytes = bytes.get(sent?..).unwrap_or_default(),
                Poll::Pending => {
                    self.bytes.extend_from_slice(bytes);
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Relay {
    pub(crate) fn new(session: Session, local: UnixStream, scratch: Scratch) -> Relay {
        Relay {
            session,
            local,
            scratch,
            up: Rest::default(),
            down: Rest::default(),
            state: State::Passes,
            is_deserted: false,
            failed: None,
        }
    }

    /// Whether the server has been told that there will be nothing more.
    pub(crate) fn has_left(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    /// Passes on what there is. Ready when the connection has ended, with the reason if it was none of the peers' will.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(Err(error)) = self.poll_up(cx) {
            // What the server said before is still to be read.
            self.failed = Some(error);
            self.state = State::Closed(Box::pin(tokio::time::sleep(LEAVE)));
        }
        let ended = match self.poll_down(cx) {
            Poll::Ready(ended) => ended,
            Poll::Pending => match &mut self.state {
                State::Closed(patience) => {
                    ready!(patience.as_mut().poll(cx));
                    Ok(())
                }
                State::Passes | State::Closes { .. } => return Poll::Pending,
            },
        };
        Poll::Ready(match self.failed.take() {
            Some(error) => Err(error),
            None => ended,
        })
    }

    /// From the sessions to the server. Never ready but with an error.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.state {
                State::Passes => {
                    let session = &mut self.session;
                    ready!(self.up.poll(|bytes| session.poll_write(cx, bytes)))?;
                    ready!(session.poll_flush(cx))?;
                    let scratch = &mut *self.scratch.0.borrow_mut();
                    let mut read = ReadBuf::new(scratch);
                    // An error here is an end like any other.
                    let seen = ready!(poll_read(&self.local, cx, &mut read));
                    if seen.is_err() || read.filled().is_empty() {
                        self.state = State::Closes { is_told: false };
                        continue;
                    }
                    self.up
                        .pass(read.filled(), |bytes| session.poll_write(cx, bytes))?;
                }
                State::Closes { is_told: false } => {
                    self.state = State::Closes { is_told: true };
                    ready!(self.session.poll_close_notify(cx))?;
                }
                State::Closes { is_told: true } => {
                    ready!(self.session.poll_flush(cx))?;
                    // It may have ended already.
                    let _shut = shutdown(self.session.socket(), Shutdown::Write);
                    self.state = State::Closed(Box::pin(tokio::time::sleep(LEAVE)));
                }
                State::Closed(_) => return Poll::Pending,
            }
        }
    }

    /// From the server to the sessions. Ready when that has ended, and they have all of it.
    fn poll_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let local = &self.local;
            if ready!(self.down.poll(|bytes| poll_send(local, cx, bytes))).is_err() {
                self.is_deserted = true;
                self.down = Rest::default();
            }
            let scratch = &mut *self.scratch.0.borrow_mut();
            let mut read = ReadBuf::new(scratch);
            match ready!(self.session.poll_read(cx, &mut read)) {
                Ok(()) if read.filled().is_empty() => return Poll::Ready(Ok(())),
                Ok(()) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            if !self.is_deserted
                && self
                    .down
                    .pass(read.filled(), |bytes| poll_send(local, cx, bytes))
                    .is_err()
            {
                self.is_deserted = true;
                self.down = Rest::default();
            }
        }
    }
}
