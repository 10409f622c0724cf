//! The end of a call before its requests are done: what is with servers is cancelled, and read to its end.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::Call;
use crate::call::cancel_all::{Cancelling, PACE};
use crate::call::request_futures::RequestFutures;

/// How long the sending of cancel requests may take at the most, whatever the bound for the rest.
const UNTIL_SENT: Duration = Duration::from_millis(500);

impl Call<'_> {
    /// Ends the call within `bound`. If the servers' answers are not waited for, their connections are closed.
    pub(super) fn stop(&mut self, bound: Duration, drain: bool) {
        self.state.close();
        if self.state.running.is_busy() {
            let runtime = self.runtime;
            // The wait is short in any case, and what it does must not be left half done.
            let _quiet = runtime.host_interrupts().suppress();
            let (mut limit, mut last, mut pace) = {
                let _guard = runtime.enter();
                (
                    Box::pin(tokio::time::sleep(bound)),
                    Box::pin(tokio::time::sleep(bound.max(UNTIL_SENT))),
                    Box::pin(tokio::time::sleep(PACE)),
                )
            };
            // A reset is nearly over, and is given the time until the requests are repeated.
            let mut cancelling = Cancelling::new(if drain {
                self.state.running.statements()
            } else {
                self.state.running.all()
            });
            let started = Instant::now();
            let mut repeat = PACE;
            runtime.wait(|cx, _| {
                cancelling.poll(cx);
                if drain {
                    self.state.set_wants_spares(cancelling.wants_connection());
                    self.futures.poll(cx);
                    for connection in self.state.take_spares() {
                        cancelling.offer(connection);
                        cx.waker().wake_by_ref();
                    }
                }
                let running = drain && self.state.running.is_busy();
                if !running && cancelling.is_over() {
                    return Poll::Ready(());
                }
                while pace.as_mut().poll(cx).is_ready() {
                    pace.as_mut().reset(tokio::time::Instant::now() + PACE);
                    // A server process that had not read its statement yet has taken no notice. Each time it is given longer
                    // to do so, as every request costs its server a process.
                    if running && started.elapsed() >= repeat {
                        repeat = repeat.saturating_mul(2);
                        // One that takes long is no reason to leave the others alone.
                        let all = cancelling.is_over();
                        let mut again = self.state.running.all();
                        again.retain(|key| all || !key.is_busy());
                        cancelling.extend(again);
                    }
                    cx.waker().wake_by_ref();
                }
                // By the clock: a server that never stops talking uses up what the runtime allows one poll, and its timers
                // would never seem to go off. Over a slow network the bound may be too short even to send the requests, and
                // a statement that nobody stops runs on.
                let bound = if cancelling.is_unsent() {
                    bound.max(UNTIL_SENT)
                } else {
                    bound
                };
                if started.elapsed() >= bound {
                    return Poll::Ready(());
                }
                let timer = if limit.is_elapsed() {
                    &mut last
                } else {
                    &mut limit
                };
                if timer.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            });
            drop(cancelling);
            self.state.set_wants_spares(false);
            self.pool.end_cancel();
        }
        self.futures = RequestFutures::None;
        self.state.running.forget();
    }
}
