//! The way past the runtime: the only request of a call blocks in the very `recv` that takes the reply.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::runtime::host_interrupts::HostInterrupts;

/// How the only request of a call waits. Several requests all wait in the runtime.
#[derive(Default)]
pub(crate) struct FastPath {
    interrupts: Option<Arc<HostInterrupts>>,
    /// The request blocks outside of the runtime.
    blocking: Cell<bool>,
    /// It has blocked.
    waited: Cell<bool>,
}

impl FastPath {
    /// For the only request of a call.
    pub(crate) fn blocking(interrupts: Arc<HostInterrupts>) -> FastPath {
        FastPath {
            interrupts: Some(interrupts),
            blocking: Cell::new(true),
            waited: Cell::new(false),
        }
    }

    /// Whether the request blocks outside of the runtime.
    pub(crate) fn is_blocking(&self) -> bool {
        self.blocking.get()
    }

    /// From now on the request waits in the runtime.
    pub(crate) fn enter_runtime(&self) {
        self.blocking.set(false);
    }

    /// Ready in the runtime, for what needs it.
    pub(crate) async fn in_runtime(&self) {
        if self.is_blocking() {
            self.enter_runtime();
            let mut entered = false;
            poll_fn(|_| match std::mem::replace(&mut entered, true) {
                true => Poll::Ready(()),
                // The runtime polls next.
                false => Poll::Pending,
            })
            .await;
        }
    }

    /// Lets the request block. `None` if it waits in the runtime, or if an interrupt is pending.
    pub(crate) fn wait<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        let interrupts = self.interrupts.as_ref().filter(|_| self.is_blocking())?;
        let ended = interrupts.wait(wait);
        if ended.is_some() {
            self.waited.set(true);
        }
        ended
    }

    /// The request returns without having blocked, as the caller comes first, and is not to enter the runtime for that.
    pub(crate) fn stay_blocking(&self) {
        self.waited.set(true);
    }

    /// Whether it has blocked, or has called `stay_blocking`, since this was last called.
    pub(crate) fn take_waited(&self) -> bool {
        self.waited.take()
    }
}
