//! The requests of this process that wait for a connection which other sessions have: whom to wake when one is granted.

use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering::SeqCst;
use std::task::Waker;

use plproxy_core::shared::Waiter;

thread_local! {
    /// Whom to wake when a waiter's word has changed.
    static WATCHED: RefCell<Vec<(&'static Waiter, Waker)>> = const { RefCell::new(Vec::new()) };
    /// How many requests wait.
    static WAITING: Cell<usize> = const { Cell::new(0) };
}

/// A request waits while this lives.
pub(crate) struct LeaseWait(());

impl LeaseWait {
    pub(crate) fn begin() -> LeaseWait {
        WAITING.set(WAITING.get() + 1);
        LeaseWait(())
    }
}

impl Drop for LeaseWait {
    fn drop(&mut self) {
        WAITING.set(WAITING.get().saturating_sub(1));
    }
}

/// Whether a request waits for a connection, so that this can be shown.
pub(crate) fn is_waiting() -> bool {
    WAITING.get() > 0
}

/// Has the waker woken when the waiter is served.
pub(crate) fn watch(waiter: &'static Waiter, waker: &Waker) {
    WATCHED.with_borrow_mut(|watched| watched.push((waiter, waker.clone())));
}

/// The waiter's waker is not needed any more.
pub(crate) fn unwatch(waiter: &'static Waiter) {
    WATCHED.with_borrow_mut(|watched| watched.retain(|(other, _)| !std::ptr::eq(*other, waiter)));
}

/// Called before the thread parks and after it is unparked: wakes those that were served.
pub(crate) fn check() {
    if !is_waiting() {
        return;
    }
    WATCHED.with_borrow_mut(|watched| {
        watched.retain(|(waiter, waker)| {
            let waits = waiter.word().load(SeqCst) == Waiter::waits();
            if !waits {
                waker.wake_by_ref();
            }
            waits
        });
    });
}
