//! The idle connections.
//!
//! A connection is taken out for the time of one statement and comes back only if it is in a known state. So a nested call does
//! not find it in the pool and makes another one, and a connection that is lost is closed.

mod registry;
pub(crate) mod shared;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use plproxy_core::int_map::IntHash;

use crate::connection::Connection;
use crate::connection::info::ConnectionInfo;
use crate::endpoint::Endpoint;
use crate::endpoint::usage::LATELY;
use crate::net::descriptors::{Descriptors, IdleConnections};
use crate::options::CallOptions;
use crate::shared::sharing::Sharing;
use registry::ConnectionRegistry;
use shared::SharedCache;

/// Used by one thread only; two is the least that the map takes.
const SHARDS: usize = 2;

pub(crate) struct Pool {
    descriptors: Rc<Descriptors>,
    /// By the endpoint's id. Boxed, as they are large and move in and out with every call.
    #[allow(clippy::vec_box)]
    idle: DashMap<u64, Vec<Box<Connection>>, IntHash>,
    /// No idle connection is to be closed before that time.
    due: Cell<Option<Instant>>,
    /// The endpoints that the local transaction has used.
    used: RefCell<Vec<Rc<Endpoint>>>,
    /// When connections that the last transaction did not need, but earlier ones did, are to be closed.
    surplus_due: Cell<Option<Instant>>,
    registry: ConnectionRegistry,
    /// Connections that other sessions use, too.
    shared: SharedCache,
    sharing: Cell<Option<Sharing>>,
}

impl Pool {
    pub(crate) fn new(descriptors: Rc<Descriptors>) -> Pool {
        Pool {
            descriptors,
            idle: DashMap::with_hasher_and_shard_amount(IntHash::default(), SHARDS),
            due: Cell::new(None),
            used: RefCell::default(),
            surplus_due: Cell::new(None),
            registry: ConnectionRegistry::new(),
            shared: SharedCache::default(),
            sharing: Cell::new(None),
        }
    }

    pub(crate) fn shared(&self) -> &SharedCache {
        &self.shared
    }

    /// This process's part in sharing, if it has one.
    pub(crate) fn sharing(&self) -> Option<Sharing> {
        self.sharing.get()
    }

    pub(crate) fn share(&self, sharing: Sharing) {
        self.sharing.set(Some(sharing));
    }

    /// Closes the idle connections of one endpoint, whichever session they are of, and the others when they come back. Gives
    /// whether there were any that sessions share.
    pub(crate) fn retire(&self, endpoint: &Endpoint) -> bool {
        self.close(endpoint);
        self.shared.forget(endpoint.id());
        let (Some(sharing), Some(keys)) = (self.sharing.get(), endpoint.keys()) else {
            return false;
        };
        sharing.table.retire(|slot| slot.share() == keys.share)
    }

    /// Takes a connection to the endpoint that is alive and not too old. Others that are found are closed.
    pub(crate) fn take(
        &self,
        endpoint: &Endpoint,
        lifetime: Option<Duration>,
        now: Instant,
    ) -> Option<Box<Connection>> {
        let mut idle = self.idle.get_mut(&endpoint.id())?;
        while let Some(mut connection) = idle.pop() {
            let old = lifetime.is_some_and(|lifetime| connection.is_older_than(lifetime, now));
            if !old && connection.seems_alive(now) {
                return Some(connection);
            }
            connection.close();
        }
        None
    }

    /// Makes a connection known.
    pub(crate) fn register(&self, connection: &Connection) {
        self.registry.add(connection);
    }

    /// Takes a connection back, or closes it.
    pub(crate) fn put(&self, mut connection: Box<Connection>, options: &CallOptions) {
        connection.end_use();
        if connection.shared.is_some() {
            if let Some(connection) = connection.hand_over(options) {
                self.shared.put(connection);
            }
            return;
        }
        if connection.is_idle() && !connection.endpoint().closed().get() {
            let due = connection.becomes_idle(options.connection_lifetime, options.idle_timeout);
            self.due
                .set([self.due.get(), due].into_iter().flatten().min());
            self.idle
                .entry(connection.endpoint().id())
                .or_default()
                .push(connection);
        }
    }

    /// Closes the idle connections of one endpoint.
    pub(crate) fn close(&self, endpoint: &Endpoint) {
        if let Some((_, connections)) = self.idle.remove(&endpoint.id()) {
            connections.into_iter().for_each(Connection::close);
        }
    }

    /// The local transaction uses an endpoint for the first time.
    pub(crate) fn is_used(&self, endpoint: &Rc<Endpoint>) {
        self.used.borrow_mut().push(Rc::clone(endpoint));
    }

    /// The local transaction ends. Closes idle connections beyond the number that was needed lately.
    pub(crate) fn end_transaction(&self) {
        let mut used = self.used.take();
        if used.is_empty() {
            return;
        }
        used.retain(|endpoint| {
            let mut rest = self.idle.get_mut(&endpoint.id());
            // A moment ago, mostly; reading the clock would cost more than all else here.
            let last = rest.as_ref().and_then(|rest| rest.last());
            let now = last.map_or_else(Instant::now, |last| last.idle_since());
            endpoint.usage().end_transaction(now);
            if let Some(rest) = &mut rest {
                self.close_surplus(rest, now);
            }
            // A connection that is still in use counts for the next transaction, too.
            endpoint.usage().in_use() > 0
        });
        self.used.replace(used);
    }

    /// Closes connections that have not been needed for some time.
    fn close_old_surplus(&self) {
        let Some(due) = self.surplus_due.get() else {
            return;
        };
        let now = Instant::now();
        if now >= due {
            self.surplus_due.set(None);
            for mut rest in self.idle.iter_mut() {
                self.close_surplus(&mut rest, now);
            }
        }
    }

    #[allow(clippy::vec_box)]
    fn close_surplus(&self, rest: &mut Vec<Box<Connection>>, now: Instant) {
        let Some(endpoint) = rest.first().map(|first| Rc::clone(first.endpoint())) else {
            return;
        };
        let usage = endpoint.usage();
        let needed = usage.lately(now).saturating_sub(usage.in_use());
        // The first ones were in use last when most connections were.
        let surplus = rest.len().saturating_sub(needed.max(1));
        rest.drain(..surplus).for_each(Connection::close);
        if rest.len() + usage.in_use() > usage.last().max(1) && self.surplus_due.get().is_none() {
            self.surplus_due.set(now.checked_add(LATELY));
        }
    }

    /// Closes the connections that have been idle, or have lived, for too long.
    pub(crate) fn close_due(&self) {
        self.close_old_surplus();
        let Some(due) = self.due.get() else { return };
        let now = Instant::now();
        if now < due {
            return;
        }
        let mut next = None;
        for mut connections in self.idle.iter_mut() {
            connections
                .extract_if(.., |connection| {
                    connection.due().is_some_and(|due| due <= now)
                })
                .for_each(Connection::close);
            let first = connections.iter().filter_map(|rest| rest.due()).min();
            next = [next, first].into_iter().flatten().min();
        }
        self.due.set(next);
    }

    /// Closes all idle connections.
    pub(crate) fn close_all(&self) {
        for mut connections in self.idle.iter_mut() {
            connections.drain(..).for_each(Connection::close);
        }
        self.idle.clear();
    }

    /// Cancelling is over.
    pub(crate) fn end_cancel(&self) {
        self.descriptors.end_cancel();
    }

    /// All connections, also those in use.
    pub(crate) fn snapshot(&self) -> Vec<ConnectionInfo> {
        self.registry.snapshot()
    }
}

impl IdleConnections for Pool {
    fn close_longest_idle(&self) -> bool {
        let rests = self.idle.iter();
        let oldest = rests.filter_map(|rest| {
            // The last ones were put back last.
            Some((rest.first()?.idle_since(), *rest.key()))
        });
        let Some((_, endpoint)) = oldest.min() else {
            return self.shared.forget_one();
        };
        let oldest = self.idle.get_mut(&endpoint).map(|mut rest| rest.remove(0));
        oldest.map(Connection::close).is_some()
    }
}
