//! Waiting for a connection that other sessions have.
//!
//! A request that is alone sleeps on its waiter's word, which whoever serves it changes. Others wait in the runtime, which knows
//! sockets and timers only: such a process is woken by a signal that PostgreSQL's processes take for a hint to look around.
//! Should that come between the look and the sleep, a timer makes up for it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use plproxy_core::shared::{Grant, Header, Place, Waiter, Wanted, Why};
use rustix::thread::futex;
use rustix::time::Timespec;

use super::PartitionRequest;
use crate::call::running::Delay;
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, NoLease};
use crate::options::SharedOptions;
use crate::runtime::TICK;
use crate::runtime::lease_waits::{self, LeaseWait};
use crate::shared::sharing::{Sharing, now};

/// The first look without having been woken, and how long the pauses between such looks become.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// The same for who is woken for certain: in case that somebody else's connection has to be closed.
const FIRST_NAP: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A place in the queue, given up when it is dropped.
struct Waiting {
    sharing: Sharing,
    number: u32,
    _wait: LeaseWait,
}

impl Waiting {
    fn new(sharing: Sharing, number: u32) -> Waiting {
        Waiting {
            sharing,
            number,
            _wait: LeaseWait::begin(),
        }
    }

    fn waiter(&self) -> Option<&'static Waiter> {
        self.sharing.table.waiters.get(self.number as usize)
    }

    fn watch(&self, waker: &Waker) {
        if let Some(waiter) = self.waiter() {
            lease_waits::watch(waiter, waker);
        }
    }

    fn unwatch(&self) {
        if let Some(waiter) = self.waiter() {
            lease_waits::unwatch(waiter);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.unwatch();
        // Nothing, if it was served.
        self.sharing
            .table
            .stop_waiting(self.number, self.sharing.owner);
    }
}

/// What takes less is no wait for others.
const AT_ONCE: Duration = Duration::from_micros(100);

/// A request that waits for others. How long it did is noted when this is dropped.
pub(super) struct Queued<'a> {
    request: &'a PartitionRequest,
    since: Instant,
}

impl<'a> Queued<'a> {
    pub(super) fn begin(request: &'a PartitionRequest, since: Instant) -> Queued<'a> {
        Queued { request, since }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let waited = self.since.elapsed();
        if waited > AT_ONCE {
            let running = &self.request.context.state.running;
            running.delayed(self.request.request, Delay::Lease(waited));
        }
    }
}

impl PartitionRequest {
    /// Gets a connection that others have given back, or the right to make one, in turn with all others.
    pub(super) async fn wait_for_lease(
        &self,
        sharing: Sharing,
        endpoint: &Endpoint,
        options: &SharedOptions,
        since: Instant,
    ) -> Result<Grant, ErrorKind> {
        let keys = endpoint.keys().ok_or(ErrorKind::Closed)?;
        let state = &self.context.state;
        let mut deadline = options
            .lease_timeout
            .and_then(|limit| since.checked_add(limit));
        // Once: many may wait.
        let mut yields = self.branch.is_some();
        let (mut pause, mut nap) = (FIRST_PAUSE, FIRST_NAP);
        let mut place = None;
        let mut queued = None;
        loop {
            let waiting = match place.take() {
                Some(waiting) => waiting,
                None => {
                    let wanted = Wanted {
                        keys,
                        most: options.most,
                        owner: sharing.owner,
                        role: options.role,
                        by_signal: !state.fast_path.is_blocking(),
                    };
                    match sharing.table.want(&wanted) {
                        Ok(Place::Granted(grant)) => return Ok(grant),
                        Ok(Place::Waits(number)) => {
                            let waiting = Waiting::new(sharing, number);
                            let most = options.most;
                            if sharing.table.are_kept_by(sharing.owner, keys.limit, most) {
                                return Err(ErrorKind::NoLease(NoLease::Own { most }));
                            }
                            let timed = self.context.options.query_timeout.is_some();
                            state.running.waits_for_lease(timed);
                            queued.get_or_insert_with(|| Queued::begin(self, Instant::now()));
                            waiting
                        }
                        Err(_) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                            return Err(no_lease(options, Why::Limit));
                        }
                        Err(_) => {
                            queued.get_or_insert_with(|| Queued::begin(self, Instant::now()));
                            state.fast_path.in_runtime().await;
                            tokio::time::sleep(FIRST_PAUSE).await;
                            if state.events.is_closed() {
                                return Err(ErrorKind::Closed);
                            }
                            continue;
                        }
                    }
                }
            };
            if let Some(grant) = sharing.table.look(waiting.number) {
                return Ok(grant);
            }
            if state.events.is_closed() {
                return Err(ErrorKind::Closed);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                if std::mem::take(&mut yields) && !sharing.table.header.may_give_up(now()) {
                    deadline = Instant::now().checked_add(Header::MOMENT);
                    place = Some(waiting);
                    continue;
                }
                return Err(no_lease(options, sharing.table.why(waiting.number)));
            }
            if state.fast_path.is_blocking() {
                self.sleep(&waiting, left.unwrap_or(nap).min(nap)).await;
                nap = (nap * 2).min(TICK);
            } else {
                sharing.table.set_by_signal(waiting.number);
                self.rest(&waiting, left.unwrap_or(pause).min(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            // In case that somebody had no time to see to it.
            sharing.table.nudge(waiting.number);
            place = Some(waiting);
        }
    }

    /// Sleeps on the waiter's word, for so long at most, and lets the caller look at his own affairs.
    async fn sleep(&self, waiting: &Waiting, longest: Duration) {
        let Some(waiter) = waiting.waiter() else {
            return;
        };
        let state = &self.context.state;
        let timeout = Timespec::try_from(longest).ok();
        let mut slept = false;
        poll_fn(|_| {
            if std::mem::replace(&mut slept, true) {
                return Poll::Ready(());
            }
            // With a limit, a signal ends it.
            let waited = state.fast_path.wait(|| {
                futex::wait(
                    waiter.word(),
                    futex::Flags::empty(),
                    Waiter::waits(),
                    timeout.as_ref(),
                )
            });
            match waited {
                // Served, or just before.
                Some(Ok(()) | Err(rustix::io::Errno::AGAIN)) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }

    /// Waits in the runtime.
    async fn rest(&self, waiting: &Waiting, longest: Duration) {
        let mut pause = pin!(tokio::time::sleep(longest));
        let state = &self.context.state;
        let table = waiting.sharing.table;
        poll_fn(|cx| {
            waiting.unwatch();
            if !table.waits(waiting.number) || state.events.is_closed() {
                return Poll::Ready(());
            }
            waiting.watch(cx.waker());
            pause.as_mut().poll(cx)
        })
        .await;
    }
}

fn no_lease(options: &SharedOptions, why: Why) -> ErrorKind {
    let waited = options.lease_timeout.unwrap_or_default();
    ErrorKind::NoLease(match why {
        Why::Slots => NoLease::Slots { waited },
        Why::Limit | Why::Again => NoLease::Limit {
            most: options.most,
            waited,
        },
    })
}
