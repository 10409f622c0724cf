//! The statement on one partition: a connection, the statement's exchange, its result, and the connection's return.

mod attempts;
pub(crate) mod context;
mod lease_queue;
mod part;
mod refusal;
mod shared;
mod sink;
pub(crate) mod turn;
mod within;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::time::Instant;

use plproxy_core::room;

use crate::call::event::Event;
use crate::call::request::context::CallContext;
use crate::call::request::part::Part;
use crate::call::running::Delay;
use crate::connection::Connection;
use crate::connection::branch::Branch;
use crate::connection::connect::by_keeper::KeeperEnd;
use crate::connection::connect::{Limits, connect};
use crate::connection::exchange::Exchanged;
use crate::connection::exchange::sink::ResultSink;
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;
use crate::protocol::batch::Batch;
use crate::protocol::columns::ColumnDescription;
use crate::protocol::param::Params;
use crate::reset::Reset;

/// A request of a call.
pub(crate) struct PartitionRequest {
    pub(crate) request: usize,
    pub(crate) endpoint: Rc<Endpoint>,
    /// Kept until the server has received them.
    pub(crate) params: RefCell<Option<Params>>,
    /// The transaction of several calls that it runs in, if any.
    pub(crate) branch: Option<Rc<Branch>>,
    pub(crate) context: Rc<CallContext>,
}

/// From this size on a parameter is large.
const LARGE: usize = 16 * 1024;

/// `read_only_sql_transaction`: the server is a standby, or has become one.
const READ_ONLY: &[u8; 5] = b"25006";
/// `query_canceled`
const CANCELED: &[u8; 5] = b"57014";

/// The end of a statement that has succeeded: its last rows, and its columns if they are known.
type End = (Option<Batch>, Option<Rc<[ColumnDescription]>>);

impl PartitionRequest {
    /// Runs the request, whose results become events.
    // Every call allocates this future: what few calls come to is in boxes of its own, and `self` is in it once.
    #[allow(clippy::manual_async_fn)]
    pub(crate) fn run(self) -> impl Future<Output = ()> {
        async move {
            if self.is_large() {
                self.context.state.fast_path.in_runtime().await;
            }
            let mut now = self.context.started;
            loop {
                let (mut part, open) = match self.branch.as_ref().map(Part::take) {
                    None => (None, None),
                    Some(Ok((part, open))) => (Some(part), open),
                    Some(Err(kind)) => {
                        // Others are not to wait for it.
                        drop(self.context.turns.take(self.request));
                        return self.context.state.fail(self.request, kind);
                    }
                };
                let acquired = match (open, &self.context.options.shared) {
                    (Some(connection), _) => Ok((connection, false)),
                    (None, Some(shared)) => self.lease_or_new(shared).await,
                    (None, None) => self.idle_or_new(now).await,
                };
                let (mut connection, new) = match acquired {
                    Ok(acquired) => acquired,
                    Err(kind) => return self.context.state.fail_unreached(self.request, kind),
                };
                if self.context.state.fast_path.is_blocking() && !connection.can_wait() {
                    // If the call is dropped meanwhile, the connection is where it was.
                    self.put_back(part, connection, new);
                    self.context.state.fast_path.in_runtime().await;
                    now = Instant::now();
                    continue;
                }
                connection.cancel_key().set_backend(connection.backend);
                if !self.context.state.starts(
                    self.request,
                    connection.cancel_key(),
                    self.context.options.query_timeout.is_some(),
                ) {
                    return self.put_back(part, connection, new);
                }
                let is_first = part.as_ref().is_none_or(|part| part.begins);
                let begun = if new { Instant::now() } else { now };
                if !is_first {
                    connection.goes_on(begun);
                } else if connection.begin_use(begun) {
                    self.context.pool.is_used(&self.endpoint);
                }
                if !connection.notices.is_empty() {
                    Box::pin(self.pass_on_notices(&mut connection)).await;
                }
                let exchanged = match &mut part {
                    None => self.execute(&mut connection).await,
                    Some(part) => Box::pin(self.execute_in(part, &mut connection)).await,
                };
                if exchanged.never_received
                    && is_first
                    && !new
                    && !self.context.state.events.is_closed()
                {
                    // The connection was dead, and nothing has run: as if that had been found before.
                    self.context.state.running.never_started(self.request);
                    if let Some(part) = part {
                        part.loan.never_began();
                    }
                    now = Instant::now();
                    continue;
                }
                return match part {
                    None => self.finish(connection, exchanged).await,
                    Some(part) => self.finish_in(part, connection, exchanged),
                };
            }
        }
    }

    /// Gives back a connection on which nothing was sent.
    fn put_back(&self, part: Option<Part>, connection: Box<Connection>, new: bool) {
        if let Some(Part {
            loan,
            begins: false,
        }) = part
        {
            return loan.give_back(connection);
        }
        // A session that was used before may have set another role.
        let left = if new && connection.shared.is_none() {
            self.context.state.spare(connection)
        } else {
            Some(connection)
        };
        if let Some(connection) = left {
            self.context.pool.put(connection, &self.context.options);
        }
    }

    /// Passes on the notices that have arrived since the last statement.
    async fn pass_on_notices(&self, connection: &mut Connection) {
        for notice in connection.take_notices() {
            poll_fn(|cx| self.poll_room(false, cx)).await;
            self.notice(Box::new(notice));
        }
    }

    /// An idle connection.
    fn idle_connection(&self, now: Instant) -> Option<Box<Connection>> {
        let CallContext { pool, options, .. } = &*self.context;
        pool.take(&self.endpoint, options.connection_lifetime, now)
    }

    /// An idle connection, or a new one, and whether it is new.
    async fn idle_or_new(&self, now: Instant) -> Result<(Box<Connection>, bool), ErrorKind> {
        if let Some(connection) = self.idle_connection(now) {
            return Ok((connection, false));
        }
        let connection = Box::pin(self.connect(None)).await?;
        self.context.pool.register(&connection);
        Ok((connection, true))
    }

    /// Whether the parameters are so large that one `send` may not take them.
    fn is_large(&self) -> bool {
        let params = self.params.borrow();
        let mut params = params.iter().flat_map(Params::iter);
        params.any(|param| param.len() >= LARGE)
    }

    /// Makes a new connection. `end`: the keeper is to be the end of its TLS.
    async fn connect(&self, end: Option<KeeperEnd>) -> Result<Box<Connection>, ErrorKind> {
        self.context.state.fast_path.in_runtime().await;
        let begun = Instant::now();
        let attempt = self.endpoint.attempt(begun);
        // Boxed, so that the future of a request that needs no connection stays small.
        let limits = Limits {
            each: self.context.options.connect_timeout,
            default: None,
        };
        let state = &self.context.state;
        let mut warn = |warning| state.warning(self.request, warning);
        let connecting = Box::pin(connect(
            &self.endpoint,
            limits,
            &state.resolver,
            end,
            &mut warn,
        ));
        let connected = state.unless_closed(connecting).await;
        let connected = connected.unwrap_or(Err(ErrorKind::Closed));
        attempt.ends(connected.as_ref().map(drop));
        let connection = connected?;
        self.context
            .state
            .running
            .delayed(self.request, Delay::Connect(begun.elapsed()));
        Ok(connection)
    }

    /// The statement is done: the connection becomes idle, and the result is reported.
    async fn finish(&self, connection: Box<Connection>, exchanged: Exchanged) {
        let Exchanged {
            result,
            batch,
            columns,
            ..
        } = exchanged;
        let end = match result {
            Ok(()) if connection.state.is_in_transaction() => Err(ErrorKind::open_transaction()),
            result => result.map(|()| (batch, columns)),
        };
        let reset = self.reset_after(&end);
        self.context.state.ends(self.request);
        if matches!(&end, Err(ErrorKind::Db(diagnostic)) if diagnostic.code == *READ_ONLY) {
            // A primary may have become a standby. The next call connects anew, by `target_session_attrs`.
            connection.close();
            self.context.pool.retire(&self.endpoint);
            return self.report(end);
        }
        match reset {
            Some(reset) if connection.is_idle() => {
                Box::pin(self.reset(connection, reset, end)).await;
            }
            _ => {
                self.context.pool.put(connection, &self.context.options);
                self.report(end);
            }
        }
    }

    /// Reports how the request ended.
    fn report(&self, end: Result<End, ErrorKind>) {
        let request = self.request;
        match end {
            Ok((Some(batch), _)) => {
                let size = batch.size();
                self.context.state.events.done(
                    Event::Rows {
                        request,
                        batch,
                        done: true,
                    },
                    size,
                );
            }
            Ok((None, columns)) => self
                .context
                .state
                .events
                .done(Event::RequestDone { request, columns }, 0),
            Err(kind) => self.context.state.fail(request, kind),
        }
    }

    /// The reset query to be run before the connection becomes idle. A statement that ended because it was cancelled from here has
    /// not failed: its session keeps what it has.
    fn reset_after(&self, end: &Result<End, ErrorKind>) -> Option<&Reset> {
        let after_error = match end {
            Err(ErrorKind::Db(diagnostic))
                if diagnostic.code == *CANCELED && self.context.state.events.is_closed() =>
            {
                None
            }
            Err(ErrorKind::Db(_)) => self.context.options.reset_after_error.as_deref(),
            _ => None,
        };
        self.context.options.reset.as_deref().or(after_error)
    }

    /// Reports how the request ended, which the reset does not change, and resets the connection, which becomes idle, or is
    /// closed if that fails.
    async fn reset(
        &self,
        mut connection: Box<Connection>,
        reset: &Reset,
        end: Result<End, ErrorKind>,
    ) {
        let request = self.request;
        self.context
            .state
            .running
            .resets(request, connection.cancel_key());
        self.report(end);
        self.context.state.fast_path.in_runtime().await;
        let done = connection.reset(reset).await;
        self.context.state.ends(request);
        match done {
            Ok(()) => self.context.pool.put(connection, &self.context.options),
            Err(ErrorKind::Db(mut notice)) if reset.reports_failure() && !notice.fatal => {
                notice.message = room::join(&["reset query failed: ", &notice.message]);
                notice.position = None;
                self.notice(notice);
            }
            Err(_) => {}
        }
    }
}
