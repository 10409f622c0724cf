//! How an interrupt of the host process ends a wait, and how a future that can make progress does.
//!
//! One [`HostInterrupts`] belongs to a runtime. It is the waker of every future that is polled there, and it checks the host's
//! flag before the thread parks and after it is unparked. A wake-up during a poll is only recorded (the poll loop checks
//! for it), so that it costs no system call.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;

use crate::runtime::lease_waits;
use crate::runtime::wait_event::{self, Wait};

/// Used by one thread only; the fields are atomic because a `Waker` must be `Sync`.
pub(crate) struct HostInterrupts {
    interrupted: fn() -> bool,
    /// The pending interrupt was reported, and the host's flag has not been down since: reporting it again would spin.
    reported: AtomicBool,
    /// A wait that has a bound of its own is under way, which interrupts are not to end.
    suppressed: AtomicBool,
    /// A future can make progress.
    woken: AtomicBool,
    /// The poll is over and the thread may park: a wake-up must be passed on to the runtime.
    asleep: AtomicBool,
    runtime: AtomicWaker,
    /// Reports to the host what the thread waits for.
    show: OnceLock<fn(Option<Wait>)>,
}

/// Interrupts are not checked while this lives.
pub(crate) struct Suppressed<'a>(&'a HostInterrupts);

impl Drop for Suppressed<'_> {
    fn drop(&mut self) {
        self.0.suppressed.store(false, Relaxed);
    }
}

impl HostInterrupts {
    pub(crate) fn new(interrupted: fn() -> bool) -> Arc<HostInterrupts> {
        Arc::new(HostInterrupts {
            interrupted,
            reported: AtomicBool::new(false),
            suppressed: AtomicBool::new(false),
            woken: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            runtime: AtomicWaker::new(),
            show: OnceLock::new(),
        })
    }

    /// Has `show` called at the beginning and the end of every wait.
    pub(crate) fn show_waits(&self, show: fn(Option<Wait>)) {
        self.show.get_or_init(|| show);
    }

    /// Reports to the host what the thread waits for; `None`: nothing.
    pub(crate) fn show(&self, wait: Option<Wait>) {
        if let Some(show) = self.show.get() {
            show(wait);
        }
    }

    /// Runs a call of the system that blocks, for a tick at most; `None` if an interrupt is pending instead.
    pub(crate) fn wait<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        if (self.interrupted)() {
            return None;
        }
        self.show(Some(wait_event::current()));
        let ended = wait();
        self.show(None);
        Some(ended)
    }

    /// Called before the thread parks.
    pub(crate) fn before_park(&self) {
        self.show(Some(wait_event::current()));
        self.check();
    }

    /// Called after the thread was unparked.
    pub(crate) fn after_unpark(&self) {
        self.show(None);
        self.check();
    }

    fn check(&self) {
        lease_waits::check();
        if self.is_pending() {
            self.signal();
        }
    }

    /// Whether an interrupt is pending that was not reported.
    pub(crate) fn is_pending(&self) -> bool {
        !self.suppressed.load(Relaxed) && !self.reported.load(Relaxed) && (self.interrupted)()
    }

    /// The same; the interrupt counts as reported then.
    pub(crate) fn interrupted(&self) -> bool {
        if !(self.interrupted)() {
            self.reported.store(false, Relaxed);
            return false;
        }
        !self.reported.swap(true, Relaxed)
    }

    /// Whether an interrupt that was reported is still pending.
    pub(crate) fn still_pending(&self) -> bool {
        let still_pending = self.reported.load(Relaxed) && (self.interrupted)();
        if !still_pending {
            self.reported.store(false, Relaxed);
        }
        still_pending
    }

    /// Reports no interrupts while the result lives.
    pub(crate) fn suppress(&self) -> Suppressed<'_> {
        self.suppressed.store(true, Relaxed);
        Suppressed(self)
    }

    /// Has an interrupt that is still pending reported again.
    pub(crate) fn rearm(&self) {
        self.reported.store(false, Relaxed);
    }

    /// A future that is polled outside of the runtime needs no wake-up of the runtime.
    pub(crate) fn stays_awake(&self) {
        self.asleep.store(false, Relaxed);
    }

    /// A poll begins.
    pub(crate) fn enter(&self, runtime: &Waker) {
        self.stays_awake();
        self.runtime.register(runtime);
    }

    /// The runtime ends. It holds this, which must not hold the runtime in turn.
    pub(crate) fn forget(&self) {
        self.runtime.take();
    }

    /// Whether a future can make progress since this was last asked.
    pub(crate) fn take_woken(&self) -> bool {
        self.woken.swap(false, Relaxed)
    }

    /// The poll is over, and no future can make progress.
    pub(crate) fn leave(&self) {
        self.asleep.store(true, Relaxed);
    }

    fn signal(&self) {
        self.woken.store(true, Relaxed);
        if self.asleep.swap(false, Relaxed) {
            self.runtime.wake();
        }
    }
}

impl Wake for HostInterrupts {
    fn wake(self: Arc<Self>) {
        self.signal();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static FLAG: AtomicBool = AtomicBool::new(false);

    #[test]
    fn an_interrupt_is_reported_once_until_the_flag_falls() {
        let interrupts = HostInterrupts::new(|| FLAG.load(Relaxed));
        assert!(!interrupts.interrupted());
        FLAG.store(true, Relaxed);
        interrupts.check();
        assert!(interrupts.take_woken());
        assert!(interrupts.interrupted());
        assert!(!interrupts.interrupted());
        interrupts.check();
        assert!(
            !interrupts.take_woken(),
            "an interrupt that was reported must not wake the host again"
        );
        interrupts.rearm();
        assert!(interrupts.interrupted());
        FLAG.store(false, Relaxed);
        assert!(!interrupts.interrupted());
        FLAG.store(true, Relaxed);
        assert!(interrupts.interrupted());
        FLAG.store(false, Relaxed);
    }
}
