//! How the host process gets its attention in the middle of a wait, and how the wait knows that it is over.
//!
//! One [`Gate`] belongs to a runtime. It is the waker of everything that is polled there, and it looks at the host's
//! flag whenever the thread goes to sleep or awakes. A wake-up that comes while the work is being polled is only noted
//! (the poll loop sees it), so that it costs no system call.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;

use crate::runtime::wait_event::{self, Wait};

/// Everything happens on one thread; the atomics are there because a `Waker` must be `Sync`.
pub(crate) struct Gate {
    interrupted: fn() -> bool,
    /// The host was told and has not come back with its flag down yet: telling again at once would spin.
    told: AtomicBool,
    /// A wait that is bounded by itself goes on and is not to be disturbed.
    hushed: AtomicBool,
    /// Something can make progress.
    woken: AtomicBool,
    /// The poll is over and the thread may sleep: a wake-up must go on to the runtime.
    asleep: AtomicBool,
    runtime: AtomicWaker,
    /// Whom to tell what is waited for.
    show: OnceLock<fn(Option<Wait>)>,
}

/// While it lives, interrupts are not looked at.
pub(crate) struct Hush<'a>(&'a Gate);

impl Drop for Hush<'_> {
    fn drop(&mut self) {
        self.0.hushed.store(false, Relaxed);
    }
}

impl Gate {
    pub(crate) fn new(interrupted: fn() -> bool) -> Arc<Gate> {
        Arc::new(Gate {
            interrupted,
            told: AtomicBool::new(false),
            hushed: AtomicBool::new(false),
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
    pub(crate) fn sleeps(&self) {
        self.show(Some(wait_event::current()));
        self.look();
    }

    /// Called after every sleep.
    pub(crate) fn awakes(&self) {
        self.show(None);
        self.look();
    }

    fn look(&self) {
        if self.is_wanted() {
            self.signal();
        }
    }

    /// Whether the host wants attention and was not told so yet.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.hushed.load(Relaxed) && !self.told.load(Relaxed) && (self.interrupted)()
    }

    /// The same; if so it counts as told.
    pub(crate) fn interrupted(&self) -> bool {
        if !(self.interrupted)() {
            self.told.store(false, Relaxed);
            return false;
        }
        !self.told.swap(true, Relaxed)
    }

    /// Whether the host's flag is still up although it was told.
    pub(crate) fn held(&self) -> bool {
        let held = self.told.load(Relaxed) && (self.interrupted)();
        if !held {
            self.told.store(false, Relaxed);
        }
        held
    }

    /// Keeps still about interrupts while the result lives.
    pub(crate) fn hush(&self) -> Hush<'_> {
        self.hushed.store(true, Relaxed);
        Hush(self)
    }

    /// Tell the host again if its flag is up.
    pub(crate) fn remind(&self) {
        self.told.store(false, Relaxed);
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

impl Wake for Gate {
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
        let gate = Gate::new(|| FLAG.load(Relaxed));
        assert!(!gate.interrupted());
        FLAG.store(true, Relaxed);
        gate.look();
        assert!(gate.take_woken());
        assert!(gate.interrupted());
        assert!(!gate.interrupted());
        gate.look();
        assert!(
            !gate.take_woken(),
            "a host that was told must not be woken for it again"
        );
        gate.remind();
        assert!(gate.interrupted());
        FLAG.store(false, Relaxed);
        assert!(!gate.interrupted());
        FLAG.store(true, Relaxed);
        assert!(gate.interrupted());
        FLAG.store(false, Relaxed);
    }
}
