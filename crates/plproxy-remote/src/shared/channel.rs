//! The way from the sessions to the keeper, and back.
//!
//! A pair of sockets made before any of them is started, which all inherit and no program does that they execute. Who sends
//! wants no answer but for a socket, for which it sends along a socket that the answer is to come on.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Both ends.
#[derive(Debug)]
pub struct Channel {
    sessions: OwnedFd,
    keeper: OwnedFd,
}

static CHANNEL: OnceLock<Channel> = OnceLock::new();

/// What is asked of the keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Keep the socket that comes with it.
    Keep { slot: u32, generation: u32 },
    /// Send it, over the socket that comes with this.
    Fetch { slot: u32, generation: u32 },
    /// There is something to be closed.
    Look,
    /// Be the end of the TLS of a connection that is being made: all else goes over the socket that comes with it.
    Secure { slot: u32, generation: u32 },
}

/// The length of a request.
const REQUEST: usize = 12;
/// Room for one descriptor.
const SPACE: usize = rustix::cmsg_space!(ScmRights(1));

impl Request {
    fn bytes(self) -> [u8; REQUEST] {
        let (kind, slot, generation): (u32, u32, u32) = match self {
            Request::Keep { slot, generation } => (1, slot, generation),
            Request::Fetch { slot, generation } => (2, slot, generation),
            Request::Look => (3, 0, 0),
            Request::Secure { slot, generation } => (4, slot, generation),
        };
        let mut bytes = [0; REQUEST];
        let parts = [kind, slot, generation];
        let all = parts.iter().flat_map(|part| part.to_ne_bytes());
        bytes.iter_mut().zip(all).for_each(|(to, from)| *to = from);
        bytes
    }

    fn of(bytes: &[u8]) -> Option<Request> {
        let (parts, []) = bytes.as_chunks::<4>() else {
            return None;
        };
        let mut parts = parts.iter().map(|part| u32::from_ne_bytes(*part));
        let (kind, slot, generation) = (parts.next()?, parts.next()?, parts.next()?);
        match kind {
            1 => Some(Request::Keep { slot, generation }),
            2 => Some(Request::Fetch { slot, generation }),
            3 => Some(Request::Look),
            4 => Some(Request::Secure { slot, generation }),
            _ => None,
        }
    }
}

impl Channel {
    /// Makes it, in the process that all others come from.
    pub fn open() -> io::Result<()> {
        if CHANNEL.get().is_none() {
            let (sessions, keeper) = pair()?;
            // Another one can only be that of this same process.
            let _first = CHANNEL.set(Channel { sessions, keeper });
        }
        Ok(())
    }

    /// The one that was made.
    pub fn get() -> Option<&'static Channel> {
        CHANNEL.get()
    }

    /// One for a test, for ever.
    #[cfg(test)]
    pub(crate) fn leaked() -> &'static Channel {
        let (sessions, keeper) = pair().unwrap();
        Box::leak(Box::new(Channel { sessions, keeper }))
    }

    /// The keeper's end.
    pub(crate) fn keeper(&self) -> BorrowedFd<'_> {
        self.keeper.as_fd()
    }

    /// Asks the keeper, with a socket. False if there is no room for it at the moment.
    pub(crate) fn ask(&self, request: Request, socket: Option<BorrowedFd<'_>>) -> io::Result<bool> {
        send(self.sessions.as_fd(), &request.bytes(), socket)
    }

    /// The next request, if there is one, with what came along.
    pub(crate) fn next(&self) -> io::Result<Option<(Request, Option<OwnedFd>)>> {
        let mut bytes = [0; REQUEST];
        let Some((length, socket)) = receive(self.keeper.as_fd(), &mut bytes)? else {
            return Ok(None);
        };
        let request = Request::of(bytes.get(..length).unwrap_or_default());
        Ok(Some((request.unwrap_or(Request::Look), socket)))
    }
}

/// Two ends of what keeps messages apart.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Sends, without a wait, with a socket if there is one. False if there is no room.
pub(crate) fn send(
    to: BorrowedFd<'_>,
    bytes: &[u8],
    socket: Option<BorrowedFd<'_>>,
) -> io::Result<bool> {
    match pass(to, bytes, socket) {
        Ok(_) => Ok(true),
        Err(error) if no_room(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether there is no room at the moment: for bytes, or as many descriptors as may be are on their way.
pub(crate) fn no_room(error: &io::Error) -> bool {
    [Errno::AGAIN, Errno::INTR, Errno::NOBUFS, Errno::TOOMANYREFS]
        .iter()
        .any(|number| error.raw_os_error() == Some(number.raw_os_error()))
}

/// Sends what the system takes at once, with a socket if there is one.
pub(crate) fn pass(
    to: BorrowedFd<'_>,
    bytes: &[u8],
    socket: Option<BorrowedFd<'_>>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let sockets: Vec<BorrowedFd<'_>> = socket.into_iter().collect();
    if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    Ok(sendmsg(to, &[IoSlice::new(bytes)], &mut control, flags)?)
}

/// Receives, without a wait. `None`: nothing has come. Nothing at all is the end.
pub(crate) fn receive(
    from: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> io::Result<Option<(usize, Option<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(from, &mut [IoSliceMut::new(bytes)], &mut control, flags);
    let length = match received {
        Ok(message) => message.bytes,
        Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut socket = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(sockets) = message {
            socket = sockets.into_iter().next().or(socket);
        }
    }
    Ok(Some((length, socket)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{recv, send as send_bytes};

    #[test]
    fn requests_and_sockets_come_as_they_went() {
        let (sessions, keeper) = pair().unwrap();
        let channel = Channel { sessions, keeper };
        assert!(channel.next().unwrap().is_none());
        let (ours, theirs) = pair().unwrap();
        let requests = [
            Request::Keep {
                slot: 7,
                generation: u32::MAX,
            },
            Request::Fetch {
                slot: 0,
                generation: 1,
            },
            Request::Look,
            Request::Secure {
                slot: 1,
                generation: 2,
            },
        ];
        assert!(channel.ask(requests[0], Some(theirs.as_fd())).unwrap());
        drop(theirs);
        assert!(channel.ask(requests[1], None).unwrap());
        assert!(channel.ask(requests[2], None).unwrap());
        assert!(channel.ask(requests[3], None).unwrap());
        let (request, socket) = channel.next().unwrap().unwrap();
        assert_eq!(request, requests[0]);
        let socket = socket.unwrap();
        send_bytes(&ours, b"x", SendFlags::empty()).unwrap();
        let mut byte = [0; 1];
        assert_eq!(
            recv(&socket, &mut byte[..], RecvFlags::empty()).unwrap().0,
            1
        );
        for expected in &requests[1..] {
            let (request, socket) = channel.next().unwrap().unwrap();
            assert!(request == *expected && socket.is_none());
        }
        assert!(channel.next().unwrap().is_none());
    }

    #[test]
    fn nobody_waits_where_nobody_reads() {
        let (sessions, keeper) = pair().unwrap();
        let channel = Channel { sessions, keeper };
        let sent = (0..100_000).take_while(|_| channel.ask(Request::Look, None).unwrap());
        assert!((10..100_000).contains(&sent.count()));
    }
}
