//! Executing a statement on a connection, in another form if the first is refused before it ran.

use std::rc::Rc;

use super::PartitionRequest;
use super::refusal::{Form, is_missing};
use crate::connection::Connection;
use crate::connection::exchange::sink::ResultSink;
use crate::connection::exchange::{Exchange, Exchanged};
use crate::connection::round_trip::Description;
use crate::connection::statement_plan::{Age, Plan};
use crate::error::ErrorKind;
use crate::options::Prepared;
use crate::protocol::statement::Statement;
use crate::protocol::write_buffer::WriteBuffer;

/// How many statements a connection remembers the columns of.
const DESCRIBED: usize = 256;

impl PartitionRequest {
    /// Whether to prepare statements.
    fn prepared(&self) -> Prepared {
        match &self.context.options.reset {
            Some(reset) if reset.discards() => Prepared::Off,
            _ => self.context.options.prepared,
        }
    }

    /// How to run a statement this time.
    pub(super) fn plan(&self, statement: &Statement, connection: &mut Connection) -> Plan {
        let age = Age::of(self.context.options.prepared_lifetime);
        let backend = connection.backend;
        let statements = &mut connection.statements;
        statements.plan(statement, self.prepared(), backend, age)
    }

    /// Has the server describe the columns of the result, where the formats to ask for depend on their types and these are not
    /// known yet. Nothing is executed for that. How it ended, if it failed.
    pub(super) async fn described(
        &self,
        statement: &Statement,
        connection: &mut Connection,
    ) -> Option<Exchanged> {
        if !statement.is_typed() || connection.described.contains_key(&statement.id()) {
            return None;
        }
        Box::pin(self.describe(statement, connection)).await
    }

    async fn describe(
        &self,
        statement: &Statement,
        connection: &mut Connection,
    ) -> Option<Exchanged> {
        self.context.state.fast_path.in_runtime().await;
        let notice = |notice| self.notice(notice);
        let mut handler = Description::new(&notice);
        let encoding = connection.state.encoding();
        let write = |out: &mut WriteBuffer| {
            out.describe_statement(statement.sql().bytes(encoding)?, statement.types())
        };
        match connection.round_trip(1, write, &mut handler).await {
            Ok(()) => {
                learn(&handler, statement, connection);
                None
            }
            Err(kind) => Some(never_ran(kind, connection)),
        }
    }

    /// Executes the statement, or the one to be run where there is no such procedure.
    pub(super) async fn execute(&self, connection: &mut Connection) -> Exchanged {
        let statement = &self.context.statement;
        let exchanged = self.execute_one(statement, connection).await;
        match statement.otherwise() {
            None => exchanged,
            Some(otherwise) => Box::pin(self.execute_other(otherwise, connection, exchanged)).await,
        }
    }

    /// Executes the other statement if there is no such procedure.
    async fn execute_other(
        &self,
        otherwise: &Rc<Statement>,
        connection: &mut Connection,
        exchanged: Exchanged,
    ) -> Exchanged {
        let missing =
            matches!(&exchanged.result, Err(ErrorKind::Db(diagnostic)) if is_missing(diagnostic));
        if exchanged.parsed
            || exchanged.bound
            || !missing
            || connection.broken
            || self.context.state.events.is_closed()
        {
            return exchanged;
        }
        // It was refused before it ran.
        let other = self.execute_one(otherwise, connection).await;
        if other.parsed || other.bound || !matches!(other.result, Err(ErrorKind::Db(_))) {
            other
        } else {
            exchanged
        }
    }

    /// Executes a statement, unprepared if its prepared form is refused.
    async fn execute_one(
        &self,
        statement: &Rc<Statement>,
        connection: &mut Connection,
    ) -> Exchanged {
        let plan = self.plan(statement, connection);
        if matches!(plan, Plan::Prepare(_)) {
            // What is prepared anew may have other columns by now.
            connection.described.remove(&statement.id());
        }
        if let Some(exchanged) = self.described(statement, connection).await {
            return exchanged;
        }
        let form = Form::of(&plan);
        let exchanged = Exchange::run(self, statement, connection, plan).await;
        if !form.was_refused(statement, &exchanged)
            || connection.broken
            || self.context.state.events.is_closed()
        {
            return exchanged;
        }
        form.forget(statement, connection);
        Box::pin(self.execute_unnamed(statement, connection)).await
    }

    /// Executes a statement unprepared.
    pub(super) async fn execute_unnamed(
        &self,
        statement: &Rc<Statement>,
        connection: &mut Connection,
    ) -> Exchanged {
        if let Some(exchanged) = self.described(statement, connection).await {
            return exchanged;
        }
        Exchange::run(self, statement, connection, Plan::Unnamed).await
    }
}

/// Remembers the formats in which to ask for the columns of a statement, if they depend on the columns' types.
pub(super) fn learn(
    description: &Description<'_>,
    statement: &Statement,
    connection: &mut Connection,
) {
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

/// The end of a statement of which the server has executed nothing.
pub(super) fn never_ran(kind: ErrorKind, connection: &Connection) -> Exchanged {
    Exchanged {
        // As if the connection had been found dead before.
        never_received: connection.broken,
        parsed: false,
        bound: false,
        result: Err(kind),
        batch: None,
        columns: None,
    }
}
