//! A connection: its session, what is known of that, and the bytes to and from it.

pub(crate) mod async_messages;
pub(crate) mod auth_policy;
pub(crate) mod backend_identity;
pub(crate) mod branch;
pub(crate) mod cancel;
pub(crate) mod connect;
pub(crate) mod exchange;
pub(crate) mod handover;
pub(crate) mod info;
pub(crate) mod login;
pub(crate) mod restore;
pub(crate) mod round_trip;
pub(crate) mod session;
pub(crate) mod session_settings;
pub(crate) mod shared_facts;
pub(crate) mod shared_part;
pub(crate) mod shared_statements;
pub(crate) mod state;
pub(crate) mod statement_plan;
pub(crate) mod statements;

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use plproxy_core::conninfo::{ConnInfo, Host};
use plproxy_core::int_map::IntMap;
use plproxy_core::routing::random;

use crate::connection::backend_identity::BackendIdentity;
use crate::connection::cancel::CancelKey;
use crate::connection::info::{ConnectionInfo, LiveInfo, Shown};
use crate::connection::login::handshake::LoggedIn;
use crate::connection::session_settings::SessionSettings;
use crate::connection::shared_part::SharedPart;
use crate::connection::state::SessionState;
use crate::connection::statements::StatementCache;
use crate::endpoint::Endpoint;
use crate::endpoint::usage::InUse;
use crate::error::ErrorKind;
use crate::net::address::Address;
use crate::net::blocking::RecvMode;
use crate::net::transport::Socket;
use crate::protocol::columns::ResultFormats;
use crate::protocol::notices::Notices;
use crate::protocol::read_buffer::ReadBuffer;
use crate::protocol::terminate::TerminateOnDrop;
use crate::protocol::text_style::TextRequirements;
use crate::protocol::write_buffer::WriteBuffer;
use crate::runtime::TICK;
use crate::shared::lease::Lease;

/// A connection lives for 90 to 110 percent of the lifetime that is configured, so that many connections that were made at once
/// are not all closed at once.
const LEAST_SHARE: u32 = 900;
const MOST_SHARE: u32 = 1100;
const WHOLE: u32 = 1000;

/// A server that has answered so short a time ago is assumed to be alive.
const MOMENT: Duration = Duration::from_millis(10);

pub(crate) struct Connection {
    pub(crate) state: SessionState,
    pub(crate) write_buffer: WriteBuffer,
    pub(crate) read_buffer: ReadBuffer,
    pub(crate) statements: StatementCache,
    /// How to ask for the columns of statements that had to be described, by the statement's number.
    pub(crate) described: IntMap<u64, (ResultFormats, TextRequirements)>,
    pub(crate) backend: BackendIdentity,
    pub(crate) settings: SessionSettings,
    /// The server's identity, if it was queried.
    pub(crate) identity: Option<Rc<str>>,
    /// The notices that arrived while the connection was idle.
    pub(crate) notices: Notices,
    /// What has arrived was read without the runtime, and the runtime has had no turn since.
    looked: bool,
    /// No statement can be run on it any more.
    pub(crate) broken: bool,
    pub(crate) socket: Rc<RefCell<Socket>>,
    /// What is special about it if other sessions use it, too.
    pub(crate) shared: Option<Box<SharedPart>>,
    cancel: Rc<CancelKey>,
    endpoint: Rc<Endpoint>,
    /// Its share of a lifetime, in thousandths.
    share: u32,
    /// When it is to be closed if it is not used until then.
    due: Option<Instant>,
    /// Since when it is idle.
    idle_since: Instant,
    /// Whether the socket is prepared for blocking; `None`: it was not tried.
    waits: Option<bool>,
    live_info: Rc<LiveInfo>,
    in_use: Option<InUse>,
    /// Dropped last, as the owner of the socket.
    pub(crate) terminate: Rc<TerminateOnDrop>,
}

impl Connection {
    /// A connection that has logged in, and where.
    pub(crate) fn new(
        begun: LoggedIn,
        address: Address,
        host: &Host,
        info: Rc<ConnInfo>,
        endpoint: Rc<Endpoint>,
    ) -> Connection {
        let LoggedIn {
            socket,
            read_buffer,
            state,
            notices,
            ..
        } = begun;
        let (now, opened) = (SystemTime::now(), Instant::now());
        let fixed = ConnectionInfo {
            host: host.name.to_string(),
            hostaddr: host.hostaddr,
            port: host.port,
            dbname: info.dbname.clone(),
            user: info.user.clone(),
            shown: Shown {
                host: host.shown(),
                port: host.shown_port(),
                dbname: info.label().to_owned(),
                user: endpoint.user(),
            },
            endpoint: endpoint.id(),
            server_version: state.server_version().to_owned(),
            process_id: state.process_id(),
            connected_at: now,
            last_used_at: now,
            calls: 0,
            prepared_statements: 0,
            in_use: true,
            in_transaction: false,
            tls: socket.protection().map(|tls| tls.version().to_owned()),
        };
        let live_info = LiveInfo {
            fixed,
            opened,
            last_used: Cell::new(opened),
            calls: Cell::new(0),
            prepared_statements: Cell::new(0),
            in_use: Cell::new(true),
            in_transaction: Cell::new(false),
        };
        let socket = Rc::new(RefCell::new(socket));
        let terminate = TerminateOnDrop::new(socket.clone());
        endpoint.resources().open_connections.add(&terminate);
        let cancel = CancelKey::new(
            state.process_id(),
            state.secret_key(),
            address,
            host,
            info,
            endpoint.clone(),
            &socket.borrow(),
        );
        Connection {
            terminate,
            in_use: None,
            cancel: Rc::new(cancel),
            state,
            write_buffer: WriteBuffer::default(),
            read_buffer,
            statements: StatementCache::default(),
            described: IntMap::default(),
            backend: BackendIdentity::Unknown,
            settings: SessionSettings::default(),
            identity: None,
            notices,
            looked: false,
            broken: false,
            socket,
            shared: None,
            endpoint,
            share: share(random()),
            due: None,
            idle_since: opened,
            waits: None,
            live_info: Rc::new(live_info),
        }
    }

    pub(crate) fn live_info(&self) -> &Rc<LiveInfo> {
        &self.live_info
    }

    pub(crate) fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }

    pub(crate) fn share_of_lifetime(&self) -> u32 {
        self.share
    }

    pub(crate) fn cancel_key(&self) -> &Rc<CancelKey> {
        &self.cancel
    }

    pub(crate) fn is_older_than(&self, lifetime: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.live_info.opened) >= shared(lifetime, self.share)
    }

    /// It becomes idle. Gives when it is to be closed.
    pub(crate) fn becomes_idle(
        &mut self,
        lifetime: Option<Duration>,
        idle: Option<Duration>,
    ) -> Option<Instant> {
        let end = lifetime.and_then(|lifetime| {
            self.live_info
                .opened
                .checked_add(shared(lifetime, self.share))
        });
        self.idle_since = Instant::now();
        let idle = idle.and_then(|idle| self.idle_since.checked_add(idle));
        self.due = [end, idle].into_iter().flatten().min();
        self.due
    }

    /// Since when it is idle.
    pub(crate) fn idle_since(&self) -> Instant {
        self.idle_since
    }

    /// When it is to be closed.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a statement may be sent on it, as far as can be known without sending anything.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.is_usable() && self.read_async_messages()
    }

    /// The same for a statement that is sent again if the server turns out to have shut down, which is safe without a pooler in
    /// between only: then the socket is not checked if it was used a moment ago, as the server may shut down after the check,
    /// too.
    pub(crate) fn seems_alive(&mut self, now: Instant) -> bool {
        let fresh = self.backend == BackendIdentity::Confirmed
            && now.saturating_duration_since(self.idle_since) < MOMENT;
        self.is_usable() && (fresh || self.read_async_messages()) && self.state.is_idle()
    }

    /// Whether it can be used, as far as is known without checking the socket.
    pub(crate) fn is_usable(&self) -> bool {
        !self.broken && !self.cancel.is_unconfirmed()
    }

    /// Reads bytes without the runtime; false: nothing has arrived. Not every connection can.
    pub(crate) fn fill(&mut self, mode: RecvMode) -> Result<bool, ErrorKind> {
        self.read_buffer.fill(&self.socket.borrow(), mode)
    }

    /// Reads the bytes that have arrived. Where not everything could be sent, the server may have said why before it closed the
    /// connection; if it has not, it is not waited for.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        send_error: Option<&ErrorKind>,
    ) -> Poll<Result<(), ErrorKind>> {
        let looked = std::mem::take(&mut self.looked);
        let socket = &mut *self.socket.borrow_mut();
        match (self.read_buffer.poll_fill(cx, socket), send_error) {
            (Poll::Ready(Err(_)), Some(kind)) => Poll::Ready(Err(kind.clone())),
            // A server that goes on and on must not keep the caller from its interrupts.
            (Poll::Pending, Some(_)) if looked => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            // The runtime may not know yet what there is.
            (Poll::Pending, Some(kind)) => match self.read_buffer.fill_now(socket) {
                Ok(true) => {
                    self.looked = true;
                    Poll::Ready(Ok(()))
                }
                Ok(false) | Err(_) => Poll::Ready(Err(kind.clone())),
            },
            (filled, _) => filled,
        }
    }

    /// Sends as much as the socket takes. After an error nothing is left to be sent; also given is whether nothing was. A server that
    /// has closed the connection may have said why, which is still to be read.
    pub(crate) fn send(&mut self, cx: &mut Context<'_>) -> Result<(), (ErrorKind, bool)> {
        let Connection {
            write_buffer,
            socket,
            terminate,
            ..
        } = self;
        let polled = write_buffer.poll_send(cx, Pin::new(&mut *socket.borrow_mut()));
        terminate.set_in_message(!write_buffer.is_sent() && !write_buffer.is_untouched());
        match polled {
            Poll::Ready(Err(error)) => {
                let unsent = write_buffer.is_untouched();
                write_buffer.clear();
                Err((ErrorKind::from_send(&error), unsent))
            }
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// Whether [`Connection::fill`] can be used.
    pub(crate) fn can_wait(&mut self) -> bool {
        *self
            .waits
            .get_or_insert_with(|| self.socket.borrow().prepare(TICK))
    }

    /// Whether it is in a known state: everything is answered, and no transaction is open.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_answered() && self.state.is_idle()
    }

    /// Whether everything sent was answered; a transaction may be open.
    pub(crate) fn is_answered(&self) -> bool {
        !self.broken
            && self.state.is_answered()
            && self.write_buffer.is_sent()
            && self.read_buffer.has_no_reply()
    }

    /// A call begins to use it. Gives whether it is the first of the local transaction at this endpoint.
    pub(crate) fn begin_use(&mut self, at: Instant) -> bool {
        self.live_info.in_use.set(true);
        self.live_info.last_used.set(at);
        self.live_info.calls.set(self.live_info.calls.get() + 1);
        let (in_use, first) = InUse::begin(self.endpoint.usage());
        self.in_use = Some(in_use);
        first
    }

    /// Another call begins to use it, in the same transaction.
    pub(crate) fn goes_on(&mut self, at: Instant) {
        self.live_info.last_used.set(at);
        self.live_info.calls.set(self.live_info.calls.get() + 1);
    }

    /// Sets whether it belongs to a transaction of several calls.
    pub(crate) fn set_in_transaction(&self, in_transaction: bool) {
        self.live_info.in_transaction.set(in_transaction);
        let lease = self.shared.as_ref().and_then(|part| part.lease.as_ref());
        if let Some(slot) = lease.and_then(Lease::slot) {
            slot.kept.store(u32::from(in_transaction), Relaxed);
        }
    }

    /// The call is done.
    pub(crate) fn end_use(&mut self) {
        self.in_use = None;
        self.live_info.in_use.set(false);
        self.live_info.in_transaction.set(false);
        self.live_info
            .prepared_statements
            .set(self.statements.prepared());
    }

    /// Closes it, with Terminate, as dropping it does. Never blocks.
    pub(crate) fn close(self: Box<Self>) {
        drop(self);
    }
}

/// A connection's share of a lifetime, from a random number.
fn share(chance: u64) -> u32 {
    let room = u64::from(MOST_SHARE - LEAST_SHARE + 1);
    LEAST_SHARE + (chance % room) as u32
}

fn shared(lifetime: Duration, share: u32) -> Duration {
    lifetime.saturating_mul(share) / WHOLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_spread_by_a_tenth() {
        let hour = Duration::from_secs(3600);
        let lives: Vec<Duration> = (0..2000).map(|_| shared(hour, share(random()))).collect();
        let (least, most) = (lives.iter().min().unwrap(), lives.iter().max().unwrap());
        assert!((3240..3270).contains(&least.as_secs()), "{least:?}");
        assert!((3930..=3960).contains(&most.as_secs()), "{most:?}");
        let mean = lives.iter().sum::<Duration>() / 2000;
        assert!((3570..3630).contains(&mean.as_secs()), "{mean:?}");
        let longest = Duration::from_secs(i32::MAX as u64);
        assert!(
            Instant::now()
                .checked_add(shared(longest, MOST_SHARE))
                .is_some()
        );
    }
}
