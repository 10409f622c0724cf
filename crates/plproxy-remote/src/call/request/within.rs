//! A request in a transaction of several calls.

use std::rc::Rc;
use std::time::Instant;

use super::attempts::{learn, never_ran};
use super::refusal::{TAKEN, is_missing, is_stale};
use super::{PartitionRequest, READ_ONLY};
use crate::connection::Connection;
use crate::connection::branch::{Branch, Lease};
use crate::connection::exchange::sink::ResultSink;
use crate::connection::exchange::{Exchange, Exchanged};
use crate::connection::round_trip::{Description, IgnoreReply};
use crate::connection::statement_plan::{Age, Plan};
use crate::error::ErrorKind;
use crate::protocol::statement::Statement;
use crate::protocol::write_buffer::WriteBuffer;

/// A savepoint around a statement that may be refused although the transaction is to go on.
const PROBE: &str = "savepoint plproxy_probe";
const PROBED: &str = "release savepoint plproxy_probe";
const REFUSED: &str = "rollback to savepoint plproxy_probe";

impl PartitionRequest {
    /// Runs the request on the transaction's connection. For the first request that is an idle connection or a new one.
    pub(super) async fn run_in(&self, branch: &Rc<Branch>) {
        let mut now = self.context.started;
        loop {
            let (mut lease, open) = match branch.lend() {
                Ok(lent) => lent,
                Err(kind) => return self.context.state.fail(self.request, kind),
            };
            let begins = open.is_none();
            let acquired = match open {
                Some(connection) => Ok((connection, false)),
                None => self.idle_or_new(now).await,
            };
            let (mut connection, new) = match acquired {
                Ok(acquired) => acquired,
                Err(kind) => return self.context.state.fail_unreached(self.request, kind),
            };
            if self.context.state.fast_path.is_blocking() && !connection.can_wait() {
                self.give_back(lease, connection, begins);
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
                return self.give_back(lease, connection, begins);
            }
            let begun = if new { Instant::now() } else { now };
            if begins {
                if connection.begin_use(begun) {
                    self.context.pool.is_used(&self.endpoint);
                }
                connection.set_in_transaction(true);
            } else {
                connection.goes_on(begun);
            }
            if !connection.notices.is_empty() {
                self.pass_on_notices(&mut connection).await;
            }
            lease.begins();
            let exchanged = self.execute_in(&mut connection, begins).await;
            if exchanged.never_received && begins && !new && !self.context.state.events.is_closed()
            {
                // The connection was dead, and nothing has run.
                self.context.state.running.never_started(self.request);
                lease.never_began();
                now = Instant::now();
                continue;
            }
            return self.finish_in(branch, lease, connection, exchanged, begins);
        }
    }

    /// Gives the connection back, on which nothing was sent.
    fn give_back(&self, lease: Lease, connection: Box<Connection>, begins: bool) {
        if !begins {
            lease.give_back(connection);
        } else if let Some(connection) = self.context.state.spare(connection) {
            self.context.pool.put(connection, &self.context.options);
        }
    }

    /// Executes the statement, or the one to be run where there is no such procedure.
    async fn execute_in(&self, connection: &mut Connection, begins: bool) -> Exchanged {
        let statement = &self.context.statement;
        let exchanged = self.execute_one_in(statement, connection, begins).await;
        let Some(otherwise) = statement.otherwise() else {
            return exchanged;
        };
        let missing =
            matches!(&exchanged.result, Err(ErrorKind::Db(diagnostic)) if is_missing(diagnostic));
        if !missing
            || exchanged.parsed
            || exchanged.bound
            || connection.broken
            || self.context.state.events.is_closed()
        {
            return exchanged;
        }
        // The statement was refused before it ran, and the transaction goes on, or has yet to begin.
        if begins && !self.begins_anew(connection).await || connection.state.is_failed() {
            return exchanged;
        }
        let other = self.execute_one_in(otherwise, connection, begins).await;
        if other.parsed || other.bound || !matches!(other.result, Err(ErrorKind::Db(_))) {
            other
        } else {
            exchanged
        }
    }

    async fn execute_one_in(
        &self,
        statement: &Rc<Statement>,
        connection: &mut Connection,
        begins: bool,
    ) -> Exchanged {
        let refused = if begins {
            self.describe(statement, connection).await
        } else {
            self.probe(statement, connection).await
        };
        if let Some(exchanged) = refused {
            return exchanged;
        }
        let statements = &mut connection.statements;
        let plan = match statements.plan(
            statement,
            self.prepared(),
            connection.backend,
            Age::of(self.context.options.prepared_lifetime),
        ) {
            // The question for the process would need a round of its own, and is refused in a transaction that has failed.
            Plan::UnnamedAndAsk => Plan::Unnamed,
            plan => plan,
        };
        let (reused, prepares) = (
            matches!(plan, Plan::Prepared(_)),
            matches!(plan, Plan::Prepare(_)),
        );
        let exchanged = Exchange::run(self, statement, connection, plan).await;
        let Err(ErrorKind::Db(diagnostic)) = &exchanged.result else {
            return exchanged;
        };
        let refused = !exchanged.bound
            && ((reused || prepares && exchanged.parsed) && is_stale(diagnostic)
                || prepares && diagnostic.code == *TAKEN
                // protocol_violation: another number of columns than before.
                || statement.is_typed() && diagnostic.code == *b"08P01");
        if !refused || connection.broken {
            return exchanged;
        }
        if reused {
            connection.statements.forget(statement);
        } else if prepares {
            connection.statements.give_up(statement);
        }
        connection.described.remove(&statement.id());
        // Rolling back loses nothing else only if this was to be the transaction's first statement.
        if !begins || self.context.state.events.is_closed() || !self.begins_anew(connection).await {
            return exchanged;
        }
        if let Some(exchanged) = self.describe(statement, connection).await {
            return exchanged;
        }
        Exchange::run(self, statement, connection, Plan::Unnamed).await
    }

    /// Rolls back a transaction whose first statement was refused, so that it can begin once more.
    async fn begins_anew(&self, connection: &mut Connection) -> bool {
        if connection.is_idle() {
            return true;
        }
        self.context.state.fast_path.in_runtime().await;
        let write = |out: &mut WriteBuffer| out.extended_query("rollback");
        let rolled_back = connection.round_trip(1, write, &mut IgnoreReply).await;
        rolled_back.is_ok() && connection.is_idle()
    }

    /// Has the server parse a statement that it may refuse although the transaction is to go on, and describe the result's
    /// columns where that is needed. How it ended, if the server refused it.
    async fn probe(&self, statement: &Statement, connection: &mut Connection) -> Option<Exchanged> {
        let learns = statement.is_typed() && !connection.described.contains_key(&statement.id());
        let may_miss =
            statement.otherwise().is_some() && !connection.statements.is_prepared(statement);
        if !learns && !may_miss {
            return None;
        }
        self.context.state.fast_path.in_runtime().await;
        let encoding = connection.state.encoding();
        let notice = |notice| self.notice(notice);
        let mut handler = Description::new(&notice);
        let write = |out: &mut WriteBuffer| {
            out.pipeline(PROBE)?;
            out.parse_and_describe(statement.sql().bytes(encoding)?, statement.types())?;
            out.pipeline(PROBED)?;
            out.end_round();
            Ok(())
        };
        match connection.round_trip(1, write, &mut handler).await {
            Ok(()) => {
                learn(&handler, statement, connection);
                None
            }
            Err(kind) => {
                if matches!(kind, ErrorKind::Db(_)) && connection.state.is_failed() {
                    let write = |out: &mut WriteBuffer| {
                        out.pipeline(REFUSED)?;
                        out.pipeline(PROBED)?;
                        out.end_round();
                        Ok(())
                    };
                    let undone = connection.round_trip(1, write, &mut IgnoreReply).await;
                    connection.broken |= undone.is_err();
                }
                Some(never_ran(kind, connection))
            }
        }
    }

    /// The statement is done: the transaction gets its connection back, and the result is reported.
    fn finish_in(
        &self,
        branch: &Branch,
        lease: Lease,
        connection: Box<Connection>,
        exchanged: Exchanged,
        begins: bool,
    ) {
        let Exchanged {
            mut result,
            batch,
            columns,
            ..
        } = exchanged;
        self.context.state.ends(self.request);
        if matches!(&result, Err(ErrorKind::Db(diagnostic)) if diagnostic.code == *READ_ONLY) {
            branch.set_read_only();
        }
        if begins && result.is_err() && connection.is_idle() {
            // The transaction could not begin.
            lease.never_began();
            self.context.pool.put(connection, &self.context.options);
        } else {
            if result.is_ok() && !connection.state.is_in_transaction() {
                result = Err(ErrorKind::protocol("server has ended the transaction"));
            }
            lease.give_back(connection);
        }
        self.report(result.map(|()| (batch, columns)));
    }
}
