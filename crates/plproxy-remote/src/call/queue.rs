//! The events of a call that its caller has not taken yet, and which request may add to them.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::task::{Context, Poll, Waker};

use crate::call::event::Event;
use crate::call::wait_queue::WaitQueue;
use crate::error::{Error, ErrorKind};

/// Bytes of rows and notices that may be queued. A request that finds more waits, and so does, by flow control, its
/// server.
const BUDGET: usize = 64 * 1024;

/// What `Call::next` returns.
pub(crate) enum Item {
    Event(Event),
    Failed(Error),
}

#[derive(Default)]
struct State {
    /// The oldest item, which mostly is the only one, and those after it.
    first: Option<(Item, usize)>,
    items: VecDeque<(Item, usize)>,
    size: usize,
    /// Requests that wait for room, in the order in which they will get it: one with many rows must not keep the others
    /// from queueing theirs.
    waiting: WaitQueue,
    /// The first request that is not done: the caller wants its rows next.
    current: usize,
    /// Later requests that are done.
    over: BTreeSet<usize>,
    /// Later requests with more rows to come. They wait as long as the current request has rows to give, as the caller would
    /// have to put theirs aside.
    read_ahead: WaitQueue,
    /// The current request has nothing to give at the moment, and the others need not wait for it.
    idle: bool,
    /// How many requests are done without having failed the call.
    done: usize,
    /// The call has ended: nothing is queued any more.
    closed: bool,
}

impl State {
    /// A request does not wait for room any more.
    fn withdraw(&mut self, request: usize) {
        if self.waiting.remove(request).is_some() {
            self.wake_next();
        }
    }

    /// Wakes the request that gets room next: one that waits for nothing else, then, as long as they may go on, those that read
    /// ahead.
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

    /// A request that had failed is restarted.
    pub(crate) fn is_restarted(&self) {
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

    /// Ready when there is room, no other request has waited for it longer, and, for a request that has handed over rows
    /// before, it is the current one or the current one is idle.
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

    /// Whether there is an event.
    pub(crate) fn has_event(&self) -> bool {
        self.0.borrow().first.is_some()
    }

    /// Whether requests wait for the current one, with rows of their own.
    pub(crate) fn has_read_ahead(&self) -> bool {
        !self.0.borrow().read_ahead.is_empty()
    }

    /// The current request has nothing to give: those that read ahead may go on until it has.
    pub(crate) fn current_is_idle(&self) {
        let mut state = self.0.borrow_mut();
        state.idle = true;
        state.wake_next();
    }

    /// A request is done.
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
            // It may be one of those that read ahead.
            if let Some(waker) = state.read_ahead.remove(current) {
                waker.wake();
            }
        }
        // A server that closes the connection may end a request that waits, which would not take the room any more.
        state.withdraw(request);
        if state.read_ahead.remove(request).is_some() {
            state.wake_next();
        }
    }

    /// Queues the last event of a request.
    pub(crate) fn done(&self, event: Event, size: usize) {
        self.0.borrow_mut().done += 1;
        self.event(event, size);
    }

    /// How many requests have queued their last event.
    pub(crate) fn done_count(&self) -> usize {
        self.0.borrow().done
    }

    /// Whether the call has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.borrow().closed
    }

    /// Ends the call: drops all events, those that are still to come as well. Gives the wakers of the requests that wait.
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
