//! The way past the runtime: a request that is alone waits by itself, in the call of the system that takes the answer.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::runtime::host_interrupts::HostInterrupts;

/// How the only request of a call waits; of several, all wait in the runtime.
#[derive(Default)]
pub(crate) struct FastPath {
    interrupts: Option<Arc<HostInterrupts>>,
    /// The request waits by itself.
    blocking: Cell<bool>,
    /// It has waited.
    waited: Cell<bool>,
}

impl FastPath {
    /// For a request that is alone and waits by itself.
    pub(crate) fn blocking(interrupts: Arc<HostInterrupts>) -> FastPath {
        FastPath {
            interrupts: Some(interrupts),
            blocking: Cell::new(true),
            waited: Cell::new(false),
        }
    }

    /// Whether the request waits by itself.
    pub(crate) fn is_blocking(&self) -> bool {
        self.blocking.get()
    }

    /// From now on the runtime waits.
    pub(crate) fn enter_runtime(&self) {
        self.blocking.set(false);
    }

    /// Ready in the runtime: where what follows needs it.
    pub(crate) async fn in_runtime(&self) {
        if self.is_blocking() {
            self.enter_runtime();
            let mut entered = false;
            poll_fn(|_| match std::mem::replace(&mut entered, true) {
                true => Poll::Ready(()),
                // What has entered it is polled by the runtime next.
                false => Poll::Pending,
            })
            .await;
        }
    }

    /// Lets the request wait by itself. `None` if it does not, or if the host wants attention.
    pub(crate) fn wait<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        let interrupts = self.interrupts.as_ref().filter(|_| self.is_blocking())?;
        let ended = interrupts.wait(wait);
        if ended.is_some() {
            self.waited.set(true);
        }
        ended
    }

    /// The request has nothing to wait for before the caller has done his part, and goes on waiting by itself.
    pub(crate) fn stay_blocking(&self) {
        self.waited.set(true);
    }

    /// Whether it has waited since this was last asked.
    pub(crate) fn take_waited(&self) -> bool {
        self.waited.take()
    }
}
