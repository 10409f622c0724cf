//! Cancel requests whose confirmation is not waited for any more.
//!
//! The time for cancelling is short, and a pooler may take longer to pass a request on. If its client closes the connection
//! meanwhile, the request is lost, and PgBouncer 1.18 even ends with a fatal error. So the socket stays open until the other
//! side has closed it, which later calls check. Nothing is sent on it any more, and all that arrives is discarded.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::net::descriptors::Descriptor;
use crate::net::transport::Socket;

/// How many sockets are kept; the oldest is closed for one more.
const MOST: usize = 64;
/// How often a socket is read at once.
const MOST_SAID: usize = 8;
/// How long a socket is kept.
const LONGEST: Duration = Duration::from_secs(60);

thread_local! {
    static SOCKETS: RefCell<VecDeque<Left>> = const { RefCell::new(VecDeque::new()) };
}

/// A socket that was left open.
struct Left {
    since: Instant,
    socket: OwnedFd,
    // Given back after the socket was closed.
    _descriptor: Descriptor,
}

/// The socket of a request that was sent. Dropped before the other side has closed it, the socket is kept open.
pub(crate) struct Lingering(Option<Socket>);

impl Lingering {
    pub(crate) fn new(socket: Socket) -> Lingering {
        Lingering(Some(socket))
    }

    pub(crate) fn socket(&mut self) -> Option<&mut Socket> {
        self.0.as_mut()
    }

    /// The other side has closed the connection, or the socket has failed.
    pub(crate) fn close(mut self) {
        self.0 = None;
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(Ok((socket, descriptor))) = self.0.take().map(Socket::into_system) else {
            return;
        };
        SOCKETS.with_borrow_mut(|sockets| {
            if sockets.len() >= MOST {
                sockets.pop_front();
            }
            sockets.push_back(Left {
                since: Instant::now(),
                socket,
                _descriptor: descriptor,
            });
        });
    }
}

/// Closes the oldest socket, whatever becomes of its request; false if there is none.
pub(crate) fn close_oldest() -> bool {
    SOCKETS.with_borrow_mut(|sockets| sockets.pop_front().is_some())
}

/// Closes the sockets that the other side has closed, and those that were kept for too long.
pub(crate) fn sweep() {
    SOCKETS.with_borrow_mut(|sockets| {
        if !sockets.is_empty() {
            sockets.retain(|left| left.since.elapsed() < LONGEST && is_open(&left.socket));
        }
    });
}

fn is_open(socket: &OwnedFd) -> bool {
    let mut said = [0; 4096];
    for _ in 0..MOST_SAID {
        match recv(socket, &mut said, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return false,
            // TLS sends session tickets and the like, which are of no use any more.
            Ok(_) => {}
            Err(error) => return error == Errno::AGAIN,
        }
    }
    false
}
