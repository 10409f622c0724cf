//! The requests of a call whose statements servers execute: how to cancel them, and since when they run.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::connection::cancel::CancelKey;

/// See the module.
#[derive(Default)]
pub(crate) struct Running {
    /// The requests whose statements are running.
    statements: RefCell<Keys>,
    /// The requests whose connections are being reset.
    resets: RefCell<Keys>,
    first_sent: Cell<Option<Instant>>,
    /// What requests had to wait for before their statements could be sent.
    delays: RefCell<Vec<(usize, Delay)>>,
}

/// What a request had to wait for before its statement could be sent.
#[derive(Debug, Clone, Copy)]
pub enum Delay {
    /// A connection was made.
    Connect(Duration),
    /// Others had all shared connections.
    Lease(Duration),
}

/// Cancel keys by request.
#[derive(Default)]
struct Keys {
    slots: SmallVec<[Option<Rc<CancelKey>>; 1]>,
    count: usize,
}

impl Keys {
    fn insert(&mut self, request: usize, key: &Rc<CancelKey>) {
        if self.slots.len() <= request {
            self.slots.resize_with(request + 1, || None);
        }
        if let Some(slot) = self.slots.get_mut(request) {
            self.count += usize::from(slot.is_none());
            *slot = Some(key.clone());
        }
    }

    fn remove(&mut self, request: usize) {
        if let Some(slot) = self.slots.get_mut(request) {
            self.count -= usize::from(slot.take().is_some());
        }
    }

    fn iter(&self) -> impl Iterator<Item = Rc<CancelKey>> {
        self.slots.iter().flatten().cloned()
    }

    fn first(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_some)
    }
}

impl Running {
    /// A request is about to send its statement.
    pub(crate) fn starts(&self, request: usize, key: &Rc<CancelKey>, timed: bool) {
        if timed && self.first_sent.get().is_none() {
            self.first_sent.set(Some(Instant::now()));
        }
        self.statements.borrow_mut().insert(request, key);
    }

    /// A request waits for a connection that other sessions have: its time counts from now on.
    pub(crate) fn waits_for_lease(&self, timed: bool) {
        if timed && self.first_sent.get().is_none() {
            self.first_sent.set(Some(Instant::now()));
        }
    }

    /// The statement turned out not to have been received.
    pub(crate) fn never_started(&self, request: usize) {
        self.statements.borrow_mut().remove(request);
    }

    /// A request is about to reset its connection.
    pub(crate) fn resets(&self, request: usize, key: &Rc<CancelKey>) {
        self.resets.borrow_mut().insert(request, key);
    }

    /// A request's statement is done, or the reset of its connection.
    pub(crate) fn ends(&self, request: usize) {
        self.statements.borrow_mut().remove(request);
        self.resets.borrow_mut().remove(request);
    }

    /// No request is running any more.
    pub(crate) fn forget(&self) {
        let keys = (self.statements.take(), self.resets.take());
        drop(keys);
    }

    /// The cancel keys of all statements.
    pub(crate) fn statements(&self) -> Vec<Rc<CancelKey>> {
        self.statements.borrow().iter().collect()
    }

    /// The cancel keys of all statements and resets.
    pub(crate) fn all(&self) -> Vec<Rc<CancelKey>> {
        let (statements, resets) = (self.statements.borrow(), self.resets.borrow());
        statements.iter().chain(resets.iter()).collect()
    }

    /// Whether a statement is running.
    pub(crate) fn has_statements(&self) -> bool {
        self.statements.borrow().count > 0
    }

    /// Whether a statement or a reset is running.
    pub(crate) fn is_busy(&self) -> bool {
        self.has_statements() || self.resets.borrow().count > 0
    }

    /// The first of the requests whose statements are running, for the report of a timeout.
    pub(crate) fn first(&self) -> Option<usize> {
        self.statements.borrow().first()
    }

    /// When the first statement was sent, if the call has a timeout.
    pub(crate) fn first_sent(&self) -> Option<Instant> {
        self.first_sent.get()
    }

    /// A request had to wait.
    pub(crate) fn delayed(&self, request: usize, delay: Delay) {
        self.delays.borrow_mut().push((request, delay));
    }

    pub(crate) fn take_delays(&self) -> Vec<(usize, Delay)> {
        self.delays.take()
    }
}
