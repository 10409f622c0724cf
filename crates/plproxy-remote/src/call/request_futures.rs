//! The requests of a call that are not done, as work to be polled.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::FuturesUnordered;

use crate::runtime::host_interrupts::Gate;

pub(crate) type Work = Pin<Box<dyn Future<Output = ()>>>;

/// One is polled directly; of several, only those that can make progress.
pub(crate) enum Tasks {
    None,
    One(Work),
    Many(FuturesUnordered<Work>),
}

impl Tasks {
    /// Between two of them the host has its say: one may take milliseconds of computing, as for a password, and there may be
    /// a thousand.
    pub(crate) fn many(works: impl Iterator<Item = Work>, gate: &Arc<Gate>) -> Tasks {
        Tasks::Many(works.map(|work| polite(work, gate)).collect())
    }

    /// One more.
    pub(crate) fn push(&mut self, work: Work, gate: &Arc<Gate>) {
        *self = match std::mem::replace(self, Tasks::None) {
            Tasks::None => Tasks::One(work),
            Tasks::One(first) => Tasks::many([first, work].into_iter(), gate),
            Tasks::Many(works) => {
                works.push(polite(work, gate));
                Tasks::Many(works)
            }
        };
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        let done = match self {
            Tasks::None => true,
            Tasks::One(work) => work.as_mut().poll(cx).is_ready(),
            Tasks::Many(works) => loop {
                match Pin::new(&mut *works).poll_next(cx) {
                    Poll::Ready(Some(())) => {}
                    Poll::Ready(None) => break true,
                    Poll::Pending => break false,
                }
            },
        };
        if done {
            *self = Tasks::None;
        }
    }
}

/// Work that waits while the host wants attention.
fn polite(mut work: Work, gate: &Arc<Gate>) -> Work {
    let gate = Arc::clone(gate);
    Box::pin(poll_fn(move |cx| {
        if gate.is_wanted() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        work.as_mut().poll(cx)
    }))
}
