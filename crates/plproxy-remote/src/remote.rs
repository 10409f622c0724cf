//! The entry point: owns the runtime, the endpoints, the pool.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use dashmap::DashMap;
use plproxy_core::conninfo::{ConnInfo, ConnInfoError, Warning};

use crate::call::script::Scripts;
use crate::call::script::types::Script;
use crate::call::{Call, Request};
use crate::connection::branch::Branch;
use crate::connection::info::ConnectionInfo;
use crate::connection::session::Session;
use crate::encoding::Encoding;
use crate::endpoint::Endpoint;
use crate::endpoint::resources::Resources;
use crate::net::descriptors::DescriptorAccount;
use crate::options::CallOptions;
use crate::options::ScriptOptions;
use crate::pool::Pool;
use crate::protocol::statement::Statement;
use crate::runtime::Runtime;
use crate::runtime::wait_event::Wait;
use crate::shared::sharing::Sharing;

/// The remote side of a process: make it once. It belongs to the thread that made it.
pub struct Remote {
    runtime: Runtime,
    endpoints: DashMap<String, Rc<Endpoint>>,
    next_endpoint: Cell<u64>,
    pool: Rc<Pool>,
    resources: Rc<Resources>,
}

impl Remote {
    /// `interrupted` tells whether the host process has an interrupt pending. It is called before and after every wait, and must
    /// be cheap. `encoding` is that of the host's database.
    pub fn new(interrupted: fn() -> bool, encoding: Encoding) -> io::Result<Remote> {
        let resources = Rc::new(Resources::new(encoding));
        let pool = Rc::new(Pool::new(Rc::clone(&resources.descriptors)));
        let idle = Rc::downgrade(&pool);
        resources.descriptors.set_idle_connections(idle);
        Ok(Remote {
            runtime: Runtime::new(interrupted)?,
            endpoints: DashMap::with_shard_amount(2),
            next_endpoint: Cell::new(0),
            pool,
            resources,
        })
    }

    /// Has the host account for all file descriptors, those of the runtime included. To be called before the first call.
    pub fn keep_account(&self, account: DescriptorAccount) {
        self.resources.descriptors.keep_account(account);
    }

    /// Has `show` called before every wait, with what it is for, and after it. It must be cheap, and must not unwind.
    pub fn show_waits(&self, show: fn(Option<Wait>)) {
        self.runtime.host_interrupts().show_waits(show);
    }

    /// The endpoint for a key, which stands for the connection string and whatever else keeps connections apart. `reader` reads the
    /// connection string with the files behind it: now, if the key is new, so that errors are reported before anything is sent,
    /// and again for each connection that is made.
    pub fn endpoint(
        &self,
        key: &str,
        reader: impl Fn() -> Result<(ConnInfo, Vec<Warning>), ConnInfoError> + 'static,
    ) -> Result<Rc<Endpoint>, ConnInfoError> {
        if let Some(endpoint) = self.endpoints.get(key) {
            return Ok(endpoint.clone());
        }
        let id = self.next_endpoint.replace(self.next_endpoint.get() + 1);
        let endpoint = Rc::new(Endpoint::new(id, Box::new(reader), self.resources.clone())?);
        self.endpoints.insert(key.to_owned(), endpoint.clone());
        Ok(endpoint)
    }

    /// Closes idle connections whose time is over, and those to endpoints without references. Every call begins with it. Never
    /// blocks, and costs next to nothing when there is nothing to close.
    pub fn tidy(&self) {
        if self.resources.let_go.replace(false) {
            self.sweep();
        }
        self.pool.close_due();
    }

    /// The local transaction ends: closes idle connections beyond the number that was needed lately, too.
    pub fn end_transaction(&self) {
        self.pool.end_transaction();
        self.tidy();
    }

    /// Removes endpoints without references and closes their connections; those in use after their use.
    fn sweep(&self) {
        self.endpoints.retain(|_, endpoint| {
            if !endpoint.is_held() {
                endpoint.closed().set(true);
                self.pool.retire(endpoint);
            }
            endpoint.is_held()
        });
    }

    /// Prepares a call of a statement on all of the endpoints at once. Nothing is sent before the call's first `next`.
    pub fn start(
        &self,
        statement: &Rc<Statement>,
        requests: Vec<Request>,
        options: &CallOptions,
    ) -> Call<'_> {
        self.begin(None, statement, requests, options)
    }

    /// The same in transactions of several calls: one for each request, at its endpoint.
    pub fn start_in(
        &self,
        branches: Vec<Rc<Branch>>,
        statement: &Rc<Statement>,
        requests: Vec<Request>,
        options: &CallOptions,
    ) -> Call<'_> {
        self.begin(Some(branches), statement, requests, options)
    }

    fn begin(
        &self,
        branches: Option<Vec<Rc<Branch>>>,
        statement: &Rc<Statement>,
        requests: Vec<Request>,
        options: &CallOptions,
    ) -> Call<'_> {
        self.tidy();
        let (runtime, pool) = (&self.runtime, &self.pool);
        Call::new(runtime, pool, statement, requests, branches, options)
    }

    /// Gives a session to the pool, or to the other sessions that share it, if it is in a known state.
    pub fn rest(&self, session: Session, options: &CallOptions) {
        let Some(connection) = session.into_connection() else {
            return;
        };
        match (&connection.shared, &options.shared) {
            (Some(_), _) => self.pool.put(connection, options),
            // It was made beside those that are shared, and no call would take it.
            (None, Some(_)) => connection.close(),
            (None, None) => {
                self.pool.register(&connection);
                self.pool.put(connection, options);
            }
        }
    }

    /// Prepares scripts to be run at once, each on its own. Nothing is sent before the first `next`.
    pub fn scripts(&self, scripts: Vec<Script>, options: &ScriptOptions) -> Scripts<'_> {
        Scripts::new(&self.runtime, &self.pool, scripts, options)
    }

    /// Closes the idle connections of an endpoint.
    pub fn close_endpoint(&self, endpoint: &Endpoint) {
        self.pool.close(endpoint);
    }

    /// From now on calls can share connections with other sessions.
    pub fn share(&self, sharing: Sharing) {
        self.pool.share(sharing);
    }

    /// This process's part in sharing, if it has one.
    pub fn sharing(&self) -> Option<Sharing> {
        self.pool.sharing()
    }

    /// Closes the connections of an endpoint that sessions share, those in use when they come back. Gives whether there were
    /// any.
    pub fn retire_endpoint(&self, endpoint: &Endpoint) -> bool {
        self.pool.retire(endpoint)
    }

    /// Closes all idle connections.
    pub fn close_all(&self) {
        self.pool.close_all();
    }

    /// Sends Terminate on all connections, those in use as well, for a process that is about to exit. Never blocks. Does nothing in
    /// a forked process.
    pub fn terminate(&self) {
        self.resources.open_connections.terminate();
    }

    /// All connections, as they are now.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.pool.snapshot()
    }

    #[cfg(test)]
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    #[cfg(test)]
    pub(crate) fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }
}
