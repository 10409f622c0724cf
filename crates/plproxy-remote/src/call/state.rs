//! What the requests of one call share.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::call::event::Event;
use crate::call::queue::EventQueue;
use crate::call::running::Running;
use crate::connection::Connection;
use crate::connection::cancel::CancelKey;
use crate::diagnostic::Diagnostic;
use crate::error::ErrorKind;
use crate::runtime::fast_path::FastPath;
use crate::runtime::host_interrupts::HostInterrupts;
use crate::runtime::resolver::Resolver;

/// See the module.
pub(crate) struct CallState {
    pub(crate) events: EventQueue,
    pub(crate) running: Running,
    pub(crate) fast_path: FastPath,
    /// Calls of the system that block.
    pub(crate) resolver: Resolver,
    /// The failure of one request does not fail the call.
    tolerant: bool,
    /// The call has timed out: a request whose statement is done is not to wait for anything else.
    out_of_time: Cell<bool>,
    /// Connections that are nearly made when the call ends are of use for cancelling.
    wants_spares: Cell<bool>,
    // Boxed, as connections are large and move.
    #[allow(clippy::vec_box)]
    spares: RefCell<Vec<Box<Connection>>>,
}

impl CallState {
    /// `alone`: for the only request of a call, which may block outside of the runtime; `tolerant`: whether the failure of one
    /// request does not fail the call.
    pub(crate) fn new(alone: Option<Arc<HostInterrupts>>, tolerant: bool) -> Rc<CallState> {
        Rc::new(CallState {
            events: EventQueue::default(),
            running: Running::default(),
            fast_path: alone.map(FastPath::blocking).unwrap_or_default(),
            resolver: Resolver::default(),
            tolerant,
            out_of_time: Cell::new(false),
            wants_spares: Cell::new(false),
            spares: RefCell::default(),
        })
    }

    /// Whether the caller has something to do.
    pub(crate) fn is_wanted(&self) -> bool {
        self.events.has_event() || self.resolver.is_wanted()
    }

    pub(crate) fn notice(&self, request: usize, notice: Box<Diagnostic>) {
        let size = notice.size();
        self.events.event(Event::Notice { request, notice }, size);
    }

    pub(crate) fn warning(&self, request: usize, warning: String) {
        let size = warning.len();
        self.events.event(Event::Warning { request, warning }, size);
    }

    pub(crate) fn fail(&self, request: usize, kind: ErrorKind) {
        self.fails(request, kind, false);
    }

    /// The same where no connection could be made.
    pub(crate) fn fail_unreached(&self, request: usize, kind: ErrorKind) {
        self.fails(request, kind, true);
    }

    fn fails(&self, request: usize, kind: ErrorKind, unreached: bool) {
        if !self.tolerant {
            return self.events.fail(request, kind);
        }
        // The next request becomes the current one.
        self.ends(request);
        let size = match &kind {
            ErrorKind::Db(diagnostic) => diagnostic.size(),
            _ => 0,
        };
        let kind = Box::new(kind);
        self.events.done(
            Event::RequestFailed {
                request,
                kind,
                unreached,
            },
            size,
        );
    }

    /// A request is about to send its statement. False if the call has ended.
    pub(crate) fn starts(&self, request: usize, key: &Rc<CancelKey>, timed: bool) -> bool {
        if self.events.is_closed() {
            return false;
        }
        self.running.starts(request, key, timed);
        true
    }

    /// A request's statement is done, or the reset of its connection.
    pub(crate) fn ends(&self, request: usize) {
        self.running.ends(request);
        self.events.ends(request);
    }

    /// Whether there is an event for the caller, and no statement is running that could add to it.
    pub(crate) fn is_complete(&self) -> bool {
        self.events.has_event() && !self.running.has_statements()
    }

    pub(crate) fn set_out_of_time(&self) {
        self.out_of_time.set(true);
    }

    pub(crate) fn is_out_of_time(&self) -> bool {
        self.out_of_time.get()
    }

    /// Awaits `connecting` until the call ends.
    pub(crate) async fn unless_closed<T>(&self, connecting: impl Future<Output = T>) -> Option<T> {
        let mut connecting = pin!(connecting);
        poll_fn(
            |cx| match self.events.is_closed() && !self.wants_spares.get() {
                true => Poll::Ready(None),
                false => connecting.as_mut().poll(cx).map(Some),
            },
        )
        .await
    }

    /// Sets whether connections that are nearly made when the call ends are of use for cancelling.
    pub(crate) fn set_wants_spares(&self, wants: bool) {
        self.wants_spares.set(wants);
    }

    /// Takes a connection that its request does not need any more; gives it back if it is of no use.
    pub(crate) fn spare(&self, connection: Box<Connection>) -> Option<Box<Connection>> {
        if !self.wants_spares.get() {
            return Some(connection);
        }
        self.spares.borrow_mut().push(connection);
        None
    }

    #[allow(clippy::vec_box)]
    pub(crate) fn take_spares(&self) -> Vec<Box<Connection>> {
        self.spares.take()
    }

    /// Ends the call: drops all events, those that are still to come as well.
    pub(crate) fn close(&self) {
        // No request may block the thread any more.
        self.fast_path.enter_runtime();
        let waiting = self.events.close();
        self.resolver.close();
        waiting.into_iter().for_each(Waker::wake);
    }
}
