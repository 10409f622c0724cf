//! The keeper: holds a duplicate of every connection that sessions share, hands out more of them, and closes those that are to
//! be closed.
//!
//! It never reads from a connection that somebody may use. One that is to be closed it takes leave of, and waits for the end of
//! the stream, which comes when the server process has ended: until then that counts. A statement that still runs is cancelled.
//! Over TLS it is one end of the session itself, see [`TlsEnds`]; what it holds is the socket on the sessions' side then, and all of
//! this holds for that, too. When the keeper ends it shuts down all connections, whoever has duplicates.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use plproxy_core::shared::{State, Table, Word};
use postgres_protocol::message::frontend;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    shutdown, socket_with,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::net::address::Address;
use crate::net::blocking;
use crate::shared::channel::{Channel, Request, send};
use crate::shared::place::Place;
use crate::shared::sharing::now;
use crate::shared::tls_ends::TlsEnds;

const TERMINATE: &[u8] = b"X\0\0\0\x04";
/// Where there is no socket, a server process that is on its way gets so long to see that nobody is there.
const GRACE: Duration = Duration::from_millis(250);
/// A server process that has not ended by then has its statement cancelled.
const UNTIL_CANCEL: Duration = Duration::from_millis(100);
/// After that time it is taken to be gone, or its machine is.
const LONGEST: Duration = Duration::from_secs(5);
/// So long servers are told, when the keeper ends, that their connections are over.
const LEAVE: Duration = Duration::from_millis(300);
/// Pauses between two looks at what is being closed.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// The same at what is at rest.
const LOOK: Duration = Duration::from_secs(1);
/// Where there is nothing to look at.
const NOTHING: Duration = Duration::from_secs(60);
/// So many requests are seen to before anything else is.
const REQUESTS: usize = 1000;
/// So much of what nobody wants is read at once.
const DRAIN: usize = 1 << 20;

/// A connection that is being closed.
struct Closing {
    generation: u32,
    since: Instant,
    cancelled: bool,
}

/// A cancel request on its way.
struct Cancel {
    socket: OwnedFd,
    message: Option<BytesMut>,
    since: Instant,
}

/// See the module.
pub struct Keeper {
    table: Table,
    channel: &'static Channel,
    /// By the slot's number: the generation and the socket.
    kept: Vec<Option<(u32, OwnedFd)>>,
    closing: HashMap<u32, Closing>,
    cancels: Vec<Cancel>,
    /// Once there is one.
    tls: Option<TlsEnds>,
    interrupted: fn() -> bool,
    pause: Duration,
    looked: Instant,
}

impl Keeper {
    /// Begins. What another one before had is lost, and shut down. `interrupted`: whether the host has anything to see to.
    pub fn new(table: Table, channel: &'static Channel, interrupted: fn() -> bool) -> Keeper {
        let limit = getrlimit(Resource::Nofile);
        // As many as may be; fewer are a reason for errors only when they are not enough.
        let _raised = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        );
        table.retire(|_| true);
        table.header.keeper.store(std::process::id(), SeqCst);
        Keeper {
            table,
            channel,
            kept: table.slots.iter().map(|_| None).collect(),
            closing: HashMap::new(),
            cancels: Vec::new(),
            tls: None,
            interrupted,
            pause: FIRST_PAUSE,
            looked: Instant::now(),
        }
    }

    /// What to wait on.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.channel.keeper()
    }

    /// How long to wait if nothing comes.
    pub fn patience(&self) -> Duration {
        if !self.closing.is_empty() || !self.cancels.is_empty() {
            self.pause
        } else if self.kept.iter().any(Option::is_some)
            || self.tls.as_ref().is_some_and(|tls| !tls.is_at_rest())
        {
            LOOK
        } else {
            NOTHING
        }
    }

    /// Passes on what goes over connections with TLS, if there is any, until there is something to be seen to, or for so long. How
    /// long the caller is to wait then: not at all if this did.
    pub fn relay(&mut self, longest: Duration) -> Duration {
        match &mut self.tls {
            Some(tls) if !tls.is_at_rest() => {
                tls.run(longest.min(LOOK));
                Duration::ZERO
            }
            _ => longest,
        }
    }

    /// Sees to all that there is to be seen to. Never waits.
    pub fn step(&mut self) {
        for _ in 0..REQUESTS {
            match self.channel.next() {
                Ok(Some((request, socket))) => self.see_to(request, socket),
                // There is always another look.
                Ok(None) | Err(_) => break,
            }
        }
        let looks = self.looked.elapsed() >= LOOK;
        if looks {
            self.looked = Instant::now();
        }
        let (now, before) = (now(), self.closing.len());
        for slot in self.table.numbers() {
            let word = self.table.word(slot);
            match word.state {
                State::Idle => self.look_at(slot, word, now, looks),
                State::Closing => self.close(slot, word.generation),
                State::Free => self.take(slot, None),
                State::Connecting | State::InUse => {}
            }
        }
        self.cancels.retain_mut(Cancel::goes_on);
        self.pause = if self.closing.len() == before && before > 0 {
            (self.pause * 2).min(LONGEST_PAUSE)
        } else {
            FIRST_PAUSE
        };
    }

    fn see_to(&mut self, request: Request, socket: Option<OwnedFd>) {
        match (request, socket) {
            (Request::Keep { slot, generation }, Some(socket)) => {
                let word = self.table.word(slot);
                if word.generation != generation || word.state == State::Free {
                    return shut(&socket);
                }
                // Should it have begun to be closed without a socket, it begins anew.
                self.closing.remove(&slot);
                if let Some(kept) = self.kept.get_mut(slot as usize)
                    && let Some((_, old)) = kept.replace((generation, socket))
                {
                    shut(&old);
                }
            }
            (Request::Fetch { slot, generation }, Some(answer)) => {
                let kept = self.kept.get(slot as usize).and_then(Option::as_ref);
                let socket = kept
                    .filter(|kept| kept.0 == generation)
                    .map(|kept| kept.1.as_fd());
                let found = u8::from(socket.is_some());
                // Who asked may be gone.
                let _sent = send(answer.as_fd(), &[found], socket);
            }
            (Request::Secure { slot, generation }, Some(control)) => {
                let word = self.table.word(slot);
                if word.generation == generation && word.state == State::Connecting {
                    self.secure(slot, generation, control);
                }
            }
            // A socket that did not come, for want of descriptors: who needs it finds that there is none.
            _ => {}
        }
    }

    /// Is to be the end of a connection's TLS.
    fn secure(&mut self, slot: u32, generation: u32, control: OwnedFd) {
        if self.tls.is_none() {
            // Else whoever asked sees that there is nobody.
            self.tls = TlsEnds::new(self.channel, self.interrupted).ok();
        }
        if let Some(tls) = &mut self.tls {
            tls.begin(slot, generation, control);
        }
    }

    /// Looks at a connection that nobody has.
    fn look_at(&mut self, slot: u32, word: Word, now: u64, looks: bool) {
        let due = self.table.slot(slot).map(|slot| slot.due.load(Relaxed));
        let is_due = due.is_some_and(|due| due <= now);
        let kept = self.kept.get(slot as usize).and_then(Option::as_ref);
        let is_dead = looks
            && match kept {
                Some((generation, socket)) => {
                    *generation != word.generation || matches!(blocking::peek(socket), Ok(false))
                }
                None => true,
            };
        if is_due || is_dead {
            // Else somebody has just taken it.
            self.table.close_idle(slot, word);
        }
    }

    /// Goes on with closing a connection.
    fn close(&mut self, slot: u32, generation: u32) {
        let kept = self.kept.get(slot as usize).and_then(Option::as_ref);
        let socket = kept.filter(|kept| kept.0 == generation);
        let begins = self
            .closing
            .get(&slot)
            .is_none_or(|closing| closing.generation != generation);
        if begins {
            self.closing.insert(
                slot,
                Closing {
                    generation,
                    since: Instant::now(),
                    cancelled: false,
                },
            );
            if let Some((_, socket)) = socket {
                let in_message = self.table.slot(slot).map(|slot| &slot.in_message);
                if in_message.is_some_and(|in_message| in_message.load(Relaxed) == 0) {
                    // The end of the stream says the same.
                    let _sent = blocking::send_now(socket, TERMINATE);
                }
                let _shut = shutdown(socket, Shutdown::Write);
            }
        }
        let Some(closing) = self.closing.get_mut(&slot) else {
            return;
        };
        let lasts = closing.since.elapsed();
        let is_gone = match socket {
            Some((_, socket)) => has_ended(socket),
            None => {
                lasts >= GRACE
                    && self
                        .tls
                        .as_ref()
                        .is_none_or(|tls| tls.are_over(slot, generation))
            }
        };
        if is_gone || lasts >= LONGEST {
            self.closing.remove(&slot);
            self.take(slot, Some(generation));
            if let Some(tls) = &mut self.tls {
                tls.end(slot);
            }
            self.table.free(slot, generation);
            return;
        }
        if lasts >= UNTIL_CANCEL && !closing.cancelled && socket.is_some() {
            closing.cancelled = true;
            let place = self.table.slot(slot).map(|slot| slot.place.read());
            match place.and_then(|bytes| Place::read(&bytes)) {
                Some(place) if place.tls.is_some() => {
                    if let Some(tls) = &mut self.tls {
                        tls.cancel(slot, generation, place);
                    }
                }
                Some(place) => self.cancels.extend(Cancel::new(&place).ok()),
                None => {}
            }
        }
    }

    /// Shuts down what is kept for a slot.
    fn take(&mut self, slot: u32, generation: Option<u32>) {
        if let Some(kept) = self.kept.get_mut(slot as usize)
            && kept
                .as_ref()
                .is_some_and(|kept| generation.is_none_or(|it| it == kept.0))
            && let Some((_, socket)) = kept.take()
        {
            shut(&socket);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.table.header.keeper.store(0, SeqCst);
        let mut idle = Vec::new();
        for (slot, kept) in (0..).zip(&self.kept) {
            if let Some((_, socket)) = kept
                && self.table.word(slot).state == State::Idle
            {
                let _sent = blocking::send_now(socket, TERMINATE);
                let _shut = shutdown(socket, Shutdown::Write);
                idle.push(slot);
            }
        }
        // After a panic nothing is run that might panic, too.
        if let Some(tls) = &mut self.tls
            && !std::thread::panicking()
        {
            tls.leave(&idle, LEAVE);
        }
        for (_, socket) in self.kept.iter().flatten() {
            shut(socket);
        }
    }
}

/// Ends a connection, whoever has duplicates of the socket.
fn shut(socket: &OwnedFd) {
    let _shut = shutdown(socket, Shutdown::Both);
}

/// Reads what nobody wants any more; says whether the other side has ended.
fn has_ended(socket: &OwnedFd) -> bool {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 16 * 1024];
    let mut read = 0;
    while read < DRAIN {
        match recv(socket, &mut buffer, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return true,
            Ok((_, got)) => read += got,
            Err(Errno::AGAIN) => return false,
            Err(Errno::INTR) => {}
            Err(_) => return true,
        }
    }
    false
}

impl Cancel {
    fn new(place: &Place) -> io::Result<Cancel> {
        let family = match &place.address {
            Address::Tcp(address) if address.is_ipv4() => AddressFamily::INET,
            Address::Tcp(_) => AddressFamily::INET6,
            Address::Unix(_) => AddressFamily::UNIX,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, None)?;
        let connected = match &place.address {
            Address::Tcp(address) => connect(&socket, address),
            Address::Unix(path) => {
                // Linux's abstract names are written with an at sign and begin with a zero byte.
                let address = match path.to_str().and_then(|path| path.strip_prefix('@')) {
                    Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes())?,
                    None => SocketAddrUnix::new(path)?,
                };
                connect(&socket, &address)
            }
        };
        match connected {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let mut message = BytesMut::new();
        frontend::cancel_request(place.process_id, place.secret_key, &mut message);
        Ok(Cancel {
            socket,
            message: Some(message),
            since: Instant::now(),
        })
    }

    /// Sends it when that is possible, and waits until the server hangs up. False when that is over.
    fn goes_on(&mut self) -> bool {
        if self.since.elapsed() > LONGEST {
            return false;
        }
        let is_open = |done: io::Result<usize>| match done {
            Ok(done) => done > 0,
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
            ),
        };
        if let Some(message) = &self.message {
            let sent = blocking::send_now(&self.socket, message);
            if matches!(sent, Ok(sent) if sent > 0) {
                self.message = None;
            }
            return is_open(sent);
        }
        let mut nothing = [0; 64];
        let read = recv(&self.socket, &mut nothing, RecvFlags::DONTWAIT);
        is_open(read.map(|(_, got)| got).map_err(io::Error::from))
    }
}
