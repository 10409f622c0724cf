//! One statement's exchange with a server, on one connection.
//!
//! What is not a call (resets, questions, errands) goes by [`crate::connection::round_trip`]. The messages of a call are written here, in one
//! piece, and its answers read where they lie. One flight may hold three rounds: a change of settings, the statement, and the
//! question which process the server is.
//! Messages and their order: PostgreSQL's documentation, "Message Flow" and "Message Formats".
//!
//! Reading begins before all is sent, as a server that cannot get rid of its notices takes nothing more. Where there is no
//! room for rows nothing is read, so that the socket and at last the server wait.

mod reply;
pub(crate) mod sink;
mod write;

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use crate::connection::Connection;
use crate::connection::backend_identity::BackendIdentity;
use crate::connection::exchange::sink::ResultSink;
use crate::connection::session_settings::Change;
use crate::connection::statements::{Columns, Plan, PreparedStatement};
use crate::diagnostic::Diagnostic;
use crate::error::ErrorKind;
use crate::net::blocking::RecvMode;
use crate::protocol::batch::{Batch, Reading, RowRanges};
use crate::protocol::columns::{ColumnDescription, ResultFormats};
use crate::protocol::statement::Statement;
use crate::protocol::text_style::TextNeeds;
use crate::runtime::TICK;

/// So much may come between rows before they are handed over.
const ROOM: usize = 64 * 1024;

/// Text that means something else under the one and the other cannot be told apart.
const STYLE_CHANGED: &str = "DateStyle or IntervalStyle was changed within the statement, so that its result cannot be read";

/// A statement under way.
pub(crate) struct Exchange<'a, S> {
    sink: &'a S,
    statement: &'a Rc<Statement>,
    connection: &'a mut Connection,
    round: Round,
    change: Option<Change>,
    /// The answer to it.
    settings: Box<[u8]>,
    /// In which forms the columns are asked for.
    formats: ResultFormats,
    asks: bool,
    /// Statements of the transaction before the one that was asked for, or behind it, that are to be answered.
    alongside: usize,
    /// The last of those before is a question.
    identifies: bool,
    /// The name of the prepared statement, if something is to be learnt of it.
    name: Option<Rc<str>>,
    columns: Columns,
    /// Rows that came in and were not handed over yet: where their values lie.
    rows: RowRanges,
    size: usize,
    /// Some rows went out already, a batch full.
    handed_over: bool,
    /// In rows that went out there may be other text than ASCII.
    depends_on_encoding: bool,
    /// Some text is to be written in one style from the first row to the last.
    needs_style: bool,
    /// It was not.
    mixed_styles: bool,
    /// Nothing of it went out.
    unsent: bool,
    /// Something was answered.
    got_reply: bool,
    parsed: bool,
    bound: bool,
    result: Option<Result<(), ErrorKind>>,
    /// The settings were not changed, as the server was told to stop: the statement's rows may lack something.
    canceled: Option<Box<Diagnostic>>,
    /// Why not all could be sent.
    send_error: Option<ErrorKind>,
}

/// What the server answers to at the moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Settings,
    /// What goes before the statement in its transaction. It is one round with the statement, as what comes next does.
    Prologue,
    Statement,
    /// Whether the transaction has written something.
    Written,
    Process,
    /// Nothing.
    Over,
}

/// What one poll of a request that is alone has read. It waits once at the most and then takes what is there, for no longer
/// than a tick: a server that always has a little to say must not keep the caller from his own affairs.
#[derive(Default)]
struct Reads {
    any: bool,
    since: Option<Instant>,
}

impl Reads {
    /// Whether there was one before.
    fn begin(&mut self) -> bool {
        std::mem::replace(&mut self.any, true)
    }

    /// Looks at the clock, from the second one on.
    fn are_over(&mut self) -> bool {
        self.since.get_or_insert_with(Instant::now).elapsed() >= TICK
    }
}

/// How it went.
pub(crate) struct Exchanged {
    /// The server had gone before it looked at any of it.
    pub(crate) never_received: bool,
    /// The statement was parsed under its name.
    pub(crate) parsed: bool,
    /// It has its parameters and began to run.
    pub(crate) bound: bool,
    pub(crate) result: Result<(), ErrorKind>,
    /// The last rows.
    pub(crate) batch: Option<Batch>,
    pub(crate) columns: Option<Rc<[ColumnDescription]>>,
}

impl<'a, S: ResultSink> Exchange<'a, S> {
    /// Runs a statement by that plan.
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
                // What is set within a transaction is gone with it: all that it may need is set before.
                Some(_) => begins.then_some(TextNeeds::ALL),
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

    /// Nothing more can be expected of the connection.
    fn fail(&mut self, kind: ErrorKind) {
        self.connection.broken = true;
        let over = matches!(self.round, Round::Process | Round::Over);
        // The statement is committed at the end of its round. What comes after that does not undo it, but nonsense makes
        // one doubt all that came before.
        let stands = match &self.result {
            Some(Ok(())) => over && !matches!(kind, ErrorKind::Protocol(_)),
            Some(Err(_)) => true,
            None => false,
        };
        if !stands {
            self.result = Some(Err(kind));
        }
    }

    /// Sends and reads until everything is answered. Fails if nothing more can be expected of the connection.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorKind>> {
        let mut reads = Reads::default();
        loop {
            ready!(self.sink.poll_room(self.handed_over, cx));
            if !self.connection.write_buffer.is_sent() {
                self.send(cx);
                let sent = self.connection.write_buffer.is_sent() && self.send_error.is_none();
                if !sent && self.sink.fast_path().is_blocking() {
                    // To send and to receive at once is for the runtime, which polls this next.
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
                // An answer to what was not sent, in whole, would leave the rest to be taken for something else.
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
            // A row's place holds on to all that came behind it, which may be anything.
            if self.connection.read_buffer.seen() > self.sink.batch_size() + ROOM {
                self.flush();
            }
            if self.rows.is_empty() {
                self.connection.read_buffer.forget();
            }
            match self.fill(cx, &mut reads) {
                Poll::Ready(filled) => filled?,
                Poll::Pending => {
                    // Better now than after a wait, unless it is only for what was sent along.
                    if self.result.is_none() {
                        self.flush();
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Sends what the socket takes.
    fn send(&mut self, cx: &mut Context<'_>) {
        let Connection {
            write_buffer,
            socket,
            terminate,
            ..
        } = &mut *self.connection;
        let polled = write_buffer.poll_send(cx, Pin::new(&mut *socket.borrow_mut()));
        terminate.set_in_message(!write_buffer.is_sent() && !write_buffer.is_untouched());
        if let Poll::Ready(Err(error)) = polled {
            // A server that hung up may have said why, which is still to be read.
            self.send_error = Some(ErrorKind::from_send(&error));
            self.unsent = write_buffer.is_untouched();
            write_buffer.clear();
        }
    }

    /// Reads what there is. A request that is alone waits for it.
    fn fill(&mut self, cx: &mut Context<'_>, reads: &mut Reads) -> Poll<Result<(), ErrorKind>> {
        let fast_path = self.sink.fast_path();
        if fast_path.is_blocking() {
            // The caller gets first what there is for him, unless more is there already.
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
        let Connection {
            read_buffer,
            socket,
            ..
        } = &mut *self.connection;
        match (
            read_buffer.poll_fill(cx, &mut socket.borrow_mut()),
            &self.send_error,
        ) {
            (Poll::Pending | Poll::Ready(Err(_)), Some(kind)) => Poll::Ready(Err(kind.clone())),
            (filled, _) => filled,
        }
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
                // What lacks rows is no result.
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
                style: self.connection.state.peculiar_style(),
                encoding: self.connection.state.encoding(),
            },
            size,
            self.connection.endpoint().label(),
        ))
    }

    /// Hands over the rows that are there.
    fn flush(&mut self) {
        if let Some(batch) = self.batch() {
            self.depends_on_encoding = self.depends_on_encoding || batch.depends_on_encoding();
            self.sink.rows(batch);
        }
    }

    /// The end: what was learnt is kept.
    fn end(mut self) -> Exchanged {
        let mut batch = self.batch();
        if self.connection.state.is_encoding_lost() && matches!(self.result, Some(Ok(()))) {
            // Nobody knows since which row. What went out cannot be taken back, but is no result.
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
        self.connection.read_buffer.forget();
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
        // A server answers in the order in which it works, but for somebody in between nothing of that is known.
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

/// Whether a server says that it ends the session, for reasons that have nothing to do with what the session does.
fn is_admin_shutdown(diagnostic: &Diagnostic) -> bool {
    // admin_shutdown; idle_session_timeout.
    diagnostic.fatal && matches!(&diagnostic.code, b"57P01" | b"57P05")
}
