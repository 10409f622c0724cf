//! The whole of it: the runtime, the endpoints, the pool.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use plproxy_core::conninfo::ConnInfo;

use crate::call::{Call, CallOptions, Request};
use crate::connection::ConnectionInfo;
use crate::encoding::Encoding;
use crate::endpoint::Endpoint;
use crate::pool::Pool;
use crate::runtime::Runtime;
use crate::statement::Statement;

/// Endpoints that nobody holds are kept for that long: the caller may soon ask for them again.
const UNHELD: Duration = Duration::from_secs(60);
/// So many of them are kept at the most.
const MOST_UNHELD: usize = 64;

/// The remote side of one process: make it once. It belongs to the thread that made it.
pub struct Remote {
    runtime: Runtime,
    encoding: Encoding,
    endpoints: DashMap<String, Rc<Endpoint>>,
    next_endpoint: Cell<u64>,
    /// When to look for endpoints that nobody holds.
    sweep_due: Cell<Option<Instant>>,
    pool: Rc<Pool>,
}

impl Remote {
    /// `interrupted` says whether the host process wants this thread's attention. It is called before and after every
    /// wait, and must be cheap. `encoding` is that of all text on the connections.
    pub fn new(interrupted: fn() -> bool, encoding: Encoding) -> io::Result<Remote> {
        Ok(Remote {
            runtime: Runtime::new(interrupted)?,
            encoding,
            endpoints: DashMap::with_shard_amount(2),
            next_endpoint: Cell::new(0),
            sweep_due: Cell::new(None),
            pool: Rc::new(Pool::new()),
        })
    }

    /// The endpoint for a key, which stands for the connection string and whatever else keeps connections apart. `make`
    /// runs on first sight of the key.
    pub fn endpoint<E>(
        &self,
        key: &str,
        make: impl FnOnce() -> Result<ConnInfo, E>,
    ) -> Result<Rc<Endpoint>, E> {
        if let Some(endpoint) = self.endpoints.get(key) {
            return Ok(endpoint.clone());
        }
        let info = make()?;
        if self.unheld() >= MOST_UNHELD {
            self.sweep();
        }
        let id = self.next_endpoint.replace(self.next_endpoint.get() + 1);
        let endpoint = Rc::new(Endpoint::new(id, info, self.encoding));
        self.endpoints.insert(key.to_owned(), endpoint.clone());
        Ok(endpoint)
    }

    /// To be called when the caller let go of endpoints: what nobody holds after a while is closed, at some call.
    pub fn sweep_later(&self) {
        if self.sweep_due.get().is_none() {
            self.sweep_due.set(Some(Instant::now() + UNHELD));
        }
    }

    /// Forgets the endpoints that nobody holds and closes their connections; those in use after their use.
    fn sweep(&self) {
        self.sweep_due.set(None);
        self.endpoints.retain(|_, endpoint| {
            if !endpoint.is_held() {
                endpoint.retired().set(true);
                self.pool.close(endpoint);
            }
            endpoint.is_held()
        });
    }

    fn unheld(&self) -> usize {
        self.endpoints
            .iter()
            .filter(|endpoint| !endpoint.is_held())
            .count()
    }

    /// Gets a statement ready to run on all of the endpoints at once. Nothing is sent before the call's first `next`.
    pub fn start(
        &self,
        statement: &Rc<Statement>,
        requests: Vec<Request>,
        options: &CallOptions,
    ) -> Call<'_> {
        if self
            .sweep_due
            .get()
            .is_some_and(|due| Instant::now() >= due)
        {
            self.sweep();
        }
        Call::new(self, statement, requests, options)
    }

    /// Closes the connections at rest of an endpoint.
    pub fn close_endpoint(&self, endpoint: &Endpoint) {
        self.pool.close(endpoint);
    }

    /// Closes all connections at rest.
    pub fn close_all(&self) {
        self.pool.close_all();
    }

    /// All connections, as they are now.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.pool.snapshot()
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }
}
