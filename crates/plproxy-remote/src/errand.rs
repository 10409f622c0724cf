//! Errands: some steps on each of several endpoints at once, each on its own. What fails on one stops only that one, and
//! every endpoint has an outcome.
//!
//! An errand has a connection of its own, which never comes to the pool: whatever its SQL does to the session is gone with
//! it. The caller may keep it from one errand to the next.

mod script;

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::columns::{ColumnDescription, describe};
use crate::connect::{Limits, connect};
use crate::connection::{Connection, ConnectionInfo};
use crate::diagnostic::Diagnostic;
use crate::dialog::{Listener, Unread};
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;
use crate::event::Event;
use crate::options::ErrandOptions;
use crate::outbox::Outbox;
use crate::outgoing::Outgoing;
use crate::remote::Remote;
use crate::reset::Reset;
use crate::session::{Origin, Session};
use crate::sql_text::SqlText;
use futures::FutureExt;

use script::Script;

/// How long a server that ran out of time has to take notice of its cancelling.
const AFTER_TIMEOUT: Duration = Duration::from_millis(300);

/// What an errand runs on.
#[derive(Debug)]
pub enum On {
    /// A new connection.
    New(Rc<Endpoint>),
    /// This session and no other.
    Session(Session),
    /// This session, or a new connection to the same endpoint if it is found dead before anything is sent.
    SessionOrNew(Session, Rc<Endpoint>),
    /// This session, or, if there is none or it is found dead, a new connection to the same server as then: no name is looked
    /// up, and nothing of what stands behind the connection string is read.
    SessionOrAgain(Option<Session>, Origin),
}

/// Something to do.
#[derive(Debug, Clone)]
pub enum Step {
    /// Run SQL: any statements, any number of them, by the simple protocol if there may be several.
    Run(SqlText),
    /// Run one statement, by the extended protocol.
    Statement(SqlText),
    /// Have the server parse a statement, and tell what its result would be.
    Describe(SqlText),
    /// Have the server parse a statement, which it refuses unless it reads one statement there, or none.
    Parse(SqlText),
    /// Run the reset query of the cluster.
    Reset(Rc<Reset>),
    /// Bring the session to where it was when it was made, so that nothing of what was done on it is left.
    Discard,
}

/// Steps for one endpoint.
#[derive(Debug)]
pub struct Errand {
    /// Where.
    pub on: On,
    /// What, one after the other.
    pub steps: Vec<Step>,
}

/// A step that worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// SQL was run; or something of which there is nothing to tell was done.
    Ran {
        /// The first column of the first row that the last statement gave, if it gave one.
        value: Option<Option<String>>,
        /// The last statement's command tag.
        tag: String,
    },
    /// A statement was parsed. `None` if it would give no rows.
    Described(Option<Rc<[ColumnDescription]>>),
}

impl Done {
    /// Done, with nothing to tell of it.
    fn nothing() -> Done {
        Done::Ran {
            value: None,
            tag: String::new(),
        }
    }
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

    /// How an errand went that was given up.
    pub fn given_up() -> Outcome {
        Outcome::failed(ErrorKind::Closed)
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

    /// The same as `last`, taken out.
    pub fn into_last(self) -> Result<Done, ErrorKind> {
        let mut last = Err(ErrorKind::Closed);
        self.connection?;
        for step in self.steps {
            last = Ok(step.result?);
        }
        last
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

    /// How those errands went that are over, by their places in the list. Each is given once.
    pub fn take_outcomes(&mut self) -> Vec<(usize, Outcome)> {
        let mut outcomes = self.outcomes.borrow_mut();
        let outcomes = outcomes.iter_mut().enumerate();
        outcomes
            .filter_map(|(number, outcome)| Some((number, outcome.take()?)))
            .collect()
    }

    /// How each errand went, in their order; one that was given up counts as closed.
    pub fn outcomes(self) -> Vec<Outcome> {
        let outcomes = std::mem::take(&mut *self.outcomes.borrow_mut());
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(Outcome::given_up))
            .collect()
    }
}

/// Where a new connection is to be made to.
enum Place {
    Endpoint(Rc<Endpoint>),
    Origin(Origin),
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
        if self.outbox.is_closed() {
            drop(self.outbox.spare(connection));
            return Outcome::failed(ErrorKind::Closed);
        }
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
                            let cancel = Rc::clone(connection.cancel_key()).cancel();
                            let _ = tokio::time::timeout(AFTER_TIMEOUT, cancel).await;
                            Err(ErrorKind::QueryTimeout)
                        }
                    }
                }
            };
            self.outbox.ends(self.number);
            let left_open = self.options.ends_transactions && connection.state.is_in_transaction();
            let result = match result {
                Ok(_) if left_open => Err(ErrorKind::open_transaction()),
                result => result,
            };
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
        let usable = connection.is_answered();
        Outcome {
            connection: Ok(info),
            steps,
            session: usable.then(|| Session::new(connection)),
        }
    }

    async fn connection(&self, on: On) -> Result<Box<Connection>, ErrorKind> {
        let (session, place) = match on {
            On::New(endpoint) => (None, Some(Place::Endpoint(endpoint))),
            On::Session(session) => (Some(session), None),
            On::SessionOrNew(session, endpoint) => (Some(session), Some(Place::Endpoint(endpoint))),
            On::SessionOrAgain(session, origin) => (session, Some(Place::Origin(origin))),
        };
        let kept = session.and_then(Session::into_connection);
        let mut alive = None;
        if let Some(mut kept) = kept
            && kept.is_alive()
        {
            for notice in kept.take_notices() {
                self.notice(Box::new(notice));
            }
            alive = Some(kept);
        }
        if let Some(connection) = alive {
            return Ok(connection);
        }
        let limits = Limits {
            each: self.options.connect_timeout,
            default: self.options.default_connect_timeout,
        };
        let connected = match place {
            None => return Err(ErrorKind::Closed),
            Some(Place::Endpoint(endpoint)) => {
                let connecting = connect(&endpoint, limits, self.number, &self.outbox);
                self.outbox.unless_closed(connecting).await
            }
            Some(Place::Origin(origin)) => {
                self.outbox
                    .unless_closed(origin.connect_again(limits))
                    .await
            }
        };
        connected.unwrap_or(Err(ErrorKind::Closed))
    }

    async fn step(&self, connection: &mut Connection, step: &Step) -> Result<Done, ErrorKind> {
        if connection.state.is_encoding_lost() {
            // What is sent would be read in another encoding, and what comes is written in it.
            connection.broken = true;
            return Err(ErrorKind::encoding_changed());
        }
        let encoding = connection.state.encoding();
        match step {
            Step::Run(sql) => {
                let write = |out: &mut Outgoing| out.script(sql.bytes(encoding)?);
                self.run_sql(connection, write).await
            }
            Step::Statement(sql) => {
                let write = |out: &mut Outgoing| out.ask(sql.bytes(encoding)?);
                self.run_sql(connection, write).await
            }
            Step::Describe(sql) => {
                let mut description = Description(None, self);
                connection
                    .converse(
                        1,
                        |out| out.describe_statement(sql.bytes(encoding)?, &[]),
                        &mut description,
                    )
                    .await?;
                Ok(Done::Described(description.0))
            }
            Step::Parse(sql) => {
                connection
                    .converse(1, |out| out.parse_alone(sql.bytes(encoding)?), &mut Unread)
                    .await?;
                Ok(Done::nothing())
            }
            Step::Reset(reset) => {
                connection.reset(reset).await?;
                Ok(Done::nothing())
            }
            Step::Discard => {
                connection.discard().await?;
                Ok(Done::nothing())
            }
        }
    }

    /// Runs the statements that `write` writes.
    async fn run_sql(
        &self,
        connection: &mut Connection,
        write: impl FnOnce(&mut Outgoing) -> Result<(), ErrorKind>,
    ) -> Result<Done, ErrorKind> {
        let mut script = Script::new(self, connection.state.encoding());
        connection.converse(1, write, &mut script).await?;
        // How the session ends up is known now that the server is ready again.
        let done = script.done(!connection.state.is_encoding_lost());
        connection.broken |= done.is_err();
        done
    }

    fn notice(&self, notice: Box<Diagnostic>) {
        let (request, size) = (self.number, notice.size());
        self.outbox.event(Event::Notice { request, notice }, size);
    }
}

/// The columns that a statement would give.
struct Description<'a>(Option<Rc<[ColumnDescription]>>, &'a Runner);

impl Listener for Description<'_> {
    fn take(&mut self, tag: u8, body: &[u8]) -> Result<(), ErrorKind> {
        if tag == b'T' {
            self.0 = Some(describe(body).ok_or_else(ErrorKind::malformed_description)?);
        }
        Ok(())
    }

    fn notice(&mut self, notice: Box<Diagnostic>) {
        self.1.notice(notice);
    }
}
