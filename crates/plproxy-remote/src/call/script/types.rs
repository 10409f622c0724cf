//! What scripts do, and what comes of it.

use std::rc::Rc;
use std::time::Duration;

use crate::connection::info::ConnectionInfo;
use crate::connection::session::{Origin, Session};
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;
use crate::protocol::columns::ColumnDescription;
use crate::reset::Reset;
use crate::sql_text::SqlText;

/// Which connection a script runs on.
#[derive(Debug)]
pub enum Target {
    /// A new connection.
    New(Rc<Endpoint>),
    /// This session and no other.
    Session(Session),
    /// This session, or a new connection to the same endpoint if it is found dead before anything is sent.
    SessionOrNew(Session, Rc<Endpoint>),
    /// This session, or, if there is none or it is found dead, a new connection to the server that it was made to: no name is
    /// looked up, and neither the connection string nor the files behind it are read again.
    SessionOrAgain(Option<Session>, Origin),
}

/// One step of a script.
#[derive(Debug, Clone)]
pub enum Step {
    /// Run SQL: any statements, any number of them, by the simple protocol if there may be several.
    Run(SqlText),
    /// Run one statement, by the extended protocol.
    Statement(SqlText),
    /// Have the server parse a statement, and describe what its result would be.
    Describe(SqlText),
    /// Have the server parse a statement, which it refuses unless it reads one statement there, or none.
    Parse(SqlText),
    /// Run the reset query of the cluster.
    Reset(Rc<Reset>),
    /// Bring the session to the state in which it was when it was new.
    Discard,
}

/// Steps on one endpoint.
#[derive(Debug)]
pub struct Script {
    /// On which connection.
    pub target: Target,
    /// The steps, one after the other.
    pub steps: Vec<Step>,
}

/// The result of a step that has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepResult {
    /// SQL was run; or a step without a result was.
    Ran {
        /// The first column of the first row that the last statement gave, if it gave one.
        value: Option<Option<String>>,
        /// The last statement's command tag.
        tag: String,
    },
    /// A statement was parsed. `None` if it would give no rows.
    Described(Option<Rc<[ColumnDescription]>>),
}

impl StepResult {
    /// No result.
    pub(super) fn nothing() -> StepResult {
        StepResult::Ran {
            value: None,
            tag: String::new(),
        }
    }
}

/// A step that was begun.
#[derive(Debug)]
pub struct StepOutcome {
    /// Its result.
    pub result: Result<StepResult, ErrorKind>,
    /// How long it took.
    pub took: Duration,
}

/// How a script ended.
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
    pub(super) fn failed(kind: ErrorKind) -> Outcome {
        Outcome {
            connection: Err(kind),
            steps: Vec::new(),
            session: None,
        }
    }

    /// The outcome of a script that was given up.
    pub fn given_up() -> Outcome {
        Outcome::failed(ErrorKind::Closed)
    }

    /// The first error.
    pub fn error(&self) -> Option<&ErrorKind> {
        match &self.connection {
            Err(kind) => Some(kind),
            Ok(_) => self
                .steps
                .iter()
                .find_map(|step| step.result.as_ref().err()),
        }
    }

    /// The result of the last step, if all have succeeded.
    pub fn into_last(self) -> Result<StepResult, ErrorKind> {
        let mut last = Err(ErrorKind::Closed);
        self.connection?;
        for step in self.steps {
            last = Ok(step.result?);
        }
        last
    }

    /// The result of the last step, if all have succeeded.
    pub fn last(&self) -> Result<&StepResult, &ErrorKind> {
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
