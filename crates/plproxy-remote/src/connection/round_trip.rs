//! Round trips apart from calls: queries of the connection's own, resets, scripts, descriptions.
//!
//! A flight of messages, and the replies to it, message by message. The statements of calls have an exchange of their own
//! ([`crate::connection::exchange`]), which reads rows where they lie and may block without the runtime.

use std::collections::HashSet;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::connection::Connection;
use crate::diagnostic::Diagnostic;
use crate::error::{COPY, ErrorKind};
use crate::protocol::columns::{ColumnDescription, describe};
use crate::protocol::error_response::diagnostic;
use crate::protocol::row::Row;
use crate::protocol::write_buffer::WriteBuffer;

/// A value that a server is queried for is shorter.
const LONGEST_VALUE: usize = 1 << 15;

/// Handles the replies of a round trip.
pub(crate) trait ReplyHandler {
    /// A message other than errors and asynchronous ones. An error breaks the connection.
    fn take(&mut self, tag: u8, body: &[u8]) -> Result<(), ErrorKind>;

    /// A notice.
    fn notice(&mut self, _notice: Box<Diagnostic>) {}
}

/// Ignores all replies but errors.
pub(crate) struct IgnoreReply;

impl ReplyHandler for IgnoreReply {
    fn take(&mut self, _: u8, _: &[u8]) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// The columns of a statement's result.
pub(crate) struct Description<'a> {
    pub(crate) columns: Option<Rc<[ColumnDescription]>>,
    /// Takes notices.
    notice: &'a dyn Fn(Box<Diagnostic>),
}

impl<'a> Description<'a> {
    pub(crate) fn new(notice: &'a dyn Fn(Box<Diagnostic>)) -> Description<'a> {
        Description {
            columns: None,
            notice,
        }
    }
}

impl ReplyHandler for Description<'_> {
    fn take(&mut self, tag: u8, body: &[u8]) -> Result<(), ErrorKind> {
        if tag == b'T' {
            self.columns = Some(describe(body).ok_or_else(ErrorKind::malformed_description)?);
        }
        Ok(())
    }

    fn notice(&mut self, notice: Box<Diagnostic>) {
        (self.notice)(notice);
    }
}

/// The first value of the first row, as text.
#[derive(Default)]
pub(crate) struct FirstValue(Option<Vec<u8>>);

impl FirstValue {
    /// The value as a string; those of a server's own settings are ASCII.
    pub(crate) fn into_text(self) -> Option<String> {
        String::from_utf8(self.0?).ok()
    }
}

impl ReplyHandler for FirstValue {
    fn take(&mut self, tag: u8, body: &[u8]) -> Result<(), ErrorKind> {
        if tag == b'D' && self.0.is_none() {
            let value = Row::first_of_message(body).ok_or_else(ErrorKind::malformed_row)?;
            // A version or a setting is short.
            let value = value.filter(|value| value.len() < LONGEST_VALUE);
            self.0 = value.map(<[u8]>::to_vec);
        }
        Ok(())
    }
}

/// The first values of all rows, if they are numbers, up to a limit.
struct Numbers {
    most: usize,
    found: HashSet<i32>,
}

impl ReplyHandler for Numbers {
    fn take(&mut self, tag: u8, body: &[u8]) -> Result<(), ErrorKind> {
        if tag == b'D' {
            let value = Row::first_of_message(body).ok_or_else(ErrorKind::malformed_row)?;
            let text = value.and_then(|value| std::str::from_utf8(value).ok());
            self.found
                .extend(text.and_then(|text| text.parse::<i32>().ok()));
            if self.found.len() > self.most {
                return Err(ErrorKind::unexpected_message());
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Sends the messages that `write` writes, which are so many rounds, and reads all replies. The server's first error is the
    /// result, once the server is ready for queries again; after any other error the connection is broken.
    pub(crate) async fn round_trip(
        &mut self,
        rounds: u64,
        write: impl FnOnce(&mut WriteBuffer) -> Result<(), ErrorKind>,
        handler: &mut impl ReplyHandler,
    ) -> Result<(), ErrorKind> {
        self.write_buffer.clear();
        if let Err(kind) = write(&mut self.write_buffer) {
            // Nothing is sent.
            self.write_buffer.clear();
            return Err(kind);
        }
        self.write_buffer.begin();
        self.state.rounds_sent(rounds);
        let mut round = RoundTrip {
            connection: self,
            handler,
            refused: None,
            send_error: None,
        };
        let ended = poll_fn(|cx| round.poll(cx)).await;
        let refused = round.refused.take();
        let Err(kind) = ended else {
            return refused.map_or(Ok(()), |diagnostic| Err(ErrorKind::Db(diagnostic)));
        };
        self.broken = true;
        self.write_buffer.clear();
        Err(match (kind, refused) {
            // The server has said why it closed the connection.
            (ErrorKind::Closed | ErrorKind::Io(_), Some(diagnostic)) => ErrorKind::Db(diagnostic),
            (kind, _) => kind,
        })
    }

    /// Queries one value, by the extended protocol: there are poolers that refuse the simple one.
    pub(crate) async fn query_value(&mut self, question: &str) -> Result<String, ErrorKind> {
        let mut answer = FirstValue::default();
        self.round_trip(1, |out| out.extended_query(question), &mut answer)
            .await?;
        answer
            .into_text()
            .ok_or_else(|| ErrorKind::protocol("server did not answer a question about itself"))
    }

    /// Runs a query for numbers, of which there may be so many different ones.
    pub(crate) async fn query_numbers(
        &mut self,
        sql: &str,
        most: usize,
    ) -> Result<HashSet<i32>, ErrorKind> {
        let found = HashSet::new();
        let mut numbers = Numbers { most, found };
        self.round_trip(1, |out| out.extended_query(sql), &mut numbers)
            .await?;
        Ok(numbers.found)
    }
}

/// A round trip that is running.
struct RoundTrip<'a, L> {
    connection: &'a mut Connection,
    handler: &'a mut L,
    /// The server's first error.
    refused: Option<Box<Diagnostic>>,
    /// Why not all messages could be sent.
    send_error: Option<ErrorKind>,
}

impl<L: ReplyHandler> RoundTrip<'_, L> {
    /// Sends and reads until everything is answered. Reading begins before all is sent, as a server that cannot send its replies
    /// does not read.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorKind>> {
        loop {
            if !self.connection.write_buffer.is_sent()
                && let Err((kind, _)) = self.connection.send(cx)
            {
                self.send_error = Some(kind);
            }
            while let Some(frame) = self.connection.read_buffer.frame()? {
                self.take(frame.tag, frame.body)?;
            }
            if self.connection.state.is_answered() {
                // If a message was not sent in whole, its rest would be part of the next one.
                let asked = self.connection.write_buffer.is_sent() && self.send_error.is_none();
                return Poll::Ready(if asked {
                    Ok(())
                } else {
                    Err(ErrorKind::unexpected_message())
                });
            }
            self.connection.read_buffer.discard();
            ready!(self.connection.poll_fill(cx, self.send_error.as_ref()))?;
        }
    }

    fn take(&mut self, tag: u8, body: std::ops::Range<usize>) -> Result<(), ErrorKind> {
        let Connection {
            read_buffer, state, ..
        } = &mut *self.connection;
        let body = read_buffer.body(&body);
        match tag {
            b'E' => {
                let diagnostic = diagnostic(body, state.encoding())?;
                if diagnostic.fatal {
                    return Err(ErrorKind::Db(diagnostic));
                }
                self.refused.get_or_insert(diagnostic);
                Ok(())
            }
            b'N' => {
                self.handler.notice(diagnostic(body, state.encoding())?);
                Ok(())
            }
            b'S' => state.parameter_status(body),
            // Notifications are ignored.
            b'A' => Ok(()),
            b'Z' => state.ready_for_query(body),
            // The connection is of no more use: the server waits for data, or sends them.
            b'G' | b'H' | b'W' => Err(ErrorKind::protocol(COPY)),
            // ParseComplete, BindComplete, CloseComplete; ParameterDescription, RowDescription, NoData; DataRow; CommandComplete,
            // EmptyQueryResponse.
            b'1' | b'2' | b'3' | b't' | b'T' | b'n' | b'D' | b'C' | b'I' => {
                self.handler.take(tag, body)
            }
            _ => Err(ErrorKind::unexpected_message()),
        }
    }
}
