//! Where the thread waits, unless a call has one request only, which blocks in `recv` ([`crate::net::blocking`]).
//!
//! A tokio runtime on the current thread, entered by [`Runtime::wait`] and by nothing else. It has no worker threads and
//! nothing here uses its pool of blocking threads, so the process keeps the threads it has.

pub(crate) mod fast_path;
pub(crate) mod host_interrupts;
pub(crate) mod lease_waits;
pub(crate) mod resolver;
pub(crate) mod wait_event;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::EnterGuard;
use tokio::task::coop;
use tokio::time::{Instant, Sleep};

use crate::runtime::host_interrupts::HostInterrupts;

/// The longest sleep. It covers the moment between the check of the host's flag and the sleep, and clocks the deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(100);
/// How soon an interrupt that stays pending is reported again.
const REMINDER: Duration = Duration::from_millis(10);
/// Polls in a row without a check of the sockets.
const ROUNDS: usize = 16;
/// Waits in a row that may be over before they begin: for so long servers that never stop sending keep the other sockets
/// from being checked.
const STREAK: u32 = 16;

pub(crate) struct Runtime {
    tokio: tokio::runtime::Runtime,
    interrupts: Arc<HostInterrupts>,
    waker: Waker,
    /// One timer for all waits: it is set anew only when it has gone off, so that most waits do not touch it.
    tick: RefCell<Pin<Box<Sleep>>>,
    /// Waits in a row that were over before they began.
    streak: Cell<u32>,
    /// See [`Runtime::check_io`].
    check_io: Cell<bool>,
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.interrupts.forget();
    }
}

impl Runtime {
    pub(crate) fn new(interrupted: fn() -> bool) -> io::Result<Runtime> {
        let interrupts = HostInterrupts::new(interrupted);
        let (park, unpark) = (interrupts.clone(), interrupts.clone());
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .on_thread_park(move || park.before_park())
            .on_thread_unpark(move || unpark.after_unpark())
            .build()?;
        let tick = {
            let _guard = tokio.enter();
            RefCell::new(Box::pin(tokio::time::sleep(TICK)))
        };
        Ok(Runtime {
            tokio,
            waker: Waker::from(interrupts.clone()),
            interrupts,
            tick,
            streak: Cell::new(0),
            check_io: Cell::new(false),
        })
    }

    pub(crate) fn host_interrupts(&self) -> &Arc<HostInterrupts> {
        &self.interrupts
    }

    /// For making timers outside of a wait.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.tokio.enter()
    }

    /// Polls until `poll` is ready, and parks in between. `poll` gets whether the timer went off since it last ran.
    pub(crate) fn wait<T>(&self, mut poll: impl FnMut(&mut Context<'_>, bool) -> Poll<T>) -> T {
        let mut kept = None;
        self.tokio.block_on(poll_fn(|outer| {
            if let Some(value) = kept.take() {
                return Poll::Ready(value);
            }
            if self.streak.get() >= STREAK {
                self.streak.set(0);
                outer.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.interrupts.enter(outer.waker());
            let mut context = Context::from_waker(&self.waker);
            let mut ticked = self.ticked(&mut context);
            for _ in 0..ROUNDS {
                self.interrupts.take_woken();
                if let Poll::Ready(value) = poll(&mut context, ticked) {
                    self.streak.set(self.streak.get() + 1);
                    if coop::has_budget_remaining() {
                        return Poll::Ready(value);
                    }
                    // A socket that the runtime refused to poll, as the budget of one poll was used up, is woken after the
                    // next check of the sockets. Were this poll ready now, there might be none, and no wake-up either.
                    kept = Some(value);
                    outer.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let check_io = self.check_io.take();
                if check_io || !self.interrupts.take_woken() {
                    if check_io {
                        outer.waker().wake_by_ref();
                    }
                    self.streak.set(0);
                    self.interrupts.leave();
                    return Poll::Pending;
                }
                ticked = false;
            }
            outer.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    /// Polls once, outside of the runtime, a future that blocks by itself.
    pub(crate) fn poll_directly<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        self.interrupts.stays_awake();
        poll(&mut Context::from_waker(&self.waker))
    }

    /// To be called by a poll that is about to be pending: the sockets are checked, and it is polled again at once.
    pub(crate) fn check_io(&self) {
        self.check_io.set(true);
    }

    /// The thread was blocked elsewhere: sockets and timers are checked before anything else.
    pub(crate) fn io_is_due(&self) {
        self.streak.set(STREAK);
    }

    /// Whether the timer went off; it is set again if so. An interrupt that was reported and is still pending is reported
    /// again then, for which the timer is shorter.
    fn ticked(&self, context: &mut Context<'_>) -> bool {
        let mut tick = self.tick.borrow_mut();
        let now_due = tick.as_mut().poll(context).is_ready();
        let still_pending = self.interrupts.still_pending();
        if now_due {
            if still_pending {
                self.interrupts.rearm();
            }
            tick.as_mut().reset(Instant::now() + TICK);
        } else if still_pending && tick.deadline() > Instant::now() + REMINDER {
            tick.as_mut().reset(Instant::now() + REMINDER);
        } else {
            return false;
        }
        // A timer wakes the waker that it was polled with since it was set.
        if tick.as_mut().poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
        now_due
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    /// Records that it was woken.
    struct Note(AtomicBool);

    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    #[test]
    fn a_future_without_budget_is_woken_although_the_wait_is_over() {
        let runtime = Runtime::new(|| false).expect("a runtime");
        let note = Arc::new(Note(AtomicBool::new(false)));
        let waker = Waker::from(note.clone());
        let done = runtime.wait(|_, _| {
            let mut context = Context::from_waker(&waker);
            for done in 0.. {
                match coop::poll_proceed(&mut context) {
                    Poll::Ready(allowed) => allowed.made_progress(),
                    Poll::Pending => return Poll::Ready(done),
                }
            }
            Poll::Pending
        });
        assert!(done > 0);
        assert!(note.0.load(Relaxed));
    }

    #[test]
    fn a_dropped_runtime_leaves_no_waker() {
        let gone = |_| {
            let runtime = Runtime::new(|| false).expect("a runtime");
            let mut first = true;
            runtime.wait(|context, _| {
                if std::mem::take(&mut first) {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(())
            });
            Arc::downgrade(&runtime.interrupts)
        };
        assert!(
            (0..3)
                .map(gone)
                .all(|interrupts| interrupts.upgrade().is_none())
        );
    }
}
