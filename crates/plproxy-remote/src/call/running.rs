//! The requests of a call that are with a server: how to cancel them, since when, and on what.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::connection::cancel::CancelKey;

/// See the module.
#[derive(Default)]
pub(crate) struct Running {
    /// The requests whose statements are with a server.
    statements: RefCell<Keys>,
    /// The requests whose connections are being reset.
    resets: RefCell<Keys>,
    first_sent: Cell<Option<Instant>>,
    /// Connections made for requests, with the time that it took.
    connects: RefCell<Vec<(usize, Duration)>>,
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
    /// A request's statement is about to be sent.
    pub(crate) fn starts(&self, request: usize, key: &Rc<CancelKey>, timed: bool) {
        if timed && self.first_sent.get().is_none() {
            self.first_sent.set(Some(Instant::now()));
        }
        self.statements.borrow_mut().insert(request, key);
    }

    /// It turned out not to have been sent, or not to have been looked at.
    pub(crate) fn never_started(&self, request: usize) {
        self.statements.borrow_mut().remove(request);
    }

    /// A request's connection is about to be reset.
    pub(crate) fn resets(&self, request: usize, key: &Rc<CancelKey>) {
        self.resets.borrow_mut().insert(request, key);
    }

    /// A request's statement is over, or its connection's reset.
    pub(crate) fn ends(&self, request: usize) {
        self.statements.borrow_mut().remove(request);
        self.resets.borrow_mut().remove(request);
    }

    /// No request is with a server any more.
    pub(crate) fn forget(&self) {
        let keys = (self.statements.take(), self.resets.take());
        drop(keys);
    }

    /// How to cancel the statements.
    pub(crate) fn statements(&self) -> Vec<Rc<CancelKey>> {
        self.statements.borrow().iter().collect()
    }

    /// The same, and how to cancel the resets.
    pub(crate) fn all(&self) -> Vec<Rc<CancelKey>> {
        let (statements, resets) = (self.statements.borrow(), self.resets.borrow());
        statements.iter().chain(resets.iter()).collect()
    }

    /// Whether a statement is with a server.
    pub(crate) fn has_statements(&self) -> bool {
        self.statements.borrow().count > 0
    }

    /// Whether something is with a server, a statement or a reset.
    pub(crate) fn is_busy(&self) -> bool {
        self.has_statements() || self.resets.borrow().count > 0
    }

    /// The first in the list of the requests whose statements are with a server, for a timeout's report.
    pub(crate) fn first(&self) -> Option<usize> {
        self.statements.borrow().first()
    }

    /// When the first statement was sent, if somebody wanted to know.
    pub(crate) fn first_sent(&self) -> Option<Instant> {
        self.first_sent.get()
    }

    /// A connection was made for a request.
    pub(crate) fn connected(&self, request: usize, took: Duration) {
        self.connects.borrow_mut().push((request, took));
    }

    pub(crate) fn take_connects(&self) -> Vec<(usize, Duration)> {
        self.connects.take()
    }
}
