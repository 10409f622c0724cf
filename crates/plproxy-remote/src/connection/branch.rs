//! A transaction on one server that goes on from one statement to the next, until its owner ends it.
//!
//! It begins with its first statement, in the same flight. As long as it is open it has a connection to itself, which calls
//! borrow for the time of a statement. A connection that is lost takes the transaction with it; then nothing more can be run in
//! it, as what was done is gone.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use crate::connection::Connection;
use crate::connection::backend_identity::BackendIdentity;
use crate::connection::info::ConnectionInfo;
use crate::connection::session::{Origin, Session};
use crate::endpoint::Endpoint;
use crate::error::ErrorKind;

/// Asks for the transaction's number, if it has one: it has as soon as it has written something.
pub(crate) const ASK_WRITTEN: &str = "select pg_catalog.pg_current_xact_id_if_assigned()";

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchStatus {
    /// Nothing was run in it yet.
    New,
    /// The next statement may be run.
    Open,
    /// A statement has failed: the transaction, or a part of it, is to be rolled back before the next.
    Failed,
    /// A call has a statement under way.
    Busy,
    /// Its connection is gone, and so is what was done.
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
    /// What is asked of a server about itself when the transaction begins.
    question: &'static str,
    state: RefCell<State>,
    /// Statements that go before the next one.
    pending: RefCell<Vec<String>>,
    identity: RefCell<Option<(Rc<str>, ConnectionInfo)>>,
    transaction: Cell<Option<u64>>,
    /// The server has refused a change, as it takes none.
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
    /// A transaction that will begin with its first statement. `question` gives one text, which says what server it is.
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

    /// Where it is.
    pub fn endpoint(&self) -> &Rc<Endpoint> {
        &self.endpoint
    }

    /// How far it is.
    pub fn status(&self) -> BranchStatus {
        match &*self.state.borrow() {
            State::New => BranchStatus::New,
            State::Open(connection) if connection.state.is_failed() => BranchStatus::Failed,
            State::Open(_) => BranchStatus::Open,
            State::Busy => BranchStatus::Busy,
            State::Lost => BranchStatus::Lost,
        }
    }

    /// Its number on the server, which it has if it has written something.
    pub fn transaction(&self) -> Option<u64> {
        self.transaction.get()
    }

    /// What the server has answered about itself, and the connection to it.
    pub fn identity(&self) -> Option<(Rc<str>, ConnectionInfo)> {
        self.identity.borrow().clone()
    }

    /// Whether the server has refused a change, as it takes none.
    pub fn is_read_only(&self) -> bool {
        self.read_only.get()
    }

    /// Has a statement run before the next one, in the same flight.
    pub fn prepend(&self, sql: String) {
        self.pending.borrow_mut().push(sql);
    }

    /// The same taken back; false if it was sent meanwhile.
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

    /// Its connection, for what its owner has to do itself. Unless it is given back, the transaction is lost.
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

    /// Lends the connection for a statement; none if the transaction has not begun.
    pub(crate) fn lend(self: &Rc<Branch>) -> Result<(Lease, Option<Box<Connection>>), ErrorKind> {
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
        let lease = Lease {
            branch: Rc::clone(self),
            otherwise: Some(otherwise),
        };
        Ok((lease, connection))
    }

    /// The statements that go before the next one, and whether the last of them is the question about the server.
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

    /// They are on their way.
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

    /// Takes a connection with the transaction open on it.
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

/// While it lives, a call has the connection. If that does not come back the transaction is lost.
pub(crate) struct Lease {
    branch: Rc<Branch>,
    /// What becomes of the transaction if nothing is said of it.
    otherwise: Option<State>,
}

impl Lease {
    /// The transaction is about to begin.
    pub(crate) fn begins(&mut self) {
        self.otherwise = Some(State::Lost);
    }

    /// It has not begun after all.
    pub(crate) fn never_began(mut self) {
        self.otherwise = Some(State::New);
    }

    /// The statement is over, or was not sent.
    pub(crate) fn give_back(mut self, connection: Box<Connection>) {
        self.otherwise = None;
        self.branch.keep(connection);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(state) = self.otherwise.take() {
            *self.branch.state.borrow_mut() = state;
        }
    }
}
