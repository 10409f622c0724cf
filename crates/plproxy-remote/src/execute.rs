//! One request: a connection, the statement, its rows, and the connection's return.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Instant;

use postgres_types::Type;
use tokio_postgres::SimpleQueryMessage;

use crate::bind::Edit;
use crate::call::{CallOptions, Event, Prepared};
use crate::connect::connect;
use crate::connection::Connection;
use crate::diagnostic::Diagnostic;
use crate::drive::{Drive, Driven};
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;
use crate::outbox::Outbox;
use crate::params::{Param, Wire};
use crate::pool::Pool;
use crate::reset::Reset;
use crate::rows::{Batch, ColumnDescription, Format};
use crate::statement::{Aside, Direct, Plan, PreparedStatement, Statement};

/// All that one request needs.
pub(crate) struct Task {
    pub(crate) request: usize,
    pub(crate) endpoint: Rc<Endpoint>,
    pub(crate) params: Rc<[Param]>,
    pub(crate) statement: Rc<Statement>,
    pub(crate) options: CallOptions,
    pub(crate) outbox: Outbox,
    pub(crate) pool: Rc<Pool>,
    /// Rows are handed over in batches of about that many bytes, or of what is there.
    pub(crate) batch: usize,
}

/// `read_only_sql_transaction`: the server is not, or no longer, one that takes changes.
const READ_ONLY: &[u8; 5] = b"25006";

/// The end of a statement: its last rows, and its columns if they are known.
type End = (Option<Batch>, Option<Rc<[ColumnDescription]>>);

/// The answer to what was sent along with a statement.
enum Answer {
    Process(Option<i32>),
    Prepared(Option<tokio_postgres::Statement>),
}

impl Task {
    /// Runs the request; all that is to be told goes to the outbox.
    pub(crate) async fn run(self) {
        let mut connection = match self
            .pool
            .take(&self.endpoint, self.options.connection_lifetime)
        {
            Some(connection) => connection,
            None => {
                let begun = Instant::now();
                // Rare and large: apart, so that the common case stays small.
                let connected = Box::pin(connect(
                    &self.endpoint,
                    self.options.connect_timeout,
                    &self.outbox,
                ));
                match connected.await {
                    Ok(connection) => {
                        self.outbox.connects(self.request, begun.elapsed());
                        self.pool.register(&connection);
                        connection
                    }
                    Err(kind) => return self.outbox.fail(self.request, kind),
                }
            }
        };
        if !self.outbox.sends(
            self.request,
            connection.cancel_key(),
            self.options.query_timeout.is_some(),
        ) {
            return self.pool.put(connection, &self.options);
        }
        connection.begin_use();
        let end = self.execute(&mut connection).await;
        // What was ordered for a statement that was not sent must not happen to the next.
        connection.binder.borrow_mut().order(None);
        self.outbox.ends(self.request);
        if matches!(&end, Err(ErrorKind::Db(diagnostic)) if diagnostic.code == *READ_ONLY) {
            // A primary may have become a standby. The next call looks for a primary anew, where it is told to.
            connection.terminate();
            self.pool.close(&self.endpoint);
            return self.tell(end);
        }
        match self.reset_after(&end) {
            Some(reset) if connection.is_idle() => {
                self.tell(end);
                self.reset(connection, reset).await;
            }
            _ => {
                self.pool.put(connection, &self.options);
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
                self.outbox.done(
                    Event::Rows {
                        request,
                        batch,
                        done: true,
                    },
                    size,
                );
            }
            Ok((None, columns)) => self.outbox.done(Event::RequestDone { request, columns }, 0),
            Err(kind) => self.outbox.fail(request, kind),
        }
    }

    /// What is to be run before the connection rests.
    fn reset_after(&self, end: &Result<End, ErrorKind>) -> Option<&Reset> {
        let after_error = match end {
            Err(ErrorKind::Db(_)) => self.options.reset_after_error.as_deref(),
            _ => None,
        };
        self.options.reset.as_deref().or(after_error)
    }

    /// Resets a connection and lets it rest, or closes it if that fails: the request itself is over.
    async fn reset(&self, mut connection: Box<Connection>, reset: &Reset) {
        let request = self.request;
        self.outbox.resets(request, connection.cancel_key());
        let done = connection.reset(reset).await;
        self.outbox.ends(request);
        match done {
            Ok(()) => self.pool.put(connection, &self.options),
            Err(ErrorKind::Db(mut notice)) if reset.is_told() && !notice.fatal => {
                notice.message.insert_str(0, "reset query failed: ");
                notice.position = None;
                let size = notice.size();
                self.outbox.event(Event::Notice { request, notice }, size);
            }
            Err(_) => {}
        }
    }

    /// Whether to prepare.
    fn prepared(&self) -> Prepared {
        match &self.options.reset {
            Some(reset) if reset.discards() => Prepared::Off,
            _ => self.options.prepared,
        }
    }

    async fn execute(&self, connection: &mut Connection) -> Result<End, ErrorKind> {
        let plan = connection
            .statements
            .plan(&self.statement, self.prepared(), connection.direct);
        let aside = match plan {
            Plan::Prepared(prepared) => {
                match self.run_prepared(connection, prepared).await {
                    Some(end) => return end,
                    // The prepared form was refused before it ran, so that this is no repetition.
                    None => connection.statements.forget(&self.statement),
                }
                Aside::Nothing
            }
            Plan::Unnamed(aside) => aside,
        };
        self.run_unnamed(connection, aside).await
    }

    /// `None` if the prepared form has become useless and nothing ran.
    async fn run_prepared(
        &self,
        connection: &mut Connection,
        prepared: PreparedStatement,
    ) -> Option<Result<End, ErrorKind>> {
        let PreparedStatement { statement, columns } = prepared;
        let format = self.statement.format();
        if let Err(kind) = self.edit_bind(connection, format) {
            return Some(Err(kind));
        }
        let (client, mut drive) = Drive::new(self, connection, columns, format).await;
        let opening = client.query_raw(&statement, self.params.iter().map(Wire));
        let driven = drive.run(opening, None).await;
        match driven {
            Driven {
                opened: false,
                result: Err(ErrorKind::Db(diagnostic)),
                ..
            } if is_stale(&diagnostic) => None,
            Driven {
                result,
                batch,
                columns,
                ..
            } => Some(result.map(|()| (batch, columns))),
        }
    }

    /// Has large parameters sent from where they are, and the results come in that form.
    fn edit_bind(&self, connection: &Connection, results: Format) -> Result<(), ErrorKind> {
        let edit =
            Edit::new(&self.params, results).map_err(|words| ErrorKind::Encode(words.into()))?;
        connection.binder.borrow_mut().order(edit);
        Ok(())
    }

    /// Sends the statement without a name, and `aside` along with it.
    async fn run_unnamed(
        &self,
        connection: &mut Connection,
        aside: Aside,
    ) -> Result<End, ErrorKind> {
        let format = self.statement.format();
        self.edit_bind(connection, format)?;
        let mut answer = None;
        let (result, described) = {
            let (client, mut drive) = Drive::new(self, connection, None, format).await;
            let sql = self.statement.sql();
            let answer = &mut answer;
            let aside: Option<Pin<Box<dyn Future<Output = ()> + '_>>> = match aside {
                Aside::Nothing => None,
                Aside::Prepare => Some(Box::pin(async move {
                    *answer = Some(Answer::Prepared(client.prepare(sql).await.ok()));
                })),
                Aside::AskProcess => Some(Box::pin(async move {
                    let messages = client
                        .simple_query("select pg_catalog.pg_backend_pid()")
                        .await;
                    *answer = Some(Answer::Process(
                        messages.ok().and_then(|messages| process_id(&messages)),
                    ));
                })),
            };
            // The types are left to the server, which sees the casts.
            let params = self.params.iter().map(|param| (Wire(param), Type::UNKNOWN));
            let driven = drive.run(client.query_typed_raw(sql, params), aside).await;
            (
                driven.result.map(|()| (driven.batch, driven.columns)),
                drive.describe_aside(),
            )
        };
        match answer {
            Some(Answer::Process(id)) => {
                let real = id.is_some_and(|id| id == connection.monitor.borrow().process_id());
                connection.direct = if real { Direct::Yes } else { Direct::No };
            }
            Some(Answer::Prepared(Some(statement))) => {
                connection
                    .statements
                    .keep(&self.statement, statement, described);
            }
            Some(Answer::Prepared(None)) if result.is_ok() => {
                connection.statements.give_up(&self.statement)
            }
            _ => {}
        }
        result
    }
}

/// Whether a prepared statement, refused before it ran, may have been refused for what it is: it is gone, its result would
/// have other columns now, or a type, a table or a function that it names was made anew. Anything else, such as what a
/// domain's check on a parameter raises, is reported: that check must not run twice.
fn is_stale(diagnostic: &Diagnostic) -> bool {
    match &diagnostic.code {
        // invalid_sql_statement_name; undefined table, column, object, function, schema; datatype_mismatch.
        b"26000" | b"42P01" | b"42703" | b"42704" | b"42883" | b"3F000" | b"42804" => true,
        b"0A000" => {
            diagnostic.routine.as_deref() == Some("RevalidateCachedQuery")
                || diagnostic.message == "cached plan must not change result type"
        }
        b"XX000" => diagnostic.message.starts_with("cache lookup failed"),
        _ => false,
    }
}

fn process_id(messages: &[SimpleQueryMessage]) -> Option<i32> {
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok()??.parse().ok(),
        _ => None,
    })
}
