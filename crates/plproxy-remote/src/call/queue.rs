//! What has happened in a call and waits for its caller, and which request may add to it.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::task::{Context, Poll, Waker};

use crate::call::event::Event;
use crate::call::wait_queue::WaitQueue;
use crate::error::{Error, ErrorKind};

/// Bytes of rows and notices that may wait for the caller. A request that comes upon more waits itself, and with it, by
/// way of its socket, the server.
const BUDGET: usize = 64 * 1024;

/// Something for the caller.
pub(crate) enum Item {
    Event(Event),
    Failed(Error),
}

#[derive(Default)]
struct State {
    /// The oldest one, which mostly is the only one, and those after it.
    first: Option<(Item, usize)>,
    items: VecDeque<(Item, usize)>,
    size: usize,
    /// Requests that wait for room, in the order in which they will get it: one that has much to say must not keep the
    /// others from speaking.
    waiting: WaitQueue,
    /// The first request that is not over: the caller wants its rows next.
    current: usize,
    /// Later requests that are over.
    over: BTreeSet<usize>,
    /// Requests with more rows to come that wait for as long as the turn's has some to give: the caller would have to put
    /// their rows aside.
    read_ahead: WaitQueue,
    /// The turn's request has nothing to give at the moment, and nobody needs to wait for it.
    idle: bool,
    /// How many requests have come to an end that is not the call's.
    done: usize,
    /// The caller wants no more: nothing is kept.
    closed: bool,
}

impl State {
    /// The request does not wait for room any more.
    fn withdraw(&mut self, request: usize) {
        if self.waiting.remove(request).is_some() {
            self.wake_next();
        }
    }

    /// Wakes who is next to get room: who waits for nothing else, then who is ahead of its turn, one by one, as long as they may
    /// go on.
    fn wake_next(&mut self) {
        if !self.waiting.wake_first() && self.idle {
            self.read_ahead.wake_first();
        }
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct EventQueue(RefCell<State>);

impl EventQueue {
    pub(crate) fn event(&self, event: Event, size: usize) {
        if let Event::Rows { request, .. } = &event {
            let mut state = self.0.borrow_mut();
            if *request == state.current {
                state.idle = false;
            }
        }
        self.put(Item::Event(event), size);
    }

    /// The call has failed, by one of its requests.
    pub(crate) fn fail(&self, request: usize, kind: ErrorKind) {
        self.put(Item::Failed(kind.of(request)), 0);
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
        if handed_over && request > state.current && !state.idle && !state.closed {
            state.read_ahead.push(request, cx.waker());
            state.withdraw(request);
            return Poll::Pending;
        }
        let was_ahead = state.read_ahead.remove(request).is_some();
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

    /// Whether there is something for the caller.
    pub(crate) fn has_event(&self) -> bool {
        self.0.borrow().first.is_some()
    }

    /// Whether requests wait because it is not their turn.
    pub(crate) fn has_read_ahead(&self) -> bool {
        !self.0.borrow().read_ahead.is_empty()
    }

    /// The request whose turn it is has nothing to give: those ahead of it may go on until it has.
    pub(crate) fn current_is_idle(&self) {
        let mut state = self.0.borrow_mut();
        state.idle = true;
        state.wake_next();
    }

    /// A request is over: it has nothing more to say.
    pub(crate) fn ends(&self, request: usize) {
        let mut state = self.0.borrow_mut();
        if request > state.current {
            state.over.insert(request);
        } else if request == state.current {
            state.current += 1;
            let mut current = state.current;
            while state.over.remove(&current) {
                current += 1;
            }
            state.current = current;
            // It may be one of those that were ahead: it is no more.
            if let Some(waker) = state.read_ahead.remove(current) {
                waker.wake();
            }
        }
        // A server that hangs up may end it while it waits: then nobody would come for its turn.
        state.withdraw(request);
        if state.read_ahead.remove(request).is_some() {
            state.wake_next();
        }
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

    /// Whether the caller wants no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.borrow().closed
    }

    /// Drops what is there and all that will come. Gives those that waited for room, who are to be woken.
    pub(crate) fn close(&self) -> Vec<Waker> {
        let mut state = self.0.borrow_mut();
        state.closed = true;
        state.size = 0;
        let items = (state.first.take(), std::mem::take(&mut state.items));
        let mut waiting = state.waiting.drain();
        waiting.append(&mut state.read_ahead.drain());
        drop(state);
        drop(items);
        waiting
    }
}

#[cfg(test)]
mod tests;
