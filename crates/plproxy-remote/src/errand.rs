//! Errands: some steps on each of several endpoints at once, each on its own. What fails on one stops only that one, and
//! every endpoint has an outcome.
//!
//! An errand has a connection of its own, which never comes to the pool: whatever its SQL does to the session is gone with
//! it. The caller may keep it from one errand to the next.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::{FutureExt, Stream};
use tokio_postgres::{SimpleQueryMessage, SimpleQueryStream};

use crate::call::{Call, Event};
use crate::connect::{Limits, connect};
use crate::connection::{Aside, Connection, ConnectionInfo, Driver, poll_driver};
use crate::diagnostic::Diagnostic;
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;
use crate::outbox::Outbox;
use crate::remote::Remote;
use crate::rows::ColumnDescription;

/// How long a server that ran out of time has to take notice of its cancelling.
const AFTER_TIMEOUT: Duration = Duration::from_millis(300);

/// A connection that belongs to its holder alone. It is closed when dropped.
pub struct Session(Option<Box<Connection>>);

impl Session {
    /// Where it goes.
    pub fn endpoint(&self) -> Option<&Rc<Endpoint>> {
        self.0.as_ref().map(|connection| connection.endpoint())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.endpoint()).finish()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.terminate();
        }
    }
}

/// What an errand runs on.
#[derive(Debug)]
pub enum On {
    /// A new connection.
    New(Rc<Endpoint>),
    /// This session and no other.
    Session(Session),
    /// This session, or a new connection to the same endpoint if it is found dead before anything is sent.
    SessionOrNew(Session, Rc<Endpoint>),
}

/// Something to do.
#[derive(Debug, Clone)]
pub enum Step {
    /// Run SQL: any statements, any number of them, by the simple protocol.
    Run(String),
    /// Have the server parse a statement, and tell what its result would be.
    Describe(String),
}

/// Steps for one endpoint.
#[derive(Debug)]
pub struct Errand {
    /// Where.
    pub on: On,
    /// What, one after the other.
    pub steps: Vec<Step>,
}

/// The settings of errands.
#[derive(Debug, Clone, Default)]
pub struct ErrandOptions {
    /// For each attempt to connect; the connection string's own limit counts as well.
    pub connect_timeout: Option<Duration>,
    /// For each attempt to connect where neither sets a limit.
    pub default_connect_timeout: Option<Duration>,
    /// For all steps of an errand together.
    pub time_limit: Option<Duration>,
    /// For an errand from its connecting on; then it is given up without a word to the server. Nothing ends the look-up of a
    /// host name that has begun.
    pub whole_limit: Option<Duration>,
    /// Whether the steps after one that the server refused are run nevertheless.
    pub go_on: bool,
}

/// A step that worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// SQL was run.
    Ran {
        /// The first column of the first row that the last statement gave, if it gave one.
        value: Option<Option<String>>,
        /// The last statement's command tag.
        tag: String,
    },
    /// A statement was parsed. `None` if it would give no rows.
    Described(Option<Rc<[ColumnDescription]>>),
}

/// A step that was begun, and how long it took.
#[derive(Debug)]
pub struct StepOutcome {
    /// What came of it.
    pub result: Result<Done, ErrorKind>,
    /// From sending to the end.
    pub took: Duration,
}

/// How an errand went.
#[derive(Debug)]
pub struct Outcome {
    /// The connection that was used, or why there was none.
    pub connection: Result<ConnectionInfo, ErrorKind>,
    /// The steps that were begun.
    pub steps: Vec<StepOutcome>,
    /// The connection, if it can still be used.
    pub session: Option<Session>,
}

impl Outcome {
    fn failed(kind: ErrorKind) -> Outcome {
        Outcome {
            connection: Err(kind),
            steps: Vec::new(),
            session: None,
        }
    }

    /// What went wrong first.
    pub fn error(&self) -> Option<&ErrorKind> {
        match &self.connection {
            Err(kind) => Some(kind),
            Ok(_) => self
                .steps
                .iter()
                .find_map(|step| step.result.as_ref().err()),
        }
    }

    /// What the last step gave, if all of them worked.
    pub fn last(&self) -> Result<&Done, &ErrorKind> {
        if let Some(kind) = self.error() {
            return Err(kind);
        }
        match self.steps.last().map(|step| &step.result) {
            Some(Ok(done)) => Ok(done),
            Some(Err(kind)) => Err(kind),
            None => Err(&ErrorKind::Closed),
        }
    }
}

type Outcomes = Rc<RefCell<Vec<Option<Outcome>>>>;

/// Errands under way.
pub struct Errands<'a> {
    call: Call<'a>,
    outcomes: Outcomes,
}

impl<'a> Errands<'a> {
    pub(crate) fn new(
        remote: &'a Remote,
        errands: Vec<Errand>,
        options: &ErrandOptions,
    ) -> Errands<'a> {
        let outbox = Outbox::default();
        let outcomes: Outcomes = Rc::new(RefCell::new(Vec::new()));
        outcomes.borrow_mut().resize_with(errands.len(), || None);
        let works = errands
            .into_iter()
            .enumerate()
            .map(|(number, errand)| {
                let runner = Runner {
                    number,
                    options: options.clone(),
                    outbox: outbox.clone(),
                };
                let (outbox, outcomes) = (outbox.clone(), outcomes.clone());
                Box::pin(async move {
                    // As in a call: a panic that a server provokes must end this errand and nothing else.
                    let outcome = AssertUnwindSafe(runner.run(errand)).catch_unwind().await;
                    let outcome = outcome.unwrap_or_else(|_| {
                        Outcome::failed(ErrorKind::protocol(
                            "server sent what could not be understood",
                        ))
                    });
                    outbox.ends(number);
                    if let Some(slot) = outcomes.borrow_mut().get_mut(number) {
                        *slot = Some(outcome);
                    }
                }) as _
            })
            .collect();
        Errands {
            call: Call::of_works(remote, outbox, works),
            outcomes,
        }
    }

    /// Waits until there is something to do: a notice, an interrupt, or the end of it all. After an interrupt the caller
    /// sees to it and may come back.
    // Not an iterator, as a call is none.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Event {
        // Errands report no failure to the call; were there one, all would be over.
        self.call.next().unwrap_or(Event::Finished)
    }

    /// Cancels what is still running, within `bound`.
    pub fn cancel(&mut self, bound: Duration) {
        self.call.cancel(bound);
    }

    /// How each errand went, in their order; one that was given up counts as closed.
    pub fn outcomes(self) -> Vec<Outcome> {
        let outcomes = std::mem::take(&mut *self.outcomes.borrow_mut());
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(|| Outcome::failed(ErrorKind::Closed)))
            .collect()
    }
}

/// What runs one errand.
struct Runner {
    number: usize,
    options: ErrandOptions,
    outbox: Outbox,
}

impl Runner {
    async fn run(self, errand: Errand) -> Outcome {
        match self.options.whole_limit {
            None => self.work(errand).await,
            Some(limit) => tokio::time::timeout(limit, self.work(errand))
                .await
                .unwrap_or_else(|_| Outcome::failed(ErrorKind::QueryTimeout)),
        }
    }

    async fn work(&self, errand: Errand) -> Outcome {
        let mut connection = match self.connection(errand.on).await {
            Ok(connection) => connection,
            Err(kind) => return Outcome::failed(kind),
        };
        let info = connection.facts().snapshot();
        let mut steps = Vec::with_capacity(errand.steps.len());
        let started = Instant::now();
        for step in errand.steps {
            if !self
                .outbox
                .sends(self.number, connection.cancel_key(), false)
            {
                break;
            }
            let begun = Instant::now();
            let left = self
                .options
                .time_limit
                .map(|limit| limit.saturating_sub(started.elapsed()));
            let result = match left {
                None => self.step(&mut connection, &step).await,
                Some(left) => {
                    let ran = tokio::time::timeout(left, self.step(&mut connection, &step)).await;
                    match ran {
                        Ok(result) => result,
                        Err(_) => {
                            connection.broken = true;
                            let cancel = Rc::clone(connection.cancel_key()).send();
                            let _ = tokio::time::timeout(AFTER_TIMEOUT, cancel).await;
                            Err(ErrorKind::QueryTimeout)
                        }
                    }
                }
            };
            self.outbox.ends(self.number);
            let ends = match &result {
                Ok(_) => false,
                Err(ErrorKind::Db(diagnostic)) => diagnostic.fatal || !self.options.go_on,
                Err(_) => true,
            };
            steps.push(StepOutcome {
                result,
                took: begun.elapsed(),
            });
            if ends {
                break;
            }
        }
        let session = Session(Some(connection));
        let usable = session.0.as_ref().is_some_and(|c| c.is_answered());
        Outcome {
            connection: Ok(info),
            steps,
            session: usable.then_some(session),
        }
    }

    async fn connection(&self, on: On) -> Result<Box<Connection>, ErrorKind> {
        let (session, endpoint) = match on {
            On::New(endpoint) => (None, Some(endpoint)),
            On::Session(session) => (Some(session), None),
            On::SessionOrNew(session, endpoint) => (Some(session), Some(endpoint)),
        };
        let kept = session.and_then(|mut session| session.0.take());
        let mut alive = None;
        if let Some(mut kept) = kept
            && kept.is_alive()
            && kept.complete().await.is_ok()
        {
            for notice in kept.take_notices() {
                self.notice(Box::new(notice));
            }
            alive = Some(kept);
        }
        match (alive, endpoint) {
            (Some(connection), _) => Ok(connection),
            (None, None) => Err(ErrorKind::Closed),
            (None, Some(endpoint)) => {
                let limits = Limits {
                    each: self.options.connect_timeout,
                    default: self.options.default_connect_timeout,
                };
                connect(&endpoint, limits, self.number, &self.outbox).await
            }
        }
    }

    async fn step(&self, connection: &mut Connection, step: &Step) -> Result<Done, ErrorKind> {
        let (result, script) = match step {
            Step::Run(sql) => (self.run_sql(connection, sql).await, true),
            Step::Describe(sql) => (self.describe(connection, sql).await, false),
        };
        match &result {
            Ok(_) => self.settle(connection).await?,
            Err(ErrorKind::Db(diagnostic)) if !diagnostic.fatal => self.settle(connection).await?,
            Err(_) => connection.broken = true,
        }
        if script {
            connection.monitor.borrow_mut().end_script();
        }
        result
    }

    async fn run_sql(&self, connection: &mut Connection, sql: &str) -> Result<Done, ErrorKind> {
        connection.monitor.borrow_mut().begin_script();
        let Connection {
            client,
            driver,
            monitor,
            ..
        } = connection;
        let mut opening = pin!(client.simple_query_raw(sql));
        let mut stream = pin!(None::<SimpleQueryStream>);
        let mut script = Script::default();
        poll_fn(|cx| {
            if stream.is_none() {
                match opening.as_mut().poll(cx) {
                    Poll::Ready(Ok(opened)) => stream.set(Some(opened)),
                    Poll::Ready(Err(error)) => return failed(&error),
                    Poll::Pending => {}
                }
            }
            if let Some(mut messages) = stream.as_mut().as_pin_mut() {
                while let Poll::Ready(message) = messages.as_mut().poll_next(cx) {
                    match message {
                        None => return Poll::Ready(Ok(())),
                        Some(Err(error)) => return failed(&error),
                        Some(Ok(message)) => script.take(&message),
                    }
                }
            }
            if let Poll::Ready(kind) = self.poll_driver(driver, cx) {
                return Poll::Ready(Err(kind));
            }
            Poll::Pending
        })
        .await?;
        let tag = monitor.borrow().tag_of_script().to_owned();
        Ok(Done::Ran {
            value: script.value,
            tag,
        })
    }

    async fn describe(&self, connection: &mut Connection, sql: &str) -> Result<Done, ErrorKind> {
        let Connection {
            client,
            driver,
            monitor,
            ..
        } = connection;
        // A statement dropped before has a message on its way, which must be counted first.
        poll_fn(|cx| match self.poll_driver(driver, cx) {
            Poll::Ready(kind) => Poll::Ready(Err(kind)),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
        let round = monitor.borrow().asked();
        monitor.borrow_mut().description(round);
        let mut preparing = pin!(client.prepare(sql));
        poll_fn(|cx| {
            if let Poll::Ready(prepared) = preparing.as_mut().poll(cx) {
                return Poll::Ready(
                    prepared
                        .map(drop)
                        .map_err(|error| ErrorKind::from_library(&error)),
                );
            }
            match self.poll_driver(driver, cx) {
                Poll::Ready(kind) => Poll::Ready(Err(kind)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await?;
        Ok(Done::Described(monitor.borrow_mut().description(round)))
    }

    /// Reads until the server has said all it has to say.
    async fn settle(&self, connection: &mut Connection) -> Result<(), ErrorKind> {
        let Connection {
            driver, monitor, ..
        } = connection;
        let settled = poll_fn(|cx| {
            if let Poll::Ready(kind) = self.poll_driver(driver, cx) {
                return Poll::Ready(Err(kind));
            }
            if monitor.borrow().is_answered() && monitor.borrow().is_between_messages() {
                return Poll::Ready(Ok(()));
            }
            Poll::Pending
        })
        .await;
        connection.broken |= settled.is_err();
        settled
    }

    /// Lets the driver work, and hands on its notices. Ready when it failed.
    fn poll_driver(&self, driver: &mut Driver, cx: &mut Context<'_>) -> Poll<ErrorKind> {
        loop {
            match poll_driver(driver, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Aside::Failed(kind)) => return Poll::Ready(kind),
                Poll::Ready(Aside::Notice(notice)) => self.notice(notice),
            }
        }
    }

    fn notice(&self, notice: Box<Diagnostic>) {
        let (request, size) = (self.number, notice.size());
        self.outbox.event(Event::Notice { request, notice }, size);
    }
}

fn failed<T>(error: &tokio_postgres::Error) -> Poll<Result<T, ErrorKind>> {
    Poll::Ready(Err(ErrorKind::from_library(error)))
}

/// What is kept of the results of a string of statements.
#[derive(Default)]
struct Script {
    /// Of the statement under way.
    first: Option<Option<String>>,
    /// Of the last statement that is over.
    value: Option<Option<String>>,
}

impl Script {
    fn take(&mut self, message: &SimpleQueryMessage) {
        match message {
            SimpleQueryMessage::RowDescription(_) => self.first = None,
            SimpleQueryMessage::Row(row) if self.first.is_none() => {
                let value = row.try_get(0).ok().flatten();
                self.first = Some(value.map(str::to_owned));
            }
            SimpleQueryMessage::CommandComplete(_) => self.value = self.first.take(),
            _ => {}
        }
    }
}
