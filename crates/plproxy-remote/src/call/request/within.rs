//! A request in a transaction of several calls.

use std::rc::Rc;

use super::attempts::{learn, never_ran};
use super::part::Part;
use super::refusal::{Form, is_missing};
use super::{PartitionRequest, READ_ONLY};
use crate::connection::Connection;
use crate::connection::exchange::sink::ResultSink;
use crate::connection::exchange::{Exchange, Exchanged};
use crate::connection::round_trip::{Description, IgnoreReply};
use crate::connection::statement_plan::Plan;
use crate::error::ErrorKind;
use crate::protocol::statement::Statement;
use crate::protocol::write_buffer::WriteBuffer;

/// A savepoint around a statement that may be refused although the transaction is to go on.
const PROBE: &str = "savepoint plproxy_probe";
const PROBED: &str = "release savepoint plproxy_probe";
const REFUSED: &str = "rollback to savepoint plproxy_probe";

impl PartitionRequest {
    /// Executes the statement in the transaction.
    pub(super) async fn execute_in(
        &self,
        part: &mut Part,
        connection: &mut Connection,
    ) -> Exchanged {
        part.loan.begins();
        if part.begins {
            connection.set_in_transaction(true);
        }
        self.execute_either_in(connection, part.begins).await
    }

    /// Executes the statement, or the one to be run where there is no such procedure.
    async fn execute_either_in(&self, connection: &mut Connection, begins: bool) -> Exchanged {
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
        let plan = match self.plan(statement, connection) {
            // The question for the process would need a round of its own, and is refused in a transaction that has failed.
            Plan::UnnamedAndAsk => Plan::Unnamed,
            plan => plan,
        };
        if matches!(plan, Plan::Prepare(_)) {
            // What is prepared anew may have other columns by now.
            connection.described.remove(&statement.id());
        }
        let refused = if begins {
            self.described(statement, connection).await
        } else {
            self.probe(statement, connection).await
        };
        if let Some(exchanged) = refused {
            return exchanged;
        }
        let form = Form::of(&plan);
        let exchanged = Exchange::run(self, statement, connection, plan).await;
        if !form.was_refused(statement, &exchanged) || connection.broken {
            return exchanged;
        }
        form.forget(statement, connection);
        // Rolling back loses nothing else only if this was to be the transaction's first statement.
        if !begins || self.context.state.events.is_closed() || !self.begins_anew(connection).await {
            return exchanged;
        }
        self.execute_unnamed(statement, connection).await
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
    pub(super) fn finish_in(&self, part: Part, connection: Box<Connection>, exchanged: Exchanged) {
        let Exchanged {
            mut result,
            batch,
            columns,
            ..
        } = exchanged;
        self.context.state.ends(self.request);
        if matches!(&result, Err(ErrorKind::Db(diagnostic)) if diagnostic.code == *READ_ONLY) {
            part.loan.branch().set_read_only();
        }
        if part.begins && result.is_err() && connection.is_idle() {
            // The transaction could not begin.
            part.loan.never_began();
            self.context.pool.put(connection, &self.context.options);
        } else {
            if result.is_ok() && !connection.state.is_in_transaction() {
                result = Err(ErrorKind::protocol("server has ended the transaction"));
            }
            part.loan.give_back(connection);
        }
        self.report(result.map(|()| (batch, columns)));
    }
}
