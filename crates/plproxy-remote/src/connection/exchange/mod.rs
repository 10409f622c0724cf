//! One statement's exchange with a server, on one connection.
//!
//! Everything but the statements of calls (resets, queries, scripts) goes by [`crate::connection::round_trip`]. The messages of a
//! call are written here into one buffer, and its replies are read where they lie. One flight may hold three rounds: a change of
//! settings, the statement, and a query for the server's process id.
//! Messages and their order: PostgreSQL's documentation, "Message Flow" and "Message Formats".
//!
//! Reading begins before all is sent, as a server that cannot send its notices does not read. Where there is no room for rows
//! nothing is read, so that the socket, and at last the server, wait.

mod reply;
pub(crate) mod sink;
mod write;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use crate::connection::Connection;
use crate::connection::backend_identity::BackendIdentity;
use crate::connection::exchange::sink::ResultSink;
use crate::connection::session_settings::Change;
use crate::connection::statement_plan::{Columns, Plan, PreparedStatement};
use crate::diagnostic::Diagnostic;
use crate::error::ErrorKind;
use crate::net::blocking::RecvMode;
use crate::protocol::batch::{Batch, Reading, RowRanges};
use crate::protocol::columns::{ColumnDescription, ResultFormats};
use crate::protocol::statement::Statement;
use crate::protocol::text_style::TextRequirements;
use crate::runtime::TICK;

/// How many bytes of other messages may arrive among rows before these are handed over.
const ROOM: usize = 64 * 1024;

/// The message where text of the two styles cannot be told apart.
const STYLE_CHANGED: &str = "DateStyle or IntervalStyle was changed within the statement, so that its result cannot be read";

/// A statement that is being executed.
pub(crate) struct Exchange<'a, S> {
    sink: &'a S,
    statement: &'a Rc<Statement>,
    connection: &'a mut Connection,
    round: Round,
    change: Option<Change>,
    /// Its result.
    settings: Box<[u8]>,
    /// The formats in which the columns are asked for.
    formats: ResultFormats,
    asks: bool,
    /// How many statements of the transaction, before or after the one to be executed, are not answered.
    alongside: usize,
    /// The last of those before is the query for the server's identity.
    identifies: bool,
    /// The name of the prepared statement, if it is to be remembered.
    name: Option<Rc<str>>,
    columns: Columns,
    /// Rows that were received and not handed over: where they lie in the read buffer.
    rows: RowRanges,
    size: usize,
    /// A full batch of rows was handed over.
    handed_over: bool,
    /// Rows that were handed over may hold text that means something else in another encoding.
    depends_on_encoding: bool,
    /// All rows must be written in one style.
    needs_style: bool,
    /// They were written in several.
    mixed_styles: bool,
    /// Not a byte of it was sent.
    unsent: bool,
    /// The server has replied.
    got_reply: bool,
    parsed: bool,
    bound: bool,
    result: Option<Result<(), ErrorKind>>,
    /// The change of settings was cancelled, so that the statement's values may not be exact.
    canceled: Option<Box<Diagnostic>>,
    /// Why not all messages could be sent.
    send_error: Option<ErrorKind>,
}

/// What the server replies to at the moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Settings,
    /// The statements before the one to be executed, in its transaction. They are in the same round, as `Written` is.
    Prologue,
    Statement,
    /// The query whether the transaction has written something.
    Written,
    Process,
    /// Nothing.
    Over,
}

/// The reads of one poll that blocks. It blocks once at the most and then reads only what has arrived, for no longer than a tick:
/// a server that keeps sending a little must not keep the caller from its interrupts.
#[derive(Default)]
struct Reads {
    any: bool,
    since: Option<Instant>,
}

impl Reads {
    /// Begins a read; whether there was one before.
    fn begin(&mut self) -> bool {
        std::mem::replace(&mut self.any, true)
    }

    /// Whether the tick is over, which is checked from the second read on.
    fn are_over(&mut self) -> bool {
        self.since.get_or_insert_with(Instant::now).elapsed() >= TICK
    }
}

/// How an exchange ended.
pub(crate) struct Exchanged {
    /// The server was gone before it received the statement.
    pub(crate) never_received: bool,
    /// The statement was parsed under its name.
    pub(crate) parsed: bool,
    /// Its parameters are bound, and it has begun to run.
    pub(crate) bound: bool,
    pub(crate) result: Result<(), ErrorKind>,
    /// The last rows.
    pub(crate) batch: Option<Batch>,
    pub(crate) columns: Option<Rc<[ColumnDescription]>>,
}

impl<'a, S: ResultSink> Exchange<'a, S> {
    /// Executes a statement by that plan.
    pub(crate) async fn run(
        sink: &'a S,
        statement: &'a Rc<Statement>,
        connection: &'a mut Connection,
        plan: Plan,
    ) -> Exchanged {
        let described = if statement.is_typed() {
            connection.described.get(&statement.id()).cloned()
        } else {
            None
        };
        let (formats, needs) =
            described.unwrap_or_else(|| (statement.formats().clone(), statement.needs()));
        let begins = !connection.state.is_in_transaction();
        let change = {
            let state = &connection.state;
            let (style, process_id) = (state.style(), state.process_id());
            let needs = match sink.branch() {
                None => Some(needs),
                // A setting within the transaction would be rolled back with it: all that it may require is set before.
                Some(_) => begins.then_some(TextRequirements::ALL),
            };
            needs.and_then(|needs| {
                let settings = &connection.settings;
                settings.change(needs, style, process_id, connection.backend)
            })
        };
        let mut exchange = Exchange {
            sink,
            statement,
            connection,
            round: Round::Settings,
            change,
            settings: Box::default(),
            formats,
            asks: matches!(plan, Plan::UnnamedAndAsk),
            alongside: 0,
            identifies: false,
            name: None,
            columns: Columns::Unknown,
            rows: RowRanges::new(),
            size: 0,
            handed_over: false,
            depends_on_encoding: false,
            needs_style: needs.zones,
            mixed_styles: false,
            unsent: false,
            got_reply: false,
            parsed: false,
            bound: false,
            result: None,
            canceled: None,
            send_error: None,
        };
        match exchange.write(plan, begins) {
            // Nothing is sent.
            Err(kind) => {
                exchange.connection.write_buffer.clear();
                exchange.result = Some(Err(kind));
            }
            Ok(rounds) => {
                exchange.connection.write_buffer.begin();
                exchange.connection.state.rounds_sent(rounds);
                if let Err(kind) = poll_fn(|cx| exchange.poll(cx)).await {
                    exchange.fail(kind);
                }
            }
        }
        exchange.end()
    }

    /// The connection is broken.
    fn fail(&mut self, kind: ErrorKind) {
        self.connection.broken = true;
        let over = matches!(self.round, Round::Process | Round::Over);
        // The statement is committed at the end of its round. A failure after that does not undo it, but after a violation of
        // the protocol its result cannot be trusted, either.
        let stands = match &self.result {
            Some(Ok(())) => over && !matches!(kind, ErrorKind::Protocol(_)),
            Some(Err(_)) => true,
            None => false,
        };
        if !stands {
            self.result = Some(Err(kind));
        }
    }

    /// Sends and reads until everything is answered. Fails if the connection is broken.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorKind>> {
        let mut reads = Reads::default();
        loop {
            ready!(self.sink.poll_room(self.handed_over, cx));
            if !self.connection.write_buffer.is_sent() {
                self.send(cx);
                let sent = self.connection.write_buffer.is_sent() && self.send_error.is_none();
                if !sent && self.sink.fast_path().is_blocking() {
                    // Sending and receiving at once needs the runtime, which polls this next.
                    self.sink.fast_path().enter_runtime();
                    return Poll::Pending;
                }
            }
            while let Some(frame) = self.connection.read_buffer.frame()? {
                self.take(frame)?;
                if self.size >= self.sink.batch_size() {
                    self.flush();
                    self.handed_over = true;
                    ready!(self.sink.poll_room(self.handed_over, cx));
                }
            }
            if self.round == Round::Over {
                // If a message was not sent in whole, its rest would be part of the next one.
                let asked = self.connection.write_buffer.is_sent() && self.send_error.is_none();
                return Poll::Ready(if asked {
                    Ok(())
                } else {
                    Err(ErrorKind::unexpected_message())
                });
            }
            if self.round == Round::Process && self.sink.is_out_of_time() {
                return Poll::Ready(Err(ErrorKind::Closed));
            }
            // Rows that are not handed over keep all that follows them in the buffer.
            if self.connection.read_buffer.consumed() > self.sink.batch_size() + ROOM {
                self.flush();
            }
            if self.rows.is_empty() {
                self.connection.read_buffer.discard();
            }
            match self.fill(cx, &mut reads) {
                Poll::Ready(filled) => filled?,
                Poll::Pending => {
                    // Better now than after a wait, unless only other rounds are waited for.
                    if self.result.is_none() {
                        self.flush();
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Sends as much as the socket takes.
    fn send(&mut self, cx: &mut Context<'_>) {
        if let Err((kind, unsent)) = self.connection.send(cx) {
            (self.send_error, self.unsent) = (Some(kind), unsent);
        }
    }

    /// Reads the bytes that have arrived. The only request of a call may block for them.
    fn fill(&mut self, cx: &mut Context<'_>, reads: &mut Reads) -> Poll<Result<(), ErrorKind>> {
        let fast_path = self.sink.fast_path();
        if fast_path.is_blocking() {
            // Before it blocks the caller gets the events and rows that there are, unless more has arrived.
            let wanted = self.sink.is_wanted() || self.result.is_none() && !self.rows.is_empty();
            let filled = if !reads.begin() && !wanted {
                fast_path.wait(|| self.connection.fill(RecvMode::Block))
            } else {
                fast_path.stay_blocking();
                (!reads.are_over()).then(|| self.connection.fill(RecvMode::NonBlock))
            };
            return match filled {
                Some(Ok(true)) => Poll::Ready(Ok(())),
                Some(Err(kind)) => Poll::Ready(Err(kind)),
                Some(Ok(false)) | None => Poll::Pending,
            };
        }
        self.connection.poll_fill(cx, self.send_error.as_ref())
    }

    fn batch(&mut self) -> Option<Batch> {
        let Columns::Some(columns) = &self.columns else {
            return None;
        };
        if self.rows.is_empty() {
            return None;
        }
        let mut rows = std::mem::take(&mut self.rows);
        let bytes = match self.connection.read_buffer.take(&mut rows) {
            Ok(bytes) => bytes,
            Err(kind) => {
                // A result that lacks rows is none.
                self.result = None;
                self.fail(kind);
                return None;
            }
        };
        let size = std::mem::take(&mut self.size).max(bytes.capacity());
        Some(Batch::new(
            bytes,
            rows,
            columns.clone(),
            Reading {
                formats: self.formats.clone(),
                style: self.connection.state.nonstandard_style(),
                encoding: self.connection.state.encoding(),
            },
            size,
            self.connection.endpoint().label(),
        ))
    }

    /// Hands over the rows that were received.
    fn flush(&mut self) {
        if let Some(batch) = self.batch() {
            self.depends_on_encoding = self.depends_on_encoding || batch.depends_on_encoding();
            self.sink.rows(batch);
        }
    }

    /// The end of the exchange: what it has learnt about the connection is kept.
    fn end(mut self) -> Exchanged {
        let mut batch = self.batch();
        if self.connection.state.is_encoding_lost() && matches!(self.result, Some(Ok(()))) {
            // It is not known since which row. Rows that were handed over cannot be taken back, but the statement fails.
            let depends = |batch: &Batch| batch.depends_on_encoding();
            if self.depends_on_encoding || batch.as_ref().is_some_and(depends) {
                self.result = Some(Err(ErrorKind::encoding_changed()));
                batch = None;
            }
        }
        if self.needs_style && self.mixed_styles && matches!(self.result, Some(Ok(()))) {
            self.result = Some(Err(ErrorKind::Unsupported(STYLE_CHANGED.to_owned())));
            batch = None;
        }
        self.connection.read_buffer.discard();
        if self.connection.broken {
            self.connection.write_buffer.clear();
        }
        let result = self.result.take().unwrap_or(Err(ErrorKind::Closed));
        if self.parsed
            && let Some(name) = self.name.take()
        {
            let columns = self.columns.clone();
            let statements = &mut self.connection.statements;
            statements.keep(self.statement, PreparedStatement { name, columns });
        }
        // A server replies in the order in which it works, which does not hold for a pooler in between.
        let never_received = !self.got_reply
            && match &result {
                Err(ErrorKind::Db(diagnostic)) if is_admin_shutdown(diagnostic) => {
                    self.unsent || self.connection.backend == BackendIdentity::Confirmed
                }
                Err(_) => self.unsent,
                Ok(()) => false,
            };
        Exchanged {
            never_received,
            parsed: self.parsed,
            bound: self.bound,
            result,
            batch,
            columns: self.columns.described(),
        }
    }
}

/// Whether a server has ended the session for reasons of its own.
fn is_admin_shutdown(diagnostic: &Diagnostic) -> bool {
    // admin_shutdown; idle_session_timeout.
    diagnostic.fatal && matches!(&diagnostic.code, b"57P01" | b"57P05")
}
