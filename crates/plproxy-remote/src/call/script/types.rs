//! What is to be done by errands, and what comes of it.

use std::rc::Rc;
use std::time::Duration;

use crate::connection::info::ConnectionInfo;
use crate::connection::session::{Origin, Session};
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;
use crate::protocol::columns::ColumnDescription;
use crate::reset::Reset;
use crate::sql_text::SqlText;

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
    pub(super) fn nothing() -> Done {
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
    pub(super) fn failed(kind: ErrorKind) -> Outcome {
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
