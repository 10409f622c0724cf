//! A transaction on one server that spans several calls, until its owner ends it: a branch of the local transaction.
//!
//! It begins with its first statement, in the same flight. As long as it is open it owns a connection, which calls borrow for
//! the time of a statement. If the connection is lost, so is the transaction, and no more statements can be run in it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use crate::connection::Connection;
use crate::connection::backend_identity::BackendIdentity;
use crate::connection::info::ConnectionInfo;
use crate::connection::session::{Origin, Session};
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;

/// Asks for the transaction's id, which it has as soon as it has written something.
pub(crate) const ASK_WRITTEN: &str = "select pg_catalog.pg_current_xact_id_if_assigned()";

/// The state of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchStatus {
    /// Nothing was run in it yet.
    New,
    /// The next statement may be run.
    Open,
    /// A statement has failed: the transaction, or a part of it, is to be rolled back before the next.
    Failed,
    /// A call is running a statement.
    Busy,
    /// Its connection is gone, and so is all that was done.
    Lost,
}

enum State {
    New,
    Open(Box<Connection>),
    Busy,
    Lost,
}

/// A transaction on one server. Dropped, it is rolled back, as its connection is closed.
pub struct Branch {
    endpoint: Rc<Endpoint>,
    /// The statements that begin it.
    begin: Vec<String>,
    /// The query for the server's identity, sent when the transaction begins.
    question: &'static str,
    state: RefCell<State>,
    /// Statements to be sent before the next one.
    pending: RefCell<Vec<String>>,
    identity: RefCell<Option<(Rc<str>, ConnectionInfo)>>,
    transaction: Cell<Option<u64>>,
    /// The server has refused a change, as it is read-only.
    read_only: Cell<bool>,
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Branch")
            .field("endpoint", &self.endpoint)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Branch {
    /// A transaction that will begin with its first statement. `question` is a query for one text that identifies the server.
    pub fn new(endpoint: Rc<Endpoint>, begin: Vec<String>, question: &'static str) -> Rc<Branch> {
        Rc::new(Branch {
            endpoint,
            begin,
            question,
            state: RefCell::new(State::New),
            pending: RefCell::default(),
            identity: RefCell::default(),
            transaction: Cell::new(None),
            read_only: Cell::new(false),
        })
    }

    /// The endpoint of its server.
    pub fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }

    /// Its state.
    pub fn status(&self) -> BranchStatus {
        match &*self.state.borrow() {
            State::New => BranchStatus::New,
            State::Open(connection) if connection.state.is_failed() => BranchStatus::Failed,
            State::Open(_) => BranchStatus::Open,
            State::Busy => BranchStatus::Busy,
            State::Lost => BranchStatus::Lost,
        }
    }

    /// Its id on the server, which it has if it has written something.
    pub fn transaction(&self) -> Option<u64> {
        self.transaction.get()
    }

    /// The server's identity, and its connection.
    pub fn identity(&self) -> Option<(Rc<str>, ConnectionInfo)> {
        self.identity.borrow().clone()
    }

    /// Whether the server has refused a change, as it is read-only.
    pub fn is_read_only(&self) -> bool {
        self.read_only.get()
    }

    /// Has a statement sent before the next one, in the same flight.
    pub fn prepend(&self, sql: String) {
        self.pending.borrow_mut().push(sql);
    }

    /// Removes such a statement; false if it was sent meanwhile.
    pub fn take_back(&self, sql: &str) -> bool {
        let mut pending = self.pending.borrow_mut();
        let before = pending.len();
        pending.retain(|known| known != sql);
        pending.len() < before
    }

    /// Whether such a statement was not sent yet.
    pub fn is_pending(&self, sql: &str) -> bool {
        self.pending.borrow().iter().any(|known| known == sql)
    }

    /// The server that it is open on.
    pub fn origin(&self) -> Option<Origin> {
        match &*self.state.borrow() {
            State::Open(connection) => Some(Origin::of(connection)),
            State::New | State::Busy | State::Lost => None,
        }
    }

    /// Takes the connection, on which the owner runs statements itself. Unless it is given back, the transaction is lost.
    pub fn take_session(&self) -> Option<Session> {
        let mut state = self.state.borrow_mut();
        match std::mem::replace(&mut *state, State::Lost) {
            State::Open(connection) => Some(Session::new(connection)),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Takes the connection back.
    pub fn give_back(&self, session: Session) {
        if let Some(connection) = session.into_connection() {
            self.keep(connection);
        }
    }

    /// Lends the connection for a statement; `None` if the transaction has not begun.
    pub(crate) fn lend(self: &Rc<Branch>) -> Result<(Loan, Option<Box<Connection>>), ErrorKind> {
        let mut state = self.state.borrow_mut();
        let (otherwise, connection) = match std::mem::replace(&mut *state, State::Busy) {
            State::New => (State::New, None),
            State::Open(connection) if connection.is_usable() => (State::Lost, Some(connection)),
            State::Open(_) | State::Lost => {
                *state = State::Lost;
                return Err(ErrorKind::Closed);
            }
            State::Busy => {
                return Err(ErrorKind::Unsupported(
                    "a statement of this transaction is under way on this partition".to_owned(),
                ));
            }
        };
        let loan = Loan {
            branch: Rc::clone(self),
            otherwise: Some(otherwise),
        };
        Ok((loan, connection))
    }

    /// The statements to be sent before the next one, and whether the last of them is the query for the server's identity.
    pub(crate) fn prologue(&self, connection: &Connection, begins: bool) -> (Vec<String>, bool) {
        if !begins {
            return (self.pending.borrow().clone(), false);
        }
        let known = connection
            .identity
            .as_ref()
            .filter(|_| connection.backend == BackendIdentity::Confirmed);
        let mut statements = self.begin.clone();
        match known {
            Some(identity) => self.identify(identity, connection),
            None => statements.push(self.question.to_owned()),
        }
        (statements, known.is_none())
    }

    /// The statements of the prologue are sent.
    pub(crate) fn prologue_is_sent(&self) {
        self.pending.borrow_mut().clear();
    }

    pub(crate) fn identify(&self, identity: &Rc<str>, connection: &Connection) {
        let info = connection.live_info().snapshot();
        self.identity.replace(Some((Rc::clone(identity), info)));
    }

    pub(crate) fn has_written(&self, transaction: u64) {
        self.transaction.set(Some(transaction));
    }

    pub(crate) fn set_read_only(&self) {
        self.read_only.set(true);
    }

    /// Keeps the connection, if the transaction is open on it.
    fn keep(&self, connection: Box<Connection>) {
        let open = connection.is_answered()
            && connection.is_usable()
            && connection.state.is_in_transaction()
            && !connection.state.is_encoding_lost();
        *self.state.borrow_mut() = if open {
            State::Open(connection)
        } else {
            State::Lost
        };
    }
}

/// A call has the connection while this lives. If it does not give it back, the transaction is lost.
pub(crate) struct Loan {
    branch: Rc<Branch>,
    /// What becomes of the transaction if the connection is not given back.
    otherwise: Option<State>,
}

impl Loan {
    pub(crate) fn branch(&self) -> &Branch {
        &self.branch
    }

    /// The transaction is about to begin.
    pub(crate) fn begins(&mut self) {
        self.otherwise = Some(State::Lost);
    }

    /// The transaction has not begun after all.
    pub(crate) fn never_began(mut self) {
        self.otherwise = Some(State::New);
    }

    /// The statement is done, or was not sent.
    pub(crate) fn give_back(mut self, connection: Box<Connection>) {
        self.otherwise = None;
        self.branch.keep(connection);
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(state) = self.otherwise.take() {
            *self.branch.state.borrow_mut() = state;
        }
    }
}
