//! Calls of the system that block: its resolver, its user database, files. They are made outside of the runtime, between two
//! waits.
//!
//! No interrupt and no timer reaches such a call. So they are made one at a time, in the order in which they were queued, and
//! between two of them the host's interrupts are checked, and sockets and timers are polled. A call whose result nobody waits
//! for any more is not made.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The addresses of a host name, or why there are none.
pub(crate) type Found = Result<Vec<SocketAddr>, String>;

/// A call that blocks.
pub(crate) struct BlockingCall {
    run: Box<dyn FnOnce()>,
    waker: Waker,
}

impl BlockingCall {
    /// Makes the call, and wakes the future that waits for its result. Blocks.
    pub(crate) fn run(self) {
        (self.run)();
        self.waker.wake();
    }
}

/// The blocking calls that the requests of one call have queued. Most calls make none.
#[derive(Default)]
pub(crate) struct Resolver(OnceCell<Rc<Shared>>);

#[derive(Default)]
struct Shared {
    queue: RefCell<VecDeque<BlockingCall>>,
    /// The host names that were looked up: each is looked up once.
    names: RefCell<HashMap<String, Found>>,
}

impl Clone for Resolver {
    /// The same queue.
    fn clone(&self) -> Resolver {
        Resolver(OnceCell::from(Rc::clone(self.shared())))
    }
}

impl Resolver {
    fn shared(&self) -> &Rc<Shared> {
        self.0.get_or_init(Rc::default)
    }

    /// Whether a call is queued.
    pub(crate) fn is_wanted(&self) -> bool {
        let shared = self.0.get();
        shared.is_some_and(|shared| !shared.queue.borrow().is_empty())
    }

    /// Takes the next call from the queue.
    pub(crate) fn next(&self) -> Option<BlockingCall> {
        self.0.get()?.queue.borrow_mut().pop_front()
    }

    /// Drops all calls that are queued.
    pub(crate) fn close(&self) {
        let queue = self.0.get().map(|shared| shared.queue.take());
        drop(queue);
    }

    /// Has `blocking` called while the runtime is not entered.
    pub(crate) async fn call<T: 'static>(&self, blocking: impl FnOnce() -> T + 'static) -> T {
        let result = Rc::new(RefCell::new(None));
        let mut blocking = Some(blocking);
        poll_fn(|cx| {
            if let Some(found) = result.borrow_mut().take() {
                return Poll::Ready(found);
            }
            if let Some(blocking) = blocking.take() {
                let slot = Rc::downgrade(&result);
                let run = Box::new(move || {
                    if let Some(slot) = slot.upgrade() {
                        let found = blocking();
                        *slot.borrow_mut() = Some(found);
                    }
                });
                let waker = cx.waker().clone();
                let mut queue = self.shared().queue.borrow_mut();
                queue.push_back(BlockingCall { run, waker });
            }
            Poll::Pending
        })
        .await
    }

    /// Has a host name looked up by `look_up`, unless that was done before.
    pub(crate) async fn look_up(&self, name: &str, look_up: fn(&str) -> Found) -> Found {
        if let Some(found) = self.shared().names.borrow().get(name) {
            return found.clone();
        }
        let (shared, name) = (Rc::clone(self.shared()), name.to_owned());
        self.call(move || {
            // Another request may have looked it up meanwhile.
            if let Some(found) = shared.names.borrow().get(&name) {
                return found.clone();
            }
            let found = look_up(&name);
            shared.names.borrow_mut().insert(name, found.clone());
            found
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::Context;

    use super::*;

    thread_local! {
        static LOOKED_UP: Cell<usize> = const { Cell::new(0) };
    }

    fn look_up(name: &str) -> Found {
        LOOKED_UP.set(LOOKED_UP.get() + 1);
        Err(name.to_owned())
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_host_name_is_looked_up_once() {
        let resolver = Resolver::default();
        let mut first = pin!(resolver.look_up("a", look_up));
        let mut second = pin!(resolver.look_up("a", look_up));
        assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
        while let Some(blocking) = resolver.next() {
            blocking.run();
        }
        let mut third = pin!(resolver.look_up("a", look_up));
        for found in [
            poll(first.as_mut()),
            poll(second.as_mut()),
            poll(third.as_mut()),
        ] {
            assert_eq!(found, Poll::Ready(Err("a".into())));
        }
        assert_eq!(LOOKED_UP.get(), 1);
    }

    #[test]
    fn a_call_that_nobody_waits_for_is_not_made() {
        let resolver = Resolver::default();
        let made = Rc::new(Cell::new(false));
        let note = Rc::clone(&made);
        let mut waiting = Box::pin(resolver.call(move || note.set(true)));
        assert!(poll(waiting.as_mut()).is_pending());
        drop(waiting);
        while let Some(blocking) = resolver.next() {
            blocking.run();
        }
        assert!(!made.get());
    }
}
