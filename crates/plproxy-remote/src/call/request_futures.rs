//! The requests of a call that are not done, as work to be polled.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::FuturesUnordered;

use crate::runtime::host_interrupts::HostInterrupts;

pub(crate) type RequestFuture = Pin<Box<dyn Future<Output = ()>>>;

/// One is polled directly; of several, only those that can make progress.
pub(crate) enum RequestFutures {
    None,
    One(RequestFuture),
    Many(FuturesUnordered<RequestFuture>),
}

impl RequestFutures {
    /// Between two of them the host has its say: one may take milliseconds of computing, as for a password, and there may be
    /// a thousand.
    pub(crate) fn many(
        pending: impl Iterator<Item = RequestFuture>,
        interrupts: &Arc<HostInterrupts>,
    ) -> RequestFutures {
        RequestFutures::Many(pending.map(|work| polite(work, interrupts)).collect())
    }

    /// One more.
    pub(crate) fn push(&mut self, work: RequestFuture, interrupts: &Arc<HostInterrupts>) {
        *self = match std::mem::replace(self, RequestFutures::None) {
            RequestFutures::None => RequestFutures::One(work),
            RequestFutures::One(first) => {
                RequestFutures::many([first, work].into_iter(), interrupts)
            }
            RequestFutures::Many(pending) => {
                pending.push(polite(work, interrupts));
                RequestFutures::Many(pending)
            }
        };
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        let done = match self {
            RequestFutures::None => true,
            RequestFutures::One(work) => work.as_mut().poll(cx).is_ready(),
            RequestFutures::Many(pending) => loop {
                match Pin::new(&mut *pending).poll_next(cx) {
                    Poll::Ready(Some(())) => {}
                    Poll::Ready(None) => break true,
                    Poll::Pending => break false,
                }
            },
        };
        if done {
            *self = RequestFutures::None;
        }
    }
}

/// RequestFuture that waits while the host wants attention.
fn polite(mut work: RequestFuture, interrupts: &Arc<HostInterrupts>) -> RequestFuture {
    let interrupts = Arc::clone(interrupts);
    Box::pin(poll_fn(move |cx| {
        if interrupts.is_pending() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        work.as_mut().poll(cx)
    }))
}
