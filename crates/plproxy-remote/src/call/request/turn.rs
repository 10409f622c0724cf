//! The order in which the requests of one call take connections that they keep until a transaction ends.
//!
//! Every session takes those of one call in the same order, so that of two calls to many partitions one gets all of its own.
//! In the order in which the requests happen to be run, each could get some, and wait for those of the other.

use std::cell::RefCell;
use std::rc::Rc;

use futures::channel::oneshot::{Receiver, Sender, channel};

use crate::connection::branch::{Branch, BranchStatus};

/// The turns of the requests that wait for one.
#[derive(Default)]
pub(crate) struct Turns(RefCell<Vec<Option<Turn>>>);

/// A request's place in the order.
pub(crate) struct Turn {
    /// Ends when the one before has taken its connection, or has ended.
    before: Option<Receiver<()>>,
    after: Option<Sender<()>>,
}

impl Turns {
    /// Those of requests in these transactions; those that have a connection need none.
    pub(crate) fn of(branches: &[Rc<Branch>]) -> Turns {
        let mut turns: Vec<Option<Turn>> = branches.iter().map(|_| None).collect();
        let begins = |branch: &Rc<Branch>| branch.status() == BranchStatus::New;
        let limit = |branch: &Rc<Branch>| branch.endpoint().keys().map_or(0, |keys| keys.limit);
        let mut order: Vec<(u64, usize)> = (0..)
            .zip(branches)
            .filter(|(_, branch)| begins(branch))
            .map(|(request, branch)| (limit(branch), request))
            .collect();
        order.sort_unstable();
        let mut before = None;
        for (_, request) in order {
            let (after, next) = channel();
            if let Some(turn) = turns.get_mut(request) {
                *turn = Some(Turn {
                    before: before.replace(next),
                    after: Some(after),
                });
            }
        }
        Turns(RefCell::new(turns))
    }

    /// That of a request, once.
    pub(crate) fn take(&self, request: usize) -> Option<Turn> {
        self.0.borrow_mut().get_mut(request)?.take()
    }
}

impl Turn {
    /// Waits for its turn, which lasts as long as what this gives.
    pub(crate) async fn comes(self) -> Option<Sender<()>> {
        if let Some(before) = self.before {
            // Nothing is ever sent: it is over.
            let _over = before.await;
        }
        self.after
    }
}
