//! One request: a connection, the statement, its rows, and the connection's return.

mod within;

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use plproxy_core::room;

use crate::call::event::Event;
use crate::call::state::CallState;
use crate::connection::Connection;
use crate::connection::branch::Branch;
use crate::connection::connect::{Limits, connect};
use crate::connection::dialog::Description;
use crate::connection::exchange::{Exchange, Exchanged, ResultSink};
use crate::connection::statements::Plan;
use crate::diagnostic::Diagnostic;
use crate::encoding::Encoding;
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;
use crate::options::{CallOptions, Prepared};
use crate::pool::Pool;
use crate::protocol::columns::ColumnDescription;
use crate::protocol::param::{Param, Params};
use crate::protocol::row::Batch;
use crate::protocol::statement::Statement;
use crate::protocol::write_buffer::Outgoing;
use crate::reset::Reset;
use crate::runtime::fast_path::FastPath;

/// All that one request needs.
pub(crate) struct Task {
    pub(crate) request: usize,
    pub(crate) endpoint: Rc<Endpoint>,
    /// Until the server has them.
    pub(crate) params: RefCell<Option<Params>>,
    /// The transaction that it runs in, unless it is one of its own.
    pub(crate) branch: Option<Rc<Branch>>,
    pub(crate) common: Rc<Common>,
}

/// What the requests of a call have in common.
pub(crate) struct Common {
    pub(crate) statement: Rc<Statement>,
    pub(crate) options: CallOptions,
    pub(crate) state: Rc<CallState>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) started: Instant,
    /// Rows are handed over in batches of about that many bytes, or of what is there.
    pub(crate) batch: usize,
}

/// Of so many statements a connection remembers the columns at most.
const DESCRIBED: usize = 256;

/// From that many bytes on a parameter is large.
const LARGE: usize = 16 * 1024;

/// `read_only_sql_transaction`: the server is not, or no longer, one that takes changes.
const READ_ONLY: &[u8; 5] = b"25006";
/// `duplicate_prepared_statement`: the name is another's.
const TAKEN: &[u8; 5] = b"42P05";

/// The end of a statement: its last rows, and its columns if they are known.
type End = (Option<Batch>, Option<Rc<[ColumnDescription]>>);

impl Task {
    /// Runs the request; all that is to be told becomes events.
    pub(crate) async fn run(self) {
        if self.is_large() {
            self.common.state.fast_path.in_runtime().await;
        }
        if let Some(branch) = self.branch.clone() {
            return self.run_in(&branch).await;
        }
        let mut now = self.common.started;
        loop {
            let (mut connection, new) = match self.at_rest(now) {
                Some(connection) => (connection, false),
                None => match self.connect().await {
                    Ok(connection) => (connection, true),
                    Err(kind) => return self.common.state.fail_unreached(self.request, kind),
                },
            };
            if self.common.state.fast_path.is_blocking() && !connection.can_wait() {
                // A caller who goes away meanwhile is to find it at rest.
                self.common.pool.put(connection, &self.common.options);
                self.common.state.fast_path.in_runtime().await;
                now = Instant::now();
                continue;
            }
            connection.cancel_key().set_direct(connection.direct);
            if !self.common.state.sends(
                self.request,
                connection.cancel_key(),
                self.common.options.query_timeout.is_some(),
            ) {
                // One that was used before may have another role by now.
                let left = if new {
                    self.common.state.spare(connection)
                } else {
                    Some(connection)
                };
                if let Some(connection) = left {
                    self.common.pool.put(connection, &self.common.options);
                }
                return;
            }
            if connection.begin_use(if new { Instant::now() } else { now }) {
                self.common.pool.is_used(&self.endpoint);
            }
            self.pass_on_notices(&mut connection).await;
            let exchanged = self.execute(&mut connection).await;
            if exchanged.missed && !new && !self.common.state.events.is_closed() {
                // It had rested for too long, and nothing has run: as if it had been found dead before.
                self.common.state.running.unsends(self.request);
                now = Instant::now();
                continue;
            }
            return self.finish(connection, exchanged).await;
        }
    }

    /// Passes on what the server has noticed since the last statement.
    async fn pass_on_notices(&self, connection: &mut Connection) {
        for notice in connection.take_notices() {
            poll_fn(|cx| self.poll_room(false, cx)).await;
            self.notice(Box::new(notice));
        }
    }

    /// A connection that rests.
    fn at_rest(&self, now: Instant) -> Option<Box<Connection>> {
        let Common { pool, options, .. } = &*self.common;
        pool.take(&self.endpoint, options.connection_lifetime, now)
    }

    /// Whether the parameters are so large that they may not be sent in one go.
    fn is_large(&self) -> bool {
        let params = self.params.borrow();
        let mut params = params.iter().flat_map(Params::iter);
        params.any(|param| param.len() >= LARGE)
    }

    /// A new connection.
    async fn connect(&self) -> Result<Box<Connection>, ErrorKind> {
        self.common.state.fast_path.in_runtime().await;
        let begun = Instant::now();
        let attempt = self.endpoint.attempt(begun);
        // Rare and large: apart, so that the common case stays small.
        let limits = Limits {
            each: self.common.options.connect_timeout,
            default: None,
        };
        let state = &self.common.state;
        let mut warn = |warning| state.warning(self.request, warning);
        let connecting = Box::pin(connect(&self.endpoint, limits, &state.outside, &mut warn));
        let connected = state.unless_closed(connecting).await;
        let connected = connected.unwrap_or(Err(ErrorKind::Closed));
        attempt.ends(connected.as_ref().map(drop));
        let connection = connected?;
        self.common
            .state
            .running
            .connected(self.request, begun.elapsed());
        self.common.pool.register(&connection);
        Ok(connection)
    }

    /// The statement is over: the connection goes to rest, and the caller is told.
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
        self.common.state.ends(self.request);
        if matches!(&end, Err(ErrorKind::Db(diagnostic)) if diagnostic.code == *READ_ONLY) {
            // A primary may have become a standby. The next call looks for a primary anew, where it is told to.
            connection.close();
            self.common.pool.close(&self.endpoint);
            return self.tell(end);
        }
        match reset {
            Some(reset) if connection.is_idle() => self.reset(connection, reset, end).await,
            _ => {
                self.common.pool.put(connection, &self.common.options);
                self.tell(end);
            }
        }
    }

    /// Tells how the request ended.
    fn tell(&self, end: Result<End, ErrorKind>) {
        let request = self.request;
        match end {
            Ok((Some(batch), _)) => {
                let size = batch.size();
                self.common.state.events.done(
                    Event::Rows {
                        request,
                        batch,
                        done: true,
                    },
                    size,
                );
            }
            Ok((None, columns)) => self
                .common
                .state
                .events
                .done(Event::RequestDone { request, columns }, 0),
            Err(kind) => self.common.state.fail(request, kind),
        }
    }

    /// What is to be run before the connection rests.
    fn reset_after(&self, end: &Result<End, ErrorKind>) -> Option<&Reset> {
        let after_error = match end {
            Err(ErrorKind::Db(_)) => self.common.options.reset_after_error.as_deref(),
            _ => None,
        };
        self.common.options.reset.as_deref().or(after_error)
    }

    /// Tells how the request ended, which what follows does not change: the connection is reset and goes to rest, or is closed
    /// if that fails.
    async fn reset(
        &self,
        mut connection: Box<Connection>,
        reset: &Reset,
        end: Result<End, ErrorKind>,
    ) {
        let request = self.request;
        self.common
            .state
            .running
            .resets(request, connection.cancel_key());
        self.tell(end);
        self.common.state.fast_path.in_runtime().await;
        let done = connection.reset(reset).await;
        self.common.state.ends(request);
        match done {
            Ok(()) => self.common.pool.put(connection, &self.common.options),
            Err(ErrorKind::Db(mut notice)) if reset.is_told() && !notice.fatal => {
                notice.message = room::join(&["reset query failed: ", &notice.message]);
                notice.position = None;
                self.notice(notice);
            }
            Err(_) => {}
        }
    }

    /// Whether to prepare.
    fn prepared(&self) -> Prepared {
        match &self.common.options.reset {
            Some(reset) if reset.discards() => Prepared::Off,
            _ => self.common.options.prepared,
        }
    }

    /// Learns the types of the result's columns, where the form to ask for depends on them. Nothing runs by that. The way it
    /// ended if it did not work.
    async fn describe(
        &self,
        statement: &Statement,
        connection: &mut Connection,
    ) -> Option<Exchanged> {
        if !statement.is_typed() || connection.described.contains_key(&statement.id()) {
            return None;
        }
        self.common.state.fast_path.in_runtime().await;
        let notice = |notice| self.notice(notice);
        let mut listener = Description::new(&notice);
        let encoding = connection.state.encoding();
        let write = |out: &mut Outgoing| {
            out.describe_statement(statement.sql().bytes(encoding)?, statement.types())
        };
        match connection.converse(1, write, &mut listener).await {
            Ok(()) => {
                learn(&listener, statement, connection);
                None
            }
            Err(kind) => Some(never_ran(kind, connection)),
        }
    }

    async fn execute(&self, connection: &mut Connection) -> Exchanged {
        let statement = &self.common.statement;
        let exchanged = self.execute_one(statement, connection).await;
        let Some(otherwise) = statement.otherwise() else {
            return exchanged;
        };
        let missing =
            matches!(&exchanged.result, Err(ErrorKind::Db(diagnostic)) if is_missing(diagnostic));
        if exchanged.parsed
            || exchanged.opened
            || !missing
            || connection.broken
            || self.common.state.events.is_closed()
        {
            return exchanged;
        }
        // It was refused before it ran.
        let other = self.execute_one(otherwise, connection).await;
        if other.parsed || other.opened || !matches!(other.result, Err(ErrorKind::Db(_))) {
            other
        } else {
            exchanged
        }
    }

    async fn execute_one(
        &self,
        statement: &Rc<Statement>,
        connection: &mut Connection,
    ) -> Exchanged {
        if let Some(exchanged) = self.describe(statement, connection).await {
            return exchanged;
        }
        let plan = connection
            .statements
            .plan(statement, self.prepared(), connection.direct);
        let (reused, prepares) = (
            matches!(plan, Plan::Prepared(_)),
            matches!(plan, Plan::Prepare),
        );
        let mut exchanged = Exchange::run(self, statement, connection, plan).await;
        if !exchanged.opened
            && let Err(ErrorKind::Db(diagnostic)) = &exchanged.result
        {
            // The prepared form was refused before it ran, so that this is no repetition. What is prepared only now may be
            // refused so, too: a pooler may have parsed it long ago, for somebody else.
            let refused = (reused || prepares && exchanged.parsed) && is_stale(diagnostic)
                || prepares && diagnostic.code == *TAKEN
                // Another number of columns than it was.
                || statement.is_typed() && diagnostic.code == *b"08P01";
            if refused && !connection.broken && !self.common.state.events.is_closed() {
                if reused {
                    connection.statements.forget(statement);
                } else if prepares {
                    connection.statements.give_up(statement);
                }
                connection.described.remove(&statement.id());
                if let Some(exchanged) = self.describe(statement, connection).await {
                    return exchanged;
                }
                exchanged = Exchange::run(self, statement, connection, Plan::Unnamed).await;
            }
        }
        exchanged
    }
}

impl ResultSink for Task {
    fn params(&self, encoding: Encoding) -> Result<Rc<[Param]>, ErrorKind> {
        match &*self.params.borrow() {
            Some(params) => params.of(encoding).cloned(),
            None => Ok(Rc::default()),
        }
    }

    fn drop_params(&self) {
        self.params.take();
    }

    fn branch(&self) -> Option<&Branch> {
        self.branch.as_deref()
    }

    fn batch_size(&self) -> usize {
        self.common.batch
    }

    fn poll_room(&self, handed_over: bool, cx: &mut Context<'_>) -> Poll<()> {
        let events = &self.common.state.events;
        events.poll_room(self.request, handed_over, cx)
    }

    fn rows(&self, batch: Batch) {
        let (request, size) = (self.request, batch.size());
        self.common.state.events.event(
            Event::Rows {
                request,
                batch,
                done: false,
            },
            size,
        );
    }

    fn notice(&self, notice: Box<Diagnostic>) {
        self.common.state.notice(self.request, notice);
    }

    fn fast_path(&self) -> &FastPath {
        &self.common.state.fast_path
    }

    fn is_wanted(&self) -> bool {
        self.common.state.is_wanted()
    }

    fn is_hurried(&self) -> bool {
        self.common.state.is_hurried()
    }
}

/// The connection knows from now on how to ask for the columns of a statement, if that depends on them.
fn learn(description: &Description<'_>, statement: &Statement, connection: &mut Connection) {
    if !statement.is_typed() {
        return;
    }
    let columns = description.columns.as_deref().unwrap_or_default();
    let asked = statement.asks_for(columns, connection.state.encoding());
    if connection.described.len() >= DESCRIBED {
        connection.described.clear();
    }
    connection.described.insert(statement.id(), asked);
}

/// The end of a statement of which the server has run nothing.
fn never_ran(kind: ErrorKind, connection: &Connection) -> Exchanged {
    Exchanged {
        // As if it had been found dead before.
        missed: connection.broken,
        parsed: false,
        opened: false,
        result: Err(kind),
        batch: None,
        columns: None,
    }
}

/// Whether there is no such procedure, be it that there is a function of that name.
fn is_missing(diagnostic: &Diagnostic) -> bool {
    matches!(&diagnostic.code, b"42809" | b"42883")
}

/// Whether a prepared statement, refused before it ran, may have been refused for what it is: it is gone, its result would
/// have other columns now, or a type, a table or a function that it names was made anew. Anything else, such as what a
/// domain's check on a parameter raises, is reported: that check must not run twice.
fn is_stale(diagnostic: &Diagnostic) -> bool {
    match &diagnostic.code {
        // invalid_sql_statement_name; undefined table, column, object, function, schema; datatype_mismatch, cannot_coerce.
        b"26000" | b"42P01" | b"42703" | b"42704" | b"42883" | b"3F000" | b"42804" | b"42846" => {
            true
        }
        // A parameter of a type that another one has taken the place of. No code of a user's runs there.
        b"22P02" => diagnostic.routine.as_deref() == Some("enum_in"),
        b"0A000" => {
            diagnostic.routine.as_deref() == Some("RevalidateCachedQuery")
                || diagnostic.message == "cached plan must not change result type"
        }
        b"XX000" => diagnostic.message.starts_with("cache lookup failed"),
        _ => false,
    }
}
