//! Getting a connection that sessions share: one that nobody has, or a new one, or in turn.

use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use plproxy_core::shared::{Grant, Held, Keys};
use tokio::net::UnixStream;

use super::PartitionRequest;
use super::lease_queue::Queued;
use crate::connection::Connection;
use crate::connection::auth_policy::{AuthPolicy, Channel};
use crate::connection::connect::by_keeper::KeeperEnd;
use crate::connection::login::handshake::LoggedIn;
use crate::connection::shared_facts::SharedFacts;
use crate::connection::shared_part::SharedPart;
use crate::connection::state::SessionState;
use crate::encoding::Encoding;
use crate::error::ErrorKind;
use crate::net::blocking;
use crate::net::shared_socket::SharedSocket;
use crate::net::tls::protection::TlsFacts;
use crate::net::transport::{Socket, Transport};
use crate::options::SharedOptions;
use crate::protocol::notices::Notices;
use crate::protocol::read_buffer::ReadBuffer;
use crate::runtime::TICK;
use crate::shared::ask::{ANSWER, ask, no_keeper};
use crate::shared::channel::{Request, pair, receive};
use crate::shared::lease::Lease;
use crate::shared::place::Place;
use crate::shared::sharing::now;

impl PartitionRequest {
    /// A connection, and whether it was made for this.
    pub(super) async fn lease_or_new(
        &self,
        options: &SharedOptions,
    ) -> Result<(Box<Connection>, bool), ErrorKind> {
        let pool = &self.context.pool;
        let (Some(sharing), Some(keys)) = (pool.sharing(), self.endpoint.keys()) else {
            return Err(ErrorKind::Unsupported(
                "shared_connections needs shared_preload_libraries = 'plproxy'".to_owned(),
            ));
        };
        let since = Instant::now();
        let mut turn = match self.context.turns.take(self.request) {
            Some(turn) => {
                let _queued = Queued::begin(self, since);
                turn.comes().await
            }
            None => None,
        };
        if self.context.state.events.is_closed() {
            return Err(ErrorKind::Closed);
        }
        loop {
            let known = pool.shared().known(self.endpoint.id());
            let taken = sharing.table.lease(keys, sharing.owner, known.into_iter());
            let grant = match taken {
                Some(held) => Grant::Use(held),
                None => {
                    Box::pin(self.wait_for_lease(sharing, &self.endpoint, options, since)).await?
                }
            };
            drop(turn.take());
            match grant {
                Grant::Connect(held) => {
                    let lease = Lease::new(sharing, held);
                    // What it takes the place of, for one, may be closed by now.
                    pool.shared().sweep(sharing);
                    let made = Box::pin(self.make(lease, held, keys, options)).await;
                    return made.map(|connection| (connection, true));
                }
                Grant::Use(held) => {
                    let lease = Lease::new(sharing, held);
                    if let Some(connection) = self.resume(lease, held, options).await? {
                        return Ok((connection, false));
                    }
                }
            }
        }
    }

    /// Makes a connection, hands it to the keeper, and keeps a duplicate.
    async fn make(
        &self,
        lease: Lease,
        held: Held,
        keys: Keys,
        options: &SharedOptions,
    ) -> Result<Box<Connection>, ErrorKind> {
        let sharing = lease.sharing();
        let slot = lease.slot();
        if let Some(slot) = slot {
            slot.role.store(options.role, Relaxed);
        }
        let end = KeeperEnd {
            sharing,
            slot: held.slot,
            generation: held.generation,
        };
        let mut connection = match self.connect(Some(end)).await {
            Ok(connection) => connection,
            Err(kind) => {
                if is_without_server(&kind) {
                    lease.abandon();
                }
                // Else a server process may still be there: the keeper waits for a moment.
                return Err(kind);
            }
        };
        let slot = slot.ok_or(ErrorKind::Closed)?;
        let place = connection.place();
        let written = place.write().and_then(|bytes| slot.place.write(&bytes));
        let facts = connection.facts_for_others();
        let version = slot.facts.write(&facts.write());
        let (Some(_), Some(version)) = (written, version) else {
            return Err(ErrorKind::Unsupported(
                "the connection cannot be shared: the names of its host or its settings are too long"
                    .to_owned(),
            ));
        };
        slot.opened.store(now(), Relaxed);
        let socket = connection.socket.clone();
        let made = socket.borrow_mut().share(TICK);
        made.map_err(|error| ErrorKind::from_io(&error))?;
        let request = Request::Keep {
            slot: held.slot,
            generation: held.generation,
        };
        ask(sharing, || {
            let socket = socket.borrow();
            let shared = socket.shared().ok_or(std::io::ErrorKind::NotConnected)?;
            sharing.channel.ask(request, Some(shared.fd()?))
        })
        .await?;
        // From now on it is the keeper who takes leave of the server.
        connection.terminate.disarm();
        if !lease.connected() {
            return Err(ErrorKind::Closed);
        }
        // What was made with another password is of no use to this user any more.
        sharing.table.supersede(keys);
        let part = SharedPart::new(lease, held, facts, version, place.share, options);
        connection.joins(part, sharing);
        Ok(connection)
    }

    /// A connection that nobody had. None if it turns out to be of no use; it is closed then.
    async fn resume(
        &self,
        mut lease: Lease,
        held: Held,
        options: &SharedOptions,
    ) -> Result<Option<Box<Connection>>, ErrorKind> {
        let pool = &self.context.pool;
        let wanted = (held.slot, held.generation);
        let cached = pool.shared().take(self.endpoint.id(), wanted);
        let Some(slot) = lease.slot() else {
            return Ok(None);
        };
        let mut connection = match cached {
            Some(mut connection) => {
                lease.set_terminate(&connection.terminate);
                if let Some(part) = &mut connection.shared {
                    part.lease = Some(lease);
                }
                connection
            }
            None => {
                self.context.state.fast_path.in_runtime().await;
                pool.shared().sweep(lease.sharing());
                match Box::pin(self.fetch(lease, held, options)).await? {
                    Some(connection) => connection,
                    None => return Ok(None),
                }
            }
        };
        if !connection.catches_up(slot, options) {
            return Ok(None);
        }
        let lifetime = self.context.options.connection_lifetime;
        Ok(connection.lives(slot, lifetime).then_some(connection))
    }

    /// Asks the keeper for a duplicate.
    async fn fetch(
        &self,
        lease: Lease,
        held: Held,
        options: &SharedOptions,
    ) -> Result<Option<Box<Connection>>, ErrorKind> {
        let sharing = lease.sharing();
        let descriptor = self.endpoint.resources().descriptors.acquire();
        let descriptor = descriptor.ok_or(ErrorKind::NoDescriptor)?;
        let broken = |error: std::io::Error| ErrorKind::from_io(&error);
        let (ours, theirs) = pair().map_err(broken)?;
        let request = Request::Fetch {
            slot: held.slot,
            generation: held.generation,
        };
        ask(sharing, || {
            sharing.channel.ask(request, Some(theirs.as_fd()))
        })
        .await?;
        drop(theirs);
        let ours = std::os::unix::net::UnixStream::from(ours);
        ours.set_nonblocking(true).map_err(broken)?;
        let ours = UnixStream::from_std(ours).map_err(broken)?;
        let answer = async {
            loop {
                ours.readable().await?;
                let received = ours.try_io(tokio::io::Interest::READABLE, || {
                    receive(ours.as_fd(), &mut [0; 1])?
                        .ok_or_else(|| std::io::ErrorKind::WouldBlock.into())
                });
                match received {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    received => return received,
                }
            }
        };
        let (_, socket) = tokio::time::timeout(ANSWER, answer)
            .await
            .map_err(|_| no_keeper())?
            .map_err(broken)?;
        // The keeper has none: it is closed, and others find another.
        let Some(socket) = socket else {
            return Ok(None);
        };
        let slot = lease.slot().ok_or(ErrorKind::Closed)?;
        let Some(place) = Place::read(&slot.place.read()) else {
            return Ok(None);
        };
        blocking::prepare(&socket, TICK).map_err(broken)?;
        let transport = Transport::Shared(SharedSocket::new(socket));
        let socket = match &place.tls {
            // The log-in is over: there is nothing to be bound to it.
            Some(version) => {
                Socket::relayed(transport, descriptor, TlsFacts::version(version), None)
            }
            None => Socket::new(transport, descriptor),
        };
        let reader = Rc::clone(&self.endpoint);
        let resolver = &self.context.state.resolver;
        let (info, _) = resolver
            .call(move || reader.read())
            .await
            .map_err(|error| ErrorKind::Settings(error.to_string()))?;
        let encoding = if place.is_utf8 {
            Encoding::UTF8
        } else {
            self.endpoint.host_encoding()
        };
        self.endpoint.set_encoding(encoding);
        let channel = Channel::of(&socket, &info);
        let begun = LoggedIn {
            read_buffer: ReadBuffer::default(),
            state: SessionState::resumed(encoding, &place),
            notices: Notices::default(),
            auth: AuthPolicy::new(info.require_auth.clone(), channel),
            socket,
        };
        let mut connection = Box::new(Connection::new(
            begun,
            place.address.clone(),
            &place.host,
            Rc::new(info),
            Rc::clone(&self.endpoint),
        ));
        connection.terminate.disarm();
        // To be read before it is used.
        let version = slot.facts.version().wrapping_sub(1);
        let part = SharedPart::new(
            lease,
            held,
            SharedFacts::default(),
            version,
            place.share,
            options,
        );
        connection.joins(part, sharing);
        Ok(Some(connection))
    }
}

/// Whether no server process can have come of a connection that was not made.
fn is_without_server(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Connect {
            diagnostic: None,
            ..
        } | ErrorKind::Resolve { .. }
            | ErrorKind::Settings(_)
            | ErrorKind::OutOfMemory
            | ErrorKind::NoDescriptor
    )
}
