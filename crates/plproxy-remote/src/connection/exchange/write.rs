//! Writing the messages of a statement, all into one buffer.

use super::{Exchange, Round};
use crate::connection::Connection;
use crate::connection::backend_identity::BackendIdentity;
use crate::connection::branch::ASK_WRITTEN;
use crate::connection::exchange::sink::ResultSink;
use crate::connection::statement_plan::{Columns, Plan, PreparedStatement};
use crate::error::ErrorKind;

/// Asks the server which process it is.
const ASK_PROCESS: &str = "select pg_catalog.pg_backend_pid()";

impl<S: ResultSink> Exchange<'_, S> {
    /// Writes all messages; gives how many rounds they are.
    pub(super) fn write(&mut self, plan: Plan, begins: bool) -> Result<u64, ErrorKind> {
        let branch = self.sink.branch();
        let prologue = branch.map(|branch| branch.prologue(self.connection, begins));
        let (prologue, identifies) = prologue.unwrap_or_default();
        (self.alongside, self.identifies) = (prologue.len(), identifies);
        let Connection {
            write_buffer,
            statements,
            backend,
            state,
            ..
        } = &mut *self.connection;
        let statement = self.statement;
        let sql = statement.sql().bytes(state.encoding())?;
        write_buffer.clear();
        if let Some(change) = &self.change {
            write_buffer.extended_query(change.sql())?;
        }
        for name in statements.forgotten() {
            write_buffer.close(name)?;
        }
        for sql in &prologue {
            write_buffer.pipeline(sql)?;
        }
        let params = self.sink.params(state.encoding())?;
        match plan {
            Plan::Prepared(PreparedStatement { name, columns }) => {
                // A pooler may use another server session every time, in which the statement was parsed at another time.
                let columns = match backend {
                    BackendIdentity::Confirmed => columns,
                    BackendIdentity::Mismatched | BackendIdentity::Unknown => Columns::Unknown,
                };
                write_buffer.bind(&name, &params, &self.formats)?;
                if matches!(columns, Columns::Unknown) {
                    (self.name, self.parsed) = (Some(name), true);
                }
                self.columns = columns;
            }
            Plan::Prepare(name) => {
                write_buffer.parse_typed(&name, sql, statement.types())?;
                write_buffer.bind(&name, &params, &self.formats)?;
                self.name = Some(name);
            }
            Plan::Unnamed | Plan::UnnamedAndAsk => {
                write_buffer.parse_typed("", sql, statement.types())?;
                write_buffer.bind("", &params, &self.formats)?;
            }
        }
        if matches!(self.columns, Columns::Unknown) {
            write_buffer.describe()?;
        }
        write_buffer.execute_bound()?;
        if branch.is_some() {
            write_buffer.pipeline(ASK_WRITTEN)?;
        }
        write_buffer.end_round();
        if self.asks {
            write_buffer.extended_query(ASK_PROCESS)?;
        }
        statements.forgotten_are_closed();
        if let Some(branch) = branch {
            branch.prologue_is_sent();
        }
        if self.change.is_none() {
            self.round = self.first_round();
        }
        Ok(1 + u64::from(self.change.is_some()) + u64::from(self.asks))
    }

    /// What the server replies to first in the round of the statement.
    pub(super) fn first_round(&self) -> Round {
        if self.alongside > 0 {
            Round::Prologue
        } else {
            Round::Statement
        }
    }
}
