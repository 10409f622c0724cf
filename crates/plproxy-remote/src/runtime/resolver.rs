//! What blocks: the system's resolver, its user database, files. It is asked outside of the runtime, between two waits.
//!
//! No interrupt reaches such a question, and no timer. So they are asked one at a time, in their order, and between two of
//! them the host is looked at, and the sockets and timers have their turn. What nobody waits for any more is not asked.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The addresses of a name, or why there are none.
pub(crate) type Found = Result<Vec<SocketAddr>, String>;

/// A question to be asked.
pub(crate) struct Question {
    ask: Box<dyn FnOnce()>,
    waker: Waker,
}

impl Question {
    /// Asks it. Blocks.
    pub(crate) fn ask(self) {
        (self.ask)();
        self.waker.wake();
    }
}

/// The questions of one call.
#[derive(Clone, Default)]
pub(crate) struct Outside(Rc<Questions>);

#[derive(Default)]
struct Questions {
    open: RefCell<VecDeque<Question>>,
    /// The names that were asked for: each is asked for once.
    names: RefCell<HashMap<String, Found>>,
}

impl Outside {
    /// Whether there is something to ask.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.0.open.borrow().is_empty()
    }

    /// The next question.
    pub(crate) fn next(&self) -> Option<Question> {
        self.0.open.borrow_mut().pop_front()
    }

    /// Nobody wants to know any more.
    pub(crate) fn close(&self) {
        let open = self.0.open.take();
        drop(open);
    }

    /// Has `question` asked while the runtime is not entered.
    pub(crate) async fn ask<T: 'static>(&self, question: impl FnOnce() -> T + 'static) -> T {
        let answer = Rc::new(RefCell::new(None));
        let mut question = Some(question);
        poll_fn(|cx| {
            if let Some(found) = answer.borrow_mut().take() {
                return Poll::Ready(found);
            }
            if let Some(question) = question.take() {
                let slot = Rc::downgrade(&answer);
                let ask = Box::new(move || {
                    if let Some(slot) = slot.upgrade() {
                        let found = question();
                        *slot.borrow_mut() = Some(found);
                    }
                });
                let waker = cx.waker().clone();
                self.0.open.borrow_mut().push_back(Question { ask, waker });
            }
            Poll::Pending
        })
        .await
    }

    /// Has a name looked up by `ask`, unless the call knows it already.
    pub(crate) async fn look_up(&self, name: &str, ask: fn(&str) -> Found) -> Found {
        if let Some(found) = self.0.names.borrow().get(name) {
            return found.clone();
        }
        let (questions, name) = (Rc::clone(&self.0), name.to_owned());
        self.ask(move || {
            // Others may have asked for it meanwhile.
            if let Some(found) = questions.names.borrow().get(&name) {
                return found.clone();
            }
            let found = ask(&name);
            questions.names.borrow_mut().insert(name, found.clone());
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
        static ASKED: Cell<usize> = const { Cell::new(0) };
    }

    fn ask(name: &str) -> Found {
        ASKED.set(ASKED.get() + 1);
        Err(name.to_owned())
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_name_is_asked_for_once() {
        let outside = Outside::default();
        let mut first = pin!(outside.look_up("a", ask));
        let mut second = pin!(outside.look_up("a", ask));
        assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
        while let Some(question) = outside.next() {
            question.ask();
        }
        let mut third = pin!(outside.look_up("a", ask));
        for found in [
            poll(first.as_mut()),
            poll(second.as_mut()),
            poll(third.as_mut()),
        ] {
            assert_eq!(found, Poll::Ready(Err("a".into())));
        }
        assert_eq!(ASKED.get(), 1);
    }

    #[test]
    fn what_nobody_waits_for_is_not_asked() {
        let outside = Outside::default();
        let asked = Rc::new(Cell::new(false));
        let note = Rc::clone(&asked);
        let mut waiting = Box::pin(outside.ask(move || note.set(true)));
        assert!(poll(waiting.as_mut()).is_pending());
        drop(waiting);
        while let Some(question) = outside.next() {
            question.ask();
        }
        assert!(!asked.get());
    }
}
