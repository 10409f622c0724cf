//! The replies of a server, message by message.

use std::ops::Range;
use std::rc::Rc;

use plproxy_core::room;

use super::{Exchange, Round};
use crate::connection::Connection;
use crate::connection::backend_identity::BackendIdentity;
use crate::connection::exchange::sink::ResultSink;
use crate::connection::session_settings::Change;
use crate::connection::statement_plan::Columns;
use crate::diagnostic::Diagnostic;
use crate::error::{COPY, ErrorKind};
use crate::protocol::columns::describe;
use crate::protocol::error_response::diagnostic;
use crate::protocol::frame::Frame;
use crate::protocol::row::Row;

/// The longest result of a change of settings.
const SETTINGS: usize = 4096;
/// The memory that a row takes besides its bytes.
const ROW_OVERHEAD: usize = 64;
/// `query_canceled`
const CANCELED: &[u8; 5] = b"57014";

impl<S: ResultSink> Exchange<'_, S> {
    /// Handles a message.
    pub(super) fn take(&mut self, frame: Frame) -> Result<(), ErrorKind> {
        let Frame { tag, body } = frame;
        // An asynchronous message is no reply, nor is an error that ends the session.
        self.got_reply |= !matches!(tag, b'E' | b'N' | b'S' | b'A');
        match tag {
            b'D' => self.take_row(body),
            b'E' => {
                let diagnostic = self.diagnostic(&body)?;
                self.take_error(diagnostic)
            }
            b'N' => {
                let notice = self.diagnostic(&body)?;
                self.flush();
                self.sink.notice(notice);
                Ok(())
            }
            b'S' => {
                let Connection {
                    read_buffer, state, ..
                } = &mut *self.connection;
                let status = read_buffer.body(&body);
                if self.result.is_some() {
                    // From 14 on servers report only now what the statement has changed while its rows were written.
                    let before = state.style().clone();
                    state.parameter_status(status)?;
                    let its = matches!(self.round, Round::Statement | Round::Written);
                    let mixed = its && !state.style().is_like(&before);
                    self.mixed_styles |= mixed;
                    return Ok(());
                }
                if self.rows.is_empty() {
                    return state.parameter_status(status);
                }
                // The rows before it were written under the settings before it. Handing them over moves the bytes in the buffer.
                let status = room::copy(status).map_err(|_| ErrorKind::no_memory_for_message())?;
                self.flush();
                self.connection.state.parameter_status(&status)
            }
            // Notifications are ignored.
            b'A' => Ok(()),
            b'Z' => self.take_end(&body),
            b'G' | b'H' | b'W' => Err(ErrorKind::protocol(COPY)),
            b'1' | b'2' | b'T' | b't' | b'n' | b'C' | b'I'
                if matches!(self.round, Round::Settings | Round::Process) =>
            {
                Ok(())
            }
            b'1' | b'2' | b'3' | b'C' if matches!(self.round, Round::Prologue | Round::Written) => {
                self.take_alongside(tag)
            }
            _ if self.round != Round::Statement => Err(ErrorKind::unexpected_message()),
            b'1' | b'2' | b'3' | b'n' | b'I' if !body.is_empty() => {
                Err(ErrorKind::unexpected_message())
            }
            b'1' => {
                self.parsed = true;
                Ok(())
            }
            b'2' => {
                self.bound = true;
                // The server has received them.
                self.sink.drop_params();
                Ok(())
            }
            b'3' => Ok(()),
            b'T' | b'n' if !matches!(self.columns, Columns::Unknown) => Err(ErrorKind::protocol(
                "server described the columns of one statement twice",
            )),
            b'n' => {
                self.columns = Columns::None;
                Ok(())
            }
            b'T' => {
                let columns = describe(self.connection.read_buffer.body(&body));
                let columns = columns.ok_or_else(ErrorKind::malformed_description)?;
                let encoding = self.connection.state.encoding();
                let statement = self.statement;
                if statement.is_typed() && statement.asks_for(&columns, encoding).0 != self.formats
                {
                    return Err(ErrorKind::protocol(
                        "the types of the result's columns have changed since the last call",
                    ));
                }
                self.columns = Columns::Some(columns);
                Ok(())
            }
            b'C' | b'I' if self.bound && self.result.is_none() => {
                self.result = Some(match self.canceled.take() {
                    Some(diagnostic) => Err(ErrorKind::Db(diagnostic)),
                    None => Ok(()),
                });
                if self.sink.branch().is_some() {
                    (self.round, self.alongside) = (Round::Written, 1);
                }
                Ok(())
            }
            _ => Err(ErrorKind::unexpected_message()),
        }
    }

    /// Handles a message of the other statements in the round.
    fn take_alongside(&mut self, tag: u8) -> Result<(), ErrorKind> {
        if tag == b'C' {
            self.alongside = self
                .alongside
                .checked_sub(1)
                .ok_or_else(ErrorKind::unexpected_message)?;
            if self.round == Round::Prologue {
                self.round = self.first_round();
            }
        }
        Ok(())
    }

    /// Handles the result of a query in the same round.
    fn take_answer(&mut self, body: &Range<usize>) -> Result<(), ErrorKind> {
        let (Some(branch), Some(row)) = (
            self.sink.branch(),
            Row::of_message(self.connection.read_buffer.body(body), 1),
        ) else {
            return Err(ErrorKind::unexpected_message());
        };
        let text = row.get(0).map(std::str::from_utf8);
        match (
            self.round,
            text.transpose()
                .map_err(|_| ErrorKind::unexpected_message())?,
        ) {
            (Round::Written, Some(text)) => {
                branch.has_written(text.parse().map_err(|_| ErrorKind::unexpected_message())?);
            }
            (Round::Prologue, Some(text)) if self.identifies && text.len() <= SETTINGS => {
                let identity: Rc<str> = text.into();
                branch.identify(&identity, self.connection);
                self.connection.identity = Some(identity);
            }
            _ => {}
        }
        Ok(())
    }

    fn take_row(&mut self, body: Range<usize>) -> Result<(), ErrorKind> {
        let bytes = self.connection.read_buffer.body(&body);
        match (self.round, &self.columns) {
            (Round::Statement, Columns::Some(columns)) if self.result.is_none() => {
                if Row::of_message(bytes, columns.len()).is_none() {
                    return Err(ErrorKind::malformed_row());
                }
                self.size += body.len() + ROW_OVERHEAD;
                self.rows.push(body.start + 2..body.end);
                Ok(())
            }
            (Round::Settings, _) => {
                if bytes.len() > SETTINGS || Row::of_message(bytes, Change::COLUMNS).is_none() {
                    return Err(ErrorKind::unexpected_message());
                }
                self.settings = bytes.into();
                Ok(())
            }
            (Round::Process, _) => {
                let process = Row::of_message(bytes, 1).and_then(|row| row.number(0));
                let known = self.connection.state.process_id();
                self.connection.backend = if process == Some(known) {
                    BackendIdentity::Confirmed
                } else {
                    BackendIdentity::Mismatched
                };
                Ok(())
            }
            (Round::Prologue | Round::Written, _) => self.take_answer(&body),
            _ => Err(ErrorKind::unexpected_message()),
        }
    }

    fn take_error(&mut self, diagnostic: Box<Diagnostic>) -> Result<(), ErrorKind> {
        if diagnostic.fatal {
            return Err(ErrorKind::Db(diagnostic));
        }
        self.got_reply = true;
        match self.round {
            Round::Prologue | Round::Statement | Round::Written => {
                if matches!(self.result, Some(Err(_))) {
                    return Err(ErrorKind::unexpected_message());
                }
                self.result = Some(Err(ErrorKind::Db(diagnostic)));
            }
            Round::Settings => {
                self.change = None;
                // The error undoes the whole change.
                if diagnostic.code == *CANCELED {
                    self.canceled = Some(diagnostic);
                } else {
                    self.connection.settings.refused();
                }
            }
            Round::Process if diagnostic.code == *CANCELED => {}
            Round::Process => self.connection.backend = BackendIdentity::Mismatched,
            Round::Over => return Err(ErrorKind::unexpected_message()),
        }
        Ok(())
    }

    /// The change of settings has succeeded.
    fn learn_settings(&mut self) {
        if let Some(change) = self.change.take()
            && let Some(row) = Row::of_message(&self.settings, Change::COLUMNS)
            && let Some(backend) = self.connection.settings.learn(&change, row)
        {
            self.connection.backend = backend;
        }
    }

    /// The server is ready for the next round.
    fn take_end(&mut self, body: &Range<usize>) -> Result<(), ErrorKind> {
        let Connection {
            read_buffer, state, ..
        } = &mut *self.connection;
        state.ready_for_query(read_buffer.body(body))?;
        self.round = match self.round {
            Round::Settings => {
                self.learn_settings();
                self.first_round()
            }
            Round::Prologue | Round::Statement if self.result.is_none() => {
                return Err(ErrorKind::unexpected_message());
            }
            // The query was not answered.
            Round::Written if self.alongside > 0 && matches!(self.result, Some(Ok(()))) => {
                return Err(ErrorKind::unexpected_message());
            }
            Round::Statement if self.asks => Round::Process,
            Round::Prologue | Round::Statement | Round::Written | Round::Process | Round::Over => {
                Round::Over
            }
        };
        Ok(())
    }

    fn diagnostic(&self, body: &Range<usize>) -> Result<Box<Diagnostic>, ErrorKind> {
        let Connection {
            read_buffer, state, ..
        } = &*self.connection;
        diagnostic(read_buffer.body(body), state.encoding())
    }
}
