//! What the requests of one call share: the events on their way out, and what they need from outside of the runtime.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::cancel::CancelKey;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::interrupt::Gate;
use crate::outside::Outside;
use queue::Queue;

/// Bytes of rows and notices that may wait for the caller. A request that comes upon more waits itself, and with it, by
/// way of its socket, the server.
const BUDGET: usize = 64 * 1024;

/// Something for the caller.
pub(crate) enum Item {
    Event(Event),
    Failed(Error),
}

// Connections are large, and move.
#[allow(clippy::vec_box)]
#[derive(Default)]
struct State {
    /// The oldest one, which mostly is the only one, and those after it.
    first: Option<(Item, usize)>,
    items: VecDeque<(Item, usize)>,
    size: usize,
    /// Requests that wait for room, in the order in which they will get it: one that has much to say must not keep the
    /// others from speaking.
    waiting: Queue,
    /// The first request that is not over: the caller wants its rows next.
    turn: usize,
    /// Later requests that are over.
    over: BTreeSet<usize>,
    /// Requests with more rows to come that wait for as long as the turn's has some to give: the caller would have to put
    /// their rows aside.
    ahead: Queue,
    /// The turn's request has nothing to give at the moment, and nobody needs to wait for it.
    idle: bool,
    outside: Outside,
    /// The requests whose statements are with a server, and how to cancel them.
    running: Keys,
    /// The requests whose connections are being reset.
    resetting: Keys,
    /// How many requests have come to an end that is not the call's.
    done: usize,
    /// The failure of a request is not the call's.
    tolerant: bool,
    first_sent: Option<Instant>,
    /// Connections made for requests, with the time that it took.
    connects: Vec<(usize, Duration)>,
    /// The caller wants no more: nothing is kept, nothing is started.
    closed: bool,
    /// Connections that are made nevertheless are of use for cancelling.
    wants_spares: bool,
    spares: Vec<Box<Connection>>,
    /// The time is over: who has the answer is not to wait for anything else.
    hurried: bool,
    /// The only request, for as long as it waits by itself, outside of the runtime.
    alone: Option<Arc<Gate>>,
    /// It has waited.
    waited: bool,
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

impl State {
    /// The request does not wait for room any more.
    fn gives_way(&mut self, request: usize) {
        if self.waiting.remove(request).is_some() {
            self.wake_next();
        }
    }

    /// Wakes who is next to get room: who waits for nothing else, then who is ahead of its turn, one by one, as long as they may
    /// go on.
    fn wake_next(&mut self) {
        if !self.waiting.wake_first() && self.idle {
            self.ahead.wake_first();
        }
    }
}

/// Shared by a call and its requests.
#[derive(Clone, Default)]
pub(crate) struct Outbox(Rc<RefCell<State>>);

impl Outbox {
    /// For a request that is alone and waits by itself.
    pub(crate) fn alone(gate: Arc<Gate>) -> Outbox {
        let outbox = Outbox::default();
        outbox.0.borrow_mut().alone = Some(gate);
        outbox
    }

    /// Whether the request waits by itself.
    pub(crate) fn is_alone(&self) -> bool {
        self.0.borrow().alone.is_some()
    }

    /// From now on the runtime waits.
    pub(crate) fn joins(&self) {
        self.0.borrow_mut().alone = None;
    }

    /// Ready in the runtime: where what follows needs it.
    pub(crate) async fn join(&self) {
        if self.is_alone() {
            self.joins();
            let mut joined = false;
            poll_fn(|_| match std::mem::replace(&mut joined, true) {
                true => Poll::Ready(()),
                // Who has joined is polled by the runtime next.
                false => Poll::Pending,
            })
            .await;
        }
    }

    /// Lets a request that is alone wait by itself. `None` if it is not alone, or if the host wants attention.
    pub(crate) fn wait<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        let gate = self.0.borrow().alone.clone()?;
        let ended = gate.wait(wait);
        self.0.borrow_mut().waited |= ended.is_some();
        ended
    }

    /// The request has nothing to wait for before the caller has done his part, and stays alone.
    pub(crate) fn stays(&self) {
        self.0.borrow_mut().waited = true;
    }

    /// Whether it has waited since this was last asked.
    pub(crate) fn take_waited(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().waited)
    }

    pub(crate) fn event(&self, event: Event, size: usize) {
        if let Event::Rows { request, .. } = &event {
            let mut state = self.0.borrow_mut();
            if *request == state.turn {
                state.idle = false;
            }
        }
        self.put(Item::Event(event), size);
    }

    pub(crate) fn fail(&self, request: usize, kind: ErrorKind) {
        self.fails(request, kind, false);
    }

    /// The same where there was no connection for it.
    pub(crate) fn fail_unreached(&self, request: usize, kind: ErrorKind) {
        self.fails(request, kind, true);
    }

    fn fails(&self, request: usize, kind: ErrorKind, unreached: bool) {
        if !self.0.borrow().tolerant {
            return self.put(Item::Failed(kind.of(request)), 0);
        }
        // It is nobody's turn any more.
        self.ends(request);
        let size = match &kind {
            ErrorKind::Db(diagnostic) => diagnostic.size(),
            _ => 0,
        };
        let kind = Box::new(kind);
        self.done(
            Event::RequestFailed {
                request,
                kind,
                unreached,
            },
            size,
        );
    }

    pub(crate) fn set_tolerant(&self, tolerant: bool) {
        self.0.borrow_mut().tolerant = tolerant;
    }

    /// A request that had failed is run once more.
    pub(crate) fn fails_no_more(&self) {
        let mut state = self.0.borrow_mut();
        state.done = state.done.saturating_sub(1);
    }

    fn put(&self, item: Item, size: usize) {
        let mut state = self.0.borrow_mut();
        if !state.closed {
            if state.first.is_none() {
                state.first = Some((item, size));
            } else {
                state.items.push_back((item, size));
            }
            state.size += size;
        }
    }

    /// Ready when there is room, no other request has waited for it longer, and, for one that has handed over rows before,
    /// it is its turn or the request whose turn it is has nothing to give.
    pub(crate) fn poll_room(
        &self,
        request: usize,
        handed_over: bool,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut state = self.0.borrow_mut();
        if handed_over && request > state.turn && !state.idle && !state.closed {
            state.ahead.push(request, cx.waker());
            state.gives_way(request);
            return Poll::Pending;
        }
        let was_ahead = state.ahead.remove(request).is_some();
        let next = state.waiting.first();
        if state.closed || (state.size < BUDGET && next.is_none_or(|next| next == request)) {
            let waited = state.waiting.remove(request).is_some();
            // There may be room for another one too.
            if waited || was_ahead {
                state.wake_next();
            }
            return Poll::Ready(());
        }
        state.waiting.push(request, cx.waker());
        Poll::Pending
    }

    pub(crate) fn take(&self) -> Option<Item> {
        let mut state = self.0.borrow_mut();
        let (item, size) = state.first.take()?;
        state.first = state.items.pop_front();
        state.size -= size;
        if state.size < BUDGET {
            state.wake_next();
        }
        Some(item)
    }

    /// Whether the caller has something to do.
    pub(crate) fn is_wanted(&self) -> bool {
        let state = self.0.borrow();
        state.first.is_some() || state.outside.is_wanted()
    }

    /// A request's statement is about to be sent. False if it no longer should be.
    pub(crate) fn sends(&self, request: usize, key: &Rc<CancelKey>, timed: bool) -> bool {
        let mut state = self.0.borrow_mut();
        if state.closed {
            return false;
        }
        if timed && state.first_sent.is_none() {
            state.first_sent = Some(Instant::now());
        }
        state.running.insert(request, key);
        true
    }

    /// It turned out not to have been sent, or not to have been looked at.
    pub(crate) fn unsends(&self, request: usize) {
        self.0.borrow_mut().running.remove(request);
    }

    /// A connection was made for a request.
    pub(crate) fn connects(&self, request: usize, took: Duration) {
        self.0.borrow_mut().connects.push((request, took));
    }

    pub(crate) fn take_connects(&self) -> Vec<(usize, Duration)> {
        std::mem::take(&mut self.0.borrow_mut().connects)
    }

    /// Whether requests wait because it is not their turn.
    pub(crate) fn has_ahead(&self) -> bool {
        !self.0.borrow().ahead.is_empty()
    }

    /// The request whose turn it is has nothing to give: those ahead of it may go on until it has.
    pub(crate) fn falls_idle(&self) {
        let mut state = self.0.borrow_mut();
        state.idle = true;
        state.wake_next();
    }

    /// A request's statement is over, or its connection's reset.
    pub(crate) fn ends(&self, request: usize) {
        let mut state = self.0.borrow_mut();
        if request > state.turn {
            state.over.insert(request);
        } else if request == state.turn {
            state.turn += 1;
            let mut turn = state.turn;
            while state.over.remove(&turn) {
                turn += 1;
            }
            state.turn = turn;
            // It may be one of those that were ahead: it is no more.
            if let Some(waker) = state.ahead.remove(turn) {
                waker.wake();
            }
        }
        state.running.remove(request);
        state.resetting.remove(request);
        // A server that hangs up may end it while it waits: then nobody would come for its turn.
        state.gives_way(request);
        if state.ahead.remove(request).is_some() {
            state.wake_next();
        }
    }

    /// A request's connection is about to be reset.
    pub(crate) fn resets(&self, request: usize, key: &Rc<CancelKey>) {
        let mut state = self.0.borrow_mut();
        state.resetting.insert(request, key);
    }

    /// The last event of a request.
    pub(crate) fn done(&self, event: Event, size: usize) {
        self.0.borrow_mut().done += 1;
        self.event(event, size);
    }

    /// How many requests have come to such an end.
    pub(crate) fn done_count(&self) -> usize {
        self.0.borrow().done
    }

    /// Whether there is something for the caller, and no statement that could add to it.
    pub(crate) fn holds_the_end(&self) -> bool {
        let state = self.0.borrow();
        state.first.is_some() && state.running.count == 0
    }

    /// No request is with a server any more.
    pub(crate) fn forget_running(&self) {
        let mut state = self.0.borrow_mut();
        let running = std::mem::take(&mut state.running);
        let resetting = std::mem::take(&mut state.resetting);
        drop(state);
        drop((running, resetting));
    }

    pub(crate) fn running(&self) -> Vec<Rc<CancelKey>> {
        self.0.borrow().running.iter().collect()
    }

    /// The same, and how to cancel the resets.
    pub(crate) fn busy(&self) -> Vec<Rc<CancelKey>> {
        let state = self.0.borrow();
        state.running.iter().chain(state.resetting.iter()).collect()
    }

    /// Whether something is with a server, a statement or a reset.
    pub(crate) fn is_busy(&self) -> bool {
        let state = self.0.borrow();
        state.running.count > 0 || state.resetting.count > 0
    }

    /// The first in the list of the requests that are with a server, for a timeout's report.
    pub(crate) fn first_running(&self) -> Option<usize> {
        self.0.borrow().running.first()
    }

    pub(crate) fn hurry(&self) {
        self.0.borrow_mut().hurried = true;
    }

    pub(crate) fn is_hurried(&self) -> bool {
        self.0.borrow().hurried
    }

    pub(crate) fn first_sent(&self) -> Option<Instant> {
        self.0.borrow().first_sent
    }

    /// Whether the caller wants no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.borrow().closed
    }

    /// Makes a connection unless the caller wants no more, or until then.
    pub(crate) async fn unless_closed<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let is_over = || {
            let state = self.0.borrow();
            state.closed && !state.wants_spares
        };
        poll_fn(|cx| match is_over() {
            true => Poll::Ready(None),
            false => work.as_mut().poll(cx).map(Some),
        })
        .await
    }

    /// Whether connections that are made though the caller wants no more are of use for cancelling.
    pub(crate) fn set_wants_spares(&self, wants: bool) {
        self.0.borrow_mut().wants_spares = wants;
    }

    /// Takes a connection for which there is nothing to do any more; gives it back if it is of no use.
    pub(crate) fn spare(&self, connection: Box<Connection>) -> Option<Box<Connection>> {
        let mut state = self.0.borrow_mut();
        if !state.wants_spares {
            return Some(connection);
        }
        state.spares.push(connection);
        None
    }

    #[allow(clippy::vec_box)]
    pub(crate) fn take_spares(&self) -> Vec<Box<Connection>> {
        std::mem::take(&mut self.0.borrow_mut().spares)
    }

    /// Drops what is there and all that will come.
    pub(crate) fn close(&self) {
        let mut state = self.0.borrow_mut();
        state.closed = true;
        // What is still to be done is not to keep the thread.
        state.alone = None;
        state.size = 0;
        let items = (state.first.take(), std::mem::take(&mut state.items));
        let outside = state.outside.clone();
        let mut waiting = state.waiting.drain();
        waiting.append(&mut state.ahead.drain());
        drop(state);
        drop(items);
        outside.close();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// What is asked of the system while the runtime is not entered.
    pub(crate) fn outside(&self) -> Outside {
        self.0.borrow().outside.clone()
    }
}

mod queue;
#[cfg(test)]
mod tests;
