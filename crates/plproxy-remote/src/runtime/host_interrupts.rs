//! How the host process gets its attention in the middle of a wait, and how the wait knows that it is over.
//!
//! One [`HostInterrupts`] belongs to a runtime. It is the waker of everything that is polled there, and it looks at the host's
//! flag whenever the thread goes to sleep or awakes. A wake-up that comes while the work is being polled is only noted
//! (the poll loop sees it), so that it costs no system call.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;

use crate::runtime::wait_event::{self, Wait};

/// Everything happens on one thread; the atomics are there because a `Waker` must be `Sync`.
pub(crate) struct HostInterrupts {
    interrupted: fn() -> bool,
    /// The host was told and has not come back with its flag down yet: telling again at once would spin.
    reported: AtomicBool,
    /// A wait that is bounded by itself goes on and is not to be disturbed.
    suppressed: AtomicBool,
    /// Something can make progress.
    woken: AtomicBool,
    /// The poll is over and the thread may sleep: a wake-up must go on to the runtime.
    asleep: AtomicBool,
    runtime: AtomicWaker,
    /// Whom to tell what is waited for.
    show: OnceLock<fn(Option<Wait>)>,
}

/// While it lives, interrupts are not looked at.
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

    /// Has the host told of every wait, and of its end.
    pub(crate) fn show_waits(&self, show: fn(Option<Wait>)) {
        self.show.get_or_init(|| show);
    }

    /// Tells the host what is waited for; `None`: for nothing.
    pub(crate) fn show(&self, wait: Option<Wait>) {
        if let Some(show) = self.show.get() {
            show(wait);
        }
    }

    /// Runs what waits by itself, for a tick at most, unless the host wants attention: `None` then.
    pub(crate) fn wait<T>(&self, wait: impl FnOnce() -> T) -> Option<T> {
        if (self.interrupted)() {
            return None;
        }
        self.show(Some(wait_event::current()));
        let ended = wait();
        self.show(None);
        Some(ended)
    }

    /// Called before every sleep.
    pub(crate) fn before_park(&self) {
        self.show(Some(wait_event::current()));
        self.check();
    }

    /// Called after every sleep.
    pub(crate) fn after_unpark(&self) {
        self.show(None);
        self.check();
    }

    fn check(&self) {
        if self.is_pending() {
            self.signal();
        }
    }

    /// Whether the host wants attention and was not told so yet.
    pub(crate) fn is_pending(&self) -> bool {
        !self.suppressed.load(Relaxed) && !self.reported.load(Relaxed) && (self.interrupted)()
    }

    /// The same; if so it counts as told.
    pub(crate) fn interrupted(&self) -> bool {
        if !(self.interrupted)() {
            self.reported.store(false, Relaxed);
            return false;
        }
        !self.reported.swap(true, Relaxed)
    }

    /// Whether the host's flag is still up although it was told.
    pub(crate) fn still_pending(&self) -> bool {
        let still_pending = self.reported.load(Relaxed) && (self.interrupted)();
        if !still_pending {
            self.reported.store(false, Relaxed);
        }
        still_pending
    }

    /// Keeps still about interrupts while the result lives.
    pub(crate) fn suppress(&self) -> Suppressed<'_> {
        self.suppressed.store(true, Relaxed);
        Suppressed(self)
    }

    /// Tell the host again if its flag is up.
    pub(crate) fn rearm(&self) {
        self.reported.store(false, Relaxed);
    }

    /// What is polled without the runtime needs no wake-up of it.
    pub(crate) fn stays_awake(&self) {
        self.asleep.store(false, Relaxed);
    }

    /// A poll begins.
    pub(crate) fn enter(&self, runtime: &Waker) {
        self.stays_awake();
        self.runtime.register(runtime);
    }

    /// The runtime ends. It holds the gate, which must not hold it in turn.
    pub(crate) fn forget(&self) {
        self.runtime.take();
    }

    /// Takes the note that something can make progress.
    pub(crate) fn take_woken(&self) -> bool {
        self.woken.swap(false, Relaxed)
    }

    /// The poll is over, nothing can make progress.
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
    fn the_host_is_told_once_until_its_flag_falls() {
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
            "a host that was reported must not be woken for it again"
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
