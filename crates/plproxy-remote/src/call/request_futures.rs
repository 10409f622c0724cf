//! The futures of a call's requests that are not done.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::FuturesUnordered;

use crate::runtime::host_interrupts::HostInterrupts;

pub(crate) type RequestFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A single one is polled directly; of several, those that were woken.
pub(crate) enum RequestFutures {
    None,
    One(RequestFuture),
    Many(FuturesUnordered<RequestFuture>),
}

impl RequestFutures {
    /// Between polling two of them interrupts are checked: one may compute for milliseconds, as for a password, and there may
    /// be a thousand.
    pub(crate) fn many(
        pending: impl Iterator<Item = RequestFuture>,
        interrupts: &Arc<HostInterrupts>,
    ) -> RequestFutures {
        RequestFutures::Many(pending.map(|future| yielding(future, interrupts)).collect())
    }

    /// One more.
    pub(crate) fn push(&mut self, future: RequestFuture, interrupts: &Arc<HostInterrupts>) {
        *self = match std::mem::replace(self, RequestFutures::None) {
            RequestFutures::None => RequestFutures::One(future),
            RequestFutures::One(first) => {
                RequestFutures::many([first, future].into_iter(), interrupts)
            }
            RequestFutures::Many(pending) => {
                pending.push(yielding(future, interrupts));
                RequestFutures::Many(pending)
            }
        };
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        let done = match self {
            RequestFutures::None => true,
            RequestFutures::One(future) => future.as_mut().poll(cx).is_ready(),
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

/// The same future, pending as long as an interrupt is.
fn yielding(mut future: RequestFuture, interrupts: &Arc<HostInterrupts>) -> RequestFuture {
    let interrupts = Arc::clone(interrupts);
    Box::pin(poll_fn(move |cx| {
        if interrupts.is_pending() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        future.as_mut().poll(cx)
    }))
}
