//! The end of a call whose requests are not done: their statements are cancelled, and their replies read to the end.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::Call;
use crate::call::cancel_all::{Cancelling, PACE};
use crate::call::request_futures::RequestFutures;

/// How long sending the cancel requests may take, even where the bound is shorter.
const UNTIL_SENT: Duration = Duration::from_millis(500);

impl Call<'_> {
    /// Ends the call within `bound`. Unless `drain`, connections are closed instead of reading the servers' replies.
    pub(super) fn stop(&mut self, bound: Duration, drain: bool) {
        self.state.close();
        if self.state.running.is_busy() {
            let runtime = self.runtime;
            // The wait is short in any case, and must not be left half done.
            let _quiet = runtime.host_interrupts().suppress();
            let (mut limit, mut last, mut pace) = {
                let _guard = runtime.enter();
                (
                    Box::pin(tokio::time::sleep(bound)),
                    Box::pin(tokio::time::sleep(bound.max(UNTIL_SENT))),
                    Box::pin(tokio::time::sleep(PACE)),
                )
            };
            // A reset is nearly over: it is cancelled only when the cancel requests are repeated.
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
                    // A server process that had not read its statement yet has ignored the request. The pauses grow, as every
                    // request costs its server a process.
                    if running && started.elapsed() >= repeat {
                        repeat = repeat.saturating_mul(2);
                        // A request that takes long is no reason not to repeat the others.
                        let all = cancelling.is_over();
                        let mut again = self.state.running.all();
                        again.retain(|key| all || !key.is_busy());
                        cancelling.extend(again);
                    }
                    cx.waker().wake_by_ref();
                }
                // By the clock: a server that never stops sending uses up the budget of every poll, so that timers would
                // never go off. Over a slow network the bound may be too short even to send the requests, and a statement
                // that was not cancelled runs on.
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
